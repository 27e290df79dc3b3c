"""Environments beside `.venv`, for what the book does not need: JupyterLab, a newer Sphinx, a machine like Colab's.

They lie below `_build` and take what is large, torch above all, from the environment that runs this.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import kernels
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = kernels.ROOT


def program(folder: Path, name: str = "python") -> Path:
    """A program of the environment in this folder."""
    return folder / "Scripts" / f"{name}.exe" if os.name == "nt" else folder / "bin" / name


def make(folder: Path, python: str = sys.executable) -> Path:
    """An empty environment with pip; its Python."""
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    return program(folder)


def install(python: Path, *arguments: str) -> None:
    """What pip installs into the environment of this Python."""
    quiet = ["-qq", "--no-compile", "--no-input", "--disable-pip-version-check"]
    subprocess.run([str(python), "-m", "pip", "install", *quiet, *arguments], check=True, stdin=subprocess.DEVNULL)


def site(python: Path) -> Path:
    """Where the environment of this Python keeps its packages."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def environment(name: str, packages: Sequence[str], borrow_all: bool = False) -> Path:
    """The Python of an environment that is made when it is not there, or was made for other packages.

    Args:
        name: its folder below `_build/environments`.
        packages: what pip installs.
        borrow_all: whether packages it lacks are taken from the environment that runs this.
    """
    folder = ROOT / "_build" / "environments" / name
    python, stamp = program(folder), folder / "made.json"
    wanted = json.dumps([sys.prefix, sys.version, list(packages), borrow_all])
    if not stamp.exists() or stamp.read_text(encoding="utf8") != wanted:
        print(f"[{name}] making {folder} with {', '.join(packages)}", flush=True)
        make(folder)
        install(python, *packages)
        if borrow_all:
            own = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
            (site(python) / "first_environment.pth").write_text(own, encoding="utf8")
        stamp.write_text(wanted, encoding="utf8")
    return python


def needed(names: Iterable[str], left_out: Iterable[str] = ()) -> Iterator[metadata.Distribution]:
    """These installed packages and what they need, each once, without those left out."""
    todo, seen, given = [Requirement(name) for name in names], set[str](), set[str]()
    without = {canonicalize_name(name) for name in left_out}
    while todo:
        need = todo.pop()
        name = canonicalize_name(need.name)
        if name in without or str(need.extras) + name in seen:
            continue
        seen.add(str(need.extras) + name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or replaced by another package
        for child in map(Requirement, distribution.requires or ()):
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in ("", *need.extras)):
                todo.append(child)
        if name not in given:
            given.add(name)
            yield distribution


def compiled(distribution: metadata.Distribution) -> bool:
    """Whether a package was made for one version of Python, as its wheel says (cp311-cp311, not py3-none)."""
    return re.search(r"^Tag: \w+-cp\d", distribution.read_text("WHEEL") or "", re.M) is not None


def borrow(distributions: Iterable[metadata.Distribution], folder: Path) -> None:
    """Put links to the files of these packages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for distribution in distributions:
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
