"""How good are samples? The Fréchet distance |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of Heusel et al. (2017,
https://arxiv.org/abs/1706.08500), the kernel distance (KID), the Inception score, precision and recall, density and
coverage, sliced Wasserstein distances, whether a requested label came out and what a classifier learns from samples,
nearest neighbours in the training set, and for mixtures with known modes the counts of Metz et al. (2017,
https://arxiv.org/abs/1611.02163) and VEEGAN (2017, https://arxiv.org/abs/1705.07761).

Pure functions of tensors, in float64. Whoever says "features" takes those of any network, as `features.encode` makes
them: `features.digit_features` for digits, those of `features.train` for labelled images, Inception's for photographs;
or the samples themselves where these are points.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _check, features, toys

_CHUNK = 1000


COVARIANCES = ("full", "diagonal", "none")


def frechet_distance(features_a: Tensor, features_b: Tensor, covariance: str = "full") -> float:
    """The Fréchet distance between the Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6).

    First built in chapter 10.

    With finite samples the value is biased upwards, the more so the fewer there are: compare only values from equal
    counts, and look at real against real to see how low it can get. Where samples are fewer than features, a full
    covariance is singular, and the two shorter forms serve.

    Args:
        features_a: (N, F).
        features_b: (M, F).
        covariance: what of the covariances is compared: "full"; "diagonal", only the variances,
            Σ_i (μ_a − μ_b)_i² + (σ_a − σ_b)_i²; or "none", only the means, |μ_a − μ_b|².

    Returns:
        A squared distance, in the features' units squared; 0 for equal means and covariances.

    Raises:
        ValueError: other shapes, values that are not finite, an unknown covariance, or too few samples for it: more
            than F for "full", 2 for "diagonal", 1 for "none".
    """
    _check.one_of("covariance", covariance, COVARIANCES)
    _same_features(features_a=features_a, features_b=features_b)
    for name, values in (("features_a", features_a), ("features_b", features_b)):
        n, dim = values.shape
        if covariance == "full" and n <= dim:
            raise ValueError(f"{name} must hold more samples than features: got {n} samples of {dim} features")
        if covariance == "diagonal" and n < 2:
            raise ValueError(f"{name} must hold at least 2 samples, got {n}")
    if covariance == "full":
        return frechet_gaussians(*_statistics(features_a), *_statistics(features_b))
    a, b = features_a.detach().cpu().double(), features_b.detach().cpu().double()
    distance = (a.mean(0) - b.mean(0)).square().sum()
    if covariance == "diagonal":
        distance = distance + (a.std(0) - b.std(0)).square().sum()
    return distance.item()


def frechet_gaussians(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """The same between two Gaussians: their squared Wasserstein-2 distance (Dowson and Landau 1982,
    https://doi.org/10.1016/0047-259X(82)90077-X). First built in chapter 10.

    Args:
        mean_a, mean_b: (F,).
        covariance_a, covariance_b: (F, F), symmetric and positive semi-definite.

    Returns:
        |μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), never below 0.

    Raises:
        ValueError: shapes that do not fit.
    """
    dim = mean_a.shape[-1] if mean_a.ndim else 0
    for name, values, ndim in (("mean_a", mean_a, 1), ("covariance_a", covariance_a, 2),
                               ("mean_b", mean_b, 1), ("covariance_b", covariance_b, 2)):  # fmt: skip
        _check.shape(name, values, "(F,)" if ndim == 1 else "(F, F)", values.shape == (dim,) * ndim)
    mean_a, mean_b = mean_a.cpu().double(), mean_b.cpu().double()
    covariance_a, covariance_b = covariance_a.cpu().double(), covariance_b.cpu().double()
    # Σ_a Σ_b has the eigenvalues of the symmetric Σ_a^½ Σ_b Σ_a^½, whose square roots are real and safe to take.
    values, vectors = torch.linalg.eigh(covariance_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * cross
    return max(0.0, distance.item())


def frechet_digits(images: Tensor, split: str = "train") -> float:
    """The Fréchet distance of digits from real ones, in the 64 features of `features.digit_classifier`.

    First built in chapter 10.

    The reference is the mean and covariance of the features of all 4000 training digits of `data.load("digits")`
    (`split="train"`), or of the 1000 test digits (`split="test"`); it is computed once and kept.

    The scale: each feature has variance 1 over the training digits, so one digit drawn for ever stands above 64.
    The 1000 test digits stand at 0.14, or at 4.3 without their ones, 2.9 blurred by 3 × 3 pixels, 41 under noise
    of standard deviation 0.5; five draws of 1000 training digits stood at 0.26 to 0.44 from the test digits.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8; more than 64, and the same number in every comparison.
        split: which real digits to compare with.

    Returns:
        The distance.

    Raises:
        ValueError: images of another shape, too few of them, or an unknown split.
    """
    _check.one_of("split", split, ("train", "test"))
    values = features.digit_features(images)
    if len(values) <= features.FEATURES:
        raise ValueError(f"images must be more than the {features.FEATURES} features, got {len(values)}")
    return frechet_gaussians(*_statistics(values), *_reference(split))


class KernelDistance(NamedTuple):
    """What `kid` found.

    Attributes:
        distance: the squared maximum mean discrepancy, the mean over blocks; around 0, also below, for equal
            distributions.
        error: its standard error, from the spread over blocks; NaN with a single block.
    """

    distance: float
    error: float


def kid(features_a: Tensor, features_b: Tensor, block: int = 500) -> KernelDistance:
    """The kernel (Inception) distance: the unbiased squared maximum mean discrepancy under the cubic kernel
    k(x, y) = (x·y / F + 1)³ (Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401, section 4; Gretton et al. 2012,
    https://jmlr.org/papers/v13/gretton12a.html, equation 3). First built in chapter 10.

    mean k(a, a') + mean k(b, b') − 2 mean k(a, b), the first two over pairs of different samples. Unlike the Fréchet
    distance it is not biased by the number of samples, so that values from different counts can be compared.

    Args:
        features_a: (N, F).
        features_b: (M, F).
        block: samples are dealt into blocks of at most this many of each; the value is the mean over blocks, and
            their spread gives the error.

    Returns:
        A `KernelDistance`.

    Raises:
        ValueError: other shapes, values that are not finite, or so few samples that a block would hold only one.
    """
    _same_features(features_a=features_a, features_b=features_b)
    most, fewest = max(len(features_a), len(features_b)), min(len(features_a), len(features_b))
    blocks = -(-most // _check.positive_int("block", block, minimum=2))
    if fewest < 2 * blocks:
        raise ValueError(
            f"{blocks} blocks of up to {block} samples need at least {2 * blocks} samples of each kind, got {fewest}; "
            f"give more samples or a larger block"
        )
    a, b = features_a.detach().cpu().double(), features_b.detach().cpu().double()
    values = torch.stack([_mmd2(a[i::blocks], b[i::blocks]) for i in range(blocks)])
    return KernelDistance(values.mean().item(), (values.var() / blocks).sqrt().item() if blocks > 1 else float("nan"))


def _mmd2(a: Tensor, b: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy: a sample is never compared with itself."""
    within = [(kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1)) for x in (a, b) for kernel in [_cubic(x, x)]]
    return within[0] + within[1] - 2 * _cubic(a, b).mean()


def _cubic(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


class InceptionScore(NamedTuple):
    """What `inception_score` found.

    Attributes:
        score: the mean over splits, from 1 to the number of classes.
        spread: standard deviation over splits.
    """

    score: float
    spread: float


def inception_score(logits: Tensor, splits: int = 10) -> InceptionScore:
    """exp E_x KL(p(y|x) ‖ p(y)): high when each sample is surely of some class, and all classes come out
    (Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4). First built in chapter 10.

    It never sees real samples, and knows nothing of what happens within a class. Named after the classifier of the
    paper; any will do, and scores by different classifiers cannot be compared. With `features.digit_logits` the 1000
    real test digits stand at 8.0 (in one split), and the threes among them at 1.06.

    Args:
        logits: (N, classes) of a classifier on the samples, such as `features.digit_logits(images)`.
        splits: the samples are dealt into so many parts, which are scored apart. Few samples a part bias the score
            downwards.

    Returns:
        An `InceptionScore`.

    Raises:
        ValueError: another shape, values that are not finite, or fewer samples than splits.
    """
    ok = isinstance(logits, Tensor) and logits.ndim == 2 and logits.shape[1] >= 2 and len(logits) > 0
    _check.shape("logits", logits, "(N, classes) with at least 2 classes", ok)
    _check.all_finite("logits", logits)
    if _check.positive_int("splits", splits) > len(logits):
        raise ValueError(f"splits must be at most the {len(logits)} samples, got {splits}")
    log_p = logits.detach().cpu().double().log_softmax(1)
    scores = torch.stack([_score(log_p[i::splits]) for i in range(splits)])
    return InceptionScore(scores.mean().item(), scores.std(correction=0).item())


def _score(log_p: Tensor) -> Tensor:
    p = log_p.exp()
    marginal = p.mean(0)
    return (torch.special.entr(marginal).sum() - torch.special.entr(p).sum(1).mean()).exp()


class PrecisionRecall(NamedTuple):
    """What `precision_recall` found.

    Attributes:
        precision: share of the generated samples that lie among the real ones.
        recall: share of the real samples that lie among the generated ones.
    """

    precision: float
    recall: float


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """How realistic, and how varied: precision and recall (Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991,
    equations 1 and 2). First built in chapter 10.

    A set covers the balls around its members that reach to their k-th nearest neighbour in the set. Precision is the
    share of generated samples in the balls of the real ones, recall the other way round.

    Args:
        real: (N, F), features of real samples.
        fake: (M, F), features of generated ones; as many as of real ones, to be comparable.
        k: which neighbour a ball reaches to.

    Returns:
        A `PrecisionRecall`.

    Raises:
        ValueError: other shapes, values that are not finite, or k not below N and M.
    """
    _neighbourly(real, fake, k, both=True)
    real, fake = real.detach().cpu().double(), fake.detach().cpu().double()
    return PrecisionRecall(_within(real, _radii(real, k), fake), _within(fake, _radii(fake, k), real))


class DensityCoverage(NamedTuple):
    """What `density_coverage` found.

    Attributes:
        density: real balls that a generated sample lies in, on average, over k; 1 expected for equal distributions,
            not bounded by 1.
        coverage: share of real samples whose ball holds a generated one, at most 1; `expected_coverage` for equal
            distributions.
    """

    density: float
    coverage: float


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> DensityCoverage:
    """Precision and recall made robust against outliers (Naeem et al. 2020, https://arxiv.org/abs/2002.09797,
    equations 3 and 4): only balls around real samples count, and how many a sample lies in. First built in chapter 10.

    Args:
        real: (N, F), features of real samples.
        fake: (M, F), features of generated ones.
        k: which nearest real neighbour a ball around a real sample reaches to.

    Returns:
        A `DensityCoverage`.

    Raises:
        ValueError: other shapes, values that are not finite, or k not below N.
    """
    _neighbourly(real, fake, k, both=False)
    real, fake = real.detach().cpu().double(), fake.detach().cpu().double()
    radii, inside, covered = _radii(real, k), 0, torch.zeros(len(real), dtype=torch.bool)
    for chunk in fake.split(_CHUNK):
        hit = torch.cdist(chunk, real) <= radii
        inside += int(hit.sum())
        covered |= hit.any(0)
    return DensityCoverage(inside / (k * len(fake)), covered.double().mean().item())


def expected_coverage(reals: int, fakes: int, k: int = 5) -> float:
    """The coverage that a generator of exactly the real distribution can expect: 1 − Π_{i=1…k} (N − i)/(N + M − i)
    for N real and M generated samples (Naeem et al. 2020, Lemma 2), whatever the distribution.
    First built in chapter 10.

    Raises:
        TypeError, ValueError: not whole numbers from 1, or k not below the number of reals.
    """
    n, m = _check.positive_int("reals", reals), _check.positive_int("fakes", fakes)
    if _check.positive_int("k", k) >= n:
        raise ValueError(f"k must be below the {n} real samples, got {k}")
    return 1 - prod((n - i) / (n + m - i) for i in range(1, k + 1))


def _neighbourly(real: Tensor, fake: Tensor, k: int, both: bool) -> None:
    _same_features(real=real, fake=fake)
    _check.positive_int("k", k)
    for name, values in (("real", real), ("fake", fake))[: 2 if both else 1]:
        if k >= len(values):
            raise ValueError(f"k must be below the {len(values)} samples of {name}, got {k}")


def _radii(points: Tensor, k: int) -> Tensor:
    """The distance of each point to its k-th nearest neighbour among the others."""
    chunks = [torch.cdist(chunk, points).kthvalue(k + 1, dim=1).values for chunk in points.split(_CHUNK)]  # 1: itself
    return torch.cat(chunks)


def _within(centres: Tensor, radii: Tensor, points: Tensor) -> float:
    """Share of the points that lie in at least one ball."""
    inside = [(torch.cdist(chunk, centres) <= radii).any(1) for chunk in points.split(_CHUNK)]
    return torch.cat(inside).double().mean().item()


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int = 256, order: int = 2, seed: int = 0) -> float:
    """The sliced Wasserstein distance: (E_θ W_p(θ·a, θ·b)^p)^(1/p) over directions θ, uniform on the sphere (Rabin et
    al. 2011, https://doi.org/10.1007/978-3-642-24785-9_37; Bonneel et al. 2015,
    https://doi.org/10.1007/s10851-014-0506-3).

    Along a line the best transport keeps the order, so that sorting solves it. Two clouds of one shape that lie δ apart
    in D dimensions are |δ|/√D apart at order 2.

    Args:
        a: (N, …), points, features or images, which are floats in [-1, 1] or uint8; entries are taken as one vector.
        b: (M, …).
        projections: how many directions stand for all of them.
        order: p, 1 or 2.
        seed: of the directions: the same for the same seed.

    Returns:
        A distance in the units of the samples.

    Raises:
        ValueError: shapes that differ, none, values that are not finite, or another order.
    """
    for name, values in (("a", a), ("b", b)):
        _check.shape(
            name, values, "(N, …) with N ≥ 1", isinstance(values, Tensor) and values.ndim >= 2 and len(values) > 0
        )
        _check.all_finite(name, values)
    _check.shape("b", b, f"(M, {', '.join(map(str, a.shape[1:]))}) like a", a.shape[1:] == b.shape[1:])
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    a, b = (_floats(values, torch.float64).flatten(1) for values in (a, b))
    rng = torch.Generator().manual_seed(_check.positive_int("seed", seed, minimum=0))
    directions = torch.randn(a.shape[1], _check.positive_int("projections", projections), generator=rng).double()
    directions = directions / directions.norm(dim=0)
    # Both quantile functions are steps: constant between neighbouring multiples of 1/N and 1/M.
    ends = torch.cat([torch.arange(1, len(x) + 1, dtype=torch.float64) / len(x) for x in (a, b)]).unique()
    widths = ends.diff(prepend=torch.zeros(1, dtype=torch.float64))
    middles = ends - widths / 2
    total = torch.zeros((), dtype=torch.float64)
    for some in directions.T.split(64):
        at = [(some @ x.T).sort(dim=1).values[:, (middles * len(x)).long()] for x in (a, b)]
        total += ((at[0] - at[1]).abs() ** order @ widths).sum()
    return (total / projections).item() ** (1 / order)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """The energy distance 2 E|a − b| − E|a − a'| − E|b − b'|, the last two over pairs of different samples.

    First used in chapter 25.

    0 for equal distributions and only for them, where the means exist; its square root is a metric between
    distributions. No kernel has a width to choose. Unbiased, so that samples of one distribution also give values
    just below 0.

    Source: Székely and Rizzo 2013, https://doi.org/10.1016/j.jspi.2013.03.018.

    Args:
        a: (N, …), points, features or images, which are floats in [-1, 1] or uint8; entries are taken as one vector.
        b: (M, …).

    Returns:
        A distance in the units of the samples.

    Raises:
        ValueError: shapes that differ, fewer than two samples of either, or values that are not finite.
    """
    for name, values in (("a", a), ("b", b)):
        ok = isinstance(values, Tensor) and values.ndim >= 2 and len(values) > 1
        _check.shape(name, values, "(N, …) with N ≥ 2", ok)
        _check.all_finite(name, values)
    _check.shape("b", b, f"(M, {', '.join(map(str, a.shape[1:]))}) like a", a.shape[1:] == b.shape[1:])
    a, b = (_floats(values, torch.float64).flatten(1) for values in (a, b))

    def total(x: Tensor, y: Tensor) -> float:
        return sum(torch.cdist(some, y).sum().item() for some in x.split(_CHUNK))

    within = sum(total(x, x) / (len(x) * (len(x) - 1)) for x in (a, b))
    return 2 * total(a, b) / (len(a) * len(b)) - within


def pyramid_wasserstein(images_a: Tensor, images_b: Tensor, patches: int = 128, seed: int = 0) -> dict[int, float]:
    """Sliced Wasserstein distances between patches of images, coarse and fine (Karras et al. 2018,
    https://arxiv.org/abs/1710.10196, section 5). First used in chapter 10.

    Each level of a Laplacian pyramid holds the detail that the next, half as large, lacks. From every level come
    random 7 × 7 patches, scaled so that each channel has mean 0 and variance 1, and their distance of order 1 over 512
    directions. Coarse levels tell of composition, fine ones of texture. (The paper prints it times 1000.)

    Args:
        images_a: (N, C, H, H), floats in [-1, 1] or uint8, H of at least 16.
        images_b: (M, C, H, H).
        patches: patches an image and level.
        seed: of places and directions.

    Returns:
        Side of the level in pixels -> distance, the finest first, down to a side of 16 … 31.

    Raises:
        ValueError: images of another shape, or of shapes that differ.
    """
    for name, images in (("images_a", images_a), ("images_b", images_b)):
        ok = isinstance(images, Tensor) and images.ndim == 4 and images.shape[2] == images.shape[3] >= 16
        _check.shape(name, images, "(N, C, H, H) with H ≥ 16 and N ≥ 1", ok and len(images) > 0)
    wanted = ", ".join(map(str, images_a.shape[1:]))
    _check.shape("images_b", images_b, f"(M, {wanted}) like images_a", images_a.shape[1:] == images_b.shape[1:])
    _check.positive_int("patches", patches)
    rng = torch.Generator().manual_seed(_check.positive_int("seed", seed, minimum=0))
    levels = zip(_laplacian(_floats(images_a)), _laplacian(_floats(images_b)), strict=True)
    return {
        a.shape[-1]: sliced_wasserstein(_patches(a, patches, rng), _patches(b, patches, rng), 512, order=1, seed=seed)
        for a, b in levels
    }


def _laplacian(images: Tensor) -> list[Tensor]:
    """Detail by detail, each half as large as the one before; the last is what remains."""
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (row[:, None] * row).expand(images.shape[1], 1, 5, 5)
    levels = []
    while images.shape[-1] >= 32:
        blurred = F.conv2d(F.pad(images, (2, 2, 2, 2), "reflect"), kernel, groups=images.shape[1])
        small = blurred[:, :, ::2, ::2]
        levels.append(images - F.interpolate(small, images.shape[-2:], mode="bilinear", align_corners=False))
        images = small
    return [*levels, images]


def _patches(images: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """(N · count, C, 7, 7), each channel of mean 0 and variance 1 over all of them."""
    rows, columns = torch.randint(images.shape[-1] - 6, (2, len(images), count), generator=rng)
    windows = images.unfold(2, 7, 1).unfold(3, 7, 1)
    found = windows[torch.arange(len(images))[:, None], :, rows, columns].flatten(0, 1)
    return (found - found.mean((0, 2, 3), keepdim=True)) / found.std((0, 2, 3), keepdim=True).clamp(min=1e-8)


def classification_accuracy_score(fake: Tensor, fake_labels: Tensor, real: Tensor, real_labels: Tensor) -> float:
    """Train a classifier on generated samples, test it on real ones (Ravuri and Vinyals 2019,
    https://arxiv.org/abs/1905.10887): is what a conditional generator makes good enough to learn from?

    The classifier is scikit-learn's logistic regression on standardised features. The same function with real training
    samples in place of the generated ones says what to hope for.

    Args:
        fake: (N, F), features of generated samples.
        fake_labels: (N,), the class asked of each.
        real: (M, F), features of real samples that the generator was not trained on.
        real_labels: (M,).

    Returns:
        The share of real samples that are classified rightly, from 0 to 1.

    Raises:
        ValueError: other shapes, values that are not finite, or generated samples of fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _same_features(fake=fake, real=real)
    for name, labels, n in (("fake_labels", fake_labels, len(fake)), ("real_labels", real_labels, len(real))):
        _check.shape(name, labels, f"({n},), one for each sample", isinstance(labels, Tensor) and labels.shape == (n,))
    if len(fake_labels.unique()) < 2:
        raise ValueError(f"fake_labels must hold at least two classes, got only {fake_labels[0].item()}")
    arrays = [values.detach().cpu().numpy() for values in (fake, fake_labels, real, real_labels)]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(arrays[0], arrays[1])
    return float(classifier.score(arrays[2], arrays[3]))


def class_accuracy(images: Tensor, labels: Tensor) -> float:
    """The share of digits that our classifier takes for what they should be. First built in chapter 12.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8.
        labels: (N,) integers from 0 to 9: what was asked for.

    Returns:
        A share from 0 to 1. Of the real test digits the classifier gets 98.8 % right.

    Raises:
        ValueError: other shapes, or labels out of range.
    """
    logits = features.digit_logits(images)
    labels = torch.as_tensor(labels).cpu()
    _check.shape("labels", labels, f"({len(logits)},), one for each image", labels.shape == (len(logits),))
    if labels.is_floating_point() or not ((labels >= 0) & (labels <= 9)).all():
        got = f"{labels.dtype} from {labels.min()} to {labels.max()}"
        raise ValueError(f"labels must be integers from 0 to 9, got {got}")
    return (logits.argmax(1) == labels).double().mean().item()


class ModeReport(NamedTuple):
    """What `modes` found.

    Attributes:
        modes: modes with more than `minimum` high-quality samples.
        total: modes there are.
        quality: share of samples that are of high quality, from 0 to 1.
        reverse_kl: KL(p̂ ‖ w) in nats of how the high-quality samples are spread over the modes, p̂, against the
            mixture's weights w: 0 when all modes get their share, log(total) when equal modes shrink to one,
            infinite without any high-quality sample.
    """

    modes: int
    total: int
    quality: float
    reverse_kl: float


def modes(samples: Tensor, mixture: toys.Mixture, minimum: int = 20) -> ModeReport:
    """Count the modes of a mixture that samples reach. First built in chapter 7.

    A sample belongs to its nearest centre and is of high quality within three standard deviations of it (VEEGAN). In
    two dimensions 98.9 % of real samples are.

    Args:
        samples: (N, dim), in the mixture's own units.
        mixture: a mixture of Gaussians, such as `toys.get("ring")`.
        minimum: a mode counts with more high-quality samples than this.

    Returns:
        A `ModeReport`.

    Raises:
        ValueError: samples of another shape, none, or not finite.
    """
    _check.positive_int("minimum", minimum, minimum=0)
    if not isinstance(mixture, toys.Mixture):
        raise TypeError(f"mixture must be a toys.Mixture, whose modes are known, got {type(mixture).__name__}")
    ok = isinstance(samples, Tensor) and samples.ndim == 2 and samples.shape[1] == mixture.dim and len(samples) > 0
    _check.shape("samples", samples, f"(N, {mixture.dim}) with N ≥ 1", ok)
    _no_bytes("samples", samples)
    samples = samples.detach().cpu().double()
    _check.all_finite("samples", samples)
    total = len(mixture.weights)
    distances = [torch.cdist(chunk, mixture.centres).min(1) for chunk in samples.split(_CHUNK)]
    distance, nearest_mode = (torch.cat(parts) for parts in zip(*distances, strict=True))
    good = nearest_mode[distance <= 3 * mixture.stds[nearest_mode]]
    counts = torch.bincount(good, minlength=total)
    share = counts.double() / max(len(good), 1)
    kl = (torch.special.xlogy(share, share) - torch.special.xlogy(share, mixture.weights)).sum().item()
    found = int((counts > minimum).sum())
    return ModeReport(found, total, len(good) / len(samples), max(0.0, kl) if len(good) else float("inf"))


def nearest(samples: Tensor, dataset: Any, k: int = 1) -> tuple[Tensor, Tensor]:
    """The nearest neighbours of samples in a data set: are they copies? First built in chapter 9.

    Args:
        samples: (N, …): images, floats in [-1, 1] or uint8, or points.
        dataset: a `data.Dataset` or a tensor (M, …) of the same kind.
        k: neighbours a sample.

    Returns:
        distances (N, k) float32, rising along each row: Euclidean over the pixels, of values in [-1, 1] for images;
        indices (N, k) int64 into the data set.

    Raises:
        ValueError: shapes that differ, or k above M.
    """
    reals = dataset.floats if hasattr(dataset, "floats") else dataset
    if not hasattr(reals, "__len__"):
        raise TypeError(f"dataset must be a data.Dataset or a tensor, got {type(dataset).__name__}")
    reals = _floats(reals)
    samples = _floats(samples)
    wanted = ", ".join(["N", *map(str, reals.shape[1:])])
    _check.shape("samples", samples, f"({wanted})", samples.shape[1:] == reals.shape[1:] and len(samples) > 0)
    if _check.positive_int("k", k) > len(reals):
        raise ValueError(f"k must be at most the {len(reals)} members of the data set, got {k}")
    found = [_closest(chunk, reals.flatten(1), k) for chunk in samples.flatten(1).split(_CHUNK)]
    return torch.cat([distance for distance, _ in found]), torch.cat([index for _, index in found])


def _closest(samples: Tensor, reals: Tensor, k: int) -> tuple[Tensor, Tensor]:
    _, index = torch.cdist(samples, reals).topk(k, largest=False)
    # Matrix products find the neighbours; their distances are taken again, so that a copy is at exactly 0.
    distance = (samples[:, None] - reals[index]).square().sum(-1).sqrt()
    distance, order = distance.sort(dim=1, stable=True)
    return distance, index.gather(1, order)


def _floats(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    images = torch.as_tensor(images).detach().cpu()
    return images.to(dtype) / 127.5 - 1 if images.dtype == torch.uint8 else images.to(dtype)


def _no_bytes(name: str, values: Tensor) -> None:
    if values.dtype == torch.uint8:
        raise TypeError(f"{name} must be floats, got torch.uint8: scale pictures as {name} / 127.5 - 1")


def _same_features(**sets: Tensor) -> None:
    """Refuse what are not two sets (N, F) of finite features of one kind."""
    for name, values in sets.items():
        _check.shape(name, values, "(N, F)", isinstance(values, Tensor) and values.ndim == 2 and values.numel() > 0)
        _no_bytes(name, values)
        _check.all_finite(name, values)
    (first, a), (second, b) = sets.items()
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{second} must have the {a.shape[1]} features of {first}, got {b.shape[1]}")


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    values = values.detach().cpu().double()
    return values.mean(0), values.T.cov().reshape(values.shape[1], -1)


@cache
def _reference(split: str) -> tuple[Tensor, Tensor]:
    from . import data

    return _statistics(features.digit_features(data.load("digits", split=split).x))
