"""An unconditional generator made of a conditional one: it draws the class itself."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _Net

__all__ = ["Clustered"]


class Clustered(_Net):
    """Draws a class k with probability shares[k] and a sample of it, from one latent vector (N, latent).

    The last number of z decides the class: its place in the prior's distribution, between 0 and 1, is looked up in the
    cumulated shares. The numbers before it go into the conditional generator. So classes that are only a means to an
    end (the clusters of `games.clustered_gan`) need not be asked for by whoever draws samples.

    Args:
        generator: a conditional generator of this package, its `classes` the number of shares.
        shares: probability of each class (classes,), at least 0; they are divided by their sum.

    Attributes:
        latent: one more than the generator's.
        classes: None, since none is asked for.
        prior: the generator's.

    Raises:
        ValueError, TypeError: a generator without classes, or shares that do not fit it.
    """

    cumulated: Tensor

    def __init__(self, generator: nn.Module, shares: Tensor) -> None:
        super().__init__()
        count = getattr(generator, "classes", None)
        if count is None:
            raise ValueError("generator must be conditional: make it with classes=…")
        ok = isinstance(shares, Tensor) and shares.shape == (count,)
        _check.shape("shares", shares, f"({count},), one for each class of the generator", ok)
        total = shares.double().sum()
        if not (shares >= 0).all() or not 0 < total < math.inf:
            raise ValueError(f"shares must be at least 0, and some above, got {shares.tolist()}")
        self.generator = generator
        self.latent = cast(int, generator.latent) + 1
        self.classes = None
        self.prior = getattr(generator, "prior", "normal")
        self.register_buffer("cumulated", (shares.double() / total).cumsum(0).float()[:-1])

    def choose(self, z: Tensor) -> Tensor:
        """The classes (N,) int64 that z (N, latent) stands for."""
        place = z[:, -1]
        place = (place + 1) / 2 if self.prior == "uniform" else torch.special.ndtr(place)
        return (place[:, None] > self.cumulated).sum(1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples from z (N, latent), each of the class that z chooses, or of `labels` (N,) where they are given."""
        _check.shape("z", z, f"(N, {self.latent})", isinstance(z, Tensor) and z.shape[1:] == (self.latent,))
        return cast(Tensor, self.generator(z[:, :-1], self.choose(z) if labels is None else labels))
