"""Toy data whose density is known exactly: mixtures of isotropic Gaussians on the line and in the plane,
log p(x) = logsumexp_k [log w_k − |x − c_k|² / 2σ_k² − (d/2) log 2πσ_k²]. The ring of 8 and the grid of 25 Gaussians are
the ones that mode collapse is counted on (Srivastava et al. 2017, VEEGAN, https://arxiv.org/abs/1705.07761)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ganlib import _check


@runtime_checkable
class Density(Protocol):
    """What can be drawn from and has an exact log-density (in nats)."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def log_prob(self, x: Tensor, /) -> Tensor:
        """Log-density: (N, dim) to (N,); where dim is 1 also (N,) to (N,)."""
        ...

    def sample(self, n: int, generator: torch.Generator, /) -> Tensor:
        """Draw n points: (n, dim) float32."""
        ...


class Mixture:
    """A mixture of K isotropic Gaussians in any dimension. First used in chapter 3.

    Attributes:
        name: what it is called.
        weights: (K,) float64, adding up to 1.
        centres: (K, dim) float64.
        stds: (K,) float64.
        dim: dimension of the data space.

    Args:
        weights: K probabilities.
        means: K centres, (K, dim); for the line (K,) will do.
        stds: K standard deviations, or one for all.
        name: what it is called.

    Raises:
        ValueError: shapes that do not fit, weights that are no probabilities, or an std that is not positive.
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        means: Sequence[float] | Sequence[Sequence[float]] | Tensor,
        stds: float | Sequence[float] | Tensor,
        name: str = "mixture",
    ) -> None:
        centres = torch.as_tensor(means, dtype=torch.float64)
        self.centres = centres[:, None] if centres.ndim == 1 else centres
        _check.shape(
            "means",
            centres,
            "(K, dim) or (K,), with K and dim at least 1",
            self.centres.ndim == 2 and self.centres.numel() > 0,
        )
        modes, self.dim = self.centres.shape
        self.weights = torch.as_tensor(weights, dtype=torch.float64)
        _check.shape("weights", self.weights, f"({modes},), one for each mean", self.weights.shape == (modes,))
        stds = torch.as_tensor(stds, dtype=torch.float64)
        _check.shape("stds", stds, f"({modes},), one for each mean, or ()", stds.shape in ((), (modes,)))
        self.stds = stds.expand(modes)
        self.name = name
        if not self.centres.isfinite().all():
            raise ValueError(f"means must be finite, got {self.centres.tolist()}")
        if not (self.weights >= 0).all() or abs(float(self.weights.sum()) - 1) > 1e-6:
            raise ValueError(f"weights must be at least 0 and add up to 1, got {self.weights.tolist()}")
        if not (self.stds > 0).all() or not self.stds.isfinite().all():
            raise ValueError(f"stds must be positive and finite, got {stds.tolist()}")

    def __repr__(self) -> str:
        return f"{self.name}: mixture of {len(self.weights)} Gaussian{'s' * (len(self.weights) > 1)}, {self.dim}-D"

    @property
    def std(self) -> float:
        """The standard deviation that all components share.

        Raises:
            ValueError: they differ; `stds` has them all.
        """
        if not (self.stds == self.stds[0]).all():
            raise ValueError(f"std is one number only where all components share it, got stds {self.stds.tolist()}")
        return float(self.stds[0])

    def log_prob(self, x: Tensor, /) -> Tensor:
        """Exact log-density in nats, computed in the dtype and on the device of x; differentiable.

        Args:
            x: points, (N, dim); on the line also (N,).

        Returns:
            (N,).

        Raises:
            TypeError, ValueError: x is not a tensor of floats of that shape.
        """
        _check.tensor("x", x)
        expected = "(N, 1) or (N,)" if self.dim == 1 else f"(N, {self.dim})"
        line = self.dim == 1 and x.ndim == 1
        _check.shape("x", x, expected, line or (x.ndim == 2 and x.shape[1] == self.dim))
        if not x.is_floating_point():
            raise TypeError(f"x must be a tensor of floats, got {x.dtype}")
        points = x[:, None] if line else x
        centres, stds, log_weights = (v.to(x.dtype).to(x.device) for v in (self.centres, self.stds, self.weights.log()))
        squares = ((points[:, None] - centres) / stds[:, None]).square().sum(2)  # (N, K)
        log_scale = self.dim * (stds.log() + 0.5 * math.log(2 * math.pi))
        return torch.logsumexp(log_weights - 0.5 * squares - log_scale, dim=1)

    def sample(self, n: int, generator: torch.Generator, /) -> Tensor:
        """Draw n points.

        Args:
            n: how many, at least 1.
            generator: the source of randomness, on the CPU; `compute.generator(seed)` makes one.

        Returns:
            (n, dim) float32, on the CPU.

        Raises:
            TypeError, ValueError: n is not a whole number of at least 1, or there is no generator.
        """
        n = _check.positive_int("n", n)
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator must be a torch.Generator, got {generator!r}")
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, generator=generator)
        return self.centres[which].float() + self.stds[which, None].float() * noise


def gaussian(mean: float = 0.0, std: float = 1.0) -> Mixture:
    """One Gaussian on the line."""
    return Mixture([1.0], [mean], std, name="gaussian")


def mixture_1d(
    means: Sequence[float], stds: float | Sequence[float], weights: Sequence[float] | None = None
) -> Mixture:
    """A mixture of Gaussians on the line, of equal weights by default."""
    if weights is None:
        weights = [1 / len(means) for _ in means]
    return Mixture(weights, means, stds, name="mixture_1d")


def two_bumps() -> Mixture:
    """The book's example on the line: 0.4 N(−2, 0.5²) + 0.6 N(1, 0.8²). First used in chapter 3."""
    return Mixture((0.4, 0.6), (-2.0, 1.0), (0.5, 0.8), name="gaussians")


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.02) -> Mixture:
    """Gaussians of equal weight on a circle, at the angles 2πk/modes, k = 0 … modes − 1: all of them distinct.

    First built in chapter 7.

    Args:
        modes: how many.
        radius: of the circle around 0.
        std: of each Gaussian.
    """
    angles = torch.arange(_check.positive_int("modes", modes), dtype=torch.float64) * (2 * math.pi / modes)
    centres = _check.finite("radius", radius, minimum=0.0) * torch.stack([angles.cos(), angles.sin()], dim=1)
    return Mixture([1 / modes] * modes, centres, std, name="ring")


def grid(side: int = 5, spacing: float = 1.0, std: float = 0.05) -> Mixture:
    """Gaussians of equal weight on a square grid around 0; with the defaults 25, at −2, −1, 0, 1, 2 each way.

    First built in chapter 7.

    Args:
        side: how many in a row.
        spacing: between neighbours.
        std: of each Gaussian.
    """
    side = _check.positive_int("side", side)
    row = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * _check.finite("spacing", spacing, minimum=0.0)
    return Mixture([1 / side**2] * side**2, torch.cartesian_prod(row, row), std, name="grid")


def spiral(turns: float = 2.0, std: float = 0.02) -> Mixture:
    """Noise around an Archimedean spiral from 0 out to radius 1, spread evenly along its length.

    The noise is Gaussian around points no more than `std` apart on the curve. That mixture differs from a continuous
    one by a ripple of 2·exp(−2π²), less than one part in 10⁸, and its density is known exactly.

    Args:
        turns: how often it winds around 0.
        std: of the noise.
    """
    end = 2 * math.pi * _check.finite("turns", turns)
    if end <= 0 or _check.finite("std", std) <= 0:
        raise ValueError(f"turns and std must be positive, got turns={turns!r} and std={std!r}")
    angle = np.linspace(0, end, 20_001)
    length = (angle * np.sqrt(1 + angle**2) + np.arcsinh(angle)) / (2 * end)  # of the curve r = angle / end up to there
    count = math.ceil(length[-1] / std)
    middles = (np.arange(count) + 0.5) / count * length[-1]
    at = torch.from_numpy(np.interp(middles, length, angle))
    return Mixture([1 / count] * count, (at / end)[:, None] * torch.stack([at.cos(), at.sin()], 1), std, name="spiral")


TOYS: dict[str, Callable[[], Mixture]] = {"ring": ring, "grid": grid, "spiral": spiral, "gaussians": two_bumps}


def get(name: str) -> Density:
    """The toy density of this name.

    Args:
        name: "ring", "grid", "spiral" (in the plane) or "gaussians" (two bumps on the line).

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    _check.one_of("name", name, TOYS)
    return TOYS[name]()
