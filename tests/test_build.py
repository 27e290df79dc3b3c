"""The build of the book: boxes, the line under the title, what runs again, and a failing cell."""

from __future__ import annotations

import json
import os
import re
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


def line(tmp_path: Path, **run: Any) -> str:
    """The line under the title of a page whose last run was this."""
    facts = {"seconds": 43.21, "machine": "a processor", "python": "3.11.7", "date": "1 May 2026", "commit": "abc1234"}
    (tmp_path / "runs.json").write_text(json.dumps({"chapters/a": facts | run}))
    app: Any = SimpleNamespace(env=SimpleNamespace(docname="chapters/a"), outdir=tmp_path / "html", srcdir=ROOT)
    document = new_document("page")
    document += nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "text"))
    run_info.add_line(app, document)
    title, added, _ = document[0]
    assert isinstance(title, nodes.title) and added["classes"] == ["run-info"]
    return added.astext()


def test_a_page_says_what_its_run_took_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_QUICK", raising=False)
    facts = "43 s of processor time on a processor, Python 3.11.7, 1 May 2026, commit abc1234."
    assert line(tmp_path) == f"Last verified by a full run: {facts}"
    assert line(tmp_path, memory=1640000000).endswith(f"{facts} Peak memory 1.6 GB.")
    assert "commit" not in line(tmp_path, commit=""), "a copy without git"
    monkeypatch.setenv("GANLIB_QUICK", "1")
    assert line(tmp_path, seconds=1.23).startswith("Quick run, figures are not those of the book: 1.2 s of processor")


def test_the_reading_map_follows_from_the_openings() -> None:
    known = reading_map.openings(ROOT, ROOT / "_toc.yml")
    assert len(known) == len(list((ROOT / "chapters").glob("*.ipynb")))
    assert [n for n, one in known.items() if not one.needs] == [1], "only the first chapter builds on none"
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


def test_time_and_memory_of_a_run_are_measured(small_book: Path) -> None:
    write_page(
        small_book,
        "import time\nheld = bytes(10**6) * 300\ndel held\ntime.sleep(2)\n"
        "start = time.process_time()\nwhile time.process_time() < start + 1: pass",
    )
    build.build("quick")
    run = json.loads((small_book / "_build/quick/_build/runs.json").read_text())["page"]
    assert 0.3e9 < run["memory"] < 2e9, "what a cell held for a moment counts"
    assert 1 < run["seconds"] < run["wall"] - 1, "work counts, waiting does not"


SOLVED = """

**Exercise 1.1 (name, a minute).** Words.

<details><summary>Solution</summary>

```python
{}
```

</details>"""


def test_solutions_run_after_the_cells_and_leave_nothing(small_book: Path, capfd: pytest.CaptureFixture[str]) -> None:
    solution = "from pathlib import Path; Path('solved').open('a').write(str(x)); print('a solution speaks')"
    write_page(small_book, "x = 7", SOLVED.format(solution))
    page = build.build("quick") / "page.html"
    assert (small_book / "solved").read_text() == "7" and "a solution speaks\n" not in page.read_text(encoding="utf8")
    build.build("quick")
    assert (small_book / "solved").read_text() == "7", "from the cache"
    write_page(small_book, "x = 7", SOLVED.format(solution + "\nx = 8"))
    build.build("quick")
    assert (small_book / "solved").read_text() == "77", "another solution runs"
    build.build("full")
    assert (small_book / "solved").read_text() == "77", "in the quick profile only"
    write_page(small_book, "x = 7", SOLVED.format("y"))
    with pytest.raises(SystemExit, match="cells of page raised"):
        build.build("quick")
    out = capfd.readouterr().out
    assert "in the solution of Exercise 1.1" in out and "NameError" in out


CLAIMS = """
import sys; sys.path[:0] = {path!r}
from ganlib import claim
claim("one and one", 1 + 1 == {two})
claim("it learns", lambda x: x > 0.5, value={value}, control=0.1)
claim("the last is judged too", True)
"""


def test_a_false_claim_takes_nothing_from_the_reader(
    small_book: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (small_book / "_toc.yml").write_text("format: jb-book\nroot: page\nchapters:\n- file: checked\n")
    shutil.copy(ROOT / "checked.md", small_book)
    write_page(small_book, CLAIMS.format(path=[str(ROOT)], two=2, value=0.3))
    tested: list[Path] = []
    monkeypatch.setattr(build, "test_pages", lambda html, profile: tested.append(html) or 0)
    monkeypatch.setattr(sys, "argv", ["build.py", "full"])
    for strict in ("", "1"):
        monkeypatch.setenv("GANLIB_STRICT", strict)
        assert build.main() == bool(strict), "strict alone makes it count"
        page, listed = ((tested[-1] / f"{name}.html").read_text(encoding="utf8") for name in ("page", "checked"))
        for text in (page, listed):
            assert text.count('class="claim claim-false"') == 1 and text.count('class="claim claim-true"') == 2
        assert "control: 0.1" in listed
        assert 0 < listed.find("2 of 3 claims held in this build") < listed.find('class="claim'), "numbers come first"
        last = [text for text in capfd.readouterr().out.splitlines() if text.startswith(("[build]", "[claims]"))]
        assert last[-4].endswith("index.html") and re.match(
            r"\[claims\] 1 of 3 claims did not hold on .+ torch", last[-3]
        )
        assert last[-2] == "[claims]   ✗ page, trained: it learns · 0.3 (control: 0.1)"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("kind", "holds", "judged", "codes"),
    [
        ("computed", False, True, (1, 1)),
        ("stored", False, True, (1, 1)),
        ("trained", False, True, (0, 1)),
        ("trained", False, False, (0, 0)),
        ("trained", True, True, (0, 0)),
    ],
)
def test_what_a_false_claim_costs(kind: str, holds: bool, judged: bool, codes: tuple[int, int], strict: bool) -> None:
    one = {"words": "w", "kind": kind, "holds": holds, "judged": judged, "value": "1", "control": "", "margin": None}
    good = {**one, "holds": True, "judged": True}
    lines, code = build.verdict({"a": [good], "b": [one, good]}, strict)
    assert code == codes[strict]
    assert ("depend on no training" in "\n".join(lines)) == (judged and not holds and kind != "trained")
    assert any("✗ b, " in text for text in lines) == (judged and not holds)


def test_the_full_profile_is_not_quick(small_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    write_page(small_book, "import os; open('profile', 'w').write(os.environ.get('GANLIB_QUICK', 'full'))")
    for profile, expected in (("full", "full"), ("quick", "1")):
        build.build(profile)
        assert (small_book / "profile").read_text() == expected
    assert os.environ["GANLIB_QUICK"] == "1"
