"""The wheel: built, installed elsewhere, imported there, with its data files and its command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: a build leaves files beside what it builds
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "ganlib").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = source / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    run(*build, str(folder), str(source), cwd=folder)
    (path,) = folder.glob("ganlib-*.whl")
    return path


def test_what_is_in_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    assert not [name for name in names if not name.startswith("ganlib")], "nothing but ganlib"
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ganlib").rglob("*") if path.is_file()}
    shipped = {name for name in shipped if "__pycache__" not in name}
    assert shipped <= set(names), f"left out: {sorted(shipped - set(names))}"
    assert {"ganlib/py.typed", "ganlib/assets/digits.safetensors"} <= set(names)
    trained = [one for one in archive.infolist() if re.match(r"ganlib/assets/results/.*\.safetensors", one.filename)]
    networks = sum(one.compress_size for one in trained)
    assert wheel.stat().st_size - networks < 1_000_000, "beside the networks that chapters trained with their tables"
    assert networks < 6_000_000


def test_lower_bounds_only(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert any("torch>=" in line for line in needs)
    assert not [line for line in needs if "==" in line.split(";")[0] or "<" in line.split(";")[0]]


def test_installed_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own that borrows this one's packages (torch is 3 GB) but not this checkout's ganlib."""
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"), cwd=tmp_path)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = str(next(scripts.glob("python*")))
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    # Named in a .pth the folder is only put on the path: its own .pth files, which point here, are not read.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", str(wheel), cwd=tmp_path)

    code = """
import ganlib
from ganlib import features
print(ganlib.__file__, ganlib.__version__, features.digit_classifier.__name__, features.digit_classifier())
"""
    where, version, name, _ = run(python, "-c", code, cwd=tmp_path).split(maxsplit=3)
    assert Path(where).is_relative_to(tmp_path), "the installed package, not this checkout"
    assert version == "0.1.0" and name == "digit_classifier"
    program = next(path for path in scripts.iterdir() if path.stem == "ganlib")
    assert "train" in run(str(program), "--help", cwd=tmp_path)
