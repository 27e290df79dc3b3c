r"""Two players, one loss table: the GAN of Goodfellow et al., with any loss and any penalties.

`gan` is the unconditional game (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661), with any loss of `losses`
and any penalties of `penalties`; `conditional_gan` shows both players the class (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784). Networks, losses and penalties are chosen freely; `engine` plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .. import compute, losses, penalties
from ..engine import Batch, Game, Player, cosine
from ..penalties import Penalty
from ._shared import _adam, _place, _rates


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    turns: int = 1,
    batch: int = 64,
    lr: float | tuple[float, float] = 2e-4,
    betas: tuple[float, float] = (0.5, 0.999),
    seed: int = 0,
    averaging: float | None = 0.995,
    anneal: int | None = None,
    device: torch.device | str | None = None,
    precision: str | None = None,
    conditional: bool = False,
) -> Game:
    """The adversarial game of two networks; labels of the data are ignored. First built in chapter 5.

    Args:
        generator: z (N, latent) -> samples, with an attribute `latent`, the length of z.
        discriminator: samples (N, …) -> logits (N,).
        data: a `data.Dataset`, a density of `toys`, or a float tensor (N, …), float32 like the networks.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties` (or names of `penalties.PENALTIES`), added to the discriminator's loss.
        turns: discriminator updates a round (k in Algorithm 1 of Goodfellow et al.).
        batch: samples a turn, at most as many as the data hold.
        lr: learning rate of Adam, or a pair (generator's, discriminator's).
        betas: Adam's β₁ and β₂.
        seed: keys every draw of data and latents.
        averaging: decay of the generator's average, None for none.
        anneal: rounds over which learning rates fall to 2 % and penalty weights to 0, along half a cosine.
        device: where to play; by default `compute.device()`.
        precision: "fp32" or "bf16"; by default what `compute.precision` finds for the device.
        conditional: show both players the labels; `conditional_gan` does this, after checking them.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    if not conditional and (getattr(generator, "classes", None) or getattr(discriminator, "classes", None)):
        raise ValueError("generator and discriminator take labels (their .classes is set): use games.conditional_gan")
    for role, net in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(net, nn.Module):
            raise TypeError(f"{role} must be an nn.Module, such as nets.MLP{role.title()}(), got {net!r}")
    rule = losses.get(loss)
    if not isinstance(penalty, str | Penalty | Iterable):
        raise TypeError(
            f"penalty must be a name, a Penalty such as penalties.r1(), or a sequence of them (empty for none), "
            f"got {penalty!r}"
        )
    asked = (penalty,) if isinstance(penalty, str | Penalty) else tuple(penalty)
    due = [p for p in map(penalties.get, asked) if p is not None]
    place, precision = _place(device, precision)
    has_batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in discriminator.modules())

    def given(batch: Batch) -> tuple[Tensor, ...]:
        return (batch.labels,) if conditional and batch.labels is not None else ()

    def generate(batch: Batch) -> Tensor:
        with compute.autocast(place, precision):
            return generator(batch.z, *given(batch)).float()

    def judge(x: Tensor, batch: Batch) -> Tensor:
        with compute.autocast(place, precision):
            return discriminator(x, *given(batch)).float()

    def judge_both(real: Tensor, fake: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        if has_batch_norm:  # real and fake keep their own batch statistics
            return judge(real, batch), judge(fake, batch)
        labels = tuple(torch.cat([y, y]) for y in given(batch))
        with compute.autocast(place, precision):
            logits = discriminator(torch.cat([real, fake]), *labels).float()
        return logits[: len(real)], logits[len(real) :]

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = generate(batch)
        terms = {"loss": rule.discriminator(*judge_both(batch.real, fake, batch))}
        for p in due:
            if batch.step % p.every == 0:  # a lazy penalty counts for the rounds it skips
                critic = partial(_labelled, discriminator, given(batch))
                weight = p.every * cosine(batch.progress)
                terms[p.name] = weight * p.function(critic, batch.real, fake, batch.rng)
        return terms

    def generator_loss(batch: Batch) -> Tensor:
        fake_logits = judge(generate(batch), batch)
        if not rule.relativistic:
            return rule.generator(fake_logits, fake_logits)
        with torch.no_grad():
            real_logits = judge(batch.real, batch)
        return rule.generator(real_logits, fake_logits)

    def after(net: nn.Module) -> None:
        for p in due:
            if p.project is not None:
                p.project(net)

    lr_generator, lr_discriminator = _rates(lr)
    players = {
        "discriminator": Player(
            discriminator, discriminator_loss, _adam(discriminator, lr_discriminator, betas, place), turns, after
        ),
        "generator": Player(generator, generator_loss, _adam(generator, lr_generator, betas, place)),
    }
    game = "conditional_gan" if conditional else "gan"
    settings = {
        "game": game,
        "loss": rule.name,
        "penalty": [str(p) for p in due],
        "precision": precision,
    }
    made = Game(
        players, data, batch=batch, seed=seed, averaging=averaging, anneal=anneal, device=place, settings=settings
    )
    _must_fit(made, given)
    return made


def conditional_gan(generator: nn.Module, discriminator: nn.Module, data: Any, **options: Any) -> Game:
    """The game in which both players see the class: G(z, y) and D(x, y). First built in chapter 12.

    Each fake is asked for the class of one real sample of the batch, so that D cannot tell real from fake by
    how often a class comes. Arguments and options as in `gan`; the data need labels, and both networks
    `classes` equal to the number of classes of the data.

    Raises:
        ValueError, TypeError: as `gan`, and where labels or classes are missing or do not match.
    """
    count = len(getattr(data, "classes", ()))
    if getattr(data, "y", None) is None or not count:
        raise ValueError("data have no labels; a conditional game needs them (games.gan does not)")
    for name, net in (("generator", generator), ("discriminator", discriminator)):
        if getattr(net, "classes", None) != count:
            raise ValueError(f"{name}.classes must be {count}, as the data have, got {getattr(net, 'classes', None)}")
    return gan(generator, discriminator, data, conditional=True, **options)


def _labelled(net: nn.Module, labels: tuple[Tensor, ...], x: Tensor) -> Tensor:
    """D with its labels bound: what a penalty differentiates. It may come with as many x as labels."""
    return net(x, *labels)


@torch.no_grad()
def _must_fit(game: Game, given: Callable[[Batch], tuple[Tensor, ...]]) -> None:
    """One look at the door: do the generator's samples have the data's shape, and D's logits one number each?"""
    batch = game.draw("generator")
    modes = {net: net.training for net in (game.generator, game.discriminator)}
    for net in modes:
        net.eval()
    fake, labels = game.generator(batch.z, *given(batch)), given(batch)
    if fake.shape != batch.real.shape:
        made, wanted = tuple(fake.shape[1:]), tuple(batch.real.shape[1:])
        raise ValueError(f"the generator's samples have shape {made}, but those of the data {wanted}")
    logits = game.discriminator(batch.real, *labels)
    if logits.shape != (len(batch.real),):
        raise ValueError(
            f"the discriminator must return logits of shape ({len(batch.real)},), got {tuple(logits.shape)}"
        )
    for net, training in modes.items():
        net.train(training)
