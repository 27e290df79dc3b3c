"""What was exported says the same outside PyTorch, for batches of any length."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from ganlib import Game, cli, compute, data, export, games, nets, recipes

from .tiny import tiny_game


def run(path: Path, **given: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (samples,) = session.run(["samples"], {name: value.numpy() for name, value in given.items()})
    return torch.from_numpy(samples)


def digits(classes: int | None = None) -> Game:
    torch.manual_seed(0)
    options: dict[str, Any] = {"width": 4, "classes": classes}
    made = games.conditional_gan if classes else games.gan
    return made(
        nets.ShuffleGenerator(latent=8, **options),
        nets.ShuffleDiscriminator(**options),
        data.load("digits"),
        batch=8,
        precision="fp32",
    )


def test_an_unconditional_generator(tmp_path: Path):
    game = tiny_game()
    game.play(20, progress=False)
    path = export.onnx(game, tmp_path / "g.onnx")
    assert game.average is not None and game.generator.training
    for n in (1, 7, 600):
        z = torch.randn(n, 3)
        assert torch.allclose(run(path, z=z), game.average(z), rtol=0, atol=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["g.onnx"]  # one file, weights included


def test_a_conditional_generator_of_images(tmp_path: Path):
    game = digits(classes=10)
    game.play(3, progress=False)
    path = export.onnx(game, tmp_path / "g.onnx")
    z, labels = torch.randn(5, 8), torch.tensor([3, 0, 9, 3, 1])
    assert game.average is not None
    made, expected = run(path, z=z, labels=labels), game.average(z, labels)
    assert made.shape == (5, 1, 28, 28) and torch.allclose(made, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(run(path, z=z, labels=labels.flip(0)), expected, rtol=0, atol=1e-3)
    assert "in [-1, 1]" in onnxruntime.InferenceSession(path).get_modelmeta().description
    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == [str(k) for k in range(10)]


def test_a_generator_that_is_fading_in_a_resolution(tmp_path: Path):
    torch.manual_seed(0)
    networks = nets.ProgressiveGenerator(16, latent=8, width=16), nets.ProgressiveDiscriminator(16, width=4)
    game = games.progressive_gan(*networks, torch.zeros(8, 1, 16, 16), batch=8, precision="fp32")
    net: Any = game.average
    net.level.fill_(1.25)
    z = torch.randn(5, 8)
    assert torch.allclose(run(export.onnx(game, tmp_path / "g.onnx"), z=z), net(z), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["pix2pix", "bicycle_gan", "cycle_gan", "star_gan"])
def test_a_translator_takes_the_images_and_what_else_it_needs(tmp_path: Path, monkeypatch, name: str):
    scenes = data.load("scenes", size=16)
    pairs = data.load_pairs("scenes", paired=name != "cycle_gan", size=16)
    monkeypatch.setattr(recipes, "load_for", lambda settings: scenes if name == "star_gan" else pairs)
    game = recipes.build(recipes.Settings("scenes", game=name), precision="fp32")
    path = export.onnx(game, tmp_path / "g.onnx")
    net: Any = game.average["generator"] if name == "cycle_gan" else game.average  # type: ignore[index]
    x, z, labels = torch.rand(2, 3, 16, 16) * 2 - 1, torch.randn(2, 8), torch.tensor([2, 0])
    given = {"inputs": x}
    given |= {"bicycle_gan": {"z": z}, "star_gan": {"labels": labels}}.get(name, {})
    with torch.no_grad():
        assert torch.allclose(run(path, **given), net.eval()(*given.values()), rtol=0, atol=1e-5)


def test_the_command_line_exports_what_it_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, out = str(tmp_path / "r"), tmp_path / "g.onnx"
    assert cli.main(["train", "ring", "--steps", "3", "--out", folder]) == 0
    assert cli.main(["export", folder, "--out", str(out)]) == 0
    assert "the generator of round 3 is in" in capsys.readouterr().out
    assert cli.main(["sample", folder, "-n", "50", "--out", str(tmp_path / "s.npz")]) == 0
    game = recipes.build(recipes.Settings("ring", steps=3)).resume(folder)
    z = game.draw_latent(50, compute.generator(0, "sample"))  # as `sample` draws it
    with np.load(tmp_path / "s.npz") as arrays:
        assert np.allclose(run(out, z=z).numpy(), arrays["samples"], rtol=0, atol=1e-5)
    before = out.read_bytes()
    for target, message in (
        (out, "exists: choose another name"),
        (tmp_path / "g.pt", "must end in .onnx"),
        (tmp_path / "no" / "g.onnx", "its folder must exist"),
    ):
        assert cli.main(["export", folder, "--out", str(target)]) == 2
        assert message in capsys.readouterr().err
    assert out.read_bytes() == before
    assert cli.main(["export", folder, "--best", "--out", str(tmp_path / "b.onnx")]) == 2
    assert "has no best checkpoint" in capsys.readouterr().err


def test_errors_name_what_is_missing_or_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    game = tiny_game()
    (tmp_path / "mine.onnx").write_text("mine")
    with pytest.raises(FileExistsError, match=r"mine.onnx exists: choose another name"):
        export.onnx(game, tmp_path / "mine.onnx")
    assert (tmp_path / "mine.onnx").read_text() == "mine"
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ModuleNotFoundError, match="onnxscript is needed for an export and not installed"):
        export.onnx(game, tmp_path / "g.onnx")
