r"""Small images made large: SRGAN (Ledig et al. 2017, https://arxiv.org/abs/1609.04802) and ESRGAN (Wang et al. 2018,
https://arxiv.org/abs/1809.00219)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .. import losses
from ..engine import Batch, Game
from ..penalties import Critic
from .contest import Adversary, Options, Penalties, Table, must_make
from .translation import must_be_pairs, must_judge, pair, weights_of


def sr_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    content: float = 1.0,
    adversarial: float = 1e-3,
    features: Callable[[Tensor], Tensor] | None = None,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Super-resolution: the image that was shrunk, rebuilt near the original and among the real ones.

    First built in chapter 17.

    The content term alone finds the mean of all originals that shrink to this input, which is smooth; the adversarial
    one asks for a single one of them, and pays with pixel error.

    Source: Ledig et al. 2017, https://arxiv.org/abs/1609.04802, equations 2 to 6.

    Args:
        generator: images (N, C, h, w) -> images (N, C, H, W), such as `nets.SuperResolutionGenerator`.
        discriminator: images -> logits (N,) or maps (N, h, w).
        data: pairs of shrunk images and their originals, such as `data.shrunk(…)`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to the discriminator's loss.
        content: weight of the mean squared error between features.
        adversarial: weight of the adversarial term.
        features: images -> features in which the content is compared, a network or a function that can be
            differentiated; None compares pixels.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 16, lr 1e-4 and betas (0.9, 0.999) by default.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    weights = weights_of(content=content, adversarial=adversarial)
    table = Table(options, batch=16, lr=1e-4, betas=(0.9, 0.999))
    seen = _features(features, table.device)

    def objective(adversary: Tensor, y: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"loss": adversarial * adversary, "content": content * (seen(y) - seen(fake)).square().mean()}

    settings = {**weights, "features": _named(features)}
    return _game("sr_gan", generator, discriminator, data, table, Adversary(loss, penalty), objective, turns, settings)


def esr_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "ragan",
    penalty: Penalties = (),
    content: float = 1.0,
    adversarial: float = 5e-3,
    l1: float = 1e-2,
    features: Callable[[Tensor], Tensor] | None = None,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Super-resolution with a relativistic judge: is the original more real than the fakes are on average?

    First built in chapter 17.

    Source: Wang et al. 2018, https://arxiv.org/abs/1809.00219, equations 1 to 3.

    Args:
        generator: images (N, C, h, w) -> images (N, C, H, W), such as `nets.SuperResolutionGenerator(block="rrdb")`.
        discriminator: images -> logits (N,) or maps (N, h, w).
        data: pairs of shrunk images and their originals, such as `data.shrunk(…)`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`; the paper's is the relativistic average.
        penalty: one or several of `penalties`, added to the discriminator's loss.
        content: weight of the mean absolute error between features (the paper's L_percep, features taken before their
            activation).
        adversarial: λ, weight of the adversarial term.
        l1: η, weight of the mean absolute error between pixels.
        features: images -> features in which the content is compared, a network or a function that can be
            differentiated; None compares pixels.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 16, lr 1e-4 and betas (0.9, 0.999) by default.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    weights = weights_of(content=content, adversarial=adversarial, l1=l1)
    table = Table(options, batch=16, lr=1e-4, betas=(0.9, 0.999))
    seen = _features(features, table.device)

    def objective(adversary: Tensor, y: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {
            "loss": adversarial * adversary,
            "content": content * (seen(y) - seen(fake)).abs().mean(),
            "l1": l1 * (y - fake).abs().mean(),
        }

    settings = {**weights, "features": _named(features)}
    return _game("esr_gan", generator, discriminator, data, table, Adversary(loss, penalty), objective, turns, settings)


def _game(
    name: str,
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    table: Table,
    adversary: Adversary,
    objective: Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]],
    turns: int,
    settings: Mapping[str, Any],
) -> Game:
    """Small x, large y; G minimises `objective(adversarial loss, y, G(x))`."""
    must_be_pairs(data, matched=True)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            fake = generator(x)
        return adversary.discriminator(Critic(discriminator), y, fake, batch)[0]

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        fake = generator(x)
        return objective(adversary.generator(Critic(discriminator), y, fake, batch)[0]["loss"], y, fake)

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }
    game = table.game(name, players, data, settings, adversary, takes=["inputs"], latent=0)
    return must_make(game, (discriminator, lambda batch: must_judge(Critic(discriminator), batch.real)))


def _features(features: Callable[[Tensor], Tensor] | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The function whose values the content is compared in; a network as a frozen copy."""
    if features is None:
        return lambda images: images
    if isinstance(features, nn.Module):
        return copy.deepcopy(features).to(device).eval().requires_grad_(False)
    if not callable(features):
        raise TypeError(f"features must be a network or a function of images, or None, got {features!r}")
    return features


def _named(features: object) -> str | None:
    return None if features is None else getattr(features, "__name__", type(features).__name__)
