"""Divergences against scipy, torch.distributions, closed forms and each other; their properties; D*, V; bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.spatial.distance
import scipy.stats
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ganlib import compute, toys
from ganlib import divergences as dv

LOG2 = math.log(2)
close = torch.testing.assert_close


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def eye(dim: int) -> Tensor:
    return torch.eye(dim, dtype=torch.float64)


def binary_entropy(alpha: float) -> float:
    return -alpha * math.log(alpha) - (1 - alpha) * math.log(1 - alpha)


alphas = st.floats(0.01, 0.99)


@st.composite
def pairs(draw: st.DrawFn, zeros: bool = True) -> tuple[Tensor, Tensor]:
    """Two probability vectors of one length, with some zeros."""
    size = draw(st.integers(1, 8))
    weight = st.floats(1e-3, 1) | st.just(0.0) if zeros else st.floats(1e-3, 1)
    vectors = st.lists(weight, min_size=size, max_size=size).filter(lambda v: sum(v) > 0).map(lambda v: tensor(*v))
    p, q = draw(vectors), draw(vectors)
    return p / p.sum(), q / q.sum()


# Probability vectors


@given(pairs())
def test_kl_equals_scipy(pair: tuple[Tensor, Tensor]) -> None:
    p, q = pair
    assert float(dv.kl(p, q)) == pytest.approx(scipy.stats.entropy(p.numpy(), q.numpy()), abs=1e-12)


@given(pairs())
def test_js_equals_scipy_and_is_a_squared_metric_up_to_log_2(pair: tuple[Tensor, Tensor]) -> None:
    p, q = pair
    found = float(dv.js(p, q))
    assert found == pytest.approx(scipy.spatial.distance.jensenshannon(p.numpy(), q.numpy()) ** 2, abs=1e-9)
    assert -1e-12 <= found <= LOG2 + 1e-12
    assert found == pytest.approx(float(dv.js(q, p)), abs=1e-12)
    assert dv.js(p, p).abs() < 1e-12


@given(pairs(), alphas)
def test_weighted_js(pair: tuple[Tensor, Tensor], alpha: float) -> None:
    p, q = pair
    found = float(dv.js(p, q, alpha))
    m = alpha * p + (1 - alpha) * q
    by_entropies = scipy.stats.entropy(m) - alpha * scipy.stats.entropy(p) - (1 - alpha) * scipy.stats.entropy(q)
    assert found == pytest.approx(float(by_entropies), abs=1e-12)
    assert found == pytest.approx(float(alpha * dv.kl(p, m) + (1 - alpha) * dv.kl(q, m)), abs=1e-12)
    assert found == pytest.approx(float(dv.js(q, p, 1 - alpha)), abs=1e-12)
    assert -1e-12 <= found <= binary_entropy(alpha) + 1e-12
    assert dv.js(p, p, alpha).abs() < 1e-12


@given(alphas)
def test_nothing_in_common_is_as_far_as_it_gets(alpha: float) -> None:
    p, q = tensor(0.3, 0.7, 0.0, 0.0), tensor(0.0, 0.0, 0.1, 0.9)
    assert float(dv.js(p, q, alpha)) == pytest.approx(binary_entropy(alpha), abs=1e-12)
    assert float(dv.js(p, q)) == pytest.approx(LOG2, abs=1e-15)
    assert float(dv.total_variation(p, q)) == 1
    assert dv.kl(p, q) == math.inf


@given(pairs(zeros=False))
def test_only_equal_vectors_are_at_distance_zero(pair: tuple[Tensor, Tensor]) -> None:
    p, q = pair
    apart = bool((p - q).abs().max() > 1e-4)
    positions = torch.arange(len(p))
    found = [dv.kl(p, q), dv.js(p, q), dv.total_variation(p, q), dv.wasserstein1(p, q, positions)]
    for distance in found:
        assert distance > 1e-10 if apart else distance > -1e-12
    assert [float(d(p, p)) for d in (dv.kl, dv.total_variation)] == [0, 0]


@given(pairs())
def test_total_variation(pair: tuple[Tensor, Tensor]) -> None:
    p, q = pair
    found = float(dv.total_variation(p, q))
    largest_event = float((p - q).clamp(min=0).sum())
    assert found == pytest.approx(largest_event, abs=1e-12)
    assert 0 <= found <= 1 + 1e-12
    assert float(dv.kl(p, q)) >= 2 * found**2 - 1e-12  # Pinsker
    assert found**2 / 2 - 1e-12 <= float(dv.js(p, q)) <= found * LOG2 + 1e-12  # Lin 1991


@given(pairs(), st.randoms(use_true_random=False))
def test_wasserstein1_equals_scipy_in_any_order(pair: tuple[Tensor, Tensor], random: Any) -> None:
    p, q = pair
    at = tensor(*(random.uniform(-5, 5) for _ in p))
    expected = scipy.stats.wasserstein_distance(at.numpy(), at.numpy(), p.numpy(), q.numpy())
    assert float(dv.wasserstein1(p, q, at)) == pytest.approx(expected, abs=1e-12)
    assert float(dv.wasserstein1(p, q, 3 * at)) == pytest.approx(3 * expected, abs=1e-12)


@given(pairs())
def test_entropy(pair: tuple[Tensor, Tensor]) -> None:
    p, _ = pair
    found = float(dv.entropy(p))
    assert found == pytest.approx(scipy.stats.entropy(p.numpy()), abs=1e-12)
    assert -1e-12 <= found <= math.log(len(p)) + 1e-12
    uniform = torch.full_like(p, 1 / len(p))
    assert float(dv.entropy(uniform)) == pytest.approx(math.log(len(p)))
    assert float(dv.kl(p, uniform)) == pytest.approx(math.log(len(p)) - found, abs=1e-12)


def test_results_are_float64_also_from_float32() -> None:
    p, q = torch.tensor([0.1, 0.2, 0.7]), torch.tensor([0.3, 0.3, 0.4])
    found = dv.kl(p, q)
    assert found.dtype == torch.float64 and found.shape == ()
    exact = dv.kl(tensor(0.1, 0.2, 0.7), tensor(0.3, 0.3, 0.4))
    close(found, exact, atol=1e-6, rtol=0)


def test_what_rounding_left_of_the_sum_is_divided_out() -> None:
    p = tensor(0.2, 0.3, 0.5)
    for divergence in (dv.kl, dv.js, dv.total_variation):
        assert abs(float(divergence(p * (1 - 9e-6), p * (1 + 9e-6)))) < 1e-12
    close(dv.entropy(p * (1 + 9e-6)), dv.entropy(p), atol=1e-12, rtol=0)


def test_gradients_of_vectors() -> None:
    rng = compute.generator(0)
    a, b = (torch.randn(5, generator=rng, dtype=torch.float64, requires_grad=True) for _ in range(2))
    at = torch.randn(5, generator=rng, dtype=torch.float64)

    def through(divergence: Callable[[Tensor, Tensor], Tensor]) -> bool:
        return torch.autograd.gradcheck(lambda a, b: divergence(a.softmax(0), b.softmax(0)), (a, b))

    assert through(dv.kl) and through(dv.total_variation)
    assert through(lambda p, q: dv.js(p, q, 0.3)) and through(lambda p, q: dv.wasserstein1(p, q, at))
    assert through(lambda p, q: dv.entropy(p))


def test_gradients_stay_finite_beside_zeros() -> None:
    p, q = tensor(0.5, 0.5, 0.0, 0.0).requires_grad_(), tensor(0.5, 0.0, 0.5, 0.0).requires_grad_()
    for found in (dv.js(p, q), dv.entropy(p), dv.total_variation(p, q)):
        gradients = torch.autograd.grad(found, [p, q], allow_unused=True)
        assert all(g is None or g.isfinite().all() for g in gradients)


# Densities on the line


def pdf(mixture: toys.Mixture, x: float) -> float:
    return float(mixture.log_prob(tensor(x)).exp())


P, Q = toys.two_bumps(), toys.gaussian(0.5, 1.5)
LIMITS = (-14.0, 14.0)


def integral(function: Callable[[float], float]) -> float:
    return float(scipy.integrate.quad(function, *LIMITS, limit=500, epsabs=1e-11, points=[-2, 0, 1])[0])


def test_kl_1d_equals_adaptive_quadrature() -> None:
    expected = integral(lambda x: pdf(P, x) * math.log(pdf(P, x) / pdf(Q, x)))
    assert float(dv.kl_1d(P, Q, *LIMITS)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.9])
def test_js_1d_equals_adaptive_quadrature(alpha: float) -> None:
    def integrand(x: float) -> float:
        p, q = pdf(P, x), pdf(Q, x)
        m = alpha * p + (1 - alpha) * q
        return alpha * p * math.log(p / m) + (1 - alpha) * q * math.log(q / m)

    assert float(dv.js_1d(P, Q, *LIMITS, alpha=alpha)) == pytest.approx(integral(integrand), abs=1e-9)


def test_total_variation_1d_equals_adaptive_quadrature() -> None:
    expected = 0.5 * integral(lambda x: abs(pdf(P, x) - pdf(Q, x)))
    assert float(dv.total_variation_1d(P, Q, *LIMITS)) == pytest.approx(expected, abs=1e-6)


def test_wasserstein1_1d_equals_the_integral_of_exact_distribution_functions() -> None:
    def gap(x: float) -> float:
        ours = 0.4 * scipy.stats.norm.cdf(x, -2, 0.5) + 0.6 * scipy.stats.norm.cdf(x, 1, 0.8)
        return abs(float(ours - scipy.stats.norm.cdf(x, 0.5, 1.5)))

    assert float(dv.wasserstein1_1d(P, Q, *LIMITS)) == pytest.approx(integral(gap), abs=1e-6)


def test_a_change_of_units_is_seen_by_wasserstein_alone() -> None:
    """y = sinh x divides both densities by one factor, which cancels in their ratio (chapter 2)."""
    bells = [toys.gaussian(-1.0, 0.5), toys.gaussian(1.0, 0.8)]

    def stretched(bell: toys.Mixture) -> Any:
        return lambda y: bell.log_prob(torch.asinh(y)).exp() / (1 + y**2).sqrt()

    in_y = [stretched(bell) for bell in bells]
    for divergence in (dv.kl_1d, dv.js_1d, dv.total_variation_1d):
        before = float(divergence(*bells, -16, 16))
        assert float(divergence(*in_y, -400, 400, points=100_001)) == pytest.approx(before, abs=1e-4)
    assert dv.wasserstein1_1d(*in_y, -400, 400, points=100_001) > 1.3 * dv.wasserstein1_1d(*bells, -16, 16)


def test_entropy_1d_equals_adaptive_quadrature() -> None:
    expected = -integral(lambda x: pdf(P, x) * math.log(pdf(P, x)))
    assert float(dv.entropy_1d(P, *LIMITS)) == pytest.approx(expected, abs=1e-9)


stds, means = st.floats(0.3, 2), st.floats(-3, 3)


@settings(deadline=None, max_examples=30)
@given(means, stds, means, stds)
def test_quadrature_equals_the_closed_forms(m_p: float, s_p: float, m_q: float, s_q: float) -> None:
    p, q, wide = toys.gaussian(m_p, s_p), toys.gaussian(m_q, s_q), (-30.0, 30.0)
    assert float(dv.kl_1d(p, q, *wide)) == pytest.approx(float(dv.kl_gaussians(m_p, s_p, m_q, s_q)), abs=1e-8)
    assert float(dv.entropy_1d(p, *wide)) == pytest.approx(float(dv.entropy_gaussian(s_p)), abs=1e-8)
    twin = toys.gaussian(m_q, s_p)
    tv, w1 = dv.total_variation_gaussians(m_p, m_q, s_p), dv.wasserstein1_gaussians(m_p, m_q)
    assert float(dv.total_variation_1d(p, twin, *wide)) == pytest.approx(float(tv), abs=1e-5)
    assert float(dv.wasserstein1_1d(p, twin, *wide)) == pytest.approx(float(w1), abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(means, stds, alphas)
def test_js_1d_stays_between_zero_and_the_binary_entropy(mean: float, std: float, alpha: float) -> None:
    p, q = toys.two_bumps(), toys.gaussian(mean, std)
    found = float(dv.js_1d(p, q, -30, 30, alpha))
    assert 0 < found < binary_entropy(alpha)
    assert found == pytest.approx(float(dv.js_1d(q, p, -30, 30, 1 - alpha)), abs=1e-12)
    assert abs(float(dv.js_1d(p, p, -30, 30, alpha))) < 1e-12
    tv = float(dv.total_variation_1d(p, q, -30, 30))
    assert tv**2 / 2 <= float(dv.js_1d(p, q, -30, 30)) <= tv * LOG2 + 1e-9


def test_separated_densities() -> None:
    p, q = toys.gaussian(-5, 0.1), toys.gaussian(5, 0.1)
    limits = (-8.0, 8.0)
    assert float(dv.js_1d(p, q, *limits)) == pytest.approx(LOG2, abs=1e-9)
    assert float(dv.js_1d(p, q, *limits, alpha=0.2)) == pytest.approx(binary_entropy(0.2), abs=1e-9)
    assert float(dv.total_variation_1d(p, q, *limits)) == pytest.approx(1, abs=1e-9)
    assert float(dv.wasserstein1_1d(p, q, *limits)) == pytest.approx(10, abs=1e-6)
    assert float(dv.kl_1d(p, q, *limits)) == pytest.approx(5000, rel=1e-9)  # though q underflows
    assert float(dv.kl_1d(p, lambda x: q.log_prob(x).exp(), *limits)) == math.inf


def test_densities_come_as_toys_functions_and_distributions() -> None:
    mean, std = tensor(0.5)[0], tensor(1.5)[0]
    forms = [Q, Normal(mean, std), lambda x: Q.log_prob(x).exp(), lambda x: Q.log_prob(x).exp()[:, None]]
    found = [float(dv.kl_1d(P, q, *LIMITS)) for q in forms]
    assert found == pytest.approx([found[0]] * 4, abs=1e-10)


def test_points_are_the_grid_and_more_of_them_are_better() -> None:
    seen: list[tuple[int, torch.dtype, float, float]] = []

    def density(x: Tensor) -> Tensor:
        seen.append((len(x), x.dtype, float(x[0]), float(x[-1])))
        return Q.log_prob(x).exp()

    dv.entropy_1d(density, -10, 12, points=501)
    assert seen == [(501, torch.float64, -10.0, 12.0)]
    exact = float(dv.total_variation_1d(P, Q, *LIMITS, points=200_001))
    errors = [abs(float(dv.total_variation_1d(P, Q, *LIMITS, points=n)) - exact) for n in (201, 2001, 20001)]
    assert errors[0] > 10 * errors[1] and errors[1] > 10 * errors[2]


def test_gradients_through_quadrature() -> None:
    parameters = tensor(0.3, 0.2).requires_grad_()

    def model(v: Tensor) -> Normal:
        return Normal(v[0], v[1].exp())

    for divergence in (dv.kl_1d, dv.js_1d, dv.total_variation_1d, dv.wasserstein1_1d):
        assert torch.autograd.gradcheck(lambda v, d=divergence: d(model(v), Q, -20, 20, points=2001), parameters)
    assert torch.autograd.gradcheck(lambda v: dv.kl_1d(Q, model(v), -20, 20, points=2001), parameters)


# Closed forms


vectors = st.integers(1, 4).flatmap(
    lambda d: st.tuples(*[st.lists(s, min_size=d, max_size=d) for s in (means, stds, means, stds)])
)


@given(vectors)
def test_kl_gaussians_equals_torch_distributions(v: tuple[list[float], ...]) -> None:
    m_p, s_p, m_q, s_q = (tensor(*part) for part in v)
    expected = kl_divergence(Normal(m_p, s_p), Normal(m_q, s_q)).sum()
    close(dv.kl_gaussians(m_p, s_p, m_q, s_q), expected)
    close(dv.kl_gaussians(*v), expected)
    close(dv.kl_multivariate_gaussians(m_p, s_p.square().diag(), m_q, s_q.square().diag()), expected)
    close(dv.entropy_gaussian(s_p), Normal(m_p, s_p).entropy().sum())


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_kl_of_any_covariance_equals_torch_distributions(dim: int) -> None:
    rng = compute.generator("covariance", dim)
    m_p, m_q = torch.randn(2, dim, generator=rng, dtype=torch.float64)
    roots = torch.randn(2, dim, dim, generator=rng, dtype=torch.float64)
    c_p, c_q = roots @ roots.mT + 0.5 * eye(dim)
    expected = kl_divergence(MultivariateNormal(m_p, c_p), MultivariateNormal(m_q, c_q))
    close(dv.kl_multivariate_gaussians(m_p, c_p, m_q, c_q), expected)
    assert dv.kl_multivariate_gaussians(m_p, c_p, m_p, c_p).abs() < 1e-12


def test_numbers_stand_for_every_coordinate() -> None:
    three = dv.kl_gaussians([0.0, 1.0, 2.0], 0.1, 0.5, 0.7)
    close(three, sum(dv.kl_gaussians(m, 0.1, 0.5, 0.7) for m in (0.0, 1.0, 2.0)))
    assert float(dv.kl_gaussians(0, 1, 1, 1)) == 0.5
    assert float(dv.entropy_gaussian(0.1)) == pytest.approx(scipy.stats.norm(0, 0.1).entropy(), abs=1e-14)


@given(means, means, stds)
def test_total_variation_gaussians(m_p: float, m_q: float, std: float) -> None:
    found = float(dv.total_variation_gaussians(m_p, m_q, std))
    assert found == pytest.approx(2 * scipy.stats.norm.cdf(abs(m_p - m_q) / (2 * std)) - 1, abs=1e-12)


def test_closed_forms_in_the_plane_turn_with_the_plane() -> None:
    shift = tensor(3.0, 4.0)
    assert float(dv.wasserstein1_gaussians(shift, tensor(0.0, 0.0))) == 5
    close(dv.total_variation_gaussians(shift, [0.0, 0.0], 2.0), dv.total_variation_gaussians(5, 0, 2))
    close(dv.total_variation_gaussians([6.0, 4.0], [0.0, 0.0], [2.0, 1.0]), dv.total_variation_gaussians(5, 0, 1))


# Monte Carlo


def estimates(n: int, seed: int) -> dict[str, tuple[dv.Estimate, float]]:
    """Every estimator beside the exact value."""
    rng = compute.generator("monte carlo", seed)
    ring, shifted = toys.gaussian(0, 1), toys.gaussian(0.7, 1.3)
    return {
        "kl": (dv.kl_monte_carlo(P, Q, n, rng), float(dv.kl_1d(P, Q, *LIMITS))),
        "js": (dv.js_monte_carlo(P, Q, n, rng), float(dv.js_1d(P, Q, *LIMITS))),
        "weighted js": (dv.js_monte_carlo(P, Q, n, rng, 0.2), float(dv.js_1d(P, Q, *LIMITS, alpha=0.2))),
        "entropy": (dv.entropy_monte_carlo(P, n, rng), float(dv.entropy_1d(P, *LIMITS))),
        "kl of Gaussians": (dv.kl_monte_carlo(ring, shifted, n, rng), float(dv.kl_gaussians(0, 1, 0.7, 1.3))),
    }


@pytest.mark.parametrize("seed", range(5))
def test_monte_carlo_is_within_four_standard_errors(seed: int) -> None:
    for name, (estimate, exact) in estimates(20_000, seed).items():
        assert 0 < estimate.standard_error < 0.02, name
        assert abs(estimate.value - exact) < 4 * estimate.standard_error, name


def test_standard_errors_are_calibrated() -> None:
    runs = [estimates(400, seed) for seed in range(300)]
    for name in runs[0]:
        scores = np.array([(run[name][0].value - run[name][1]) / run[name][0].standard_error for run in runs])
        assert abs(scores.mean()) < 4 / math.sqrt(len(runs)), name
        assert 0.88 < scores.std() < 1.12, name


def test_standard_errors_shrink_with_the_root_of_n() -> None:
    few, many = estimates(2_000, 0), estimates(200_000, 0)
    for name in few:
        assert few[name][0].standard_error / many[name][0].standard_error == pytest.approx(10, rel=0.15), name


def test_monte_carlo_in_the_plane() -> None:
    ring, wide = toys.ring(std=0.1), toys.ring(std=0.2)
    same = dv.js_monte_carlo(ring, ring, 1000, compute.generator(0))
    assert abs(same.value) < 1e-12 and same.standard_error < 1e-12
    assert dv.kl_monte_carlo(ring, ring, 1000, compute.generator(0)) == (0, 0)
    apart = dv.js_monte_carlo(toys.ring(std=0.001), toys.ring(radius=2, std=0.001), 1000, compute.generator(0))
    assert apart.value == pytest.approx(LOG2, abs=1e-9)
    found = dv.kl_monte_carlo(ring, wide, 20_000, compute.generator(1))
    single = float(dv.kl_gaussians([0.0, 0.0], 0.1, 0.0, 0.2))  # an upper bound: KL is convex in the pair
    assert 0 < found.value < single + 4 * found.standard_error


def test_monte_carlo_repeats_with_its_generator() -> None:
    one, again, other = (dv.js_monte_carlo(P, Q, 500, compute.generator(s)) for s in (1, 1, 2))
    assert one == again != other


def test_monte_carlo_with_a_distribution_of_torch() -> None:
    ours = dv.kl_monte_carlo(P, Q, 500, compute.generator(0))
    theirs = dv.kl_monte_carlo(P, Normal(tensor(0.5), tensor(1.5)), 500, compute.generator(0))
    assert ours == pytest.approx(theirs, abs=1e-12)


# The optimal discriminator and the value


def densities(seed: int = 0, n: int = 50) -> tuple[Tensor, Tensor]:
    p, q = torch.rand(2, n, generator=compute.generator(seed), dtype=torch.float64)
    return p, q


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.none() | alphas, st.floats(1e-3, 0.3))
def test_optimal_discriminator_is_the_pointwise_maximum(
    p_d: float, p_g: float, alpha: float | None, away: float
) -> None:
    a, b = (p_d, p_g) if alpha is None else (alpha * p_d, (1 - alpha) * p_g)
    best = float(dv.optimal_discriminator(tensor(p_d), tensor(p_g), alpha))

    def height(d: float) -> float:
        return a * math.log(d) + b * math.log1p(-d) if 0 < d < 1 else -math.inf

    assert best == pytest.approx(a / (a + b), rel=1e-12)
    if 1e-9 < best < 1 - 1e-9:
        assert a / best == pytest.approx(b / (1 - best), rel=1e-5)  # the slope is 0
        assert height(best) > max(height(best * (1 - away)), height(best + (1 - best) * away))


def test_optimal_discriminator_at_the_edges() -> None:
    p_d, p_g = tensor(1.0, 0.0, 0.5, 0.0), tensor(0.0, 1.0, 0.5, 0.0)
    assert dv.optimal_discriminator(p_d, p_g).tolist() == [1, 0, 0.5, 0.5]
    close(dv.optimal_discriminator(p_d, p_g, 0.2), tensor(1, 0, 0.2, 0.2))
    images = torch.rand(3, 4, generator=compute.generator(0))
    assert dv.optimal_discriminator(images, images).shape == (3, 4)
    assert dv.optimal_discriminator(images, images).dtype == torch.float32


def test_optimal_discriminator_has_gradients_also_beside_zeros() -> None:
    p_d, p_g = (p.requires_grad_() for p in densities())
    assert torch.autograd.gradcheck(lambda a, b: dv.optimal_discriminator(a, b, 0.3), (p_d, p_g))
    zeros = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    dv.optimal_discriminator(zeros, zeros).sum().backward()
    assert zeros.grad is not None and zeros.grad.isfinite().all()


def test_value_equals_binary_cross_entropy_on_labels() -> None:
    d_real, d_fake = densities()
    d_fake = d_fake[:20]
    ones, zeros = torch.ones_like(d_real), torch.zeros_like(d_fake)
    separate = F.binary_cross_entropy(d_real, ones) + F.binary_cross_entropy(d_fake, zeros)
    close(dv.value(d_real, d_fake), -separate)
    pooled = F.binary_cross_entropy(torch.cat([d_real, d_fake]), torch.cat([ones, zeros]))
    close(dv.value(d_real, d_fake, alpha=50 / 70), -pooled)
    close(dv.value(d_real, d_fake, alpha=0.5), -separate / 2)
    close(dv.value(d_real, d_fake), d_real.log().mean() + (1 - d_fake).log().mean())


def test_value_at_equilibrium_and_at_the_edges() -> None:
    half = torch.full((10,), 0.5)
    assert float(dv.value(half, half)) == pytest.approx(-math.log(4))
    assert float(dv.value(torch.ones(4), torch.zeros(4))) == 0
    assert float(dv.value(torch.zeros(4), torch.ones(4))) == -200  # each logarithm is cut at −100
    alpha = torch.full((10,), 0.2, dtype=torch.float64)
    assert float(dv.value(alpha, alpha, alpha=0.2)) == pytest.approx(-binary_entropy(0.2))


def test_value_has_gradients() -> None:
    inputs = tuple((0.1 + 0.8 * p).requires_grad_() for p in densities())
    assert torch.autograd.gradcheck(lambda a, b: dv.value(a, b, 0.3), inputs)


def best_discriminator(p_d: toys.Mixture, p_g: toys.Mixture, alpha: float | None = None) -> Callable[[Tensor], Tensor]:
    return lambda x: dv.optimal_discriminator(p_d.log_prob(x).exp(), p_g.log_prob(x).exp(), alpha)


@settings(deadline=None, max_examples=30)
@given(means, stds)
def test_value_of_the_optimal_discriminator_is_js(mean: float, std: float) -> None:
    p_g = toys.gaussian(mean, std)
    best = best_discriminator(P, p_g)
    found = float(dv.value_1d(best, P, p_g, -30, 30))
    assert found == pytest.approx(-math.log(4) + 2 * float(dv.js_1d(P, p_g, -30, 30)), abs=1e-10)
    assert found > -math.log(4)


@settings(deadline=None, max_examples=30)
@given(means, stds, alphas)
def test_weighted_value_of_its_optimal_discriminator_is_weighted_js(mean: float, std: float, alpha: float) -> None:
    p_g = toys.gaussian(mean, std)
    best = best_discriminator(P, p_g, alpha)
    found = float(dv.value_1d(best, P, p_g, -30, 30, alpha=alpha))
    expected = -binary_entropy(alpha) + float(dv.js_1d(P, p_g, -30, 30, alpha))
    assert found == pytest.approx(expected, abs=1e-10)


def test_every_other_discriminator_gives_a_lower_bound() -> None:
    bound = -math.log(4) + 2 * float(dv.js_1d(P, Q, *LIMITS))
    rng = compute.generator("discriminators")
    for _ in range(20):
        a, b, c = torch.randn(3, generator=rng, dtype=torch.float64)
        found = float(dv.value_1d(lambda x, a=a, b=b, c=c: torch.sigmoid(a + b * x + c * x.sin()), P, Q, *LIMITS))
        assert found < bound
    assert float(dv.value_1d(lambda x: torch.full_like(x, 0.5), P, Q, *LIMITS)) == pytest.approx(-math.log(4))


def test_value_1d_where_the_discriminator_rounds_to_zero_and_one() -> None:
    p_d, p_g = toys.gaussian(-5, 0.5), toys.gaussian(5, 0.5)
    best = best_discriminator(p_d, p_g)
    assert float(dv.value_1d(best, p_d, p_g, -12, 12)) == pytest.approx(0, abs=1e-9)


def test_value_1d_is_what_samples_estimate() -> None:
    def discriminator(x: Tensor) -> Tensor:
        return torch.sigmoid(1 - x.double() ** 2 / 3)

    rng, n = compute.generator("value"), 100_000
    d_real, d_fake = (discriminator(p.sample(n, rng)[:, 0]) for p in (P, Q))
    for alpha, (real, fake) in {None: (1.0, 1.0), 0.2: (0.2, 0.8)}.items():
        spread = math.sqrt((real**2 * float(d_real.log().var()) + fake**2 * float((1 - d_fake).log().var())) / n)
        exact = float(dv.value_1d(discriminator, P, Q, *LIMITS, alpha=alpha))
        assert abs(float(dv.value(d_real, d_fake, alpha)) - exact) < 4 * spread


def test_value_1d_takes_a_network_and_gives_it_gradients() -> None:
    net = torch.nn.Linear(1, 1).double()
    found = dv.value_1d(lambda x: torch.sigmoid(net(x[:, None])), P, Q, *LIMITS, points=501)
    found.backward()
    assert net.weight.grad is not None and net.weight.grad.abs() > 0


# Bad input


HALF = tensor(0.5, 0.5)


def anything(x: Tensor) -> Tensor:
    return Q.log_prob(x).exp()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: dv.kl(tensor(0.5, 0.6), HALF), "p must be probabilities, at least 0 and adding up.* sum of 1.1"),
        (lambda: dv.kl(HALF, tensor(1.5, -0.5)), "q must be probabilities.* least of -0.5"),
        (lambda: dv.kl(HALF, tensor(math.nan, 1.0)), "q must be probabilities"),
        (lambda: dv.kl(HALF, tensor(0.2, 0.3, 0.5)), r"q must have shape \(2,\), that of p, got \(3,\)"),
        (lambda: dv.js(HALF[None], HALF), r"p must have shape \(K,\) with K at least 1, got \(1, 2\)"),
        (lambda: dv.entropy(tensor()), r"p must have shape \(K,\) with K at least 1, got \(0,\)"),
        (lambda: dv.js(HALF, HALF, alpha=0.0), "alpha must lie between 0 and 1, got 0.0"),
        (lambda: dv.js(HALF, HALF, alpha=1.0), "alpha must lie between 0 and 1, got 1.0"),
        (lambda: dv.js(HALF, HALF, alpha=math.nan), "alpha must be a finite number, got nan"),
        (lambda: dv.wasserstein1(HALF, HALF, tensor(1.0)), r"positions must have shape \(2,\), that of p, got \(1,\)"),
        (lambda: dv.wasserstein1(HALF, HALF, tensor(1.0, math.inf)), "positions must be finite"),
        (lambda: dv.kl_1d(P, Q, 3, -3), "lower must be less than upper, got lower=3 and upper=-3"),
        (lambda: dv.kl_1d(P, Q, -3, math.inf), "upper must be a finite number, got inf"),
        (lambda: dv.kl_1d(P, Q, -3, 3), r"p must integrate to 1 between lower=-3 and upper=3, got 0\.98.*too narrow"),
        (lambda: dv.kl_1d(P, toys.gaussian(0, 9), -14, 14), "q must integrate to 1"),
        (lambda: dv.js_1d(P, toys.gaussian(0.35, 0.01), -14, 14, points=101), "q must integrate to 1 .* too few"),
        (
            lambda: dv.entropy_1d(lambda x: x / 98, 0, 14, points=2),
            "points must be a whole number of at least 3, got 2",
        ),
        (lambda: dv.entropy_1d(lambda x: x / 98, -14, 14), "p must be a density, at least 0 everywhere, got -0.14"),
        (lambda: dv.entropy_1d(lambda x: x * math.nan, -14, 14), "p must be a density"),
        (
            lambda: dv.entropy_1d(lambda x: x[:5], -14, 14),
            r"p\(x\) must have shape \(20001,\), one number .*got \(5,\)",
        ),
        (lambda: dv.js_1d(P, Q, *LIMITS, alpha=2.0), "alpha must lie between 0 and 1, got 2.0"),
        (lambda: dv.kl_gaussians(0, 0, 0, 1), "std_p must be positive, got 0.0"),
        (lambda: dv.kl_gaussians(0, 1, 0, -1), "std_q must be positive, got -1.0"),
        (lambda: dv.kl_gaussians(math.nan, 1, 0, 1), "mean_p must be finite, got nan"),
        (lambda: dv.kl_gaussians([0.0, 1.0], 1, [0.0, 1.0, 2.0], 1), r".* vectors of one length, got mean_p \(2,\)"),
        (lambda: dv.kl_gaussians([[0.0]], 1, 0, 1), r"mean_p must have shape \(\) or \(dim,\), got \(1, 1\)"),
        (lambda: dv.kl_multivariate_gaussians(HALF, torch.ones(2, 2), HALF, eye(2)), "covariance_p must be symmetric"),
        (
            lambda: dv.kl_multivariate_gaussians(HALF, eye(2), HALF, tensor(1, 0, 0.5, 1).reshape(2, 2)),
            "covariance_q must be symmetric and positive definite",
        ),
        (lambda: dv.kl_multivariate_gaussians(HALF, eye(3), HALF, eye(2)), r"covariance_p must have shape \(2, 2"),
        (lambda: dv.kl_multivariate_gaussians(HALF, eye(2), HALF[:1], eye(2)), r"mean_q must have shape \(2,\)"),
        (lambda: dv.kl_multivariate_gaussians(HALF[0], eye(1), HALF[0], eye(1)), r"mean_p must have shape \(dim"),
        (lambda: dv.entropy_gaussian([1.0, 0.0]), r"std must be positive, got \[1.0, 0.0\]"),
        (lambda: dv.total_variation_gaussians(0, 1, math.inf), "std must be finite"),
        (lambda: dv.total_variation_gaussians([0.0, 1.0], [0.0, 1.0, 2.0], 1), "mean_p and mean_q and std must be"),
        (
            lambda: dv.wasserstein1_gaussians([0.0, 1.0], [0.0, 1.0, 2.0]),
            "mean_p and mean_q must be numbers or vectors",
        ),
        (lambda: dv.kl_monte_carlo(P, Q, 1, compute.generator(0)), "n must be a whole number of at least 2, got 1"),
        (lambda: dv.kl_monte_carlo(P, Q, 2.5, compute.generator(0)), "n must be a whole number"),
        (lambda: dv.js_monte_carlo(P, Q, 9, compute.generator(0), alpha=-1), "alpha must lie between 0 and 1, got -1"),
        (lambda: dv.kl_monte_carlo(toys.ring(), Normal(0.0, 1.0), 9, compute.generator(0)), r"log_prob\(x\) must have"),
        (lambda: dv.optimal_discriminator(HALF, tensor(1.0)), r"p_g must have shape \(2,\), that of p_d, got \(1,\)"),
        (lambda: dv.optimal_discriminator(-HALF, HALF), "p_d must be densities, finite and at least 0, got .* -0.5"),
        (lambda: dv.optimal_discriminator(HALF, HALF / 0), "p_g must be densities, finite"),
        (lambda: dv.optimal_discriminator(HALF, HALF, alpha=1.5), "alpha must lie between 0 and 1, got 1.5"),
        (lambda: dv.value(2 * HALF + 1, HALF), "d_real must be probabilities between 0 and 1 .* from 2 to 2"),
        (lambda: dv.value(HALF, -HALF), "d_fake must be probabilities"),
        (lambda: dv.value(HALF * math.nan, HALF), "d_real must be probabilities"),
        (lambda: dv.value(tensor(), HALF), r"d_real must have shape \(N,\) with N at least 1, got \(0,\)"),
        (lambda: dv.value(HALF, HALF, alpha=0), "alpha must lie between 0 and 1, got 0"),
        (lambda: dv.value_1d(lambda x: x, P, Q, *LIMITS), r"discriminator\(x\) must be probabilities between 0 and 1"),
        (lambda: dv.value_1d(lambda x: x[:2], P, Q, *LIMITS), r"discriminator\(x\) must have shape \(20001,\)"),
        (lambda: dv.value_1d(anything, P, lambda x: anything(x) / 2, *LIMITS), "p_g must integrate to 1"),
    ],
)
def test_wrong_values_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message):
        call()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: dv.kl([0.5, 0.5], HALF), "p must be a tensor, got list"),
        (lambda: dv.kl(HALF, None), "q must be a tensor, got NoneType"),
        (lambda: dv.wasserstein1(HALF, HALF, [0, 1]), "positions must be a tensor, got list"),
        (lambda: dv.js(HALF, HALF, alpha="half"), "alpha must be a finite number, got 'half'"),
        (lambda: dv.kl_1d(P, 0.5, *LIMITS), "q must be a density, a function of x or an object with log_prob, got 0.5"),
        (lambda: dv.kl_1d(P, lambda x: 0.5, *LIMITS), r"q\(x\) must be a tensor, got float"),
        (lambda: dv.kl_monte_carlo(anything, P, 9, compute.generator(0)), "p must have log_prob and sample"),
        (lambda: dv.kl_monte_carlo(P, Q, 9, 0), "generator must be a torch.Generator, got 0"),
        (lambda: dv.optimal_discriminator(0.5, HALF), "p_d must be a tensor, got float"),
        (lambda: dv.value(0.5, HALF), "d_real must be a tensor, got float"),
        (lambda: dv.kl_multivariate_gaussians(HALF, None, HALF, eye(2)), "covariance_p must be"),
    ],
)
def test_wrong_types_are_named(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match="^" + message):
        call()
