"""Figures in dark mode: drawn once, on white, and recoloured by the reader's browser.

Every article carries one SVG filter, and web/book.css applies it to the pictures of dark pages. It turns lightness
round, white becoming the page's own ground, and keeps hues, so that blue stays the data and vermilion the model; pixels
that `ganlib.plot.Picture` marked (digits, photographs) pass as they are. The page carries no second set of figures, and
the frames of sliders are recoloured too.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

#: R, G and B of the result, each from R, G, B and 1. Found by search: of the linear maps that send white to #121212 and
#: black to #f4f4f4, that keep every series of ganlib.plot within 15° of its hue and at a contrast of 3.3 to 1 or more,
#: the one that best keeps the series apart for readers with protanopia or deuteranopia.
COLORS = (
    (0.524, -1.245, -0.165, 0.957),
    (-0.269, -0.537, -0.080, 0.957),
    (-0.313, -1.712, 1.139, 0.957),
)
MATRIX = "  ".join(" ".join(f"{part:g}" for part in (*row[:3], 0, row[3])) for row in COLORS) + "  0 0 0 1 0"
#: A pixel of a picture has an opacity of 254/255, all others are opaque. Where a figure is scaled the two kinds mix at
#: the rim of a picture; those pixels, a black tile's and its white neighbours', would be light lines: none is shown.
FILTER = f"""<svg class="dark-figure" aria-hidden="true" width="0" height="0"><filter id="dark-figure" x="0" y="0"
width="1" height="1" color-interpolation-filters="sRGB">
<feComponentTransfer in="SourceGraphic" result="picture"><feFuncA type="linear" slope="-255" intercept="255"/>
</feComponentTransfer>
<feColorMatrix in="SourceGraphic" values="{MATRIX}" result="dark"/>
<feMorphology in="picture" operator="erode" radius="1" result="inner"/>
<feMorphology in="picture" operator="dilate" radius="1" result="outer"/>
<feComposite in="SourceGraphic" in2="inner" operator="in" result="kept"/>
<feComposite in="dark" in2="outer" operator="out" result="turned"/>
<feMerge><feMergeNode in="turned"/><feMergeNode in="kept"/></feMerge></filter></svg>"""


def add_filter(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if "body" in context:
        context["body"] = FILTER + context["body"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_filter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
