"""The tools that rewrite notebooks and stamp the book's address."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import browser
import build
import check as stages
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
    """Every file of the repository, also those that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("this machine has no git")
    if listed.returncode:
        pytest.skip("this is no checkout: git does not know which files are the book's")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_stamp_writes_the_address_everywhere_and_can_take_it_back(copy: Path) -> None:
    before, old = contents(copy), stamp.address(copy)
    branch = stamp.setting("branch", copy)
    stamp.write_address("https://github.com/reader-of-this/other-name", "stable", copy)
    stamp.write_chapters(copy)
    after = contents(copy)
    stragglers = [name for name, text in after.items() if stamp.slug(old).encode() in text]
    assert not stragglers, f"these still name {old}; add them to stamp.FILES"
    assert "  branch: stable" in (copy / "_config.yml").read_text(encoding="utf8")
    for name, text in after.items():
        elsewhere = text.replace(b"other-name/blob/stable/", b"")
        assert b"other-name/blob/" not in elsewhere or name.startswith("tests/"), f"{name}: another branch"
        if name.startswith("chapters/"):
            assert b'REPOSITORY, BRANCH = \\"https://github.com/reader-of-this/other-name\\", \\"stable\\"' in text
    stamp.write_address(old, branch, copy)
    stamp.write_chapters(copy)
    assert contents(copy) == before


def test_links_to_colab_lead_to_the_branch_that_config_names() -> None:
    url, branch = stamp.address(), stamp.setting("branch")
    start = f"https://colab.research.google.com/github/{stamp.slug(url)}/blob/{branch}/"
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        opening = nbformat.read(path, as_version=4).cells[0].source
        assert opening.endswith(f"\n\n[Open in Colab]({start}chapters/{path.name})"), f"{path.name}: tools/stamp.py"
    (found,) = re.findall(r"https://colab\S+\.ipynb", (ROOT / "README.md").read_text(encoding="utf8"))
    assert found.startswith(start) and (ROOT / found.removeprefix(start)).exists()
    assert f'REPOSITORY, BRANCH = "{url}", "{branch}"\n' in (ROOT / "tools/bootstrap.py").read_text(encoding="utf8")


@pytest.mark.parametrize(
    "url", ["github.com/a/b", "https://github.com/a", "https://github.com/a/b.git", "https://x/y z/w"]
)
def test_stamp_refuses_other_addresses(url: str) -> None:
    with pytest.raises(SystemExit, match="must look like"):
        stamp.write_address(url)


def test_stamp_refuses_what_is_no_branch() -> None:
    with pytest.raises(SystemExit, match="branch must be the name of a branch"):
        stamp.write_address("https://github.com/a/b", "two words")


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


def test_an_unknown_stage_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["check.py", "everything"])
    with pytest.raises(SystemExit, match="choose from: library, notebooks, pages"):
        stages.main()
