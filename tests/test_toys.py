"""Toy densities: the log-density against oracles and quadrature, the samples against the density, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from ganlib import compute, toys

ALL = sorted(toys.TOYS)
DIMS = {"gaussians": 1, "grid": 2, "ring": 2, "spiral": 2}


def oracle(mixture: toys.Mixture) -> MixtureSameFamily:
    scales = mixture.stds[:, None].expand_as(mixture.centres)
    return MixtureSameFamily(Categorical(mixture.weights), Independent(Normal(mixture.centres, scales), 1))


@st.composite
def mixtures(draw: st.DrawFn) -> toys.Mixture:
    modes, dim = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32))
    rng = compute.generator("mixtures", seed)
    weights = torch.rand(modes, generator=rng, dtype=torch.float64) + 0.01
    means = 3 * torch.randn(modes, dim, generator=rng, dtype=torch.float64)
    stds = torch.rand(modes, generator=rng, dtype=torch.float64) + 0.1
    return toys.Mixture(weights / weights.sum(), means, stds)


@given(mixtures())
def test_log_prob_equals_torch_distributions(mixture: toys.Mixture) -> None:
    x = 4 * torch.randn(50, mixture.dim, generator=compute.generator(0), dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(x), oracle(mixture).log_prob(x))


@pytest.mark.parametrize("name", ALL)
def test_log_prob_of_every_toy_equals_torch_distributions(name: str) -> None:
    density = toys.TOYS[name]()
    x = torch.randn(200, density.dim, generator=compute.generator(0), dtype=torch.float64)
    torch.testing.assert_close(density.log_prob(x), oracle(density).log_prob(x))
    single = density.log_prob(x.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), density.log_prob(x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_log_prob_has_its_gradient(name: str) -> None:
    density = toys.get(name)
    x = density.sample(3, compute.generator(0)).double().requires_grad_()
    assert torch.autograd.gradcheck(density.log_prob, x)


def plane_integral(density: toys.Density, half: float, points: int) -> float:
    """Trapezoidal rule on a square (the density is 0 at its edge), row by row to save memory."""
    line = torch.linspace(-half, half, points, dtype=torch.float64)
    rows = (density.log_prob(torch.stack([line, y.expand(points)], 1)).exp().sum() for y in line)
    return float(sum(rows)) * float(line[1] - line[0]) ** 2


@pytest.mark.parametrize("name, half, points", [("ring", 1.3, 251), ("grid", 2.6, 201), ("spiral", 1.3, 251)])
def test_densities_in_the_plane_integrate_to_one(name: str, half: float, points: int) -> None:
    assert plane_integral(toys.get(name), half, points) == pytest.approx(1, abs=1e-6)


def test_two_bumps() -> None:
    x = np.linspace(-8, 8, 4001)
    expected = 0.4 * scipy.stats.norm.pdf(x, -2, 0.5) + 0.6 * scipy.stats.norm.pdf(x, 1, 0.8)
    density = toys.two_bumps().log_prob(torch.from_numpy(x)).exp()
    np.testing.assert_allclose(density.numpy(), expected, rtol=1e-12)
    assert float(np.trapezoid(expected, x)) == pytest.approx(1)


def test_gaussian_and_mixture_1d() -> None:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(toys.gaussian(0.5, 2.0).log_prob(x), Normal(0.5, 2.0).log_prob(x), check_dtype=False)
    equal = toys.mixture_1d((-1.0, 1.0, 4.0), 0.3)
    torch.testing.assert_close(equal.weights, torch.full((3,), 1 / 3, dtype=torch.float64))
    assert equal.std == 0.3


def test_points_of_the_line_come_in_two_shapes() -> None:
    density, x = toys.two_bumps(), torch.randn(5, generator=compute.generator(0))
    assert density.log_prob(x).shape == (5,)
    assert torch.equal(density.log_prob(x), density.log_prob(x[:, None]))


def test_log_prob_stays_on_the_device_of_its_points() -> None:
    ring = toys.ring()
    with FakeTensorMode(allow_non_fake_inputs=True):
        log_p = ring.log_prob(torch.empty(5, 2, device="cuda"))
    assert log_p.device.type == "cuda" and log_p.shape == (5,)


def distinct(points: torch.Tensor) -> int:
    return len({tuple(p) for p in points.mul(1e6).round().tolist()})


def test_ring_has_eight_distinct_modes_on_its_circle() -> None:
    ring = toys.ring()
    assert ring.centres.shape == (8, 2) and distinct(ring.centres) == 8
    torch.testing.assert_close(ring.centres.norm(dim=1), torch.ones(8, dtype=torch.float64))
    gaps = (ring.centres - ring.centres.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(gaps, torch.full((8,), 2 * math.sin(math.pi / 8), dtype=torch.float64))
    assert ring.std == 0.02 and torch.equal(ring.weights, torch.full((8,), 1 / 8, dtype=torch.float64))


@given(st.integers(1, 40), st.floats(0.5, 10))
def test_rings_of_any_size(modes: int, radius: float) -> None:
    centres = toys.ring(modes, radius).centres
    assert distinct(centres) == modes
    torch.testing.assert_close(centres.norm(dim=1), torch.full((modes,), radius, dtype=torch.float64))


def test_grid_has_twenty_five_distinct_modes_from_minus_two_to_two() -> None:
    grid = toys.grid()
    assert grid.centres.shape == (25, 2) and distinct(grid.centres) == 25
    assert {tuple(c) for c in grid.centres.tolist()} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
    assert grid.std == 0.05


@given(st.integers(1, 8), st.floats(0.1, 5))
def test_grids_of_any_size_are_centred(side: int, spacing: float) -> None:
    centres = toys.grid(side, spacing).centres
    assert distinct(centres) == side**2
    assert centres.mean(0).abs().max() < 1e-9
    assert float(centres.max() - centres.min()) == pytest.approx((side - 1) * spacing)


def test_spiral_lies_on_its_curve_and_is_spread_evenly() -> None:
    turns, std = 2.0, 0.02
    spiral = toys.spiral(turns, std)
    radius = spiral.centres.norm(dim=1)
    assert std / 4 < radius.min() < std and 0.99 < radius.max() < 1
    angle = torch.atan2(spiral.centres[:, 1], spiral.centres[:, 0])
    off = (radius * 2 * math.pi * turns - angle) / (2 * math.pi)  # a whole number of turns
    assert (off - off.round()).abs().max() < 1e-4
    steps = spiral.centres.diff(dim=0).norm(dim=1)
    assert steps[20:].min() > 0.98 * steps.max() and steps.max() <= std


def test_spiral_density_has_no_ripple_along_the_curve() -> None:
    spiral = toys.spiral()
    at, following = spiral.centres[200:-20], spiral.centres[201:-19]
    on, between = spiral.log_prob(at), spiral.log_prob((at + following) / 2)
    assert (on - between).abs().max() < 2e-3  # chords cut the curve a little; single bumps would give 1/8


@pytest.mark.parametrize("name", ALL)
def test_samples(name: str) -> None:
    density = toys.get(name)
    x = density.sample(100, compute.generator(3))
    assert x.shape == (100, DIMS[name]) and x.dtype == torch.float32
    assert torch.equal(x, density.sample(100, compute.generator(3)))
    assert not torch.equal(x, density.sample(100, compute.generator(4)))


def test_samples_do_not_touch_the_global_generator() -> None:
    state = torch.get_rng_state()
    toys.ring().sample(10, compute.generator(0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("seed", range(5))
def test_samples_on_the_line_follow_the_density(seed: int) -> None:
    def cdf(x: np.ndarray) -> np.ndarray:
        return 0.4 * scipy.stats.norm.cdf(x, -2, 0.5) + 0.6 * scipy.stats.norm.cdf(x, 1, 0.8)

    x = toys.two_bumps().sample(4000, compute.generator("ks", seed))
    assert scipy.stats.kstest(x[:, 0].numpy(), cdf).pvalue > 1e-4


@pytest.mark.parametrize("weights", [None, (0.5, 0.25, 0.25, 0.0)])
def test_samples_follow_the_weights_and_the_spread(weights: tuple[float, ...] | None) -> None:
    centres = toys.ring(4).centres
    mixture = toys.Mixture(weights or [0.25] * 4, centres, (0.01, 0.02, 0.03, 0.04))
    x, n = mixture.sample(20_000, compute.generator(0)), 20_000
    nearest = torch.cdist(x.double(), centres).argmin(1)
    counts = torch.bincount(nearest, minlength=4)
    expected = mixture.weights * n
    assert ((counts - expected).abs() <= 4 * (expected * (1 - mixture.weights)).sqrt()).all()
    for mode in range(4):
        residual = (x[nearest == mode] - centres[mode]).flatten()
        if len(residual):
            relative = float(residual.std() / mixture.stds[mode])
            assert relative == pytest.approx(1, abs=4 / math.sqrt(2 * len(residual)))


@pytest.mark.parametrize("name", ["ring", "grid", "spiral"])
@pytest.mark.parametrize("seed", range(3))
def test_mean_log_density_of_samples_is_minus_the_entropy(name: str, seed: int) -> None:
    density = toys.TOYS[name]()
    log_p = density.log_prob(density.sample(5000, compute.generator(name, seed)).double())
    if name == "spiral":  # the modes overlap: entropy by quadrature
        line = torch.linspace(-1.2, 1.2, 241, dtype=torch.float64)
        logs = [density.log_prob(torch.stack([line, y.expand(241)], 1)) for y in line]
        entropy = -float(sum((v.exp() * v).sum() for v in logs)) * 0.01**2
    else:  # the modes do not: log K and the entropy of one Gaussian in the plane
        entropy = math.log(len(density.weights)) + math.log(2 * math.pi * math.e * density.std**2)
    assert abs(float(log_p.mean()) + entropy) < 4 * float(log_p.std()) / math.sqrt(5000)


@pytest.mark.parametrize("name", ALL)
def test_get(name: str) -> None:
    density = toys.get(name)
    assert isinstance(density, toys.Density)
    assert density.name == name and density.dim == DIMS[name]
    assert name in repr(density)


def test_get_an_unknown_one() -> None:
    with pytest.raises(ValueError, match="name='rings' is not known; choose one of: ring, grid, spiral, gaussians"):
        toys.get("rings")


def test_std_of_components_that_differ() -> None:
    with pytest.raises(ValueError, match="std is one number only where"):
        _ = toys.two_bumps().std


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([0.5, 0.5], [0.0, 1.0, 2.0], 1.0), r"weights must have shape \(3,\), one for each mean, got \(2,\)"),
        (([1.0], [], 1.0), r"means must have shape \(K, dim\) or \(K,\).*, got \(0,\)"),
        (([1.0], [[[0.0]]], 1.0), r"means must have shape .*, got \(1, 1, 1\)"),
        (([0.5, 0.6], [0.0, 1.0], 1.0), r"weights must be at least 0 and add up to 1, got \[0.5, 0.6\]"),
        (([1.5, -0.5], [0.0, 1.0], 1.0), "weights must be at least 0"),
        (([math.nan, 1.0], [0.0, 1.0], 1.0), "weights must be at least 0"),
        (([0.5, 0.5], [0.0, math.inf], 1.0), "means must be finite"),
        (([0.5, 0.5], [0.0, 1.0], [1.0, 0.0]), r"stds must be positive and finite, got \[1.0, 0.0\]"),
        (([0.5, 0.5], [0.0, 1.0], -1.0), "stds must be positive"),
        (([0.5, 0.5], [0.0, 1.0], math.nan), "stds must be positive"),
        (([0.5, 0.5], [0.0, 1.0], [1.0] * 3), r"stds must have shape \(2,\).* got \(3,\)"),
    ],
)
def test_mixtures_that_are_none(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message):
        toys.Mixture(*arguments)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: toys.ring(modes=0), "modes must be a whole number of at least 1, got 0"),
        (lambda: toys.ring(modes=2.5), "modes must be a whole number"),
        (lambda: toys.ring(std=-0.1), "stds must be positive"),
        (lambda: toys.ring(radius=math.nan), "radius must be a finite number of at least 0, got nan"),
        (lambda: toys.grid(side=-1), "side must be a whole number of at least 1, got -1"),
        (lambda: toys.grid(spacing=-1.0), "spacing must be a finite number of at least 0, got -1.0"),
        (lambda: toys.spiral(turns=0), "turns and std must be positive, got turns=0"),
        (lambda: toys.spiral(std=-1), "turns and std must be positive, got .* std=-1"),
        (lambda: toys.gaussian(std=0.0), "stds must be positive"),
        (lambda: toys.mixture_1d((), 1.0), "means must have shape"),
        (lambda: toys.ring().sample(0, compute.generator(0)), "n must be a whole number of at least 1, got 0"),
        (lambda: toys.ring().log_prob(torch.zeros(3)), r"x must have shape \(N, 2\), got \(3,\)"),
        (lambda: toys.ring().log_prob(torch.zeros(3, 1)), r"x must have shape \(N, 2\), got \(3, 1\)"),
        (lambda: toys.gaussian().log_prob(torch.zeros(3, 2)), r"x must have shape \(N, 1\) or \(N,\), got \(3, 2\)"),
    ],
)
def test_wrong_values_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message):
        call()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: toys.ring().sample(3, None), "generator must be a torch.Generator, got None"),
        (lambda: toys.ring().sample(3, 0), "generator must be a torch.Generator, got 0"),
        (lambda: toys.ring().sample("3", compute.generator(0)), "n must be a whole"),
        (lambda: toys.ring().log_prob([[0.0, 0.0]]), "x must be a tensor, got list"),
        (lambda: toys.ring().log_prob(torch.zeros(3, 2).long()), "x must be a tensor of floats, got torch.int64"),
    ],
)
def test_wrong_types_are_named(call: object, message: str) -> None:
    with pytest.raises(TypeError, match="^" + message):
        call()
