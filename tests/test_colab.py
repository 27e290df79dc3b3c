"""The bootstrap cell, and the machine in Colab's place; `make test-colab` runs chapters there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import colab
import pytest
import side
import stamp

ROOT = Path(__file__).resolve().parent.parent
BOOTSTRAP = (ROOT / "tools" / "bootstrap.py").read_text(encoding="utf8")


# ---- the bootstrap cell in the project's own Python


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the cell would have run."""
    found: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: found.append(command))
    return found


@pytest.fixture
def without_ganlib(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ganlib" else find(name))


def run_cell(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "bootstrap", "exec"), names)
    return names


def stamped() -> str:
    return BOOTSTRAP.replace(stamp.address(), colab.EXAMPLE)


def test_it_does_nothing_where_ganlib_is(commands: list[list[str]]) -> None:
    run_cell(BOOTSTRAP)
    run_cell(stamped())
    assert commands == []


def test_the_placeholder_installs_nothing(commands: list[list[str]], without_ganlib: None) -> None:
    placeholder = BOOTSTRAP.replace(stamp.address(), "https://github.com/OWNER/a-book")
    with pytest.raises(RuntimeError, match="names no repository: run `pip install .` in a checkout"):
        run_cell(placeholder)
    assert commands == []


def test_it_installs_the_branch_and_keeps_what_is_there(commands: list[list[str]], without_ganlib: None) -> None:
    run_cell(stamped())
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-1] == f"ganlib @ git+{colab.EXAMPLE}@{stamp.setting('branch')}"
    constraints = Path(command[command.index("-c") + 1]).read_text(encoding="utf8").splitlines()
    kept = [f"{name}=={importlib.metadata.version(name)}" for name in ("torch", "torchvision", "numpy")]
    assert constraints == kept


def test_it_keeps_only_what_is_installed(
    commands: list[list[str]], without_ganlib: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchvision" else find(name))
    run_cell(stamped())
    constraints = Path(commands[0][commands[0].index("-c") + 1]).read_text(encoding="utf8")
    assert "torch==" in constraints and "torchvision" not in constraints


def test_it_installs_ganlib_from_the_repository(tmp_path: Path) -> None:
    """Really, and without a network: every package but ganlib is borrowed, git is told where the address lies."""
    python = side.program(tmp_path / "environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(python.parents[1])], check=True)
    # Named in a .pth a folder is only put on the path: its own .pth files, which point to this checkout, are not read.
    (side.site(python) / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    place = tmp_path / "content"
    place.mkdir()
    colab.snapshot(tmp_path / "repository")
    environment = colab.surroundings(tmp_path / "repository", tmp_path)
    environment.update(PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0")  # pip reads the second as: isolation 0
    cell = (tmp_path / "repository" / "tools" / "bootstrap.py").read_text(encoding="utf8")
    look = "import importlib; importlib.invalidate_caches(); print(importlib.util.find_spec('ganlib').origin)"
    for after in (look, "import ganlib; print(ganlib.__file__)"):  # the second time it finds what the first installed
        program = f"{cell}\n{after}"
        result = subprocess.run(
            [str(python), "-c", program], cwd=place, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert Path(result.stdout.strip()).is_relative_to(tmp_path / "environment")


# ---- the machine in Colab's place


def test_the_snapshot_is_this_tree_with_an_example_address(tmp_path: Path) -> None:
    branch = colab.snapshot(tmp_path)
    git = ["git", "-C", str(tmp_path)]
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True).stdout
    head = subprocess.run([*git, "branch", "--show-current"], capture_output=True, text=True).stdout.strip()
    assert status == "" and head == branch == stamp.setting("branch")
    notebooks = sorted((tmp_path / "chapters").glob("*.ipynb"))
    assert [path.name for path in notebooks] == [path.name for path in sorted((ROOT / "chapters").glob("*.ipynb"))]
    assert all(colab.EXAMPLE in path.read_text(encoding="utf8") for path in notebooks)


def test_nothing_of_ours_reaches_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("GANLIB_DEVICE", "cpu")
    given = colab.surroundings(tmp_path / "repository", tmp_path)
    assert "PYTHONPATH" not in given and "GANLIB_DEVICE" not in given and given["GANLIB_QUICK"] == "1"


def facts(**changes: Any) -> dict[str, Any]:
    kept = {name: ["1.0", "1.0", f"/there/{name}.py", f"/there/{name}.py"] for name in colab.KEPT}
    return {"kept": kept, "packages": {}, "ganlib": None} | changes


def test_what_was_replaced_is_said() -> None:
    before, after = facts(), facts(ganlib="/home/site-packages/ganlib/__init__.py")
    assert colab.faults(before, after, Path("/home")) == []
    newer = after | {"kept": after["kept"] | {"numpy": ["2.0", "2.0", "/there/numpy.py", "/there/numpy.py"]}}
    assert "numpy was replaced" in colab.faults(before, newer, Path("/home"))[0]
    moved = after | {"kept": after["kept"] | {"torch": ["1.0", "1.0", "/home/torch.py", "/home/torch.py"]}}
    assert "torch was replaced" in colab.faults(before, moved, Path("/home"))[0]
    assert "not installed into this environment" in colab.faults(before, facts(), Path("/home"))[0]
    assert "was there before" in colab.faults(after, after, Path("/home"))[0]


def test_colab_has_older_packages_than_ours_and_ganlib_takes_them() -> None:
    pins = dict(pin.split("==") for pin in colab.FULL)
    numpy = tuple(map(int, pins["numpy"].split(".")))
    assert numpy < tuple(map(int, importlib.metadata.version("numpy").split(".")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    for need in map(side.Requirement, project["dependencies"]):
        if need.name in pins:
            assert need.specifier.contains(pins[need.name]), f"{need} would replace Colab's {pins[need.name]}"


def test_torch_is_borrowed_with_what_it_needs_and_without_numpy(tmp_path: Path) -> None:
    found = list(side.needed(["torch", "torchvision"], left_out=["numpy", "pillow"]))
    names = {distribution.metadata["Name"].lower() for distribution in found}
    assert {"torch", "torchvision", "filelock"} <= names and not {"numpy", "pillow"} & names
    assert any(side.compiled(one) for one in found if one.metadata["Name"] == "torch")
    side.borrow(found, tmp_path)
    seen = {one.metadata["Name"].lower(): one.version for one in importlib.metadata.distributions(path=[str(tmp_path)])}
    assert seen == {one.metadata["Name"].lower(): one.version for one in found}
    code = "import sys; sys.path.append(sys.argv[1]); import importlib.util as u; print(u.find_spec('torch').origin)"
    result = subprocess.run([sys.executable, "-S", "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout.startswith(str(tmp_path))


def test_only_what_holds_compiled_modules_is_installed_again() -> None:
    kinds = {name: side.compiled(importlib.metadata.distribution(name)) for name in ("numpy", "filelock", "networkx")}
    assert kinds == {"numpy": True, "filelock": False, "networkx": False}
