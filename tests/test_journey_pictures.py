"""Somebody with own pictures and nothing but the documentation: every step goes through at the first try.

Drawings of stars, rings and arrows of 120×90, in a folder for each class; some lie on their side and are turned by
their EXIF orientation, some are transparent. Budgets are tiny: what is tested is the way, not what is learned.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import ganlib
from ganlib import Game, checkpoint, cli, data, games, nets, recipes

CLASSES = ("arrow", "ring", "star")
EACH = 25


def draw(kind: str, rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (120, 90), "white")
    pen, ink = ImageDraw.Draw(image), tuple(int(k) for k in rng.integers(0, 120, 3))
    x, y, r = 60 + rng.integers(-8, 9), 45 + rng.integers(-5, 6), rng.integers(24, 34)
    if kind == "ring":
        pen.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=8)
    elif kind == "arrow":  # to the right
        pen.polygon([(x - r, y - 6), (x, y - 6), (x, y - 20), (x + r, y), (x, y + 20), (x, y + 6), (x - r, y + 6)], ink)
    else:
        turns = [(math.pi * k / 5, r * (0.45 if k % 2 else 1.0)) for k in range(10)]
        pen.polygon([(x + length * math.sin(a), y - length * math.cos(a)) for a, length in turns], ink)
    return image


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("own") / "drawings", np.random.default_rng(0)
    for kind in CLASSES:
        (folder / kind).mkdir(parents=True)
        for i in range(EACH):
            image, path = draw(kind, rng), folder / kind / f"{i}.png"
            if i % 5 == 0:  # stored on its side, as phones do
                exif = Image.Exif()
                exif[0x0112] = 6
                image.rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif, quality=95)
            elif i % 5 == 1:  # the paper transparent, and black underneath
                paper = (np.array(image) == 255).all(2, keepdims=True)
                Image.fromarray(np.where(paper, 0, np.dstack([image, np.full((90, 120), 255)])).astype(np.uint8)).save(
                    path
                )
            else:
                image.save(path)
    return folder


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def trained(drawings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", drawings, "--size", 16, "--steps", 6, "--save-every", 3, "--out", folder) == 0
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_load_and_look(drawings: Path):
    found = data.load(drawings, "all", size=32)
    assert found.classes == CLASSES and found.x.shape == (3 * EACH, 3, 32, 32)
    notes = "; ".join(found.notes)
    for said in (
        "60 train, 15 held out, 3 classes (arrow: 25, ring: 25, star: 25)",
        "32×32, cropped from 120×90",
        "15 turned upright by their EXIF orientation",
        "15 transparent pictures put on white",
    ):
        assert said in notes
    assert found.x[:, :, 0, 0].float().min() > 240  # no ground is black
    ink = 255 - found.x[found.y == 0].float().mean(1)
    place = torch.arange(32.0)

    def spread(along: int) -> torch.Tensor:
        shares = ink.sum(along) / ink.sum((1, 2))[:, None]
        return (shares * place**2).sum(1) - (shares * place).sum(1) ** 2

    assert len(ink) == EACH and (spread(1) > spread(2)).all()  # every arrow lies as it was drawn, wider than high


def test_train_a_conditional_game_and_watch(trained: Path, drawings: Path, tmp_path: Path, capsys):
    stored = json.loads((trained / "settings.json").read_text())
    assert stored["game"] == "conditional_gan" and stored["classes"] == list(CLASSES)
    with (trained / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(k) for k in range(1, 7)]
    assert all(math.isfinite(float(row[name])) for row in rows for name in ("discriminator", "generator"))
    with Image.open(trained / "samples.png") as sheet:  # columns of one class each
        assert sheet.size == (6 * 18, 8 * 18)
    assert run("train", drawings, "--steps", 2, "--save-every", 1, "--size", 16, "--out", tmp_path / "again") == 0
    out = capsys.readouterr().out
    assert "60 train, 15 held out, 3 classes (arrow: 25, ring: 25, star: 25)" in out and out.count("\nround ") == 2


def test_a_sheet_of_64_stars(trained: Path, tmp_path: Path, capsys):
    assert run("sample", trained, "-n", 64, "--labels", "star", "--out", tmp_path / "sheet.png") == 0
    assert capsys.readouterr().out.endswith("classes in turn: star\n")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 18, 8 * 18) and sheet.mode == "RGB"
    assert run("sample", trained, "-n", 3, "--labels", "star, ring,0", "--out", f"{tmp_path}/pictures/") == 0
    names = ["00000-star.png", "00001-ring.png", "00002-arrow.png"]
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == names
    capsys.readouterr()
    assert run("sample", trained, "-n", 3, "--labels", "stars", "--out", tmp_path / "s.npz") == 2
    assert "--labels='stars' is not known; choose one of: arrow, ring, star" in capsys.readouterr().err


def test_hand_it_to_a_colleague_without_the_data(copied: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected, threads = ganlib.load(copied).sample(4, "star"), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert run("sample", "run", "-n", 4, "--labels", "star", "--out", "s.npz") == 0
    finally:
        torch.set_num_threads(threads)
    with np.load("s.npz") as arrays:
        assert np.abs(arrays["samples"] / 127.5 - 1 - expected.numpy()).max() < 0.02
        assert arrays["classes"].tolist() == list(CLASSES) and arrays["labels"].tolist() == [2] * 4
    assert run("export", "run", "--out", "run.onnx") == 0


def test_go_on_for_some_seconds_at_a_lower_rate(copied: Path, drawings: Path):
    assert run("train", drawings, "--resume", "--seconds", 0.3, "--lr", 5e-4, "--out", copied) == 0
    before, after = (checkpoint.load(copied / "last.safetensors")[0] for _ in range(2))
    assert after["step"] > 6 and before == after
    assert {group["lr"] for groups in after["rates"].values() for group in groups} == {5e-4}


def test_quality_on_pictures_held_out(trained: Path, capsys):
    assert run("evaluate", trained, "--split", "test") == 0
    values = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert list(values) == ["step", "frechet_pixels", "frechet_pixels_real", "samples", "reference"]
    assert float(values["frechet_pixels"]) > float(values["frechet_pixels_real"]) > 0
    assert (values["samples"], values["reference"]) == ("60", "15")
    assert json.loads((trained / "metrics.json").read_text())["features"] == "pixels"


def test_another_size_batch_and_rate_by_command(drawings: Path, tmp_path: Path):
    asked = ["--size", 24, "--batch", 48, "--lr", 1e-3, "--augment", "translation"]
    assert run("train", drawings, "--steps", 1, *asked, "--out", tmp_path / "r") == 0
    settings = checkpoint.load(tmp_path / "r" / "last.safetensors")[0]["settings"]
    assert settings["batch"] == 48 and settings["augment"] == "translation"
    assert ganlib.load(tmp_path / "r").sample(1).shape == (1, 3, 24, 24)


def test_a_torch_data_set_with_flips_in_python(drawings: Path, tmp_path: Path):
    from torchvision import datasets, transforms

    change = transforms.Compose(
        [transforms.Resize((16, 16)), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
    )
    own = datasets.ImageFolder(str(drawings), change)
    torch.manual_seed(0)
    networks = (make(16, 3, width=4, classes=3) for make in (nets.ShuffleGenerator, nets.ShuffleDiscriminator))
    game = games.conditional_gan(*networks, own, batch=8)
    game.play(2, progress=False)
    assert game.sample(2, "ring").shape == (2, 3, 16, 16)
    first, again = (seen(game) for _ in range(2))
    assert torch.equal(first, again)  # a function of the round: a run that is resumed sees the same flips
    game.step += 1
    assert not torch.equal(first, seen(game))


def seen(game: Game) -> Any:
    return game.draw("discriminator").real


def test_the_same_game_in_python_as_on_the_command_line(drawings: Path, trained: Path):
    game = recipes.build(recipes.Settings(str(drawings), size=16, steps=6))
    game.play(6, progress=False)
    assert torch.equal(game.sample(5), ganlib.load(trained, device=game.device).sample(5))
