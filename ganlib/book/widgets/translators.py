"""What the widgets that translate pictures share: networks, pictures and colours as the page gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import anywidget
import torch
import traitlets
from torch import Tensor, nn

from ganlib import _check
from ganlib.book.widgets.network import SIDE_LIMIT, Tape, packed, write_layer
from ganlib.engine import Game
from ganlib.generator import Generator, Prior, at_rest

PICTURES_LIMIT = 600_000
"""Bytes of pictures that a widget may carry, one a number."""
CHANNELS = (1, 3)
Shape = tuple[int, int, int]


class Translating(anywidget.AnyWidget):
    """A widget with networks that run in the page.

    Attributes:
        networks: each as plain layers, with the length of its `code` and the `shape` of what it makes.
        weights: the layers' numbers in half precision, one network behind the other.
        pictures: what it starts from, one byte a number.
        facts: what else the page is told.
    """

    networks: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    pictures = traitlets.Bytes().tag(sync=True)
    facts = traitlets.Dict().tag(sync=True)


def bounded(name: str, value: float, least: float, most: float) -> float:
    """What a widget's state may be set to, or a TraitError."""
    if not least <= value <= most:
        raise traitlets.TraitError(f"{name} must lie between {least:g} and {most:g}, got {value:g}")
    return value


def write_all(
    nets: Mapping[str, tuple[Any, Shape]],
    code: bool = False,
    others: Mapping[str, tuple[nn.Module, Shape]] | None = None,
) -> tuple[list[dict[str, Any]], bytes]:
    """Translators for the page, and their weights.

    Args:
        nets: by the name of the argument each came as: a network, a game or a generator, and the shape of its images.
        code: whether it may take a z.
        others: further networks, which stand behind these and need not make pictures: their `shape` says what they do.

    Raises:
        TypeError: one is no translator, or has a layer that does not run in the page.
        ValueError: one does not take such images, makes none, or takes a code that nobody gives it; too many weights.
    """
    written, numbers, both = [], [], {**nets, **(others or {})}
    for name, (given, shape) in both.items():
        net = network(name, given)
        latent, classes = getattr(net, "latent", 0), getattr(net, "classes", None)
        if classes or (latent and not code):
            takes = f"labels of {classes} classes" if classes else f"a z of {latent} numbers"
            raise ValueError(f"{name} takes {takes} beside the image, which this widget does not give it")
        tape = Tape()
        with at_rest(net), torch.no_grad():
            write_layer(tape, net, name)
            made = _made(name, net, shape, latent)
        if name in nets and (len(made) != 3 or made[0] not in CHANNELS or max(made[1:]) > SIDE_LIMIT):
            raise ValueError(
                f"{name} must make images (1 or 3, H, W) of at most {SIDE_LIMIT} pixels a side, got {made}"
            )
        written.append({"layers": tape.layers, "code": latent, "shape": list(made)})
        numbers += tape.numbers
    return written, packed(" and ".join(both), numbers)


def network(name: str, given: Any) -> nn.Module:
    """The network that translates; of a game the averaged one."""
    made = given.snapshot() if isinstance(given, Game) else given
    if isinstance(made, Generator):
        if "inputs" not in made.takes:
            raise TypeError(f"{name} must turn images into images, got {made!r}")
        if getattr(made.maker, "latent", 0) and not (isinstance(made.prior, Prior) and made.prior.kind == "normal"):
            raise ValueError(f"{name} is of a game with a prior of its own: the page draws a normal z")
        made = made.maker
    if not isinstance(made, nn.Module):
        raise TypeError(f"{name} must be a network, a game or a generator, got {type(given).__name__}")
    return made


def _made(name: str, net: nn.Module, shape: Shape, latent: int) -> tuple[int, ...]:
    """The shape of what a network makes of images of this shape."""
    parameter = next(net.parameters(), torch.zeros(()))
    x = torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)
    try:
        made = tuple(net(x, *([x.new_zeros(1, latent)] if latent else [])).shape[1:])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{name} does not take images of shape {shape}: {error}") from error
    return made


def as_bytes(name: str, images: Any, shape: Sequence[int] | None = None) -> Tensor:
    """Pictures at 256 levels: uint8 (N, 1 or 3, H, W) as they are, floats in [-1, 1] rounded.

    Args:
        shape: what they must have, or None for any.
    """
    _check.tensor(name, images)
    fits = images.dim() == 4 and len(images) and images.shape[1] in CHANNELS and max(images.shape[2:]) <= SIDE_LIMIT
    if shape is not None:
        _check.shape(name, images, str(tuple(shape)), tuple(images.shape) == tuple(shape))
    _check.shape(name, images, f"(N, 1 or 3, H, W) with sides of at most {SIDE_LIMIT}", bool(fits))
    if images.dtype != torch.uint8:
        if not images.is_floating_point() or not (images.abs() <= 1 + 1e-4).all():
            raise ValueError(f"{name} must be uint8 or floats in [-1, 1], got {images.dtype} up to {images.max():g}")
        images = (127.5 * (images.detach().float() + 1)).round().clamp(0, 255).to(torch.uint8)
    return cast(Tensor, images.cpu().contiguous())


def joined(*pictures: Tensor) -> bytes:
    """The bytes of several sets of pictures, one behind the other."""
    whole = b"".join(some.numpy().tobytes() for some in pictures)
    if len(whole) > PICTURES_LIMIT:
        raise ValueError(
            f"the pictures take {len(whole) / 1000:.0f} kB of the page, {PICTURES_LIMIT // 1000} at most: take fewer"
        )
    return whole


def colour(name: str, value: Any) -> list[int]:
    """Red, green and blue of 255, as plain numbers."""
    rgb = [round(float(part)) for part in value] if isinstance(value, Sequence) and len(value) == 3 else []
    if not rgb or not all(0 <= part <= 255 for part in rgb):
        raise ValueError(f"{name} must be red, green and blue from 0 to 255, got {value!r}")
    return rgb


def two_colours(name: str, value: Any) -> dict[str, Any]:
    """("red", (204, 107, 87), "cream", (237, 222, 189)) as the page gets it."""
    if not isinstance(value, Sequence) or len(value) != 4 or not isinstance(value[0], str) or value[0] == value[2]:
        raise ValueError(f"{name} must be (name, (r, g, b), other name, (r, g, b)), got {value!r}")
    return {"names": [value[0], str(value[2])], "colours": [colour(name, value[1]), colour(name, value[3])]}


def worded(alt: str) -> str:
    if not alt.strip():
        raise ValueError("alt must say in words what a picture shows")
    return alt
