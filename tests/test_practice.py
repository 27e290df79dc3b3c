"""The practice pages run: their blocks, one after the other, in an empty folder, as a reader would paste them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ganlib import cli

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


def test_a_game_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, own), *rest = blocks("own_game")
    (tmp_path / "own.py").write_text(own, encoding="utf8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, object] = {}
    for language, text in rest:
        if language == "python":
            exec(compile(text, "own_game.md", "exec"), names)
        else:
            for line in text.splitlines():
                shell(line)
    assert (tmp_path / "run" / "best.safetensors").exists() and (tmp_path / "generator.safetensors").exists()
