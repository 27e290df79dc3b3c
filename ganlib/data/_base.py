"""Samples as one tensor, and pairs of images as two."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import _check

SPLITS = ("train", "test", "all")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as one tensor, with labels if there are any.

    Attributes:
        name: what it is called.
        x: samples, uint8 (N, C, H, W) for images, float32 (N, D) for others.
        y: labels, int64 (N,) in [0, len(classes)), or None.
        classes: the names of the classes, empty without labels.
        source: where the samples come from.
        licence: under which terms.
        split: the part this is, "train", "test" or "all".

    Raises:
        TypeError: x or y has another type.
        ValueError: x is empty, of another shape or not finite, or y does not fit it.
    """

    name: str
    x: Tensor
    y: Tensor | None = None
    classes: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    split: str = "all"

    def __post_init__(self) -> None:
        x, y = self.x, self.y
        if not isinstance(x, Tensor) or x.dtype not in (torch.uint8, torch.float32):
            got = x.dtype if isinstance(x, Tensor) else type(x)
            raise TypeError(f"x must be a tensor of uint8 images or float32 points, got {got}")
        if x.dtype == torch.uint8:
            _check.shape("x", x, "(N, C, H, W) for uint8 images", x.dim() == 4)
        else:
            _check.shape("x", x, "(N, D) for float32 points", x.dim() == 2)
        if x.numel() == 0:
            raise ValueError(f"{self.name} holds no samples" + ("" if self.split == "all" else f" for {self.split}"))
        if x.is_floating_point():
            _check.all_finite("x", x)
        if y is None:
            return
        _check.shape("y", y, f"({len(x)},)", isinstance(y, Tensor) and y.shape == (len(x),))
        if y.dtype != torch.int64:
            raise TypeError(f"y must be whole numbers (torch.int64), got {y.dtype}")
        if not self.classes:
            raise ValueError("classes must name the classes that y counts, got none")
        if y.min() < 0 or y.max() >= len(self.classes):
            raise ValueError(
                f"y must lie between 0 and {len(self.classes) - 1}, one for each of the {len(self.classes)} classes, "
                f"got {int(y.min())} … {int(y.max())}"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        labels = f", {len(self.classes)} classes" if self.y is not None else ""
        return f"<Dataset {self.name} ({self.split}): {tuple(self.x.shape)} {self.x.dtype}{labels}>"

    @property
    def is_image(self) -> bool:
        """Whether the samples are images."""
        return self.x.dim() == 4

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W).

        Raises:
            ValueError: these are not images.
        """
        if not self.is_image:
            raise ValueError(f"{self.name} holds points of shape {tuple(self.x.shape[1:])}, not images")
        c, h, w = self.x.shape[1:]
        return c, h, w

    @property
    def floats(self) -> Tensor:
        """All samples as float32: images scaled to [-1, 1], points as they are."""
        return _floats(self.x)

    def to(self, device: torch.device | str) -> Dataset:
        """The same set with its tensors on `device`."""
        return replace(self, x=self.x.to(device), y=None if self.y is None else self.y.to(device))

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Draw a batch uniformly, with replacement.

        Args:
            n: how many, at most as many as there are.
            generator: a CPU generator.

        Returns:
            Samples as float32 (N, …) like `floats`, and labels (N,) or None.

        Raises:
            TypeError, ValueError: n is not a whole number or larger than the set, or there is no generator.
        """
        index = _index(self.name, len(self), n, generator).to(self.x.device)
        return _floats(self.x[index]), None if self.y is None else self.y[index]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images to translate and images of what they should become, for `games.pix2pix` and its like.

    First built in chapter 14.

    Attributes:
        name: what they are called.
        inputs: uint8 (N, C, H, W), what is translated.
        targets: uint8 (N, C', H', W').
        paired: whether target i is the translation of input i; else the two are drawn independently.
        source: where they come from.
        licence: under which terms.
        split: the part this is, "train", "test" or "all".

    Raises:
        TypeError: inputs or targets of another type.
        ValueError: inputs or targets of another shape, none, or not as many of the one as of the other.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    paired: bool
    source: str = ""
    licence: str = ""
    split: str = "all"

    def __post_init__(self) -> None:
        for what, images in (("inputs", self.inputs), ("targets", self.targets)):
            ok = isinstance(images, Tensor) and images.dim() == 4 and images.numel() > 0
            _check.shape(what, images, "(N, C, H, W) with N ≥ 1", ok)
            if images.dtype != torch.uint8:
                raise TypeError(f"{what} must be uint8 images, got {images.dtype}")
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"inputs and targets must be equally many, got {len(self.inputs)} and {len(self.targets)}")

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        shapes = f"{tuple(self.inputs.shape)} -> {tuple(self.targets.shape)}"
        return f"<Pairs {self.name} ({self.split}): {shapes} {'paired' if self.paired else 'unpaired'}>"

    def to(self, device: torch.device | str) -> Pairs:
        """The same pairs with their tensors on `device`."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))

    def draw_pair(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a batch uniformly, with replacement.

        Args:
            n: how many, at most as many as there are.
            rng: a CPU generator.

        Returns:
            Targets and inputs, each float32 in [-1, 1]: of the same pairs if these are paired, else of indices drawn
            independently of each other.

        Raises:
            TypeError, ValueError: n is not a whole number or larger than the set, or there is no generator.
        """
        index = _index(self.name, len(self), n, rng)
        other = index if self.paired else _index(self.name, len(self), n, rng)
        device = self.inputs.device
        return _floats(self.targets[index.to(device)]), _floats(self.inputs[other.to(device)])


def shrunk(dataset: Dataset, factor: int) -> Pairs:
    """Pairs for super-resolution: images as targets, and as inputs the same images, smaller. First built in chapter 16.

    Each pixel of an input is the mean of `factor` × `factor` pixels, rounded.

    Args:
        dataset: images (N, C, H, W), such as `load("photos")`.
        factor: how many times smaller, a divisor of H and W.

    Raises:
        TypeError: no data set, or a factor that is not a number.
        ValueError: these are not images, or their sides are no multiple of `factor`.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a data.Dataset, got {type(dataset).__name__}")
    _, height, width = dataset.image_shape
    if height % _check.positive_int("factor", factor, minimum=2) or width % factor:
        raise ValueError(f"factor must divide the sides of the images, {height} and {width}, got {factor}")
    small = F.avg_pool2d(dataset.x.float(), factor).round_().to(torch.uint8)
    name = f"{dataset.name} shrunk {factor} times"
    return Pairs(name, small, dataset.x, True, dataset.source, dataset.licence, dataset.split)


def _index(name: str, size: int, n: int, generator: torch.Generator) -> Tensor:
    """n indices below size, drawn uniformly."""
    if _check.positive_int("n", n) > size:
        raise ValueError(f"batch must be at most the {size} samples of {name}, got {n}")
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, such as compute.generator(0), got {generator!r}")
    return torch.randint(size, (n,), generator=generator)


def _floats(x: Tensor) -> Tensor:
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


Arrays = tuple[Tensor, Tensor | None, tuple[str, ...]]
"""Samples, labels, and the names of the classes."""


def part(name: str, arrays: Arrays, split: str, size: int | None) -> Arrays:
    """The asked-for part of a set that has no official split, its images resized."""
    x, y, classes = arrays
    train, test = fixed_split(np.zeros(len(x), int) if y is None else y.numpy())
    index = torch.from_numpy({"train": train, "test": test, "all": np.concatenate([train, test])}[split])
    x = x[index]
    if size is not None:
        x = resize(name, x, size)
    return x, None if y is None else y[index], classes


def fixed_split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of train and test, one fifth of each class for the test, each in a random order that is always
    the same."""
    rng = np.random.RandomState(0)  # the one stream that numpy promises never to change (NEP 19)
    train, test = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for label in np.unique(y):
        index = rng.permutation(np.flatnonzero(y == label))
        train.append(index[len(index) // 5 :])
        test.append(index[: len(index) // 5])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))


def resize(name: str, x: Tensor, size: int) -> Tensor:
    """uint8 images (N, C, H, W) -> (N, C, size, size): the square in the middle, smoothed before it shrinks."""
    if x.dtype != torch.uint8:
        raise ValueError(f"size={size} is for images, and {name} holds points")
    h, w = x.shape[2:]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    square = x[:, :, top : top + side, left : left + side]
    if side == size:
        return square
    resized = F.interpolate(square.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def clustered(dataset: Dataset, clusters: int, seed: int = 0) -> Dataset:
    """The same samples, labelled by k-means clusters of themselves (scikit-learn's `KMeans`, one start).

    First built in chapter 9.

    Images are compared at a side of at most 14 pixels; centres come from at most 10 000 samples.

    Args:
        dataset: images or points; labels it has are replaced.
        clusters: how many, at most as many as there are samples.
        seed: of the starting centres.

    Raises:
        TypeError, ValueError: no data set, or clusters that are not such a number.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a data.Dataset, got {type(dataset).__name__}")
    if _check.positive_int("clusters", clusters) > len(dataset):
        raise ValueError(f"clusters must be at most the {len(dataset)} samples of {dataset.name}, got {clusters}")
    x = dataset.floats.cpu()
    if dataset.is_image:
        height, width = x.shape[2:]
        x = F.adaptive_avg_pool2d(x, (min(14, height), min(14, width)))
    points = x.flatten(1).numpy()
    some = np.random.RandomState(seed).permutation(len(points))[: max(10_000, clusters)]
    with threadpool_limits(1):  # the order of additions, and so the clusters, is the same on every number of threads
        found = KMeans(clusters, n_init=1, random_state=seed).fit(points[some]).predict(points)
    y = torch.from_numpy(found.astype(np.int64)).to(dataset.x.device)
    return replace(dataset, y=y, classes=tuple(f"cluster {k}" for k in range(clusters)))
