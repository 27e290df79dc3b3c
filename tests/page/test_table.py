"""The table to look things up in, in a real browser and in a bare page (see widgets.mjs)."""

from __future__ import annotations

from typing import Any

import pytest
from visit import browser, for_everybody, in_bare_pages

from tests.test_table import ROWS, table

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return in_bare_pages({"table": table()}, tmp_path_factory.mktemp("table"))["table"]


def test_for_everybody(report: dict[str, Any]) -> None:
    for_everybody(report)


def test_the_page_shows_what_python_says(report: dict[str, Any]) -> None:
    widget = table()
    for what, look in report["looks"].items():
        for name in ("query", "chosen", "order"):
            setattr(widget, name, look["state"][name])
        rows = [[text.replace("`", "") for text in row] for row in widget.shown()]
        assert look["rows"] == rows, what
        assert look["count"] == f"{len(rows) or 'none'} of {len(ROWS)}", what
    assert {len(look["rows"]) for look in report["looks"].values()} == {0, 1, 2, 3, 5}


def test_every_way_of_looking(report: dict[str, Any]) -> None:
    looks = report["looks"]
    states = {what: look["state"] for what, look in looks.items()}
    typed = [states[what]["query"] for what in ("typed", "two words", "none", "escape", "all")]
    assert typed == ["SSE", "SSE HINGE", "SSE HINGEx", "", ""]
    assert states["chosen"]["chosen"] == {"library": "vegans"} and states["all"]["chosen"] == {}
    sorts = [looks[what]["sorts"][3] for what in ("start", "up", "down", "unsorted")]
    assert sorts == ["none", "ascending", "descending", "none"]
    assert looks["letters"]["sorts"][0] == "ascending" and looks["letters"]["saved"] >= 12, "the kernel is told"
    assert looks["from Python"]["sorts"][0] == "descending" and len(looks["from Python"]["rows"]) == 2


def test_links_lead_into_the_book_where_there_is_one(report: dict[str, Any]) -> None:
    assert report["links"] == [0, ['losses.get("hinge")', "../reference/losses.html#ganlib.losses.get"]]


def test_a_letter_in_250_rows_takes_at_most_a_tenth_of_a_second(report: dict[str, Any]) -> None:
    assert 0 < report["ms"] <= 100
