"""Unrolled GANs: the generator plays against the discriminator of a few steps ahead, and sees how that will answer.

The discriminator's next k gradient steps, θ ← θ - η ∇ loss(θ), are themselves functions of the generator's samples, and
the generator's gradient goes through them (Metz et al. 2017, https://arxiv.org/abs/1611.02163, equations 7 to 10): a
generator that put all its mass where the discriminator errs now would see it answered there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


def _unroll(net: nn.Module, loss: Callable[[Callable[..., Any]], Tensor], steps: int, lr: float) -> Callable[..., Any]:
    """`net` after so many gradient steps on `loss`, as a function whose result still depends on all that `loss` saw.

    Args:
        net: stays as it is, but for the running statistics of BatchNorm.
        loss: of a function that stands for the network.
        steps: how many.
        lr: η, the length of a step along the gradient.
    """
    weights: dict[str, Tensor] = {name: w for name, w in net.named_parameters() if w.requires_grad}

    def ahead(weights: dict[str, Tensor], *inputs: Tensor) -> Any:
        return functional_call(net, weights, inputs)

    for _ in range(steps):
        value = loss(partial(ahead, weights))
        slopes = torch.autograd.grad(value, list(weights.values()), create_graph=True, allow_unused=True)
        moved = zip(weights.items(), slopes, strict=True)
        weights = {name: w if slope is None else w - lr * slope for (name, w), slope in moved}
    return partial(ahead, weights)
