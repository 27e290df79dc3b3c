r"""Images into images, with many answers to one (Zhu et al. 2017, https://arxiv.org/abs/1711.11586)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .. import _check, losses
from ..engine import Batch, Game
from ..penalties import Critic
from .contest import Adversary, Options, Penalties, Table, must_make, two
from .translation import must_be_pairs, must_judge, pair, weights_of

_GAUSSIAN = "(mean, log-variance), such as nets.ShuffleEncoder(gaussian=True)"


def bicycle_gan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "least_squares",
    penalty: Penalties = (),
    l1: float = 10.0,
    latent_l1: float = 0.5,
    kl: float = 0.01,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Many answers to one input: a code z says which, and can be read off the answer. First built in chapter 15.

    Two games in one. cVAE-GAN: E encodes the target y, and G must rebuild it from x and that z. cLR-GAN: from x and a
    random z, E must find z again. G alone learns from that last error: if E did too, the two would hide z in the image
    (section 4 of the paper).

    Source: Zhu et al. 2017, https://arxiv.org/abs/1711.11586, equations 4 to 9.

    Args:
        generator: (images x, z) -> images, with an attribute `latent`, such as `nets.UNet(latent=8)`.
        encoder: images y -> mean and logarithm of the variance of z, both (N, latent), such as `nets.ShuffleEncoder`.
        discriminator: (images, x) -> logits (N,) or maps (N, h, w); it judges both kinds of fakes.
        data: pairs, such as `data.load_pairs("scenes")`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to the discriminator's loss (for the rebuilt fakes).
        l1: λ, weight of the rebuilt target's mean absolute error.
        latent_l1: weight of the mean absolute error of z.
        kl: weight of the divergence KL(E(y)‖N(0, 1)), summed over z.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 16 by default.

    Returns:
        A `Game` with the players "discriminator", "encoder" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    must_be_pairs(data, matched=True)
    weights = weights_of(l1=l1, latent_l1=latent_l1, kl=kl)
    adversary, table = Adversary(loss, penalty), Table(options, batch=16)

    def encode(y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """z = μ(y) + σ(y) ε, with its μ and log σ²."""
        mean, log_variance = two(encoder(y), "encoder", _GAUSSIAN)
        noise = torch.randn(mean.shape, generator=rng, dtype=mean.dtype).to(mean.device)
        return mean + (log_variance / 2).exp() * noise, mean, log_variance

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            rebuilt, imagined = generator(x, encode(y, batch.rng)[0]), generator(x, batch.z)
        critic = Critic(discriminator, x)
        terms, *_ = adversary.discriminator(critic, y, rebuilt, batch)
        logits = [critic.judge(image)[0].flatten() for image in (y, imagined)]
        return {**terms, "imagined": adversary.rule.discriminator(*logits)}

    def encoder_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        z, mean, log_variance = encode(y, batch.rng)
        rebuilt = generator(x, z)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        terms, _ = adversary.generator(Critic(discriminator, x), y, rebuilt, batch)
        return {**terms, "l1": l1 * (y - rebuilt).abs().mean(), "kl": kl * divergence}

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            z = encode(y, batch.rng)[0]
        rebuilt, imagined = generator(x, z), generator(x, batch.z)
        found, _ = two(encoder(imagined), "encoder", _GAUSSIAN)
        critic = Critic(discriminator, x)
        return {
            **adversary.generator(critic, y, rebuilt, batch)[0],
            "imagined": adversary.generator(critic, y, imagined, batch)[0]["loss"],
            "l1": l1 * (y - rebuilt).abs().mean(),
            "latent_l1": latent_l1 * (batch.z - found).abs().mean(),
        }

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "encoder": table.making(encoder, encoder_loss),
        "generator": table.making(generator, generator_loss),
    }

    def look(batch: Batch) -> None:
        wanted = batch.z.shape
        for said in encode(batch.real, batch.rng)[1:]:
            _check.shape("mean and log-variance of the encoder", said, f"{tuple(wanted)} like z", said.shape == wanted)

    game = table.game("bicycle_gan", players, data, weights, adversary, takes=["inputs", "z"], encoder=encoder)
    judge = (discriminator, lambda b: must_judge(Critic(discriminator, pair(b)[0]), b.real))
    return must_make(game, judge, (encoder, look))
