r"""Two players, one loss table: the GAN of Goodfellow et al., with any loss and any penalties.

`gan` is the unconditional game (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661), with any loss of `losses`
and any penalties of `penalties`; `conditional_gan` shows both players the class (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784). Networks, losses and penalties are chosen freely; `Game` plays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .. import augment as augmentations
from .. import compute, distributed, losses
from .._check import finite, positive_int
from ..engine import Batch, Game
from ..generator import at_rest
from ..nets import mixes_samples
from ..penalties import Critic
from .contest import Adversary, Judged, Made, Options, Penalties, Table, Terms, classes_of


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    turns: int = 1,
    prior: Callable[[int, torch.Generator], Tensor] | None = None,
    augment: str | Callable[[Tensor, torch.Generator], Tensor] | None = None,
    unrolled: int = 0,
    unrolled_lr: float = 0.1,
    reuse: bool = False,
    **options: Unpack[Options],
) -> Game:
    """The adversarial game of two networks; labels of the data are ignored. First built in chapter 5.

    Args:
        generator: z (N, latent) -> samples, with an attribute `latent`, the length of z.
        discriminator: samples (N, …) -> logits (N,). Real and generated samples share a forward pass where each is
            judged by itself, which `nets.mixes_samples` knows of torch's and this library's layers; a network of one's
            own says so by an attribute `mixes_samples = False`.
        data: a `data.Dataset`, a density of `toys`, a tensor, or what else `data.source` takes.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties` (or names of `penalties.PENALTIES`), each added to the loss of its
            player: the discriminator, or for feature matching the generator.
        turns: discriminator updates a round (k in Algorithm 1 of Goodfellow et al.).
        prior: `(n, rng)` -> z (n, latent), instead of the normal or uniform latent.
        augment: names of `augment.AUGMENTATIONS`, such as "translation,cutout", or a function `(images, rng)` ->
            images: a random change of all that the discriminator sees, so that it cannot learn few images by heart.
        unrolled: how many gradient steps of the discriminator the generator looks ahead (Metz et al. 2017); a round
            then costs about as many rounds more.
        unrolled_lr: length of these steps along the gradient of the loss without its penalties. They are plain steps,
            not Adam's, so they are to be longer than `lr`.
        reuse: the generator's turn takes batch and fakes of the discriminator's last one instead of fresh ones, as
            most textbook loops do: a pass through the generator less.
        options: see `Options`.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    if getattr(generator, "classes", None) or getattr(discriminator, "classes", None):
        raise ValueError("generator and discriminator take labels (their .classes is set): use games.conditional_gan")
    return contest(
        generator,
        discriminator,
        data,
        Made(),
        loss=loss,
        penalty=penalty,
        turns=turns,
        prior=prior,
        augment=augment,
        unrolled=unrolled,
        unrolled_lr=unrolled_lr,
        reuse=reuse,
        **options,
    )


def conditional_gan(generator: nn.Module, discriminator: nn.Module, data: Any, **options: Any) -> Game:
    """The game in which both players see the class: G(z, y) and D(x, y). First built in chapter 12.

    Each fake is asked for the class of one real sample of the batch, so that D cannot tell real from fake by
    how often a class comes. Arguments and options as in `gan`; the data need labels, and both networks
    `classes` equal to the number of classes of the data.

    Raises:
        ValueError, TypeError: as `gan`, and where labels or classes are missing or do not match.
    """
    count = classes_of(data)
    if count is None:
        raise ValueError("data have no labels; a conditional game needs them (games.gan does not)")
    for name, net in (("generator", generator), ("discriminator", discriminator)):
        if getattr(net, "classes", None) != count:
            raise ValueError(f"{name}.classes must be {count}, as the data have, got {getattr(net, 'classes', None)}")
    return contest(generator, discriminator, data, Made("conditional_gan", conditional=True), **options)


def contest(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    own: Made,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    turns: int = 1,
    prior: Callable[[int, torch.Generator], Tensor] | None = None,
    augment: str | Callable[[Tensor, torch.Generator], Tensor] | None = None,
    unrolled: int = 0,
    unrolled_lr: float = 0.1,
    reuse: bool = False,
    **options: Unpack[Options],
) -> Game:
    """`gan`, and what games made of it add, which is their `own`."""
    for role, net in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(net, nn.Module):
            raise TypeError(f"{role} must be an nn.Module, such as nets.MLP{role.title()}(), got {net!r}")
    if hasattr(data, "draw_pair"):
        raise TypeError("data are pairs, whose inputs this game would not look at: use games.pix2pix or another")
    adversary, table = Adversary(loss, penalty, ("discriminator", "generator")), Table(options)
    change = augmentations.get(augment)
    unrolled, ahead = positive_int("unrolled", unrolled, minimum=0), finite("unrolled_lr", unrolled_lr, minimum=0)
    together = not mixes_samples(discriminator)  # else real and fake samples would see each other
    judges_class = getattr(discriminator, "classes", None) is not None

    def given(batch: Batch, asked: bool = True) -> tuple[Tensor, ...]:
        return (batch.labels,) if own.conditional and asked and batch.labels is not None else ()

    def seen(x: Tensor, batch: Batch) -> Tensor:
        return x if change is None else change(x, batch.rng)

    def measured(fake: Tensor, batch: Batch) -> Tensor:
        return seen(fake if own.measure is None else own.measure(fake, batch.rng), batch)

    def critic(batch: Batch, net: Callable[..., Any] = discriminator) -> Critic:
        return Critic(net, *given(batch, judges_class))

    last: list[tuple[Batch, Tensor]] = []  # what the discriminator's last turn leaves for the generator's

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.set_grad_enabled(reuse):
            made = generator(batch.z, *given(batch)).contiguous()  # a penalty of one's own may `view` it
        if reuse:
            last[:] = [(batch, made)]
        fake = made.detach()
        terms, real_heads, fake_heads = adversary.discriminator(
            critic(batch), seen(batch.real, batch), measured(fake, batch), batch, together
        )
        if own.also is not None:
            terms |= own.also(Judged("discriminator", batch, fake, fake_heads, real_heads))
        return terms

    def go_on() -> None:
        """Make again what the discriminator's last turn has left, in a round that broke off after it."""
        if game.unfinished:
            buffers = [b for net in (generator, discriminator) for b in net.buffers()]
            kept = [b.data for b in buffers]
            for buffer in buffers:  # what is computed below counts as computed before
                buffer.data = buffer.data.clone()
            discriminator_loss(game.draw("discriminator", turns - 1))
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.data = before

    def generator_loss(batch: Batch) -> Terms:
        if reuse and not last:
            go_on()
        batch, fake = last.pop() if reuse and last else (batch, generator(batch.z, *given(batch)).contiguous())
        real, shown = seen(batch.real, batch), measured(fake, batch)
        judging: Callable[..., Any] = discriminator
        if unrolled:

            def next_loss(net: Callable[..., Any]) -> Tensor:
                logits = [critic(batch, net).judge(x)[0] for x in (real, shown)]
                return adversary.rule.discriminator(*logits)

            judging = unroll(discriminator, next_loss, unrolled, ahead)
        terms, fake_heads = adversary.generator(critic(batch, judging), real, shown, batch)
        if own.also is not None:
            terms |= own.also(Judged("generator", batch, fake, fake_heads, None))
        return terms if len(terms) > 1 else terms["loss"]

    for net in (generator, discriminator):
        compute.channels_last(net, table.device)
    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }
    described = {
        **({} if change is None else {"augment": change.name}),
        **({"unrolled": unrolled, "unrolled_lr": ahead} if unrolled else {}),
        **({"reuse": True} if reuse else {}),
        **own.settings,
    }
    game = table.game(own.name, players, data, described, adversary, prior=prior)
    _must_fit(game, given, judges_class, adversary.rule, own)
    if isinstance(augment, str) and (points := game.draw("generator").real).dim() != 4:
        raise ValueError(
            f"augment={augment!r} changes images (N, C, H, W); the data are of shape {tuple(points.shape)}"
        )
    return game


@torch.no_grad()
def _must_fit(
    game: Game, given: Callable[[Batch, bool], tuple[Tensor, ...]], judges_class: bool, rule: losses.Loss, own: Made
) -> None:
    """One look at the door: do the generator's samples have the data's shape, and D's logits one number each?"""
    batch = game.draw("generator")
    with at_rest(game.generator) as generator, at_rest(game.discriminator) as discriminator:
        fake = generator(batch.z, *given(batch, True))
        if own.measure is not None:
            fake = own.measure(fake, batch.rng)
            if not isinstance(fake, Tensor):
                raise TypeError(f"measure must return damaged samples, a tensor, got {type(fake).__name__}")
        if fake.shape != batch.real.shape:
            made, wanted = tuple(fake.shape[1:]), tuple(batch.real.shape[1:])
            what = "samples" if own.measure is None else "samples, measured,"
            raise ValueError(f"the generator's {what} have shape {made}, but those of the data {wanted}")
        said = discriminator(batch.real, *given(batch, judges_class))
    logits = said[0] if isinstance(said, tuple) else said
    wanted = (len(batch.real) // getattr(game.discriminator, "pack", 1),)
    if logits.shape != wanted:
        raise ValueError(f"the discriminator must return logits of shape {wanted}, got {tuple(logits.shape)}")
    if rule.energies and (logits < 0).any():
        raise ValueError(
            f"loss {rule.name} takes a discriminator of energies of at least 0, such as nets.AutoencoderDiscriminator "
            f"in games.eb_gan; this one returned {logits.min().item():.3g}"
        )


def unroll(net: nn.Module, loss: Callable[[Callable[..., Any]], Tensor], steps: int, lr: float) -> Callable[..., Any]:
    """A discriminator a few steps ahead, as a function whose result still depends on all that `loss` saw.

    The discriminator's next gradient steps, θ ← θ - η ∇ loss(θ), are themselves functions of the generator's samples,
    and the generator's gradient goes through them: a generator that put all its mass where the discriminator errs now
    would see it answered there.

    Source: Metz et al. 2017, https://arxiv.org/abs/1611.02163, equations 7 to 10.

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
        weights = {n: w if slope is None else w - lr * distributed.global_mean(slope) for (n, w), slope in moved}
    return partial(ahead, weights)
