"""Two pairs of convolutional networks for images in [-1, 1].

The DCGAN pair follows Radford et al. 2015 (https://arxiv.org/abs/1511.06434); the shuffle pair has the same interface,
keeps to the 3×3 convolutions that CPUs are best at, and is what the command line uses for images.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check, penalties
from ganlib.nets.base import _check_input, _check_labels, _Discriminator, _full_precision, _Generator
from ganlib.nets.blocks import ConditionalBatchNorm, MinibatchStd, SelfAttention

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "ShuffleDiscriminator", "ShuffleGenerator", "fits"]


def _sides_around(size: int) -> tuple[int, int]:
    """The largest side up to `size` that the image networks take, and the next one."""
    step = 2 ** max(2, size.bit_length() - 3)
    below = max(16, size // step * step)
    return below, below + step


def fits(size: int) -> bool:
    """Whether the image networks take images of this side.

    They do if it is m·2^k with m from 4 to 7 and k of at least 2, halved k times to m×m pixels in the middle: every
    multiple of 4 from 16 to 32, of 8 to 64, of 16 to 128, of 32 to 256, and so on.

    Example:
        >>> from ganlib import nets
        >>> [size for size in range(16, 100) if nets.fits(size)]
        [16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96]
    """
    size = _check.positive_int("size", size)
    return size == _sides_around(size)[0]


def _base_and_doublings(size: int) -> tuple[int, int]:
    """28 -> (7, 2); 16 -> (4, 2); 32 -> (4, 3): the smallest side, and how often it is doubled."""
    size = _check.positive_int("size", size)
    below, above = _sides_around(size)
    if size != below:
        raise ValueError(f"size must be m·2^k with m from 4 to 7 and k from 2, such as {below} or {above}, got {size}")
    doublings = size.bit_length() - 3
    return size >> doublings, doublings


class ImageGenerator(_Generator):
    project: nn.Linear
    net: nn.Sequential
    conditions = ("concatenation", "embedding", "batch_norm")

    def __init__(self, size: int, channels: int, latent: int, width: int, classes: int | None, condition: str) -> None:
        super().__init__(latent, classes, condition)
        self.condition = condition
        self.base, self.doublings = _base_and_doublings(size)
        self.size, self.channels = size, _check.positive_int("channels", channels)
        self.width = _check.positive_int("width", width)

    def _project(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z -> a small image of many channels, laid out channels-last from the start."""
        x = self.project(self._enter(z, labels))
        return cast(Tensor, x.view(len(z), self.base, self.base, -1).permute(0, 3, 1, 2))

    def _norm(self, channels: int) -> nn.Module:
        if self.classes is not None and self.condition == "batch_norm":
            return ConditionalBatchNorm(channels, self.classes)
        return nn.BatchNorm2d(channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, channels, size, size) in [-1, 1] from z (N, latent) and labels (N,)."""
        x = self._project(z, labels)
        for part in self.net:
            x = part(x, labels) if isinstance(part, ConditionalBatchNorm) else part(x)
        return _full_precision(x)


def _attention_side(size: int) -> int:
    """The largest side of at most 16 on the way from `size` down: attention costs the fourth power of it."""
    base, doublings = _base_and_doublings(size)
    return 16 if base == 4 and doublings > 2 else 2 * base


class _ImageDiscriminator(_Discriminator):
    def __init__(self, size: int, channels: int, width: int, classes: int | None, condition: str) -> None:
        base, doublings = _base_and_doublings(size)
        super().__init__(classes, condition, embedding=size**2)
        self.base, self.doublings = base, doublings
        self.size, self.channels = size, _check.positive_int("channels", channels)
        self.width = _check.positive_int("width", width)

    def _check_images(self, x: Tensor, labels: Tensor | None) -> None:
        _check_input("images", x, self.channels, self.size, self.size)
        _check_labels(labels, self.classes, len(x))

    def _planes(self, side: int) -> int:
        """How many label planes of `side` by `side` go in beside the image."""
        return self.code.width if self.code.embed is None else self.code.width // side**2

    def _add_planes(self, x: Tensor, labels: Tensor | None) -> Tensor:
        if not self.code.width:
            return x
        code, side = self.code(labels, x.dtype), x.shape[-1]
        if self.code.embed is None:
            code = code[:, :, None, None].expand(-1, -1, side, side)
        return torch.cat([x, code.reshape(len(x), -1, side, side)], 1)


def _init_dcgan(net: nn.Module) -> None:
    """Weights ~ N(0, 0.02²), biases 0, scales of BatchNorm ~ N(1, 0.02²) (Radford et al. 2015, section 4)."""
    scales = [m.scale for m in net.modules() if isinstance(m, ConditionalBatchNorm)]
    shifts = [m.shift for m in net.modules() if isinstance(m, ConditionalBatchNorm)]
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding, nn.BatchNorm2d)):
            if module.weight is None or module in shifts:
                continue
            nn.init.normal_(module.weight, float(isinstance(module, nn.BatchNorm2d) or module in scales), 0.02)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(cast(Tensor, module.bias))


class DCGANGenerator(ImageGenerator):
    """The textbook generator: 4×4 transposed convolutions of stride 2, BatchNorm and ReLU, tanh at the end.

    z is projected to 4 to 7 pixels a side (7 for size 28), then doubled until `size`; channels halve at each doubling
    and `width` is their number before the last one. First built in chapter 9.

    Source: Radford et al. 2015, https://arxiv.org/abs/1511.06434, figure 1 and section 3.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: channels of the last hidden layer.
        classes: number of classes of a conditional generator.
        condition: "concatenation", "embedding", or "batch_norm" for a scale and a shift of each class in BatchNorm.
        attention: whether the largest hidden image of at most 16 pixels a side attends to itself.
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 64,
        width: int = 32,
        classes: int | None = None,
        condition: str = "concatenation",
        attention: bool = False,
    ) -> None:
        super().__init__(size, channels, latent, width, classes, condition)
        widths = [self.width * 2**i for i in reversed(range(self.doublings))]
        self.project = nn.Linear(self.inputs, widths[0] * self.base**2)
        parts: list[nn.Module] = [self._norm(widths[0]), nn.ReLU()]
        for i, (a, b) in enumerate(pairwise(widths), 1):
            parts += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), self._norm(b), nn.ReLU()]
            if attention and self.base * 2**i == _attention_side(size):
                parts += [SelfAttention(b)]
        self.net = nn.Sequential(*parts, nn.ConvTranspose2d(widths[-1], self.channels, 4, 2, 1), nn.Tanh())
        _init_dcgan(self)


class DCGANDiscriminator(_ImageDiscriminator):
    """The textbook discriminator: 4×4 convolutions of stride 2, BatchNorm in all but the first, LeakyReLU.

    Channels start at `width` and double as the side halves, down to 4 to 7 (7 for size 28). First built in chapter 9.

    Source: Radford et al. 2015, https://arxiv.org/abs/1511.06434, section 3.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        width: channels of the first hidden layer.
        batch_norm: whether to normalise; leave it out together with a gradient penalty or spectral normalisation.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        spectral_norm: whether every weight is divided by its largest singular value (`penalties.spectral_norm`).
        attention: whether the largest hidden image of at most 16 pixels a side attends to itself.
        minibatch_std: whether the last convolution also sees how much the samples differ (`MinibatchStd`).
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        width: int = 32,
        batch_norm: bool = True,
        classes: int | None = None,
        condition: str = "concatenation",
        spectral_norm: bool = False,
        attention: bool = False,
        minibatch_std: bool = False,
    ) -> None:
        super().__init__(size, channels, width, classes, condition)
        widths = [self.width * 2**i for i in range(self.doublings)]
        parts: list[nn.Module] = [
            nn.Conv2d(self.channels + self._planes(size), widths[0], 4, 2, 1),
            nn.LeakyReLU(0.2),
        ]
        for i, (a, b) in enumerate(pairwise(widths), 1):
            parts += [SelfAttention(a)] if attention and size // 2**i == _attention_side(size) else []
            last = minibatch_std and i == self.doublings - 1
            parts += [MinibatchStd()] if last else []
            parts += [nn.Conv2d(a + last, b, 4, 2, 1, bias=not batch_norm)]
            parts += [nn.BatchNorm2d(b)] if batch_norm else []
            parts += [nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*parts)
        self._make_head(widths[-1] * self.base**2)
        _init_dcgan(self)
        if spectral_norm:
            penalties.spectral_norm(self)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (N, F) from images (N, channels, size, size) and labels (N,)."""
        self._check_images(x, labels)
        return cast(Tensor, self.features(self._add_planes(x, labels)).flatten(1))


class ShuffleGenerator(ImageGenerator):
    """The fast generator: 3×3 convolutions of stride 1, each doubling a pixel shuffle (Shi et al. 2016).

    First built in chapter 9.

    No convolution runs at full size with few channels: the last one makes 4 × `channels` planes of half the side, and a
    pixel shuffle weaves them into the image. That keeps a CPU in its fast kernels.

    Source of the pixel shuffle: Shi et al. 2016, https://arxiv.org/abs/1609.05158, equation 4.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: half the channels of the last hidden layer.
        classes: number of classes of a conditional generator.
        condition: "concatenation", "embedding", or "batch_norm" for a scale and a shift of each class in BatchNorm.
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 64,
        width: int = 16,
        classes: int | None = None,
        condition: str = "concatenation",
    ) -> None:
        super().__init__(size, channels, latent, width, classes, condition)
        widths = [self.width * 2**i for i in range(self.doublings, 0, -1)]  # 28 pixels: 4w at 7×7, 2w at 14×14
        self.project = nn.Linear(self.inputs, widths[0] * self.base**2)
        parts: list[nn.Module] = [self._norm(widths[0]), nn.ReLU()]
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, 4 * b, 3, 1, 1, bias=False), nn.PixelShuffle(2), self._norm(b), nn.ReLU()]
        last = widths[-1]
        parts += [nn.Conv2d(last, last, 3, 1, 1, bias=False), self._norm(last), nn.ReLU()]
        parts += [nn.Conv2d(last, 4 * self.channels, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh()]
        self.net = nn.Sequential(*parts).to(memory_format=torch.channels_last)


class ShuffleDiscriminator(_ImageDiscriminator):
    """The fast discriminator: a pixel unshuffle, then 3×3 convolutions with LeakyReLU; no BatchNorm.

    First built in chapter 9.

    One-hot planes of labels join after the unshuffle, at half the side.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        width: half the channels of the first hidden layer.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        spectral_norm: whether every weight is divided by its largest singular value (`penalties.spectral_norm`).
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        width: int = 16,
        classes: int | None = None,
        condition: str = "concatenation",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__(size, channels, width, classes, condition)
        widths = [self.width * 2**i for i in range(1, self.doublings + 1)]  # 28 pixels: 2w at 14×14, 4w at 7×7
        parts: list[nn.Module] = [
            nn.Conv2d(4 * self.channels + self._planes(size // 2), widths[0], 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(widths[0], widths[0], 3, 1, 1),
            nn.LeakyReLU(0.2),
        ]
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*parts).to(memory_format=torch.channels_last)
        self._make_head(widths[-1] * self.base**2)
        if spectral_norm:
            penalties.spectral_norm(self)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (N, F) from images (N, channels, size, size) and labels (N,)."""
        self._check_images(x, labels)
        halved = self._add_planes(F.pixel_unshuffle(x, 2), labels)
        return cast(Tensor, self.features(halved).flatten(1))
