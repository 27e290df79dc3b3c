r"""Games whose discriminator says more than a logit: classes, codes, or an energy and the code behind it.

Each is `gan` with further terms for both players. `ac_gan`: D also names the class (Odena et al. 2017,
https://arxiv.org/abs/1610.09585). `info_gan`: it also guesses the codes that the generator was given, so that these
come to mean something (Chen et al. 2016, https://arxiv.org/abs/1606.03657). `eb_gan`: it is an autoencoder, and its
error the energy (Zhao et al. 2017, https://arxiv.org/abs/1609.03126).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import distributed, losses
from .._check import finite, positive_int
from ..engine import Game
from ..generator import Prior
from .contest import Judged, Made, classes_of, conditional
from .gan import contest


def ac_gan(
    generator: nn.Module, discriminator: nn.Module, data: Any, *, classification: float = 1.0, **options: Any
) -> Game:
    """The game in which G is asked for a class and D names the class it sees, of reals and of fakes alike.

    First built in chapter 12.

    D minimises L_S + w · (E[-log P(y|x)] + E[-log P(y|G(z, y))]), the generator its own adversarial loss +
    w · E[-log P(y|G(z, y))], with L_S the adversarial loss and P the softmax of D's second head. The further terms
    stand in the history as "discriminator.classification" and "generator.classification".

    Source: Odena et al. 2017, https://arxiv.org/abs/1610.09585, equations 2 and 3.

    Args:
        generator: z (N, latent), labels (N,) -> samples; its `classes` is the number of classes of the data.
        discriminator: samples -> (logits (N,), class logits (N, classes)), such as
            `nets.TwoHeaded(nets.MLPDiscriminator(), outputs=10)`.
        data: a `data.Dataset` with labels.
        classification: w, weight of the classification terms, at least 0.
        options: those of `gan`.

    Raises:
        ValueError, TypeError: as `gan`, and where labels, classes or heads are missing or do not match.
    """
    count = classes_of(data)
    if count is None:
        raise ValueError("data have no labels; games.ac_gan needs them (games.gan does not)")
    if getattr(generator, "classes", None) != count:
        raise ValueError(
            f"generator.classes must be {count}, as the data have, got {getattr(generator, 'classes', None)}"
        )
    _must_have_heads(discriminator, count, "as many classes as the data have")
    if getattr(discriminator, "classes", None) is not None:
        raise ValueError("discriminator must not be shown the class that it is to name: make it without classes")
    weight = finite("classification", classification, minimum=0)

    def also(seen: Judged) -> dict[str, Tensor]:
        labels = seen.batch.labels
        assert seen.fake_heads is not None and labels is not None
        error = F.cross_entropy(seen.fake_heads, labels)
        if seen.real_heads is not None:
            error = error + F.cross_entropy(seen.real_heads, labels)
        return {"classification": weight * error}

    own = Made("ac_gan", {"classification": weight}, conditional=True, also=also)
    return contest(generator, discriminator, data, own, **options)


@dataclass(frozen=True)
class Codes:
    """The codes c that InfoGAN's generator is given, as the last numbers of z: one-hot categories, then uniforms.

    First built in chapter 12.

    Attributes:
        categorical: number of values of each categorical code, all equally likely.
        continuous: number of codes uniform on [-1, 1].

    Raises:
        ValueError, TypeError: no code at all, or numbers that are not whole.
    """

    categorical: tuple[int, ...] = (10,)
    continuous: int = 0

    def __post_init__(self) -> None:
        for values in self.categorical:
            positive_int("categorical", values, minimum=2)
        if positive_int("continuous", self.continuous, minimum=0) + len(self.categorical) == 0:
            raise ValueError("categorical or continuous must hold at least one code, got none")

    @property
    def width(self) -> int:
        """Numbers that the codes take in z."""
        return sum(self.categorical) + self.continuous

    @property
    def outputs(self) -> int:
        """Numbers that Q(c|x) consists of: a logit for each category, a mean for each continuous code."""
        return self.width

    @property
    def entropy(self) -> float:
        """H(c) in nats; that of a continuous code is differential: log 2."""
        return sum(map(math.log, self.categorical)) + self.continuous * math.log(2)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n codes (n, width)."""
        return Prior(0, "normal", self.categorical, self.continuous)(n, rng)

    def information(self, heads: Tensor, codes: Tensor) -> Tensor:
        """L_I = H(c) + E log Q(c|x), in nats: a lower bound of the mutual information I(c; x).

        Source: Chen et al. 2016, https://arxiv.org/abs/1606.03657, equation 5. Q of the continuous codes is a normal
        distribution of standard deviation 1.

        Args:
            heads: what Q says of x, (N, outputs).
            codes: the codes that x was made of, (N, width).
        """
        sizes = [*self.categorical, self.continuous]
        *logits, mean = heads.split(sizes, 1)
        *one_hots, uniform = codes.split(sizes, 1)
        categorical = [(said, asked.argmax(1)) for said, asked in zip(logits, one_hots, strict=True)]
        continuous = [(mean, torch.zeros_like(mean), uniform)] if self.continuous else []
        return self.entropy - losses.mutual_information(categorical, continuous)


def info_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    codes: Codes | None = None,
    information: float = 1.0,
    **options: Any,
) -> Game:
    """The game in which D also guesses the codes in z, and both players want it to succeed: codes get a meaning.

    First built in chapter 12.

    Both players add -λ L_I to their loss, with L_I the lower bound `Codes.information` of I(c; G(z, c)); it stands in
    the history as "discriminator.information" and "generator.information".

    Source: Chen et al. 2016, https://arxiv.org/abs/1606.03657, equations 5 and 6; Q shares D's layers as there.

    Args:
        generator: z (N, latent) -> samples; the last `codes.width` numbers of z are the codes, those before it noise.
            It may also take labels, if D does.
        discriminator: samples -> (logits (N,), heads (N, codes.outputs)), such as
            `nets.TwoHeaded(nets.MLPDiscriminator(), codes.outputs)`.
        data: as in `gan`.
        codes: by default one code of ten categories.
        information: λ, at least 0. The paper takes 1 for categories, less for continuous codes.
        options: those of `gan`.

    Raises:
        ValueError, TypeError: as `gan`, and where codes, latents or heads do not fit.
    """
    codes = Codes() if codes is None else codes
    if not isinstance(codes, Codes):
        raise TypeError(f"codes must be a games.Codes, got {codes!r}")
    weight = finite("information", information, minimum=0)
    _must_have_heads(discriminator, codes.outputs, "codes.outputs")
    latent = getattr(generator, "latent", 0)
    if latent < codes.width:
        raise ValueError(f"generator.latent must be at least codes.width = {codes.width}, got {latent}")
    noise, kind = latent - codes.width, getattr(generator, "prior", "normal")

    def also(seen: Judged) -> dict[str, Tensor]:
        assert seen.fake_heads is not None
        return {"information": -weight * codes.information(seen.fake_heads, seen.batch.z[:, noise:])}

    settings = {"information": weight, "codes": [list(codes.categorical), codes.continuous]}
    own = Made("info_gan", settings, conditional(data, generator=generator, discriminator=discriminator), also)
    prior = Prior(noise, kind, codes.categorical, codes.continuous)
    return contest(generator, discriminator, data, own, prior=prior, **options)


def eb_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    margin: float = 1.0,
    pulling_away: float = 0.0,
    **options: Any,
) -> Game:
    """The game of energies: D, an autoencoder, rebuilds reals well and fakes badly, up to a margin.


    D minimises E C(x) + E max(0, m - C(G(z))), G minimises E C(G(z)) + w · f_PT, where f_PT, "generator.pulling_away"
    in the history, is the mean squared cosine between the codes that D's encoder gives to two fakes of a batch.

    Source: Zhao et al. 2017, https://arxiv.org/abs/1609.03126, equations 1, 2 and 4.

    Args:
        generator: z (N, latent) -> samples; it may take labels, if D does.
        discriminator: samples -> (energies (N,), codes (N, d)), such as `nets.AutoencoderDiscriminator`.
        data: as in `gan`.
        margin: m, above 0, in the units of the energy.
        pulling_away: w, at least 0; the paper takes 0.1.
        options: those of `gan`, but for `loss`.

    Raises:
        ValueError, TypeError: as `gan`.
    """
    if "loss" in options:
        raise TypeError("loss must be left out: this game has its own, losses.energy_based(margin)")
    weight = finite("pulling_away", pulling_away, minimum=0)
    loss = losses.energy_based(margin)

    def also(seen: Judged) -> dict[str, Tensor]:
        if seen.player == "discriminator" or not weight:
            return {}
        if seen.fake_heads is None:
            raise TypeError("discriminator must return (energies, codes), such as nets.AutoencoderDiscriminator")
        return {"pulling_away": weight * _pulling_away(seen.fake_heads)}

    shown = conditional(data, generator=generator, discriminator=discriminator)
    own = Made("eb_gan", {"pulling_away": weight}, shown, also)
    return contest(generator, discriminator, data, own, loss=loss, **options)


def _pulling_away(codes: Tensor) -> Tensor:
    """The mean squared cosine between two different rows of codes (N, d) (Zhao et al. 2017, equation 4)."""
    directions = F.normalize(distributed.gather(codes))
    cosines, n = directions @ directions.T, len(directions)
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / (n * (n - 1))


def _must_have_heads(discriminator: nn.Module, outputs: int, meaning: str) -> None:
    found = getattr(discriminator, "outputs", None)
    if found != outputs:
        raise ValueError(f"discriminator.outputs must be {outputs}, {meaning} (see nets.TwoHeaded), got {found}")
