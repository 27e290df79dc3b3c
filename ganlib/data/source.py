"""What samples are drawn from: `source` makes a `Feed` of anything that can be, and a game knows nothing else of its
data.

Whoever has data of a kind of their own writes a class with a name and one method, the protocol `Source`:

    class Circle:
        name = "circle"

        def draw(self, n, rng):
            angle = 2 * math.pi * torch.rand(n, generator=rng)
            return torch.stack([angle.cos(), angle.sin()], 1)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from .. import _check
from ._base import Dataset, Incomplete, Pairs, digest, draw_index, image_layout, warn_of_range


class Drawn(NamedTuple):
    """A batch.

    Attributes:
        real: samples (n, …); images are in [-1, 1].
        labels: their classes, int64 (n,), or None.
        inputs: what is to be translated into them, (n, …), or None.
    """

    real: Tensor
    labels: Tensor | None = None
    inputs: Tensor | None = None


class Source(Protocol):
    """What an object of one's own needs in order to be data: a name, and to draw.

    It may have `classes`, the names of its classes; `paired = False`, if input i does not belong to real i; and
    `exact = False`, if what it draws does not follow from rng alone.
    """

    name: str

    def draw(self, n: int, rng: torch.Generator, /) -> Tensor | tuple[Tensor | None, ...]:
        """n samples: real, or (real, labels), or (real, labels, inputs), as in `Drawn`; uint8 images are scaled."""
        ...


@dataclass(frozen=True)
class Feed:
    """Batches of one data set, on one device.

    Attributes:
        name: what the data are called, with their number.
        size: how many there are, or None where they never end.
        classes: names of the classes, empty where there are none or nobody says; see `count_classes`.
        exact: whether a batch follows from rng alone, so that a run that is resumed sees what it would have seen.
        paired: whether input i belongs to real i; None where there are no inputs.
        scale: of a table with holes, `Incomplete.scale`; None of other data.
    """

    name: str
    size: int | None
    _draw: Callable[[int, torch.Generator], Any]
    device: torch.device
    dtype: torch.dtype
    classes: tuple[str, ...] = ()
    exact: bool = True
    paired: bool | None = None
    scale: dict[str, list[Any]] | None = None
    _labels: Callable[[], Tensor] | None = None

    def count_classes(self) -> int | None:
        """How many classes the labels count, None without labels. Those of a torch data set whose classes have no
        names are looked through for it, once.

        Raises:
            ValueError: they do not count from 0 without gaps, or there is no end to them and nobody says.
        """
        if self.draw(1, torch.Generator()).labels is None:
            return None
        if self._labels is not None:
            found = self._labels().unique().tolist()
            if found != [*range(len(found))]:
                few = ", ".join(map(str, found if len(found) <= 8 else [*found[:7], "…", found[-1]]))
                raise ValueError(
                    f"labels of {self.name} must count the classes from 0 without gaps, got {few}: renumber them, "
                    f"y = torch.unique(y, return_inverse=True)[1]"
                )
            return len(found)
        if not self.classes:
            raise ValueError(
                f"data {self.name} have labels, but nobody says of how many classes: give them an attribute classes, "
                f"the names of these"
            )
        return len(self.classes)

    def draw(self, n: int, rng: torch.Generator) -> Drawn:
        """Draw n samples, with replacement where their number is known: n may exceed it.

        Args:
            n: how many.
            rng: a CPU generator.

        Returns:
            What was drawn, on the device, samples in the feed's dtype.

        Raises:
            TypeError, ValueError: what was drawn is no such batch; the data are named.
        """
        found = self._draw(n, rng)
        batch = found if isinstance(found, tuple | list) else (found,)
        if not 1 <= len(batch) <= 3 or any(b is not None and not isinstance(b, Tensor) for b in batch):
            kinds = ", ".join(type(b).__name__ for b in batch)
            raise TypeError(f"{self.name} must draw real, (real, labels) or (real, labels, inputs), got ({kinds})")
        real, labels, inputs = (*batch, None, None)[:3]
        for what, rows in (("real", real), ("labels", labels), ("inputs", inputs)):
            if (rows is None and what == "real") or (rows is not None and (rows.dim() == 0 or len(rows) != n)):
                got = None if rows is None else tuple(rows.shape)
                raise ValueError(f"{self.name} must draw {n} {what} where {n} are asked for, got shape {got}")
        if labels is not None:
            if labels.dim() != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
                raise TypeError(
                    f"labels of {self.name} must be whole numbers of shape (n,), got {labels.dtype} of shape "
                    f"{tuple(labels.shape)}; images to translate come third, (real, None, inputs)"
                )
            labels = labels.to(self.device, torch.int64)
        return Drawn(self._samples(real), labels, None if inputs is None else self._samples(inputs))

    def _samples(self, x: Tensor) -> Tensor:
        if x.dtype == torch.uint8:
            return x.to(self.device).to(self.dtype).div_(127.5).sub_(1)
        if not x.is_floating_point():
            raise TypeError(f"samples of {self.name} must be floats, or images of uint8, got {x.dtype}")
        return x.to(self.device, self.dtype)


TAKEN = (
    "a ganlib.data.Dataset or Pairs, a density of ganlib.toys, a float tensor or array (N, …), uint8 images, "
    "(x, y) with whole-number labels, a torch Dataset or DataLoader, an iterable of batches, "
    "or an object with name and draw(n, rng)"
)


def source(data: Any, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Feed:
    """What a game draws from, made of any of these:

    - a `Dataset`, `Pairs`, a density of `toys`, or what else has a method sample(n, rng) as densities have;
    - a float tensor or array (N, …), images in [-1, 1]; uint8 images (N, C, H, W), (N, H, W) or (N, H, W, C), which
      are scaled to that; either with labels, as (x, y);
    - a torch `Dataset` with a length, such as torchvision's: items are a sample or (sample, label), a sample a tensor,
      an array or a PIL picture. They are fetched anew each time, so random transforms go on being random; what these
      draw from the global generators of torch, numpy and Python follows from rng, and the generators stay as they
      were;
    - a `DataLoader`, or another iterable of batches, cut and joined to the size that is asked for and begun again when
      it ends. Its order is its own affair: resuming is not exact (`Feed.exact` is False);
    - an object of one's own with a name and a method draw, a `Source`.

    Args:
        data: one of these.
        device: where batches go; tensors are moved there as a whole.
        dtype: of the samples, float32 or the type of the networks.

    Raises:
        TypeError: something else, or a tensor of floats of another dtype.
        ValueError: a tensor that is empty, not finite or of a wrong shape.
    """
    device = torch.device(device)
    if hasattr(data, "to_numpy"):  # a pandas frame
        data = data.to_numpy()

    def feed(name: str, size: int | None, draw: Callable[[int, torch.Generator], Any], **more: Any) -> Feed:
        return Feed(name, size, draw, device, dtype, **more)

    if _is_labelled(data):
        x, y = _samples(data[0], dtype).to(device), torch.as_tensor(data[1])
        if len(y) and y.min() < 0:
            raise ValueError(f"labels must be whole numbers from 0, got {int(y.min())} … {int(y.max())}")
        y = y.to(device, torch.int64)

        def draw_labelled(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            index = draw_index(len(x), n, rng).to(device)
            return x[index], y[index]

        classes = tuple(str(k) for k in range(int(y.max()) + 1))
        return feed(f"tensor {tuple(x.shape)} with labels", len(x), draw_labelled, classes=classes, _labels=lambda: y)
    if isinstance(data, Tensor | np.ndarray):
        rows = _samples(data, dtype).to(device)
        return feed(
            f"tensor {tuple(rows.shape)}", len(rows), lambda n, rng: rows[draw_index(len(rows), n, rng).to(device)]
        )
    name = str(getattr(data, "name", type(data).__name__))
    if hasattr(data, "draw_pair"):
        pairs = data.to(device) if hasattr(data, "to") else data
        size = len(data) if hasattr(data, "__len__") else None
        named = name if size is None else f"{name} ({size} {'rows' if isinstance(data, Incomplete) else 'pairs'})"

        def draw_pairs(n: int, rng: torch.Generator) -> tuple[Tensor, None, Tensor]:
            real, inputs = pairs.draw_pair(n, rng)
            return real, None, inputs

        scale = data.scale if isinstance(data, Incomplete) else None
        return feed(named, size, draw_pairs, paired=getattr(data, "paired", True), scale=scale)
    if callable(getattr(data, "draw", None)):
        moved = data.to(device) if hasattr(data, "to") else data
        size = len(data) if hasattr(data, "__len__") else getattr(data, "size", None)
        more = {what: getattr(data, what) for what in ("exact", "paired") if hasattr(data, what)}
        named = f"{name} ({size})" if hasattr(data, "__len__") else name
        return feed(named, size, moved.draw, classes=tuple(getattr(data, "classes", ())), **more)
    if callable(getattr(data, "sample", None)) and not hasattr(data, "__getitem__"):  # a density
        return feed(name, None, data.sample)
    if isinstance(data, str | bytes | dict | tuple) or not (hasattr(data, "__getitem__") or isinstance(data, Iterable)):
        hint = ": for a set by its name, ganlib.recipes.load_data(name)" if isinstance(data, str) else ""
        raise TypeError(f"data must be {TAKEN}, got {type(data).__name__}{hint}")
    size = _length(data.dataset if isinstance(data, DataLoader) else data)
    named = name if size is None else f"{name} ({size})"
    if isinstance(data, DataLoader | IterableDataset) or not (size and hasattr(data, "__getitem__")):
        return feed(named, size, _batches(data, name), **_named(data, name), exact=False)
    return feed(named, size, _items(data, name, size), **_named(data, name))


def fingerprint(data: Any) -> str | None:
    """A word that changes with the numbers of a tensor, an array, (x, y), a `Dataset`, `Pairs` or `Incomplete`; None of
    other data, which are known by their name and number alone."""
    if hasattr(data, "to_numpy"):  # a pandas frame
        data = data.to_numpy()
    if isinstance(data, Dataset):
        data = (data.x,) if data.y is None else (data.x, data.y)
    elif isinstance(data, Pairs):
        data = (data.inputs, data.targets)
    elif isinstance(data, Incomplete):
        data = (data.x, data.low, data.high)
    parts = data if isinstance(data, tuple) else (data,)
    if not all(isinstance(part, Tensor | np.ndarray) for part in parts):
        return None
    found = [digest(torch.as_tensor(part)) for part in parts]
    return (found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest())[:16]


def _is_labelled(data: Any) -> bool:
    """Whether these are (x, y), and y is whole numbers, one for each row of x."""
    if not (isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor | np.ndarray) for part in data)):
        return False
    x, y = data
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or not _is_whole(y):
        raise ValueError(
            f"data (x, y) must be N samples and N whole numbers, got shapes {tuple(x.shape)} and {tuple(y.shape)}, "
            f"y of {y.dtype}"
        )
    return True


def _is_whole(y: Any) -> bool:
    return not torch.as_tensor(y).dtype.is_floating_point and torch.as_tensor(y).dtype != torch.bool


def _samples(x: Tensor | np.ndarray, dtype: torch.dtype) -> Tensor:
    """All samples of a tensor or an array: uint8 images (N, C, H, W), or finite floats."""
    tensor = torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
    if tensor.dtype == torch.uint8 and tensor.ndim in (3, 4) and len(tensor):
        return image_layout("data", tensor)
    if tensor.ndim < 2 or not tensor.is_floating_point() or len(tensor) == 0:
        raise ValueError(
            f"data must be a float tensor (N, …) with N > 0, or uint8 images, got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}"
        )
    if isinstance(x, np.ndarray):
        tensor = tensor.to(dtype)
    elif tensor.dtype != dtype:
        raise TypeError(f"data must be {dtype} like the generator's parameters, got {tensor.dtype}")
    _check.all_finite("data", tensor)
    warn_of_range("data", tensor)
    return tensor


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:
        return None


def _named(data: Any, name: str) -> dict[str, Any]:
    """The classes as torchvision's sets call them, also those inside a loader or a subset, or where to find labels."""
    if (found := getattr(data, "classes", None)) is not None:
        return {"classes": tuple(str(called) for called in found)}
    if hasattr(data, "dataset") and (inner := _named(data.dataset, name)).get("classes"):
        return inner
    rows = data.dataset if isinstance(data, DataLoader) else data
    if isinstance(rows, IterableDataset) or not (_length(rows) and hasattr(rows, "__getitem__")):
        return {}
    return {"_labels": lambda: _every_label(rows, name)}


def _every_label(data: Any, name: str) -> Tensor:
    if isinstance(data, TensorDataset):
        return data.tensors[1]
    with _keyed(0):  # of transforms that draw
        return torch.tensor([_label(data[i][1], name) for i in range(len(data))])


def _items(data: Any, name: str, size: int) -> Callable[[int, torch.Generator], tuple[Tensor, ...]]:
    """Draws items of a torch data set; what their transforms draw follows from rng."""
    first = True

    def draw(n: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        nonlocal first
        index = draw_index(size, n, rng).tolist()
        with _keyed(int(torch.randint(2**32, (), generator=rng))):
            items = [data[i] for i in index]
        rows = [tuple(item) if isinstance(item, tuple | list) else (item,) for item in items]
        if any(len(row) not in (1, 2) for row in rows) or len({len(row) for row in rows}) > 1:
            raise TypeError(f"items of {name} must be a sample or (sample, label), got {len(rows[0])} parts")
        samples = [_sample(row[0], name) for row in rows]
        if len({(x.shape, x.dtype) for x in samples}) > 1:
            shapes = " and ".join(sorted({str(tuple(x.shape)) for x in samples})[:2])
            raise ValueError(
                f"items of {name} must all have one shape and type, got {shapes}; a transform can bring them to it"
            )
        real = torch.stack(samples)
        if first:
            warn_of_range(f"items of {name}", real)
            first = False
        return (real,) if len(rows[0]) == 1 else (real, torch.tensor([_label(row[1], name) for row in rows]))

    return draw


def _label(value: Any, name: str) -> int:
    if isinstance(value, Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Integral):
        got = f"{type(value).__name__} of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise TypeError(
            f"labels of {name} must be whole numbers, got {got}; images to translate are data.Pairs, or a Source"
        )
    return int(value)


def _sample(item: Any, name: str) -> Tensor:
    """One sample: a tensor as it is, an array, or a PIL picture as uint8 (C, H, W)."""
    if isinstance(item, Tensor):
        return item
    if not isinstance(item, np.ndarray):
        from PIL import Image

        from .files import upright

        if not isinstance(item, Image.Image):
            raise TypeError(
                f"a sample of {name} must be a tensor, an array or a PIL picture, got {type(item).__name__}"
            )
        item = np.array(upright(item.copy()).image)
    tensor = torch.from_numpy(np.ascontiguousarray(item))
    return image_layout(f"an item of {name}", tensor[None])[0] if tensor.dtype == torch.uint8 else tensor


@contextmanager
def _keyed(seed: int) -> Iterator[None]:
    """The global generators of torch (of the CPU), numpy and Python seeded, and put back."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def _batches(data: Any, name: str) -> Callable[[int, torch.Generator], tuple[Tensor, ...]]:
    """Draws from the batches of an iterable, one after the other: rows that are left over come next."""
    loader = DataLoader(data, batch_size=64) if isinstance(data, IterableDataset) else data
    batches: Iterator[Any] = iter(())
    left: list[tuple[Tensor, ...]] = []
    first = True

    def more() -> tuple[Tensor, ...]:
        nonlocal batches, first
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches, None)
        if batch is None:
            raise ValueError(
                f"{name} has no batch" + (" left: give something that can begin again" if not first else "")
            )
        rows = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        rows = tuple(torch.from_numpy(row) if isinstance(row, np.ndarray) else row for row in rows)
        if not rows or not all(isinstance(row, Tensor) and row.dim() and len(row) == len(rows[0]) for row in rows):
            kinds = ", ".join(type(row).__name__ for row in rows)
            raise TypeError(
                f"batches of {name} must be tensors of equally many rows, real or (real, labels), got ({kinds})"
            )
        if first:
            warn_of_range(f"batches of {name}", rows[0])
            first = False
        return rows

    def draw(n: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        nonlocal left
        while sum(len(rows[0]) for rows in left) < n:
            left.append(more())
        joined = tuple(torch.cat(parts) for parts in zip(*left, strict=True))
        left = [tuple(part[n:] for part in joined)] if len(joined[0]) > n else []
        return tuple(part[:n] for part in joined)

    return draw
