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
import numpy as np
import pytest
from docutils import nodes
from docutils.utils import new_document
from matplotlib.colors import rgb_to_hsv, to_rgb

from ganlib import plot

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_ext"))
import callouts  # noqa: E402
import dark_figures  # noqa: E402
import reading_map  # noqa: E402
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
    assert first.startswith("Last verified by a full run: 43 s on ") and "torch" in first
    runs = json.loads((tmp_path / "runs.json").read_text())
    runs["chapters/a"].update(commit="abc1234", machine="another machine")
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert "another machine" in page(tmp_path, 43.21) and "commit abc1234" in page(tmp_path, 43.21)
    assert "another machine" not in page(tmp_path, 44.0), "another run, other facts"


def test_a_page_says_how_much_memory_its_run_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "peak").write_text("1640000000")
    monkeypatch.setenv("GANLIB_PEAK_MEMORY", str(tmp_path / "peak"))
    assert page(tmp_path, 43.21).endswith(" Peak memory 1.6 GB.")
    assert page(tmp_path, 43.21).endswith(" Peak memory 1.6 GB."), "from the cache too"
    assert "memory" not in page(tmp_path, 44.0), "another run, whose memory nobody noted"


def test_a_quick_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    assert page(tmp_path, 1.23).startswith("Quick run, figures are not those of the book: 1.2 s on ")


def test_the_reading_map_follows_from_the_openings() -> None:
    known = reading_map.openings(ROOT, ROOT / "_toc.yml")
    assert len(known) == len(list((ROOT / "chapters").glob("*.ipynb"))) and known[3].needs == (1,)
    assert all(need in known and need < number for number, one in known.items() for need in one.needs), (
        "a chapter builds on earlier ones"
    )
    order = [number for row in reading_map.rows({n: one.needs for n, one in known.items()}) for number in row]
    assert sorted(order) == sorted(known)
    assert all(order.index(need) < order.index(n) for n, one in known.items() for need in one.needs)


def test_arrows_that_follow_from_others_are_left_out() -> None:
    needs: dict[int, tuple[int, ...]] = {1: (), 2: (1,), 3: (1, 2), 4: (2,), 5: (2,), 6: (2,), 7: (1, 3)}
    assert sorted(reading_map.arrows(needs)) == [(1, 2), (2, 3), (2, 4), (2, 5), (2, 6), (3, 7)]
    assert reading_map.rows(needs) == [[1], [2], [4, 5, 6], [3], [7]], "in a full row the needed come last"


def test_the_map_draws_every_chapter_and_arrow() -> None:
    known = {
        n: reading_map.Opening(n, f"c{n}", f"The <{n}>", "Promise.", needs)
        for n, needs in {1: (), 2: (1,), 3: (1,), 4: (1,), 5: (1,), 6: (2,)}.items()
    }
    svg = reading_map.drawing(known, {n: f"c{n}.html" for n in known})
    assert [f'href="c{n}.html"' in svg for n in known] == [True] * 6 and "The &lt;3&gt;" in svg
    assert svg.count("marker-end") == 5


def luminance(color: Any) -> float:
    part = np.clip(np.array(color), 0, 1)
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_dark_figures_keep_hues_and_contrast() -> None:
    def dark(color: Any) -> Any:
        return np.clip(np.array(dark_figures.COLORS) @ [*color, 1], 0, 1)

    ground = dark((1, 1, 1))
    assert np.abs(ground - 0x12 / 255).max() < 0.002, "white becomes the ground of the dark page, #121212"
    assert "#121212" in (ROOT / "web" / "book.css").read_text(encoding="utf8")
    for color in (plot.DATA, plot.MODEL, plot.DISCRIMINATOR, plot.NEUTRAL, *plot.OTHER, plot._INK):
        rgb = to_rgb(color)
        turned = dark(rgb)
        assert (luminance(turned) + 0.05) / (luminance(ground) + 0.05) >= 3, color
        if max(rgb) - min(rgb) > 0.1:
            turn = abs(rgb_to_hsv(turned)[0] - rgb_to_hsv(rgb)[0])
            assert min(turn, 1 - turn) < 0.08, f"{color} keeps its hue"


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


def test_the_memory_of_a_run_is_measured(small_book: Path) -> None:
    write_page(small_book, "held = bytes(10**6) * 300\ndel held")
    build.build("quick")
    run = json.loads((small_book / "_build/quick/_build/runs.json").read_text())["page"]
    assert 0.3e9 < run["memory"] < 2e9, "what a cell held for a moment counts"


def test_the_full_profile_is_not_quick(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    write_page(small_book, "import os; open('profile', 'w').write(os.environ.get('GANLIB_QUICK', 'full'))")
    for profile, expected in (("full", "full"), ("quick", "1")):
        build.build(profile)
        assert (small_book / "profile").read_text() == expected
    assert os.environ["GANLIB_QUICK"] == "1"
