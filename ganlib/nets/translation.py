r"""Networks that turn images into images: U-Net, residual generators, PatchGAN, super-resolution, the pool of fakes.

A translator maps images (N, C, H, W) in [-1, 1] to images; what else it is told (a latent vector z, the wanted domain)
stands beside the image as constant planes. All of it follows the papers' layouts with fewer channels, so that images of
32×32 train on two CPU cores: U-Net and PatchGAN (Isola et al. 2017, https://arxiv.org/abs/1611.07004, appendix 6.1),
the residual generator (Johnson et al. 2016, https://arxiv.org/abs/1603.08155; Zhu et al. 2017,
https://arxiv.org/abs/1703.10593, appendix 7.2), SRResNet and RRDB (Ledig et al. 2017, https://arxiv.org/abs/1609.04802;
Wang et al. 2018, https://arxiv.org/abs/1809.00219).

Normalisation is by instance, image by image (Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022): what Isola et al.
had with their batches of one. No image influences another's, so that gradient penalties stay right.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _check_labels, _full_precision, _Net

__all__ = [
    "DomainDiscriminator",
    "ImagePool",
    "PatchDiscriminator",
    "ResidualGenerator",
    "ResidualUpsampler",
    "SuperResolutionGenerator",
    "UNet",
]


def _init_normal(net: nn.Module) -> None:
    """Weights ~ N(0, 0.02²), biases 0 (Isola et al. 2017, appendix 6.2)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def _power_of_two(name: str, value: object, minimum: int) -> int:
    """Return the exponent of a power of two of at least `minimum`."""
    number = _check.positive_int(name, value)
    if number < minimum or number & (number - 1):
        raise ValueError(f"{name} must be a power of two of at least {minimum}, got {number}")
    return number.bit_length() - 1


def _check_images(name: str, x: Tensor, channels: int) -> None:
    """Refuse what are not images of so many channels; their sides are free."""
    _check.shape(name, x, f"(N, {channels}, H, W)", isinstance(x, Tensor) and x.dim() == 4 and x.shape[1] == channels)
    _check_input(name, x, *x.shape[1:])


def _planes(code: Tensor, x: Tensor) -> Tensor:
    """x with each number of the code (N, K) as a constant plane beside it."""
    return torch.cat([x, code.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)


class _Translator(_Net):
    """What translators share: `latent`, `classes`, and what goes in beside the image."""

    def __init__(self, channels: int, latent: int, classes: int | None) -> None:
        super().__init__()
        self.channels = _check.positive_int("channels", channels)
        self.latent = _check.positive_int("latent", latent, minimum=0)
        self.classes = None if classes is None else _check.positive_int("classes", classes)
        if self.latent and self.classes:
            raise ValueError(f"give latent or classes, not both, got latent={latent} and classes={classes}")
        self.inputs = self.channels + self.latent + (self.classes or 0)

    def _enter(self, x: Tensor, code: Tensor | None) -> Tensor:
        """The image with the planes of z or of the one-hot label beside it."""
        if self.classes is not None:
            _check_labels(code, self.classes, len(x))
            return _planes(F.one_hot(cast(Tensor, code), self.classes), x)
        if self.latent:
            if code is None:
                raise ValueError(f"code must be given: this network takes z of shape (N, {self.latent})")
            if not torch.compiler.is_exporting():  # N is a variable there
                size = (len(x), self.latent)
                _check.shape("code", code, str(size), isinstance(code, Tensor) and code.shape == size)
            return _planes(code, x)
        if code is not None:
            raise ValueError("code must be left out: this network was made with neither latent nor classes")
        return x


class UNet(_Translator):
    """Down to 1×1 and up again, each level of the way down handed across to the way up. First built in chapter 15.

    4×4 convolutions of stride 2 with LeakyReLU halve the side down to one pixel, transposed ones with ReLU double it,
    and skip connections carry what has not to change around the bottleneck. Dropout in the first levels upwards is the
    noise of pix2pix: in evaluation mode it is off, and the network a function.

    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 3.2.1 and appendix 6.1.1.

    Args:
        size: side of the images, a power of two from 8.
        channels: of the images that go in.
        out: channels of those that come out; by default as many.
        width: channels of the first level; they double twice, then stay.
        dropout: share of the values dropped, at least 0 and below 1, in up to three levels on the way up.
        latent: length of z, if the network takes one.
    """

    def __init__(
        self,
        size: int = 32,
        channels: int = 3,
        out: int | None = None,
        width: int = 32,
        dropout: float = 0.5,
        latent: int = 0,
    ) -> None:
        super().__init__(channels, latent, None)
        levels = _power_of_two("size", size, 8)
        self.size, self.out = size, self.channels if out is None else _check.positive_int("out", out)
        self.width = _check.positive_int("width", width)
        if _check.finite("dropout", dropout, minimum=0) >= 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        widths = [self.width * 2 ** min(level, 2) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (a, b) in enumerate(pairwise([self.inputs, *widths])):
            normed = 0 < level < levels - 1  # one pixel has no spread to divide by
            self.down.append(
                nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), _norm(b) if normed else nn.Identity(), nn.LeakyReLU(0.2))
            )
        for level in reversed(range(1, levels)):
            parts = [
                nn.ConvTranspose2d(widths[level] * (1 if level == levels - 1 else 2), widths[level - 1], 4, 2, 1),
                _norm(widths[level - 1]),
            ]
            if dropout and levels - 1 - level < min(3, levels - 2):
                parts.append(nn.Dropout(dropout))
            self.up.append(nn.Sequential(*parts, nn.ReLU()))
        self.last = nn.Sequential(nn.ConvTranspose2d(2 * widths[0], self.out, 4, 2, 1), nn.Tanh())
        _init_normal(self)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Images (N, out, size, size) in [-1, 1] from images (N, channels, size, size) and z (N, latent), if any."""
        _check_input("images", x, self.channels, self.size, self.size)
        x = self._enter(x, code)
        seen = []
        for down in self.down:
            x = down(x)
            seen.append(x)
        seen.pop()
        for up in self.up:
            x = torch.cat([up(x), seen.pop()], 1)
        return _full_precision(self.last(x))


class PatchDiscriminator(_Net):
    """PatchGAN: a logit for each patch of the image, each from the patch alone. First built in chapter 15.

    4×4 convolutions with LeakyReLU, the first `layers` of stride 2, two more of stride 1: a logit sees a patch of
    16, 34 or 70 pixels for 1, 2 or 3 layers (the paper's is 70, of images of 256).

    It returns the whole map. The games of translation flatten it, so that every loss of `losses` takes its mean over
    the patches of all images: each patch is a sample, which is the paper's loss, and rpgan compares each with the same
    patch of the partner. A gradient penalty differentiates one number for each image, the mean of its map: with more
    patches the slope of each counts less, and its weight is to grow with their number.

    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 3.2.2 and appendix 6.1.2.

    Args:
        channels: of the images judged.
        inputs: channels of the images they were translated from, shown beside them; 0 for an unconditional judge.
        width: channels of the first layer; they double up to eight times.
        layers: convolutions of stride 2.
        norm: whether to normalise by instance, in all layers but the first. It hides a patch's contrast from the layers
            above: leave it out where images differ by little else than colour.

    Attributes:
        receptive_field: side of the patch that one logit sees.
    """

    def __init__(self, channels: int = 3, inputs: int = 0, width: int = 32, layers: int = 1, norm: bool = True) -> None:
        super().__init__()
        self.channels = _check.positive_int("channels", channels)
        self.inputs = _check.positive_int("inputs", inputs, minimum=0)
        self.width, self.layers = _check.positive_int("width", width), _check.positive_int("layers", layers)
        self.receptive_field = 9 * 2**self.layers - 2  # 16, 34, 70: 7 for the two of stride 1, then 2r + 2 a layer
        widths = [self.width * min(2**i, 8) for i in range(self.layers + 1)]
        parts: list[nn.Module] = [nn.Conv2d(self.channels + self.inputs, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, (a, b) in enumerate(pairwise(widths), 1):
            parts += [nn.Conv2d(a, b, 4, 2 if i < self.layers else 1, 1)]
            parts += [_norm(b)] if norm else []
            parts += [nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*parts)
        self.head = nn.Conv2d(widths[-1], 1, 4, 1, 1)
        _init_normal(self)

    def forward(self, x: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Logits (N, h, w), one a patch, from images (N, channels, H, W) and those they were translated from."""
        return _full_precision(self.head(self.features(self._pair(x, inputs))).squeeze(1))

    def _pair(self, x: Tensor, inputs: Tensor | None) -> Tensor:
        _check_images("images", x, self.channels)
        least = 3 * 2**self.layers
        if min(x.shape[2:]) < least:
            raise ValueError(f"images must be at least {least}×{least} for {self.layers} layers, got {tuple(x.shape)}")
        if (inputs is None) == bool(self.inputs):
            raise ValueError(
                f"inputs must be given: this network judges pairs, with {self.inputs} channels of inputs"
                if self.inputs
                else "inputs must be left out: this network was made with inputs=0"
            )
        if inputs is None:
            return x
        _check_input("inputs", inputs, self.inputs, *x.shape[2:])
        return torch.cat([x, inputs], 1)


class DomainDiscriminator(_Net):
    """StarGAN's discriminator: is it real, patch by patch, and of which domain? First built in chapter 16.

    4×4 convolutions of stride 2 with LeakyReLU and no normalisation, down to a side of 2 at most; one convolution reads
    the real-or-fake map off the features, another, as large as they are, the logits of the domains.

    Source: Choi et al. 2018, https://arxiv.org/abs/1711.09020, section 3.1 and appendix 7.2, table 5.

    Args:
        size: side of the images, a power of two from 8.
        channels: of the images.
        classes: number of domains.
        width: channels of the first layer; they double with each up to eight times.
    """

    def __init__(self, size: int = 32, channels: int = 3, classes: int = 2, width: int = 32) -> None:
        super().__init__()
        layers = _power_of_two("size", size, 8) - 1
        self.size, self.channels = size, _check.positive_int("channels", channels)
        self.classes, self.width = _check.positive_int("classes", classes), _check.positive_int("width", width)
        widths = [self.width * min(2**i, 8) for i in range(layers)]
        parts: list[nn.Module] = []
        for a, b in pairwise([self.channels, *widths]):
            parts += [nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*parts)
        self.head = nn.Conv2d(widths[-1], 1, 3, 1, 1)
        self.domains = nn.Conv2d(widths[-1], self.classes, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of "real", (N, 2, 2), and of the domains, (N, classes), from images (N, channels, size, size)."""
        _check_input("images", x, self.channels, self.size, self.size)
        features = self.features(x)
        return _full_precision(self.head(features).squeeze(1)), _full_precision(self.domains(features).flatten(1))


class Residual(nn.Module):
    """x + scale · net(x)."""

    def __init__(self, *parts: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.net, self.scale = nn.Sequential(*parts), scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * cast(Tensor, self.net(x))


class ResidualGenerator(_Translator):
    """Down twice, residual blocks, up twice: the generator of CycleGAN, StarGAN and style transfer.

    First built in chapter 16.

    A 7×7 convolution, 3×3 convolutions of stride 2, residual blocks of two 3×3 convolutions, transposed convolutions of
    stride 2, and a 7×7 convolution with tanh; instance normalisation and ReLU between them, borders reflected. It is
    convolutional throughout: any sides will do that can be halved `downs` times. With z or labels the first layer is
    not normalised: behind a convolution a constant plane is a constant, which instance normalisation would take away.

    Source: Zhu et al. 2017, https://arxiv.org/abs/1703.10593, appendix 7.2, after Johnson et al. 2016,
    https://arxiv.org/abs/1603.08155. Labels as planes: Choi et al. 2018, https://arxiv.org/abs/1711.09020, section 3.3.

    Args:
        channels: of the images that go in.
        out: channels of those that come out; by default as many.
        width: channels at full size; they double with each halving.
        downs: how often the side is halved.
        blocks: residual blocks.
        latent: length of z, if the network takes one (BicycleGAN).
        classes: number of domains, if it is told which one is wanted (StarGAN).

    Attributes:
        step: what both sides of the images must be multiples of.
        least: the smallest side.
    """

    def __init__(
        self,
        channels: int = 3,
        out: int | None = None,
        width: int = 16,
        downs: int = 2,
        blocks: int = 3,
        latent: int = 0,
        classes: int | None = None,
    ) -> None:
        super().__init__(channels, latent, classes)
        self.out = self.channels if out is None else _check.positive_int("out", out)
        self.width, self.blocks = _check.positive_int("width", width), _check.positive_int("blocks", blocks)
        self.downs = _check.positive_int("downs", downs, minimum=0)
        self.step = 2**self.downs
        self.least = max(4, 2 * self.step)  # a border of 3 is reflected at full size, one of 1 in the middle
        widths = [self.width * 2**i for i in range(self.downs + 1)]
        parts: list[nn.Module] = [nn.Conv2d(self.inputs, self.width, 7, 1, 3, padding_mode="reflect")]
        if self.inputs == self.channels:  # a norm would subtract all that a constant plane does
            parts.append(_norm(self.width))
        parts.append(nn.ReLU())
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, b, 3, 2, 1), _norm(b), nn.ReLU()]
        parts += [self._block(widths[-1]) for _ in range(self.blocks)]
        for a, b in pairwise(reversed(widths)):
            parts += [nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), _norm(b), nn.ReLU()]
        parts += [nn.Conv2d(self.width, self.out, 7, 1, 3, padding_mode="reflect"), nn.Tanh()]
        self.net = nn.Sequential(*parts)
        _init_normal(self)

    @staticmethod
    def _block(width: int) -> nn.Module:
        convolutions = [nn.Conv2d(width, width, 3, 1, 1, padding_mode="reflect") for _ in range(2)]
        return Residual(convolutions[0], _norm(width), nn.ReLU(), convolutions[1], _norm(width))

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Images (N, out, H, W) in [-1, 1] from images (N, channels, H, W) and z (N, latent) or labels (N,), if any."""
        _check_images("images", x, self.channels)
        if any(side % self.step or side < self.least for side in x.shape[2:]):
            raise ValueError(
                f"images must have sides of at least {self.least} that {self.step} divides, for downs={self.downs}, "
                f"got {tuple(x.shape)}"
            )
        return _full_precision(self.net(self._enter(x, code)))


class Dense(nn.Module):
    """Five 3×3 convolutions, each seeing all that came before it (Wang et al. 2018, figure 4, left)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width + i * growth, growth if i < 4 else width, 3, 1, 1) for i in range(5)
        )
        for weight in self.parameters():
            weight.data.mul_(0.1)  # deep stacks start near the identity (section 3.1)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for convolution in self.convolutions[:-1]:
            seen = torch.cat([seen, F.leaky_relu(convolution(seen), 0.2)], 1)
        return cast(Tensor, self.convolutions[-1](seen))


class SuperResolutionGenerator(_Net):
    """Residual blocks at the small size, then pixel shuffles that double it. First built in chapter 17.

    block="residual" is SRResNet (two 3×3 convolutions with BatchNorm and PReLU, one skip over all blocks);
    block="rrdb" is ESRGAN's: residual-in-residual dense blocks without BatchNorm, their outputs scaled by 0.2. The last
    convolution has no tanh: what leaves [-1, 1] is for the loss to bring back.

    Source: Ledig et al. 2017, https://arxiv.org/abs/1609.04802, figure 4; Wang et al. 2018,
    https://arxiv.org/abs/1809.00219, section 3.1 and figure 4; pixel shuffle: Shi et al. 2016,
    https://arxiv.org/abs/1609.05158, equation 4.

    Args:
        factor: how many times longer the sides become, a power of two.
        channels: of the images.
        width: channels of every layer.
        blocks: how many blocks (of three dense ones each for "rrdb").
        block: "residual" or "rrdb".

    Attributes:
        step: what both sides of the images must be multiples of: 1, any sides will do.
        least: the smallest side.
        reach: how many pixels of an image away from a place the answer there depends on, in evaluation mode.
    """

    latent, step, least = 0, 1, 1

    def __init__(
        self, factor: int = 2, channels: int = 3, width: int = 32, blocks: int = 3, block: str = "residual"
    ) -> None:
        super().__init__()
        doublings = _power_of_two("factor", factor, 2)
        self.factor, self.channels = factor, _check.positive_int("channels", channels)
        self.width, self.blocks = _check.positive_int("width", width), _check.positive_int("blocks", blocks)
        _check.one_of("block", block, ("residual", "rrdb"))
        w, dense = self.width, block == "rrdb"
        self.enter = nn.Sequential(nn.Conv2d(self.channels, w, 3 if dense else 9, 1, 1 if dense else 4))
        body: list[nn.Module] = [_rrdb(w) if dense else _srresnet(w) for _ in range(self.blocks)]
        body += [nn.Conv2d(w, w, 3, 1, 1)]
        if not dense:
            self.enter.append(nn.PReLU())
            body.append(nn.BatchNorm2d(w))
        self.body = Residual(*body)
        parts: list[nn.Module] = []
        for _ in range(doublings):
            parts += [nn.Conv2d(w, 4 * w, 3, 1, 1), nn.PixelShuffle(2), nn.LeakyReLU(0.2) if dense else nn.PReLU()]
        if dense:
            parts += [nn.Conv2d(w, w, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, self.channels, 3, 1, 1)]
        else:
            parts += [nn.Conv2d(w, self.channels, 9, 1, 4)]
        self.leave = nn.Sequential(*parts)
        near = 1 + 15 * self.blocks if dense else 4 + 2 * self.blocks  # of 3×3 and 9×9 convolutions: 1 and 4 pixels
        far = sum(1 / 2**i for i in range(doublings)) + (2 if dense else 4) / self.factor  # larger images, finer steps
        self.reach = near + 1 + math.ceil(far)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, factor·H, factor·W) from images (N, channels, H, W)."""
        _check_images("images", x, self.channels)
        return _full_precision(self.leave(self.body(self.enter(x))))


def _srresnet(width: int) -> nn.Module:
    first, second = (nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
    return Residual(first, nn.BatchNorm2d(width), nn.PReLU(), second, nn.BatchNorm2d(width))


def _rrdb(width: int) -> nn.Module:
    """Residual in residual: three dense blocks, each with its own skip, and one skip over all of them."""
    growth = max(1, width // 2)
    return Residual(*(Residual(Dense(width, growth), scale=0.2) for _ in range(3)), scale=0.2)


class ResidualUpsampler(_Net):
    """Bicubic enlargement plus a learned correction of it. First built in chapter 17.

    3×3 convolutions with ReLU at the small size, whose last makes the factor² pixels that each one becomes. That last
    layer starts at zero, so that the network starts as bicubic enlargement: it has only to learn what that lacks, and
    in the first minute passes it where a network that must first learn to copy is far behind.

    Source: learning the residual over a bicubic enlargement: Kim et al. 2016, https://arxiv.org/abs/1511.04587, section
    3.2; at the small size with a pixel shuffle: Shi et al. 2016, https://arxiv.org/abs/1609.05158, equation 4.

    Args:
        factor: how many times longer the sides become, a whole number of at least 2.
        channels: of the images.
        width: channels between the convolutions.
        depth: convolutions, at least 2.
    """

    latent = 0

    def __init__(self, factor: int = 2, channels: int = 3, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.factor = _check.positive_int("factor", factor, minimum=2)
        self.channels, self.width = _check.positive_int("channels", channels), _check.positive_int("width", width)
        self.depth = _check.positive_int("depth", depth, minimum=2)
        widths = [self.channels, *[self.width] * (self.depth - 1)]
        parts: list[nn.Module] = []
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, b, 3, 1, 1), nn.ReLU()]
        last = nn.Conv2d(self.width, self.channels * self.factor**2, 3, 1, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        self.net = nn.Sequential(*parts, last, nn.PixelShuffle(self.factor))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, factor·H, factor·W) from images (N, channels, H, W)."""
        _check_images("images", x, self.channels)
        return _full_precision(F.interpolate(x, scale_factor=float(self.factor), mode="bicubic") + self.net(x))


class ImagePool(_Net):
    """A pool of earlier fakes, so that a discriminator does not forget what it has already learned to tell.

    First built in chapter 16.

    Half of what a full pool hands back are earlier images, each taken out at random and replaced by a new one. The
    images are buffers and all chance comes from the generator given, so that a game that keeps the pool in its `memory`
    resumes exactly.

    Source: Shrivastava et al. 2017, https://arxiv.org/abs/1612.07828, section 2.3; of 50 images, image by image: Zhu et
    al. 2017, https://arxiv.org/abs/1703.10593, section 4.

    Args:
        shape: of one image, such as (3, 32, 32).
        size: images it holds; 0 for none: what goes in comes out.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, shape: tuple[int, ...], size: int = 50) -> None:
        super().__init__()
        self.size = _check.positive_int("size", size, minimum=0)
        self.register_buffer("images", torch.zeros(self.size, *(_check.positive_int("shape", s) for s in shape)))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, fresh: Tensor, rng: torch.Generator) -> Tensor:
        """As many images as came, (N, …): while the pool fills, those; from then on half of them from the pool.

        Args:
            fresh: new images (N, …), detached.
            rng: a CPU generator.
        """
        _check_input("fresh", fresh, *self.images.shape[1:])
        fresh = fresh.detach()
        start = int(self.filled)
        filling = min(len(fresh), self.size - start)
        self.images[start : start + filling] = fresh[:filling].to(self.images)
        self.filled += filling
        swapped = (torch.rand(len(fresh), generator=rng) < 0.5).nonzero().flatten()
        swapped = swapped[swapped >= filling][: self.size].to(fresh.device)
        places = torch.randperm(self.size, generator=rng)[: len(swapped)].to(fresh.device)
        given = fresh.clone()
        given[swapped] = self.images[places].to(fresh)
        self.images[places] = fresh[swapped].to(self.images)
        return given
