"""Differentiable augmentation: what the discriminator sees is changed at random, the same way for real and generated.

With few images a discriminator learns them by heart. If every image it sees, real or generated and in both players'
turns, goes through the same random change T, it cannot, and since T is differentiable the generator still learns from
it: the game is played on T(x) and T(G(z)), and samples stay free of T (Zhao et al. 2020,
https://arxiv.org/abs/2006.10738, equations 4 to 6).

Each change is a pure function `(images, rng) -> images` of images (N, C, H, W) in [-1, 1], drawn for each image by
itself from a CPU generator; ranges are those of the paper, which has no flip. What moves in from outside and what is
cut out is 0, grey, or what `fill` says: digits stand on black, which is -1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ganlib import _check

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "brightness",
    "colour",
    "contrast",
    "cutout",
    "flip",
    "get",
    "saturation",
    "translation",
]

Change = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Changes one after the other, under a name that a checkpoint keeps.

    Attributes:
        name: such as "translation,cutout".
        changes: functions `(images, rng) -> images`.
    """

    name: str
    changes: tuple[Change, ...]

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        for change in self.changes:
            images = change(images, rng)
        return images


def _check_images(images: Tensor) -> tuple[int, int, int, int]:
    _check.shape("images", images, "(N, C, H, W)", isinstance(images, Tensor) and images.dim() == 4)
    n, channels, height, width = images.shape
    return n, channels, height, width


def _uniform(images: Tensor, rng: torch.Generator, low: float, high: float) -> Tensor:
    """One number for each image, (N, 1, 1, 1)."""
    n, *_ = _check_images(images)
    return (low + (high - low) * torch.rand(n, 1, 1, 1, generator=rng)).to(images)


def brightness(images: Tensor, rng: torch.Generator) -> Tensor:
    """Adds to each image one number from [-0.5, 0.5]."""
    return images + _uniform(images, rng, -0.5, 0.5)


def saturation(images: Tensor, rng: torch.Generator) -> Tensor:
    """Stretches each pixel's distance from the mean of its channels by a factor from [0, 2]; grey images stay."""
    factor = _uniform(images, rng, 0, 2)
    mean = images.mean(1, keepdim=True)
    return mean + (images - mean) * factor


def contrast(images: Tensor, rng: torch.Generator) -> Tensor:
    """Stretches each number's distance from the mean of its image by a factor from [0.5, 1.5]."""
    factor = _uniform(images, rng, 0.5, 1.5)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * factor


def colour(images: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness, saturation and contrast."""
    for change in (brightness, saturation, contrast):
        images = change(images, rng)
    return images


def _offsets(n: int, low: int, high: int, rng: torch.Generator, device: torch.device) -> Tensor:
    """n whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, (n,), generator=rng).to(device)


def translation(images: Tensor, rng: torch.Generator, fill: float = 0.0) -> Tensor:
    """Moves each image by up to an eighth of its sides, down or up and right or left; what moves in is `fill`.

    First built in chapter 13.
    """
    n, channels, height, width = _check_images(images)
    moved = images
    for dim, side in ((2, height), (3, width)):
        reach = round(side / 8)
        shift = _offsets(n, -reach, reach, rng, images.device)
        source = torch.arange(side, device=images.device) - shift[:, None]  # (N, side): where each line comes from
        shape = (n, 1, side, 1) if dim == 2 else (n, 1, 1, side)
        inside = ((source >= 0) & (source < side)).view(shape)
        index = source.clamp(0, side - 1).view(shape).expand(n, channels, height, width)
        moved = torch.where(inside, moved.gather(dim, index), fill)
    return moved


def cutout(images: Tensor, rng: torch.Generator, fill: float = 0.0) -> Tensor:
    """Sets to `fill` a rectangle of half each image's sides, its centre anywhere: some of it may lie outside."""
    n, _, height, width = _check_images(images)
    cut = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=images.device)
    for shape, side in (((n, 1, height, 1), height), ((n, 1, 1, width), width)):
        length = round(side / 2)
        start = _offsets(n, -(length // 2), side - (length + 1) // 2, rng, images.device)[:, None]
        place = torch.arange(side, device=images.device)
        cut = cut & ((place >= start) & (place < start + length)).view(shape)
    return torch.where(cut, fill, images)


def flip(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirrors each image, left to right, with probability 1/2.

    Samples may come out mirrored: what is played for is the mean of p and its mirror image, from which p cannot be
    told (Karras et al. 2020, https://arxiv.org/abs/2006.06676, section 2.2). For faces or landscapes that is right,
    for letters and digits it is not.
    """
    n, *_ = _check_images(images)
    mirrored = torch.rand(n, 1, 1, 1, generator=rng).to(images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)


#: The changes by name.
AUGMENTATIONS: dict[str, Change] = {
    "brightness": brightness,
    "saturation": saturation,
    "contrast": contrast,
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
    "flip": flip,
}


#: Those of them that uncover what lies behind the image.
UNCOVERING: dict[str, Callable[..., Tensor]] = {"translation": translation, "cutout": cutout}


def get(augment: str | Change | None, fill: float = 0.0) -> Augmentation | None:
    """The changes of these names, such as "translation,cutout", in this order.

    A function `(images, rng) -> images` of the reader's own goes by its name; None, for no change, passes through.

    Args:
        augment: names of `AUGMENTATIONS` with commas between, a function, or None.
        fill: what moves in and what is cut out, in the images' unit: the colour of their own ground, where they have
            one, such as -1 for digits on black. On another colour D sees edges that no image has.

    Raises:
        ValueError: a name that is not one of `AUGMENTATIONS`, or a fill for changes that uncover nothing.
        TypeError: neither a name nor a function.
    """
    _check.finite("fill", fill)
    names = [name.strip() for name in augment.split(",")] if isinstance(augment, str) else []
    for name in names:
        _check.one_of("augment", name, AUGMENTATIONS)
    if fill and not set(names) & set(UNCOVERING):
        raise ValueError(f"fill={fill} is for the names {' and '.join(UNCOVERING)}, got augment={augment!r}")
    if names:
        filled = {name: partial(change, fill=fill) for name, change in UNCOVERING.items()} if fill else {}
        ground = f" on {fill:g}" if fill else ""
        return Augmentation(",".join(names) + ground, tuple(filled.get(name, AUGMENTATIONS[name]) for name in names))
    if augment is None or isinstance(augment, Augmentation):
        return augment
    if not callable(augment):
        raise TypeError(f"augment must be names such as 'translation,cutout' or a function, got {augment!r}")
    return Augmentation(getattr(augment, "__name__", type(augment).__name__), (augment,))
