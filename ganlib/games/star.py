r"""One generator between several domains of images (Choi et al. 2018, https://arxiv.org/abs/1711.09020)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import _check, losses
from ..engine import Batch, Game
from ..penalties import Critic
from .contest import Adversary, Options, Penalties, Table, classes_of, must_make, two
from .translation import must_judge, weights_of

_DOMAINS = "(logits, logits of the domains), such as nets.DomainDiscriminator"


def star_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "wasserstein",
    penalty: Penalties = "gradient_penalty",
    classification: float = 1.0,
    reconstruction: float = 10.0,
    turns: int = 5,
    **options: Unpack[Options],
) -> Game:
    """One generator for several domains: it is told which one is wanted, and D says which one it sees.

    First built in chapter 16.

    The domains are the classes of the data. `game.sample(n, labels)` translates images of the data into these classes,
    `game.translate(images, labels)` those given.

    Source: Choi et al. 2018, https://arxiv.org/abs/1711.09020, equations 2 to 6 and 8.

    Args:
        generator: (images x, labels) -> images of the domain in labels, with an attribute `classes`, such as
            `nets.ResidualGenerator(classes=3)`.
        discriminator: images -> logits (N,) or maps (N, h, w) of "real", and logits (N, classes) of the domains, such
            as `nets.DomainDiscriminator`.
        data: a `data.Dataset` with labels.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to the discriminator's loss.
        classification: λ_cls, weight of the cross-entropy of the domains.
        reconstruction: λ_rec, weight of the mean absolute error after a translation there and back.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 16 and lr 1e-4 by default.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    count = classes_of(data)
    if count is None:
        raise ValueError("data have no labels; this game translates between their classes")
    if count < 2:
        raise ValueError("data have one class alone; this game translates between at least two")
    for role, net in (("generator", generator), ("discriminator", discriminator)):
        if getattr(net, "classes", count if role == "discriminator" else None) != count:
            raise ValueError(f"{role}.classes must be {count}, as the data have, got {getattr(net, 'classes', None)}")
    weights = weights_of(classification=classification, reconstruction=reconstruction)
    adversary, table = Adversary(loss, penalty), Table(options, batch=16, lr=1e-4)

    def wanted(batch: Batch) -> Tensor:
        return torch.randint(count, (len(batch.real),), generator=batch.rng).to(batch.real.device)

    def domain(batch: Batch) -> Tensor:
        assert batch.labels is not None
        return batch.labels

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x = batch.real
        with torch.no_grad():
            fake = generator(x, wanted(batch))
        terms, domains, _ = adversary.discriminator(Critic(discriminator), x, fake, batch)
        assert domains is not None
        return {**terms, "classification": classification * F.cross_entropy(domains, domain(batch))}

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, target = batch.real, wanted(batch)
        fake = generator(x, target)
        terms, domains = adversary.generator(Critic(discriminator), x, fake, batch)
        assert domains is not None
        return {
            **terms,
            "classification": classification * F.cross_entropy(domains, target),
            "reconstruction": reconstruction * (x - generator(fake, domain(batch))).abs().mean(),
        }

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }

    def look(batch: Batch) -> None:
        must_judge(Critic(discriminator), batch.real)
        _, domains = two(discriminator(batch.real), "discriminator", _DOMAINS)
        shape = (len(batch.real), count)
        _check.shape("logits of the domains of the discriminator", domains, str(shape), domains.shape == shape)

    game = table.game("star_gan", players, data, weights, adversary, takes=["inputs", "labels"], latent=0)
    return must_make(game, (discriminator, look))
