"""Adversarial losses: pure functions of the discriminator's logits on real and on generated samples.

With `D = sigmoid(logit)`, minimax is V(D, G) = E log D(x) + E log(1 - D(G(z))) (Goodfellow et al. 2014,
https://arxiv.org/abs/1406.2661). Both players *minimise*: the discriminator -V, the generator its own loss. All is
written in logits with softplus(t) = log(1 + exp(t)): -log D = softplus(-logit) and -log(1 - D) = softplus(logit) then
neither overflow nor lose digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib import _check, distributed

__all__ = [
    "F_DIVERGENCES",
    "LOSSES",
    "Loss",
    "energy_based",
    "f_gan",
    "get",
    "label_smoothing",
    "mix_by_gradients",
    "mutual_information",
    "weighted",
]


@dataclass(frozen=True)
class Loss:
    """What each of the two players minimises, given logits on real and on generated samples.

    Both functions take `(real_logits, fake_logits)`, tensors of shapes (N,) and (M,), and return a scalar.

    Attributes:
        name: the name in `LOSSES`.
        discriminator: the discriminator's loss.
        generator: the generator's loss; its `real_logits` may be `None` unless `relativistic`.
        at_equilibrium: (discriminator's, generator's) value when p_g = p_d and the discriminator is optimal, the
            constants to draw into the training curves: logit 0 for those written with D, output 1/2 for least squares,
            f'(1) for an f-divergence. Where many constants are optimal, the values are those of the constant 0.
        formula: the two losses in LaTeX, `C` the discriminator's raw output and `D` its sigmoid.
        relativistic: whether real samples are judged against fake ones, so that the generator needs both logits.
        energies: whether C is an energy of at least 0, low for real samples; games refuse a discriminator that starts
            with less.
    """

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    at_equilibrium: tuple[float, float]
    formula: str
    relativistic: bool = False
    energies: bool = False

    def __post_init__(self) -> None:
        for player in ("discriminator", "generator"):
            object.__setattr__(self, player, _of_all(getattr(self, player)))


def _of_all(loss: Callable[[Tensor | None, Tensor], Tensor]) -> Callable[[Tensor | None, Tensor], Tensor]:
    """The loss of the logits of all processes together, whose averages are not those of each process's own."""

    @wraps(loss)
    def of_all(real: Tensor | None, fake: Tensor) -> Tensor:
        if distributed.world()[1] == 1:
            return loss(real, fake)
        real, fake = None if real is None else distributed.gather(real), distributed.gather(fake)
        with distributed.alone():
            return loss(real, fake)

    return of_all


def _minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _minimax_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return -F.softplus(fake).mean()


def _non_saturating_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


def _least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def _least_squares_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return 0.5 * (fake - 1).square().mean()


def _wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return fake.mean() - real.mean()


def _critic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return -fake.mean()


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _pairs(real: Tensor | None, fake: Tensor) -> Tensor:
    """Real minus fake logits, pair by pair."""
    if real is None or real.shape != fake.shape:
        came = "none" if real is None else tuple(real.shape)
        raise ValueError(f"real_logits must pair with fake_logits, shape {tuple(fake.shape)}, got {came}")
    return real - fake


def _rpgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-_pairs(real, fake)).mean()


def _rpgan_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(_pairs(real, fake)).mean()


def _relativistic_average(
    name: str,
    on_real: Callable[[Tensor], Tensor],
    on_fake: Callable[[Tensor], Tensor],
    at_equilibrium: tuple[float, float],
    formula: str,
) -> Loss:
    """E f₁(C(x) - E C(G(z))) + E f₂(C(G(z)) - E C(x)) for the discriminator, the two exchanged for the generator."""

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return on_real(real - fake.mean()).mean() + on_fake(fake - real.mean()).mean()

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("real_logits must be given: a relativistic generator is judged against them, got none")
        return discriminator(fake, real)

    return Loss(name, discriminator, generator, at_equilibrium, formula, relativistic=True)


# An f-divergence D_f(P‖Q) = E_Q f(p/q) is the largest value of E_P g(v(x)) - E_Q f*(g(v(x))) over functions v: f* is
# the convex conjugate of f, and the activation g keeps its argument in the domain of f*.


@dataclass(frozen=True)
class _FDivergence:
    """g(v), f*(g(v)) in one closed form that does not overflow early, the v with g(v) = f'(1), and LaTeX for both."""

    activation: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    at_one: float
    formula: tuple[str, str]


#: What `f_gan` knows (Nowozin et al. 2016, https://arxiv.org/abs/1606.00709, tables 1 and 2), P the data and Q the
#: model. `jensen_shannon` is twice the usual JS, `gan` the minimax game: 2 JS - log 4.
F_DIVERGENCES: dict[str, _FDivergence] = {
    "total_variation": _FDivergence(
        lambda v: 0.5 * torch.tanh(v),
        lambda v: 0.5 * torch.tanh(v),
        0.0,
        (r"\tfrac12\tanh C", r"\tfrac12\tanh C"),
    ),
    "kl": _FDivergence(lambda v: v, lambda v: torch.exp(v - 1), 1.0, ("C", "e^{C - 1}")),
    "reverse_kl": _FDivergence(lambda v: -torch.exp(-v), lambda v: v - 1, 0.0, ("-e^{-C}", "C - 1")),
    "pearson": _FDivergence(lambda v: v, lambda v: v.square() / 4 + v, 0.0, ("C", r"\tfrac14 C^2 + C")),
    "squared_hellinger": _FDivergence(lambda v: -torch.expm1(-v), torch.expm1, 0.0, ("1 - e^{-C}", "e^C - 1")),
    "jensen_shannon": _FDivergence(
        lambda v: math.log(2) - F.softplus(-v),
        lambda v: F.softplus(v) - math.log(2),
        0.0,
        (r"\log 2D", r"-\log 2(1 - D)"),
    ),
    "gan": _FDivergence(lambda v: -F.softplus(-v), F.softplus, 0.0, (r"\log D", r"-\log(1 - D)")),
}


def f_gan(divergence: str) -> Loss:
    """The f-GAN of a divergence: D maximises E g(C(x)) - E f*(g(C(G(z)))), and G minimises it.

    First built in chapter 4.

    It is a lower bound of D_f(p_d‖p_g), tight for the best discriminator, whose loss is then -D_f(p_d‖p_g). Every loss
    of the family is in `LOSSES` as "f_" and the divergence's name.

    Source: Nowozin et al. 2016, https://arxiv.org/abs/1606.00709, equation 6 and table 2.

    Args:
        divergence: a name of `F_DIVERGENCES`.

    Raises:
        ValueError: the name is not one of them.
    """
    _check.one_of("divergence", divergence, F_DIVERGENCES)
    f = F_DIVERGENCES[divergence]

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return f.conjugate(fake).mean() - f.activation(real).mean()

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        return -f.conjugate(fake).mean()

    best = torch.tensor([f.at_one], dtype=torch.float64)
    g, conjugate = f.formula
    return Loss(
        f"f_{divergence}",
        discriminator,
        generator,
        (discriminator(best, best).item() + 0.0, generator(None, best).item() + 0.0),  # no -0.0
        rf"E_{{G(z)}}[{conjugate}] - E_x[{g}]; \quad -E_{{G(z)}}[{conjugate}]",
    )


def energy_based(margin: float = 1.0) -> Loss:
    """EBGAN: E C(x) + E max(0, m - C(G(z))) for the discriminator, E C(G(z)) for the generator.

    First built in chapter 8.

    The discriminator returns energies of at least 0, low on real samples; in the paper the error with which an
    autoencoder rebuilds its input. At equilibrium the energy is one constant from 0 to m and the discriminator's loss
    m (theorems 1 and 2).

    Source: Zhao et al. 2017, https://arxiv.org/abs/1609.03126, equations 1 and 2.

    Args:
        margin: m, the energy from which on generated samples no longer matter to the discriminator; above 0.
    """
    m = _check.finite("margin", margin)
    if m <= 0:
        raise ValueError(f"margin must be above 0, got {margin!r}")

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return real.mean() + F.relu(m - fake).mean()

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        return fake.mean()

    name = "ebgan" if m == 1 else f"ebgan(margin={m:g})"
    formula = rf"E\,C(x) + E\max(0, {m:g} - C(G(z))); \quad E\,C(G(z))"
    return Loss(name, discriminator, generator, (m, 0.0), formula, energies=True)


_LOG2 = math.log(2)

#: The losses by name. First built in chapter 5 (minimax and non-saturating). First built in chapter 8 (the others).
#:
#: - minimax, non_saturating: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
#: - least_squares: Mao et al. 2017, https://arxiv.org/abs/1611.04076, equation 9 (targets 1 and 0, factors 1/2).
#: - wasserstein: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875; needs a penalty that bounds the slope.
#: - hinge: Lim and Ye 2017, https://arxiv.org/abs/1705.02894.
#: - rpgan: Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734, and Huang et al. 2024,
#:   https://arxiv.org/abs/2501.05441.
#: - ragan, ragan_least_squares, ragan_hinge: the relativistic averages of Jolicoeur-Martineau 2018, the same paper;
#:   the means are those of the batch.
#: - kl: the generator minimises KL(p_g‖p_d), which is -E logit at the best discriminator (Sønderby et al. 2017,
#:   https://arxiv.org/abs/1610.04490).
#: - ebgan: `energy_based` with margin 1.
#: - f_…: `f_gan` of each divergence in `F_DIVERGENCES`.
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "minimax",
            _minimax_discriminator,
            _minimax_generator,
            (2 * _LOG2, -_LOG2),
            r"-E\log D(x) - E\log(1 - D(G(z))); \quad E\log(1 - D(G(z)))",
        ),
        Loss(
            "non_saturating",
            _minimax_discriminator,
            _non_saturating_generator,
            (2 * _LOG2, _LOG2),
            r"-E\log D(x) - E\log(1 - D(G(z))); \quad -E\log D(G(z))",
        ),
        Loss(
            "least_squares",
            _least_squares_discriminator,
            _least_squares_generator,
            (0.25, 0.125),
            r"\tfrac12 E(C(x) - 1)^2 + \tfrac12 E\,C(G(z))^2; \quad \tfrac12 E(C(G(z)) - 1)^2",
        ),
        Loss(
            "wasserstein",
            _wasserstein_discriminator,
            _critic_generator,
            (0.0, 0.0),
            r"E\,C(G(z)) - E\,C(x); \quad -E\,C(G(z))",
        ),
        Loss(
            "hinge",
            _hinge_discriminator,
            _critic_generator,
            (2.0, 0.0),
            r"E\max(0, 1 - C(x)) + E\max(0, 1 + C(G(z))); \quad -E\,C(G(z))",
        ),
        Loss(
            "rpgan",
            _rpgan_discriminator,
            _rpgan_generator,
            (_LOG2, _LOG2),
            r"E\log(1 + e^{C(G(z)) - C(x)}); \quad E\log(1 + e^{C(x) - C(G(z))})",
            relativistic=True,
        ),
        _relativistic_average(
            "ragan",
            lambda c: F.softplus(-c),
            F.softplus,
            (2 * _LOG2, 2 * _LOG2),
            r"E\log(1 + e^{\bar C_g - C(x)}) + E\log(1 + e^{C(G(z)) - \bar C_d}); \quad "
            r"E\log(1 + e^{\bar C_d - C(G(z))}) + E\log(1 + e^{C(x) - \bar C_g})",
        ),
        _relativistic_average(
            "ragan_least_squares",
            lambda c: (c - 1).square(),
            lambda c: (c + 1).square(),
            (2.0, 2.0),
            r"E(C(x) - \bar C_g - 1)^2 + E(C(G(z)) - \bar C_d + 1)^2; \quad "
            r"E(C(G(z)) - \bar C_d - 1)^2 + E(C(x) - \bar C_g + 1)^2",
        ),
        _relativistic_average(
            "ragan_hinge",
            lambda c: F.relu(1 - c),
            lambda c: F.relu(1 + c),
            (2.0, 2.0),
            r"E\max(0, 1 - C(x) + \bar C_g) + E\max(0, 1 + C(G(z)) - \bar C_d); \quad "
            r"E\max(0, 1 - C(G(z)) + \bar C_d) + E\max(0, 1 + C(x) - \bar C_g)",
        ),
        Loss(
            "kl",
            _minimax_discriminator,
            _critic_generator,
            (2 * _LOG2, 0.0),
            r"-E\log D(x) - E\log(1 - D(G(z))); \quad -E\log\frac{D(G(z))}{1 - D(G(z))}",
        ),
        energy_based(),
        *map(f_gan, F_DIVERGENCES),
    )
}


def get(loss: str | Loss) -> Loss:
    """The loss of that name; a `Loss` of the reader's own passes through.

    Raises:
        ValueError: the name is not one of `LOSSES`.
    """
    if isinstance(loss, Loss):
        return loss
    _check.one_of("loss", loss, LOSSES)
    return LOSSES[loss]


def weighted(loss: str, alpha: float) -> Loss:
    """The same game with a share α of real samples: every mean over reals times α, over fakes times 1 - α.

    This is what pooling n_d real and n_g generated samples into one mean does, with α = n_d / (n_d + n_g). The optimal
    discriminator becomes α p_d / (α p_d + (1 - α) p_g) and V at it -H(α) + JS_α(p_d, p_g): at equilibrium D is α and
    the discriminator's loss H(α) (natural logarithms). At α = 1/2 both losses are half the unweighted ones.

    First built in chapter 5.

    Args:
        loss: "minimax" or "non_saturating".
        alpha: share of real samples, strictly between 0 and 1.

    Raises:
        ValueError: another loss, or an α outside (0, 1).
    """
    _check.one_of("loss", loss, ("minimax", "non_saturating"))
    a = _check.finite("alpha", alpha)
    if not 0 < a < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1, got {alpha!r}")
    saturating = loss == "minimax"

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return a * F.softplus(-real).mean() + (1 - a) * F.softplus(fake).mean()

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        return (1 - a) * (-F.softplus(fake) if saturating else F.softplus(-fake)).mean()

    entropy = -a * math.log(a) - (1 - a) * math.log(1 - a)
    return Loss(
        f"{loss}(alpha={a:g})",
        discriminator,
        generator,
        (entropy, (1 - a) * (math.log(1 - a) if saturating else -math.log(a))),
        r"-\alpha E\log D(x) - (1-\alpha) E\log(1 - D(G(z))); \quad "
        + (r"(1-\alpha) E\log(1 - D(G(z)))" if saturating else r"-(1-\alpha) E\log D(G(z))"),
    )


def label_smoothing(loss: str, real: float = 0.9) -> Loss:
    """One-sided label smoothing: the discriminator is to say `real` instead of 1 to real samples, still 0 to fakes.

    Its loss on reals is the cross entropy -α log D(x) - (1 - α) log(1 - D(x)) with α = `real`. The optimal
    discriminator becomes α p_d / (p_d + p_g), which is α/2 at equilibrium. The generator's loss stays.

    Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.4.

    Args:
        loss: "minimax", "non_saturating" or "kl".
        real: α, above 0 and at most 1; at 1 nothing is smoothed.

    Raises:
        ValueError: another loss, or an α outside (0, 1].
    """
    _check.one_of("loss", loss, ("minimax", "non_saturating", "kl"))
    a = _check.finite("real", real)
    if not 0 < a <= 1:
        raise ValueError(f"real must be above 0 and at most 1, got {real!r}")
    rule = LOSSES[loss]

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return (F.softplus(real) - a * real).mean() + F.softplus(fake).mean()

    best = torch.tensor([math.log(a / (2 - a))], dtype=torch.float64)
    return replace(
        rule,
        name=f"{loss}(real={a:g})",
        discriminator=discriminator,
        at_equilibrium=(discriminator(best, best).item(), rule.generator(None, best).item()),
        formula=r"-E[\alpha\log D(x) + (1 - \alpha)\log(1 - D(x))] - E\log(1 - D(G(z))); \quad "
        + rule.formula.split(r"; \quad ")[1],
    )


# Losses of other players, and how to weigh two of them.


def mutual_information(
    categorical: Iterable[tuple[Tensor, Tensor]] = (), continuous: Iterable[tuple[Tensor, Tensor, Tensor]] = ()
) -> Tensor:
    """InfoGAN's penalty -E log Q(c | G(z, c)), summed over the codes: the lower it is, the more x tells of c.

    First built in chapter 12.

    I(c; G(z, c)) is at least H(c) - this, in nats; H(c), the entropy of the codes, is a constant.

    Source: Chen et al. 2016, https://arxiv.org/abs/1606.03657, equation 5.

    Args:
        categorical: for each categorical code (logits of Q (N, K), the codes that were asked for (N,) int64).
        continuous: for each group of continuous codes (Q's means (N, d), the logarithms of its standard deviations
            (N, d) or a shape that fits, the codes that were asked for (N, d)); Q is Gaussian, the d codes independent.

    Returns:
        A scalar: the mean over samples of -log Q.

    Raises:
        ValueError: there is no code at all, or shapes that do not fit.
    """
    terms: list[Tensor] = []
    for logits, codes in categorical:
        _check.shape("codes", codes, f"({len(logits)},), one for each row of logits", codes.shape == logits.shape[:1])
        terms.append(F.cross_entropy(logits, codes))
    for mean, log_std, codes in continuous:
        _check.shape("codes", codes, f"{tuple(mean.shape)} like the means", codes.shape == mean.shape)
        scaled = (codes - mean) * torch.exp(-log_std)
        log_q = -0.5 * scaled.square() - log_std - 0.5 * math.log(2 * math.pi)
        terms.append(-log_q.flatten(1).sum(1).mean())
    if not terms:
        raise ValueError("categorical or continuous must hold at least one code, got none")
    return torch.stack(terms).sum()


def mix_by_gradients(main: Tensor, other: Tensor, parameters: Iterable[Tensor], ratio: float = 1.0) -> Tensor:
    """main + a · other with a such that main's gradient is `ratio` times as long as that of a · other.

    a = ‖∇main‖ / (‖∇other‖ + 10⁻⁶) / ratio is a constant to the gradient of the sum. So an adversarial loss takes part
    with the same force beside a reconstruction error whatever their units (Rippel and Bourdev 2017,
    https://arxiv.org/abs/1705.05823).

    Args:
        main: a scalar loss.
        other: a scalar loss, the one that is scaled.
        parameters: those that both losses move, over which gradients are measured.
        ratio: ‖∇main‖ / ‖∇(a · other)‖, above 0.

    Returns:
        A scalar to call `backward` on.
    """
    wanted = _check.finite("ratio", ratio)
    if wanted <= 0:
        raise ValueError(f"ratio must be above 0, got {ratio!r}")
    weights = [w for w in parameters if w.requires_grad]
    if not weights:
        raise ValueError("parameters must hold at least one that requires a gradient, got none")
    length_main, length_other = (_gradient_length(loss, weights) for loss in (main, other))
    return main + length_main / (length_other + 1e-6) / wanted * other


def _gradient_length(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt()
