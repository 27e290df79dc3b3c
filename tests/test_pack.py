"""The book to take away: the zip of the pages, and the notebooks without solutions."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pack
import pytest

from . import plain
from .notebooks import CHAPTERS, ROOT, Chapter

each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)

# ---- the pages


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build of three pages."""
    folder = tmp_path / "html"
    for place in ("chapters", "_static", "reports"):
        (folder / place).mkdir(parents=True)
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title>'
    style = '<link rel="stylesheet" href="{}_static/a.css?digest=1"><link rel="icon" href="data:,"></head>'
    index = (
        '<body><main><h1>One</h1><a href="chapters/01.html#part">on</a> <a href="https://a.org/">out</a></main></body>'
    )
    (folder / "index.html").write_text(head + style.format("") + index)
    (folder / "chapters" / "01.html").write_text(head + style.format("../") + '<body><a href="../index.html">back</a>')
    (folder / "_static" / "a.css").write_text("body { background: url(a.png) }")
    (folder / "_static" / "a.png").write_bytes(b"")
    (folder / "reports" / "a.err.log").write_text("private")
    (folder / "_static" / "webpack-macros.html").write_text("<a href=\"{{ pathto('a') }}\">x</a>")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Zips are written below the test's own folder; the licences are read from the repository all the same."""
    for name in (*pack.LICENCES, "_config.yml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(pack, "ROOT", tmp_path)
    return tmp_path


def test_the_zip_holds_the_pages_and_the_licences(built: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_NO_BROWSER", "1")
    names = zipfile.ZipFile(pack.pack_site(built)).namelist()
    top = pack.name() + "/"
    assert all(name.startswith(top) for name in names), "one folder, so that unpacking makes no mess"
    assert {name.removeprefix(top) for name in names} == {
        *pack.LICENCES,
        "index.html",
        "chapters/01.html",
        "_static/a.css",
        "_static/a.png",
    }


def test_pages_that_work_have_no_faults(built: Path) -> None:
    (built / "_static" / "webpack-macros.html").unlink()
    assert pack.faults(built) == []


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ('<a href="/chapters/01.html">x</a>', "has an absolute link: /chapters/01.html"),
        ('<img src="file:///home/a.png">', "has an absolute link: file:///home/a.png"),
        ('<script src="https://cdn.org/a.js"></script>', "asks another host: https://cdn.org/a.js"),
        ('<link rel="stylesheet" href="//cdn.org/a.css">', "asks another host: //cdn.org/a.css"),
        ('<a href="02.html">x</a>', "leads nowhere: 02.html"),
        ('<a href="../outside.html">x</a>', "leads nowhere: ../outside.html"),
    ],
)
def test_faults_are_found(built: Path, here: Path, markup: str, fault: str) -> None:
    with (built / "index.html").open("a") as page:
        page.write(markup)
    (built.parent / "outside.html").write_text("")
    (built / "_static" / "webpack-macros.html").unlink()
    assert pack.faults(built) == [f"index.html {fault}"]
    with pytest.raises(SystemExit, match=r"do not work from a folder \(1 faults\)"):
        pack.pack_site(built)


def test_faults_of_styles_are_found(built: Path) -> None:
    (built / "_static" / "webpack-macros.html").unlink()
    (built / "_static" / "a.css").write_text("body { background: url('/a.png') }")
    assert pack.faults(built) == ["_static/a.css has an absolute link: /a.png"]


def test_no_build_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there are no pages in .*`make book` builds them first"):
        pack.pack_site(tmp_path)


@pytest.mark.skipif(pack.browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")
def test_a_browser_opens_the_pages_from_a_folder(built: Path) -> None:
    (built / "_static" / "a.css").unlink()
    page = '<!DOCTYPE html><html lang="en"><head><title>Search</title></head><body><main><h1>Search</h1>'
    nothing = "<ul><li>no links</li></ul>"  # without an entry the browser would wait for one, a quarter of a minute
    (built / "search.html").write_text(page + f'<div id="search-results">{nothing}</div></main></body></html>')
    found = pack.opens(built)
    assert {fault.split(":")[0] for fault in found} == {"index.html", "chapters/01.html", "search"}, "each was opened"
    expected = ("a.css", "ERR_FILE_NOT_FOUND", "search: finds nothing")
    assert all(any(words in fault for words in expected) for fault in found), "and nothing else is wrong"


# ---- the teachers' edition


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack.pack_teachers(tmp_path_factory.mktemp("edition") / "teachers")


def less_solutions(text: str) -> list[str]:
    """The lines of a text outside its solutions, blank ones left out: read line by line, not as pack.py reads it."""
    kept, inside = [], False
    for line in text.splitlines():
        inside = inside or line.startswith("<details><summary>Solution")
        if line.strip() and not inside:
            kept.append(line)
        inside = inside and not line.startswith("</details>")
    return kept


@each
def test_exercises_stay_and_solutions_go(chapter: Chapter, edition: Path) -> None:
    there = Chapter(edition / "chapters" / chapter.path.name)
    count = chapter.text.count("**Exercise ")
    assert chapter.text.count("<details><summary>Solution</summary>") == count >= 4
    assert there.text.count("**Exercise ") == count and "olution</summary>" not in there.text
    for _, code in chapter.solutions:
        assert code not in there.text
    assert [line for source in there.markdown for line in source.splitlines() if line.strip()] == [
        line for source in chapter.markdown for line in less_solutions(source)
    ]


@each
def test_everything_else_is_the_same(chapter: Chapter, edition: Path) -> None:
    there = nbformat.read(edition / "chapters" / chapter.path.name, as_version=4)
    nbformat.validate(there)
    assert there.metadata == chapter.notebook.metadata
    assert [cell.id for cell in there.cells] == [cell.id for cell in chapter.notebook.cells]
    for ours, theirs in zip(chapter.notebook.cells, there.cells, strict=True):
        assert ours.metadata == theirs.metadata
        if ours.cell_type == "code":
            assert ours == theirs
        else:
            assert plain.raw(theirs.source) == []


def test_links_and_licences_come_along(edition: Path) -> None:
    for path in [*edition.rglob("*.ipynb"), *edition.glob("*.md")]:
        text = Chapter(path).text if path.suffix == ".ipynb" else path.read_text(encoding="utf8")
        for target in plain.links(text):
            local = not target.startswith(("http", "#", "mailto:"))
            assert not local or (path.parent / target.split("#")[0]).exists(), f"{path.name}: {target}"
    assert {"LICENSE", "NOTICE", "README.md"} <= {path.name for path in edition.iterdir()}
    archive = zipfile.ZipFile(edition.with_name(f"{pack.name()}-teachers.zip"))
    assert {name.split("/", 1)[1] for name in archive.namelist()} == {
        path.relative_to(edition).as_posix() for path in edition.rglob("*") if path.is_file()
    }


def test_the_edition_is_as_clean_as_the_book(edition: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    result = subprocess.run([*command, str(edition)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
