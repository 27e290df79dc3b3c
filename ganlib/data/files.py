"""The reader's own images and points: folders of pictures, and `.npz` files.

A folder is decoded once, at the size that is asked for, into a file of uint8 numbers that is mapped, not read: of
200 000 pictures no more is in memory than is drawn.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ._base import Arrays, Pairs, fit, fixed_split, image_layout, mapped, part, power_of_two

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
#: What systems leave in folders, beside names that begin with a dot.
_SYSTEM = {"@eadir", "__macosx", "__pycache__", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini"}
_CACHED_FROM = 1_000_000  # bytes of files: less is decoded as fast as it is found
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")

Size = int | Callable[[int, int], int] | None
"""The side of the squares, or what makes it of (height, width); None for pictures as they are."""
Read = tuple[Arrays, tuple[str, ...]]
"""What was read, and notes on it."""


def cache(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder where downloads and decoded pictures are kept."""
    chosen = Path(root or os.environ.get("GANLIB_DATA") or "~/.cache/ganlib")
    try:
        return chosen.expanduser()
    except RuntimeError:  # of a user without a home nothing is kept
        return Path(os.devnull) / "ganlib"


def folder_of_images(folder: Path, split: str, size: Size, root: Path) -> Read:
    skipped: Counter[str] = Counter()
    names = _pictures(folder, skipped)
    places = sorted((e.name for e in os.scandir(folder) if os.path.isdir(e) and not _is_system(e.name)), key=_natural)
    places = [place for place in places if not _is_run(folder / place)]
    groups = {place: found for place in places if (found := _pictures(folder / place, skipped))}
    lower = _lower(folder, 1)
    empty = [place for place in places if place not in groups and not any(place in below.parts for below in lower)]
    if names and groups:
        raise ValueError(
            f"{folder} holds both images and folders of images ({next(iter(groups))}, …); move one of them"
        )
    y = np.zeros(len(names), np.int64)
    if groups:
        names = [f"{place}/{name}" for place, found in groups.items() for name in found]
        y = np.repeat(np.arange(len(groups)), [len(found) for found in groups.values()])
    too_low = _too_low(folder, 1, len(names), lower)
    if not names:
        raise ValueError(
            f"{folder} holds no images; looked for {', '.join(SUFFIXES)}, there and one level below"
            + "".join(f" ({note})" for note in _skipped(skipped))
        )
    (x, kept, counts), notes = _split(folder, names, y, split, size, root)
    labels = torch.from_numpy(y[kept]) if groups else None
    left = [f"without a picture, and left out: {', '.join(f'{place}/' for place in empty)}"] if empty else []
    return (x, labels, tuple(groups)), (
        _summary(*counts, {k: len(g) for k, g in groups.items()}),
        *notes,
        *left,
        *too_low,
        *_skipped(skipped),
    )


def _split(
    folder: Path, names: list[str], y: np.ndarray, split: str, size: Size, root: Path
) -> tuple[tuple[Tensor, np.ndarray, tuple[int, int]], tuple[str, ...]]:
    """The asked-for part of these pictures, a view of all of them; where it stood in `names`; how many train and test.

    Training pictures are stored before those held out, in the order of `fixed_split`.
    """
    train, test = fixed_split(y)
    order = np.concatenate([train, test])
    x, notes = _read(folder, [names[i] for i in order], size, root)
    rows = {"train": slice(len(train)), "test": slice(len(train), None), "all": slice(None)}[split]
    return (x[rows], order[rows], (len(train), len(test))), notes


def _summary(train: int, test: int, classes: dict[str, int]) -> str:
    """How many there are of each part, and of each class, parts together."""
    each = [f"{name}: {count}" for name, count in classes.items()]
    named = ", ".join(each if len(each) <= 12 else (*each[:10], "…", each[-1]))
    return f"{train} train, {test} held out" + (
        f", {len(each)} class{'es' * (len(each) > 1)} ({named})" if classes else ""
    )


def _skipped(endings: Counter[str]) -> list[str]:
    count = sum(endings.values())
    return (
        [f"{count} file{'s' * (count > 1)} skipped: {', '.join(f'{n} {end}' for end, n in endings.most_common())}"]
        if count
        else []
    )


def pairs(
    folder: Path, split: str, paired: bool, size: int | None, root: Path, called: Sequence[str] = ("inputs", "targets")
) -> Pairs:
    """Pairs of two folders, called `inputs` and `targets` or as told, brought to one side, a power of two; paired by
    their names."""
    places = {side: folder / name for side, name in zip(("inputs", "targets"), called, strict=True)}
    sides: dict[str, list[str]] = {}
    lower: dict[str, list[str]] = {}
    notes: list[str] = []
    skipped: Counter[str] = Counter()
    if places["inputs"] == places["targets"]:
        raise ValueError(f"{folder}: inputs and targets must be two folders, got {called[0]} for both")
    for side, place in places.items():
        if not place.is_dir() or not (found := _pictures(place, skipped)):
            raise ValueError(
                f"{folder} must hold pictures in two folders, {' and '.join(called)}: "
                f"{called[side == 'targets']} holds none{_instead(folder, called)}"
            )
        sides[side] = found
        lower[side] = _too_low(place, 0, len(found), _lower(place, 0))
    if paired:
        stems = {side: stems_of(places[side], found) for side, found in sides.items()}
        alone = {
            side: [stems[side][stem] for stem in stems[side] if stem not in stems[other]]
            for side, other in (("inputs", "targets"), ("targets", "inputs"))
        }
        if any(alone.values()):
            lacking = "; ".join(
                f"{len(names)} of the {side} have no picture of their name in {other} ({_first(names)})"
                for (side, names), other in zip(alone.items(), ("targets", "inputs"), strict=True)
                if names
            )
            raise ValueError(f"{folder}: {lacking}; of unpaired pictures, cycle_gan learns")
        sides["targets"] = [stems["targets"][stem] for stem in stems["inputs"]]
        notes += _must_show_alike(places, sides)
    parts: dict[str, Tensor] = {}
    for side, names in sides.items():
        alike = np.zeros(len(names), np.int64)
        (parts[side], _, counts), said = _split(places[side], names, alike, split, size or power_of_two, root)
        size = parts[side].shape[2]
        notes += [f"{side}: {note}" for note in (_summary(*counts, {}), *said)]
        notes += [f"{side}: {note}" for note in lower[side]]
    notes += _skipped(skipped)
    return Pairs(
        folder.absolute().name,
        **parts,
        paired=paired,
        source=str(folder),
        licence="the reader's own",
        split=split,
        notes=tuple(notes),
    )


def listed(place: Path) -> tuple[Path, list[str], tuple[str, ...]]:
    """The folder and the names of pictures: of the one at `place`, or of all in the folder there; and notes on what is
    left out.

    Raises:
        ValueError: there are none.
    """
    if place.is_file():
        return place.parent, [place.name], ()
    if not place.is_dir():
        raise ValueError(f"there is no picture and no folder {place}")
    skipped: Counter[str] = Counter()
    names = _pictures(place, skipped)
    notes = (*_too_low(place, 0, len(names), _lower(place, 0)), *_skipped(skipped))
    if not names:
        raise ValueError(
            f"{place} holds no pictures; looked for {', '.join(SUFFIXES)}" + "".join(f"; {n}" for n in notes)
        )
    return place, sorted(names, key=_natural), notes


def each_upright(folder: Path, names: list[str], look: Callable[[Path, Picture], T]) -> Iterator[T]:
    """What `look` says of each of these pictures, upright; see `Picture`.

    Raises:
        ValueError: some cannot be read, or `look` refuses them; they are named.
    """

    def opened(path: Path) -> T:
        from PIL import Image

        with Image.open(path) as file:
            return look(path, upright(file))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        yield from _each(opened, folder, names)


def stems_of(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """These pictures of a folder by their names without endings.

    Raises:
        ValueError: two of them have one name.
    """
    stems: dict[str, str] = {}
    for name in names:
        stem = os.path.splitext(name)[0]
        if stem in stems:
            raise ValueError(
                f"{folder} holds two pictures of one name that differ only in their endings: {stems[stem]}, {name}"
            )
        stems[stem] = name
    return stems


def _first(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


def _instead(folder: Path, called: Sequence[str]) -> str:
    """What a folder holds that was to hold two, and what to do about it."""
    below = [entry for entry in os.scandir(folder) if os.path.isdir(entry) and not _is_system(entry.name)]
    if both := sorted(e.path for e in below if all(os.path.isdir(os.path.join(e, name)) for name in called)):
        return f"; meant is probably {' or '.join(both[:3])}"
    cut = ": of those that hold input and target side by side, cut each in two first"
    held = sorted(entry.name for entry in below if not _is_run(Path(entry)) and _pictures(Path(entry), Counter()))
    if held:
        two = f": say which is which, as in --inputs {held[0]} --targets {held[1]}" if len(held) > 1 else cut
        return f"; it holds pictures in {_first(held)}{two}"
    if _pictures(folder, Counter()):
        return f"; they lie in it itself{cut}"
    return ""


def _must_show_alike(places: dict[str, Path], sides: dict[str, list[str]]) -> list[str]:
    """Refuse pairs of other proportions: their middle squares would not show the same part. A note on those of which
    EXIF turns one alone, where proportions do not tell whether the other was made from it upright or lying."""
    seen = {side: [*_each(_header, places[side], names)] for side, names in sides.items()}
    doubtful = []
    for one, other, name, partner in zip(seen["inputs"], seen["targets"], *sides.values(), strict=True):
        (w, h), (v, g) = one.size, other.size
        one_turned = one.orientation != other.orientation
        if not _alike(w, h, v, g):
            why = (
                f"; only one of them is turned by its EXIF orientation, which PIL leaves out unless asked: make the "
                f"other from data.picture({str(partner if other.orientation > 1 else name)!r})"
            )
            raise ValueError(
                f"{places['inputs'] / name} has {w}×{h} pixels and its target {partner} {v}×{g}: the two of a pair "
                f"must have the same proportions, so that their middle squares show the same part" + why * one_turned
            )
        lying = max(one.orientation, other.orientation) > 4  # else it is turned by half, or mirrored
        if one_turned and (not lying or _alike(w, h, g, v)):
            doubtful.append(name)
    return [
        f"pairs of which EXIF turns one alone: {len(doubtful)} ({_first(doubtful)}); look whether both show the same: "
        f"what PIL makes of a picture lies as before, unless data.picture(FILE) read it"
    ] * bool(doubtful)


def _alike(w: int, h: int, v: int, g: int) -> bool:
    """Whether w×h and v×g are of the same proportions, but for a pixel of rounding or a hundredth."""
    return abs(w * g - v * h) <= max(w, h, v, g, w * g // 100)


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _is_run(folder: Path) -> bool:
    """Whether this is the folder of a run, whose samples.png is no picture of the data it stands among."""
    return all((folder / name).exists() for name in ("settings.json", ".lock"))


def _natural(name: str) -> tuple[list[str | int], str]:
    """So that 10 comes after 9."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", name)], name


def _pictures(folder: Path, skipped: Counter[str]) -> list[str]:
    """The names of the pictures of a folder, sorted; visible files of other kinds are counted by their endings."""
    seen = [entry for entry in os.scandir(folder) if not _is_system(entry.name)]
    names = sorted(entry.name for entry in seen if os.path.isfile(entry))
    if broken := sum(entry.is_symlink() and not os.path.exists(entry) for entry in seen):
        skipped["linked to nothing"] += broken
    endings = [os.path.splitext(name)[1].lower() for name in names]
    skipped.update(ending or "without ending" for ending in endings if ending not in SUFFIXES)
    return [name for name, ending in zip(names, endings, strict=True) if ending in SUFFIXES]


def _lower(folder: Path, level: int) -> Counter[Path]:
    """How many pictures there are in each folder that lies more than `level` below this one (and at most four)."""
    found = Counter[Path]()
    for place, below, _ in os.walk(folder):
        here = Path(place).relative_to(folder)
        inside = here.parts and _is_run(Path(place))
        below[:] = [] if inside or len(here.parts) == 4 else [name for name in below if not _is_system(name)]
        if len(here.parts) > level and not inside and (pictures := _pictures(Path(place), Counter())):
            found[here] = len(pictures)
    return found


def _too_low(folder: Path, level: int, read: int, lower: Counter[Path]) -> list[str]:
    """A note on pictures that lie too low to be read; if they are the most, the folder was hardly meant."""
    count = sum(lower.values())
    if count > read:
        meant = Counter[Path]()
        for place, pictures in lower.items():
            meant[place.parent if level else place] += pictures
        raise ValueError(
            f"{folder}: {count} pictures lie deeper than is read here, and {read} do not; "
            f"meant is probably {folder / meant.most_common(1)[0][0]}"
        )
    each = ", ".join(f"{place.as_posix()}/ {pictures}" for place, pictures in lower.most_common(5))
    return [f"{count} that lie deeper are left out: {each}" + ", …" * (len(lower) > 5)] if count else []


def _read(folder: Path, names: list[str], size: Size, root: Path) -> tuple[Tensor, tuple[str, ...]]:
    """These pictures as one uint8 tensor (N, C, H, W), decoded or found in the cache, and notes on them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")  # of details that do not matter, without the file's name
        return _read_quietly(folder, names, size, root)


def _read_quietly(folder: Path, names: list[str], size: Size, root: Path) -> tuple[Tensor, tuple[str, ...]]:
    array = _place(folder, names, size, root)
    if array is not None:
        with suppress(OSError, ValueError):  # not there, or not whole
            return _mapped(array), tuple(json.loads(array.with_suffix(".json").read_text(encoding="utf8")))
    (height, width), grey, sizes = _headers(folder, names, size)
    shape, seen = (len(names), 1 if grey else 3, height, width), Counter[str]()
    late: tuple[str, ...] = ()
    if array is not None:
        try:
            _write(array, shape, _decoded(folder, names, shape, seen))
            notes = (_sized(width, height, sizes), *said(seen))
            array.with_suffix(".json").write_text(json.dumps(notes), encoding="utf8")
            return _mapped(array), notes
        except OSError as error:
            late = (f"kept in memory: {array.parent} cannot be written ({error.strerror or error})",)
            seen.clear()
    x = torch.empty(shape, dtype=torch.uint8)
    for into, pixels in zip(x, _decoded(folder, names, shape, seen), strict=True):
        into.copy_(torch.from_numpy(pixels))
    return x, (_sized(width, height, sizes), *said(seen), *late)


def _place(folder: Path, names: list[str], size: Size, root: Path) -> Path | None:
    """Where the cache keeps these pictures, by their names, lengths and dates; None for few."""
    wanted = f"1 {folder.resolve()} {size if isinstance(size, int) else getattr(size, '__name__', size)}"
    state, total = hashlib.sha256(), 0
    for name in names:
        status = os.stat(folder / name)
        state.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
        total += status.st_size
    if total < _CACHED_FROM:
        return None
    return root / "pictures" / f"{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]}-{state.hexdigest()[:32]}.npy"


def _mapped(array: Path) -> Tensor:
    """The numbers of a file of the cache; whoever changes them, changes a copy of his own."""
    try:
        return mapped(np.load(array, mmap_mode="c"))
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        with warnings.catch_warnings(action="ignore"):  # too large for a copy of it all: it must not be changed
            return mapped(np.load(array, mmap_mode="r"))


def _write(array: Path, shape: tuple[int, ...], rows: Iterator[np.ndarray]) -> None:
    """Whole or not at all; what the cache held of an earlier state of the same folder goes."""
    array.parent.mkdir(parents=True, exist_ok=True)
    temporary = array.with_suffix(f".{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for pixels in rows:
                file.write(pixels.tobytes())
        os.replace(temporary, array)
    finally:
        temporary.unlink(missing_ok=True)
    for old in array.parent.glob(f"{array.name.partition('-')[0]}-*"):
        if old.stem != array.stem and old.suffix != ".part":
            with suppress(OSError):
                old.unlink()


def _each(call: Callable[[Path], T], folder: Path, names: list[str]) -> Iterator[T]:
    """What `call` says of each picture, in order, a few ahead of who asks; the damaged ones are named at the end."""

    damaged: list[str] = []

    def named(name: str) -> T | None:
        try:
            return call(folder / name)
        except Exception as error:  # damaged files make PIL raise nearly anything
            damaged.append(f"{folder / name} cannot be read as an image: {error}")
            return None

    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(names), 4 * workers):
            found = [*pool.map(named, names[start : start + 4 * workers])]
            if not damaged:
                yield from (one for one in found if one is not None)
    if damaged:
        more = f"; and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        raise ValueError("; ".join(sorted(damaged)[:5]) + more)


def _headers(folder: Path, names: list[str], size: Size) -> tuple[tuple[int, int], bool, Counter[tuple[int, int]]]:
    """Height and width to bring these pictures to, whether all are grey, and how many there are of each
    (width, height)."""
    sizes, grey = Counter[tuple[int, int]](), True
    for header in _each(_header, folder, names):
        sizes[header.size] += 1
        grey = grey and header.grey
    if isinstance(size, int):
        return (size, size), grey, sizes
    if len(sizes) == 1:
        ((width, height),) = sizes.keys()
        side = size and size(height, width)
        return (side, side) if side else (height, width), grey, sizes
    shorter = median_low(min(pair) for pair in sizes.elements())
    side = (size or fit)(shorter, shorter + 1)  # as of pictures that are no squares
    return (side, side), grey, sizes


class _Header(NamedTuple):
    size: tuple[int, int]
    """(width, height) upright"""
    grey: bool
    orientation: int


def _header(path: Path) -> _Header:
    """Of a picture, without its pixels."""
    from PIL import Image

    with Image.open(path) as image:
        _must_have_a_range(image)
        known = image.format != "PNG" or "exif" in image.info  # else it may stand behind the pixels
        turned = _orientation(image) if image.format != "TIFF" and known else 1
        return _Header(image.size[::-1] if turned in (5, 6, 7, 8) else image.size, image.mode in _GREY, turned)


def _decoded(
    folder: Path, names: list[str], shape: tuple[int, int, int, int], seen: Counter[str]
) -> Iterator[np.ndarray]:
    """Each picture as uint8 (C, H, W); what was done to them is counted in `seen`."""
    from PIL import Image

    _, channels, height, width = shape

    def decode(path: Path) -> tuple[np.ndarray, tuple[bool, bool, int | None, bool]]:
        with Image.open(path) as file:
            file.draft(None, (2 * width, 2 * height))  # a JPEG is decoded no larger than is needed
            found = upright(file)
        return pixels(found.image, channels, width, height), found[1:]

    known = set[bytes]()
    for decoded, done in _each(decode, folder, names):
        tally(seen, *done)
        if decoded.min() < decoded.max():  # blank ones are alike without being copies
            digest = hashlib.sha256(decoded.tobytes()).digest()
            seen["copies"] += digest in known
            known.add(digest)
        yield decoded


def pixels(image: Image.Image, channels: int, width: int, height: int) -> np.ndarray:
    """uint8 (C, height, width) of an upright picture: the largest part of these proportions in its middle, resized."""
    from PIL import Image

    image = image.convert("L" if channels == 1 else "RGB")
    scale = min(image.width / width, image.height / height)
    w, h = round(scale * width), round(scale * height)
    left, top = (image.width - w) / 2, (image.height - h) / 2
    if scale == 1:  # only cut: pixels stay what they are
        left, top = int(left), int(top)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + w, top + h))
    return np.array(image).reshape(height, width, channels).transpose(2, 0, 1)


def picture(path: str | os.PathLike[str]) -> Image.Image:
    """A picture in RGB as it is meant to be seen, and as folders are read: turned by its EXIF orientation, on white
    where it is transparent, 16-bit grey divided by 257. For torch's data sets: `ImageFolder(…, loader=data.picture)`.

    Raises:
        ValueError: it cannot be read, or its values have no known range.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return upright(image).image.convert("RGB")
    except Exception as error:  # damaged files make PIL raise nearly anything
        raise ValueError(f"{os.fspath(path)} cannot be read as an image: {error}") from error


_ORIENTATION = 0x0112  # its number in EXIF


def _orientation(image: Image.Image) -> int:
    """By its EXIF; 1, which is upright, where it has none or a damaged one: its pixels may be whole all the same."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # PIL raises nearly anything
        return 1


class Picture(NamedTuple):
    """A picture as it is meant to be seen.

    Attributes:
        image: of mode L or RGB.
        turned: whether its EXIF orientation was applied.
        transparent: whether some of it was, and is white now.
        brightest: the largest value of 16-bit grey, which is divided by 257; else None.
        moving: whether there are further frames, which are not looked at.
    """

    image: Image.Image
    turned: bool
    transparent: bool
    brightest: int | None
    moving: bool


def upright(image: Image.Image) -> Picture:
    """A picture of any kind, turned by its EXIF orientation, in 8 bits, on a white ground where it is transparent.

    Raises:
        ValueError: its values have no known range.
    """
    from PIL import Image, ImageOps

    _must_have_a_range(image)
    moving = getattr(image, "is_animated", False)
    if image.format == "PNG":
        image.load()  # its EXIF may stand behind the pixels, whose damage is not to be taken for the EXIF's
    turned = _orientation(image) in range(2, 9)
    if turned:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"its values go from {values.min()} to {values.max()}; 16-bit grey ends at 65535")
        hidden = values == image.info.get("transparency", -1)
        eight = np.where(hidden, 255, (values + 128) // 257).astype(np.uint8)
        return Picture(Image.fromarray(eight), turned, bool(hidden.any()), int(values.max()), moving)
    grey, transparent = image.mode in _GREY, False
    if image.has_transparency_data:
        image = image.convert("RGBA")
        transparent = image.getextrema()[-1] != (255, 255)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return Picture(image.convert("L" if grey else "RGB"), turned, transparent, None, moving)


def _must_have_a_range(image: Image.Image) -> None:
    if image.mode == "F":
        raise ValueError(
            "it holds floating-point numbers (mode F), of which none is known to be black or white; "
            "save it with 8 or 16 bits"
        )


def _sized(width: int, height: int, sizes: Counter[tuple[int, int]]) -> str:
    now = f"{width}×{height}"
    if len(sizes) == 1:
        ((w, h),) = sizes.keys()
        if w == width and h == height:
            return now
        larger = " and enlarged" if min(w, h) < min(width, height) else ""
        return f"{now}, {'resized' if w == h else 'cropped'}{larger} from {w}×{h}"
    shorter = Counter[int]()
    for (w, h), count in sizes.items():
        shorter[min(w, h)] += count
    small = sum(count for side, count in shorter.items() if side < width)
    return f"{now}, the middle squares of pictures whose shorter sides are {min(shorter)} … {max(shorter)} pixels" + (
        f"; {small} of them enlarged" if small else ""
    )


def tally(seen: Counter[str], turned: bool, transparent: bool, brightest: int | None, moving: bool) -> None:
    """Count what was done to a picture, which a `Picture` says after its image; `said` puts it into words."""
    seen["turned"] += turned
    seen["transparent"] += transparent
    seen["moving"] += moving
    seen["16 bit"] += brightest is not None
    seen["brightest"] = max(seen["brightest"], brightest or 0)


def said(seen: Counter[str]) -> Iterator[str]:
    """What was done to pictures, in words."""
    if seen["turned"]:
        yield f"{seen['turned']} turned upright by their EXIF orientation"
    if seen["transparent"]:
        yield f"{seen['transparent']} transparent picture{'s' * (seen['transparent'] > 1)} put on white"
    if seen["moving"]:
        yield f"{seen['moving']} of several frames, of which the first is taken"
    if seen["copies"]:
        yield f"{seen['copies']} the same as another in every pixel: copies may be trained on and held out at once"
    if seen["16 bit"]:
        dark = ", which makes them dark: scale them to 65535 before" if seen["brightest"] < 4096 else ""
        yield f"{seen['16 bit']} of 16-bit grey, their values (up to {seen['brightest']}) divided by 257{dark}"


_KINDS = ("images", "points", "samples")
"""What the samples of an archive may be called."""


def npz(path: Path, split: str, size: int | Literal["fit"] | None) -> Read:
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it holds one bare array")
        with archive:
            found = archive.files
            arrays = {key: np.asanyarray(archive[key]) for key in (*_KINDS, "labels", "classes") if key in found}
    except (OSError, ValueError, EOFError, RuntimeError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        # Not numpy's own words for what is no archive: they advise to unpickle it.
        why = (
            "it is none, or holds Python objects, as names do without .astype(str)" if "pickle" in str(error) else error
        )
        of = {".csv": 'numpy.loadtxt(CSV, delimiter=",")', ".npy": "numpy.load(NPY)"}.get(path.suffix.lower(), "…")
        raise ValueError(
            f"{path} cannot be read as an .npz file of plain arrays: {why}. numpy.savez(FILE, points={of}) writes one, "
            f"images=… of images"
        ) from error
    kinds = [key for key in _KINDS if key in arrays]
    if len(kinds) != 1:
        got = ", ".join(kinds or sorted(found)) or "nothing"
        raise ValueError(
            f"{path} must hold {'one' if kinds else 'an'} array called images, points or samples, got {got}"
        )
    key = kinds[0]
    x, *scaled = _samples(f"{path}: {key}", arrays[key], key != "points")
    labels = arrays.get("labels")
    y, classes, *left = (None, ()) if labels is None else _labels(path, labels, len(x), arrays.get("classes"))
    each = [len(x)] if y is None else y.bincount().tolist()
    held_out = sum(count // 5 for count in each)
    notes = [_summary(len(x) - held_out, held_out, dict(zip(classes, each, strict=False))), *left, *scaled]
    images = x.dim() == 4
    height, width = x.shape[2:] if images else (0, 0)
    if size == "fit":
        size = fit(height, width, most=height) if images else None
    if images:
        notes.append(_sized(size or width, size or height, Counter([(width, height)])))
    return part(path.stem, (x, y, classes), split, size), tuple(notes)


def _labels(path: Path, labels: np.ndarray, n: int, names: np.ndarray | None) -> tuple[Any, ...]:
    """Labels from 0 without gaps; the classes, called as `names` has them, or as these labels are; notes."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf8", "backslashreplace")
    text = labels.dtype.kind == "U"
    if labels.shape != (n,) or labels.dtype.kind not in "iuU" or (labels == "" if text else labels < 0).any():
        raise ValueError(
            f"{path}: labels must be {n} whole numbers from 0, got {labels.dtype} of shape {labels.shape}"
            + (f" from {labels.min()}" if labels.size and labels.dtype.kind in "iuf" else "")
            + ("; as names, none may be empty" if text else "; names are right too, .astype(str)")
        )
    values, numbered = np.unique(labels, return_inverse=True)
    if text:
        order = np.array(sorted(range(len(values)), key=lambda k: _natural(str(values[k]))))
        y = torch.from_numpy(np.argsort(order)[numbered])
        return (
            y,
            tuple(values[order].tolist()),
            *(["classes are left out: the labels are names"] if names is not None else []),
        )
    y, most = torch.from_numpy(numbered.astype(np.int64)), int(values.max())
    if names is None or names.dtype.kind != "U" or not most < names.size == len(np.unique(names)):
        left = [] if names is None else [f"classes are left out: they must be different names of the labels 0 … {most}"]
        return y, tuple(str(value) for value in values), *left
    return y, tuple(str(names.reshape(-1)[value]) for value in values)


def _samples(what: str, array: np.ndarray, images: bool) -> tuple[Any, ...]:
    """Images as uint8 (N, C, H, W) or points as float32 (N, D), and what was done to them."""
    got = f"got {array.dtype} of shape {array.shape}"
    if array.size == 0:
        raise ValueError(f"{what} is empty, {got}")
    if array.dtype == np.uint8:
        return (image_layout(what, torch.from_numpy(array)),)
    if array.dtype.kind == "f" and array.ndim in (3, 4) and images:
        return _shades(what, array)
    if array.dtype.kind != "f" or array.ndim != 2:
        raise ValueError(
            f"{what} must be images as uint8, from 0 to 255, or points (N, D) as floats, {got}"
            + ('; of images from 0 to 255 .astype("uint8") is right' if array.ndim in (3, 4) and images else "")
        )
    with np.errstate(over="ignore"):
        points = array.astype(np.float32)
    if not (finite := np.isfinite(points).all(1)).all():
        raise ValueError(f"{what} must be finite: row {int(np.flatnonzero(~finite)[0])} is not, as float32")
    return (torch.from_numpy(points),)


def _shades(what: str, array: np.ndarray) -> tuple[Tensor, str]:
    """Float images as uint8: of [0, 1], of [-1, 1] where some are below 0, or whole numbers up to 255."""
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{what} must be finite, got NaN or infinity")
    if -1.001 <= low and high <= 1.001:
        scale, start, note = (255, 0, "[0, 1]") if low >= 0 else (127.5, 1, "[-1, 1]")
    elif low >= 0 and high <= 255 and (array == np.rint(array)).all():
        scale, start, note = 1, 0, "whole numbers up to 255"
    else:
        raise ValueError(
            f"{what} are float images from {low:g} to {high:g}, and must lie in [0, 1] or in [-1, 1]; of values from 0 "
            f'to 255 .astype("uint8") is right'
        )
    layout = image_layout(what, torch.from_numpy(array.astype(np.float32)))
    shades = layout.add_(start).mul_(scale).round_().clamp_(0, 255).to(torch.uint8)
    return shades, f"float images, taken as {note} and kept in 256 shades"
