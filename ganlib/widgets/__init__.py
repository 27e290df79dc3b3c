"""Interactive figures that need no kernel: they work in Jupyter, in Colab and in the published page.

`scrubber` leads through precomputed frames; it is made of core ipywidgets.
"""

from __future__ import annotations

from ganlib.widgets.frames import LIMIT, Scrubber, png, scrubber

__all__ = ["LIMIT", "Scrubber", "png", "scrubber"]
