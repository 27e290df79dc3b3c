"""Data sets as one tensor each: real digits, photographs, flowers, time series, texts and drawn landscapes that need
no network, a folder of images or an `.npz` of the reader's own, and the well-known full sets where there is a network.

Images are kept as uint8 (N, C, H, W) and handed out as float32 in [-1, 1]; other data are float32 (N, D) in their own
units. The train/test split of a set without an official one never changes. Samples are drawn through a `Feed`, which
`source` makes of these sets and of whatever else can be drawn from: tensors, torch data sets and loaders, own objects.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from .. import _check
from . import files, online, scenes
from ._base import SPLITS, Dataset, Pairs, clustered, digest, fit, shrunk, taken
from .files import picture
from .packaged import BUILT_IN, OFFLINE, SERIES_MEAN, SERIES_STD, TASKS, load_pairs
from .source import Drawn, Feed, Source, source
from .texts import TextData, docstrings

__all__ = [
    "SERIES_MEAN",
    "SERIES_STD",
    "TASKS",
    "Dataset",
    "Drawn",
    "Feed",
    "Pairs",
    "Source",
    "TextData",
    "clustered",
    "digest",
    "docstrings",
    "load",
    "load_pairs",
    "names",
    "picture",
    "scenes",
    "shrunk",
    "source",
    "taken",
]


def names() -> list[str]:
    """The data sets that `load` knows by name, those that need no network first."""
    return [*OFFLINE, *online.ONLINE]


def load(
    name: str | os.PathLike[str],
    split: str = "train",
    size: int | Literal["fit"] | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Dataset:
    """A data set by its name, or a folder of images or an `.npz` file by its path.

    A folder holds pictures; its subfolders, if it has any, are the classes, in the order 1, 2, …, 10. Pictures are
    turned upright by their EXIF orientation, transparent ones are put on white, 16-bit grey is divided by 257. They
    are decoded once, into a file in `root` which is mapped: a large folder takes no more memory than a small one.
    `Dataset.notes` says what was read and done. An `.npz` holds `images` (N, H, W), (N, H, W, C) or (N, C, H, W) as
    uint8 or as floats in [0, 1] or [-1, 1], kept in 256 shades, or `points` (N, D) as floats; the `samples` that this
    library writes are read too. Beside them it may hold `labels` (N,), text or whole numbers from 0, whose values
    become the names of the classes, and `classes` (K,), text, what the labels 0 … K − 1 are called instead.

    - `digits`: 5000 handwritten digits, 28×28; `digits8`: 1797 of 8×8; `flowers`: Iris, four measurements in cm.
    - `photos`: 4000 patches of four photographs, which were halved first; the test's 2000 are of two others.
    - `galaxies`: 1000 patches of the left half of a picture of the sky, halved too, and 1000 of its right half.
    - `brick`, `grass`, `gravel`: all patches of one grey picture of 128×128 pixels that do not touch a square of 40 in
      its middle; the test's lie inside the square, "all" are those of the whole picture, row by row. First used in
      chapter 21.
    - `scenes`: 2000 drawn landscapes, each in one of four classes (summer or winter, day or night); see `load_pairs`.
    - `series`: monthly sea surface temperatures off Peru, where El Niño shows. All windows of 24 months of the years
      1950 to 1998, for the test of 1999 to 2010; values are (°C − 23.1) / 2.3; the class is the first month.
    - `returns`: daily returns of the S&P 500 share index in per cent. All windows of 128 days of the years 1999 to
      2012, for the test of 2013 to 2018; the last day of training and the first of the test are in no window together.

    Args:
        name: one of `names()`, or a path. A name wins over a folder of that name; a `Path` is always a path.
        split: "train", "test" or "all". Sets without an official split give a fifth of each class to the test.
        size: side to which images are resized, the largest square in the middle of each; `scenes` are drawn, `photos`,
            `galaxies` and textures cut at this size (32); of `series` and `returns` it is months or days of a window.
            "fit": one that the image networks take, m · 2^k with m from 4 to 7 and k at least 2: squares of such a
            side stay (in a folder, of at most 64), other images come to the largest power of two in them, at most 64.
            By default images keep their size; a folder of several sizes is read as with "fit".
        root: where downloads and decoded pictures are kept; by default the folder in the environment variable
            GANLIB_DATA, else `~/.cache/ganlib`.

    Raises:
        ValueError: unknown name or split, or a folder or file that is not as described above.
        ConnectionError: the set has to be downloaded, and cannot be.
    """
    _check.one_of("split", split, SPLITS)
    if size not in (None, "fit"):
        _check.positive_int("size", size)
    if isinstance(name, str) and name in names():
        side = None if size == "fit" else size
        if name in OFFLINE:
            offline = OFFLINE[name]
            found = Dataset(name, *offline.read(split, side), offline.source, offline.licence, split)
        else:
            found = online.load(name, split, side, root)
        return replace(found, notes=(BUILT_IN.format(name),)) if Path(name).is_dir() else found
    if name == "docstrings":
        raise ValueError("name='docstrings' are texts, not tensors: call data.docstrings()")
    if name == "":  # as a path it would be the folder one stands in
        _check.one_of("name", name, names())
    path = Path(name).expanduser()
    if path.is_dir():
        own, notes = files.folder_of_images(path, split, fit if size == "fit" else size, files.cache(root))
        return Dataset(path.absolute().name, *own, str(path), "the reader's own", split, notes)
    if path.is_file():
        own, notes = files.npz(path, split, size)
        return Dataset(path.stem, *own, str(path), "the reader's own", split, notes)
    if isinstance(name, str) and path.name == name and not path.suffix:
        _check.one_of("name", name, names(), _check.NO_FILE)
    raise ValueError(f"name={os.fspath(name)!r}: there is no such file or folder")
