"""What every game needs: where to play, learning rates, and Adam."""

from __future__ import annotations

import torch
from torch import nn

from .. import compute
from .._check import finite, one_of


def _place(device: torch.device | str | None, precision: str | None) -> tuple[torch.device, str]:
    """The device and the precision that are asked for, or what `compute` finds."""
    place = compute._resolved(device)
    precision = compute.precision(place) if precision is None else precision
    one_of("precision", precision, compute.PRECISIONS)
    return place, precision


def _rates(lr: float | tuple[float, float]) -> tuple[float, float]:
    """One learning rate for all, or (generator's, discriminator's), as two."""
    if isinstance(lr, list) or (isinstance(lr, tuple) and len(lr) != 2):
        raise ValueError(f"lr must be one number, or a tuple of two (generator's, discriminator's), got {lr}")
    return lr if isinstance(lr, tuple) else (lr, lr)


def _adam(net: nn.Module, lr: float, betas: tuple[float, float], device: torch.device) -> torch.optim.Adam:
    if finite("lr", lr) <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    if not isinstance(betas, tuple | list) or len(betas) != 2 or not all(0 <= finite("betas", b) < 1 for b in betas):
        raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas}")
    betas = (float(betas[0]), float(betas[1]))
    net.to(device)
    return torch.optim.Adam(net.parameters(), lr, betas, fused=device.type in ("cpu", "cuda"))
