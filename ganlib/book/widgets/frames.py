"""Interactive figures that need no kernel: precomputed frames, a play button and a slider, joined in the browser.

All parts are core ipywidgets and all links are `jslink`s, so the same widget works in Jupyter and in the published
page, where nothing runs but the reader's browser. Colab stays at ipywidgets 7, and its pages draw nothing newer: there
the kernel swaps the pictures.
"""

from __future__ import annotations

import base64
import html
import io
import struct
import warnings
from collections.abc import Sequence
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ganlib.plot import PICTURE_ALPHA

LIMIT = 1_500_000
"""Bytes of frames above which a scrubber warns: they all travel in the page."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLORS = 128


def scrubber(
    frames: Sequence[Figure | bytes],
    labels: Sequence[str],
    description: str = "step",
    alt: str | Sequence[str] = "",
    interval: int = 400,
) -> ipywidgets.VBox:
    """One picture, and a slider with a play button that leads through its frames. First used in chapter 3.

    Args:
        frames: matplotlib figures (rendered to small PNGs, then closed) or PNG bytes, all of one size in pixels.
        labels: one different text a frame, shown beside the slider ("0", "100", …, or "A", "B", …).
        description: what the labels count, written before the slider and read out by screen readers.
        alt: what the frames show, for those who cannot see them: one text for all, to which description and label are
            added, or one a frame. It becomes the images' alt text.
        interval: milliseconds a frame when playing.

    Returns:
        The widget. Its `frames_bytes` is the size of all frames together, which the page has to carry.

    Raises:
        TypeError: a frame is neither a figure nor bytes.
        ValueError: no frames, counts that differ, labels that repeat, no alt text, bytes that are no PNG, frames of
            different sizes.

    Warns:
        UserWarning: the frames take more than `LIMIT` bytes.
    """
    n = len(frames)
    if n == 0:
        raise ValueError("frames must hold at least one figure, got none")
    labels = [str(label) for label in labels]
    if len(labels) != n or len(set(labels)) != n:
        raise ValueError(f"labels must be {n} different texts; got {len(labels)}, {len(set(labels))} different")
    texts = [f"{alt} ({description} {label})" for label in labels] if isinstance(alt, str) else list(alt)
    if not alt or len(texts) != n or not all(text.strip() for text in texts):
        raise ValueError(f"alt must say in words what the figure shows: one text, or {n} of them, got {alt!r}")
    pictures = [png(frame) for frame in frames]
    sizes = sorted({_size(picture) for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(f"frames must all have one size in pixels, got {' and '.join(f'{w}×{h}' for w, h in sizes)}")
    weight = sum(map(len, pictures))
    if weight > LIMIT:
        warnings.warn(f"the frames take {weight / 1e6:.1f} MB of the page; take fewer or smaller ones", stacklevel=2)

    # HTML rather than Image: ipywidgets' Image has no alt text, and fails to show when given a tooltip instead.
    width, height = sizes[0]
    images = [
        f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}" alt="{html.escape(text)}" '
        f'width="{width}" height="{height}" style="max-width: 100%; height: auto; display: block">'
        for picture, text in zip(pictures, texts, strict=True)
    ]
    play = ipywidgets.Play(min=0, max=n - 1, interval=interval, show_repeat=False)
    slider = ipywidgets.SelectionSlider(
        options=labels,
        index=0,
        description=description,
        style={"description_width": "initial"},  # all of it, however long
        layout={"width": "100%", "max_width": "420px"},
    )
    shown: ipywidgets.Widget
    if hasattr(ipywidgets, "Stack"):
        play.tooltip = f"play: {description}"
        shown = ipywidgets.Stack([ipywidgets.HTML(image) for image in images], selected_index=0)
        ipywidgets.jslink((play, "value"), (slider, "index"))
        ipywidgets.jslink((slider, "index"), (shown, "selected_index"))
    else:  # ipywidgets 7
        shown = ipywidgets.HTML(images[0])
        ipywidgets.link((play, "value"), (slider, "index"))
        slider.observe(lambda change: setattr(shown, "value", images[change["new"]]), "index")
    shown.layout.max_width = "100%"
    controls = ipywidgets.HBox([play, slider], layout={"max_width": "100%", "align_items": "center"})
    box = Scrubber([controls, shown], layout={"max_width": "100%", "overflow": "hidden"})
    box.frames_bytes = weight
    return box


class Scrubber(ipywidgets.VBox):
    """What `scrubber` returns: an ordinary VBox that knows how heavy its frames are."""

    frames_bytes: int = 0


def png(frame: Figure | bytes) -> bytes:
    """A figure as a small PNG: at most 128 colours, no dithering; the figure is closed. PNG bytes pass as they are.

    Pixels of pictures keep the mark that `ganlib.plot` gave them: their colours stand twice in the palette.

    Raises:
        TypeError: neither a figure nor bytes.
        ValueError: bytes that are no PNG.
    """
    if isinstance(frame, bytes):
        if not frame.startswith(_SIGNATURE):
            raise ValueError(f"frames must be figures or PNG files as bytes, got bytes that begin with {frame[:8]!r}")
        return frame
    if not isinstance(frame, Figure):
        raise TypeError(f"frames must be matplotlib figures or PNG bytes, got {type(frame).__name__}")
    drawn = io.BytesIO()
    frame.savefig(drawn, format="png", dpi=min(frame.dpi, 100))
    plt.close(frame)
    pixels = np.asarray(Image.open(drawn).convert("RGBA"))
    opaque = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    # Not Pillow's default: it would spend the colours on what fills the picture and tint lines, text and colour bars.
    spread = Image.Quantize.MAXCOVERAGE
    few: Any = opaque.quantize(_COLORS, method=spread, kmeans=1, dither=Image.Dither.NONE)
    marked = pixels[..., 3] == PICTURE_ALPHA
    options = {}
    if marked.any():
        colors = few.getpalette()[: 3 * _COLORS]
        n = len(colors) // 3
        few = Image.fromarray(np.asarray(few) + np.uint8(n) * marked, mode="P")
        few.putpalette(colors + colors)
        options["transparency"] = bytes([255] * n + [PICTURE_ALPHA] * n)
    small = io.BytesIO()
    few.save(small, format="png", optimize=True, **options)
    return small.getvalue()


def _size(picture: bytes) -> tuple[int, int]:
    """Width and height, which a PNG names in its first chunk."""
    width, height = struct.unpack(">II", picture[16:24])
    return width, height
