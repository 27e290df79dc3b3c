"""Chapters under other processors and seeds: the table of margins is as new as they are, and nothing in it is false."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import nbformat
import processors
import pytest

ROWS = processors.load()


def false(chapter: str) -> list[tuple[str, str, str]]:
    """(case, words, value) of the claims that do not hold."""
    rows = [row for row in ROWS if row["chapter"] == chapter]
    return [(row["case"], one["words"], one["value"]) for row in rows for one in row["claims"] if not one["holds"]]


@pytest.mark.parametrize("chapter", processors.chapters())
def test_the_table_is_newer_than_the_chapters_code(chapter: str) -> None:
    assert processors.missing(ROWS, [chapter]) == [], "its code has changed: make processors"


@pytest.mark.parametrize("chapter", processors.chapters())
def test_no_claim_fails_under_another_processor_or_seed(chapter: str) -> None:
    assert all(row["claims"] for row in ROWS if row["chapter"] == chapter)
    assert false(chapter) == [], "rewrite what it claims; a threshold is not widened"


def test_every_chapter_has_its_cases() -> None:
    sets = [
        {(*sorted(variables.items()), threads) for variables, threads in processors.cases(chapter).values()}
        for chapter in processors.chapters()
    ]
    kinds = [{case for case in cases if not any("GANLIB_SEED_SHIFT" in str(part) for part in case)} for cases in sets]
    assert min(map(len, kinds)) >= 4, "combinations of instructions and threads"
    assert max(map(len, kinds)) >= 6, "where claims lean on long training"
    assert min(len(cases) - len(kind) for cases, kind in zip(sets, kinds, strict=True)) == 2, "other seeds"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of one chapter, whose claims depend on the case."""
    (tmp_path / "chapters").mkdir()
    monkeypatch.setattr(processors, "ROOT", tmp_path)
    monkeypatch.setattr(processors, "TABLE", tmp_path / "processors.json")
    monkeypatch.setattr(processors, "CASES", {"as is": ({}, 1), "other": ({"OTHER": "1", "GANLIB_SEED_SHIFT": "1"}, 2)})
    write(tmp_path)
    return tmp_path


def write(folder: Path, code: str = "x = 1", words: str = "") -> None:
    claims = (
        f"import sys; sys.path[:0] = {sys.path!r}\nimport os\nimport numpy as np\nfrom ganlib import claim, compute\n"
        "open('ran', 'a').write('x')\n"
        "claim('one', True)\n"
        "claim('it learns', lambda x: x > 0.5, value=0.6 if os.environ.get('OTHER') else 1.0, control=0.0)\n"
        "claim('it draws', lambda x: x != 0, value=compute.generator('a').initial_seed() % 1000 + 1, control=0)\n"
        "claim('numpy draws', lambda x: x != 0, value=int(np.random.default_rng(0).integers(1000)) + 1, control=0)\n"
    )
    cells = [nbformat.v4.new_markdown_cell(words), *map(nbformat.v4.new_code_cell, (code, claims))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "chapters" / "01_try.ipynb")


def ran(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, int]:
    """The command's exit code, and how many runs it made."""
    log = folder / "chapters" / "ran"
    log.write_text("")
    monkeypatch.setattr(sys, "argv", ["processors.py", *arguments])
    code = processors.main()
    return code, len(log.read_text())


def test_the_table_is_made_once_and_follows_the_code(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(small, monkeypatch) == (0, 2)
    rows = {row["case"]: row["claims"] for row in processors.load()}
    values = {case: {one["words"]: one["value"] for one in claims} for case, claims in rows.items()}
    assert values["as is"]["it draws"] != values["other"]["it draws"], "other seeds"
    assert values["as is"]["numpy draws"] != values["other"]["numpy draws"], "also NumPy's"
    (learns,) = (one for one in processors.margins(processors.load()) if one["words"] == "it learns")
    assert learns["runs"] == 2 and learns["false"] == []
    assert learns["least"] == pytest.approx(1 / 6, abs=1e-3)
    assert learns["spreads"] == pytest.approx((1 / 2 + 1 / 6) / 2 / (1 / 3 / math.sqrt(2)), rel=1e-3)
    assert "0.17" in capsys.readouterr().out
    write(small, "x = 1  # a remark", "Words.")
    assert ran(small, monkeypatch) == (0, 0), "nothing that counts has changed"
    write(small, "x = 2")
    assert processors.missing(processors.load(), ["01_try"]) == [("01_try", "as is"), ("01_try", "other")]
    assert ran(small, monkeypatch, "--report") == (0, 0)
    assert ran(small, monkeypatch, "01") == (0, 2)


def test_what_is_false_is_said(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"chapter": "01_try", "case": "other", "digest": processors.digest("01_try"), "seconds": 1.0}
    false = {"words": "it learns", "kind": "trained", "holds": False, "value": "0.4", "margin": None}
    rows = [{**row, "claims": [false, {**false, "words": "1 + 1 = 3", "kind": "computed"}]}]
    processors.TABLE.write_text(json.dumps({"rows": rows}), encoding="utf8")
    assert ran(small, monkeypatch, "--report") == (1, 0)
    out = capsys.readouterr().out
    assert (
        "0/1" in out and "it learns  FALSE: other" in out and "FALSE without training: 01_try, other: 1 + 1 = 3" in out
    )


def test_an_unknown_chapter_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["processors.py", "77"])
    with pytest.raises(SystemExit):
        processors.main()


def test_a_failing_cell_fails(small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write(small, "raise KeyError('what went wrong')")
    assert ran(small, monkeypatch)[0] == 1
    assert "KeyError" in capsys.readouterr().out and processors.load() == []


def shares(rows: list[dict[str, Any]]) -> list[float]:
    return [one["margin"] for row in rows for one in row["claims"] if one["margin"] is not None]


def test_margins_are_shares() -> None:
    assert all(0 < share <= 1 for share in shares(ROWS))
