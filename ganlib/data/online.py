"""Well-known sets to download. Every file is compared with the checksum torchvision knows each time it is read: what a
download left that stopped half-way is fetched again."""

from __future__ import annotations

import functools
import gzip
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ._base import SPLITS, Dataset, resize
from .files import cache
from .packaged import OFFLINE


@dataclass(frozen=True)
class _Online:
    kind: str
    source: str
    licence: str


ONLINE = {
    "mnist": _Online("MNIST", "MNIST (LeCun, Cortes and Burges 1998)", "CC BY-SA 3.0"),
    "fashion_mnist": _Online("FashionMNIST", "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017)", "MIT"),
    "kmnist": _Online("KMNIST", "Kuzushiji-MNIST (Clanuwat et al. 2018, CODH)", "CC BY-SA 4.0"),
    "cifar10": _Online("CIFAR10", "CIFAR-10 (Krizhevsky 2009)", "none stated; free for research"),
    "svhn": _Online("SVHN", "Street View House Numbers (Netzer et al. 2011)", "non-commercial use only"),
}


def load(name: str, split: str, size: int | None, root: str | os.PathLike[str] | None) -> Dataset:
    folder = cache(root)
    entry = ONLINE[name]
    read = {"CIFAR10": _cifar10, "SVHN": _svhn}.get(entry.kind, functools.partial(_mnist, entry.kind))
    try:
        with no_endless_wait():
            parts = [read(folder, part) for part in SPLITS[:2] if split in (part, "all")]
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"{name} is neither in {folder} nor could it be downloaded ({error}). "
            f"With no network, choose one of: {', '.join(OFFLINE)}"
        ) from error
    x, y = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    if size is not None:
        x = resize(name, x, size)
    return Dataset(name, x, y, parts[0][2], entry.source, entry.licence, split)


_SILENCE = 30.0
"""Seconds after which a connection that says nothing is given up."""


@contextmanager
def no_endless_wait() -> Iterator[None]:
    """torchvision's downloads set no limit of their own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE if before is None else before)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


Part = tuple[Tensor, Tensor, tuple[str, ...]]


def _mnist(kind: str, folder: Path, part: str) -> Part:
    """Straight from the compressed files: torchvision would trust unpacked ones without looking."""
    import torchvision.datasets
    from torchvision.datasets.utils import download_url

    known = getattr(torchvision.datasets, kind)
    prefix = "train" if part == "train" else "t10k"

    def fetch(filename: str, md5: str) -> np.ndarray:
        raw = folder / kind / "raw"
        errors: list[Exception] = []
        for mirror in known.mirrors:
            try:
                download_url(mirror + filename, str(raw), filename, md5)
                break
            except (OSError, RuntimeError) as error:
                (raw / filename).unlink(missing_ok=True)
                errors.append(error)
        else:
            raise ConnectionError("; ".join(str(error) for error in errors))
        with gzip.open(raw / filename) as file:
            content = file.read()
        dims = content[3]  # idx: two zeros, the type (8: bytes), the number of dimensions, each of them big-endian
        sides = np.frombuffer(content, ">i4", dims, offset=4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(sides)

    files = [fetch(filename, md5) for filename, md5 in known.resources if filename.startswith(prefix)]
    images, labels = sorted(files, key=lambda array: -array.ndim)
    classes = tuple(re.sub(r"^\d - ", "", name) for name in known.classes)
    return torch.from_numpy(images[:, None].copy()), torch.from_numpy(labels.astype(np.int64)), classes


def _cifar10(folder: Path, part: str) -> Part:
    from torchvision.datasets import CIFAR10

    known = CIFAR10(str(folder), train=part == "train", download=True)
    x = torch.from_numpy(np.ascontiguousarray(known.data.transpose(0, 3, 1, 2)))
    return x, torch.tensor(known.targets, dtype=torch.int64), tuple(known.classes)


def _svhn(folder: Path, part: str) -> Part:
    from torchvision.datasets import SVHN

    known = SVHN(str(folder), split=part, download=True)
    return torch.from_numpy(np.ascontiguousarray(known.data)), torch.from_numpy(known.labels), tuple("0123456789")
