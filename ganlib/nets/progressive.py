r"""A generator and a discriminator that grow from 4×4 pixels to full size while they play.

Both know how far they have grown: `level` 0 is 4×4, 1 is 8×8, and in between a resolution is faded in: at level
l + α the image is (1 - α) of the coarse one, enlarged, and α of the fine one, and so are the discriminator's features.
Images are of full size at every level: the generator enlarges what it makes, the discriminator shrinks what it sees,
so nothing outside has to know the level. Parts above it are not computed, and take no gradient.

Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 2 and figure 2; networks: table 2.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _doubling_widths, _full_precision, _Net
from ganlib.nets.blocks import MinibatchStd

__all__ = ["EqualisedConv2d", "PixelNorm", "ProgressiveDiscriminator", "ProgressiveGenerator", "at_level"]


class EqualisedConv2d(nn.Conv2d, _Net):
    """A convolution whose weights are of unit variance, and scaled each time they are used: ŵ = w · gain / √fan_in.

    Adam's steps are as long for every weight; so each layer learns at the same relative pace, however wide it is.

    Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 4.1.

    Args:
        inputs: channels that go in.
        outputs: channels that come out.
        kernel: side of the kernel.
        padding: pixels of zeros around the image.
        gain: √2 before a rectifier (He et al. 2015); with 1 the output has the variance of the input.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, padding: int = 0, gain: float = 2**0.5) -> None:
        super().__init__(inputs, outputs, kernel, padding=padding)
        self.gain = gain / (inputs * kernel**2) ** 0.5
        nn.init.normal_(self.weight)
        nn.init.zeros_(cast(Tensor, self.bias))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        return self._conv_forward(x, self.weight * self.gain, self.bias)


class PixelNorm(_Net):
    """Each pixel's features are divided by their root mean square: b = a / √(mean a² + 1e-8).

    Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 4.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        mean = _full_precision(x).square().mean(1, keepdim=True)
        return x * (mean + 1e-8).rsqrt().to(x.dtype)


def at_level(images: Tensor, level: float) -> Tensor:
    """Images as a generator of this level would make them: of their size, without detail above its resolution.

    The paper shows the discriminator real images that are mixed like this while a resolution is faded in.

    Args:
        images: (N, C, S, S), S a power of two.
        level: 0 for 4×4 pixels, 1.5 for half of 8×8 and half of 16×16, and so on, up to S.
    """
    coarse, fine = (_enlarged(_shrunk(images, i), images.shape[-1]) for i in (math.floor(level), math.ceil(level)))
    return torch.lerp(coarse, fine, level % 1)


def _shrunk(images: Tensor, i: int) -> Tensor:
    """The images of level i: means over squares of pixels."""
    return F.avg_pool2d(images, images.shape[-1] // (4 * 2**i))


def _enlarged(images: Tensor, side: int) -> Tensor:
    """Every pixel becomes a square of pixels."""
    return images if images.shape[-1] == side else F.interpolate(images, scale_factor=side // images.shape[-1])


class _Growing(_Net):
    """What both networks share: `level`, and which resolutions it uses.

    Attributes:
        level: how far it has grown, from 0 to `top`; a buffer, so that copies and checkpoints know it.
        top: the level of full size.
        widths: channels of each resolution.
    """

    level: Tensor

    def __init__(self, size: int, channels: int, width: int) -> None:
        super().__init__()
        self.widths = _doubling_widths(size, width)
        self.size, self.channels, self.width = size, _check.positive_int("channels", channels), width
        self.top = len(self.widths) - 1
        self.register_buffer("level", torch.zeros(()))

    def _used(self) -> tuple[int, int]:
        """The coarsest and the finest resolution that are used; in an export, where no tensor has a value, all."""
        if torch.compiler.is_exporting():
            return 0, self.top
        level = self.level.item()
        return math.floor(level), math.ceil(level)

    def _faded(self, coarse: Tensor, fine: Tensor, i: int) -> Tensor:
        """Resolution i, as far as it is faded in over the one before."""
        share = (self.level - (i - 1)).clamp(0, 1)
        return torch.lerp(_full_precision(coarse), _full_precision(fine), share.to(_full_precision(fine).dtype))


class ProgressiveGenerator(_Growing):
    """The generator that grows: two 3×3 convolutions with LeakyReLU and `PixelNorm` at each resolution.

    What it makes is not squashed by tanh: as in the paper, the last layer is linear. z is scaled to length √latent.

    Args:
        size: side of the images, a power of two from 8.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: channels of the hidden layers at full size; each resolution below has twice as many, up to 512.
    """

    def __init__(self, size: int = 32, channels: int = 1, latent: int = 64, width: int = 16) -> None:
        super().__init__(size, channels, width)
        self.latent = _check.positive_int("latent", latent)
        first, *_ = self.widths

        def layer(a: int, b: int) -> list[nn.Module]:
            return [EqualisedConv2d(a, b, 3, 1), nn.LeakyReLU(0.2), PixelNorm()]

        project = [EqualisedConv2d(latent, 16 * first), nn.PixelShuffle(4), nn.LeakyReLU(0.2), PixelNorm()]
        blocks = [nn.Sequential(PixelNorm(), *project, *layer(first, first))]
        blocks += [
            nn.Sequential(nn.Upsample(scale_factor=2), *layer(a, b), *layer(b, b)) for a, b in pairwise(self.widths)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.to_image = nn.ModuleList(EqualisedConv2d(width, channels, gain=1) for width in self.widths)

    def forward(self, z: Tensor) -> Tensor:
        """Images (N, channels, size, size) from z (N, latent)."""
        _check_input("z", z, self.latent)
        coarsest, finest = self._used()
        x, image = z[:, :, None, None], z
        for i in range(finest + 1):
            x = self.blocks[i](x)
            if i == coarsest:
                image = self.to_image[i](x)
            elif i > coarsest:
                image = self._faded(_enlarged(image, 4 * 2**i), self.to_image[i](x), i)
        return _full_precision(_enlarged(image, self.size))


class ProgressiveDiscriminator(_Growing):
    """The discriminator that grows, the generator's mirror image, with `MinibatchStd` before its last convolutions.

    Batches must be multiples of 4, the group of `MinibatchStd`.

    Args:
        size: side of the images, a power of two from 8.
        channels: 1 for grey, 3 for colour.
        width: channels of the hidden layers at full size; each resolution below has twice as many, up to 512.
    """

    def __init__(self, size: int = 32, channels: int = 1, width: int = 16) -> None:
        super().__init__(size, channels, width)
        first, *_ = self.widths

        def layer(a: int, b: int, *kernel: int) -> list[nn.Module]:
            return [EqualisedConv2d(a, b, *kernel), nn.LeakyReLU(0.2)]

        blocks = [nn.Sequential(MinibatchStd(), *layer(first + 1, first, 3, 1), *layer(first, first, 4), nn.Flatten())]
        blocks += [
            nn.Sequential(*layer(b, b, 3, 1), *layer(b, a, 3, 1), nn.AvgPool2d(2)) for a, b in pairwise(self.widths)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.from_image = nn.ModuleList(nn.Sequential(*layer(channels, width)) for width in self.widths)
        self.out = EqualisedConv2d(first, 1, gain=1)

    def last_features(self, x: Tensor) -> Tensor:
        """Features (N, F) from images (N, channels, size, size)."""
        _check_input("images", x, self.channels, self.size, self.size)
        coarsest, finest = self._used()
        h = self.from_image[finest](_shrunk(x, finest))
        for i in range(finest, 0, -1):
            h = self.blocks[i](h)
            if i > coarsest:
                h = self._faded(self.from_image[i - 1](_shrunk(x, i - 1)), h, i)
        return cast(Tensor, self.blocks[0](h))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,) from images (N, channels, size, size)."""
        return _full_precision(self.out(self.last_features(x)[:, :, None, None]).flatten())
