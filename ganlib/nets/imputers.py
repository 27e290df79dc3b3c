r"""Networks for tables with holes: GAIN's generator answers for every entry, its discriminator judges each.

Both see rows scaled to [0, 1], as `data.Incomplete` hands them out, with what is known of the mask beside them: three
layers with ReLU, as wide as the table, weights ~ N(0, 2 / fan-in) (Yoon et al. 2018, https://arxiv.org/abs/1806.02920,
and their code).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _Net
from ganlib.nets.points import _in_float32

__all__ = ["Imputer", "MaskDiscriminator"]


def _layers(columns: int, width: int) -> nn.Sequential:
    layers = nn.Sequential(
        nn.Linear(2 * columns, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, columns)
    )
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=(2 / layer.in_features) ** 0.5)
            nn.init.zeros_(layer.bias)
    return layers


class Imputer(_Net):
    """GAIN's generator: a row with holes -> a value for every entry, known ones included. First built in chapter 18.

    Noise stands in the holes. With the 0.01 of the authors' code on values in [0, 1] the network is all but a function
    of what is known; with 1 the noise is as wide as the data.

    Source: Yoon et al. 2018, https://arxiv.org/abs/1806.02920, section 4.1.

    Args:
        columns: of the table, D; z is as long.
        width: units of the two hidden layers; by default D.
        noise: the noise is uniform on [0, noise].
    """

    prior = "uniform"

    def __init__(self, columns: int, width: int | None = None, noise: float = 0.01) -> None:
        super().__init__()
        self.columns = self.latent = _check.positive_int("columns", columns)
        self.noise = _check.finite("noise", noise, minimum=0)
        self.layers = _layers(columns, columns if width is None else _check.positive_int("width", width))

    def forward(self, inputs: Tensor, z: Tensor) -> Tensor:
        """Values in [0, 1], (N, D), from rows and their masks (N, 2D), 1 where known, and z (N, D) in [-1, 1]."""
        _check_input("inputs", inputs, 2 * self.columns)
        _check_input("z", z, self.columns)
        row, known = inputs.chunk(2, 1)
        seen = known * row + (1 - known) * self.noise * (z + 1) / 2
        with _in_float32(inputs):
            return cast(Tensor, self.layers(torch.cat([seen, known], 1)).sigmoid())


class MaskDiscriminator(_Net):
    """GAIN's discriminator: a completed row and a hint -> a logit for each entry, whether it was known. First built in
    chapter 18.

    Source: Yoon et al. 2018, https://arxiv.org/abs/1806.02920, section 4.2.

    Args:
        columns: of the table, D.
        width: units of the two hidden layers; by default D.
    """

    def __init__(self, columns: int, width: int | None = None) -> None:
        super().__init__()
        self.columns = _check.positive_int("columns", columns)
        self.layers = _layers(columns, columns if width is None else _check.positive_int("width", width))

    def forward(self, row: Tensor, hint: Tensor) -> Tensor:
        """Logits (N, D) from completed rows in [0, 1] and hints, both (N, D)."""
        _check_input("row", row, self.columns)
        _check_input("hint", hint, self.columns)
        with _in_float32(row):
            return cast(Tensor, self.layers(torch.cat([row, hint], 1)))
