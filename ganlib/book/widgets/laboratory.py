"""A GAN that trains in the page: two perceptrons, their gradients by hand and Adam, all in the reader's browser.

The script plays min_G max_D V(D, G) (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661) and its relatives on the
line or in the plane, step by step as PyTorch does: the networks are `nets.MLPGenerator` and `nets.MLPDiscriminator`
with two hidden layers of 32, the losses those of `losses`, the penalty `penalties.r1`, the optimiser
`torch.optim.Adam` with betas (0.5, 0.999). Data are mixtures of Gaussians, whose probabilities are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from ganlib import _check, toys
from ganlib.book.widgets.network import script

LABORATORY_LOSSES = ("minimax", "non_saturating", "least_squares", "rpgan")
"""The losses that the laboratory plays, by their names in `losses.LOSSES`."""
_OWN = ("own_line", "own_plane")
_SPIRAL = toys.spiral(turns=1.0, std=0.05)
_PRESETS = {
    "gaussians": ("two bumps (line)", toys.two_bumps()),
    "gaussian": ("one bump (line)", toys.gaussian(1.5, 0.6)),
    "own_line": ("drawn by you (line)", toys.mixture_1d((-1.5, 1.5), 0.4)),
    "ring": ("ring of eight (plane)", toys.ring(radius=2.0, std=0.3)),
    "grid": ("grid of nine (plane)", toys.grid(3, spacing=2.0, std=0.3)),
    "spiral": ("spiral (plane)", toys.Mixture(_SPIRAL.weights, 2 * _SPIRAL.centres, 0.15)),
    "own_plane": ("drawn by you (plane)", toys.Mixture([0.5, 0.5], [[-1.5, 0.0], [1.5, 0.0]], 0.3)),
}


class Laboratory(anywidget.AnyWidget):
    """What `laboratory` returns: a widget that needs no kernel. What the reader does with it stays in the browser.

    Attributes:
        presets: the data on offer, by name: title, dimension, half the width of the picture, and the mixture.
        start: the data, the loss and the settings that the controls begin with.
    """

    _esm = script("training.js", "laboratory.js")
    _css = script("laboratory.css")
    presets = traitlets.Dict().tag(sync=True)
    start = traitlets.Dict().tag(sync=True)


def laboratory(
    data: str | toys.Mixture = "gaussians",
    loss: str = "non_saturating",
    *,
    turns: int = 1,
    lr: float | Sequence[float] = (0.001, 0.01),
    r1: float = 0.0,
    seed: int = 0,
) -> Laboratory:
    """A GAN to play by hand: one step of D, one of G, or a run, with everything that decides it on sliders.

    First used in chapter 3.

    It shows D as a heat map, samples of G and where D pushes them, and V against its upper bound −log 4 + 2 JS, both
    measured on a grid in a way that the widget explains. The same seed and the same steps give the same game.
    A button copies the settings, and data drawn by mouse, finger or keys, for somebody else: in the published page as
    a link to it, which opens with them, elsewhere as a line of Python.

    Args:
        data: "gaussians" (the two bumps of chapter 3), "gaussian", "own_line" (the reader draws), all on the line;
            "ring", "grid", "spiral", "own_plane" in the plane; or a mixture of your own.
        loss: "minimax", "non_saturating", "least_squares" or "rpgan".
        turns: k, steps of D for one of G.
        lr: learning rate of both, or (of G, of D).
        r1: weight γ of the penalty γ/2 · E‖∇D‖² on the data; 0 leaves it out.
        seed: decides the first weights and every batch.

    Returns:
        The widget.

    Raises:
        TypeError: data that is neither a name nor a mixture, or numbers that are none.
        ValueError: an unknown name, a mixture with more than two dimensions, a number out of range.
    """
    presets = {name: _preset(title, mixture, name in _OWN) for name, (title, mixture) in _PRESETS.items()}
    if isinstance(data, toys.Mixture):
        if data.dim > 2:
            raise ValueError(f"data must lie on the line or in the plane, got {data.dim} dimensions")
        presets["given"] = _preset(f"{data.name} ({'line' if data.dim == 1 else 'plane'})", data, False)
        data = "given"
    elif not isinstance(data, str):
        raise TypeError(f"data must be a name or a toys.Mixture, got {type(data).__name__}")
    _check.one_of("data", data, presets)
    _check.one_of("loss", loss, LABORATORY_LOSSES)
    rates = [lr, lr] if isinstance(lr, (int, float)) else list(lr)
    if len(rates) != 2:
        raise ValueError(f"lr must be one number, or two: of G and of D; got {lr!r}")
    start = {
        "data": data,
        "loss": loss,
        "turns": _check.positive_int("turns", turns),
        "lr": [_check.finite("lr", rate, minimum=0.0) for rate in rates],
        "r1": _check.finite("r1", r1, minimum=0.0),
        "seed": _check.positive_int("seed", seed, minimum=0),
    }
    return Laboratory(presets=presets, start=start)


def _preset(title: str, mixture: toys.Mixture, own: bool) -> dict[str, Any]:
    """A mixture as plain lists; the picture shows half as much again as the data take up, to the next half unit."""
    farthest = (mixture.centres.abs().amax(1) + 3 * mixture.stds).max().item()
    return {
        "title": title,
        "dim": mixture.dim,
        "extent": math.ceil(3 * round(farthest, 6)) / 2,
        "centres": [[round(x, 5) for x in centre] for centre in mixture.centres.tolist()],
        "weights": mixture.weights.tolist(),
        "stds": mixture.stds.tolist(),
        "own": own,
        "std": mixture.stds[0].item(),
    }
