"""Chapters, theorems and exercises are called by numbers that they have: in the book, in the library, in the tools.

A chapter that moves takes its number from many places with it; what was forgotten is found here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .notebooks import CHAPTERS, ROOT

TEXTS = {chapter.number: chapter.text for chapter in CHAPTERS}
LINK = re.compile(r"\[(?:\w+ )?(\d+)\]\([^()\s]*?(\d\d)_\w+\.ipynb\)")
STATEMENT = re.compile(r"\b(theorem|proposition|lemma|corollary|exercise)s? (\d+)\.(\d+)", re.I)
#: Of another book it is said so: "chapter 20 of …".
CHAPTER = re.compile(r"\bchapters? (\d+)\b(?!\.\d)(?! of)", re.I)


def speakers() -> list[Path]:
    """All that may speak of a chapter: pages, notebooks, and the code with its docstrings."""
    patterns = ("*.md", "practice/*.md", "reference/*.md", "chapters/*.ipynb", "ganlib/**/*.py", "tools/*.py")
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def stragglers(text: str, chapters: dict[int, str]) -> list[str]:
    """What this text calls by a number that is not its own.

    Args:
        text: prose, code or a notebook's source.
        chapters: number of a chapter -> its text.
    """
    wrong = [link[0] for link in LINK.finditer(text) if int(link[1]) != int(link[2])]
    wrong += [said[0] for said in CHAPTER.finditer(text) if int(said[1]) not in chapters]
    for said in STATEMENT.finditer(text):
        kind, chapter, place = said[1].capitalize(), int(said[2]), said[3]
        if not re.search(rf"\*\*{kind} {chapter}\.{place}\b", chapters.get(chapter, "")):
            wrong.append(said[0])
    return wrong


@pytest.mark.parametrize("path", speakers(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_numbers_lead_where_they_say(path: Path) -> None:
    assert stragglers(path.read_text(encoding="utf8"), TEXTS) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("as in [chapter 2](02_two.ipynb), theorem 2.1 and exercise 2.2", []),
        ("as in [chapter 3](02_two.ipynb)", ["[chapter 3](02_two.ipynb)", "chapter 3"]),
        ("see [3](chapters/02_two.ipynb)", ["[3](chapters/02_two.ipynb)"]),
        ("First built in chapter 14.", ["chapter 14"]),
        ("Theorem 2.2 and Exercise 4.1", ["Theorem 2.2", "Exercise 4.1"]),
        ("chapter 20 of Deep Learning", []),
    ],
)
def test_a_straggler_is_named(text: str, wrong: list[str]) -> None:
    assert stragglers(text, {2: "> **Theorem 2.1 (This).** …\n\n**Exercise 2.2** (…)"}) == wrong
