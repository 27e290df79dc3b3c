"""Interactive figures that need no kernel: they work in Jupyter, in Colab and in the published page.

`scrubber` leads through precomputed frames; it is made of core ipywidgets. The others bring a script of their own:
`live` hands a trained generator to the reader's browser, `laboratory` is a GAN that trains there, and `quiz` asks for a
guess before the reveal.
"""

from __future__ import annotations

from ganlib.book.widgets.frames import LIMIT, Scrubber, png, scrubber
from ganlib.book.widgets.generator import SIDE_LIMIT, WEIGHTS_LIMIT, Live, live
from ganlib.book.widgets.laboratory import LABORATORY_LOSSES, Laboratory, laboratory
from ganlib.book.widgets.quiz import MOST_ANSWERS, QUIZ_LIMIT, Question, Quiz, quiz

__all__ = [
    "LABORATORY_LOSSES",
    "LIMIT",
    "MOST_ANSWERS",
    "QUIZ_LIMIT",
    "SIDE_LIMIT",
    "WEIGHTS_LIMIT",
    "Laboratory",
    "Live",
    "Question",
    "Quiz",
    "Scrubber",
    "laboratory",
    "live",
    "png",
    "quiz",
    "scrubber",
]
