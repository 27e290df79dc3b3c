"""Every metric against its formula, a closed form or another library's number, and wrong input at the door."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from ganlib import data, features, metrics, toys


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def covariance(dim: int, seed: int) -> torch.Tensor:
    root = torch.randn(dim, dim, generator=rng(seed), dtype=torch.float64)
    return root @ root.T / dim


@pytest.mark.parametrize("dim", [1, 3, 20])
def test_frechet_of_gaussians_against_scipy(dim: int) -> None:
    a, b = covariance(dim, 1), covariance(dim, 2)
    mean_a, mean_b = torch.randn(2, dim, generator=rng(3), dtype=torch.float64)
    root = scipy.linalg.sqrtm((a @ b).numpy())
    expected = float((mean_a - mean_b).square().sum() + a.trace() + b.trace()) - 2 * float(np.trace(root).real)
    assert metrics.frechet_gaussians(mean_a, a, mean_b, b) == pytest.approx(expected, rel=1e-9)
    assert metrics.frechet_gaussians(mean_b, b, mean_a, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_diagonal_gaussians_in_closed_form() -> None:
    std_a, std_b = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.5, 1.0])
    mean_a, mean_b = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 0.0])
    expected = (mean_a - mean_b).square().sum() + (std_a - std_b).square().sum()
    found = metrics.frechet_gaussians(mean_a, std_a.square().diag(), mean_b, std_b.square().diag())
    assert found == pytest.approx(expected.item(), abs=1e-9)


def test_frechet_distance_against_torchmetrics() -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")
    a = torch.randn(300, 12, generator=rng(1), dtype=torch.float64) @ covariance(12, 5)
    b = torch.randn(200, 12, generator=rng(2), dtype=torch.float64) @ covariance(12, 6) + 0.3
    expected = fid._compute_fid(a.mean(0), a.T.cov(), b.mean(0), b.T.cov()).item()
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_is_zero_only_for_the_same_and_grows_with_a_shift() -> None:
    a = torch.randn(500, 8, generator=rng())
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(a, a + 0.5) == pytest.approx(8 * 0.25, rel=1e-5)
    assert metrics.frechet_distance(a, 2 * a) == pytest.approx(
        float(a.double().mean(0).square().sum() + a.double().var(0).sum()), rel=1e-5
    )


def test_frechet_distance_converges_to_the_closed_form() -> None:
    a, b = torch.randn(2, 100_000, 4, generator=rng())
    b = 1.0 + 0.5 * b
    assert metrics.frechet_distance(a, b) == pytest.approx(4 * (1.0 + 0.25), rel=0.02)


def test_frechet_distance_refuses() -> None:
    a = torch.randn(100, 8)
    with pytest.raises(ValueError, match="features_b must hold more samples than features: got 8 samples of 8"):
        metrics.frechet_distance(a, torch.randn(8, 8))
    with pytest.raises(ValueError, match="features_b must have the 8 features of features_a, got 7"):
        metrics.frechet_distance(a, torch.randn(100, 7))
    with pytest.raises(ValueError, match=r"features_a must have shape \(N, F\), got \(100,\)"):
        metrics.frechet_distance(torch.randn(100), a)
    with pytest.raises(ValueError, match="features_a must be finite"):
        metrics.frechet_distance(a / 0, a)
    with pytest.raises(ValueError, match=r"covariance_b must have shape \(F, F\), got \(3, 3\)"):
        metrics.frechet_gaussians(torch.zeros(2), torch.eye(2), torch.zeros(2), torch.eye(3))


def test_real_digits_stand_at_the_floor_and_noise_far_above() -> None:
    train, test = data.load("digits", split="train"), data.load("digits", split="test")
    floor = metrics.frechet_digits(test.x)
    direct = metrics.frechet_distance(features.digit_features(test.x), features.digit_features(train.floats))
    assert floor == pytest.approx(direct, rel=1e-6)
    assert metrics.frechet_digits(test.x, split="test") == pytest.approx(0, abs=1e-6)
    draws = [torch.randperm(4000, generator=rng(seed))[:1000] for seed in range(5)]
    floors = [metrics.frechet_digits(train.x[chosen], split="test") for chosen in draws]
    # The numbers of the docstring.
    ones_missing, blurred = test.x[test.y != 1], torch.nn.functional.avg_pool2d(test.floats, 3, stride=1, padding=1)
    noisy = (test.floats + 0.5 * torch.randn(test.floats.shape, generator=rng())).clamp(-1, 1)
    assert floor == pytest.approx(0.14, abs=0.02)
    assert all(0.2 < value < 0.6 for value in floors)
    assert metrics.frechet_digits(ones_missing) == pytest.approx(4.3, abs=0.2)
    assert metrics.frechet_digits(blurred) == pytest.approx(2.9, abs=0.2)
    assert metrics.frechet_digits(noisy) == pytest.approx(41, abs=5)
    assert metrics.frechet_digits(test.x[:1].expand(100, -1, -1, -1)) > 64


def test_frechet_digits_refuses() -> None:
    with pytest.raises(ValueError, match="images must be more than the 64 features, got 64"):
        metrics.frechet_digits(torch.zeros(64, 1, 28, 28))
    with pytest.raises(ValueError, match="split='tset' is not known"):
        metrics.frechet_digits(torch.zeros(100, 1, 28, 28), split="tset")


def test_class_accuracy_counts_what_was_asked_for() -> None:
    test = data.load("digits", split="test")
    assert test.y is not None
    assert metrics.class_accuracy(test.x, test.y) >= 0.97
    guesses = features.digit_logits(test.x[:10]).argmax(1)
    asked = guesses.clone()
    asked[:3] = (asked[:3] + 1) % 10
    assert metrics.class_accuracy(test.floats[:10], asked) == 0.7


def test_class_accuracy_refuses() -> None:
    images = torch.zeros(3, 1, 28, 28)
    with pytest.raises(ValueError, match=r"labels must have shape \(3,\).*, got \(2,\)"):
        metrics.class_accuracy(images, torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="labels must be integers from 0 to 9, got torch.int64 from 1 to 10"):
        metrics.class_accuracy(images, torch.tensor([1, 2, 10]))
    with pytest.raises(ValueError, match="labels must be integers from 0 to 9, got torch.float32"):
        metrics.class_accuracy(images, torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("name, total", [("ring", 8), ("grid", 25)])
def test_real_samples_reach_every_mode(name: str, total: int) -> None:
    mixture = toys.get(name)
    report = metrics.modes(mixture.sample(20_000, rng()), mixture)
    assert (report.modes, report.total) == (total, total)
    assert report.quality == pytest.approx(1 - math.exp(-4.5), abs=0.004)  # P(χ²₂ ≤ 9) = 98.9 %
    assert report.reverse_kl < 0.002


def test_modes_counted_by_hand() -> None:
    mixture = toys.Mixture([0.5, 0.25, 0.25], [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], 1.0)
    near = torch.tensor([[0.0, 2.9], [0.0, 3.1], [10.0, 0.0], [5.5, 0.0]])
    samples = near.repeat_interleave(torch.tensor([30, 7, 10, 3]), dim=0)
    report = metrics.modes(samples, mixture, minimum=20)
    assert report.modes == 1 and report.quality == 40 / 50
    assert report.reverse_kl == pytest.approx(0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.25))
    assert metrics.modes(samples, mixture, minimum=30).modes == 0  # more than the minimum, not as many
    assert metrics.modes(samples, mixture, minimum=29).modes == 1
    assert metrics.modes(samples, mixture, minimum=9).modes == 2


def test_collapse_to_one_mode_and_to_none() -> None:
    ring = toys.get("ring")
    one = ring.centres[:1].float().repeat(100, 1)
    assert metrics.modes(one, ring) == (1, 8, 1.0, pytest.approx(math.log(8)))
    assert metrics.modes(torch.zeros(100, 2), ring) == (0, 8, 0.0, math.inf)


def test_modes_refuses() -> None:
    ring = toys.get("ring")
    with pytest.raises(ValueError, match=r"samples must have shape \(N, 2\).*, got \(5, 3\)"):
        metrics.modes(torch.zeros(5, 3), ring)
    with pytest.raises(ValueError, match="samples must be finite"):
        metrics.modes(torch.full((5, 2), float("inf")), ring)
    with pytest.raises(TypeError, match="mixture must be a toys.Mixture"):
        metrics.modes(torch.zeros(5, 2), "ring")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="minimum must be a whole number of at least 0, got -1"):
        metrics.modes(torch.zeros(5, 2), ring, minimum=-1)


def test_nearest_against_all_pairs() -> None:
    reals, samples = torch.randn(300, 1, 6, 6, generator=rng(1)), torch.randn(40, 1, 6, 6, generator=rng(2))
    distances, indices = metrics.nearest(samples, reals, k=3)
    pairs = (samples.flatten(1)[:, None] - reals.flatten(1)[None]).double().square().sum(-1).sqrt()
    expected, order = pairs.sort(1)
    assert torch.equal(indices, order[:, :3])
    assert torch.allclose(distances.double(), expected[:, :3], rtol=1e-5)


def test_a_copy_is_its_own_neighbour_at_zero() -> None:
    digits = data.load("digits", split="train")
    chosen = torch.tensor([5, 17, 3999])
    distances, indices = metrics.nearest(digits.x[chosen], digits)
    assert indices[:, 0].tolist() == chosen.tolist() and (distances == 0).all()
    distances, _ = metrics.nearest(digits.floats[chosen], digits.floats, k=2)
    assert (distances[:, 1] > 1).all()


def test_nearest_refuses() -> None:
    reals = torch.zeros(4, 1, 6, 6)
    with pytest.raises(ValueError, match=r"samples must have shape \(N, 1, 6, 6\), got \(4, 1, 5, 5\)"):
        metrics.nearest(torch.zeros(4, 1, 5, 5), reals)
    with pytest.raises(ValueError, match="k must be at most the 4 members of the data set, got 5"):
        metrics.nearest(reals, reals, k=5)
