"""Two networks mixed in the reader's browser: a slider between their weights, and what is won and lost on the way.

Source: network interpolation, ESRGAN (Wang et al. 2018, https://arxiv.org/abs/1809.00219, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets
from torch import Tensor

from ganlib import _check
from ganlib.book.widgets.network import script
from ganlib.book.widgets.translators import Translating, as_bytes, bounded, joined, worded, write_all


class Mix(Translating):
    """What `mix` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        alpha: 0 for the first network, 1 for the second.
        picture: which one is shown, from 0.
    """

    _esm = script("engine.js", "page.js", "translators.js", "mix.js")
    _css = Path(__file__).with_name("translators.css")
    alpha = traitlets.Float(0.0).tag(sync=True)
    picture = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("alpha")
    def _known_alpha(self, proposal: Any) -> float:
        return bounded("alpha", proposal["value"], 0, 1)

    @traitlets.validate("picture")
    def _known_picture(self, proposal: Any) -> int:
        return int(bounded("picture", proposal["value"], 0, self.facts["count"] - 1))


def mix(
    first: Any,
    second: Any,
    inputs: Tensor,
    targets: Tensor,
    *,
    names: Sequence[str] = ("first", "second"),
    border: int = 0,
    alpha: float = 0.0,
    alt: str = "picture",
) -> Mix:
    """A slider α between two networks of one architecture: (1 − α) · first + α · second, weight by weight.

    First used in chapter 17.

    The mixture runs in the page on the picture chosen; beside it stand two numbers over all pictures, of outputs
    clipped to [-1, 1] and with `border` pixels cut off on each side:

    - PSNR, 10 log₁₀(4 / MSE), with the mean squared error over all numbers of all pictures;
    - gradient energy, the mean squared difference of neighbours across plus that of neighbours down, divided by the
      same of the targets.

    BatchNorm is mixed as the scale and the shift that it is in evaluation mode.

    Args:
        first: a translator of the inputs to images like the targets (see `pad` for what may run), such as one trained
            with a squared loss.
        second: another of the same architecture, such as one trained from it against a discriminator.
        inputs: (N, 1 or 3, h, w), uint8 or floats in [-1, 1].
        targets: (N, 1 or 3, H, W), what they should become.
        names: what to call both networks.
        border: pixels on each side that do not count.
        alpha: where the slider stands at the start.
        alt: what a picture shows, for those who cannot see it.

    Returns:
        The widget.

    Raises:
        TypeError: a network is no translator, or has a layer that does not run in the page, which the message names.
        ValueError: networks of two architectures, outputs that are not like the targets, a border that leaves nothing,
            weights of both networks above `WEIGHTS_LIMIT`.
    """
    small = as_bytes("inputs", inputs)
    count, *sides = small.shape
    shape = (sides[0], sides[1], sides[2])
    networks, weights = write_all({"first": (first, shape), "second": (second, shape)})
    if networks[0] != networks[1]:
        raise ValueError("first and second must be of one architecture, layer by layer: only then can weights be mixed")
    large = networks[0]["shape"]
    goals = as_bytes("targets", targets, (count, *large))
    if 2 * _check.positive_int("border", border, minimum=0) + 2 > min(large[1:]):
        raise ValueError(f"border must leave at least 2 pixels of {min(large[1:])}, got {border}")
    if len(names) != 2 or isinstance(names, str):
        raise ValueError(f"names must be two, of the first and the second network, got {names!r}")
    start = _check.finite("alpha", alpha, minimum=0)
    if start > 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    facts = {
        "shape": list(shape),
        "large": large,
        "count": count,
        "names": [str(name) for name in names],
        "border": border,
        "alt": worded(alt),
    }
    return Mix(networks=networks, weights=weights, pictures=joined(small, goals), facts=facts, alpha=start)
