r"""Games with an encoder: from samples back to codes z.

`vae`, a game of one player, maximises a lower bound of the likelihood (Kingma and Welling 2014,
https://arxiv.org/abs/1312.6114); in `aae` a discriminator sees to it that the codes follow the prior (Makhzani et al.
2015, https://arxiv.org/abs/1511.05644); `vae_gan` measures how well a sample is rebuilt in the features of a
discriminator (Larsen et al. 2016, https://arxiv.org/abs/1512.09300); in `bigan` the discriminator sees samples and
codes together (Donahue et al. 2017, https://arxiv.org/abs/1605.09782; Dumoulin et al. 2017,
https://arxiv.org/abs/1606.00704); in `lr_gan` the encoder finds the z that a fake was made of (Zhu et al. 2017,
https://arxiv.org/abs/1711.11586, section 3.2).

E is the encoder, G the generator (the decoder), D the discriminator. All networks but D of `aae` take labels, or none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import distributed, losses
from .._check import finite, one_of
from ..engine import Batch, Game
from ..nets.encoders import Autoencoder, logits_and_features
from ..penalties import Critic
from .contest import Adversary, Judged, Made, Options, Penalties, Table, conditional, labels_for, must_make
from .gan import contest


def vae(
    generator: nn.Module,
    encoder: nn.Module,
    data: Any,
    *,
    likelihood: str = "gaussian",
    std: float | None = None,
    beta: float = 1.0,
    **options: Unpack[Options],
) -> Game:
    """The game of one player, "autoencoder", who moves E and G to minimise -ELBO, in nats for a sample.

    First built in chapter 11.

    -ELBO = E_q[-log p(x|z)] + β KL(q(z|x) ‖ N(0, I)); the first term is the player's loss, the second stands in the
    history as "autoencoder.divergence". The bound holds for log p(x) at β = 1.

    Source: Kingma and Welling 2014, https://arxiv.org/abs/1312.6114, equations 3, 4 and appendix B; β: Higgins et al.
    2017, https://openreview.net/forum?id=Sy2fzU9gl; the best σ of a batch: Rybkin et al. 2021,
    https://arxiv.org/abs/2006.13202, equation 9.

    Args:
        generator: z (N, latent) -> samples, with a normal prior.
        encoder: samples -> (mean, log-variance) of q(z|x), each (N, latent), such as `nets.MLPEncoder`.
        data: as in `gan`.
        likelihood: "gaussian": p(x|z) = N(G(z), σ² I); "bernoulli": each number of x in [-1, 1], as images have them,
            stands for the probability (x + 1)/2 of a white pixel, and so does G(z).
        std: σ of the Gaussian, above 0; None for the best of each batch, which is √E(x - G(z))².
        beta: β, at least 0.
        options: see `Options`; here lr is 1e-3 and betas (0.9, 0.999) by default.

    Returns:
        A `Game` with the player "autoencoder", whose net is a `nets.Autoencoder`.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    one_of("likelihood", likelihood, ("gaussian", "bernoulli"))
    if std is not None and (likelihood == "bernoulli" or finite("std", std) <= 0):
        raise ValueError(f"std must be above 0, and is for a gaussian likelihood only, got {std} ({likelihood})")
    weight = finite("beta", beta, minimum=0)
    both = _paired(generator, encoder, data, gaussian=True)
    table = Table(options, lr=1e-3, betas=(0.9, 0.999))
    surprise = _bernoulli if likelihood == "bernoulli" else partial(_gaussian, std=std)

    def loss(batch: Batch) -> dict[str, Tensor]:
        labels = labels_for(both, batch)
        mean, log_variance = encoder(batch.real, *labels)
        rebuilt = generator(_drawn(mean, log_variance, batch.rng), *labels)
        return {"loss": surprise(batch.real, rebuilt), "divergence": weight * _divergence(mean, log_variance)}

    players = {"autoencoder": table.making(both, loss)}
    settings = {"likelihood": likelihood, "std": std, "beta": weight}
    game = _fitting(table.game("vae", players, data, settings, generator="autoencoder"), encoder)
    shades = (game.sample(64), game.draw("autoencoder").real)
    if likelihood == "bernoulli" and any(x.abs().max().item() > 1 for x in shades):
        raise ValueError("likelihood='bernoulli' needs data and a generator within [-1, 1], as images are")
    return game


def aae(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """An autoencoder whose codes a discriminator compares with the prior's; any prior that can be drawn will do.

    First built in chapter 11.

    A round has the paper's two phases. Reconstruction: the player "autoencoder" moves E and G to minimise the mean of
    (x - G(E(x)))². Regularisation: "discriminator" tells z of the prior (real) from E(x) (fake), and "encoder" moves E
    to be taken for the prior. E is deterministic; of an encoder that returns (mean, log-variance), the mean counts.

    Source: Makhzani et al. 2015, https://arxiv.org/abs/1511.05644, section 2.

    Args:
        generator: z (N, latent) -> samples.
        encoder: samples -> codes (N, latent), such as `nets.MLPEncoder(gaussian=False)`.
        discriminator: codes (N, latent) -> logits (N,), such as `nets.MLPDiscriminator(inputs=latent)`.
        data: as in `gan`.
        loss, penalty, turns: as in `gan`, for the discriminator of codes.
        options: see `Options`.

    Returns:
        A `Game` with the players "autoencoder", "discriminator" and "encoder".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    both = _paired(generator, encoder, data)
    adversary, table = Adversary(loss, penalty), Table(options)

    def encode(batch: Batch) -> Tensor:
        return _mean(encoder(batch.real, *labels_for(both, batch)))

    def critic(batch: Batch) -> Critic:
        return Critic(discriminator, *labels_for(discriminator, batch))

    def autoencoder_loss(batch: Batch) -> Tensor:
        rebuilt = generator(encode(batch), *labels_for(both, batch))
        return F.mse_loss(rebuilt, batch.real)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            codes = encode(batch)
        return adversary.discriminator(critic(batch), batch.z, codes, batch)[0]

    def encoder_loss(batch: Batch) -> Tensor:
        return adversary.generator(critic(batch), batch.z, encode(batch), batch)[0]["loss"]

    players = {
        "autoencoder": table.making(both, autoencoder_loss),
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "encoder": table.making(encoder, encoder_loss),
    }
    game = table.game("aae", players, data, {}, adversary, generator="autoencoder")
    return _fitting(game, encoder, lambda batch: critic(batch).judge(batch.z)[0])


def vae_gan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str = "non_saturating",
    similarity: float = 1.0,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """A VAE that measures how well x is rebuilt in the features of a discriminator, who plays against G.

    First built in chapter 11.

    With f the last features of D, x̃ = G(z) for z ~ q(z|x), and L_f = E ½‖f(x) - f(x̃)‖²: the encoder minimises
    KL(q(z|x) ‖ N(0, I)) + L_f, the generator γ L_f + its adversarial loss on x̃ and on G(z) of the prior's z, and D
    -E log D(x) - E log(1 - D(x̃)) - E log(1 - D(G(z))). Terms in the history: "encoder" is the divergence,
    "encoder.similarity" L_f; "generator" is adversarial, "generator.similarity" γ L_f.

    Source: Larsen et al. 2016, https://arxiv.org/abs/1512.09300, equations 5 to 8 and algorithm 1; the features there
    are of a middle layer. L_f leaves out the constant of the Gaussian.

    Args:
        generator: z (N, latent) -> samples, with a normal prior.
        encoder: samples -> (mean, log-variance) of q(z|x), such as `nets.MLPEncoder`.
        discriminator: a discriminator of `nets`: its last features are looked at.
        data: as in `gan`.
        loss: "non_saturating", or "minimax" as the paper writes it: what G minimises.
        similarity: γ, at least 0.
        turns: discriminator updates a round.
        options: see `Options`.

    Returns:
        A `Game` with the players "encoder", "generator" and "discriminator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    one_of("loss", loss, ("non_saturating", "minimax"))
    weight = finite("similarity", similarity, minimum=0)
    both = _paired(generator, encoder, data, discriminator, gaussian=True)
    adversary, table = Adversary(loss, ()), Table(options)

    def judge(x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return logits_and_features(discriminator, x, *labels_for(both, batch))

    def posterior(batch: Batch) -> tuple[Tensor, Tensor]:
        return encoder(batch.real, *labels_for(both, batch))

    def rebuild(batch: Batch) -> Tensor:
        return generator(_drawn(*posterior(batch), batch.rng), *labels_for(both, batch))

    def difference(features: Tensor, of_real: Tensor) -> Tensor:
        return 0.5 * (features - of_real).square().sum(1).mean()

    def encoder_loss(batch: Batch) -> dict[str, Tensor]:
        mean, log_variance = posterior(batch)
        rebuilt = generator(_drawn(mean, log_variance, batch.rng), *labels_for(both, batch))
        similar = difference(judge(rebuilt, batch)[1], judge(batch.real, batch)[1])
        return {"loss": _divergence(mean, log_variance), "similarity": similar}

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            z, (_, wanted) = _drawn(*posterior(batch), batch.rng), judge(batch.real, batch)
        rebuilt_logits, features = judge(generator(z, *labels_for(both, batch)), batch)
        fake_logits, _ = judge(generator(batch.z, *labels_for(both, batch)), batch)
        adversarial = adversary.rule.generator(None, rebuilt_logits) + adversary.rule.generator(None, fake_logits)
        return {"loss": adversarial, "similarity": weight * difference(features, wanted)}

    def discriminator_loss(batch: Batch) -> Tensor:
        with torch.no_grad():
            rebuilt, fake = rebuild(batch), generator(batch.z, *labels_for(both, batch))
        (real, _), (fake_1, _), (fake_2, _) = (judge(x, batch) for x in (batch.real, rebuilt, fake))
        return F.softplus(-real).mean() + F.softplus(fake_1).mean() + F.softplus(fake_2).mean()

    players = {
        "encoder": table.making(encoder, encoder_loss),
        "generator": table.making(generator, generator_loss),
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
    }
    game = table.game("vae_gan", players, data, {"similarity": weight}, adversary, encoder=encoder)
    return _fitting(game, encoder, lambda batch: judge(batch.real, batch)[0])


def bigan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "non_saturating",
    penalty: Penalties = (),
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """The game of pairs: D tells (x, E(x)) from (G(z), z); at equilibrium E and G invert one another.

    First built in chapter 11.

    E and G move together, as the player "generator", and minimise D's loss with real and fake exchanged (for
    loss="minimax", minus D's loss). An encoder that returns (mean, log-variance) draws its code from that Gaussian:
    ALI. One that returns a code is BiGAN's.

    Source: Donahue et al. 2017, https://arxiv.org/abs/1605.09782, equations 3 and 4, section 3.4 for the exchange;
    Dumoulin et al. 2017, https://arxiv.org/abs/1606.00704.

    Args:
        generator: z (N, latent) -> samples.
        encoder: samples -> codes (N, latent) or (mean, log-variance).
        discriminator: (samples, codes) -> logits (N,), such as `nets.MLPJointDiscriminator`.
        data: as in `gan`.
        loss, turns: as in `gan`.
        penalty: as in `gan`; a sample and its code are one vector to it.
        options: see `Options`.

    Returns:
        A `Game` with the players "discriminator" and "generator", whose net is a `nets.Autoencoder`.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    both = _paired(generator, encoder, data, discriminator)
    adversary, table = Adversary(loss, penalty), Table(options)
    rule = adversary.rule

    def pairs(batch: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        labels = labels_for(both, batch)
        said = encoder(batch.real, *labels)
        code = _drawn(said[0], said[1], batch.rng) if isinstance(said, tuple) else said
        return (batch.real, code), (generator(batch.z, *labels), batch.z)

    def judge(x: Tensor, z: Tensor, batch: Batch) -> Tensor:
        return discriminator(x, z, *labels_for(both, batch))

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            real, fake = pairs(batch)
        critic = Critic(_Joined(discriminator, batch.real.shape[1:]), *labels_for(both, batch))
        return adversary.discriminator(critic, _joined(*real), _joined(*fake), batch)[0]

    def generator_loss(batch: Batch) -> Tensor:
        real_logits, fake_logits = (judge(*pair, batch) for pair in pairs(batch))
        if rule.name == "minimax":
            return -rule.discriminator(real_logits, fake_logits)
        return rule.discriminator(fake_logits, real_logits)

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(both, generator_loss),
    }
    game = table.game("bigan", players, data, {}, adversary)
    return _fitting(game, encoder, lambda batch: judge(batch.real, batch.z, batch))


def lr_gan(
    generator: nn.Module,
    encoder: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    latent_l1: float = 1.0,
    **options: Any,
) -> Game:
    """`gan` with a latent regressor: E finds the z that a fake was made of, and G helps it, so that z keeps a meaning.

    E and G move together, as the player "generator", whose further term λ E|z - E(G(z))|, the mean over the numbers of
    z, stands in the history as "generator.latent_l1".

    Source: Zhu et al. 2017, https://arxiv.org/abs/1711.11586, section 3.2 and equation 6, without images to condition
    on.

    Args:
        generator: z (N, latent) -> samples.
        encoder: samples -> codes (N, latent), such as `nets.MLPEncoder(gaussian=False)`; of a Gaussian the mean counts.
        discriminator: samples -> logits (N,).
        data: as in `gan`.
        latent_l1: λ, at least 0.
        options: those of `gan`.

    Returns:
        A `Game` with the players "discriminator" and "generator", whose net is a `nets.Autoencoder`.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    weight = finite("latent_l1", latent_l1, minimum=0)
    both = _paired(generator, encoder, data, discriminator)

    def also(seen: Judged) -> dict[str, Tensor]:
        if seen.player == "discriminator":
            return {}
        found = _mean(encoder(seen.fake, *labels_for(both, seen.batch)))
        return {"latent_l1": weight * (seen.batch.z - found).abs().mean()}

    own = Made("lr_gan", {"latent_l1": weight}, both.classes is not None, also)
    game = contest(both, discriminator, data, own, **options)
    return _fitting(game, encoder)


def encode(game: Game, x: Tensor, labels: Tensor | None = None) -> Tensor:
    """The codes (N, latent) of samples x (N, …), on the CPU; see `Generator.encode`. First built in chapter 11.

    The encoder is the averaged one where it moves together with the generator (`vae`, `aae`, `bigan`, `lr_gan`).
    """
    return game.snapshot().encode(x, labels)


def rebuild(game: Game, x: Tensor, labels: Tensor | None = None) -> Tensor:
    """G(E(x)), samples (N, …) on the CPU; see `Generator.rebuild`. First built in chapter 11."""
    return game.snapshot().rebuild(x, labels)


def _paired(
    generator: nn.Module, encoder: nn.Module, data: Any, discriminator: nn.Module | None = None, gaussian: bool = False
) -> Autoencoder:
    """G and E as one network, once they are seen to fit one another and the data's labels."""
    both = Autoencoder(generator, encoder)
    if gaussian and both.prior != "normal":
        raise ValueError(f"generator.prior must be 'normal', which the divergence is measured from, got {both.prior!r}")
    nets = {"generator": generator, "encoder": encoder}
    conditional(data, **nets, **({} if discriminator is None else {"discriminator": discriminator}))
    return both


def _fitting(game: Game, encoder: nn.Module, judge: Callable[[Batch], Tensor] | None = None) -> Game:
    """The game, once samples are seen to have the data's shape, codes that of z, and logits one number each."""

    def codes(batch: Batch) -> None:
        said = encoder(batch.real, *labels_for(encoder, batch))
        if game.settings["game"] in ("vae", "vae_gan") and not isinstance(said, tuple):
            raise TypeError("the encoder must return (mean, log-variance), such as nets.MLPEncoder(gaussian=True)")
        for code in said if isinstance(said, tuple) else (said,):
            if code.shape != batch.z.shape:
                raise ValueError(f"the encoder's codes must have shape {tuple(batch.z.shape)}, got {tuple(code.shape)}")

    def logits(batch: Batch) -> None:
        assert judge is not None
        said, wanted = judge(batch), (len(batch.z),)
        if said.shape != wanted:
            raise ValueError(f"the discriminator must return logits of shape {wanted}, got {tuple(said.shape)}")

    return must_make(game, (encoder, codes), *([] if judge is None else [(game.discriminator, logits)]))


def _drawn(mean: Tensor, log_variance: Tensor, rng: torch.Generator) -> Tensor:
    """z = μ + σ ε with ε ~ N(0, I), so that z has the gradient of μ and σ (Kingma and Welling 2014, section 2.4)."""
    noise = torch.randn(mean.shape, generator=rng).to(mean)
    return mean + (0.5 * log_variance).exp() * noise


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) of diagonal Gaussians (N, latent), mean over the batch, in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def _gaussian(x: Tensor, mean: Tensor, std: float | None) -> Tensor:
    """-log N(x; mean, σ² I) for a sample, mean over the batch; σ² the batch's mean squared error if it is not given."""
    errors = (x - mean).square().flatten(1).mean(1)
    error, d = distributed.global_mean(errors.mean()), x[0].numel()
    if std is None:
        return 0.5 * d * (torch.log(2 * math.pi * error) + 1)
    return 0.5 * d * (error / std**2 + math.log(2 * math.pi * std**2))


def _bernoulli(x: Tensor, mean: Tensor) -> Tensor:
    """Cross entropy of pixels (x + 1)/2 and probabilities (mean + 1)/2, summed for a sample, mean over the batch."""
    errors = F.binary_cross_entropy((mean + 1) / 2, (x + 1) / 2, reduction="none")
    return errors.flatten(1).sum(1).mean()


def _mean(code: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return code[0] if isinstance(code, tuple) else code


def _joined(x: Tensor, z: Tensor) -> Tensor:
    """A sample and its code as one vector."""
    return torch.cat([x.flatten(1), z], 1)


class _Joined(nn.Module):
    """A joint discriminator as a function of such vectors: what a penalty differentiates."""

    def __init__(self, discriminator: nn.Module, shape: torch.Size) -> None:
        super().__init__()
        self.discriminator, self.shape = discriminator, shape

    def forward(self, v: Tensor, *labels: Tensor) -> Tensor:
        n = self.shape.numel()
        return self.discriminator(v[:, :n].unflatten(1, self.shape), v[:, n:], *labels)
