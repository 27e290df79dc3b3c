r"""Images into images: translation with pairs and without, into several styles or domains, and super-resolution.

`pix2pix` learns from pairs (Isola et al. 2017, https://arxiv.org/abs/1611.07004), `cycle_gan` without them (Zhu et al.
2017, https://arxiv.org/abs/1703.10593), `bicycle_gan` many answers to one input (Zhu et al. 2017,
https://arxiv.org/abs/1711.11586), `star_gan` between several domains with one generator (Choi et al. 2018,
https://arxiv.org/abs/1711.09020); `sr_gan` (Ledig et al. 2017, https://arxiv.org/abs/1609.04802) and `esr_gan` (Wang et
al. 2018, https://arxiv.org/abs/1809.00219) sharpen small images.

In a `Batch`, x = `batch.inputs` is what is translated and y = `batch.real` the target. The terms of a loss stand in the
history with their weights, as they are summed: "generator" is the adversarial term, "generator.l1" the next one.
A discriminator may return one logit for each image or a map of them, one a patch: losses average over all of them, and
penalties differentiate the mean over each image's map.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Unpack, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import _check, losses
from .._check import finite
from ..engine import Batch, Game, Player, _seeded
from ..nets.translation import ImagePool
from ..penalties import Critic, Penalty
from ._shared import Options, _at_rest, _Contest


def pix2pix(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    l1: float = 100.0,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Translation learned from pairs: D sees input and output together, and G stays near the target.

    First built in chapter 14.

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
        options: as in `gan`: batch (here 16), lr, betas, seed, averaging, anneal, device, precision.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    _must_be_pairs(data, matched=True)
    weights = _weights(l1=l1)
    table = _Translation(loss, penalty, options)

    def beside(x: Tensor) -> _Judge:
        return _Judge(discriminator, x)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        return table.tell_apart(beside(x), y, table.frozen(generator, x), batch)

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        fake = table.run(generator, x)
        return {"loss": table.fool(beside(x), y, fake), "l1": l1 * (y - fake).abs().mean()}

    def sampler(net: nn.Module, batch: Batch) -> Tensor:
        with _dropping(net, batch.rng, table.place):
            return table.run(net, _pair(batch)[0])

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "generator": table.making(generator, generator_loss),
    }
    looks = {"discriminator": lambda batch: beside(_pair(batch)[0]).logits(batch.real)}
    return table.game("pix2pix", players, data, weights, sampler=sampler, latent=0, looks=looks)


def cycle_gan(
    generator: nn.Module,
    inverse: nn.Module,
    discriminator: nn.Module,
    inverse_discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "least_squares",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    cycle: float = 10.0,
    identity: float = 5.0,
    pool: int = 50,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Translation learned without pairs: G there, F back, and a round trip must end where it began.

    First built in chapter 15.

    Both translators are one side of the game and move together: the "generator" is an `nn.ModuleDict` of "generator"
    (G: x -> y) and "inverse" (F: y -> x), and so is its average. Nothing in the losses tells G from another bijection
    between the two sets: a symmetry of the data (a mirror, an exchange of modes) is learned as readily as the map that
    was meant, but for the identity term, which prefers a G that changes little.

    Source: Zhu et al. 2017, https://arxiv.org/abs/1703.10593, equations 1 to 3, identity term of section 5.2, pool of
    section 4. `losses` gives least squares a factor 1/2, so that the paper's λ = 10 is a `cycle` of 5 here.

    Args:
        generator: G, images x -> y, such as `nets.ResidualGenerator`.
        inverse: F, images y -> x.
        discriminator: y -> logits (N,) or maps (N, h, w), such as `nets.PatchDiscriminator`.
        inverse_discriminator: x -> logits.
        data: pairs, matched or not, such as `data.load_pairs("scenes", paired=False)`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to both discriminators' losses.
        cycle: λ, weight of the two round trips' mean absolute errors.
        identity: weight of the mean absolute errors of G(y) and F(x), which should change nothing; half of `cycle` in
            the paper. 0 leaves them out.
        pool: earlier fakes that each discriminator is shown; 0 for none.
        turns: updates of each discriminator a round.
        options: as in `gan`: batch (here 16), lr, betas, seed, averaging, anneal, device, precision.

    Returns:
        A `Game` with the players "discriminator", "inverse_discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    _must_be_pairs(data, matched=False)
    if generator is inverse or discriminator is inverse_discriminator:
        raise ValueError("generator and inverse, and the two discriminators, must be networks of their own")
    weights = _weights(cycle=cycle, identity=identity)
    table = _Translation(loss, penalty, options)
    if kept := [p.name for p in table.due if isinstance(p.function, nn.Module)]:
        raise ValueError(f"penalty must be without memory, which two discriminators would share, got {kept[0]}")
    y_shape, x_shape = (tuple(t.shape[1:]) for t in data.draw_pair(1, torch.Generator()))
    if identity and x_shape != y_shape:
        raise ValueError(f"identity must be 0 where inputs {x_shape} and targets {y_shape} differ, got {identity}")
    pool_y, pool_x = ImagePool(y_shape, pool), ImagePool(x_shape, pool)
    judge, inverse_judge = _Judge(discriminator), _Judge(inverse_discriminator)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        fake = pool_y.exchange(table.frozen(generator, x), batch.rng)
        return table.tell_apart(judge, y, fake, batch)

    def inverse_discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        fake = pool_x.exchange(table.frozen(inverse, y), batch.rng)
        return table.tell_apart(inverse_judge, x, fake, batch)

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        fake_y, fake_x = table.run(generator, x), table.run(inverse, y)
        there_and_back = table.run(inverse, fake_y) - x
        back_and_there = table.run(generator, fake_x) - y
        terms = {
            "loss": table.fool(judge, y, fake_y),
            "inverse": table.fool(inverse_judge, x, fake_x),
            "cycle": cycle * (there_and_back.abs().mean() + back_and_there.abs().mean()),
        }
        if identity:
            kept_y, kept_x = table.run(generator, y) - y, table.run(inverse, x) - x
            terms["identity"] = identity * (kept_y.abs().mean() + kept_x.abs().mean())
        return terms

    def sampler(net: nn.Module, batch: Batch) -> Tensor:
        return table.run(net["generator"], _pair(batch)[0])  # type: ignore[index]

    both = nn.ModuleDict({"generator": generator, "inverse": inverse})
    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "inverse_discriminator": table.judging(inverse_discriminator, inverse_discriminator_loss, turns),
        "generator": table.making(both, generator_loss),
    }
    return table.game(
        "cycle_gan",
        players,
        data,
        {**weights, "pool": pool},
        sampler=sampler,
        latent=0,
        looks={
            "discriminator": lambda batch: judge.logits(batch.real),
            "inverse_discriminator": lambda batch: inverse_judge.logits(_pair(batch)[0]),
        },
        memory={"pool": pool_y, "inverse_pool": pool_x} if pool else {},
    )


def bicycle_gan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "least_squares",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    l1: float = 10.0,
    latent_l1: float = 0.5,
    kl: float = 0.01,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Many answers to one input: a code z says which, and can be read off the answer. First built in chapter 14.

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
        options: as in `gan`: batch (here 16), lr, betas, seed, averaging, anneal, device, precision.

    Returns:
        A `Game` with the players "discriminator", "encoder" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    _must_be_pairs(data, matched=True)
    weights = _weights(l1=l1, latent_l1=latent_l1, kl=kl)
    table = _Translation(loss, penalty, options)

    def beside(x: Tensor) -> _Judge:
        return _Judge(discriminator, x)

    def encode(y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """z = μ(y) + σ(y) ε, with its μ and log σ²."""
        mean, log_variance = _two(table.run(encoder, y), "encoder", _GAUSSIAN)
        noise = torch.randn(mean.shape, generator=rng, dtype=mean.dtype).to(mean.device)
        return mean + (log_variance / 2).exp() * noise, mean, log_variance

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        with torch.no_grad():
            rebuilt = table.run(generator, x, encode(y, batch.rng)[0])
            imagined = table.run(generator, x, batch.z)
        terms = table.tell_apart(beside(x), y, rebuilt, batch)
        real, fake = table.logits(beside(x), y), table.logits(beside(x), imagined)
        return {**terms, "imagined": table.rule.discriminator(real, fake)}

    def encoder_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        z, mean, log_variance = encode(y, batch.rng)
        rebuilt = table.run(generator, x, z)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return {
            "loss": table.fool(beside(x), y, rebuilt),
            "l1": l1 * (y - rebuilt).abs().mean(),
            "kl": kl * divergence,
        }

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        with torch.no_grad():
            z = encode(y, batch.rng)[0]
        rebuilt, imagined = table.run(generator, x, z), table.run(generator, x, batch.z)
        found, _ = _two(table.run(encoder, imagined), "encoder", _GAUSSIAN)
        return {
            "loss": table.fool(beside(x), y, rebuilt),
            "imagined": table.fool(beside(x), y, imagined),
            "l1": l1 * (y - rebuilt).abs().mean(),
            "latent_l1": latent_l1 * (batch.z - found).abs().mean(),
        }

    def sampler(net: nn.Module, batch: Batch) -> Tensor:
        return table.run(net, _pair(batch)[0], batch.z)

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "encoder": table.making(encoder, encoder_loss),
        "generator": table.making(generator, generator_loss),
    }

    def look(batch: Batch) -> None:
        wanted = batch.z.shape
        for said in encode(batch.real, batch.rng)[1:]:
            _check.shape("mean and log-variance of the encoder", said, f"{tuple(wanted)} like z", said.shape == wanted)

    looks = {"discriminator": lambda batch: beside(_pair(batch)[0]).logits(batch.real), "encoder": look}
    return table.game("bicycle_gan", players, data, weights, sampler=sampler, looks=looks)


def star_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "wasserstein",
    penalty: str | Penalty | Sequence[str | Penalty] = "gradient_penalty",
    classification: float = 1.0,
    reconstruction: float = 10.0,
    turns: int = 5,
    **options: Unpack[Options],
) -> Game:
    """One generator for several domains: it is told which one is wanted, and D says which one it sees.

    First built in chapter 15.

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
        options: as in `gan`: batch (here 16), lr (here 1e-4), betas, seed, averaging, anneal, device, precision.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    count = len(getattr(data, "classes", ()))
    if getattr(data, "y", None) is None or not count:
        raise ValueError("data have no labels; this game translates between their classes")
    for role, net in (("generator", generator), ("discriminator", discriminator)):
        if getattr(net, "classes", count if role == "discriminator" else None) != count:
            raise ValueError(f"{role}.classes must be {count}, as the data have, got {getattr(net, 'classes', None)}")
    weights = _weights(classification=classification, reconstruction=reconstruction)
    table = _Translation(loss, penalty, options, {"lr": 1e-4})

    source = _Judge(discriminator)

    def wanted(batch: Batch) -> Tensor:
        return torch.randint(count, (len(batch.real),), generator=batch.rng).to(batch.real.device)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, domain = batch.real, _labels(batch)
        fake = table.frozen(generator, x, wanted(batch))
        real_logits, real_domains = _two(table.run(discriminator, x), "discriminator", _DOMAINS)
        return {
            "loss": table.rule.discriminator(real_logits.flatten(), table.logits(source, fake)),
            **table.penalties(source, x, fake, batch),
            "classification": classification * F.cross_entropy(real_domains, domain),
        }

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, domain, target = batch.real, _labels(batch), wanted(batch)
        fake = table.run(generator, x, target)
        fake_logits, fake_domains = _two(table.run(discriminator, fake), "discriminator", _DOMAINS)
        back = table.run(generator, fake, domain)
        real_logits = table.frozen(source.logits, x).flatten() if table.rule.relativistic else None
        return {
            "loss": table.rule.generator(real_logits, fake_logits.flatten()),
            "classification": classification * F.cross_entropy(fake_domains, target),
            "reconstruction": reconstruction * (x - back).abs().mean(),
        }

    def sampler(net: nn.Module, batch: Batch) -> Tensor:
        return table.run(net, batch.real, _labels(batch))

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "generator": table.making(generator, generator_loss),
    }

    def look(batch: Batch) -> None:
        _, domains = _two(table.run(discriminator, batch.real), "discriminator", _DOMAINS)
        wanted = (len(batch.real), count)
        _check.shape("logits of the domains of the discriminator", domains, str(wanted), domains.shape == wanted)

    return table.game("star_gan", players, data, weights, sampler=sampler, latent=0, looks={"discriminator": look})


def sr_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    content: float = 1.0,
    adversarial: float = 1e-3,
    features: Callable[[Tensor], Tensor] | None = None,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Super-resolution: the image that was shrunk, rebuilt near the original and among the real ones.

    First built in chapter 16.

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
        options: as in `gan`: batch (here 16), lr (here 1e-4), betas (here 0.9, 0.999), seed, averaging, anneal, device,
            precision.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    _must_be_pairs(data, matched=True)
    weights = _weights(content=content, adversarial=adversarial)
    table = _Translation(loss, penalty, options, {"lr": 1e-4, "betas": (0.9, 0.999)})
    seen = _features(features, table.place)

    def objective(adversary: Tensor, y: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"loss": adversarial * adversary, "content": content * (seen(y) - seen(fake)).square().mean()}

    settings = {**weights, "features": _named(features)}
    return _super_resolution("sr_gan", generator, discriminator, data, table, objective, turns, settings)


def esr_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "ragan",
    penalty: str | Penalty | Sequence[str | Penalty] = (),
    content: float = 1.0,
    adversarial: float = 5e-3,
    l1: float = 1e-2,
    features: Callable[[Tensor], Tensor] | None = None,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Super-resolution with a relativistic judge: is the original more real than the fakes are on average?

    First built in chapter 16.

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
        options: as in `gan`: batch (here 16), lr (here 1e-4), betas (here 0.9, 0.999), seed, averaging, anneal, device,
            precision.

    Returns:
        A `Game` with the players "discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    _must_be_pairs(data, matched=True)
    weights = _weights(content=content, adversarial=adversarial, l1=l1)
    table = _Translation(loss, penalty, options, {"lr": 1e-4, "betas": (0.9, 0.999)})
    seen = _features(features, table.place)

    def objective(adversary: Tensor, y: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {
            "loss": adversarial * adversary,
            "content": content * (seen(y) - seen(fake)).abs().mean(),
            "l1": l1 * (y - fake).abs().mean(),
        }

    settings = {**weights, "features": _named(features)}
    return _super_resolution("esr_gan", generator, discriminator, data, table, objective, turns, settings)


def _super_resolution(
    name: str,
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    table: _Translation,
    objective: Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]],
    turns: int,
    settings: Mapping[str, Any],
) -> Game:
    """Small x, large y; G minimises `objective(adversarial loss, y, G(x))`."""
    judge = _Judge(discriminator)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        return table.tell_apart(judge, y, table.frozen(generator, x), batch)

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = _pair(batch)
        fake = table.run(generator, x)
        return objective(table.fool(judge, y, fake), y, fake)

    def sampler(net: nn.Module, batch: Batch) -> Tensor:
        return cast(Tensor, table.run(net, _pair(batch)[0]))

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, turns),
        "generator": table.making(generator, generator_loss),
    }
    looks = {"discriminator": lambda batch: judge.logits(batch.real)}
    return table.game(name, players, data, settings, sampler=sampler, latent=0, looks=looks)


class _Judge(Critic):
    """A discriminator with the images it compares with bound."""

    def logits(self, x: Tensor) -> Tensor:
        """(N,), or (N, h, w) from a discriminator of patches."""
        said = self.net(x, *self.labels)
        logits: Tensor = said[0] if isinstance(said, tuple) else said
        if logits.dim() == 0 or len(logits) != len(x):
            got = tuple(logits.shape)
            raise ValueError(f"a discriminator must return logits of shape ({len(x)},) or ({len(x)}, h, w), got {got}")
        return logits

    def __call__(self, x: Tensor) -> Tensor:
        """(N,): what a penalty differentiates is the mean over an image's patches."""
        return self.logits(x).reshape(len(x), -1).mean(1)


class _Translation(_Contest):
    """A contest whose discriminators may judge patch by patch."""

    def __init__(
        self,
        loss: str | losses.Loss,
        penalty: str | Penalty | Sequence[str | Penalty],
        options: Options,
        defaults: Options | None = None,
    ) -> None:
        super().__init__(loss, penalty, options, {"batch": 16, **(defaults or {})})

    def logits(self, judge: _Judge, x: Tensor) -> Tensor:
        """One logit for each image, or for each patch of each image, in one row."""
        return cast(Tensor, self.run(judge.logits, x)).flatten()

    def tell_apart(self, judge: _Judge, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What a discriminator minimises: the adversarial loss and its penalties."""
        loss = self.rule.discriminator(self.logits(judge, real), self.logits(judge, fake))
        return {"loss": loss, **self.penalties(judge, real, fake, batch)}

    def fool(self, judge: _Judge, real: Tensor, fake: Tensor) -> Tensor:
        """What a generator minimises: the adversarial loss alone."""
        with torch.no_grad():
            real_logits = self.logits(judge, real) if self.rule.relativistic else None
        return self.rule.generator(real_logits, self.logits(judge, fake))

    def game(
        self,
        name: str,
        players: Mapping[str, Player],
        data: Any,
        settings: Mapping[str, Any],
        *,
        looks: Mapping[str, Callable[[Batch], object]] | None = None,
        **more: Any,
    ) -> Game:
        """The game, once its generator is seen to make what the data hold, and each player of `looks` to say of a
        batch of them what the game wants to hear."""
        game = super().game(name, players, data, settings, **more)
        batch = game.draw("generator")
        made, wanted = game.sample(1).shape[1:], batch.real.shape[1:]
        if made != wanted:
            raise ValueError(f"the generator's images have shape {tuple(made)}, but those of the data {tuple(wanted)}")
        for player, look in (looks or {}).items():
            with torch.no_grad(), _at_rest(players[player].net):
                look(batch)
        return game


_GAUSSIAN = "(mean, log-variance), such as nets.ShuffleEncoder(gaussian=True)"
_DOMAINS = "(logits, logits of the domains), such as nets.DomainDiscriminator"


def _two(said: Any, role: str, wanted: str) -> tuple[Tensor, Tensor]:
    """What a network said, which is to be two tensors."""
    if not isinstance(said, tuple) or len(said) != 2:
        got = f"a tensor of shape {tuple(said.shape)}" if isinstance(said, Tensor) else type(said).__name__
        raise TypeError(f"the {role} must return {wanted}, got {got}")
    return said


def _pair(batch: Batch) -> tuple[Tensor, Tensor]:
    """x and y: what is translated, and the target."""
    assert batch.inputs is not None
    return batch.inputs, batch.real


def _labels(batch: Batch) -> Tensor:
    assert batch.labels is not None
    return batch.labels


def _weights(**weights: float) -> dict[str, float]:
    return {name: finite(name, weight, minimum=0) for name, weight in weights.items()}


def _must_be_pairs(data: Any, matched: bool) -> None:
    if not hasattr(data, "draw_pair"):
        got = type(data).__name__
        raise TypeError(f"data must be pairs of inputs and targets, such as data.load_pairs('scenes'), got {got}")
    if matched and not getattr(data, "paired", True):
        raise ValueError("data must be paired: this game learns from pairs (games.cycle_gan does without)")


def _features(features: Callable[[Tensor], Tensor] | None, place: torch.device) -> Callable[[Tensor], Tensor]:
    """The function whose values the content is compared in; a network as a frozen copy."""
    if features is None:
        return lambda images: images
    if isinstance(features, nn.Module):
        return copy.deepcopy(features).to(place).eval().requires_grad_(False)
    if not callable(features):
        raise TypeError(f"features must be a network or a function of images, or None, got {features!r}")
    return features


def _named(features: object) -> str | None:
    return None if features is None else getattr(features, "__name__", type(features).__name__)


@contextmanager
def _dropping(net: nn.Module, rng: torch.Generator, place: torch.device) -> Iterator[None]:
    """Dropout on, its draws keyed by `rng`."""
    layers = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    was_training = [layer.training for layer in layers]
    key = int(torch.randint(2**31, (), generator=rng))
    try:
        for layer in layers:
            layer.train()
        with _seeded(place, key):
            yield
    finally:
        for layer, training in zip(layers, was_training, strict=True):
            layer.train(training)
