"""`ganlib translate`: a reader's own pictures in, pictures out, for every game that translates; and all that can be
wrong with folders.

Runs are of a round or two: what is tested is the way, not what is learned.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganlib
from ganlib import cli, data, export, nets, recipes, translate
from ganlib.run import as_bytes

from .test_own_pictures import flat


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


def drawn(path: Path, seed: int, size: tuple[int, int], mode: str = "RGB", **options: Any) -> Path:
    """A picture that is nowhere alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path, **options)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each game that translates, of pictures that are gone; of points, one that does not."""
    place = tmp_path_factory.mktemp("runs")
    for i in range(4):
        for side, mode in (("inputs", "L"), ("targets", "RGB")):
            drawn(place / "grey" / side / f"{i}.png", i, (23, 20), mode)
            drawn(place / "colour" / side / f"{i}.png", i, (23, 20))
            drawn(place / "classes" / side / f"{i}.png", i, (23, 20))
    for game, source, steps in (
        ("pix2pix", "colour", 1),
        ("bicycle_gan", "colour", 2),
        ("cycle_gan", "grey", 1),
        ("star_gan", "classes", 1),
        ("sr_gan", "colour/inputs", 1),
        ("esr_gan", "grey/inputs", 1),
        ("gan", "ring", 1),
    ):
        name = source if source == "ring" else place / source
        size = [] if source == "ring" else ["--size", 16]
        assert run("train", name, "--game", game, *size, "--steps", steps, "--batch", 4, "--out", place / game) == 0
    for source in ("grey", "colour", "classes"):
        shutil.rmtree(place / source)
    return place


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Of 20×17, of 9×30 and lying on its side, grey, and half transparent."""
    turned = Image.Exif()
    turned[0x0112] = 6
    drawn(tmp_path / "mine" / "a.png", 0, (20, 17))
    drawn(tmp_path / "mine" / "b.jpg", 1, (9, 30), exif=turned)
    drawn(tmp_path / "mine" / "c.png", 2, (16, 16), "L")
    flat(tmp_path / "mine" / "d.png", (200, 0, 0, 128), (21, 16), "RGBA")
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    return tmp_path / "mine"


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: Image.open(path).size for path in sorted(folder.iterdir())}


OWN = {"a.png": (20, 17), "b.png": (30, 9), "c.png": (16, 16), "d.png": (21, 16)}


@pytest.mark.parametrize(
    ("game", "more", "said"),
    [
        ("pix2pix", [], "the middle of each at 16×16, as the run learned"),
        ("bicycle_gan", [], "the middle of each at 16×16, as the run learned"),
        ("cycle_gan", ["--back"], "each at its own size; the run learned from 16×16, which is --size 16"),
        ("star_gan", ["--label", "targets"], "each at its own size; the run learned from 16×16, which is --size 16"),
        ("sr_gan", [], "each at its own size; the run learned from 8×8, which is --size 8"),
    ],
)
def test_a_folder_of_pictures_is_translated(
    runs: Path, pictures: Path, capsys: Any, game: str, more: list[str], said: str
):
    out = pictures.parent / "out"
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    assert run("translate", runs / game, pictures, "--out", out, *more) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pictures: 1 file skipped: 1 .txt",
        "pictures: 1 turned upright by their EXIF orientation",
        "pictures: 1 transparent picture put on white",
        f"4 pictures, {said}",
        f"4 pictures in {out}",
    ]
    factor = 2 if game == "sr_gan" else 1
    own = {name: (factor * w, factor * h) for name, (w, h) in OWN.items()}
    assert sizes(out) == (dict.fromkeys(OWN, (16, 16)) if game in ("pix2pix", "bicycle_gan") else own)
    assert before == {path.name: path.read_bytes() for path in pictures.iterdir()}
    mode = {Image.open(path).mode for path in out.iterdir()}
    assert mode == ({"L"} if game == "cycle_gan" else {"RGB"})  # cycle_gan's here is back to grey


def test_the_answer_is_that_of_the_network(runs: Path, pictures: Path):
    out = pictures.parent / "out"
    made = ganlib.load(runs / "sr_gan")
    assert run("translate", runs / "sr_gan", pictures / "a.png", "--out", out) == 0
    x = torch.from_numpy(np.asarray(Image.open(pictures / "a.png")).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert np.array_equal(np.asarray(Image.open(out / "a.png")), as_bytes(made.translate(x))[0].transpose(1, 2, 0))
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_the_border_that_is_added_is_cut_off_again(runs: Path):
    """Of a picture whose sides the network takes nothing is changed; of another one the added border is a mirror."""
    made = translate.backwards(ganlib.load(runs / "cycle_gan"))
    translator = translate.Translator(made)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (18, 20, 3), dtype=np.uint8))
    x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    mirrored = torch.cat([x, x[:, :, [16, 15]]], 2)
    assert torch.equal(translator(image), made.translate(mirrored)[:, :, :18])
    cut = image.crop((0, 0, 20, 16))
    assert torch.equal(translator(cut), made.translate(x[:, :, :16]))


def test_size_brings_the_shorter_side_to_it(runs: Path, pictures: Path, capsys: Any):
    out = pictures.parent / "out"
    assert run("translate", runs / "cycle_gan", pictures, "--back", "--size", 12, "--out", out) == 0
    assert "4 pictures, each with its shorter side at 12; the run learned from 16×16" in capsys.readouterr().out
    assert sizes(out) == {"a.png": (14, 12), "b.png": (40, 12), "c.png": (12, 12), "d.png": (16, 12)}
    assert run("translate", runs / "pix2pix", pictures, "--size", 16, "--out", pictures.parent / "o") == 0
    for game, size, why in (
        ("pix2pix", 24, "--size must be left out: this network takes 16×16 only, got 24"),
        ("sr_gan", 0, "--size must be a whole number of at least 1, got 0"),
        ("star_gan", 4, "--size must be at least 8 for this network, got 4"),
    ):
        assert run("translate", runs / game, pictures, "--size", size, "--out", pictures.parent / "no") == 2
        assert why in capsys.readouterr().err


def test_so_many_answers_to_each(runs: Path, pictures: Path):
    one, other, again = (pictures.parent / name for name in ("one", "other", "again"))
    assert run("translate", runs / "bicycle_gan", pictures, "-n", 3, "--out", one) == 0
    assert [*sizes(one)] == [f"{name}-{k}.png" for name in "abcd" for k in range(3)]
    assert run("translate", runs / "bicycle_gan", pictures / "c.png", "-n", 3, "--out", again) == 0
    for k in range(3):  # whatever other pictures there are
        assert (again / f"c-{k}.png").read_bytes() == (one / f"c-{k}.png").read_bytes()
    assert run("translate", runs / "bicycle_gan", pictures, "-n", 1, "--seed", 5, "--out", other) == 0
    assert [*sizes(other)] == [f"{name}-0.png" for name in "abcd"]
    made = translate.Translator(ganlib.load(runs / "bicycle_gan"))
    answers = made(Image.open(pictures / "a.png"), answers=3)
    assert answers.shape == (3, 3, 16, 16) and not torch.equal(answers[0], answers[1])
    assert not torch.equal(made(Image.open(pictures / "a.png"), seed=5)[0], answers[0])


def test_it_asks_for_a_class(runs: Path, pictures: Path, capsys: Any):
    asked = ["translate", runs / "star_gan", pictures, "--out", pictures.parent / "out"]
    for more, why in (
        ([], "--label must say into which class to translate; choose one of: inputs, targets"),
        (["--label", "night"], "'night' is not known; choose one of: inputs, targets"),
        (["--label", "inputs,targets"], "--label must be one class, got 'inputs,targets'"),
    ):
        assert run(*asked, *more) == 2
        assert why in capsys.readouterr().err and not (pictures.parent / "out").exists()
    made = translate.Translator(ganlib.load(runs / "star_gan"))
    image = Image.open(pictures / "a.png")
    assert not torch.equal(made(image, label=0), made(image, label=1))


@pytest.mark.parametrize(
    ("game", "more", "why"),
    [
        ("gan", [], "makes its samples from latents alone and translates no pictures: ganlib sample"),
        ("pix2pix", ["--back"], "--back is for runs of cycle_gan"),
        ("pix2pix", ["--label", "a"], "not conditional"),
        ("cycle_gan", ["--back", "-n", 2], "-n must be left out: this run has one answer to each picture, got 2"),
        ("bicycle_gan", ["-n", 0], "-n must be a whole number of at least 1, got 0"),
        ("bicycle_gan", ["--seed", -1], "--seed must be a whole number of at least 0, got -1"),
        ("pix2pix", ["--best"], "has no best checkpoint"),
        ("cycle_gan", [], "the run learned from grey pictures, and these have colours: a.png, b.jpg, d.png"),
        ("nowhere", [], "there is no run"),
        ("", [], "is not a run of ganlib"),
    ],
)
def test_what_a_run_cannot_do_is_code_2(runs: Path, pictures: Path, capsys: Any, game: str, more: list[Any], why: str):
    assert run("translate", runs / game, pictures, "--out", pictures.parent / "out", *more) == 2
    said = capsys.readouterr().err
    assert why in said and len(said.splitlines()) == 1 and not (pictures.parent / "out").exists()


@pytest.mark.parametrize("game", ["sr_gan", "esr_gan"])
def test_large_pictures_are_enlarged_in_pieces_and_come_out_the_same(
    runs: Path, monkeypatch: pytest.MonkeyPatch, game: str
):
    made = ganlib.load(runs / game)
    translator, net = translate.Translator(made), made.maker
    noise = np.random.default_rng(0).integers(0, 256, (70, 3 * 61), dtype=np.uint8)
    image = Image.fromarray(noise if game == "esr_gan" else noise.reshape(70, 61, 3))
    whole, seen = translator(image), []
    monkeypatch.setattr(translate, "TILE", 24)
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2:]))
    assert torch.allclose(translator(image), whole, atol=1e-5) and len(seen) > 6
    assert max(max(sides) for sides in seen) <= 24 + 2 * net.reach


@pytest.mark.parametrize(
    "options", [{}, {"blocks": 1}, {"factor": 4}, {"factor": 8, "blocks": 1}, {"block": "rrdb", "blocks": 1}]
)
def test_the_reach_of_an_enlarger_is_just_how_far_it_looks(options: dict[str, Any]):
    net = nets.SuperResolutionGenerator(channels=1, width=2, **options).double().eval()
    for name, weight in net.named_parameters():  # so that nothing cancels out
        weight.data = weight.data.abs() + (0.1 if "weight" in name else 0)
    side = 2 * net.reach + 5
    x = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    middle, k = side // 2, net.factor
    net(x)[..., k * middle : k * (middle + 1), k * middle].sum().backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero()[:, 0]
    assert int((rows - middle).abs().max()) == net.reach


def test_too_large_to_be_seen_as_a_whole_is_code_2_before_memory_is_spent(
    runs: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    monkeypatch.setattr(translate, "WHOLE", 300)
    out = pictures.parent / "out"
    label = ["--label", "inputs"]
    assert run("translate", runs / "star_gan", pictures, *label, "--out", out) == 2
    said = capsys.readouterr().err
    assert "must see a picture as a whole" in said and "a.png (" in said and not out.exists()
    with pytest.raises(ValueError, match="must have at most"):
        translate.Translator(ganlib.load(runs / "star_gan"))(Image.new("RGB", (40, 40)), label=0)
    assert run("translate", runs / "star_gan", pictures, *label, "--size", 8, "--out", out) == 0
    assert run("translate", runs / "sr_gan", pictures, "--out", pictures.parent / "large") == 0


def test_what_is_wrong_with_pictures_is_code_2(runs: Path, tmp_path: Path, capsys: Any):
    flat(tmp_path / "one" / "a.png")
    flat(tmp_path / "twice" / "a.png")
    flat(tmp_path / "twice" / "a.jpg")
    flat(tmp_path / "deep" / "inputs" / "a.png")
    flat(tmp_path / "small" / "a.png", size=(7, 30))
    flat(tmp_path / "small" / "b.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("mine")
    flat(tmp_path / "damaged" / "a.png")
    for name in ("b.png", "c.jpg"):
        (tmp_path / "damaged" / name).write_bytes((tmp_path / "one" / "a.png").read_bytes()[:-40])
    for name, why in (
        ("nowhere", "there is no picture and no folder"),
        ("empty", "empty holds no pictures; looked for .bmp"),
        ("text", "1 file skipped: 1 .txt"),
        ("text/a.txt", "a.txt cannot be read as an image"),
        ("twice", "twice holds two pictures of one name that differ only in their endings: a.jpg, a.png"),
        ("deep", "deep: 1 pictures lie deeper than is read here, and 0 do not; meant is probably"),
        ("damaged", "b.png cannot be read as an image"),
        ("damaged", "c.jpg cannot be read as an image"),
        ("small", "at least 8 pixels a side, and these are smaller: a.png (7×30); --size 8 enlarges them"),
    ):
        assert run("translate", runs / "star_gan", tmp_path / name, "--label", "inputs", "--out", tmp_path / "out") == 2
        assert why in capsys.readouterr().err and not (tmp_path / "out").exists(), name


def test_no_file_is_overwritten_and_no_answer_put_among_the_pictures(runs: Path, pictures: Path, capsys: Any):
    (pictures.parent / "full").mkdir()
    (pictures.parent / "full" / "a.png").write_text("mine")
    (pictures.parent / "link").symlink_to(pictures)
    for out, why in (
        (pictures.parent / "full", "must be a new or empty folder"),
        (pictures / "notes.txt", "must be a new or empty folder"),
        (pictures, "must be a new or empty folder"),
        (pictures / "out", "lies within"),
        (pictures.parent / "link" / "out", "lies within"),
        (pictures.parent / "no" / "out", "cannot be written: its folder must exist"),
    ):
        assert run("translate", runs / "sr_gan", pictures, "--out", out) == 2
        assert why in capsys.readouterr().err
    assert (pictures.parent / "full" / "a.png").read_text() == "mine" and len([*pictures.iterdir()]) == 5
    (pictures.parent / "empty").mkdir()
    assert run("translate", runs / "sr_gan", pictures / "a.png", "--out", pictures.parent / "empty") == 0


def test_grey_pictures_that_are_stored_in_colour_are_grey(runs: Path, tmp_path: Path):
    for i, mode in enumerate(("RGB", "L", "1", "I;16")):
        flat(tmp_path / "mine" / f"{i}.png", 1 if mode == "1" else 100, mode="L").replace(
            tmp_path / "mine" / f"{i}.png"
        )
        Image.open(tmp_path / "mine" / f"{i}.png").convert(mode).save(tmp_path / "mine" / f"{i}.png")
    assert run("translate", runs / "esr_gan", tmp_path / "mine", "--out", tmp_path / "out") == 0
    assert {Image.open(path).mode for path in (tmp_path / "out").iterdir()} == {"L"}


def test_it_says_how_far_it_is(runs: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(cli, "TELL_EVERY", 0.0)
    assert run("translate", runs / "sr_gan", pictures, "--out", pictures.parent / "out") == 0
    assert capsys.readouterr().out.splitlines()[-5:-1] == [f"{k} of 4" for k in range(1, 5)]


def test_a_disk_that_fills_is_code_1(runs: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(translate, "write", full)
    assert run("translate", runs / "sr_gan", pictures, "--out", pictures.parent / "out") == 1
    assert "No space left" in capsys.readouterr().err


def test_a_file_of_a_generator_translates_too(runs: Path, pictures: Path):
    ganlib.load(runs / "cycle_gan").save(pictures.parent / "g.safetensors")
    for more in ([], ["--back"]):
        place = pictures if more else pictures / "c.png"
        asked = ["translate", pictures.parent / "g.safetensors", place, "--out", pictures.parent / f"o{len(more)}"]
        assert run(*asked, *more) == 0
    assert Image.open(pictures.parent / "o0" / "c.png").mode == "RGB"


def test_runs_of_own_folders_sample_judge_export_and_go_on_exactly(runs: Path, tmp_path: Path, capsys: Any):
    for i in range(12):
        drawn(tmp_path / "data" / "photo" / f"{i}.png", i, (19, 25))
        drawn(tmp_path / "data" / "map" / f"{i}.jpg", i, (38, 50))
    for game in ("pix2pix", "cycle_gan"):
        whole, half = tmp_path / f"{game}-whole", tmp_path / f"{game}-half"
        asked = ["train", tmp_path / "data", "--game", game, "--inputs", "photo", "--targets", "map", "--size", 16]
        asked += ["--batch", 5, "--lr", 1e-3]
        assert run(*asked, "--steps", 4, "--out", whole) == 0 and run(*asked, "--steps", 2, "--out", half) == 0
        assert run("train", tmp_path / "data", "--resume", "--steps", 4, "--out", half) == 0
        states = [ganlib.load(folder).net.state_dict() for folder in (whole, half)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        for more in ([], ["--features", "pixels"]):
            assert run("evaluate", half, *more) == 0
        assert run("sample", half, "-n", 3, "--out", tmp_path / f"{game}.png") == 0
        capsys.readouterr()
        assert run("train", tmp_path / "data", "--resume", "--inputs", "map", "--steps", 6, "--out", half) == 2
        assert "made under other settings: inputs was 'photo', now 'map'" in capsys.readouterr().err
    assert recipes.Settings("x", "pix2pix").inputs is None


def test_the_command_says_what_it_wants(capsys: Any):
    with pytest.raises(SystemExit):
        run("translate", "--help")
    said = " ".join(capsys.readouterr().out.split())
    for words in ("each picture at its own size", "a new or empty folder", "--back", "--label NAME"):
        assert words in said


def cells(path: Path, side: int) -> list[np.ndarray]:
    """The rows of a sheet's groups, each (columns, C, side, side), by where their white lines must stand."""
    shades = np.asarray(Image.open(path).convert("RGB")).astype(int)
    rows, top = [], 0
    while top < len(shades):
        if (shades[top : top + 8] == 255).all():  # the gap between two groups
            top += 8
        row = shades[top + 1 : top + 1 + side]
        rows.append(np.stack([row[:, x + 1 : x + 1 + side] for x in range(0, row.shape[1], side + 2)]))
        top += side + 2
    return rows


def test_a_sheet_of_translations_shows_inputs_answers_and_truth(tmp_path: Path):
    for i in range(15):
        drawn(tmp_path / "pairs" / "inputs" / f"{i}.png", i, (16, 16), "L")
        drawn(tmp_path / "pairs" / "targets" / f"{i}.png", 50 + i, (16, 16))
    asked = ["train", tmp_path / "pairs", "--game", "pix2pix", "--steps", 1, "--size", 16, "--out", tmp_path / "run"]
    assert run(*asked) == 0
    held_out = data.load_pairs(tmp_path / "pairs", "test")
    made = ganlib.load(tmp_path / "run").translate(torch.cat([held_out.inputs] * 6)[:16] / 127.5 - 1)
    for name, n in (("run/samples.png", 16), ("few.png", 10)):
        if name == "few.png":
            assert run("sample", tmp_path / "run", "-n", n, "--out", tmp_path / name) == 0
        seen = cells(tmp_path / name, 16)
        assert len(seen) == 6, "two groups of three rows"
        for i in range(n):
            one, answer, truth = (seen[3 * (i // 8) + k][i % 8].transpose(2, 0, 1) for k in range(3))
            assert (one == held_out.inputs[i % 3].numpy()).all() and (truth == held_out.targets[i % 3].numpy()).all()
            if n == 16:  # with fewer, the noise of Dropout is another
                assert abs(answer - as_bytes(made)[i]).max() <= 1
    assert run("sample", tmp_path / "run", "-n", 4, "--out", tmp_path / "a.npz") == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"samples", "inputs"} and (arrays["inputs"][3] == held_out.inputs[0].numpy()).all()


def test_a_sheet_of_translations_without_truth_and_of_enlargements(runs: Path):
    for game, rows, side in (("cycle_gan", 8, 16), ("star_gan", 8, 16), ("sr_gan", 6, 16), ("bicycle_gan", 6, 16)):
        seen = cells(runs / game / "samples.png", side)
        assert len(seen) == rows and len(seen[0]) == 8, game
    one, truth = (cells(runs / "sr_gan" / "samples.png", 16)[k][0] for k in (0, 2))
    assert (one[::2, ::2] == one[1::2, 1::2]).all() and abs(one - truth).mean() < abs(one - truth[::-1]).mean()


def test_what_nobody_meant_is_refused_by_its_option(runs: Path, pictures: Path, capsys: Any):
    place = pictures.parent
    for asked, why in (
        (["translate", runs / "sr_gan", pictures / "a.png", "--out", place / "b.PNG"], "b.PNG must be a folder"),
        (["translate", runs / "sr_gan", pictures, "--out", place / "o", "--label", "x"], "--label must be left out"),
        (["translate", runs / "star_gan", pictures, "--out", place / "o", "--label", "x"], "--label='x' is not known"),
        (["sample", runs / "sr_gan", "-n", 2, "--out", place / "o.png", "--labels", "x"], "--labels must be left out"),
    ):
        assert run(*asked) == 2
        assert why in capsys.readouterr().err


def test_dark_16_bit_pictures_are_said_as_in_training(runs: Path, tmp_path: Path, capsys: Any):
    tmp_path.joinpath("mine").mkdir()
    Image.fromarray(np.full((16, 16), 4000, np.uint16)).save(tmp_path / "mine" / "a.png")
    assert run("translate", runs / "sr_gan", tmp_path / "mine", "--out", tmp_path / "out") == 0
    assert "(up to 4000) divided by 257, which makes them dark" in capsys.readouterr().out


def test_in_python_a_picture_is_read_as_by_the_command(runs: Path, pictures: Path):
    grey = translate.Translator(ganlib.load(runs / "cycle_gan"))
    assert grey(data.picture(pictures / "c.png")).shape == (1, 3, 16, 16), "grey, though read as RGB"
    with pytest.raises(ValueError, match="learned from grey pictures, and this one has colours"):
        grey(data.picture(pictures / "a.png"))
    with pytest.raises(ValueError, match=r"at least 8 pixels a side, got \(7, 30\)"):
        grey(Image.new("L", (7, 30)))
    with pytest.raises(TypeError, match="pictures are taken by translate.Translator"):
        ganlib.load(runs / "cycle_gan").translate(Image.new("L", (16, 16)))  # type: ignore[arg-type]


def test_an_export_says_at_which_size_pictures_are_taken(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    monkeypatch.setattr(export, "onnx", lambda made, out: out)
    assert run("export", runs / "sr_gan", "--out", tmp_path / "a.onnx") == 0
    assert "its inputs: (N, 3, 8, 8), pictures of the size that the run learned from" in capsys.readouterr().out
    assert run("export", runs / "gan", "--out", tmp_path / "b.onnx") == 0
    assert "its inputs" not in capsys.readouterr().out
