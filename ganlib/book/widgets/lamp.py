"""A lamp in the reader's browser for what a translation hides: a signal too faint to see, that the way back reads.

Source: CycleGAN, a master of steganography (Chu et al. 2017, https://arxiv.org/abs/1712.02950).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import traitlets
from torch import Tensor

from ganlib import _check
from ganlib.book.widgets.network import script
from ganlib.book.widgets.translators import Translating, as_bytes, bounded, joined, two_colours, worded, write_all

MOST_GAIN, MOST_NOISE = 50, 0.5


class Lamp(Translating):
    """What `lamp` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        picture: which one is shown, from 0.
        gain: of the lamp, 1 to 50.
        sigma: standard deviation of the noise on G(x), 0 to 0.5, where pixels lie in [-1, 1].
        two_levels: whether G(x) is rounded to -1 and 1 before the noise.
    """

    _esm = script("engine.js", "page.js", "translators.js", "lamp.js")
    _css = Path(__file__).with_name("translators.css")
    picture = traitlets.Int(0).tag(sync=True)
    gain = traitlets.Float(MOST_GAIN).tag(sync=True)
    sigma = traitlets.Float(0.0).tag(sync=True)
    two_levels = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("picture")
    def _known_picture(self, proposal: Any) -> int:
        return int(bounded("picture", proposal["value"], 0, self.facts["count"] - 1))

    @traitlets.validate("gain")
    def _small_gain(self, proposal: Any) -> float:
        return bounded("gain", proposal["value"], 1, MOST_GAIN)

    @traitlets.validate("sigma")
    def _small_noise(self, proposal: Any) -> float:
        return bounded("sigma", proposal["value"], 0, MOST_NOISE)


def lamp(
    there: Any,
    back: Any,
    images: Tensor,
    *,
    truth: Tensor | None = None,
    colours: tuple[str, Sequence[int], str, Sequence[int]] | None = None,
    mask: Tensor | None = None,
    gain: float = MOST_GAIN,
    alt: str = "picture",
) -> Lamp:
    """What G(x) hides made visible, and what F makes of G(x) once noise or rounding has wiped it out.

    First used in chapter 16.

    Shown are x, G(x), grey + gain · (G(x) − clean) / 2 with pixels in [0, 1], what F is given, and what F makes of it:
    F(G(x)), F(G(x) + noise), or the same of G(x) rounded to two levels. Both networks run in the page, in evaluation
    mode.

    Args:
        there: G, a translator of `images` to images of the same sides (see `pad` for what may run).
        back: F, a translator of what G makes to images like `images`.
        images: x, (N, 1 or 3, H, W), uint8 or floats in [-1, 1].
        truth: what G(x) should be, (N, …) of the shape G makes: the clean side of the difference. Without it, that is
            G(x) rounded to two levels, −1 below 0 and 1 from there on.
        colours: (name, colour, other name, other colour), colours as red, green and blue from 0 to 255: the verdict on
            a picture is which of them the mean over its mask is nearer to, by squared distance. It stands beside that
            on x, and counted is on how many pictures both agree.
        mask: (N, H, W) bool, where colours are judged; a picture whose mask is empty is not judged.
        gain: of the lamp at the start, 1 to 50.
        alt: what a picture shows, for those who cannot see it.

    Returns:
        The widget.

    Raises:
        TypeError: a network is no translator, or has a layer that does not run in the page, which the message names.
        ValueError: networks or pictures that do not fit each other, colours without a mask or a mask without colours,
            weights of both networks above `WEIGHTS_LIMIT`.
    """
    pictures = as_bytes("images", images)
    count, channels, height, width = pictures.shape
    shape = (channels, height, width)
    (first,), _ = write_all({"there": (there, shape)})
    drawn = cast(tuple[int, int, int], tuple(first["shape"]))
    if drawn[1:] != (height, width):
        raise ValueError(f"there must keep the sides of the images, {height}×{width}, got {drawn}")
    networks, weights = write_all({"there": (there, shape), "back": (back, drawn)})
    if networks[1]["shape"] != list(shape):
        raise ValueError(f"back must make images of shape {shape} like those translated, got {networks[1]['shape']}")
    sets = [pictures]
    if truth is not None:
        sets.append(as_bytes("truth", truth, (count, *drawn)))
    if (colours is None) != (mask is None):
        raise ValueError("colours and mask must be given together: where to judge, and between which colours")
    if mask is not None:
        _check.tensor("mask", mask)
        _check.shape("mask", mask, str((count, height, width)), mask.shape == (count, height, width))
        if channels != 3 or mask.dtype != torch.bool or not mask.any():
            raise ValueError(
                f"mask must be bool, on pictures in colour, and true somewhere, got {mask.dtype} with "
                f"{int(mask.sum())} true, on {channels} channels"
            )
        sets.append(mask.cpu().to(torch.uint8).contiguous())
    facts = {
        "shape": list(shape),
        "drawn": list(drawn),
        "count": count,
        "truth": truth is not None,
        "masks": mask is not None,
        "colours": None if colours is None else two_colours("colours", colours),
        "alt": worded(alt),
    }
    start = _check.finite("gain", gain, minimum=1)
    if start > MOST_GAIN:
        raise ValueError(f"gain must lie between 1 and {MOST_GAIN}, got {gain!r}")
    return Lamp(networks=networks, weights=weights, pictures=joined(*sets), facts=facts, gain=start)
