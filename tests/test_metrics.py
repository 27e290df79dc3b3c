"""Every metric against its formula, a closed form or another library's number, and wrong input at the door."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
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


def test_frechet_distance_of_variances_or_means_alone() -> None:
    a, b = torch.randn(2, 40, 12, generator=rng(), dtype=torch.float64)
    b = 2 * b + 0.5
    variances = [values.T.cov().diag().diag() for values in (a, b)]
    diagonal = metrics.frechet_gaussians(a.mean(0), variances[0], b.mean(0), variances[1])
    assert metrics.frechet_distance(a, b, covariance="diagonal") == pytest.approx(diagonal, rel=1e-9)
    none = metrics.frechet_gaussians(a.mean(0), variances[0], b.mean(0), variances[0])
    assert metrics.frechet_distance(a, b, covariance="none") == pytest.approx(none, rel=1e-9)
    assert metrics.frechet_distance(a[:5], b[:1], covariance="none") > 0  # fewer samples than features will do
    with pytest.raises(ValueError, match="covariance='diag' is not known; choose one of: diagonal, full, none"):
        metrics.frechet_distance(a, b, covariance="diag")
    with pytest.raises(ValueError, match="features_b must hold at least 2 samples, got 1"):
        metrics.frechet_distance(a, b[:1], covariance="diagonal")


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


# Energy distance.


def test_energy_distance_against_its_formula_pair_by_pair_and_scipys() -> None:
    a, b = torch.randn(9, 3, generator=rng(1)).double(), torch.randn(7, 3, generator=rng(2)).double() + 1

    def mean(x: torch.Tensor, y: torch.Tensor, skip: bool) -> float:
        pairs = [(x[i] - y[j]).norm().item() for i in range(len(x)) for j in range(len(y)) if not (skip and i == j)]
        return sum(pairs) / len(pairs)

    expected = 2 * mean(a, b, False) - mean(a, a, True) - mean(b, b, True)
    assert metrics.energy_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert metrics.energy_distance(a.view(9, 1, 1, 3), b.view(7, 1, 1, 3)) == pytest.approx(expected, rel=1e-9)
    x, y = torch.randn(4000, 1, generator=rng(3)).double(), 2 * torch.randn(3000, 1, generator=rng(4)).double()
    theirs = scipy.stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2  # of the samples: biased by 1/n
    assert metrics.energy_distance(x, y) == pytest.approx(theirs, abs=2e-3)


def test_energy_distance_is_unbiased_and_sees_a_shift() -> None:
    values = [metrics.energy_distance(*torch.randn(2, 200, 2, generator=rng(seed))) for seed in range(40)]
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / 40**0.5 and min(values) < 0
    a, b = torch.randn(2, 200, 2, generator=rng(1))
    assert metrics.energy_distance(a, b + 2) > 1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.zeros(1, 2), torch.zeros(5, 2), r"a must have shape \(N, …\) with N ≥ 2"),
        (torch.zeros(5, 2), torch.zeros(5, 3), r"b must have shape \(M, 2\) like a"),
        (torch.full((5, 2), math.nan), torch.zeros(5, 2), "a must"),
    ],
)
def test_energy_distance_refuses(a: torch.Tensor, b: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.energy_distance(a, b)


# Kernel distance.


def test_kid_against_its_formula_pair_by_pair() -> None:
    a, b = torch.randn(9, 4, generator=rng(1)).double(), torch.randn(7, 4, generator=rng(2)).double() + 1

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return (float(x @ y) / 4 + 1) ** 3

    expected = (
        sum(kernel(a[i], a[j]) for i in range(9) for j in range(9) if i != j) / (9 * 8)
        + sum(kernel(b[i], b[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
        - 2 * sum(kernel(x, y) for x in a for y in b) / (9 * 7)
    )
    found = metrics.kid(a, b)
    assert found.distance == pytest.approx(expected, rel=1e-12) and math.isnan(found.error)
    blocks = [metrics.kid(a[i::3], b[i::3]).distance for i in range(3)]
    dealt = metrics.kid(a, b, block=3)
    assert dealt == pytest.approx((np.mean(blocks), np.std(blocks, ddof=1) / 3**0.5))


def test_kid_against_torchmetrics_and_torch_fidelity() -> None:
    a, b = torch.randn(200, 16, generator=rng(1)).double(), 1.5 * torch.randn(200, 16, generator=rng(2)).double()
    theirs = pytest.importorskip("torchmetrics.image.kid").poly_mmd(a, b, degree=3, gamma=None, coef=1.0)
    assert metrics.kid(a, b).distance == pytest.approx(theirs.item(), rel=1e-9)
    fidelity = pytest.importorskip("torch_fidelity.metric_kid")
    other = fidelity.kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=200, verbose=False)
    assert metrics.kid(a, b).distance == pytest.approx(other["kernel_inception_distance_mean"], rel=1e-6)


def test_kid_is_unbiased_and_its_error_is_honest() -> None:
    """Equal distributions: 0 on average, however few the samples, and as far from it as the errors say."""
    found = [metrics.kid(*torch.randn(2, 400, 8, generator=rng(seed)), block=40) for seed in range(40)]
    distances, errors = torch.tensor(found).T
    assert abs(distances.mean()) < 4 * distances.std() / 40**0.5
    assert 0.6 < (errors.square().mean() / distances.var()).sqrt() < 1.6
    # In closed form for normals of variance 1 and s² in one dimension: with k = 1 + 3xy + 3x²y² + x³y³,
    # only the squares tell them apart: 3 (1 − s²)².
    a, b = torch.randn(1, 200_00, generator=rng(1)).T, 2 * torch.randn(1, 200_00, generator=rng(2)).T
    wide = metrics.kid(a, b, block=1000)
    assert abs(wide.distance - 27) < 4 * wide.error and wide.error < 2


def test_kid_refuses() -> None:
    a = torch.randn(100, 8)
    with pytest.raises(ValueError, match="features_b must have the 8 features of features_a, got 7"):
        metrics.kid(a, torch.randn(100, 7))
    with pytest.raises(ValueError, match="10 blocks of up to 10 samples need at least 20 samples of each kind, got 15"):
        metrics.kid(a, torch.randn(15, 8), block=10)
    with pytest.raises(ValueError, match="block must be a whole number of at least 2, got 1"):
        metrics.kid(a, a, block=1)


# Inception score.


def test_inception_score_in_closed_form() -> None:
    sure = 50 * torch.eye(5).repeat(8, 1)
    assert metrics.inception_score(sure, splits=1) == (pytest.approx(5), 0)
    assert metrics.inception_score(sure[:1].expand(20, -1), splits=4) == pytest.approx((1, 0))
    assert metrics.inception_score(torch.zeros(20, 5), splits=2) == pytest.approx((1, 0))
    half = torch.tensor([0.5, 0.5, 0.0]).log().clamp(min=-100), torch.tensor([0.0, 0.0, 1.0]).log().clamp(min=-100)
    expected = math.exp(0.5 * (math.log(0.5 / 0.25)) + 0.5 * math.log(1 / 0.5))  # marginal (¼, ¼, ½)
    assert metrics.inception_score(torch.stack(half), splits=1).score == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:Metric .InceptionScore. will save", "ignore:std.... degrees of freedom")
def test_inception_score_against_torch_fidelity_and_torchmetrics() -> None:
    logits = 2 * torch.randn(400, 10, generator=rng())
    fidelity = pytest.importorskip("torch_fidelity.metric_isc")
    theirs = fidelity.isc_features_to_metric(logits, splits=5, shuffle=False)
    ours = metrics.inception_score(logits.view(5, 80, 10).transpose(0, 1).reshape(400, 10), splits=5)  # dealt, not cut
    assert ours.score == pytest.approx(float(theirs["inception_score_mean"]), rel=1e-5)
    assert ours.spread == pytest.approx(float(theirs["inception_score_std"]), rel=1e-4)
    score = pytest.importorskip("torchmetrics.image.inception").InceptionScore(feature=torch.nn.Flatten(), splits=1)
    score.update(logits[:, :, None, None])
    assert metrics.inception_score(logits, splits=1).score == pytest.approx(score.compute()[0].item(), rel=1e-5)


def test_inception_score_of_digits() -> None:
    test = data.load("digits", split="test")
    assert test.y is not None
    score = metrics.inception_score(features.digit_logits(test.x), splits=1).score
    assert score == pytest.approx(8.0, abs=0.1)  # the number of the docstring
    threes = metrics.inception_score(features.digit_logits(test.x[test.y == 3]), splits=1).score
    assert threes == pytest.approx(1.06, abs=0.03)


def test_inception_score_refuses() -> None:
    with pytest.raises(ValueError, match=r"logits must have shape \(N, classes\) .*, got \(5, 1\)"):
        metrics.inception_score(torch.zeros(5, 1))
    with pytest.raises(ValueError, match="splits must be at most the 5 samples, got 10"):
        metrics.inception_score(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="logits must be finite"):
        metrics.inception_score(torch.full((5, 3), float("nan")), splits=1)


# Precision, recall, density, coverage.


def test_neighbourhoods_against_scikit_learn() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    real, fake = torch.randn(150, 6, generator=rng(1)), 0.8 * torch.randn(120, 6, generator=rng(2)) + 0.4
    k = 4

    def balls(points: torch.Tensor) -> np.ndarray:
        return neighbors.NearestNeighbors(n_neighbors=k).fit(points.double()).kneighbors()[0][:, -1]  # without itself

    distances = np.linalg.norm(real.double().numpy()[:, None] - fake.double().numpy()[None], axis=2)
    in_real, in_fake = distances <= balls(real)[:, None], distances <= balls(fake)[None]
    assert metrics.precision_recall(real, fake, k) == pytest.approx((in_real.any(0).mean(), in_fake.any(1).mean()))
    assert metrics.density_coverage(real, fake, k) == pytest.approx((in_real.sum() / (k * 120), in_real.any(1).mean()))


def test_neighbourhoods_by_hand() -> None:
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.5], [1.5], [7.0], [8.0]])
    # Balls of k=1: real 0±1, 1±1, 3±2; generated 0.5±1, 1.5±1, 7±1, 8±1.
    assert metrics.precision_recall(real, fake, k=1) == (2 / 4, 2 / 3)
    assert metrics.density_coverage(real, fake, k=1) == (pytest.approx((2 + 2) / 4), 1.0)
    assert metrics.precision_recall(real, real, k=1) == (1, 1)


@pytest.mark.parametrize("dim", [2, 16])
@pytest.mark.parametrize(("n", "m", "k"), [(300, 300, 5), (300, 150, 3)])
def test_equal_distributions_have_density_one_and_the_expected_coverage(dim: int, n: int, m: int, k: int) -> None:
    found = [
        metrics.density_coverage(torch.randn(n, dim, generator=rng(s)), torch.randn(m, dim, generator=rng(99 + s)), k)
        for s in range(30)
    ]
    density, coverage = torch.tensor(found, dtype=torch.float64).T
    for values, expected in ((density, 1.0), (coverage, metrics.expected_coverage(n, m, k))):
        assert abs(values.mean() - expected) < 4 * values.std() / 30**0.5
        assert values.std() < 0.1


def test_what_the_four_shares_tell_apart() -> None:
    real = torch.randn(500, 4, generator=rng(1))
    narrow, wide = 0.3 * torch.randn(500, 4, generator=rng(2)), 3 * torch.randn(500, 4, generator=rng(3))
    found, dense = metrics.precision_recall(real, narrow), metrics.density_coverage(real, narrow)
    assert found.precision > 0.95 > 0.5 > found.recall and dense.density > 1.2 and dense.coverage < 0.6
    found = metrics.precision_recall(real, wide)
    assert found.precision < 0.5 < found.recall
    # An outlier among the real ones spoils precision, and density hardly: the claim of Naeem et al.
    far = torch.full((500, 4), 3.0) + 0.1 * torch.randn(500, 4, generator=rng(4))
    spoilt = torch.cat([real, torch.full((1, 4), 6.0)])
    assert metrics.precision_recall(spoilt, far).precision > 0.9
    assert metrics.density_coverage(spoilt, far, k=3).density < 0.5


def test_expected_coverage() -> None:
    assert metrics.expected_coverage(2, 1, k=1) == pytest.approx(1 - 1 / 2)
    assert metrics.expected_coverage(10_000, 10_000, k=5) == pytest.approx(1 - 2**-5, abs=1e-3)
    with pytest.raises(ValueError, match="k must be below the 5 real samples, got 5"):
        metrics.expected_coverage(5, 5)


def test_neighbourhoods_refuse() -> None:
    a = torch.randn(10, 3)
    with pytest.raises(ValueError, match="k must be below the 3 samples of fake, got 3"):
        metrics.precision_recall(a, a[:3])
    with pytest.raises(ValueError, match="k must be below the 5 samples of real, got 5"):
        metrics.density_coverage(a[:5], a)
    with pytest.raises(ValueError, match="fake must have the 3 features of real, got 2"):
        metrics.density_coverage(a, a[:, :2])
    with pytest.raises(ValueError, match="real must be finite"):
        metrics.precision_recall(a / 0, a)


# Sliced Wasserstein distances.


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25), (1, 7)])
def test_sliced_wasserstein_on_a_line_against_scipy(order: int, n: int, m: int) -> None:
    a, b = torch.randn(n, 1, generator=rng(1)).double(), 2 * torch.randn(m, 1, generator=rng(2)).double() + 1
    if order == 1:
        expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
    else:  # n · m equal parts of both, in order
        x, y = a.repeat_interleave(m, 0).sort(0).values, b.repeat_interleave(n, 0).sort(0).values
        expected = (x - y).square().mean().sqrt().item()
    assert metrics.sliced_wasserstein(a, b, projections=3, order=order) == pytest.approx(expected, rel=1e-9)


def test_sliced_wasserstein_in_closed_form() -> None:
    a = torch.randn(300, 5, generator=rng())
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0])
    expected = shift.norm().item() / 5**0.5
    assert metrics.sliced_wasserstein(a, a + shift, projections=20_000) == pytest.approx(expected, rel=0.02)
    assert metrics.sliced_wasserstein(a, a + shift) == pytest.approx(expected, rel=0.15)
    assert metrics.sliced_wasserstein(a, a) == 0
    far, near = metrics.sliced_wasserstein(a, a + shift, seed=1), metrics.sliced_wasserstein(a, a + shift, seed=2)
    assert far != near and far == metrics.sliced_wasserstein(a + shift, a, seed=1)
    images = torch.randn(20, 1, 4, 4, generator=rng())
    flat = images.flatten(1)
    assert metrics.sliced_wasserstein(images, -images) == metrics.sliced_wasserstein(flat, -flat)


def test_pyramid_wasserstein_tells_texture_from_composition() -> None:
    pairs = data.load_pairs("scenes", split="test")
    days, nights = (images[:200].float() / 127.5 - 1 for images in (pairs.inputs, pairs.targets))
    a, b, noise = days[:100], days[100:], torch.randn(100, 3, 32, 32, generator=rng())
    floor, noisy, night = (metrics.pyramid_wasserstein(a, x, patches=16) for x in (b, b + 0.2 * noise, nights[100:]))
    assert list(floor) == [32, 16]
    assert noisy[32] > 1.8 * floor[32] and noisy[16] < 1.3 * floor[16]  # texture
    assert night[16] > 5 * floor[16]
    assert floor == metrics.pyramid_wasserstein(pairs.inputs[:100], pairs.inputs[100:200], patches=16)
    assert floor != metrics.pyramid_wasserstein(a, b, patches=16, seed=1)
    levels = metrics._laplacian(a[:2])
    back = levels[-1]
    for detail in reversed(levels[:-1]):
        back = detail + torch.nn.functional.interpolate(back, detail.shape[-2:], mode="bilinear", align_corners=False)
    assert torch.allclose(back, a[:2], atol=1e-5)  # the pyramid loses nothing


def test_sliced_wasserstein_refuses() -> None:
    a, small, large = torch.randn(10, 3), torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 16, 16)
    with pytest.raises(ValueError, match=r"b must have shape \(M, 3\) like a, got \(10, 2\)"):
        metrics.sliced_wasserstein(a, a[:, :2])
    with pytest.raises(ValueError, match="order must be 1 or 2, got 3"):
        metrics.sliced_wasserstein(a, a, order=3)
    with pytest.raises(ValueError, match=r"images_a must have shape \(N, C, H, H\) with H ≥ 16 .*, got \(2, 1, 8, 8\)"):
        metrics.pyramid_wasserstein(small, small)
    with pytest.raises(
        ValueError, match=r"images_b must have shape \(M, 1, 16, 16\) like images_a, got \(2, 3, 16, 16"
    ):
        metrics.pyramid_wasserstein(large, large.expand(-1, 3, -1, -1))


# What a classifier learns from samples.


def test_classification_accuracy_score() -> None:
    digits = data.load("digits8", split="train"), data.load("digits8", split="test")
    (train_x, train_y), (test_x, test_y) = ((d.floats.flatten(1), d.y) for d in digits)
    assert train_y is not None and test_y is not None
    good = metrics.classification_accuracy_score(train_x, train_y, test_x, test_y)
    linear = pytest.importorskip("sklearn.linear_model").LogisticRegression(max_iter=1000)
    scale = train_x.std(0, correction=0).clamp(min=1e-9)
    scaled = ((x - train_x.mean(0)) / scale * (scale > 1e-6) for x in (train_x, test_x))
    expected = linear.fit(next(scaled), train_y).score(next(scaled), test_y)
    assert good == pytest.approx(expected, abs=0.01) and good > 0.93
    shuffled = train_y[torch.randperm(len(train_y), generator=rng())]
    assert metrics.classification_accuracy_score(train_x, shuffled, test_x, test_y) < 0.3
    few = train_y < 5  # a generator that never makes half of the classes
    assert metrics.classification_accuracy_score(train_x[few], train_y[few], test_x, test_y) < 0.55


def test_classification_accuracy_score_refuses() -> None:
    x, y = torch.randn(10, 3), torch.arange(10)
    with pytest.raises(ValueError, match=r"real_labels must have shape \(10,\).*, got \(9,\)"):
        metrics.classification_accuracy_score(x, y, x, y[:9])
    with pytest.raises(ValueError, match="fake_labels must hold at least two classes, got only 3"):
        metrics.classification_accuracy_score(x, torch.full((10,), 3), x, y)
