"""`ganlib …` as the target of a process: what `tests/test_never_lost.py` starts and kills."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch

from ganlib import cli


def run(said: Path, *arguments: str) -> None:
    """Run a command, what it prints in the file `said`, and exit with its code."""
    torch.set_num_threads(1)
    with said.open("w") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        sys.exit(cli.main(arguments))
