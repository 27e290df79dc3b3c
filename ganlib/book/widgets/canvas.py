"""An endless canvas in the reader's browser: a texture that a convolutional generator makes wherever one looks.

The noise at a place is a hash of where it is, so that who comes back finds the same. A generator without an end of its
own was first the spatial GAN (Jetchev et al. 2016, https://arxiv.org/abs/1611.08207).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import traitlets
from torch import Tensor, nn

from ganlib import _check, nets
from ganlib.book.widgets.network import Tape, script, write_layer
from ganlib.book.widgets.translators import CHANNELS, Translating, bounded, worded, write_all

FAR = 10**9
"""Pixels from (0, 0) to where a canvas ends after all: its numbers have 32 bits."""
LEAST_WINDOW, MOST_WINDOW, MOST_SCALE = 16, 256, 8
_TILE = 32  # pixels a side, or a little more
_SAME_EVERYWHERE = (
    nn.Conv2d, nn.ConvTranspose2d, nn.Upsample, nn.PixelShuffle, nn.BatchNorm2d, nets.PixelNorm, nn.PReLU, nn.ReLU,
    nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Identity, nn.Dropout, nn.Dropout2d,
)  # fmt: skip


def _mixed(h: np.ndarray) -> np.ndarray:
    """The last step of MurmurHash3 (Appleby 2011, public domain): each bit of a uint32 moves every other."""
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return cast(np.ndarray, h ^ (h >> np.uint32(16)))


def hashed_noise(seed: int, channels: int, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """Standard normal noise that depends on its place alone, the same in Python and in the page of a `canvas`.

    First used in chapter 21. Number (c, i, j) is a hash of (seed, c, i, j), made normal by the transform of Box and
    Muller (1958).

    Args:
        seed: a whole number from 0, below 2³².
        channels: C, at least 1.
        rows: i, such as range(-3, 20); whole numbers of 32 bits.
        columns: j, likewise.

    Returns:
        (1, C, len(rows), len(columns)) float32.

    Raises:
        TypeError: a seed or a number of channels that is no number.
        ValueError: numbers out of range, no rows or no columns.
    """
    if _check.positive_int("seed", seed, minimum=0) >= 2**32:
        raise ValueError(f"seed must lie below 2³², got {seed}")
    h = _mixed(np.array([seed], dtype=np.uint32) + np.uint32(0x9E3779B9))
    sides = (range(_check.positive_int("channels", channels)), _places("rows", rows), _places("columns", columns))
    for side, shape in zip(sides, ((-1, 1, 1), (-1, 1), (-1,)), strict=True):
        h = _mixed(h ^ np.array(side, dtype=np.int64).astype(np.uint32).reshape(shape))
    first, second = ((bits + 0.5) / 2**32 for bits in (h, _mixed(h + np.uint32(0x9E3779B9))))
    normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    return torch.from_numpy(normal.astype(np.float32))[None]


def _places(name: str, places: Sequence[int]) -> np.ndarray:
    found = np.asarray(places)
    if (
        found.ndim != 1
        or not len(found)
        or found.dtype.kind not in "iu"
        or found.min() < -(2**31)
        or found.max() >= 2**31
    ):
        raise ValueError(f"{name} must be whole numbers of 32 bits, at least one, got {places!r:.60}")
    return found


class Canvas(Translating):
    """What `canvas` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        x: column of the texture at the left edge of the window, in pixels; negative to the left of the start.
        y: row of the texture at its upper edge; negative above the start.
        texture: the name of the generator at work.
    """

    _esm = script("engine.js", "page.js", "translators.js", "canvas.js")
    _css = script("translators.css", "canvas.css")
    x = traitlets.Int(0).tag(sync=True)
    y = traitlets.Int(0).tag(sync=True)
    texture = traitlets.Unicode().tag(sync=True)
    _makers: Mapping[str, nn.Module] = {}

    @torch.no_grad()
    def picture(self) -> Tensor:
        """What the window shows: (1, 1 or 3, height, width), in the generator's full precision."""
        spread = self.networks[self.facts["names"].index(self.texture)]["spread"]
        (rows, top), (columns, left) = (
            _needed(start, length, **spread) for start, length in zip((self.y, self.x), self.facts["size"], strict=True)
        )
        noise = hashed_noise(self.facts["seed"], self.facts["channels"], rows, columns)
        height, width = self.facts["size"]
        made = self._makers[self.texture](noise).float()
        return cast(Tensor, made[..., top : top + height, left : left + width])

    @traitlets.validate("x")
    def _near_x(self, proposal: Any) -> int:
        return int(bounded("x", proposal["value"], -FAR, FAR))

    @traitlets.validate("y")
    def _near_y(self, proposal: Any) -> int:
        return int(bounded("y", proposal["value"], -FAR, FAR))

    @traitlets.validate("texture")
    def _known_texture(self, proposal: Any) -> str:
        name, names = proposal["value"], self.facts["names"]
        if name not in names:
            raise traitlets.TraitError(f"texture must be one of {', '.join(names)}, got {name!r}")
        return cast(str, name)


def canvas(
    generator: nn.Module | Mapping[str, nn.Module],
    *,
    size: tuple[int, int] = (96, 96),
    scale: int = 3,
    alt: str = "texture",
    seed: int = 0,
) -> Canvas:
    """A window on an endless texture, to drag or to move by the arrow keys; the same place always looks the same.

    First used in chapter 21.

    The generator runs in the page, tile by tile, on `hashed_noise`. A tile is computed from all the noise that its
    pixels depend on, and what padding spoils at the border is cut off, so that tiles join without a seam.

    Args:
        generator: an `nn.Sequential` on noise (1, C, h, w) that makes images (1, 1 or 3, H, W) in [-1, 1], s pixels for
            each number of the noise along a side, less a border: convolutions of stride 1, transposed convolutions,
            nearest enlargement, pixel shuffles, normalisation of batches (in evaluation mode) or pixels, and
            activations; or several of the same C, {name: generator}, for a switch.
        size: height and width of the window in pixels of the texture, 16 to 256.
        scale: pixels of the screen for each of them, 1 to 8; on a narrow screen fewer.
        alt: what the texture shows, for those who cannot see it.
        seed: of the noise.

    Returns:
        The widget. What its method returns comes from copies of the generators, in full precision.

    Raises:
        TypeError: a generator is no `nn.Sequential`, or has a layer that does not run in the page or does not do the
            same everywhere, which the message names.
        ValueError: generators that do not fit each other or make no images, a window or a scale out of range, weights
            of all generators above `WEIGHTS_LIMIT`.
    """
    makers: Mapping[str, Any] = generator if isinstance(generator, Mapping) else {"texture": generator}
    if not makers:
        raise ValueError("generator must hold at least one generator, got none")
    if (
        not isinstance(size, Sequence)
        or len(size) != 2
        or not all(LEAST_WINDOW <= _check.positive_int("size", side) <= MOST_WINDOW for side in size)
    ):
        raise ValueError(f"size must be height and width from {LEAST_WINDOW} to {MOST_WINDOW}, got {size!r}")
    if _check.positive_int("scale", scale) > MOST_SCALE:
        raise ValueError(f"scale must lie between 1 and {MOST_SCALE}, got {scale}")
    named = isinstance(generator, Mapping)
    arguments = {f"generator[{name!r}]" if named else "generator": net for name, net in makers.items()}
    spreads = {name: _spread(name, net) for name, net in arguments.items()}
    channels = {_depth(name, net) for name, net in arguments.items()}
    if len(channels) > 1:
        raise ValueError(f"generator must hold generators on noise of as many channels each, got {sorted(channels)}")
    (depth,) = channels
    tiles = {}
    for name, spread in spreads.items():
        side = spread["scale"] * -(-_TILE // spread["scale"])
        tiles[name] = (side, len(_needed(0, side, **spread)[0]))
    networks, weights = write_all(
        {}, others={name: (arguments[name], (depth, cells, cells)) for name, (_, cells) in tiles.items()}
    )
    for (name, spread), made in zip(spreads.items(), networks, strict=True):
        if made["shape"][0] not in CHANNELS:
            raise ValueError(f"{name} must make images of 1 or 3 channels, got {made['shape'][0]}")
        made |= {"spread": spread, "tile": tiles[name][0]}
    facts = {
        "names": [str(name) for name in makers],
        "channels": depth,
        "size": list(size),
        "scale": scale,
        "seed": _check.positive_int("seed", seed, minimum=0),
        "alt": worded(alt),
    }
    hashed_noise(seed, 1, [0], [0])  # a seed that is too large is refused here
    widget = Canvas(networks=networks, weights=weights, facts=facts, texture=str(next(iter(makers))))
    widget._makers = {str(name): copy.deepcopy(net).cpu().eval() for name, net in makers.items()}
    return widget


def _spread(name: str, net: nn.Module) -> dict[str, int]:
    """How noise becomes pixels: cells [i, i + n) determine pixels [scale · i + first, scale · (i + n) − last).

    Followed through the layers, `first` and `last` are where pixels begin and cease to depend on the cells alone, and
    `end` is where the image ends, all relative to the cells' own pixels; pixel 0 of the image is pixel scale · i.
    """
    if type(net) is not nn.Sequential:
        raise TypeError(f"{name} must be an nn.Sequential on a map of noise, got {type(net).__name__}")
    for path, layer in net.named_modules():
        if not isinstance(layer, nn.Sequential) and type(layer) not in _SAME_EVERYWHERE:
            raise TypeError(
                f"{name}.{path}: {type(layer).__name__} does not run on an endless canvas; what does are layers that "
                f"do the same everywhere: {', '.join(kind.__name__ for kind in _SAME_EVERYWHERE)}"
            )
        strided = isinstance(layer, nn.Conv2d) and set(layer.stride) != {1}
        if strided or (isinstance(layer, nn.Upsample) and layer.mode != "nearest"):
            fact = f"stride={layer.stride}" if strided else f"mode={layer.mode!r}"
            raise TypeError(f"{name}.{path}: {type(layer).__name__} with {fact} does not run on an endless canvas")
    tape = Tape()
    with torch.no_grad():
        write_layer(tape, net, name)
    scale, first, last, end = 1, 0, 0, 0
    for layer in tape.layers:
        if layer["op"] in ("enlarge", "shuffle"):
            scale, first, last, end = (layer["factor"] * v for v in (scale, first, last, end))
        elif layer["op"] == "reflect":
            first, last, end = first + layer["padding"], last - layer["padding"], end - 2 * layer["padding"]
        elif layer["op"] == "convolve":
            kernel, padding = layer["kernel"], layer["padding"]
            first, last, end = first + padding, last + kernel - 1 - padding, end + kernel - 1 - 2 * padding
        elif layer["op"] == "grow":
            kernel, stride, padding = layer["kernel"], layer["stride"], layer["padding"]
            scale, first, last = scale * stride, (first - 1) * stride + kernel - padding, last * stride + padding
            end = end * stride + stride - kernel + 2 * padding - layer["extra"]
        first, last = max(first, 0), max(last, end)
    return {"scale": scale, "first": first, "last": last}


def _depth(name: str, net: nn.Module) -> int:
    """Channels of the noise."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            return layer.in_channels
    raise TypeError(f"{name} must begin with a convolution on the noise, got none")


def _needed(start: int, length: int, scale: int, first: int, last: int) -> tuple[range, int]:
    """The cells that pixels [start, start + length) depend on, and where these begin in what the cells make."""
    begin = (start - first) // scale
    end = -(-(start + length + last) // scale)
    return range(begin, end), start - scale * begin
