r"""A generator learned from damaged samples alone (Bora et al. 2018, https://openreview.net/forum?id=Hy7fDog0b)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..engine import Game
from .contest import Made
from .gan import contest


def ambient_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    measure: Callable[[Tensor, torch.Generator], Tensor],
    **options: Any,
) -> Game:
    """AmbientGAN: the data are damaged, and fakes are damaged alike before D sees them. First built in chapter 18.

    Where the damage is known and its distribution leaves only one distribution of whole samples possible, that is
    what a perfect G makes (section 5 of the paper), though nobody has seen a whole one.

    Source: Bora, Price and Dimakis 2018, https://openreview.net/forum?id=Hy7fDog0b, section 4.

    Args:
        generator: z (N, latent) -> whole samples, with an attribute `latent`.
        discriminator: damaged samples -> logits (N,).
        data: damaged samples, what `data.source` takes.
        measure: `(samples, rng)` -> samples with the damage that the data have, drawn anew for each; differentiable
            in the samples. `rng` is a CPU generator.
        options: those of `gan`, and `Options`.

    Returns:
        A `Game` with the players "discriminator" and "generator", whose samples are whole.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    if not callable(measure):
        raise TypeError(f"measure must be a function (samples, rng) -> damaged samples, got {measure!r}")
    return contest(generator, discriminator, data, Made("ambient_gan", measure=measure), **options)
