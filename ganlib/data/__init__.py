"""Data sets as one tensor each: real digits, photographs, flowers, a time series, texts and drawn landscapes that need
no network, a folder of images or an `.npz` of the reader's own, and the well-known full sets where there is a network.

Images are kept as uint8 (N, C, H, W) and handed out as float32 in [-1, 1]; other data are float32 (N, D) in their own
units. The train/test split of a set without an official one never changes.
"""

from __future__ import annotations

import os
from pathlib import Path

from .. import _check
from . import files, online, scenes
from ._base import SPLITS, Dataset, Pairs, clustered, part, shrunk
from .packaged import OFFLINE, SERIES_MEAN, SERIES_STD, TASKS, load_pairs
from .texts import TextData, docstrings

__all__ = [
    "SERIES_MEAN",
    "SERIES_STD",
    "TASKS",
    "Dataset",
    "Pairs",
    "TextData",
    "clustered",
    "docstrings",
    "load",
    "load_pairs",
    "names",
    "scenes",
    "shrunk",
]


def names() -> list[str]:
    """The data sets that `load` knows by name, those that need no network first."""
    return [*OFFLINE, *online.ONLINE]


def load(
    name: str | os.PathLike[str],
    split: str = "train",
    size: int | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Dataset:
    """A data set by its name, or a folder of images or an `.npz` file by its path.

    A folder holds images of one size (or of any, if `size` is given); its subfolders, if it has any, are the classes.
    An `.npz` holds `images` (N, H, W), (N, H, W, C) or (N, C, H, W) as uint8, or `points` (N, D) as floats, and perhaps
    `labels` (N,); the `samples` that this library writes are read too.

    - `digits`: 5000 handwritten digits, 28×28; `digits8`: 1797 of 8×8; `flowers`: Iris, four measurements in cm.
    - `photos`: 4000 patches of four photographs, which were halved first; the test's 2000 are of two others.
    - `scenes`: 2000 drawn landscapes, each in one of four classes (summer or winter, day or night); see `load_pairs`.
    - `series`: monthly sea surface temperatures off Peru, where El Niño shows. All windows of 24 months of the years
      1950 to 1998, for the test of 1999 to 2010; values are (°C − 23.1) / 2.3; the class is the first month.

    Args:
        name: one of `names()`, or a path. A name wins over a folder of that name; a `Path` is always a path.
        split: "train", "test" or "all". Sets without an official split give a fifth of each class to the test.
        size: side to which images are resized, the largest square in the middle of each; `scenes` are drawn and
            `photos` cut at this size (32), and for `series` it is the months of a window.
        root: where downloads are kept; by default the folder in the environment variable GANLIB_DATA, else
            `~/.cache/ganlib`.

    Raises:
        ValueError: unknown name or split, or a folder or file that is not as described above.
        ConnectionError: the set has to be downloaded, and cannot be.
    """
    _check.one_of("split", split, SPLITS)
    if size is not None:
        _check.positive_int("size", size)
    if isinstance(name, str) and name in OFFLINE:
        offline = OFFLINE[name]
        return Dataset(name, *offline.read(split, size), offline.source, offline.licence, split)
    if isinstance(name, str) and name in online.ONLINE:
        return online.load(name, split, size, root)
    if name == "docstrings":
        raise ValueError("name='docstrings' are texts, not tensors: call data.docstrings()")
    path = Path(name).expanduser()
    if path.is_dir():
        own = part(path.name, files.folder_of_images(path, size), split, None)
        return Dataset(path.name, *own, str(path), "the reader's own", split)
    if path.is_file():
        own = part(path.stem, files.npz(path), split, size)
        return Dataset(path.stem, *own, str(path), "the reader's own", split)
    if isinstance(name, str) and path.name == name and not path.suffix:
        _check.one_of("name", name, names())
    raise ValueError(f"name={os.fspath(name)!r}: there is no such file or folder")
