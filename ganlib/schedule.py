"""Learning rates along a cosine, the decay of an average of weights, and Adam as games make it."""

from __future__ import annotations

import math

import torch
from torch import nn

from ._check import finite

__all__ = ["adam", "cosine", "decay"]


def cosine(progress: float, end: float = 0.0) -> float:
    """1 at progress 0, `end` at progress 1, along half a cosine (Loshchilov and Hutter 2017, eq. 5).

    First built in chapter 13.
    """
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def decay(half_life: float, batch: int) -> float:
    """The decay β of an exponential average of which half is forgotten after so many samples: 2^(-batch / half_life).

    Unlike β itself it means the same at every batch size: `games.gan(…, batch=32, averaging=decay(5000, 32))`.

    Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, whose code states averages in images.

    Args:
        half_life: samples, above 0.
        batch: samples a round.

    Raises:
        ValueError: one of them is not above 0.
    """
    if finite("half_life", half_life) <= 0 or finite("batch", batch) <= 0:
        raise ValueError(f"half_life and batch must be above 0, got {half_life} and {batch}")
    return float(0.5 ** (batch / half_life))


def adam(net: nn.Module, lr: float, betas: tuple[float, float], device: torch.device) -> torch.optim.Adam:
    """Adam for all parameters of a network, which is moved to the device; fused where torch can.

    Raises:
        ValueError: a rate or betas that Adam does not take.
    """
    if finite("lr", lr) <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    if not isinstance(betas, tuple | list) or len(betas) != 2 or not all(0 <= finite("betas", b) < 1 for b in betas):
        raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas}")
    net.to(device)
    fused = device.type in ("cpu", "cuda")
    return torch.optim.Adam(net.parameters(), lr, (float(betas[0]), float(betas[1])), fused=fused)
