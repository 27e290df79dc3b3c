"""Where and with what something was measured: stands beside every number that is committed."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def about(packages: tuple[str, ...], sources: tuple[str, ...]) -> dict[str, Any]:
    """Date, commit, machine and versions.

    Args:
        packages: whose versions count, beside Python's.
        sources: paths in the repository that are measured: changes there that are not committed are said.
    """
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", *sources)
    return {
        "date": date.today().isoformat(),
        "commit": commit + (" with changes" if changed else ""),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def commit() -> str:
    """The commit that is checked out, with a + where there are changes; "" where there is no repository or no git."""
    return _git("describe", "--always", "--dirty=+")


@cache
def machine() -> str:
    """The processor, the widest vector instructions that torch uses on it, and how a kernel of one thread computes."""
    import torch

    from ganlib import compute

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        described = compute.describe()
    finally:
        torch.set_num_threads(threads)
    return f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}: {described}"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
