"""Interactive figures that need no kernel: they work in Jupyter, in Colab and in the published page.

`scrubber` leads through precomputed frames; it is made of core ipywidgets. The others bring a script of their own:
`live` hands a trained generator to the reader's browser, `laboratory` and `trainer` are GANs that train there, `quiz`
asks for a guess before the reveal, `budget` sells what was measured, and `table` is there to look things up in. Four
run translators: `pad` is painted on, `lamp` shows what a translation hides, `mix` slides between the weights of two
networks, and `rub` fills in what one rubs out. `canvas` is a window on an endless texture, and `styles` mixes two
pictures of one generator.
"""

from __future__ import annotations

from ganlib.book.widgets.budget import Budget, budget
from ganlib.book.widgets.canvas import Canvas, canvas, hashed_noise
from ganlib.book.widgets.frames import LIMIT, Scrubber, png, scrubber
from ganlib.book.widgets.generator import Live, live
from ganlib.book.widgets.laboratory import LABORATORY_LOSSES, Laboratory, laboratory
from ganlib.book.widgets.lamp import Lamp, lamp
from ganlib.book.widgets.mix import Mix, mix
from ganlib.book.widgets.network import SIDE_LIMIT, WEIGHTS_LIMIT
from ganlib.book.widgets.pad import MOST_BRUSHES, Pad, pad
from ganlib.book.widgets.quiz import MOST_ANSWERS, QUIZ_LIMIT, Question, Quiz, quiz
from ganlib.book.widgets.rub import Rub, rub
from ganlib.book.widgets.styles import Styles, styles
from ganlib.book.widgets.table import TABLE_LIMIT, Link, Table, table
from ganlib.book.widgets.trainer import TRAINER_SIDE, Trainer, trainer
from ganlib.book.widgets.translators import PICTURES_LIMIT

__all__ = [
    "LABORATORY_LOSSES",
    "LIMIT",
    "MOST_ANSWERS",
    "MOST_BRUSHES",
    "PICTURES_LIMIT",
    "QUIZ_LIMIT",
    "SIDE_LIMIT",
    "TABLE_LIMIT",
    "TRAINER_SIDE",
    "WEIGHTS_LIMIT",
    "Budget",
    "Canvas",
    "Laboratory",
    "Lamp",
    "Link",
    "Live",
    "Mix",
    "Pad",
    "Question",
    "Quiz",
    "Rub",
    "Scrubber",
    "Styles",
    "Table",
    "Trainer",
    "budget",
    "canvas",
    "hashed_noise",
    "laboratory",
    "lamp",
    "live",
    "mix",
    "pad",
    "png",
    "quiz",
    "rub",
    "scrubber",
    "styles",
    "table",
    "trainer",
]
