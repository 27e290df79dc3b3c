"""Every game of `games.GAMES`, played for a few steps on tiny networks: who moves what, what is minimised, resuming.

A new game adds a row to `CASES`. Formulas are written out here from the papers, in NumPy and float64, on what the
networks say (logits, samples, codes) for the batch of the turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganlib import Game, data, games, nets, penalties
from ganlib.engine import Batch

from . import test_progressive, test_translation
from .tiny import everything, same

Array = NDArray[np.float64]
Formula = Callable[[Game, Batch], dict[str, float]]

CODES = games.Codes((3, 2), continuous=1)


@dataclass(frozen=True)
class Case:
    """A game in this gallery.

    Attributes:
        make: builds it, always with the same initial weights.
        turns: player -> turns a round, in their order.
        terms: the names in its history.
        formulas: player -> its loss's terms by name, from the paper; a game whose formulas another file tests has none.
        grows: whether some parameters take no gradient yet; which ones, another file tests.
    """

    make: Callable[[], Game]
    turns: dict[str, int]
    terms: set[str]
    formulas: dict[str, Formula]
    grows: bool = False


# ---- tiny networks and data ----------------------------------------------------------------------


def points(n: int = 60) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(1)) + 1


def holed() -> data.Incomplete:
    """Rows of 2 of which every fifth entry is missing."""
    x = points().clone()
    x.view(-1)[::5] = torch.nan
    return data.Incomplete(x)


def halved(x: Tensor, rng: torch.Generator) -> Tensor:
    """Every other number, on average, is lost."""
    return x * (torch.rand(x.shape, generator=rng) < 0.5).to(x)


def labelled() -> data.Dataset:
    return data.Dataset("points", points(), torch.arange(60) % 3, ("a", "b", "c"))


def generator(latent: int = 2, classes: int | None = None) -> nets.MLPGenerator:
    return nets.MLPGenerator(latent, 2, 8, 1, classes=classes)


def encoder(gaussian: bool = False, classes: int | None = None) -> nets.MLPEncoder:
    return nets.MLPEncoder(2, 2, 8, 1, gaussian=gaussian, classes=classes)


def discriminator(classes: int | None = None) -> nets.MLPDiscriminator:
    return nets.MLPDiscriminator(2, 8, 1, classes=classes)


def seeded(make: Callable[..., Game], *networks: Callable[[], nn.Module], source: Any = None, **options: Any) -> Any:
    """A function that builds the game with networks that are new, but always the same."""

    def build() -> Game:
        torch.manual_seed(0)
        made = [network() for network in networks]
        return make(*made, points() if source is None else source(), **{"batch": 16, "lr": 1e-2, **options})

    return build


# ---- what the papers say, in float64 -------------------------------------------------------------


def exact(x: Tensor) -> Array:
    return x.detach().double().numpy()


def log_d(logits: Array) -> Array:
    """log D with D = sigmoid(logit)."""
    return -np.log1p(np.exp(-logits))


def log_not_d(logits: Array) -> Array:
    return -np.log1p(np.exp(logits))


def cross_entropy(said: Array, labels: Tensor | None) -> float:
    assert labels is not None
    p = np.exp(said) / np.exp(said).sum(1, keepdims=True)
    return float(-np.log(p[np.arange(len(p)), labels.numpy()]).mean())


def given(net: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    return () if getattr(net, "classes", None) is None or batch.labels is None else (batch.labels,)


def fakes(game: Game, batch: Batch) -> Tensor:
    """G(z), of the net that makes samples."""
    return game.generator(batch.z, *given(game.generator, batch)).detach()


def said(game: Game, x: Tensor, batch: Batch) -> tuple[Array, Array]:
    """What D says of x: logits (or energies), and what else (or nothing)."""
    out = game.discriminator(x, *given(game.discriminator, batch))
    logits, heads = out if isinstance(out, tuple) else (out, torch.zeros(0))
    return exact(logits), exact(heads)


def judged(game: Game, batch: Batch) -> dict[str, float]:
    """-E log D(x) - E log(1 - D(G(z)))."""
    (real, _), (fake, _) = said(game, batch.real, batch), said(game, fakes(game, batch), batch)
    return {"loss": -log_d(real).mean() - log_not_d(fake).mean()}


def fooled(game: Game, batch: Batch) -> dict[str, float]:
    """-E log D(G(z))."""
    return {"loss": -log_d(said(game, fakes(game, batch), batch)[0]).mean()}


def judged_with_r1(game: Game, batch: Batch) -> dict[str, float]:
    """γ/2 E‖∇D(x)‖² beside it, for γ = 0.3; the slope by differences, one coordinate at a time."""
    net = game.discriminator.double()
    x, step, slopes = batch.real.double(), 1e-6, 0.0
    for i in range(2):
        e = step * torch.eye(2, dtype=torch.float64)[i]
        slopes = slopes + (exact(net(x + e)) - exact(net(x - e))) ** 2 / (2 * step) ** 2
    net.float()
    return {**judged(game, batch), "r1": 0.15 * np.mean(slopes)}


def ac_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    real, fake = said(game, batch.real, batch)[1], said(game, fakes(game, batch), batch)[1]
    errors = cross_entropy(real, batch.labels) + cross_entropy(fake, batch.labels)
    return {**judged(game, batch), "classification": 0.5 * errors}


def ac_generator(game: Game, batch: Batch) -> dict[str, float]:
    fake = said(game, fakes(game, batch), batch)[1]
    return {**fooled(game, batch), "classification": 0.5 * cross_entropy(fake, batch.labels)}


def twelve() -> data.Dataset:
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(2))
    return data.Dataset("twelve points", x, torch.arange(12) % 3, ("a", "b", "c"))


def log_of_real(said_of: tuple[Array, Array]) -> tuple[Array, Array]:
    """Log-probabilities of "real", any of the classes, and of "generated", in the softmax over both together: the
    class "generated" has the logit -a."""
    logits, classes = said_of
    every = np.exp(np.concatenate([classes, -logits[:, None]], 1))
    p = every / every.sum(1, keepdims=True)
    return np.log(p[:, :-1].sum(1)), np.log(p[:, -1])


def semi_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    x, y = twelve().draw(len(batch.real), batch.rng)
    on_real = log_of_real(said(game, batch.real, batch))[0].mean()
    on_fake = log_of_real(said(game, fakes(game, batch), batch))[1].mean()
    return {"loss": cross_entropy(said(game, x, batch)[1], y), "unsupervised": 0.5 * -(on_real + on_fake)}


def semi_generator(game: Game, batch: Batch) -> dict[str, float]:
    real, fake = (exact(game.discriminator.last_features(x)).mean(0) for x in (batch.real, fakes(game, batch)))
    return {"loss": ((real - fake) ** 2).sum()}


def semi_fooled(game: Game, batch: Batch) -> dict[str, float]:
    return {"loss": -log_of_real(said(game, fakes(game, batch), batch))[0].mean()}


def semi_of_data(game: Game, batch: Batch) -> dict[str, float]:
    on_real, on_fake = (log_of_real(said(game, x, batch)) for x in (batch.real, fakes(game, batch)))
    error = cross_entropy(said(game, batch.real, batch)[1], batch.labels)
    return {"loss": error, "unsupervised": -(on_real[0].mean() + on_fake[1].mean())}


def information(game: Game, batch: Batch) -> dict[str, float]:
    """-λ (H(c) + E log Q(c|x)) for codes of 3 and 2 categories and one uniform on [-1, 1], Q = N(mean, 1) there."""
    q, c = said(game, fakes(game, batch), batch)[1], exact(batch.z[:, -6:])
    three, two = (torch.from_numpy(c[:, a:b].argmax(1)) for a, b in ((0, 3), (3, 5)))
    normal = np.exp(-0.5 * (c[:, 5] - q[:, 5]) ** 2) / math.sqrt(2 * math.pi)
    log_q = -cross_entropy(q[:, :3], three) - cross_entropy(q[:, 3:5], two) + np.log(normal).mean()
    return {"information": -0.7 * (math.log(3) + math.log(2) + math.log(2) + log_q)}


def energies(game: Game, x: Tensor, batch: Batch) -> Array:
    """The mean squared error with which D's autoencoder rebuilds x."""
    both = game.discriminator
    code = both.encoder(x, *given(both, batch))
    return ((exact(both.generator(code, *given(both, batch))) - exact(x)) ** 2).mean(1)


def energy_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    real, fake = energies(game, batch.real, batch), energies(game, fakes(game, batch), batch)
    return {"loss": real.mean() + np.maximum(0, 2 - fake).mean()}


def energy_generator(game: Game, batch: Batch) -> dict[str, float]:
    fake = fakes(game, batch)
    s = exact(game.discriminator.encoder(fake, *given(game.discriminator, batch)))
    cosines = [
        (a @ b / np.linalg.norm(a) / np.linalg.norm(b)) ** 2 for i, a in enumerate(s) for j, b in enumerate(s) if i != j
    ]
    return {"loss": energies(game, fake, batch).mean(), "pulling_away": 0.1 * np.mean(cosines)}


def posterior(net: nn.Module, batch: Batch) -> tuple[Array, Array, Tensor]:
    """Mean and variance of q(z|x), and the z that the turn draws from it."""
    mean, log_variance = net(batch.real, *given(net, batch))
    noise = torch.randn(mean.shape, generator=batch.rng)
    z = mean + log_variance.exp().sqrt() * noise
    return exact(mean), np.exp(exact(log_variance)), z.detach()


def divergence(mean: Array, variance: Array) -> float:
    """KL(N(μ, σ²) ‖ N(0, 1)), summed over the code."""
    return float((0.5 * (variance + mean**2 - 1) - np.log(np.sqrt(variance))).sum(1).mean())


def bound(std: float | None, beta: float) -> Formula:
    def formula(game: Game, batch: Batch) -> dict[str, float]:
        both = game.generator
        mean, variance, z = posterior(both.encoder, batch)
        squared = (exact(batch.real) - exact(both(z, *given(both, batch)))) ** 2
        s2 = squared.mean() if std is None else std**2
        density = np.exp(-squared / (2 * s2)) / np.sqrt(2 * math.pi * s2)
        return {"loss": -np.log(density).sum(1).mean(), "divergence": beta * divergence(mean, variance)}

    return formula


def imputed(game: Game, batch: Batch) -> tuple[Array, Array, Tensor]:
    """Which entries are known, the answers, and the completed rows."""
    assert batch.inputs is not None
    known = batch.inputs[:, 2:]
    answers = game.generator(batch.inputs, batch.z).detach()
    return exact(known), exact(answers), torch.where(known == 1, batch.real, answers)


def of_entries(game: Game, batch: Batch, printed: bool) -> tuple[Array, Array, Array]:
    """Which entries are known, D's logits, and which entries count."""
    known, _, row = imputed(game, batch)
    if printed:
        asked = exact(torch.eye(2)[torch.randint(2, (len(row),), generator=batch.rng)])
        hint, counts = np.where(asked == 1, 0.5, known), asked
    else:
        told = exact(torch.rand(row.shape, generator=batch.rng) < 0.9)
        hint, counts = known * told, np.ones_like(known)
    return known, exact(game.discriminator(row, torch.from_numpy(hint).float())), counts


def entry_discriminator(printed: bool) -> Formula:
    """-Σ (m log D + (1 - m) log(1 - D)) over the entries that count, by their number."""

    def formula(game: Game, batch: Batch) -> dict[str, float]:
        known, logits, counts = of_entries(game, batch, printed)
        return {"loss": -(counts * (known * log_d(logits) + (1 - known) * log_not_d(logits))).sum() / counts.sum()}

    return formula


def entry_generator(printed: bool) -> Formula:
    """-Σ (1 - m) log D, likewise, and α times the mean squared error of what is known."""

    def formula(game: Game, batch: Batch) -> dict[str, float]:
        known, logits, counts = of_entries(game, batch, printed)
        squares = (known * (imputed(game, batch)[1] - exact(batch.real)) ** 2).sum() / known.sum()
        return {"loss": -(counts * (1 - known) * log_d(logits)).sum() / counts.sum(), "squares": 7 * squares}

    return formula


def through_damage(formula: Callable[[Game, Batch, Tensor], float]) -> Formula:
    return lambda game, batch: {"loss": formula(game, batch, halved(fakes(game, batch), batch.rng))}


def rebuilding(game: Game, batch: Batch) -> dict[str, float]:
    both = game.generator
    code = both.encoder(batch.real, *given(both, batch))
    return {"loss": ((exact(both(code, *given(both, batch))) - exact(batch.real)) ** 2).mean()}


def of_codes(game: Game, batch: Batch) -> tuple[Array, Array]:
    """D of the prior's z, and of E(x)."""
    both, d = game.generator, game.discriminator
    codes = both.encoder(batch.real, *given(both, batch))
    return exact(d(batch.z, *given(d, batch))), exact(d(codes, *given(d, batch)))


def code_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    prior, codes = of_codes(game, batch)
    return {"loss": -log_d(prior).mean() - log_not_d(codes).mean()}


def code_encoder(game: Game, batch: Batch) -> dict[str, float]:
    return {"loss": -log_d(of_codes(game, batch)[1]).mean()}


def features(game: Game, x: Tensor, batch: Batch) -> Array:
    return exact(game.discriminator.last_features(x, *given(game.discriminator, batch)))


def larsen_rebuilt(game: Game, batch: Batch) -> tuple[Array, Array, Tensor]:
    mean, variance, z = posterior(game.players["encoder"].net, batch)
    return mean, variance, game.generator(z, *given(game.generator, batch)).detach()


def similarity(game: Game, rebuilt: Tensor, batch: Batch) -> float:
    """-log N(f(x); f(x̃), I) without its constant."""
    return float(0.5 * ((features(game, batch.real, batch) - features(game, rebuilt, batch)) ** 2).sum(1).mean())


def larsen_encoder(game: Game, batch: Batch) -> dict[str, float]:
    mean, variance, rebuilt = larsen_rebuilt(game, batch)
    return {"loss": divergence(mean, variance), "similarity": similarity(game, rebuilt, batch)}


def larsen_generator(game: Game, batch: Batch) -> dict[str, float]:
    *_, rebuilt = larsen_rebuilt(game, batch)
    of_rebuilt, of_fake = said(game, rebuilt, batch)[0], said(game, fakes(game, batch), batch)[0]
    gan = -log_d(of_rebuilt).mean() - log_d(of_fake).mean()
    return {"loss": gan, "similarity": 0.3 * similarity(game, rebuilt, batch)}


def larsen_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    *_, rebuilt = larsen_rebuilt(game, batch)
    return {
        **judged(game, batch),
        "loss": judged(game, batch)["loss"] - log_not_d(said(game, rebuilt, batch)[0]).mean(),
    }


def of_pairs(game: Game, batch: Batch) -> tuple[Array, Array]:
    """D(x, E(x)) and D(G(z), z); a Gaussian encoder draws (ALI)."""
    both, d = game.generator, game.discriminator
    if both.encoder.gaussian:
        code = posterior(both.encoder, batch)[2]
    else:
        code = both.encoder(batch.real, *given(both, batch)).detach()
    labels = given(d, batch)
    return exact(d(batch.real, code, *labels)), exact(d(fakes(game, batch), batch.z, *labels))


def pair_discriminator(game: Game, batch: Batch) -> dict[str, float]:
    real, fake = of_pairs(game, batch)
    return {"loss": -log_d(real).mean() - log_not_d(fake).mean()}


def pair_generator(game: Game, batch: Batch) -> dict[str, float]:
    """-E log(1 - D(x, E(x))) - E log D(G(z), z)."""
    real, fake = of_pairs(game, batch)
    return {"loss": -log_not_d(real).mean() - log_d(fake).mean()}


def pair_saddle(game: Game, batch: Batch) -> dict[str, float]:
    """The saturating form: both minimise V itself."""
    real, fake = of_pairs(game, batch)
    return {"loss": log_d(real).mean() + log_not_d(fake).mean()}


def regressor(game: Game, batch: Batch) -> dict[str, float]:
    """λ E|z - E(G(z))| beside the generator's loss."""
    found = game.generator.encoder(fakes(game, batch), *given(game.generator, batch))
    return {**fooled(game, batch), "latent_l1": 2 * np.abs(exact(batch.z) - exact(found)).mean()}


def clustered(game: Game, batch: Batch, *, judges: bool) -> dict[str, float]:
    """Both players see the cluster of the reals."""
    fake = game.generator(batch.z, batch.labels)
    real, made = (exact(game.discriminator(x, batch.labels)) for x in (batch.real, fake))
    return {"loss": -log_d(real).mean() - log_not_d(made).mean() if judges else -log_d(made).mean()}


# ---- the table -----------------------------------------------------------------------------------


def two_headed(outputs: int, classes: int | None = None) -> Callable[[], nn.Module]:
    return lambda: nets.TwoHeaded(discriminator(classes), outputs)


def rebuilder(classes: int | None = None) -> Callable[[], nn.Module]:
    return lambda: nets.AutoencoderDiscriminator(generator(classes=classes), encoder(classes=classes))


def joint(classes: int | None = None) -> Callable[[], nn.Module]:
    return lambda: nets.MLPJointDiscriminator(2, 2, 8, 1, classes=classes)


def of_three(net: Callable[..., nn.Module], **more: Any) -> Callable[[], nn.Module]:
    return lambda: net(classes=3, **more)


def gaussian() -> nn.Module:
    return encoder(gaussian=True)


BOTH = {"discriminator": 1, "generator": 1}

#: The name of a game, or the name, a comma and what is special about this row.
CASES: dict[str, Case] = {
    "gan": Case(
        seeded(games.gan, generator, discriminator, turns=2, penalty=penalties.r1(0.3)),
        {"discriminator": 2, "generator": 1},
        {"discriminator", "discriminator.r1", "generator"},
        {"discriminator": judged_with_r1, "generator": fooled},
    ),
    "conditional_gan": Case(
        seeded(games.conditional_gan, of_three(generator), of_three(discriminator), source=labelled),
        BOTH,
        set(BOTH),
        {"discriminator": judged, "generator": fooled},
    ),
    "clustered_gan": Case(
        seeded(games.clustered_gan, of_three(generator), of_three(discriminator), source=labelled),
        BOTH,
        set(BOTH),
        {"discriminator": partial(clustered, judges=True), "generator": partial(clustered, judges=False)},
    ),
    "progressive_gan": Case(  # formulas: test_progressive.py
        partial(test_progressive.tiny, stage=1), BOTH, {*BOTH, "discriminator.gradient_penalty"}, {}, grows=True
    ),
    "ac_gan": Case(
        seeded(
            games.ac_gan, of_three(generator), two_headed(3), source=labelled, classification=0.5, penalty="r1", turns=2
        ),
        {"discriminator": 2, "generator": 1},
        {*BOTH, "discriminator.classification", "discriminator.r1", "generator.classification"},
        {"discriminator": ac_discriminator, "generator": ac_generator},
    ),
    "semi_supervised": Case(
        seeded(games.semi_supervised, generator, two_headed(3), labelled=twelve(), unsupervised=0.5, turns=2),
        {"discriminator": 2, "generator": 1},
        {*BOTH, "discriminator.unsupervised"},
        {"discriminator": semi_discriminator, "generator": semi_generator},
    ),
    "semi_supervised, labels of the data": Case(
        seeded(games.semi_supervised, generator, two_headed(3), source=labelled, matching=False),
        BOTH,
        {*BOTH, "discriminator.unsupervised"},
        {"discriminator": semi_of_data, "generator": semi_fooled},
    ),
    "info_gan": Case(
        seeded(games.info_gan, lambda: generator(8), two_headed(6), codes=CODES, information=0.7),
        BOTH,
        {*BOTH, "discriminator.information", "generator.information"},
        {
            "discriminator": lambda game, batch: judged(game, batch) | information(game, batch),
            "generator": lambda game, batch: fooled(game, batch) | information(game, batch),
        },
    ),
    "info_gan, conditional": Case(
        seeded(
            games.info_gan,
            lambda: generator(8, classes=3),
            two_headed(6, classes=3),
            source=labelled,
            codes=CODES,
            information=0.7,
        ),
        BOTH,
        {*BOTH, "discriminator.information", "generator.information"},
        {
            "discriminator": lambda game, batch: judged(game, batch) | information(game, batch),
            "generator": lambda game, batch: fooled(game, batch) | information(game, batch),
        },
    ),
    "eb_gan": Case(
        seeded(games.eb_gan, generator, rebuilder(), margin=2.0, pulling_away=0.1),
        BOTH,
        {*BOTH, "generator.pulling_away"},
        {"discriminator": energy_discriminator, "generator": energy_generator},
    ),
    "eb_gan, conditional": Case(
        seeded(games.eb_gan, of_three(generator), rebuilder(3), source=labelled, margin=2.0, pulling_away=0.1),
        BOTH,
        {*BOTH, "generator.pulling_away"},
        {"discriminator": energy_discriminator, "generator": energy_generator},
    ),
    "vae": Case(
        seeded(games.vae, generator, gaussian, beta=0.5),
        {"autoencoder": 1},
        {"autoencoder", "autoencoder.divergence"},
        {"autoencoder": bound(std=None, beta=0.5)},
    ),
    "vae, conditional": Case(
        seeded(games.vae, of_three(generator), of_three(encoder, gaussian=True), source=labelled, std=0.4),
        {"autoencoder": 1},
        {"autoencoder", "autoencoder.divergence"},
        {"autoencoder": bound(std=0.4, beta=1)},
    ),
    "aae": Case(
        seeded(games.aae, generator, encoder, discriminator, turns=2),
        {"autoencoder": 1, "discriminator": 2, "encoder": 1},
        {"autoencoder", "discriminator", "encoder"},
        {"autoencoder": rebuilding, "discriminator": code_discriminator, "encoder": code_encoder},
    ),
    "aae, conditional": Case(
        seeded(games.aae, *map(of_three, (generator, encoder, discriminator)), source=labelled, penalty="r1"),
        {"autoencoder": 1, "discriminator": 1, "encoder": 1},
        {"autoencoder", "discriminator", "discriminator.r1", "encoder"},
        {"autoencoder": rebuilding, "discriminator": code_discriminator, "encoder": code_encoder},
    ),
    "vae_gan": Case(
        seeded(games.vae_gan, generator, gaussian, discriminator, similarity=0.3, turns=2),
        {"encoder": 1, "generator": 1, "discriminator": 2},
        {"encoder", "encoder.similarity", "generator", "generator.similarity", "discriminator"},
        {"encoder": larsen_encoder, "generator": larsen_generator, "discriminator": larsen_discriminator},
    ),
    "vae_gan, conditional": Case(
        seeded(
            games.vae_gan,
            of_three(generator),
            of_three(encoder, gaussian=True),
            of_three(discriminator),
            source=labelled,
            similarity=0.3,
        ),
        {"encoder": 1, "generator": 1, "discriminator": 1},
        {"encoder", "encoder.similarity", "generator", "generator.similarity", "discriminator"},
        {"encoder": larsen_encoder, "generator": larsen_generator, "discriminator": larsen_discriminator},
    ),
    "bigan": Case(
        seeded(games.bigan, generator, encoder, joint(), penalty="r1_r2"),
        BOTH,
        {*BOTH, "discriminator.r1_r2"},
        {"discriminator": pair_discriminator, "generator": pair_generator},
    ),
    "bigan, an encoder that draws (ALI)": Case(
        seeded(games.bigan, generator, gaussian, joint(), loss="minimax"),
        BOTH,
        set(BOTH),
        {"discriminator": pair_discriminator, "generator": pair_saddle},
    ),
    "bigan, conditional": Case(
        seeded(games.bigan, of_three(generator), of_three(encoder), joint(3), source=labelled),
        BOTH,
        set(BOTH),
        {"discriminator": pair_discriminator, "generator": pair_generator},
    ),
    "lr_gan": Case(
        seeded(games.lr_gan, generator, encoder, discriminator, latent_l1=2.0),
        BOTH,
        {*BOTH, "generator.latent_l1"},
        {"discriminator": judged, "generator": regressor},
    ),
    "lr_gan, conditional": Case(
        seeded(games.lr_gan, *map(of_three, (generator, encoder, discriminator)), source=labelled, latent_l1=2.0),
        BOTH,
        {*BOTH, "generator.latent_l1"},
        {"discriminator": judged, "generator": regressor},
    ),
    "gain": Case(
        seeded(games.gain, partial(nets.Imputer, 2, 8), partial(nets.MaskDiscriminator, 2, 8), source=holed, alpha=7.0),
        BOTH,
        {*BOTH, "generator.squares"},
        {"discriminator": entry_discriminator(False), "generator": entry_generator(False)},
    ),
    "gain, as printed": Case(
        seeded(
            games.gain,
            partial(nets.Imputer, 2, 8, noise=1.0),
            partial(nets.MaskDiscriminator, 2, 8),
            source=holed,
            alpha=7.0,
            hint=0.5,
            hint_rate=None,
            unhinted=True,
        ),
        BOTH,
        {*BOTH, "generator.squares"},
        {"discriminator": entry_discriminator(True), "generator": entry_generator(True)},
    ),
    "ambient_gan": Case(
        seeded(games.ambient_gan, generator, discriminator, measure=halved),
        BOTH,
        set(BOTH),
        {
            "discriminator": through_damage(
                lambda game, batch, seen: float(
                    -log_d(said(game, batch.real, batch)[0]).mean() - log_not_d(said(game, seen, batch)[0]).mean()
                )
            ),
            "generator": through_damage(lambda game, batch, seen: float(-log_d(said(game, seen, batch)[0]).mean())),
        },
    ),
    **{
        name: Case(partial(test_translation.tiny, name), turns, terms, {})  # formulas: test_translation.py
        for name, turns, terms in (
            ("pix2pix", BOTH, {*BOTH, "generator.l1"}),
            (
                "cycle_gan",
                {"discriminator": 1, "inverse_discriminator": 1, "generator": 1},
                {*BOTH, "inverse_discriminator", "generator.cycle", "generator.inverse", "generator.identity"},
            ),
            (
                "bicycle_gan",
                {"discriminator": 1, "encoder": 1, "generator": 1},
                {"discriminator", "discriminator.imagined", "encoder", "encoder.kl", "encoder.l1"}
                | {"generator", "generator.l1", "generator.imagined", "generator.latent_l1"},
            ),
            (
                "star_gan",
                {"discriminator": 5, "generator": 1},
                {"discriminator", "discriminator.classification", "discriminator.gradient_penalty"}
                | {"generator", "generator.classification", "generator.reconstruction"},
            ),
            ("sr_gan", BOTH, {*BOTH, "generator.content"}),
            ("esr_gan", BOTH, {*BOTH, "generator.content", "generator.l1"}),
        )
    },
}


# ---- the checks ----------------------------------------------------------------------------------


def test_the_gallery_is_complete() -> None:
    assert {name.partition(",")[0] for name in CASES} == set(games.GAMES)


@pytest.mark.parametrize("name", CASES)
def test_each_player_takes_its_turns_and_moves_its_own_parameters_only(name: str) -> None:
    game, case = CASES[name].make(), CASES[name]
    parameters = {f"{player}.{key}": w for player, p in game.players.items() for key, w in p.net.named_parameters()}
    log: list[tuple[str, dict[str, Tensor], set[int]]] = []

    def snapshot() -> dict[str, Tensor]:
        return {key: w.detach().clone() for key, w in parameters.items()}

    def idle() -> set[int]:
        """What the turn before left without a gradient."""
        return {id(w) for w in parameters.values() if case.grows and w.grad is None}

    for name_of_player, player in game.players.items():

        def watched(batch: Batch, name: str = name_of_player, loss: Any = player.loss) -> Any:
            log.append((name, snapshot(), idle()))
            return loss(batch)

        player.loss = watched
    game.play(2, progress=False)
    log.append(("the end", snapshot(), idle()))
    one_round = [player for player, turns in case.turns.items() for _ in range(turns)]
    assert [player for player, _, _ in log] == [*one_round, *one_round, "the end"]
    for (player, before, _), (_, after, waiting) in pairwise(log):
        own = {id(w): w for w in game.players[player].net.parameters()}
        moved = {id(parameters[key]) for key in parameters if not torch.equal(before[key], after[key])}
        assert moved <= own.keys()
        still = [own[key] for key in own.keys() - moved - waiting]
        assert len(still) <= 1 and all(w.numel() == 1 for w in still)  # a last bias, where only differences count


@pytest.mark.parametrize("name", CASES)
def test_history_and_samples(name: str) -> None:
    game = CASES[name].make()
    history = game.play(3, progress=False)
    assert set(history.losses) == CASES[name].terms
    assert all(len(losses) == 3 and all(map(math.isfinite, losses)) for losses in history.losses.values())
    wanted = game.draw(next(iter(game.players))).real.shape[1:]
    samples = game.sample(5)
    assert samples.shape == (5, *wanted) and samples.isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_two_steps_and_two_more_after_resuming_are_four(name: str, tmp_path: Path) -> None:
    whole = CASES[name].make()
    whole.play(4, progress=False)
    first = CASES[name].make()
    first.play(2, progress=False)
    first.save(tmp_path)
    second = CASES[name].make()
    second.play(1, progress=False)  # whatever it did before is forgotten
    second.resume(tmp_path)
    second.play(2, progress=False)
    assert same(everything(whole), everything(second)) and not same(everything(first), everything(second))
    assert whole.history.losses == second.history.losses
    assert torch.equal(whole.sample(5), second.sample(5))


@pytest.mark.parametrize(("name", "player"), [(n, p) for n, case in CASES.items() for p in case.formulas])
def test_losses_are_those_of_the_paper(name: str, player: str) -> None:
    game = CASES[name].make()
    game.play(2, progress=False)  # away from the initial weights, which are often near 0
    result = game.players[player].loss(game.draw(player))
    found = result if isinstance(result, dict) else {"loss": result}
    expected = CASES[name].formulas[player](game, game.draw(player))
    for term, value in expected.items():
        assert found[term].item() == pytest.approx(value, rel=1e-4, abs=1e-6), term
    assert expected.keys() >= found.keys() - penalties.PENALTIES.keys()  # nothing is minimised that is not in the paper
