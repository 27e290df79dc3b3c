"""A guess before the reveal: questions with a few answers, the truth at once, and a score beside a number to beat.

What the reader answers stays in the browser; nothing of it is kept or sent.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.figure import Figure

from ganlib import _check

from .frames import png

MOST_ANSWERS = 9
"""Answers that a question may offer: each has a digit as its key."""
QUIZ_LIMIT = 1_500_000
"""Bytes of pictures that a quiz may hold: they all travel in the page."""


@dataclass(frozen=True)
class Question:
    """One question of a `quiz`.

    Attributes:
        text: the question, plain text.
        answers: what may be said, two to nine different texts, in the order of their keys 1, 2, ….
        right: index of the right answer.
        reveal: what is said once the reader has answered: why it is so.
        picture: what the question is about, a figure (rendered, then closed) or PNG bytes; or nothing.
        alt: what the picture shows, without telling the answer, for those who cannot see it.
    """

    text: str
    answers: Sequence[str]
    right: int
    reveal: str = ""
    picture: Figure | bytes | None = None
    alt: str = ""


class Quiz(anywidget.AnyWidget):
    """What `quiz` returns: a widget that needs no kernel.

    Attributes:
        questions: each question with its answers, the index of the right one, and its picture.
        yardstick: a name and a share of right answers to compare the reader's with; empty without one.
    """

    _esm = Path(__file__).with_name("quiz.js")
    _css = Path(__file__).with_name("quiz.css")
    questions: Any = traitlets.List().tag(sync=True)
    yardstick = traitlets.Dict().tag(sync=True)


def quiz(questions: Sequence[Question], yardstick: tuple[str, float] | None = None) -> Quiz:
    """Questions one after the other; each is answered by a click or a digit, and the truth follows at once.

    First used in chapter 3.

    Args:
        questions: at least one.
        yardstick: whose share of right answers stands beside the reader's at the end, and that share, from 0 to 1:
            ("a coin", 0.5). Without it, the mean share of somebody who guesses at random.

    Returns:
        The widget.

    Raises:
        TypeError: a question that is no `Question`, or a picture that is neither a figure nor bytes.
        ValueError: no question; fewer than two answers, more than nine, or two alike; a right answer that is not
            among them; a picture without alternative text; more pictures than a page should carry; a
            share out of range.
    """
    if not questions:
        raise ValueError("questions must hold at least one Question, got none")
    written = [_written(i, question) for i, question in enumerate(questions)]
    weight = sum(len(one["picture"]) * 3 // 4 for one in written)
    if weight > QUIZ_LIMIT:
        raise ValueError(
            f"the pictures take {weight / 1e6:.1f} MB of the page, {QUIZ_LIMIT / 1e6:.1f} at most: take fewer"
        )
    if yardstick is None:
        name, share = "guessing at random", sum(1 / len(one["answers"]) for one in written) / len(written)
    else:
        name, share = yardstick[0], _check.finite("yardstick", yardstick[1], minimum=0.0)
    if share > 1:
        raise ValueError(f"yardstick must be a share of right answers, from 0 to 1, got {share:g}")
    return Quiz(questions=written, yardstick={"name": name, "share": share})


def _written(i: int, question: Question) -> dict[str, Any]:
    """A question as the page gets it; its picture as the address of its own bytes."""
    if not isinstance(question, Question):
        raise TypeError(f"questions[{i}] must be a Question, got {type(question).__name__}")
    answers = [str(answer) for answer in question.answers]
    if not 2 <= len(answers) <= MOST_ANSWERS or len(set(answers)) != len(answers):
        raise ValueError(f"questions[{i}] must have 2 to {MOST_ANSWERS} different answers, got {answers}")
    right = _check.positive_int(f"questions[{i}].right", question.right, minimum=0)
    if right >= len(answers):
        raise ValueError(f"questions[{i}].right must be the index of one of {len(answers)} answers, got {right}")
    if question.picture is not None and not question.alt.strip():
        raise ValueError(f"questions[{i}].alt must say in words what the picture shows")
    picture = "" if question.picture is None else base64.b64encode(png(question.picture)).decode()
    return {
        "text": question.text,
        "answers": answers,
        "right": right,
        "reveal": question.reveal,
        "picture": picture,
        "alt": question.alt,
    }
