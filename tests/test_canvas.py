"""The endless canvas: hashed noise, joints without a seam, and what is refused. tests/page/test_further.py plays it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import traitlets
from torch import Tensor, nn

from ganlib import nets, widgets

from .test_live import trained


def texture(channels: int = 3, width: int = 4, out: int = 1, padding: int = 0) -> nn.Module:
    """Four pixels for each number of the noise, along a side."""
    return nn.Sequential(
        nn.Conv2d(channels, 2 * width, 3, padding=padding), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
        nn.Upsample(scale_factor=2), nn.Conv2d(2 * width, width, 3, padding=padding), nn.ReLU(),
        nn.ConvTranspose2d(width, width, 4, 2, 1), nn.ReLU(), nn.Conv2d(width, out, 3, padding=padding), nn.Tanh(),
    )  # fmt: skip


def assorted() -> nn.Module:
    """Every layer, kernel and padding that an endless canvas knows."""
    return nn.Sequential(
        nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1), nets.PixelNorm(), nn.ELU(), nn.Dropout(),
        nn.Conv2d(4, 8, 5, 1, 2, padding_mode="reflect"), nn.PixelShuffle(2), nn.PReLU(2),
        nn.Sequential(nn.ConvTranspose2d(2, 3, 2, 3, 0, output_padding=1), nn.SiLU()), nn.Conv2d(3, 1, 1), nn.Sigmoid(),
    )  # fmt: skip


def canvas(generator: Any = None, **options: Any) -> widgets.Canvas:
    return widgets.canvas(texture() if generator is None else generator, **{"size": (20, 31)} | options)


# The noise.


def test_noise_is_normal_and_depends_on_its_place_alone() -> None:
    noise = widgets.hashed_noise(1, 2, range(-150, 150), range(-100, 200))
    assert noise.shape == (1, 2, 300, 300) and noise.dtype == torch.float32
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 1) < 0.01 and abs((noise**4).mean() - 3) < 0.1
    neighbours = [noise[..., 1:] * noise[..., :-1], noise[:, :, 1:] * noise[:, :, :-1], noise[:, 0] * noise[:, 1]]
    assert all(abs(product.mean()) < 0.015 for product in neighbours), "nothing in common with what is beside it"
    assert abs((noise * widgets.hashed_noise(2, 2, range(-150, 150), range(-100, 200))).mean()) < 0.01
    assert torch.equal(widgets.hashed_noise(1, 2, [7, -3], [9]), noise[:, :, [157, 147], 109:110])


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ((-1, 1, [0], [0]), ValueError, "seed must be a whole number of at least 0"),
        ((2**32, 1, [0], [0]), ValueError, "seed must lie below 2³²"),
        ((0, 0, [0], [0]), ValueError, "channels must be a whole number of at least 1"),
        ((0, 1, [], [0]), ValueError, "rows must be whole numbers of 32 bits, at least one"),
        ((0, 1, [0], [2**31]), ValueError, "columns must be whole numbers of 32 bits"),
        ((0, 1, [0.5], [0]), ValueError, "rows must be whole numbers"),
    ],
)
def test_noise_refuses(asked: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        widgets.hashed_noise(*asked)


# The picture.


@torch.no_grad()
def whole(net: nn.Module, seed: int) -> Tensor:
    return net(widgets.hashed_noise(seed, 3, range(-20, 40), range(-20, 40)))


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_a_window_is_a_part_of_one_picture(padding: int) -> None:
    net = trained(texture(padding=padding))
    widget, large = canvas(net, seed=5), whole(net, 5)
    for x, y in ((0, 0), (-7, 3), (30, -19)):
        widget.x, widget.y = x, y
        part = large[..., 80 + y : 100 + y, 80 + x : 111 + x]  # four pixels for each of the 20 numbers before
        assert torch.allclose(widget.picture(), part, atol=1e-5) and part.std() > 0.02


def test_layers_of_every_kind_join_without_a_seam() -> None:
    net = trained(assorted())
    widget, large = canvas(net, seed=5), whole(net, 5)
    for x, y in ((0, 0), (-55, 13), (64, -41)):
        widget.x, widget.y = x, y
        part = large[..., 240 + y : 260 + y, 240 + x : 271 + x]
        assert torch.allclose(widget.picture(), part, atol=1e-5) and part.std() > 0.01


def test_state_within_bounds() -> None:
    widget = canvas({"brick": texture(), "grass": texture(out=3)})
    assert (widget.x, widget.y, widget.texture) == (0, 0, "brick") and widget.picture().shape == (1, 1, 20, 31)
    widget.x, widget.y, widget.texture = -(10**9), 10**9, "grass"
    assert widget.picture().shape == (1, 3, 20, 31) and widget.picture().isfinite().all()
    for name, wrong in (("x", 10**9 + 1), ("y", -(10**9) - 1), ("texture", "sand")):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)


def sequence(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), *layers)


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: canvas("G"), TypeError, r"generator must be an nn\.Sequential on a map of noise, got str"),
    (lambda: canvas({}), ValueError, "at least one generator"),
    (lambda: canvas(nets.ResidualGenerator(3)), TypeError, "got ResidualGenerator"),
    (lambda: canvas(sequence(nn.InstanceNorm2d(4))), TypeError, r"generator\.1: InstanceNorm2d does not run on"),
    (lambda: canvas({"a": sequence(nn.Sequential(nn.GroupNorm(2, 4)))}), TypeError, r"\['a'\]\.1\.0: GroupNorm"),
    (lambda: canvas(sequence(nn.Conv2d(4, 1, 3, 2))), TypeError, r"generator\.1: Conv2d with stride=\(2, 2\)"),
    (lambda: canvas(sequence(nn.Upsample(scale_factor=2, mode="bicubic"))), TypeError, "Upsample with mode='bicubic'"),
    (lambda: canvas(sequence(nn.Conv2d(4, 1, 3, dilation=2))), TypeError, r"generator\.1: Conv2d with dilation"),
    (lambda: canvas(nn.Sequential(nn.Tanh())), TypeError, "generator must begin with a convolution"),
    (lambda: canvas(sequence(nn.Conv2d(3, 1, 1))), ValueError, r"generator does not take images of shape \(3,"),
    (lambda: canvas(sequence()), ValueError, "generator must make images of 1 or 3 channels, got 4"),
    (lambda: canvas({"a": texture(), "b": texture(2)}), ValueError, r"as many channels each, got \[2, 3\]"),
    (lambda: canvas(texture(width=100)), ValueError, "generator has weights of"),
    (lambda: canvas(size=(15, 40)), ValueError, "size must be height and width from 16 to 256"),
    (lambda: canvas(size=40), ValueError, "size must be height and width"),
    (lambda: canvas(scale=9), ValueError, "scale must lie between 1 and 8, got 9"),
    (lambda: canvas(seed=-1), ValueError, "seed must be a whole number of at least 0"),
    (lambda: canvas(alt=" "), ValueError, "alt must say in words"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_refused_by_name(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
