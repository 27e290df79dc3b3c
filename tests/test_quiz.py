"""A quiz: what Python hands to the page, and what is refused. How it plays stands in tests/page/test_quiz.py."""

from __future__ import annotations

import base64

import matplotlib.pyplot as plt
import pytest

from ganlib.book.widgets import Question, quiz

COIN = Question("Which side?", ["heads", "tails"], 1)


def figure(size: float = 2.0) -> plt.Figure:
    made, axes = plt.subplots(figsize=(size, 1))
    axes.plot([0, 1])
    return made


def test_holds_what_the_page_asks_for() -> None:
    first = Question("Does it rise?", ("yes", "no", "both"), 0, "It does.", figure(), "A line")
    widget = quiz([first, COIN])
    one, other = widget.questions
    assert one["answers"] == ["yes", "no", "both"] and one["right"] == 0 and one["reveal"] == "It does."
    assert base64.b64decode(one["picture"]).startswith(b"\x89PNG") and one["alt"] == "A line"
    assert other["picture"] == "" and other["right"] == 1
    assert widget.yardstick == {"name": "guessing at random", "share": pytest.approx((1 / 3 + 1 / 2) / 2)}
    assert not plt.get_fignums() or first.picture.number not in plt.get_fignums()


def test_a_yardstick_of_ones_own() -> None:
    assert quiz([COIN], yardstick=("a careful reader", 0.75)).yardstick == {"name": "a careful reader", "share": 0.75}


@pytest.mark.parametrize(
    ("questions", "options", "words"),
    [
        ([], {}, "at least one Question"),
        ([Question("?", ["yes"], 0)], {}, r"questions\[0\] must have 2 to 9 different answers"),
        ([COIN, Question("?", ["yes", "yes"], 0)], {}, r"questions\[1\] .* different answers"),
        ([Question("?", list("abcdefghij"), 0)], {}, "2 to 9"),
        ([Question("?", ["yes", "no"], 2)], {}, r"right must be the index of one of 2 answers, got 2"),
        ([Question("?", ["yes", "no"], -1)], {}, r"questions\[0\].right must be a whole number"),
        ([Question("?", ["yes", "no"], 0, picture=b"\x89PNG\r\n\x1a\n", alt=" ")], {}, r"alt must say in words"),
        ([Question("?", ["yes", "no"], 0, picture=b"GIF89a", alt="A line")], {}, "PNG"),
        ([Question("?", ["yes", "no"], 0, picture=b"\x89PNG\r\n\x1a\n" * 200_000, alt="A line")], {}, "1.6 MB"),
        ([COIN], {"yardstick": ("everybody", 1.5)}, "from 0 to 1, got 1.5"),
        ([COIN], {"yardstick": ("nobody", float("nan"))}, "finite"),
    ],
)
def test_refuses(questions: list[Question], options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        quiz(questions, **options)


def test_a_question_is_a_question() -> None:
    with pytest.raises(TypeError, match=r"questions\[0\] must be a Question, got dict"):
        quiz([{"text": "?"}])  # type: ignore[list-item]
