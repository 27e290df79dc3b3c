"""The practice pages run: their blocks, one after the other, in an empty folder, as a reader would paste them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ganlib import cli, data, features

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.S | re.M)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of the page's blocks, in order."""
    return BLOCK.findall((ROOT / "practice" / f"{page}.md").read_text(encoding="utf8"))


def shell(line: str) -> None:
    """Run one line of a bash block: our own command in this process, others by themselves."""
    program, *arguments = shlex.split(line, comments=True)
    if program == "ganlib":
        assert cli.main(arguments) == 0, line
        return
    assert program == "torchrun", line
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(set(re.findall(r"loss (\S+)", done.stdout))) == 1  # both came to one number


def run(page: str, rest: list[tuple[str, str]]) -> None:
    """Run these blocks in order, those of Python in one namespace; trainings that take minutes last a few rounds."""
    names: dict[str, object] = {}
    for language, text in rest:
        if language == "python":
            exec(compile(text, f"{page}.md", "exec"), names)
            continue
        for line in text.splitlines():
            shell(re.sub(r"--seconds \d+", "--steps 4" if "--resume" not in line else "--steps 6", line))


def test_pictures_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, sides in (("arrow", 3), ("ring", 60), ("star", 5)):
        folder = tmp_path / "pictures" / kind
        folder.mkdir(parents=True)
        for number in range(30):
            picture = Image.new("RGBA" if number % 5 == 0 else "RGB", (120, 90), (0, 0, 0, 0))
            ImageDraw.Draw(picture).regular_polygon((60, 45, 20 + number % 9), sides, number, fill=(255, 160, 30))
            picture.save(folder / f"{number}.png")
    (tmp_path / "facades").mkdir()
    both = Image.new("RGB", (60, 30), "red")
    both.paste("blue", (0, 0, 30, 30))
    both.save(tmp_path / "facades" / "1.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(features, "STEPS", 3)
    monkeypatch.syspath_prepend(str(tmp_path))
    run("own_pictures", blocks("own_pictures"))
    assert data.load("shapes.npz").classes == ("ring", "star")
    assert json.loads(Path("run/metrics.json").read_text())["features"] == "eye:embed"
    with Image.open("run/samples.png") as sheet, Image.open("stars.png") as stars:
        assert sheet.width > 64 and stars.size == (8 * 34, 8 * 34)
    assert len(list(Path("pngs").glob("*.png"))) == 20
    for folder, size in (("coloured", (32, 32)), ("outlined", (43, 32)), ("enlarged", (42, 32))):
        made = [*Path(folder).iterdir()]
        assert len(made) == (30 if folder == "enlarged" else 90) and {Image.open(path).size for path in made} == {size}
    for folder, blue in (("A", True), ("B", False)):
        with Image.open(Path("cut", folder, "1.png")) as half:
            red, _, share = half.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            assert half.size == (30, 30) and (share > red) == blue


def test_a_game_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, own), *rest = blocks("own_game")
    (tmp_path / "own.py").write_text(own, encoding="utf8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run("own_game", rest)
    assert (tmp_path / "run" / "best.safetensors").exists() and (tmp_path / "generator.safetensors").exists()
