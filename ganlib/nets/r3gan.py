r"""The pair of networks of R3GAN: residual blocks of grouped convolutions, no normalisation, nothing of StyleGAN.

A block adds to x what three convolutions make of it: 1×1 to twice the channels, 3×3 in groups, 1×1 back, with LeakyReLU
between. The last one starts at zero, so that at first every block is the identity and no normalisation is needed to
keep the scale (Fix-up, Zhang et al. 2019, https://arxiv.org/abs/1901.09321). Images are enlarged and shrunk bilinearly.

Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 3 and figure 3.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _doubling_widths, _full_precision, _Net

__all__ = ["R3GANBlock", "R3GANDiscriminator", "R3GANGenerator"]

_GAIN = (2 / (1 + 0.2**2)) ** 0.5  # keeps the variance through LeakyReLU with slope 0.2


_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


def _scaled(layer: _Layer, gain: float) -> _Layer:
    """Weights ~ N(0, gain² / fan_in)."""
    nn.init.normal_(layer.weight, std=gain / layer.weight[0].numel() ** 0.5)
    return layer


class R3GANBlock(_Net):
    """x + what a bottleneck turned inside out makes of it; at first, x.

    Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441, figure 3.

    Args:
        channels: that go in and come out.
        group: channels of each group of the 3×3 convolution, which has twice as many channels as the block.
        blocks: how many blocks the network has; the first two convolutions start smaller the more there are.
    """

    def __init__(self, channels: int, group: int = 16, blocks: int = 1) -> None:
        super().__init__()
        inner = 2 * _check.positive_int("channels", channels)
        gain = _GAIN * _check.positive_int("blocks", blocks) ** -0.25  # Fix-up's L^(-1/(2m-2)) with m = 3
        group = min(_check.positive_int("group", group), inner)
        if inner % group:
            raise ValueError(f"twice the channels must be a multiple of group, got {channels} channels, group {group}")
        self.widen = _scaled(nn.Conv2d(channels, inner, 1), gain)
        self.look = _scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group), gain)
        self.back = nn.Conv2d(inner, channels, 1, bias=False)
        for bias in (self.widen.bias, self.look.bias):
            nn.init.zeros_(cast(Tensor, bias))
        nn.init.zeros_(self.back.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        y = F.leaky_relu(self.widen(x), 0.2)
        return cast(Tensor, x + self.back(F.leaky_relu(self.look(y), 0.2)))


class _Resized(_Net):
    """Bilinearly doubled after, or halved before, a 1×1 convolution that changes the number of channels."""

    def __init__(self, inputs: int, outputs: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv = _scaled(nn.Conv2d(inputs, outputs, 1, bias=False), 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.factor < 1:
            return cast(Tensor, self.conv(F.avg_pool2d(x, 2)))  # which is what bilinear halving amounts to
        return F.interpolate(self.conv(x), scale_factor=self.factor, mode="bilinear", align_corners=False)


class R3GANGenerator(_Net):
    """Images from a 4×4 basis scaled by z, through residual blocks. First built in chapter 14.

    What it makes is not squashed by tanh: the last layer is linear.

    Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 3; sizes are ours.

    Args:
        size: side of the images, a power of two from 8.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: channels at full size; each resolution below has twice as many, up to 512.
        group: channels of each group of the 3×3 convolutions.
        blocks: residual blocks at each resolution.
    """

    def __init__(
        self, size: int = 32, channels: int = 3, latent: int = 64, width: int = 16, group: int = 16, blocks: int = 1
    ) -> None:
        super().__init__()
        widths = _doubling_widths(size, width)
        self.size, self.channels, self.width = size, _check.positive_int("channels", channels), width
        self.latent = _check.positive_int("latent", latent)
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.project = _scaled(nn.Linear(latent, widths[0], bias=False), 1)

        def stage(channels: int) -> list[nn.Module]:
            return [R3GANBlock(channels, group, blocks * len(widths)) for _ in range(blocks)]

        parts = stage(widths[0])
        for a, b in pairwise(widths):
            parts += [_Resized(a, b, 2), *stage(b)]
        self.net = nn.Sequential(*parts, _scaled(nn.Conv2d(width, channels, 1, bias=False), 1))

    def forward(self, z: Tensor) -> Tensor:
        """Images (N, channels, size, size) from z (N, latent)."""
        _check_input("z", z, self.latent)
        return _full_precision(self.net(self.project(z)[:, :, None, None] * self.basis))


class R3GANDiscriminator(_Net):
    """The generator's mirror image: residual blocks down to 4×4 pixels, each channel there read by its own 4×4 filter.

    Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 3; sizes are ours.

    Args:
        size: side of the images, a power of two from 8.
        channels: 1 for grey, 3 for colour.
        width: channels at full size; each resolution below has twice as many, up to 512.
        group: channels of each group of the 3×3 convolutions.
        blocks: residual blocks at each resolution.
    """

    def __init__(self, size: int = 32, channels: int = 3, width: int = 16, group: int = 16, blocks: int = 1) -> None:
        super().__init__()
        widths = _doubling_widths(size, width)[::-1]
        self.size, self.channels, self.width = size, _check.positive_int("channels", channels), width

        def stage(channels: int) -> list[nn.Module]:
            return [R3GANBlock(channels, group, blocks * len(widths)) for _ in range(blocks)]

        parts: list[nn.Module] = [_scaled(nn.Conv2d(channels, width, 1, bias=False), 1)]
        for a, b in pairwise(widths):
            parts += [*stage(a), _Resized(a, b, 0.5)]
        last = widths[-1]
        basis = _scaled(nn.Conv2d(last, last, 4, groups=last, bias=False), 1)
        self.net = nn.Sequential(*parts, *stage(last), basis, nn.Flatten())
        self.out = _scaled(nn.Linear(last, 1, bias=False), 1)

    def last_features(self, x: Tensor) -> Tensor:
        """Features (N, F) from images (N, channels, size, size)."""
        _check_input("images", x, self.channels, self.size, self.size)
        return cast(Tensor, self.net(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,) from images (N, channels, size, size)."""
        return _full_precision(self.out(self.last_features(x)).flatten())
