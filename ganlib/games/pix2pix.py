r"""Images into images, learned from pairs (Isola et al. 2017, https://arxiv.org/abs/1611.07004)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .. import losses
from ..engine import Batch, Game
from ..penalties import Critic
from .contest import Adversary, Options, Penalties, Table, must_make
from .translation import must_be_pairs, must_judge, pair, weights_of


def pix2pix(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    l1: float = 100.0,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Translation learned from pairs: D sees input and output together, and G stays near the target.

    First built in chapter 15.

    The noise is the generator's Dropout, on in sampling too (section 3.2.1 of the paper).

    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, equations 1, 3 and 4.

    Args:
        generator: images x -> images, such as `nets.UNet`.
        discriminator: (images, x) -> logits (N,) or maps (N, h, w), such as `nets.PatchDiscriminator(inputs=3)`.
        data: pairs, such as `data.load_pairs("scenes")`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to the discriminator's loss.
        l1: λ, weight of the mean absolute error.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 16 by default.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    must_be_pairs(data, matched=True)
    weights = weights_of(l1=l1)
    adversary, table = Adversary(loss, penalty), Table(options, batch=16)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            fake = generator(x)
        return adversary.discriminator(Critic(discriminator, x), y, fake, batch)[0]

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        fake = generator(x)
        terms, _ = adversary.generator(Critic(discriminator, x), y, fake, batch)
        return {**terms, "l1": l1 * (y - fake).abs().mean()}

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }
    game = table.game("pix2pix", players, data, weights, adversary, takes=["inputs"], noise=True, latent=0)
    return must_make(game, (discriminator, lambda b: must_judge(Critic(discriminator, pair(b)[0]), b.real)))
