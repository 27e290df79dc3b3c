"""How far apart two distributions are, and what a discriminator can make of it; natural logarithms (nats), float64.
KL(p‖q) = Σ p log(p/q), JS_α = α KL(p‖m) + (1 − α) KL(q‖m) with m = αp + (1 − α)q, total variation = ½ Σ |p − q|,
W₁ = ∫ |F − G| on the line; each for probability vectors, by quadrature for 1-D densities, in closed form for Gaussians,
and by Monte Carlo. D* = p_d/(p_d + p_g) and V(D, G) are those of Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
Results are tensors without dimensions that gradients flow through; estimates are plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib import _check, toys


class HasLogProb(Protocol):
    """Anything with a log-density: a toy, a distribution of `torch.distributions`."""

    def log_prob(self, x: Tensor, /) -> Tensor: ...


Density1D = HasLogProb | Callable[[Tensor], Tensor]
Numbers = float | Sequence[float] | Tensor


class Estimate(NamedTuple):
    """A Monte Carlo estimate and its standard error."""

    value: float
    standard_error: float


# Pieces that several of them share


def _double(values: Numbers) -> Tensor:
    if isinstance(values, Tensor):
        return values.cpu().double()  # in this order: some accelerators have no float64
    return torch.as_tensor(values, dtype=torch.float64)


def _weight(alpha: float) -> float:
    if not 0 < _check.finite("alpha", alpha) < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    return float(alpha)


def _log(p: Tensor) -> Tensor:
    """log p, with −inf at 0 but gradients that stay finite."""
    return torch.where(p > 0, torch.where(p > 0, p, 1.0).log(), -math.inf)


def _times(p: Tensor, values: Tensor) -> Tensor:
    """p · values, with 0 · anything = 0."""
    return p * torch.where(p > 0, values, 0.0)


def _kl_terms(log_p: Tensor, log_q: Tensor) -> Tensor:
    """p log(p/q) at every point; 0 where p is 0, inf where only q is."""
    return _times(log_p.exp(), log_p - log_q)


def _js_terms(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """α p log(p/m) + (1 − α) q log(q/m) at every point."""
    log_m = _log_mixture(log_p, log_q, alpha)
    return alpha * _kl_terms(log_p, log_m) + (1 - alpha) * _kl_terms(log_q, log_m)


def _log_mixture(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    nowhere = (log_p == -math.inf) & (log_q == -math.inf)
    parts = (math.log(alpha) + log_p.masked_fill(nowhere, 0.0), math.log1p(-alpha) + log_q.masked_fill(nowhere, 0.0))
    return torch.logaddexp(*parts).masked_fill(nowhere, -math.inf)


# Probability vectors


def _probabilities(name: str, values: Tensor) -> Tensor:
    """A probability vector in float64; what rounding left of the sum is divided out."""
    _check.tensor(name, values)
    _check.shape(name, values, "(K,) with K at least 1", values.ndim == 1 and len(values) > 0)
    p = _double(values)
    total = float(p.detach().sum())
    if not (p >= 0).all() or not abs(total - 1) <= 1e-5:
        raise ValueError(
            f"{name} must be probabilities, at least 0 and adding up to 1, "
            f"got a least of {float(p.min()):g} and a sum of {total:g}"
        )
    return p / p.sum()


def _pair(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    p, q = _probabilities("p", p), _probabilities("q", q)
    _check.shape("q", q, f"({len(p)},), that of p", p.shape == q.shape)
    return p, q


def kl(p: Tensor, q: Tensor) -> Tensor:
    """Kullback–Leibler divergence KL(p‖q) = Σ p log(p/q) of two probability vectors. First built in chapter 2.

    Args:
        p: (K,) probabilities.
        q: (K,) probabilities.

    Returns:
        a 0-dimensional tensor, in nats; inf where q misses something that p has.

    Raises:
        TypeError, ValueError: not two probability vectors of one length.
    """
    p, q = _pair(p, q)
    return _kl_terms(_log(p), _log(q)).sum()


def js(p: Tensor, q: Tensor, alpha: float = 0.5) -> Tensor:
    """Jensen–Shannon divergence JS_α = α KL(p‖m) + (1 − α) KL(q‖m), m = αp + (1 − α)q, of two probability vectors.

    First built in chapter 2.

    Between 0 (p = q) and H(α) = −α log α − (1 − α) log(1 − α), which is log 2 at α = ½ (nothing in common). Source: Lin
    1991, https://doi.org/10.1109/18.61115.

    Args:
        p: (K,) probabilities.
        q: (K,) probabilities.
        alpha: weight of p, strictly between 0 and 1.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        TypeError, ValueError: not two probability vectors of one length, or a weight outside (0, 1).
    """
    p, q = _pair(p, q)
    return _js_terms(_log(p), _log(q), _weight(alpha)).sum()


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Total variation ½ Σ |p − q| of two probability vectors (K,), between 0 and 1: 0-dimensional tensor.

    First built in chapter 2.

    Raises:
        TypeError, ValueError: not two probability vectors of one length.
    """
    p, q = _pair(p, q)
    return 0.5 * (p - q).abs().sum()


def wasserstein1(p: Tensor, q: Tensor, positions: Tensor) -> Tensor:
    """Wasserstein-1 distance ∫ |F − G| of two probability vectors over points of the line.

    Args:
        p: (K,) probabilities.
        q: (K,) probabilities.
        positions: (K,) where on the line, in any order.

    Returns:
        a 0-dimensional tensor, in the units of `positions`.

    Raises:
        TypeError, ValueError: not two probability vectors, or not as many finite positions.
    """
    p, q = _pair(p, q)
    _check.tensor("positions", positions)
    _check.shape("positions", positions, f"({len(p)},), that of p", positions.shape == p.shape)
    if not positions.isfinite().all():
        raise ValueError("positions must be finite, got NaN or infinity")
    at, order = _double(positions).sort()
    return ((p - q)[order].cumsum(0)[:-1].abs() * at.diff()).sum()


def entropy(p: Tensor) -> Tensor:
    """Entropy −Σ p log p of a probability vector (K,), in nats: between 0 and log K (uniform).

    First built in chapter 2.

    Raises:
        TypeError, ValueError: not a probability vector.
    """
    p = _probabilities("p", p)
    return -_times(p, _log(p)).sum()


# Densities on the line, by the trapezoidal rule


def _line(lower: float, upper: float, points: int) -> Tensor:
    if not _check.finite("lower", lower) < _check.finite("upper", upper):
        raise ValueError(f"lower must be less than upper, got lower={lower!r} and upper={upper!r}")
    return torch.linspace(lower, upper, _check.positive_int("points", points, minimum=3), dtype=torch.float64)


def _values(name: str, values: Tensor, x: Tensor) -> Tensor:
    """What a function gave back for the grid x, one number a point, (points,) float64."""
    _check.tensor(f"{name}(x)", values)
    _check.shape(f"{name}(x)", values, f"({len(x)},), one number for each x", values.shape in ((len(x),), (len(x), 1)))
    return _double(values).reshape(len(x))


def _log_density(name: str, density: Density1D, x: Tensor) -> Tensor:
    """log of the density on the grid, after a look at whether it is one."""
    if hasattr(density, "log_prob"):
        log_p = _values(name, density.log_prob(x), x)
    elif callable(density):
        p = _values(name, density(x), x)
        if not (p >= 0).all():
            raise ValueError(f"{name} must be a density, at least 0 everywhere, got {float(p.min()):g}")
        log_p = _log(p)
    else:
        raise TypeError(f"{name} must be a density, a function of x or an object with log_prob, got {density!r}")
    mass = float(torch.trapezoid(log_p.detach().exp(), x))
    if not abs(mass - 1) <= 1e-3:
        raise ValueError(
            f"{name} must integrate to 1 between lower={float(x[0]):g} and upper={float(x[-1]):g}, "
            f"got {mass:.6g}: the limits are too narrow, the points too few, or it is no density"
        )
    return log_p


def kl_1d(p: Density1D, q: Density1D, lower: float, upper: float, points: int = 20001) -> Tensor:
    """KL(p‖q) = ∫ p log(p/q) dx by quadrature. First built in chapter 2.

    Args:
        p: a density on the line: a function from x (points,) float64 to densities (points,), or an object with
            `log_prob`, which stays right where the density itself is too small for a float.
        q: another.
        lower: where the integral starts; outside the limits there must be next to nothing of p and q.
        upper: where it ends.
        points: of the grid.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        TypeError, ValueError: p or q is not a density whose integral between the limits is 1 (within 10⁻³), or the
            limits are no interval.
    """
    x = _line(lower, upper, points)
    return torch.trapezoid(_kl_terms(_log_density("p", p, x), _log_density("q", q, x)), x)


def js_1d(p: Density1D, q: Density1D, lower: float, upper: float, alpha: float = 0.5, points: int = 20001) -> Tensor:
    """JS_α(p‖q) of two densities on the line by quadrature, in nats; arguments as in `js` and `kl_1d`.

    First built in chapter 2.
    """
    x = _line(lower, upper, points)
    return torch.trapezoid(_js_terms(_log_density("p", p, x), _log_density("q", q, x), _weight(alpha)), x)


def total_variation_1d(p: Density1D, q: Density1D, lower: float, upper: float, points: int = 20001) -> Tensor:
    """Total variation ½ ∫ |p − q| dx by quadrature; arguments as in `kl_1d`. First built in chapter 2."""
    x = _line(lower, upper, points)
    difference = _log_density("p", p, x).exp() - _log_density("q", q, x).exp()
    return 0.5 * torch.trapezoid(difference.abs(), x)


def wasserstein1_1d(p: Density1D, q: Density1D, lower: float, upper: float, points: int = 20001) -> Tensor:
    """Wasserstein-1 distance ∫ |F − G| dx by quadrature, in the units of x; arguments as in `kl_1d`.

    First built in chapter 2.
    """
    x = _line(lower, upper, points)
    difference = _log_density("p", p, x).exp() - _log_density("q", q, x).exp()
    return torch.trapezoid(F.pad(torch.cumulative_trapezoid(difference, x), (1, 0)).abs(), x)


def entropy_1d(p: Density1D, lower: float, upper: float, points: int = 20001) -> Tensor:
    """Differential entropy −∫ p log p dx by quadrature, in nats; arguments as in `kl_1d`."""
    x = _line(lower, upper, points)
    log_p = _log_density("p", p, x)
    return -torch.trapezoid(_times(log_p.exp(), log_p), x)


# Closed forms for Gaussians


def _mean(name: str, values: Numbers) -> Tensor:
    mean = _double(values)
    _check.shape(name, mean, "() or (dim,)", mean.ndim <= 1)
    if not mean.isfinite().all():
        raise ValueError(f"{name} must be finite, got {mean.tolist()}")
    return mean


def _std(name: str, values: Numbers) -> Tensor:
    std = _mean(name, values)
    if not (std > 0).all():
        raise ValueError(f"{name} must be positive, got {std.tolist()}")
    return std


def _same_dim(**tensors: Tensor) -> None:
    lengths = {len(t) for t in tensors.values() if t.ndim}
    if len(lengths) > 1:
        got = ", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items())
        raise ValueError(f"{' and '.join(tensors)} must be numbers or vectors of one length, got {got}")


def kl_gaussians(mean_p: Numbers, std_p: Numbers, mean_q: Numbers, std_q: Numbers) -> Tensor:
    """KL between Gaussians with independent coordinates, Σ log(σ_q/σ_p) + (σ_p² + (μ_p − μ_q)²)/2σ_q² − ½.

    First built in chapter 2.

    Args:
        mean_p: a number or (dim,).
        std_p: a number (for every coordinate) or (dim,), positive.
        mean_q: as `mean_p`.
        std_q: as `std_p`.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        ValueError: vectors of different lengths, or a standard deviation that is not positive.
    """
    m_p, m_q, s_p, s_q = _mean("mean_p", mean_p), _mean("mean_q", mean_q), _std("std_p", std_p), _std("std_q", std_q)
    _same_dim(mean_p=m_p, std_p=s_p, mean_q=m_q, std_q=s_q)
    terms = (s_q / s_p).log() + (s_p.square() + (m_p - m_q).square()) / (2 * s_q.square()) - 0.5
    return terms.sum()


def kl_multivariate_gaussians(mean_p: Tensor, covariance_p: Tensor, mean_q: Tensor, covariance_q: Tensor) -> Tensor:
    """KL between Gaussians of any covariance, ½ [tr Σ_q⁻¹Σ_p + δᵀΣ_q⁻¹δ − dim + log det Σ_q/det Σ_p], δ = μ_q − μ_p.


    Args:
        mean_p: (dim,).
        covariance_p: (dim, dim), symmetric and positive definite.
        mean_q: (dim,).
        covariance_q: as `covariance_p`.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        ValueError: shapes that do not fit, or a matrix that is no covariance.
    """
    m_p, m_q = _mean("mean_p", mean_p), _mean("mean_q", mean_q)
    _check.shape("mean_p", m_p, "(dim,)", m_p.ndim == 1)
    _check.shape("mean_q", m_q, f"({len(m_p)},), that of mean_p", m_q.shape == m_p.shape)
    root_p = _cholesky("covariance_p", covariance_p, len(m_p))
    root_q = _cholesky("covariance_q", covariance_q, len(m_p))
    right = torch.linalg.solve_triangular(root_q, torch.cat([root_p, (m_q - m_p)[:, None]], dim=1), upper=False)
    log_ratio = 2 * (root_q.diagonal().log() - root_p.diagonal().log()).sum()  # log det Σ_q − log det Σ_p
    return 0.5 * (right.square().sum() - len(m_p) + log_ratio)


def _cholesky(name: str, matrix: Tensor, dim: int) -> Tensor:
    _check.tensor(name, matrix)
    _check.shape(name, matrix, f"({dim}, {dim})", matrix.shape == (dim, dim))
    matrix = _double(matrix)
    root, failed = torch.linalg.cholesky_ex(matrix)
    if bool(failed) or not torch.allclose(matrix, matrix.T):
        raise ValueError(f"{name} must be symmetric and positive definite, got {matrix.tolist()}")
    return root


def entropy_gaussian(std: Numbers) -> Tensor:
    """Differential entropy Σ ½ log(2πeσ²) of a Gaussian with independent coordinates, in nats.

    First built in chapter 2.

    Args:
        std: a number or (dim,), positive.

    Returns:
        a 0-dimensional tensor; negative for narrow Gaussians.

    Raises:
        ValueError: a standard deviation that is not positive.
    """
    return (_std("std", std).log() + 0.5 * math.log(2 * math.pi * math.e)).sum()


def total_variation_gaussians(mean_p: Numbers, mean_q: Numbers, std: Numbers) -> Tensor:
    """Total variation of two Gaussians with the same standard deviations, erf(|(μ_p − μ_q)/σ| / 2√2).

    First built in chapter 2.

    Args:
        mean_p: a number or (dim,).
        mean_q: the same.
        std: a number (for every coordinate) or (dim,), positive; of both.

    Returns:
        a 0-dimensional tensor between 0 and 1.

    Raises:
        ValueError: vectors of different lengths, or a standard deviation that is not positive.
    """
    m_p, m_q, s = _mean("mean_p", mean_p), _mean("mean_q", mean_q), _std("std", std)
    _same_dim(mean_p=m_p, mean_q=m_q, std=s)
    return torch.erf(torch.linalg.vector_norm((m_p - m_q) / s) / (2 * math.sqrt(2)))


def wasserstein1_gaussians(mean_p: Numbers, mean_q: Numbers) -> Tensor:
    """Wasserstein-1 distance of two Gaussians with the same covariance, whatever it is: |μ_p − μ_q|.

    First built in chapter 2.

    Args:
        mean_p: a number or (dim,).
        mean_q: the same.

    Returns:
        a 0-dimensional tensor, in the units of the means.

    Raises:
        ValueError: vectors of different lengths.
    """
    m_p, m_q = _mean("mean_p", mean_p), _mean("mean_q", mean_q)
    _same_dim(mean_p=m_p, mean_q=m_q)
    return torch.linalg.vector_norm(m_p - m_q)


# Monte Carlo, with its standard error


def _draws(name: str, density: toys.Density, n: int, generator: torch.Generator) -> Tensor:
    if not (hasattr(density, "log_prob") and hasattr(density, "sample")):
        raise TypeError(f"{name} must have log_prob and sample, got {density!r}")
    return density.sample(_check.positive_int("n", n, minimum=2), generator).double()


def _log_at(density: HasLogProb, x: Tensor) -> Tensor:
    """log-density at n points (n, dim), as (n,) also from distributions that keep the last axis of the line."""
    log_p = density.log_prob(x)
    _check.shape("log_prob(x)", log_p, f"({len(x)},), one number for each x", log_p.numel() == len(x))
    return log_p.reshape(len(x))


def _estimate(*terms: Tensor) -> Estimate:
    """Sum of the means of independent samples; their variances add up."""
    value = sum(float(t.mean()) for t in terms)
    return Estimate(value, math.sqrt(sum(float(t.var()) / len(t) for t in terms)))


@torch.no_grad()
def kl_monte_carlo(p: toys.Density, q: HasLogProb, n: int, generator: torch.Generator) -> Estimate:
    """KL(p‖q) as the mean of log p(x) − log q(x) over n draws x ~ p. First built in chapter 2.

    Args:
        p: a density with `sample(n, generator)` and `log_prob`, such as those of `toys`, in any dimension.
        q: a density with `log_prob`.
        n: how many draws, at least 2.
        generator: where they come from.

    Returns:
        the estimate and its standard error, in nats.

    Raises:
        TypeError, ValueError: p cannot be drawn from, or n is not a whole number of at least 2.
    """
    x = _draws("p", p, n, generator)
    return _estimate(_log_at(p, x) - _log_at(q, x))


@torch.no_grad()
def js_monte_carlo(
    p: toys.Density, q: toys.Density, n: int, generator: torch.Generator, alpha: float = 0.5
) -> Estimate:
    """JS_α(p‖q) = α E_p log(p/m) + (1 − α) E_q log(q/m) over n draws of each. First built in chapter 2.

    Args:
        p: a density with `sample(n, generator)` and `log_prob`, such as those of `toys`, in any dimension.
        q: another.
        n: how many draws of each, at least 2.
        generator: where they come from.
        alpha: weight of p, strictly between 0 and 1.

    Returns:
        the estimate and its standard error, in nats.

    Raises:
        TypeError, ValueError: p or q cannot be drawn from, n is not a whole number of at least 2, or the weight is
            outside (0, 1).
    """
    alpha = _weight(alpha)
    x, y = _draws("p", p, n, generator), _draws("q", q, n, generator)
    on_x = _log_at(p, x) - _log_mixture(_log_at(p, x), _log_at(q, x), alpha)
    on_y = _log_at(q, y) - _log_mixture(_log_at(p, y), _log_at(q, y), alpha)
    return _estimate(alpha * on_x, (1 - alpha) * on_y)


@torch.no_grad()
def entropy_monte_carlo(p: toys.Density, n: int, generator: torch.Generator) -> Estimate:
    """Differential entropy as the mean of −log p(x) over n draws x ~ p; arguments as in `kl_monte_carlo`."""
    return _estimate(-_log_at(p, _draws("p", p, n, generator)))


# The optimal discriminator and the value of the game


def optimal_discriminator(p_d: Tensor, p_g: Tensor, alpha: float | None = None) -> Tensor:
    """D*(x) = p_d(x)/(p_d(x) + p_g(x)), the discriminator that maximises V for this generator.

    With α, the one that maximises the weighted V: αp_d/(αp_d + (1 − α)p_g). Where both densities are 0 nothing
    determines D*; there the result is α (½ without weights), what one would guess before seeing x. Source: Goodfellow
    et al. 2014, Proposition 1, https://arxiv.org/abs/1406.2661. First built in chapter 4.

    Args:
        p_d: densities of the data at some points, any shape.
        p_g: densities of the model at the same points.
        alpha: share of real samples, strictly between 0 and 1; by default no weights.

    Returns:
        probabilities that x is real, in the shape of the densities.

    Raises:
        TypeError, ValueError: not two tensors of one shape with values of at least 0, or a weight outside (0, 1).
    """
    _check.tensor("p_d", p_d)
    _check.tensor("p_g", p_g)
    _check.shape("p_g", p_g, f"{tuple(p_d.shape)}, that of p_d", p_g.shape == p_d.shape)
    for name, p in (("p_d", p_d), ("p_g", p_g)):
        if not (p >= 0).all() or not p.isfinite().all():
            raise ValueError(f"{name} must be densities, finite and at least 0, got a least of {float(p.min()):g}")
    share = 0.5 if alpha is None else _weight(alpha)
    real, total = share * p_d, share * p_d + (1 - share) * p_g
    return torch.where(total > 0, real / torch.where(total > 0, total, 1.0), share)


def _log_d(name: str, d: Tensor, *, real: bool) -> Tensor:
    """log D for real, log(1 − D) for fake; at least −100, as in `torch.nn.functional.binary_cross_entropy`."""
    if not ((d >= 0) & (d <= 1)).all():
        raise ValueError(
            f"{name} must be probabilities between 0 and 1 (after the sigmoid), "
            f"got values from {float(d.min()):g} to {float(d.max()):g}"
        )
    return -F.binary_cross_entropy(d, torch.full_like(d, float(real)), reduction="none")


def _weights(alpha: float | None) -> tuple[float, float]:
    return (1.0, 1.0) if alpha is None else (_weight(alpha), 1 - _weight(alpha))


def value(d_real: Tensor, d_fake: Tensor, alpha: float | None = None) -> Tensor:
    """V(D, G), estimated as mean log D(x) over reals + mean log(1 − D(G(z))) over fakes. First built in chapter 3.

    With α, α · the first + (1 − α) · the second, which for α = n_d/(n_d + n_g) is the mean of all samples pooled. The
    logarithms are cut at −100, as in torch's binary cross entropy, so D = 0 on a real sample costs much but not
    infinity. Source: Goodfellow et al. 2014, equation 1, https://arxiv.org/abs/1406.2661.

    Args:
        d_real: probabilities that D gives to real samples, any shape.
        d_fake: probabilities that D gives to generated samples, any shape.
        alpha: weight of the reals, strictly between 0 and 1; by default no weights.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        TypeError, ValueError: not tensors of probabilities, none at all, or a weight outside (0, 1).
    """
    for name, d in (("d_real", d_real), ("d_fake", d_fake)):
        _check.tensor(name, d)
        _check.shape(name, d, "(N,) with N at least 1", d.numel() > 0)
    on_real, on_fake = _weights(alpha)
    return (
        on_real * _log_d("d_real", _double(d_real), real=True).mean()
        + on_fake * _log_d("d_fake", _double(d_fake), real=False).mean()
    )


def value_1d(
    discriminator: Callable[[Tensor], Tensor],
    p_d: Density1D,
    p_g: Density1D,
    lower: float,
    upper: float,
    points: int = 20001,
    alpha: float | None = None,
) -> Tensor:
    """V(D, G) = ∫ p_d log D + p_g log(1 − D) dx by quadrature: no sampling error. First built in chapter 4.

    Args:
        discriminator: a function from x (points,) float64 to probabilities that x is real, (points,) or (points, 1);
            take the sigmoid in float64, in float32 it is 1 from logits of 17 on. For a network that is
            `lambda x: net(x[:, None].float()).double().sigmoid()`.
        p_d: density of the data, as p in `kl_1d`.
        p_g: density of the model, as p in `kl_1d`.
        lower: where the integral starts.
        upper: where it ends.
        points: of the grid.
        alpha: weights α and 1 − α of the two terms; by default none. The logarithms are cut as in `value`.

    Returns:
        a 0-dimensional tensor, in nats.

    Raises:
        TypeError, ValueError: as in `kl_1d`; or D is not between 0 and 1.
    """
    x = _line(lower, upper, points)
    on_real, on_fake = _weights(alpha)
    d = _values("discriminator", discriminator(x), x)
    real = _times(_log_density("p_d", p_d, x).exp(), _log_d("discriminator(x)", d, real=True))
    fake = _times(_log_density("p_g", p_g, x).exp(), _log_d("discriminator(x)", d, real=False))
    return torch.trapezoid(on_real * real + on_fake * fake, x)
