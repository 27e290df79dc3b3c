r"""A few labels, many images: the discriminator is a classifier with one class more, "generated" (Salimans et al. 2016,
https://arxiv.org/abs/1606.03498)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import penalties
from .._check import finite
from ..data.source import source
from ..engine import Batch, Game
from ..penalties import Critic
from .contest import Adversary, Options, Table, must_make, two


def semi_supervised(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    labelled: Any = None,
    unsupervised: float = 1.0,
    matching: bool = True,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """The game whose D sorts into K classes and "generated", and so learns from images that nobody has labelled.

    First built in chapter 19.

    D says K logits of classes, its heads l, and a logit a; the class "generated" has the logit -a, so that the odds of
    "real" are those of all classes together, logit D(x) = a + log Σ exp(l_k). D minimises the cross-entropy of the
    labels among the K classes + w · (E[-log D(x)] + E[-log(1 - D(G(z)))]). The generator brings the mean of D's last
    features over its samples to that over the data ("matching"), or minimises E[-log D(G(z))]. The classifier is
    `game.discriminator`: the class of x is the argmax of its heads.

    Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 5 and, for the features, section 3.1.

    Args:
        generator: z (N, latent) -> samples, which takes no labels.
        discriminator: samples -> (logits (N,), class logits (N, K)), with `last_features`, such as
            `nets.TwoHeaded(nets.ShuffleDiscriminator(), outputs=10)`.
        data: what `data.source` takes; its labels, if any, are only looked at where `labelled` is None.
        labelled: samples with labels, drawn apart, as many a turn as of the data. None takes the labels of the data.
        unsupervised: w, at least 0.
        matching: whether G matches features; else it minimises the non-saturating loss.
        turns: discriminator updates a round.
        options: see `Options`.

    Returns:
        A `Game` with the players "discriminator" and "generator"; the first two terms of D's loss stand in its history
        as "discriminator", the cross-entropy, and "discriminator.unsupervised".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    weight, table = finite("unsupervised", unsupervised, minimum=0), Table(options)
    if getattr(generator, "classes", None) or getattr(discriminator, "classes", None):
        raise ValueError("generator and discriminator must be made without classes: no player is told the label here")
    name, few = ("data", data) if labelled is None else ("labelled", labelled)
    shown = source(few, table.device)
    count = shown.count_classes()
    if count is None:
        raise ValueError(f"{name} have no labels; games.semi_supervised learns from some (games.gan does without)")
    if getattr(discriminator, "outputs", count) != count:
        raise ValueError(
            f"discriminator.outputs must be {count}, as many classes as {name} have, got {discriminator.outputs}"
        )
    adversary, match = Adversary("non_saturating", ()), penalties.feature_matching()

    def judge(x: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of "real" and those of the classes."""
        logit, classes = two(discriminator(x), "discriminator", "(logits (N,), class logits (N, K))")
        return logit + classes.logsumexp(1), classes

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = generator(batch.z)
        own = (batch.real, batch.labels) if labelled is None else shown.draw(len(batch.real), batch.rng)[:2]
        assert own[1] is not None
        error = F.cross_entropy(judge(own[0])[1], own[1])
        unseen = adversary.rule.discriminator(judge(batch.real)[0], judge(fake)[0])
        return {"loss": error, "unsupervised": weight * unseen}

    def generator_loss(batch: Batch) -> Tensor:
        fake = generator(batch.z)
        if matching:
            return match.function(Critic(discriminator), batch.real, fake, batch.rng)
        return adversary.rule.generator(None, judge(fake)[0])

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }
    settings = {"unsupervised": weight, "matching": matching, "labelled": None if labelled is None else shown.name}
    game = table.game("semi_supervised", players, data, settings)

    def look(batch: Batch) -> None:
        _, classes = judge(batch.real)
        if classes.shape != (len(batch.real), count):
            wanted = (len(batch.real), count)
            raise ValueError(f"the discriminator's class logits must have shape {wanted}, got {tuple(classes.shape)}")
        if labelled is not None and (found := shown.draw(1, torch.Generator()).real.shape[1:]) != batch.real.shape[1:]:
            raise ValueError(
                f"labelled samples have shape {tuple(found)}, but those of the data {tuple(batch.real.shape[1:])}"
            )
        if matching:
            Critic(discriminator).features(batch.real)

    return must_make(game, (discriminator, look))
