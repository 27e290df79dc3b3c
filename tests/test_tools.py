"""The tools that rewrite notebooks and stamp the book's address."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import browser
import build
import check as stages
import environment
import nbformat
import pytest
import stamp
import strip

ROOT = Path(__file__).resolve().parent.parent


def notebook() -> nbformat.NotebookNode:
    new = nbformat.v4
    output = new.new_output("stream", text="1\n")
    cells = [
        new.new_code_cell("print(1)", outputs=[output], execution_count=1, metadata={"execution": {"iopub": "now"}}),
        new.new_code_cell("1", outputs=[output], execution_count=2, metadata={"tags": ["nbval-check-output"]}),
        new.new_markdown_cell("text"),
    ]
    return new.new_notebook(
        cells=cells,
        metadata={"accelerator": "GPU", "widgets": {}, "language_info": {"name": "python", "version": "3.11"}},
    )


def test_strip_keeps_only_what_is_checked() -> None:
    plain, checked, _ = strip.strip(notebook()).cells
    assert plain.outputs == [] and plain.execution_count is None and plain.metadata == {}
    assert len(checked.outputs) == 1 and checked.execution_count == 2
    assert strip.strip(notebook()).metadata == {"accelerator": "GPU", "language_info": {"name": "python"}}


def test_strip_rewrites_once(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook(), path)
    command = [sys.executable, str(ROOT / "tools" / "strip.py"), str(path)]
    codes = [subprocess.run(command, capture_output=True).returncode for _ in range(2)]
    assert codes == [1, 0]


def test_committed_chapters_are_stripped(tmp_path: Path) -> None:
    copies = [shutil.copy(path, tmp_path) for path in (ROOT / "chapters").glob("*.ipynb")]
    command = [sys.executable, str(ROOT / "tools" / "strip.py"), *copies]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in [*stamp.FILES, *(p.relative_to(ROOT).as_posix() for p in (ROOT / "chapters").glob("*.ipynb"))]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_stamp_writes_the_address_everywhere_and_can_take_it_back(copy: Path) -> None:
    before = {path: path.read_text(encoding="utf8") for path in copy.rglob("*") if path.is_file()}
    placeholder = stamp.address(copy)
    stamp.write_address("https://github.com/someone/book", "stable", copy)
    stamp.write_bootstrap(copy)
    for path in before:
        text = path.read_text(encoding="utf8")
        assert placeholder not in text, path.name
        if path.suffix == ".ipynb":
            assert 'REPOSITORY, BRANCH = \\"https://github.com/someone/book\\", \\"stable\\"' in text
    assert "  branch: stable" in (copy / "_config.yml").read_text(encoding="utf8")
    stamp.write_address(placeholder, "main", copy)
    stamp.write_bootstrap(copy)
    assert {path: path.read_text(encoding="utf8") for path in before} == before


@pytest.mark.parametrize(
    "url", ["github.com/a/b", "https://github.com/a", "https://github.com/a/b.git", "https://x/y z/w"]
)
def test_stamp_refuses_other_addresses(url: str) -> None:
    with pytest.raises(SystemExit, match="must look like"):
        stamp.write_address(url, None)


def test_the_library_hash_sees_the_library_the_pins_and_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ganlib/assets", "tools"):
        (tmp_path / name).mkdir(parents=True)
    files = ["ganlib/a.py", "ganlib/assets/w.safetensors", "requirements.txt", "tools/kernels.py"]
    for name in files:
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    seen = {build.library_hash("full"), build.library_hash("quick")}
    for name in files:
        (tmp_path / name).write_text("two")
        seen.add(build.library_hash("full"))
    assert len(seen) == 2 + len(files)


def test_a_stale_cache_is_emptied_and_a_fresh_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tmp_path / "_build" / ".jupyter_cache"
    for library, kept in (("one", False), ("one", True), ("two", False)):
        monkeypatch.setattr(build, "library_hash", lambda profile, library=library: library)
        build.forget_stale_runs(tmp_path, "full")
        assert cached.exists() == kept
        cached.mkdir(parents=True, exist_ok=True)


def test_a_missing_browser_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "find", lambda: None)
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt install chromium.*GANLIB_NO_BROWSER=1"):
        browser.find_or_install()


def test_a_named_browser_that_is_no_program_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROME", "/nowhere/chrome")
    with pytest.raises(SystemExit, match="/nowhere/chrome is not a program"):
        browser.find()


def test_a_missing_python_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"no Python 3\.11 or newer.*python3-venv"):
        environment.find_python()


def test_an_unknown_stage_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["check.py", "everything"])
    with pytest.raises(SystemExit, match="choose from: library, notebooks, solutions, pages"):
        stages.main()
