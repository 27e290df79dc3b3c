"""Features of the reader's choice: encoders by name, in Python and by `ganlib evaluate --features`."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganlib import cli, data, features, metrics
from ganlib.data import online
from ganlib.run import Run

OWN = """
import torch
def embed(images):
    assert images.dtype == torch.uint8 and images.shape[1:] == (3, 16, 16)
    return images.float().mean((2, 3)) / 255
def flat(images):
    return images.flatten(1).float()
def short(images):
    return embed(images)[:-1]
def maps(images):
    return images.float()
def undefined(images):
    return embed(images) / 0 - torch.inf
def constant(images):
    return torch.ones(len(images), 3)
def broken(images):
    raise KeyError("weights")
"""


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


def drawn(n: int, seed: int) -> data.Dataset:
    """Bars and squares in any colour and place: a colour picture of 20×20, its kind, n of each."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(160, 256, (2 * n, 3, 1, 1)).repeat(20, 2).repeat(20, 3), np.arange(2 * n) % 2
    for i, kind in enumerate(y):
        top, left = rng.integers(1, 9, 2)
        height, width = ((10, 10), (3, 12))[kind]
        x[i, :, top : top + height, left : left + width] = rng.integers(0, 100, (3, 1, 1))
    return data.Dataset("drawn", torch.from_numpy(x.astype(np.uint8)), torch.from_numpy(y), ("square", "bar"))


# ---- encoders ------------------------------------------------------------------------------------------------------


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match="features='inceptoin' is not known; choose one of: inception, pixels, digits"):
        features.get("inceptoin")
    with pytest.raises(ValueError, match=r"features='nowhere:embed': No module named 'nowhere'"):
        features.get("nowhere:embed")
    for name in ("torch:embed", "torch:", "torch:__version__"):
        with pytest.raises(ValueError, match="torch has no function"):
            features.get(name)
    with pytest.raises(ValueError, match=r"features=':embed'"):
        features.get(":embed")
    with pytest.raises(ValueError, match="give it labelled images"):
        features.get("classes")


def test_what_an_encoder_gets_and_what_it_may_return() -> None:
    images, got = torch.linspace(-1.2, 1.2, 1200 * 4).reshape(1200, 1, 2, 2), []

    def own(some: Tensor) -> Tensor:
        got.append(some)
        return some.flatten(1)

    found = features.encode(own, images)
    assert found.shape == (1200, 4) and found.dtype == torch.float32 and found.min() == 0 and found.max() == 255
    assert {some.dtype for some in got} == {torch.uint8} and torch.equal(torch.cat(got).flatten(1).float(), found)
    assert torch.equal(features.encode(lambda some: own(some).numpy(), torch.cat(got)), found)
    wrong = {
        r"shape \(500, F\), got \(499, 4\)": lambda some: own(some)[:-1],
        r"shape \(500, F\), got \(500, 1, 2, 2\)": lambda some: some,
        r"shape \(500, 4\), got \(500, 3\)": lambda some: own(some)[:, : 4 if some[0].min() < 10 else 3],
        "what own:embed returns must be finite": lambda some: own(some) * torch.nan,
    }
    for message, encoder in wrong.items():
        with pytest.raises(ValueError, match=message):
            features.encode(encoder, images, "own:embed")
    with pytest.raises(RuntimeError, match=r"own:embed failed on images \(500, 1, 2, 2\) torch.uint8: KeyError: 'w'"):
        features.encode(lambda some: {}["w"], images, "own:embed")
    with pytest.raises(RuntimeError, match="own:embed failed"):
        features.encode(lambda some: None, images, "own:embed")  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match=r"images must have shape \(N, C, H, W\)"):
        features.encode(own, images[0])


def test_digits_and_pixels_by_name() -> None:
    digits = data.load("digits", split="test").x[:9]
    assert torch.equal(features.encode(features.get("digits"), digits), features.digit_features(digits))
    assert features.encode(features.get("pixels"), digits).shape == (9, 64)
    with pytest.raises(RuntimeError, match=r"digits failed .*images must have shape \(N, 1, 28, 28\)"):
        features.encode(features.get("digits"), torch.zeros(2, 3, 32, 32), "digits")


def test_a_classifier_of_labelled_images_sees_what_pixels_do_not() -> None:
    shown, held_out = drawn(100, 0), drawn(60, 1)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    net = features.train(shown, steps=120, batch=32)
    assert torch.equal(torch.get_rng_state(), before)
    assert not net.training and not any(w.requires_grad for w in net.parameters())
    assert features.accuracy(net, held_out) > 0.9
    eyes = {"pixels": features.pixels, "classes": lambda x: net.features(x.float() / 127.5 - 1)}
    assert torch.allclose(eyes["classes"](shown.x).std(0).max(), torch.tensor(1.0), atol=0.01)
    assert held_out.y is not None
    bars, away = held_out.x[held_out.y == 1], {}
    for name, eye in eyes.items():
        reals = eye(shown.x)
        scale = reals.std(0).clamp(min=1e-3)
        real, lacking = (metrics.kid(eye(x) / scale, reals / scale).distance for x in (held_out.x, bars))
        away[name] = lacking - real
    assert away["classes"] > 10 * abs(away["pixels"])  # half of the pictures are missing


def test_what_no_classifier_can_be_trained_on_is_refused() -> None:
    shown = drawn(3, 0)
    for wrong in (
        data.Dataset("plain", shown.x),
        data.Dataset("one", shown.x, torch.zeros(6, dtype=torch.int64), ("a", "b")),
        data.Dataset("points", torch.zeros(6, 2), shown.y, ("a", "b")),
    ):
        with pytest.raises(ValueError, match="pictures must be images with labels of at least two classes"):
            features.train(wrong)
    with pytest.raises(ValueError, match="plain has no labels"):
        features.get("classes", data.Dataset("plain", shown.x))


def test_a_classifier_is_trained_once_for_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path))
    monkeypatch.setattr(features, "STEPS", 2)
    shown = drawn(5, 0)
    first = features.encode(features.get("classes", shown), shown.x)
    monkeypatch.setattr(features, "train", None)
    assert torch.equal(features.encode(features.get("classes", shown), shown.x), first)
    monkeypatch.undo()
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path))
    monkeypatch.setattr(features, "STEPS", 2)
    features.classifier(drawn(5, 1))
    assert len(list((tmp_path / "classes").iterdir())) == 2


# ---- Inception -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception with weights drawn at random, in a file that is named as torch-fidelity's is."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")

    class Bare(fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc, name-defined]
        def load_state_dict(self, state: dict[str, Tensor]) -> None: ...  # type: ignore[override]

    path = tmp_path_factory.mktemp("weights") / "weights-inception.pth"
    torch.save({}, path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(Bare("standing-in", ["2048"], str(path)).half().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f"weights-inception-2015-12-05-{digest[:8]}.pth"))


@pytest.fixture
def hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where torch keeps downloads, still empty; what is fetched are the weights that stand in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", weights.as_uri())
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_inception_is_fetched_once_and_gives_the_distance_of_torchmetrics(hub: Path, weights: Path) -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 3, 20, 20), dtype=np.uint8))
    x[4:] //= 2
    inception = features.get("inception")
    assert [path.name for path in hub.iterdir()] == [weights.name]
    found = features.encode(inception, x)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))
    assert found.shape == (8, 2048) and torch.allclose(found[:2], theirs(x[:2])[0], atol=1e-5)
    grey = features.encode(inception, x[:1, :1])
    assert torch.allclose(grey, theirs(x[:1, :1].repeat(1, 3, 1, 1))[0], atol=1e-5)

    class Few(nn.Module):
        num_features = 3

        def forward(self, images: Tensor) -> Tensor:
            return inception(images)[:, :3] * 100

    metric = fid.FrechetInceptionDistance(Few())
    metric.update(x[:4], real=True)
    metric.update(x[4:], real=False)
    mine = metrics.frechet_distance(found[:4, :3] * 100, found[4:, :3] * 100)
    assert mine == pytest.approx(metric.compute().item(), rel=1e-3) and mine > 0


def test_weights_that_are_damaged_or_out_of_reach_are_named(hub: Path, weights: Path, monkeypatch) -> None:
    hub.mkdir(parents=True)
    (hub / weights.name).write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(OSError, match=r"damaged: delete it"):
        features.get("inception")
    (hub / weights.name).unlink()
    monkeypatch.setattr(online, "_SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/{weights.name}"
        monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", address)
        with pytest.raises(OSError, match=r"cannot be fetched \(.*\): bring http://127.0.0.1:\d+/weights") as caught:
            features.get("inception")
    assert str(hub / weights.name) in str(caught.value) and not list(hub.iterdir())


def test_inception_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ModuleNotFoundError, match="pip install torch-fidelity, the extra inception of ganlib"):
        features.get("inception")


# ---- by command ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, shown = tmp_path_factory.mktemp("own"), drawn(40, 0)
    assert shown.y is not None
    for i, (image, kind) in enumerate(zip(shown.x, shown.y.tolist(), strict=True)):
        (folder / "pictures" / shown.classes[kind]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / "pictures" / shown.classes[kind] / f"{i}.png")
    assert run("train", folder / "pictures", "--size", 16, "--steps", 2, "--out", folder / "run") == 0
    (folder / "own.py").write_text(OWN)
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield trained
    sys.modules.pop("own", None)


def judged(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict[str, float], str]:
    """What `ganlib evaluate` printed, and said beside."""
    capsys.readouterr()
    assert run("evaluate", "run", *arguments) == 0
    printed = capsys.readouterr()
    return {name: float(value) for name, value in (line.split() for line in printed.out.splitlines())}, printed.err


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_encoder_of_ones_own(here: Path, capsys, split: str) -> None:
    values, said = judged(capsys, "--features", "own:embed", "--split", split)
    parts = {part: data.load(here / "pictures", part, size=16) for part in ("train", "test")}
    made, _ = Run(here / "run").generator()
    others = parts["test" if split == "train" else "train"]
    mine = Run(here / "run").reference().sample(made, len(others), 0)
    x, real, fake = (features.encode(lambda i: i.float().mean((2, 3)) / 255, i) for i in
                     (parts[split].x, others.x, mine))  # fmt: skip
    names = ["frechet_embed", "frechet_embed_real", "kid_embed", "kid_embed_error", "kid_embed_real"]
    assert list(values) == ["step", *names, "samples", "reference"] and not said
    assert (values["samples"], values["reference"]) == (len(others), len(parts[split]))
    for what, expected in zip(
        [*names[:3], names[4]],
        [metrics.frechet_distance(fake, x), metrics.frechet_distance(real, x),
         metrics.kid(fake, x).distance, metrics.kid(real, x).distance],
        strict=True,
    ):  # fmt: skip
        assert values[what] == pytest.approx(expected, rel=1e-3, abs=1e-6), what
    stored = json.loads((here / "run" / "metrics.json").read_text())
    assert stored["features"] == "own:embed" and stored["split"] == split and stored["samples"] == len(others)


def test_in_domain_features_of_a_labelled_folder(here: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(features, "STEPS", 3)
    values, said = judged(capsys, "--features", "classes")
    assert {"kid_classes", "kid_classes_real"} < set(values) and 0 <= values["classifier_accuracy"] <= 1
    assert "frechet_classes is left out: 16 images have a singular covariance in 64 features" in said
    assert "frechet_classes" not in values


def test_pixels_and_data_that_have_moved(here: Path, tmp_path: Path, capsys) -> None:
    moved = here / "moved"
    (here / "pictures").rename(moved)
    try:
        assert run("evaluate", "run", "--features", "pixels") == 2
        values, _ = judged(capsys, "--features", "pixels", "--data", moved)
        assert values["reference"] == 64
        assert judged(capsys)[0]["reference"] == 64  # by itself a run needs no data
    finally:
        moved.rename(here / "pictures")
    assert run("evaluate", "run", "--features", "pixels", "--data", "digits") == 2
    assert "was made with other data" in capsys.readouterr().err
    assert run("evaluate", "run", "--data", moved) == 2
    assert "--data is for --features" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip", "features='clip' is not known; choose one of: pixels, digits, inception, classes, MODULE:FUNCTION"),
        ("own:embde", "own has no function 'embde'"),
        ("owner:embed", "No module named 'owner'"),
        ("own:short", "what own:short returns must have shape (64, F), got (63, 3)"),
        ("own:maps", "what own:maps returns must have shape (64, F), got (64, 3, 16, 16)"),
        ("own:undefined", "what own:undefined returns must be finite"),
        ("own:constant", "features='own:constant' are the same for all 64 images"),
        ("own:broken", "own:broken failed on images (64, 3, 16, 16) torch.uint8: KeyError: 'weights'"),
        ("digits", "digits failed on images (64, 3, 16, 16)"),
    ],
)
def test_what_cannot_be_is_refused(here: Path, capsys, name: str, message: str) -> None:
    assert run("evaluate", "run", "--features", name) == 2
    assert message in capsys.readouterr().err


def test_more_features_than_images_leave_the_kernel_distance(here: Path, capsys) -> None:
    values, said = judged(capsys, "--features", "own:flat")
    assert [name for name in values if name.startswith("frechet")] == [] and values["kid_flat"] > 0
    assert "16 images have a singular covariance in 768 features, which need more than 768 images" in said


def test_points_have_no_features(tmp_path: Path, capsys) -> None:
    assert run("train", "ring", "--steps", 1, "--out", tmp_path / "ring") == 0
    assert run("evaluate", tmp_path / "ring", "--features", "pixels") == 2
    assert "features='pixels' are of images, and ring holds points" in capsys.readouterr().err
