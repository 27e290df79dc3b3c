r"""The GAN that grows: both networks learn 4×4 pixels first, and then one resolution after the other.

What is coarse is learned while images are small, quickly and without distraction; each further resolution is faded in
smoothly, so that it does not upset what is there.

Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, sections 2 and 3, appendix A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._check import positive_int
from ..engine import Batch, Game
from ..nets import ProgressiveDiscriminator, ProgressiveGenerator, at_level
from .contest import Made, Terms
from .gan import contest


def progressive_gan(
    generator: ProgressiveGenerator,
    discriminator: ProgressiveDiscriminator,
    data: Any,
    *,
    stage: int = 300,
    **options: Any,
) -> Game:
    """The adversarial game of two networks that grow; labels of the data are ignored.

    Both play `stage` rounds at 4×4 pixels; then, for each further resolution, `stage` rounds in which it is faded in
    and `stage` rounds with all of it. At full size they stay. Images of size 4 · 2ᵏ are whole after 2k `stage` rounds.

    Args:
        generator: a `nets.ProgressiveGenerator`.
        discriminator: a `nets.ProgressiveDiscriminator`.
        data: images (N, C, S, S), as in `gan`, S a power of two from 8.
        stage: rounds in which a resolution is faded in, and as many after.
        options: those of `gan`; by default the Wasserstein loss with gradient penalty, and Adam with a learning rate of
            0.001 and β = (0, 0.99), as in the paper (whose drift term is left out).

    Returns:
        A `Game` like that of `gan`. The level of a round depends on nothing but its number.

    Raises:
        ValueError, TypeError: as `gan`, and where the networks cannot grow.
    """
    positive_int("stage", stage)
    for role, net, kind in (
        ("generator", generator, ProgressiveGenerator),
        ("discriminator", discriminator, ProgressiveDiscriminator),
    ):
        if not isinstance(net, kind):
            raise TypeError(f"{role} must be a nets.{kind.__name__}, which grows, got {type(net).__name__}")
    defaults = {"loss": "wasserstein", "penalty": "gradient_penalty", "lr": 1e-3, "betas": (0.0, 0.99)}
    game = contest(generator, discriminator, data, Made("progressive_gan", {"stage": stage}), **{**defaults, **options})

    def grown(loss: Callable[[Batch], Terms]) -> Callable[[Batch], Terms]:
        def at_its_level(batch: Batch) -> Terms:
            level = min(_level(batch.step, stage), generator.top)
            for net in (generator, discriminator):
                net.level.fill_(level)
            return loss(replace(batch, real=at_level(batch.real, level)))

        return at_its_level

    for player in game.players.values():
        player.loss = grown(player.loss)
    return game


def _level(step: int, stage: int) -> float:
    """The level of this round, for networks without end."""
    whole, rounds = divmod(step, 2 * stage)
    return whole + max(0, rounds + 1 - stage) / stage
