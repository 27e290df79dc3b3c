"""Interactive figures that need no kernel: they work in Jupyter, in Colab and in the published page.

`scrubber` leads through precomputed frames; it is made of core ipywidgets. `live` hands a trained generator to the
reader's browser; it brings a small script of its own.
"""

from __future__ import annotations

from ganlib.widgets.frames import LIMIT, Scrubber, png, scrubber
from ganlib.widgets.generator import SIDE_LIMIT, WEIGHTS_LIMIT, Live, live

__all__ = ["LIMIT", "SIDE_LIMIT", "WEIGHTS_LIMIT", "Live", "Scrubber", "live", "png", "scrubber"]
