"""A GAN of small images that trains in the page: two perceptrons in a worker of the reader's browser.

It plays as PyTorch does: G (16-128-128-H·W, tanh) and D (H·W-128-128-1) with LeakyReLU of slope 0.2, the losses of
`losses`, `penalties.r1`, `torch.optim.Adam` with betas (0, 0.99), and the averaged generator of `games`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import anywidget
import torch
import traitlets
from torch import Tensor, nn

from ganlib import _check
from ganlib.book.widgets.laboratory import LABORATORY_LOSSES
from ganlib.book.widgets.network import script
from ganlib.book.widgets.translators import as_bytes, joined, worded

TRAINER_SIDE = 16
"""Pixels a side above which perceptrons would take too long."""
_LATENT, _WIDTH, _SHOWN = 16, 128, 16
_RATES = [0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02]
_CHOICES: dict[str, tuple[str, list[Any]]] = {
    "loss": ("Loss", list(LABORATORY_LOSSES)),
    "rateD": ("Learning rate of D", _RATES),
    "rateG": ("Learning rate of G", _RATES),
    "batch": ("Batch", [16, 32, 64, 128]),
    "r1": ("R1, weight γ", [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
}
_BOUNDS = {"rateD": (0.0, 0.1), "rateG": (0.0, 0.1), "batch": (1, 256), "r1": (0.0, 10.0), "seed": (0, 999_999)}
_WHOLE = ("batch", "seed")


class Trainer(anywidget.AnyWidget):
    """What `trainer` returns: a widget that needs no kernel, and whose state Python can read and set where one runs.

    Attributes:
        settings: "loss", "rateD", "rateG", "batch", "r1" and "seed". The seed counts from the next start from nothing,
            the others at once.
        playing: whether it trains; it begins at rest.
        progress: "rounds", "seconds", "lossD", "lossG" and "distance", as they stand; empty before the page has begun.
        weights: those of the averaged generator whenever it pauses, in single precision.
        images: the data, a byte a number.
        facts: what else the page is told.
        engine: what the worker runs.
    """

    _esm = script("page.js", "trainer.js")
    _css = script("translators.css", "trainer.css")
    settings: Any = traitlets.Dict().tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    progress: Any = traitlets.Dict().tag(sync=True)
    weights: Any = traitlets.CBytes().tag(sync=True)  # the page sends a view of memory
    images = traitlets.Bytes().tag(sync=True)
    facts = traitlets.Dict().tag(sync=True)
    engine = traitlets.Unicode(
        re.sub("^export ", "", script("training.js", "trainer_worker.js"), flags=re.MULTILINE)
    ).tag(sync=True)

    def generator(self) -> nn.Module:
        """The averaged generator as it stood at the last pause: z (N, 16) -> images (N, 1, H, W) in [-1, 1].

        Raises:
            RuntimeError: the page has not sent one.
        """
        if not self.weights:
            raise RuntimeError("nothing has trained yet: press Start in the widget, and Pause")
        height, width = self.facts["shape"]
        hidden = [layer for n in (_LATENT, _WIDTH) for layer in (nn.Linear(n, _WIDTH), nn.LeakyReLU(0.2))]
        net = nn.Sequential(*hidden, nn.Linear(_WIDTH, height * width), nn.Tanh(), nn.Unflatten(1, (1, height, width)))
        numbers = torch.frombuffer(bytearray(self.weights), dtype=torch.float32)
        nn.utils.vector_to_parameters(numbers, net.parameters())
        return net.eval()

    @traitlets.validate("weights")
    def _whole(self, proposal: Any) -> bytes:
        weights: bytes = proposal["value"]
        pixels = math.prod(self.facts["shape"])
        wanted = 4 * sum((n + 1) * m for n, m in ((_LATENT, _WIDTH), (_WIDTH, _WIDTH), (_WIDTH, pixels)))
        if len(weights) not in (0, wanted):
            raise traitlets.TraitError(f"weights must hold {wanted} bytes or none, got {len(weights)}")
        return weights

    @traitlets.validate("settings")
    def _within(self, proposal: Any) -> dict[str, Any]:
        try:
            return _settings(proposal["value"])
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(f"settings: {error}") from error


def trainer(
    images: Tensor,
    held_out: Tensor,
    *,
    loss: str = "non_saturating",
    lr: float | Sequence[float] = 0.003,
    batch: int = 64,
    r1: float = 0.0,
    seed: int = 0,
    alt: str = "digit",
) -> Trainer:
    """A GAN that learns to make small images before the reader's eyes, from nothing, in their own browser.

    First used in chapter 5.

    One starts it, pauses, changes the settings and starts again; sixteen samples of the averaged generator move, and
    so do both losses and the median distance of 256 samples to the nearest image of the data, beside that of held-out
    images. Real 8×8 digits (`data.load("digits8")`) are readable after some 800 to 1200 rounds, within half a minute on
    an idle laptop.

    Args:
        images: (N, 1, H, W), N at least 16, sides of at most 16, uint8 or floats in [-1, 1].
        held_out: (M, 1, H, W), others of the same kind.
        loss: "minimax", "non_saturating", "least_squares" or "rpgan".
        lr: learning rate of both, or (of G, of D), at most 0.1.
        batch: 1 to 256.
        r1: weight γ of the penalty γ/2 · E‖∇D‖² on the data, 0 to 10.
        seed: decides the first weights and every batch; 0 to 999999.
        alt: what one image shows, for those who cannot see it.

    Returns:
        The widget.

    Raises:
        TypeError: images or numbers that are none.
        ValueError: images of another shape, too few, or more than a page should carry; an unknown loss; a number out
            of range.
    """
    pictures, others = as_bytes("images", images), as_bytes("held_out", held_out)
    count, channels, height, width = pictures.shape
    fits = channels == 1 and max(height, width) <= TRAINER_SIDE and count >= _SHOWN
    _check.shape("images", pictures, f"(N, 1, H, W) with N ≥ {_SHOWN} and sides of at most {TRAINER_SIDE}", fits)
    _check.shape("held_out", others, f"(M, 1, {height}, {width})", others.shape[1:] == pictures.shape[1:])
    rates = [lr, lr] if isinstance(lr, int | float) else list(lr)
    if len(rates) != 2:
        raise ValueError(f"lr must be one number, or two: of G and of D; got {lr!r}")
    settings = {"loss": loss, "rateD": rates[1], "rateG": rates[0], "batch": batch, "r1": r1, "seed": seed}
    known, unseen = (part.flatten(1).float() / 127.5 - 1 for part in (pictures, others))
    facts = {
        "shape": [height, width],
        "held": torch.cdist(unseen, known).amin(1).quantile(0.5).item(),
        "alt": worded(alt),
        "choices": {name: {"title": title, "values": values} for name, (title, values) in _CHOICES.items()},
        "losses": {
            "minimax": "minimax (saturating)",
            "non_saturating": "non-saturating",
            "least_squares": "least squares",
            "rpgan": "RpGAN",
        },
    }
    return Trainer(images=joined(pictures), facts=facts, settings=_settings(settings))


def _settings(settings: Any) -> dict[str, Any]:
    """Settings within their bounds, or an error that names the one that is not."""
    if not isinstance(settings, Mapping) or set(settings) != {"loss", *_BOUNDS}:
        raise ValueError(f"must hold {['loss', *_BOUNDS]}, got {settings!r}")
    _check.one_of("loss", settings["loss"], LABORATORY_LOSSES)
    for name, (least, most) in _BOUNDS.items():
        value = settings[name]
        said = {"rateD": "lr of D", "rateG": "lr of G"}.get(name, name)
        value = _check.positive_int(said, value, minimum=0) if name in _WHOLE else _check.finite(said, value)
        if not least <= value <= most or math.isnan(value):
            raise ValueError(f"{said} must lie between {least:g} and {most:g}, got {value:g}")
    return cast(dict[str, Any], dict(settings))
