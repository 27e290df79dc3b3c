"""The laboratory of chapter 3 in a real browser: each control reacts to a key, a seed repeats (see laboratory.mjs)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from visit import ROOT, browser, play, served

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

PAGE = "chapters/03_adversarial_game.html"
HOW = ("served", "file")
BUILDS = [ROOT / "_build" / profile / "_build" / "html" for profile in ("full", "quick")]


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    built = [Path(os.environ["GANLIB_BOOK"])] if "GANLIB_BOOK" in os.environ else BUILDS
    book = next((folder.resolve() for folder in built if (folder / PAGE).exists()), None)
    assert book, f"build the book first (make book, or python tools/build.py quick): no {PAGE} in {built}"
    with served(book) as address:
        job = {"urls": {"served": f"{address}{PAGE}", "file": (book / PAGE).as_uri()}}
        return play("laboratory.mjs", job, timeout=300)


@pytest.fixture(params=HOW)
def report(reports: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    found = reports[request.param]
    assert "crash" not in found, found["crash"]
    return found


def both(updates: str) -> list[int]:
    """Updates of D and of G so far."""
    return [int(count) for count in updates.split()]


def test_no_errors(report: dict[str, Any]) -> None:
    assert report["troubles"] == []


def test_steps(report: dict[str, Any]) -> None:
    assert report["start"] == "0 0" and report["drawn"]
    assert report["steps"] == ["1 0", "1 1", "2 2"], "one step of D, of G, of both"
    assert report["pictures"] == 4, "each of them shows"
    assert report["reset"] == ["0 0", True], "back to the first picture"


def test_every_control_changes_the_game_and_changes_it_back(report: dict[str, Any]) -> None:
    assert report["again"], "the same seed and the same steps give the same picture"
    assert len(report["controls"]) == 10
    assert [label for label, (moved, _) in report["controls"].items() if not moved] == [], "no reaction to a key"
    assert [label for label, (_, returned) in report["controls"].items() if not returned] == [], "not repeatable"


def test_run_and_stop(report: dict[str, Any]) -> None:
    assert report["stopButton"] == 1
    assert both(report["running"])[1] > 10
    assert report["stopped"][0] == report["stopped"][1]


def test_spoken_sparingly(report: dict[str, Any]) -> None:
    assert report["said"][0].startswith("2 steps of D, 2 of G. V is ")
    assert 1 <= report["announcements"] <= 2, "in two seconds of running, and one of stopping"


def test_data_of_ones_own(report: dict[str, Any]) -> None:
    assert report["own"] == 4, "at first, a bump more, none, a stroke"
    assert "no data" in report["empty"] and report["emptyUpdates"] == "0 0", "without data nobody moves"
    assert report["drawnHint"] == "" and report["drawnUpdates"] == "10 10"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_accessible(report: dict[str, Any], mode: str) -> None:
    assert report["explained"]
    assert report["axe"][mode] == []


def test_dark_and_narrow(report: dict[str, Any]) -> None:
    assert report["darkDiffers"], "the picture has the colours of its surroundings"
    assert report["overflow"] == [] and report["targets"] == []


def test_jupyterlab_leaves_each_control_its_keys(report: dict[str, Any]) -> None:
    assert report["unshielded"] == [], "there the notebook takes arrow keys from what does not carry its mark"


def test_less_motion(report: dict[str, Any]) -> None:
    paints, updates = report["calm"]
    assert 1 <= paints <= 4 and both(updates)[1] > 10, "steps go on, pictures come once a second"
