"""The quiz in a real browser, in a bare page: digits, clicks, the score, and readers who do not see (see quiz.mjs)."""

from __future__ import annotations

import shutil
from typing import Any

import matplotlib.pyplot as plt
import pytest
from visit import ROOT, browser, play, served

from ganlib.book.widgets import Question, quiz

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

PAGE = """<!doctype html>
<html lang="en"><title>Quiz</title><link rel="icon" href="data:,"><link rel="stylesheet" href="quiz.css">
<main></main></html>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("quiz")
    for name in ("quiz.js", "quiz.css"):
        shutil.copy(ROOT / "ganlib" / "book" / "widgets" / name, folder)
    (folder / "index.html").write_text(PAGE, encoding="utf8")
    figure, axes = plt.subplots(figsize=(6, 2))
    axes.plot([0, 1], [0, 1])
    widget = quiz(
        [
            Question("Does the line rise?", ["yes", "no"], 0, "From left to right.", figure, "A straight line"),
            Question("And <b>back</b>?", ["yes", "no", "neither"], 1, "It falls."),
        ],
        yardstick=("a coin", 0.5),
    )
    with served(folder) as address:
        job = {"url": f"{address}index.html", "questions": widget.questions, "yardstick": widget.yardstick}
        return play("quiz.mjs", job, timeout=120)


def test_asks(report: dict[str, Any]) -> None:
    assert report["troubles"] == []
    assert report["start"]["count"] == "Question 1 of 2" and report["start"]["text"] == "Does the line rise?"
    assert report["start"]["picture"] and report["start"]["status"] == "" and report["start"]["next"] is False


def test_a_digit_answers_once(report: dict[str, Any]) -> None:
    assert report["none"]["status"] == "", "a digit without an answer does nothing"
    wrong = report["wrong"]
    assert wrong["status"] == "No: yes. From left to right." and wrong["score"] == "0 of 1"
    assert wrong["marks"] == ["right", "wrong"] and wrong["next"] == wrong["focus"] == "Next question"
    assert report["late"] == wrong, "who has answered does not answer again"
    assert report["outside"] == 2, "the page hears the digit without an answer, and Enter; the quiz keeps its own"


def test_a_click_answers_and_the_score_stands_beside_the_yardstick(report: dict[str, Any]) -> None:
    assert report["second"]["text"] == "And <b>back</b>?", "texts are texts"
    assert not report["second"]["picture"] and report["start"]["mute"] == report["second"]["mute"] == 0
    assert report["second"]["focus"] == "1yes"
    assert report["right"]["score"] == "1 of 2" and report["right"]["marks"] == ["", "right", ""]
    assert report["right"]["status"] == "Right. It falls. You have 1 of 2 right, 50 %: as well as a coin (50 %)."


def test_starts_again(report: dict[str, Any]) -> None:
    start = {**report["start"], "focus": "1yes"}
    assert report["right"]["next"] == "Start again" and report["again"] == start


def test_for_everybody(report: dict[str, Any]) -> None:
    assert report["axe"] == report["end"] == []
    assert report["wide"] == [] and report["small"] == 0 and report["unshielded"] == 0
