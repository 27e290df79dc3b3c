"""Samples as one tensor, pairs of images as two, and tables with holes."""

from __future__ import annotations

import hashlib
import math
import mmap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast
from weakref import WeakValueDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import _check, nets

SPLITS = ("train", "test", "all")
CHUNK = 1024
"""Samples of a large set that are worked on at a time."""
_FILES: WeakValueDictionary[int, mmap.mmap] = WeakValueDictionary()
"""The mapped file of tensors whose numbers lie in one, by where their storage begins."""


def mapped(array: np.ndarray) -> Tensor:
    """A tensor of a memory-mapped array; `taken` and `chunks` leave none of it in memory that was only read."""
    x, file = torch.from_numpy(array), cast(object, array.base)
    if isinstance(file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        _FILES[x.untyped_storage().data_ptr()] = file
    return x


def taken(x: Tensor, index: Tensor) -> Tensor:
    """x[index], a copy."""
    picked = x[index]
    _release(x)
    return picked


def chunks(x: Tensor) -> Iterator[Tensor]:
    """x in order, `CHUNK` samples at a time; whoever keeps a chunk keeps a copy of it."""
    for some in x.split(CHUNK):
        yield some
        _release(x)


def _release(x: Tensor) -> None:
    """Give back the memory of a mapped file that was read: the file has it. Not once torch has changed x in place: the
    change is in memory alone. (Of a change through `x.numpy()` nobody hears: change a clone.)"""
    file = _FILES.get(x.untyped_storage().data_ptr())
    if file is not None and x._version == 0:
        file.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples as one tensor, with labels if there are any.

    Attributes:
        name: what it is called.
        x: samples, uint8 (N, C, H, W) or float32 (N, C, H, W) in [-1, 1] for images, float32 (N, D) for others.
        y: labels, int64 (N,) in [0, len(classes)), or None.
        classes: the names of the classes, empty without labels.
        source: where the samples come from.
        licence: under which terms.
        split: the part this is, "train", "test" or "all".
        notes: what was read and what was done to it, a sentence each; of the reader's own files, never empty.
        columns: what the columns of points are called, with their units in brackets; empty where nobody says.

    Raises:
        TypeError: x or y has another type.
        ValueError: x is empty, of another shape, not finite or no images in [-1, 1], or y does not fit it.
    """

    name: str
    x: Tensor
    y: Tensor | None = None
    classes: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    split: str = "all"
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x, y = self.x, self.y
        if not isinstance(x, Tensor) or x.dtype not in (torch.uint8, torch.float32):
            got = x.dtype if isinstance(x, Tensor) else type(x)
            raise TypeError(f"x must be a tensor of uint8 images or float32 points, got {got}")
        if x.dtype == torch.uint8:
            _check.shape("x", x, "(N, C, H, W) for uint8 images", x.dim() == 4)
        else:
            _check.shape("x", x, "(N, D) for float32 points", x.dim() in (2, 4))
        if x.numel() == 0:
            raise ValueError(f"{self.name} holds no samples" + ("" if self.split == "all" else f" for {self.split}"))
        if x.is_floating_point():
            _check.all_finite("x", x)
            if x.dim() == 4 and (x.min() < -1 or x.max() > 1):
                raise ValueError(f"x must lie in [-1, 1] for float32 images, got {x.min():g} … {x.max():g}")
            warn_of_range("x", x)
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

    def resized(self, size: int) -> Dataset:
        """The same images as squares of this side: the largest square in the middle of each, resized.

        Raises:
            ValueError: these are not images.
        """
        return replace(self, x=resize(self.name, self.x, size))

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Draw a batch uniformly, with replacement.

        Args:
            n: how many; it may be more than there are.
            generator: a CPU generator.

        Returns:
            Samples as float32 (N, …) like `floats`, and labels (N,) or None.

        Raises:
            TypeError, ValueError: n is not a whole number of at least 1, or there is no generator.
        """
        index = draw_index(len(self), n, generator).to(self.x.device)
        return _floats(taken(self.x, index)), None if self.y is None else self.y[index]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images to translate and images of what they should become, for `games.pix2pix` and its like.

    First built in chapter 15.

    Attributes:
        name: what they are called.
        inputs: uint8 (N, C, H, W), what is translated.
        targets: uint8 (M, C', H', W'); M is N where they are paired.
        paired: whether target i is the translation of input i; else the two are drawn independently.
        source: where they come from.
        licence: under which terms.
        split: the part this is, "train", "test" or "all".
        notes: what was read and what was done to it, a sentence each.

    Raises:
        TypeError: inputs or targets of another type.
        ValueError: inputs or targets of another shape, none, or paired and not as many of the one as of the other.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    paired: bool
    source: str = ""
    licence: str = ""
    split: str = "all"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, images in (("inputs", self.inputs), ("targets", self.targets)):
            ok = isinstance(images, Tensor) and images.dim() == 4 and images.numel() > 0
            _check.shape(what, images, "(N, C, H, W) with N ≥ 1", ok)
            if images.dtype != torch.uint8:
                raise TypeError(f"{what} must be uint8 images, got {images.dtype}")
        if self.paired and len(self.inputs) != len(self.targets):
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
            n: how many; it may be more than there are.
            rng: a CPU generator.

        Returns:
            Targets and inputs, each float32 in [-1, 1]: of the same pairs if these are paired, else of indices drawn
            independently of each other.

        Raises:
            TypeError, ValueError: n is not a whole number of at least 1, or there is no generator.
        """
        index = draw_index(len(self.targets), n, rng)
        other = index if self.paired else draw_index(len(self.inputs), n, rng)
        device = self.inputs.device
        return _floats(taken(self.targets, index.to(device))), _floats(taken(self.inputs, other.to(device)))


@dataclass(frozen=True, eq=False)
class Incomplete:
    """A table with holes, for `games.gain`. First built in chapter 18.

    Networks are shown it scaled to [0, 1], by the least and the largest value known of each column: of the table that
    is learned from. Others take its scale, `learned.like(rows)`, so that nothing of theirs leaks into it; their values
    may lie beyond [0, 1].

    Attributes:
        x: the rows, (N, D) as floats, NaN where a value is missing; a tensor, an array or a pandas frame of numbers.
        low, high: (D,), what is scaled to 0 and to 1; by default what is known of x.
        name: what it is called.
        columns: what the columns are called; by default as a frame says.

    Raises:
        TypeError: no table of numbers.
        ValueError: infinite values, a column of which nothing is known, or a scale of other columns.
    """

    x: Tensor
    low: Tensor | None = None
    high: Tensor | None = None
    name: str = "a table with holes"
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x: Any = self.x
        columns = self.columns or tuple(str(column) for column in getattr(x, "columns", ()))
        try:
            x = (
                x
                if isinstance(x, Tensor)
                else np.array(x.to_numpy() if hasattr(x, "to_numpy") else x, dtype=np.float64)
            )
        except (TypeError, ValueError) as error:
            raise TypeError(f"x must be a table of numbers, NaN where one is missing: {error}") from None
        x = torch.as_tensor(x).float()
        if x.dim() != 2 or x.numel() == 0:
            raise ValueError(f"x must be a table (N, D), got shape {tuple(x.shape)}")
        if x.isinf().any():
            raise ValueError("x must be finite, or NaN where a value is missing, got infinite values")
        if columns and len(columns) != x.shape[1]:
            raise ValueError(f"columns must name the {x.shape[1]} columns of x, got {len(columns)} names")
        known = ~x.isnan()
        for what, given, reach in (("low", self.low, math.inf), ("high", self.high, -math.inf)):
            if given is None:
                if not known.any(0).all():
                    empty = int((~known.any(0)).nonzero()[0])
                    called = columns[empty] if columns else f"number {empty}"
                    raise ValueError(f"of column {called} nothing is known: leave it out")
                edges = torch.where(known, x, reach)
                given = edges.amin(0) if what == "low" else edges.amax(0)
            _check.shape(what, given, f"({x.shape[1]},)", isinstance(given, Tensor) and given.shape == x.shape[1:])
            if (~given.isfinite()).any():
                raise ValueError(f"{what} must be finite, got NaN or infinity")
            object.__setattr__(self, what, given)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "columns", columns)

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"<Incomplete {self.name}: {tuple(self.x.shape)}, {self.known.float().mean():.0%} known>"

    @property
    def known(self) -> Tensor:
        """Which entries are known, bool (N, D)."""
        return ~self.x.isnan()

    @property
    def scale(self) -> dict[str, list[Any]]:
        """What the columns are called, and what is scaled to 0 and to 1 of each, as plain JSON: columns, low, high."""
        assert self.low is not None and self.high is not None
        return {"columns": list(self.columns), "low": self.low.tolist(), "high": self.high.tolist()}

    @property
    def _units(self) -> tuple[Tensor, Tensor]:
        """What is scaled to 0, and the range that is scaled to [0, 1]; that of a constant column is 1."""
        assert self.low is not None and self.high is not None
        return self.low, torch.where(self.high > self.low, self.high - self.low, 1.0)

    @property
    def inputs(self) -> Tensor:
        """What a generator is shown: scaled rows with 0 in the holes, and beside them their masks, (N, 2D)."""
        return self._shown(self.x)

    def _shown(self, x: Tensor) -> Tensor:
        low, width = self._units
        return torch.cat([((x - low) / width).nan_to_num(0.0), (~x.isnan()).float()], 1)

    def like(self, x: Any) -> Incomplete:
        """Other rows of the same columns, in this table's scale."""
        return Incomplete(x, self.low, self.high, self.name, self.columns)

    def completed(self, answers: Tensor) -> Tensor:
        """The rows with scaled answers (N, D) in their holes, in the table's units."""
        _check.shape("answers", answers, str(tuple(self.x.shape)), answers.shape == self.x.shape)
        low, width = self._units
        return torch.where(self.known, self.x, answers * width + low)

    def to(self, device: torch.device | str) -> Incomplete:
        """The same table with its tensors on `device`."""
        assert self.low is not None and self.high is not None
        return replace(self, x=self.x.to(device), low=self.low.to(device), high=self.high.to(device))

    def draw_pair(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw rows uniformly, with replacement.

        Returns:
            Scaled rows with 0 in the holes (n, D), and `inputs` of the same rows (n, 2D).

        Raises:
            TypeError, ValueError: n is not a whole number of at least 1, or there is no generator.
        """
        chosen = self._shown(self.x[draw_index(len(self), n, rng).to(self.x.device)])
        return chosen.chunk(2, 1)[0], chosen


def shrunk(dataset: Dataset, factor: int) -> Pairs:
    """Pairs for super-resolution: images as targets, and as inputs the same images, smaller. First built in chapter 17.

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
    small = torch.cat([F.avg_pool2d(x.float(), factor).round_().to(torch.uint8) for x in chunks(dataset.x)])
    name = f"{dataset.name} shrunk {factor} times"
    return Pairs(name, small, dataset.x, True, dataset.source, dataset.licence, dataset.split, dataset.notes)


def draw_index(size: int, n: int, generator: torch.Generator) -> Tensor:
    """n indices below size, drawn uniformly, with replacement."""
    _check.positive_int("n", n)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, such as compute.generator(0), got {generator!r}")
    return torch.randint(size, (n,), generator=generator)


def _floats(x: Tensor) -> Tensor:
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


def warn_of_range(what: str, x: Tensor) -> None:
    """Say so if float images (N, C, H, W) are scaled otherwise than the networks' own, to [-1, 1]."""
    if x.dim() != 4 or not x.is_floating_point():
        return
    low, high = float(x.min()), float(x.max())
    if low < -1.1 or high > 1.1 or 0 <= low < high:  # a smooth resize goes a little beyond; 0 … 1: none below grey
        warnings.warn(
            f"{what} are float images, which are expected in [-1, 1], but these go from {low:g} to {high:g}: scale "
            f"them, or give uint8 images, which are scaled here",
            stacklevel=_check.outside(),
        )


def digest(source: Any) -> str:
    """SHA-256 of the numbers of a data set or of pairs, or of a tensor; of a density, which has none, its name."""
    held = [source] if isinstance(source, Tensor) else []
    held += [getattr(source, name) for name in ("x", "inputs", "targets") if hasattr(source, name)]
    if not held:
        return str(getattr(source, "name", type(source).__name__))
    found = hashlib.sha256()
    for chunk in (chunk for tensor in held for chunk in chunks(tensor)):
        found.update(chunk.cpu().contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()


Arrays = tuple[Tensor, Tensor | None, tuple[str, ...]]
"""Samples, labels, and the names of the classes."""


def image_layout(what: str, x: Tensor) -> Tensor:
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) -> (N, C, H, W)."""
    if x.dim() == 3:
        x = x[:, None]
    elif x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.permute(0, 3, 1, 2)
    if x.dim() != 4 or x.shape[1] not in (1, 3):
        raise ValueError(
            f"{what} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, "
            f"got {str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
        )
    return x.contiguous()


def fit(height: int, width: int, most: int = 64) -> int:
    """The side of the squares to which pictures of this size are brought for the image networks: their own if they
    are such squares of at most `most`, else the largest power of two of at most 64 that is in them."""
    side = min(height, width)
    return side if side < 16 or (height == width <= most and nets.fits(side)) else power_of_two(height, width)


def power_of_two(height: int, width: int) -> int:
    """The largest power of two that is at most 64 and at most the shorter side."""
    return min(64, 1 << (min(height, width).bit_length() - 1))


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
    resized = torch.empty(*x.shape[:2], size, size, dtype=torch.uint8)
    for into, some in zip(resized.split(CHUNK), square.split(CHUNK), strict=True):
        small = F.interpolate(some.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
        into.copy_(small.round_().clamp_(0, 255))
    return resized


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

    def points(rows: Tensor) -> np.ndarray:
        x = _floats(taken(dataset.x, rows)).cpu()
        if dataset.is_image:
            x = F.adaptive_avg_pool2d(x, (min(14, x.shape[2]), min(14, x.shape[3])))
        return x.flatten(1).numpy()

    seed %= 2**32  # what numpy takes
    some = torch.from_numpy(np.random.RandomState(seed).permutation(len(dataset))[: max(10_000, clusters)])
    compared = np.empty((len(some), points(some[:1]).shape[1]), np.float32)  # in one piece, as pictures come and go
    for start in range(0, len(some), CHUNK):
        compared[start : start + CHUNK] = points(some[start : start + CHUNK])
    with threadpool_limits(1), warnings.catch_warnings(action="ignore"):  # fewer distinct samples: fewer clusters
        # one thread: the order of additions, and so the clusters, is the same on every number of threads
        means = KMeans(clusters, n_init=1, random_state=seed)
        means.fit(compared)
        found = np.concatenate([means.predict(points(rows)) for rows in torch.arange(len(dataset)).split(CHUNK)])
    y = torch.from_numpy(found.astype(np.int64)).to(dataset.x.device)
    return replace(dataset, y=y, classes=tuple(f"cluster {k}" for k in range(clusters)))
