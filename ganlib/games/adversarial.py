r"""Two players, one loss table: the GAN of Goodfellow et al., with any loss and any penalties.

`gan` is the unconditional game (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661), with any loss of `losses`
and any penalties of `penalties`; `conditional_gan` shows both players the class (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784). Networks, losses and penalties are chosen freely; `engine` plays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import augment as augmentations
from .. import losses
from .._check import finite, positive_int
from ..engine import Batch, Game
from ..nets import mixes_samples
from ..penalties import Critic, Penalty
from ._shared import Options, Terms, _classes_of, _Contest, _known
from ._unrolled import _unroll


@dataclass
class Judged:
    """A turn as the hook `also` of `gan` sees it.

    Attributes:
        player: whose turn it is, "discriminator" or "generator".
        batch: what the turn drew.
        fake: the generated samples, with the generator's gradient in its own turn.
        fake_heads: what the discriminator says of them beside the logits; None if it returns logits alone.
        real_heads: the same of the real samples; None in the generator's turn.
    """

    player: str
    batch: Batch
    fake: Tensor
    fake_heads: Tensor | None
    real_heads: Tensor | None


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
    anneal: int | str | None = None,
    device: torch.device | str | None = None,
    precision: str | None = None,
    conditional: bool = False,
    prior: Callable[[int, torch.Generator], Tensor] | None = None,
    also: Callable[[Judged], dict[str, Tensor]] | None = None,
    augment: str | Callable[[Tensor, torch.Generator], Tensor] | None = None,
    unrolled: int = 0,
    unrolled_lr: float = 0.1,
    reuse: bool = False,
) -> Game:
    """The adversarial game of two networks; labels of the data are ignored. First built in chapter 5.

    Args:
        generator: z (N, latent) -> samples, with an attribute `latent`, the length of z.
        discriminator: samples (N, …) -> logits (N,), or (logits, heads): further numbers for `also`.
        data: a `data.Dataset`, a density of `toys`, or a float tensor (N, …), float32 like the networks.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties` (or names of `penalties.PENALTIES`), each added to the loss of its
            player: the discriminator, or for feature matching the generator.
        turns: discriminator updates a round (k in Algorithm 1 of Goodfellow et al.).
        batch: samples a turn, at most as many as the data hold.
        lr: learning rate of Adam, or a pair (generator's, discriminator's).
        betas: Adam's β₁ and β₂.
        seed: keys every draw of data and latents.
        averaging: decay of the generator's average, None for none.
        anneal: rounds over which learning rates fall to 2 % and penalty weights to 0, along half a cosine; "seconds":
            they fall by the clock of a play of so many seconds.
        device: where to play; by default `compute.device()`.
        precision: "fp32" or "bf16"; by default what `compute.precision` finds for the device.
        conditional: show both players the labels; `conditional_gan` does this, after checking them.
        prior: `(n, rng)` -> z (n, latent), instead of the normal or uniform latent.
        also: further terms of the loss of the player whose turn it is, by name; `ac_gan`, `info_gan` and others are
            made with it.
        augment: names of `augment.AUGMENTATIONS`, such as "translation,cutout", or a function `(images, rng)` ->
            images: a random change of all that the discriminator sees, so that it cannot learn few images by heart.
        unrolled: how many gradient steps of the discriminator the generator looks ahead (Metz et al. 2017); a round
            then costs about as many rounds more.
        unrolled_lr: length of these steps along the gradient of the loss without its penalties. They are plain steps,
            not Adam's, so they are to be longer than `lr`.
        reuse: the generator's turn takes batch and fakes of the discriminator's last one instead of fresh ones, as
            most textbook loops do: a pass through the generator less.

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
    if hasattr(data, "draw_pair"):
        raise TypeError("data are pairs, whose inputs this game would not look at: use games.pix2pix or another")
    options = Options(
        batch=batch,
        lr=lr,
        betas=betas,
        seed=seed,
        averaging=averaging,
        anneal=anneal,
        device=device,
        precision=precision,
    )
    table = _Contest(loss, penalty, options, players=("discriminator", "generator"))
    rule, change = table.rule, augmentations.get(augment)
    unrolled, ahead = positive_int("unrolled", unrolled, minimum=0), finite("unrolled_lr", unrolled_lr, minimum=0)
    apart = mixes_samples(discriminator)  # real and fake keep their own batch statistics
    judges_class = getattr(discriminator, "classes", None) is not None

    def given(batch: Batch, asked: bool = True) -> tuple[Tensor, ...]:
        return (batch.labels,) if conditional and asked and batch.labels is not None else ()

    def generate(batch: Batch) -> Tensor:
        return table.run(generator, batch.z, *given(batch))

    def seen(x: Tensor, batch: Batch) -> Tensor:
        return x if change is None else change(x, batch.rng)

    def judge(x: Tensor, batch: Batch, net: Callable[..., Any] = discriminator) -> tuple[Tensor, Tensor | None]:
        return _heads(table.run(net, x, *given(batch, judges_class)))

    def judge_both(
        real: Tensor, fake: Tensor, batch: Batch, net: Callable[..., Any] = discriminator
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        if apart:
            (real_logits, real_heads), (fake_logits, fake_heads) = judge(real, batch, net), judge(fake, batch, net)
            return real_logits, fake_logits, real_heads, fake_heads
        labels, n = tuple(torch.cat([y, y]) for y in given(batch, judges_class)), len(real)
        logits, heads = _heads(table.run(net, torch.cat([real, fake]), *labels))
        return logits[:n], logits[n:], *((None, None) if heads is None else (heads[:n], heads[n:]))

    last: list[tuple[Batch, Tensor]] = []  # what the discriminator's last turn leaves for the generator's

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.set_grad_enabled(reuse):
            made = generate(batch)
        if reuse:
            last[:] = [(batch, made)]
        fake = made.detach()
        real, shown = seen(batch.real, batch), seen(fake, batch)
        real_logits, fake_logits, real_heads, fake_heads = judge_both(real, shown, batch)
        terms = {"loss": rule.discriminator(real_logits, fake_logits)}
        if also is not None:
            terms |= also(Judged("discriminator", batch, fake, fake_heads, real_heads))
        critic = Critic(discriminator, *given(batch, judges_class))
        return terms | table.penalties(critic, real, shown, batch)

    def generator_loss(batch: Batch) -> Terms:
        batch, fake = last.pop() if reuse else (batch, generate(batch))
        real, shown = seen(batch.real, batch), seen(fake, batch)
        judging: Callable[..., Any] = discriminator
        if unrolled:
            judging = _unroll(
                discriminator, lambda net: rule.discriminator(*judge_both(real, shown, batch, net)[:2]), unrolled, ahead
            )
        fake_logits, fake_heads = judge(shown, batch, judging)
        real_logits = fake_logits
        if rule.relativistic:
            with torch.set_grad_enabled(unrolled > 0):  # a discriminator ahead depends on the generator
                real_logits, _ = judge(real, batch, judging)
        loss = rule.generator(real_logits, fake_logits)
        further = {} if also is None else also(Judged("generator", batch, fake, fake_heads, None))
        critic = Critic(discriminator, *given(batch, judges_class))
        further |= table.penalties(critic, real, shown, batch, "generator")
        return {"loss": loss, **further} if further else loss

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "generator": table.making(generator, generator_loss),
    }
    settings = {
        **({} if change is None else {"augment": change.name}),
        **({"unrolled": unrolled, "unrolled_lr": ahead} if unrolled else {}),
        **({"reuse": True} if reuse else {}),
    }
    made = table.game("conditional_gan" if conditional else "gan", players, data, settings, prior=prior)
    _must_fit(made, given, judges_class, rule)
    if isinstance(augment, str) and (points := made.draw("generator").real).dim() != 4:
        raise ValueError(
            f"augment={augment!r} changes images (N, C, H, W); the data are of shape {tuple(points.shape)}"
        )
    return made


def conditional_gan(generator: nn.Module, discriminator: nn.Module, data: Any, **options: Any) -> Game:
    """The game in which both players see the class: G(z, y) and D(x, y). First built in chapter 12.

    Each fake is asked for the class of one real sample of the batch, so that D cannot tell real from fake by
    how often a class comes. Arguments and options as in `gan`; the data need labels, and both networks
    `classes` equal to the number of classes of the data.

    Raises:
        ValueError, TypeError: as `gan`, and where labels or classes are missing or do not match.
    """
    _known("conditional_gan", options, gan, "conditional")
    count = _classes_of(data)
    if count is None:
        raise ValueError("data have no labels; a conditional game needs them (games.gan does not)")
    for name, net in (("generator", generator), ("discriminator", discriminator)):
        if getattr(net, "classes", None) != count:
            raise ValueError(f"{name}.classes must be {count}, as the data have, got {getattr(net, 'classes', None)}")
    return gan(generator, discriminator, data, conditional=True, **options)


def _heads(said: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Logits, and what a discriminator says beside them."""
    return said if isinstance(said, tuple) else (said, None)


@torch.no_grad()
def _must_fit(
    game: Game, given: Callable[[Batch, bool], tuple[Tensor, ...]], judges_class: bool, rule: losses.Loss
) -> None:
    """One look at the door: do the generator's samples have the data's shape, and D's logits one number each?"""
    batch = game.draw("generator")
    modes = {net: net.training for net in (game.generator, game.discriminator)}
    for net in modes:
        net.eval()
    fake = game.generator(batch.z, *given(batch, True))
    if fake.shape != batch.real.shape:
        made, wanted = tuple(fake.shape[1:]), tuple(batch.real.shape[1:])
        raise ValueError(f"the generator's samples have shape {made}, but those of the data {wanted}")
    logits, _ = _heads(game.discriminator(batch.real, *given(batch, judges_class)))
    wanted = (len(batch.real) // getattr(game.discriminator, "pack", 1),)
    if logits.shape != wanted:
        raise ValueError(f"the discriminator must return logits of shape {wanted}, got {tuple(logits.shape)}")
    if rule.energies and (logits < 0).any():
        raise ValueError(
            f"loss {rule.name} takes a discriminator of energies of at least 0, such as nets.AutoencoderDiscriminator "
            f"in games.eb_gan; this one returned {logits.min().item():.3g}"
        )
    for net, training in modes.items():
        net.train(training)
