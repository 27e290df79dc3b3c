"""The build of the book: boxes, the line under the title, what runs again, and a failing cell."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import build
import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_ext"))
import callouts  # noqa: E402
import run_info  # noqa: E402


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        (nodes.strong("", "Theorem 4.1 (name)."), ["callout", "callout-theorem"]),
        (nodes.strong("", "Proof."), ["callout", "callout-proof"]),
        (nodes.strong("", "Somebody said:"), []),
        (nodes.emphasis("", "Theorem"), []),
    ],
)
def test_boxes(opening: nodes.Node, expected: list[str]) -> None:
    document = new_document("page")
    quote = nodes.block_quote("", nodes.paragraph("", "", nodes.Text(""), opening, nodes.Text(" text")))
    document += quote
    callouts.Callouts(document).apply()
    assert quote["classes"] == expected


def page(tmp_path: Path, seconds: float) -> str:
    """The line under the title of a page that took this long when it was run."""
    executed = {"exec_data": {"runtime": seconds, "succeeded": True}}
    env = SimpleNamespace(docname="chapters/a", nb_metadata={"chapters/a": executed})
    app: Any = SimpleNamespace(env=env, outdir=tmp_path / "html", srcdir=ROOT)
    document = new_document("page")
    document += nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "text"))
    run_info.add_line(app, document)
    title, line, _ = document[0]
    assert isinstance(title, nodes.title) and line["classes"] == ["run-info"]
    return line.astext()


def test_a_cached_page_keeps_the_facts_of_its_run(tmp_path: Path) -> None:
    first = page(tmp_path, 43.21)
    assert first.startswith("Last full run: 43 s on ") and "torch" in first
    runs = json.loads((tmp_path / "runs.json").read_text())
    runs["chapters/a"].update(commit="abc1234", machine="another machine")
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert "another machine" in page(tmp_path, 43.21) and "commit abc1234" in page(tmp_path, 43.21)
    assert "another machine" not in page(tmp_path, 44.0), "another run, other facts"


def test_a_quick_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    assert page(tmp_path, 1.23).startswith("Quick run, figures are not those of the book: 1.2 s on ")


@pytest.fixture
def small_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of one page, with this book's settings; its only cell says when it ran."""
    for name in ("_config.yml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("_ext", "web"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("vendor", "__pycache__"))
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    for name in ("ganlib", "tools"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernels.py").write_text("one")
    write_page(tmp_path, "from pathlib import Path; Path('ran').open('a').write('x')")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    return tmp_path


def write_page(folder: Path, code: str, text: str = "") -> None:
    cells = [nbformat.v4.new_markdown_cell(f"# Title\n\n{text}"), nbformat.v4.new_code_cell(code, id="cell")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "page.ipynb")


def test_what_changed_runs_again(small_book: Path) -> None:
    def runs() -> int:
        build.build("quick")
        return len((small_book / "ran").read_text())

    assert runs() == 1
    write_page(small_book, "from pathlib import Path; Path('ran').open('a').write('x')", "Other words.")
    assert runs() == 1, "an edit of the text runs nothing"
    assert "Other words." in (small_book / "_build/quick/_build/html/page.html").read_text(encoding="utf8")
    (small_book / "ganlib" / "kernels.py").write_text("two")
    assert runs() == 2, "an edit of the library runs everything"


def test_a_failing_cell_fails_the_build_and_is_shown(small_book: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_page(small_book, "raise KeyError('what went wrong')")
    with pytest.raises(SystemExit, match="build of the book failed"):
        build.build("quick")
    assert "KeyError: 'what went wrong'" in capfd.readouterr().out


def test_a_warning_fails_the_build_every_time(small_book: Path) -> None:
    write_page(small_book, "1", "[nowhere](nowhere.ipynb)")
    for _ in range(2):  # the second build has everything cached, and must not pass for that
        with pytest.raises(SystemExit, match="build of the book failed"):
            build.build("quick")


def test_the_full_profile_is_not_quick(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    write_page(small_book, "import os; open('profile', 'w').write(os.environ.get('GANLIB_QUICK', 'full'))")
    for profile, expected in (("full", "full"), ("quick", "1")):
        build.build(profile)
        assert (small_book / "profile").read_text() == expected
    assert os.environ["GANLIB_QUICK"] == "1"
