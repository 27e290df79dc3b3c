"""The reader's own images and points: a folder of pictures, or an `.npz` file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ._base import Arrays, resize

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def folder_of_images(folder: Path, size: int | None) -> Arrays:
    def images_in(place: Path) -> list[Path]:
        return sorted(p for p in place.iterdir() if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))

    subfolders = sorted(p for p in folder.iterdir() if p.is_dir() and images_in(p))
    paths, labels = images_in(folder), None
    if paths and subfolders:
        raise ValueError(
            f"{folder} holds both images and folders of images ({subfolders[0].name}, …); move one of them"
        )
    if subfolders:
        groups = [images_in(p) for p in subfolders]
        paths = [path for group in groups for path in group]
        labels = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor([len(group) for group in groups]))
    if not paths:
        raise ValueError(f"{folder} holds no images; looked for {', '.join(_SUFFIXES)}, there and one level below")
    return _read_images(paths, size), labels, tuple(p.name for p in subfolders)


def _read_images(paths: list[Path], size: int | None) -> Tensor:
    """Images as one uint8 tensor; grey only if all of them are."""
    from PIL import Image

    pictures: list[Tensor] = []
    for path in paths:
        try:
            with Image.open(path) as image:
                grey = image.mode in ("1", "L", "LA", "I;16")
                pixels = np.array(image.convert("L" if grey else "RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as an image: {error}") from error
        picture = torch.from_numpy(pixels).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)
        if size is not None:
            picture = resize(path.name, picture[None], size)[0]
        elif pictures and picture.shape[1:] != pictures[0].shape[1:]:
            (h, w), (first_h, first_w) = picture.shape[1:], pictures[0].shape[1:]
            raise ValueError(
                f"images must all have one size, but {paths[0].name} is {first_w}×{first_h} and {path.name} {w}×{h}; "
                f"give size=… to resize them"
            )
        pictures.append(picture)
    channels = max(len(picture) for picture in pictures)
    return torch.stack([picture.expand(channels, -1, -1) for picture in pictures])


def npz(path: Path) -> Arrays:
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it holds one bare array")
        with archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        # Not numpy's own words for what is no archive: they advise to unpickle it.
        why = "it is none, or holds Python objects" if "pickle" in str(error) else error
        raise ValueError(f"{path} cannot be read as an .npz file of plain arrays: {why}") from error
    key = next((key for key in ("images", "points", "samples") if key in arrays), None)
    if key is None:
        raise ValueError(
            f"{path} must hold an array called images, points or samples, got {', '.join(sorted(arrays)) or 'nothing'}"
        )
    x = _samples(f"{path}: {key}", arrays[key])
    if "labels" not in arrays:
        return x, None, ()
    labels = arrays["labels"]
    if labels.shape != (len(x),) or labels.dtype.kind not in "iu" or (len(labels) and labels.min() < 0):
        raise ValueError(
            f"{path}: labels must be {len(x)} whole numbers from 0, got {labels.dtype} of shape {labels.shape}"
            + (f" from {labels.min()}" if labels.size and labels.dtype.kind in "iuf" else "")
        )
    y = torch.from_numpy(labels.astype(np.int64))
    return x, y, tuple(str(i) for i in range(int(y.max()) + 1)) if len(y) else ()


def _samples(what: str, array: np.ndarray) -> Tensor:
    got = f"got {array.dtype} of shape {array.shape}"
    if array.size == 0:
        raise ValueError(f"{what} is empty, {got}")
    if array.dtype == np.uint8 and array.ndim == 3:
        array = array[:, None]
    elif array.dtype == np.uint8 and array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype == np.uint8:
        if array.ndim != 4 or array.shape[1] not in (1, 3):
            raise ValueError(f"{what} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, {got}")
        return torch.from_numpy(np.ascontiguousarray(array))
    if array.dtype.kind != "f" or array.ndim != 2:
        raise ValueError(f"{what} must be images (uint8) or points (N, D) as floats, {got}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite: row {int(np.flatnonzero(~np.isfinite(array).all(1))[0])} is not")
    return torch.from_numpy(array.astype(np.float32))
