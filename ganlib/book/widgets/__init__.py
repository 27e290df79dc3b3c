"""Interactive figures that need no kernel: they work in Jupyter, in Colab and in the published page.

`scrubber` leads through precomputed frames; it is made of core ipywidgets. Two bring a small script of their own:
`live` hands a trained generator to the reader's browser, and `laboratory` is a GAN that trains there.
"""

from __future__ import annotations

from ganlib.book.widgets.frames import LIMIT, Scrubber, png, scrubber
from ganlib.book.widgets.generator import SIDE_LIMIT, WEIGHTS_LIMIT, Live, live
from ganlib.book.widgets.laboratory import LABORATORY_LOSSES, Laboratory, laboratory

__all__ = [
    "LABORATORY_LOSSES",
    "LIMIT",
    "SIDE_LIMIT",
    "WEIGHTS_LIMIT",
    "Laboratory",
    "Live",
    "Scrubber",
    "laboratory",
    "live",
    "png",
    "scrubber",
]
