"""A reader's own pictures through a translator that was trained: a folder in, a folder of PNG files out."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._check import positive_int
from .data import files
from .generator import Generator
from .run import as_bytes, picture, png, write

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Pictures", "Translator", "backwards"]

TILE = 512  # side of the pieces in which a large picture is enlarged
WHOLE = 2**24  # pixels, at most, of a picture that must be seen as a whole: some five gigabytes


@dataclass(frozen=True)
class Pictures:
    """Pictures that can be read, all of one folder. `Pictures.at` finds them.

    Attributes:
        folder: where they lie.
        names: their names in it; no two differ only in their endings.
        sizes: (width, height) of each, upright.
        coloured: the names of those that are not grey in every pixel.
        notes: what was left out, and what was done to them, a sentence each.
    """

    folder: Path
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    coloured: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def at(cls, place: Path) -> Pictures:
        """The picture there, or all that lie in the folder there. Each is decoded, so that what is damaged is known.

        Raises:
            ValueError: there are none, some cannot be read, or two have one name with different endings.
        """
        folder, names, left_out = files.listed(place)
        files.stems_of(folder, names)
        seen = [*files.each_upright(folder, names, _look)]
        done = Counter[str]()
        for found in seen:
            files.tally(done, *found.done)
        coloured = tuple(name for name, found in zip(names, seen, strict=True) if found.coloured)
        return cls(folder, tuple(names), tuple(found.size for found in seen), coloured, (*left_out, *files.said(done)))


@dataclass(frozen=True)
class _Seen:
    size: tuple[int, int]
    coloured: bool
    done: tuple[bool, bool, int | None, bool]


def _look(_: Path, found: files.Picture) -> _Seen:
    return _Seen(found.image.size, _coloured(found.image), found[1:])


def _coloured(image: Image.Image) -> bool:
    shades = np.asarray(image)
    return shades.ndim == 3 and bool((shades != shades[..., :1]).any())


@dataclass(frozen=True)
class Translator:
    """How pictures are brought to a generator that translates, and back.

    A network that is convolutional throughout (it says the `step` of its sides) takes each picture at its own size,
    mirrored at its right and lower border up to the next multiple of the step; what was added is cut off the answer.
    If it also says its `reach`, large pictures go through it in pieces that overlap so far that the answer is the same.
    Another one takes the middle square of each, at the size that it learned from.

    Attributes:
        made: the generator; of cycle_gan either direction.
        size: to which the shorter side of each picture is brought first, or None for the pictures as they are.

    Raises:
        ValueError: this generator does not translate images, or its network takes no other size.
    """

    made: Generator
    size: int | None = None

    def __post_init__(self) -> None:
        if "inputs" not in self.made.takes or len(self.made.shape) != 3:
            raise ValueError("this run makes its samples from latents alone and translates no pictures: ganlib sample")
        if self.size is None:
            return
        if not self.any_size and (self.size, self.size) != self.learned:
            height, width = self.learned
            raise ValueError(f"--size must be left out: this network takes {width}×{height} only, got {self.size}")
        if positive_int("--size", self.size) < self._least:
            raise ValueError(f"--size must be at least {self._least} for this network, got {self.size}")

    @property
    def any_size(self) -> bool:
        """Whether the network takes pictures of any size."""
        return hasattr(self.made.maker, "step")

    @property
    def channels(self) -> int:
        """Of the pictures that it takes: 1 if they are grey, 3 if they have colours."""
        return int(getattr(self.made.maker, "channels", self.made.shape[0]))

    @property
    def learned(self) -> tuple[int, int]:
        """(height, width) of the images that it learned from."""
        return self.made.shape[1], self.made.shape[2]

    @property
    def _least(self) -> int:
        return int(getattr(self.made.maker, "least", 1))

    @property
    def _most(self) -> float:
        """Pixels of a picture, at most."""
        return math.inf if hasattr(self.made.maker, "reach") or not self.any_size else WHOLE

    def says(self) -> str:
        """At which size it takes pictures, in words."""
        height, width = self.learned
        if not self.any_size:
            return f"the middle of each at {width}×{height}, as the run learned"
        if self.size is None:
            return f"each at its own size; the run learned from {width}×{height}, which is --size {min(height, width)}"
        return f"each with its shorter side at {self.size}; the run learned from {width}×{height}"

    def must_take(self, pictures: Pictures) -> None:
        """Refuse pictures in colour where grey ones were learned from, and too small or too large ones, by their names.

        Raises:
            ValueError: naming them.
        """
        if self.channels == 1 and (coloured := pictures.coloured):
            raise ValueError(f"the run learned from grey pictures, and these have colours: {_few(coloured)}")
        if self.size is None and self.any_size:
            named = zip(pictures.names, pictures.sizes, strict=True)
            small = [f"{name} ({w}×{h})" for name, (w, h) in named if min(w, h) < self._least]
            if small:
                raise ValueError(
                    f"the network takes pictures of at least {self._least} pixels a side, and these are smaller: "
                    f"{_few(small)}; --size {self._least} enlarges them"
                )
        sides = [(name, *self._sides(size)) for name, size in zip(pictures.names, pictures.sizes, strict=True)]
        if large := [f"{name} ({w}×{h})" for name, w, h in sides if w * h > self._most]:
            raise ValueError(
                f"the network must see a picture as a whole, so at most {WHOLE // 10**6} million pixels; "
                f"these have more: {_few(large)}; --size 2048 makes them smaller"
            )

    def __call__(self, image: Image.Image, *, answers: int = 1, label: int | None = None, seed: int = 0) -> Tensor:
        """What is made of one upright picture, (answers, C, H, W) in [-1, 1].

        Answers of one seed are the same whatever other pictures there are, and answer k of each picture has one z.

        Args:
            image: of mode L or RGB.
            answers: how many, of a generator with latents or noise.
            label: the class that is asked for, of a conditional one.
            seed: of latents and noise.

        Raises:
            ValueError: it has colours, and the generator learned from grey pictures; or it is too small or too large.
        """
        if self.channels == 1 and _coloured(image):
            raise ValueError("the run learned from grey pictures, and this one has colours")
        if self.any_size and self.size is None and min(image.size) < self._least:
            raise ValueError(f"a picture must have at least {self._least} pixels a side, got {image.size}")
        width, height = self._sides(image.size)
        if width * height > self._most:
            raise ValueError(f"a picture must have at most {WHOLE // 10**6} million pixels, got {width}×{height}")
        x = torch.from_numpy(files.pixels(image, self.channels, width, height)).float()[None] / 127.5 - 1
        step = int(getattr(self.made.maker, "step", 1))
        x = F.pad(x, (0, -width % step, 0, -height % step), "reflect")
        labels = None if label is None else [label]
        made = self._pieces(x.expand(answers, -1, -1, -1), labels, seed)
        if not self.any_size:
            return made
        factor = made.shape[2] // x.shape[2]
        return made[..., : factor * height, : factor * width]

    def _sides(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) at which the network takes a picture of this size."""
        if not self.any_size:
            return self.learned[1], self.learned[0]
        if self.size is None:
            return size
        width, height = (max(self.size, round(side * self.size / min(size))) for side in size)
        return width, height

    def _pieces(self, x: Tensor, labels: list[int] | None, seed: int) -> Tensor:
        """The answer to images (N, C, H, W), in pieces if the network has a reach: memory hardly grows with them."""
        reach = getattr(self.made.maker, "reach", None)
        if reach is None:
            return self.made.translate(x, labels, seed=seed)
        rows = []
        for top in range(0, x.shape[2], TILE):
            above, row = min(reach, top), []
            for left in range(0, x.shape[3], TILE):
                before = min(reach, left)
                around = x[..., top - above : top + TILE + reach, left - before : left + TILE + reach]
                made = self.made.translate(around, labels, seed=seed)
                k = made.shape[2] // around.shape[2]
                row.append(made[..., k * above : k * (above + TILE), k * before : k * (before + TILE)])
            rows.append(torch.cat(row, 3))
        return torch.cat(rows, 2)

    def write(
        self,
        pictures: Pictures,
        out: Path,
        *,
        answers: int | None = None,
        label: int | None = None,
        seed: int = 0,
        watch: Callable[[int], object] = lambda done: None,
    ) -> int:
        """Translate each picture into `out`, NAME.png, or NAME-0.png, NAME-1.png … if so many answers are asked for.

        Args:
            pictures: which.
            out: a folder, made if it is not there; files of these names in it are replaced.
            answers, label, seed: as in a call.
            watch: told how many pictures are done, after each.

        Returns:
            How many files were written.

        Raises:
            OSError: one cannot be written.
        """
        out.mkdir(exist_ok=True)
        written = 0
        for done, name in enumerate(pictures.names, 1):
            images = files.each_upright(pictures.folder, [name], lambda _, found: found.image)
            made = self(next(images), answers=answers or 1, label=label, seed=seed)
            for k, image in enumerate(as_bytes(made)):
                ending = "" if answers is None else f"-{k}"
                write(out / f"{os.path.splitext(name)[0]}{ending}.png", png(picture(image)))
                written += 1
            watch(done)
        return written


def _few(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:5]) + f" and {len(names) - 5} more" * (len(names) > 5)


def backwards(made: Generator) -> Generator:
    """The way back from targets to inputs, of a generator that learned it too, as cycle_gan's do.

    Raises:
        ValueError: it did not.
    """
    if not isinstance(made.net, nn.ModuleDict) or "inverse" not in made.net:
        raise ValueError("--back is for runs of cycle_gan: no other game learns the way back")
    return replace(made, part="inverse")
