"""Generators and discriminators: perceptrons for points, two pairs of convolutional networks for images.

A generator maps latent vectors z (N, latent) to samples, a discriminator maps samples to logits (N,): the sigmoid is
left to the loss. A conditional network (`classes` given) also takes labels (N,). The DCGAN pair follows Radford et al.
2015 (https://arxiv.org/abs/1511.06434); the shuffle pair has the same interface, keeps to the 3×3 convolutions that
CPUs are best at, and is what the command line uses for images.

Ways to take labels in: "concatenation" puts a one-hot code beside the input (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784), "embedding" a learned one, and "projection", for discriminators, adds the inner
product <embed(y), features(x)> to the logit (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637, equation 3).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check, penalties

__all__ = [
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "ShuffleDiscriminator",
    "ShuffleGenerator",
    "parameters_count",
]


def parameters_count(net: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in net.parameters())


# What every network shares: checks at the door, and labels.


def _check_input(name: str, x: Tensor, *sides: int) -> None:
    expected = f"(N, {', '.join(str(side) for side in sides)})"
    _check.shape(name, x, expected, isinstance(x, Tensor) and x.dim() > 0 and x.shape[1:] == sides)
    if not x.is_floating_point():
        raise TypeError(f"{name} must be a tensor of floats, got {x.dtype}")


def _check_labels(labels: Tensor | None, classes: int | None, n: int) -> None:
    if classes is None:
        if labels is not None:
            raise ValueError("labels must be left out: this network was made without classes")
        return
    if labels is None:
        raise ValueError(f"labels must be given: this network is conditional on {classes} classes")
    _check.shape("labels", labels, f"({n},)", isinstance(labels, Tensor) and labels.shape == (n,))
    if labels.dtype != torch.int64:
        raise TypeError(f"labels must be whole numbers (torch.int64), got {labels.dtype}")
    if labels.device.type == "cpu" and n:  # elsewhere the answer would have to be waited for
        low, high = (int(v) for v in labels.aminmax())
        if low < 0 or high >= classes:
            raise ValueError(f"labels must lie between 0 and {classes - 1}, got {low if low < 0 else high}")


def _full_precision(x: Tensor) -> Tensor:
    """Losses and pictures are wanted in float32, whatever autocast computed in."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class _LabelCode(nn.Module):
    """Labels (N,) -> vectors (N, width): one-hot, learned, or of width 0 without classes."""

    def __init__(self, classes: int | None, condition: str, width: int) -> None:
        super().__init__()
        self.classes = classes
        learned = classes is not None and condition == "embedding"
        one_hot = classes is not None and condition == "concatenation"
        self.embed = nn.Embedding(cast(int, classes), width) if learned else None
        self.width = width if learned else cast(int, classes) if one_hot else 0

    def forward(self, labels: Tensor, dtype: torch.dtype) -> Tensor:
        if self.embed is not None:
            return cast(Tensor, self.embed(labels)).to(dtype)
        return F.one_hot(labels, cast(int, self.classes)).to(dtype)


class _Generator(nn.Module):
    """What generators share: `latent`, `classes`, `prior`, and the vector that goes in."""

    prior: str = "normal"

    def __init__(self, latent: int, classes: int | None, condition: str) -> None:
        super().__init__()
        self.latent = _check.positive_int("latent", latent)
        self.classes = None if classes is None else _check.positive_int("classes", classes)
        _check.one_of("condition", condition, ("concatenation", "embedding"))
        self.code = _LabelCode(self.classes, condition, self.latent)
        self.inputs = self.latent + self.code.width

    def _enter(self, z: Tensor, labels: Tensor | None) -> Tensor:
        _check_input("z", z, self.latent)
        _check_labels(labels, self.classes, len(z))
        return z if labels is None else torch.cat([z, self.code(labels, z.dtype)], 1)


class _Discriminator(nn.Module):
    """What discriminators share: `classes`, and the logit made from features and labels."""

    def __init__(self, classes: int | None, condition: str, embedding: int) -> None:
        super().__init__()
        self.classes = None if classes is None else _check.positive_int("classes", classes)
        _check.one_of("condition", condition, ("concatenation", "embedding", "projection"))
        self.code = _LabelCode(self.classes, condition, embedding)
        self.projects = self.classes is not None and condition == "projection"

    def _make_head(self, features: int) -> None:
        self.out = nn.Linear(features, 1)
        if self.projects:
            self.embed = nn.Embedding(cast(int, self.classes), features)
            nn.init.normal_(self.embed.weight, std=features**-0.5)

    def _logit(self, features: Tensor, labels: Tensor | None) -> Tensor:
        logit = cast(Tensor, self.out(features)).squeeze(1)
        if self.projects:
            logit = logit + (self.embed(labels) * features).sum(1)
        return _full_precision(logit)


# Points.


def _mlp(inputs: int, width: int, layers: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for fan_in in [inputs] + [width] * (layers - 1):
        parts += [nn.Linear(fan_in, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts)


def _scale(scale: float) -> float:
    if _check.finite("scale", scale) <= 0:
        raise ValueError(f"scale must be above 0, got {scale!r}")
    return float(scale)


class MLPGenerator(_Generator):
    """A perceptron from latent vectors (N, latent) to points (N, out).

    It computes in float32 even under autocast: bfloat16 would round a coordinate of 1.5 by up to 0.004.

    Args:
        latent: length of z.
        out: dimension of the data space.
        width: units of each hidden layer (LeakyReLU, slope 0.2).
        layers: number of hidden layers.
        prior: distribution of z, "normal" or "uniform" on [-1, 1].
        classes: number of classes of a conditional generator.
        condition: "concatenation" or "embedding".
        scale: standard deviation of the data: the output is multiplied by it.
    """

    def __init__(
        self,
        latent: int = 2,
        out: int = 2,
        width: int = 128,
        layers: int = 3,
        prior: str = "normal",
        classes: int | None = None,
        condition: str = "concatenation",
        scale: float = 1.0,
    ) -> None:
        super().__init__(latent, classes, condition)
        _check.one_of("prior", prior, ("normal", "uniform"))
        self.prior = prior
        self.scale = _scale(scale)
        width = _check.positive_int("width", width)
        self.hidden = _mlp(self.inputs, width, _check.positive_int("layers", layers))
        self.out = nn.Linear(width, _check.positive_int("out", out))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Points (N, out) from z (N, latent) and labels (N,)."""
        z = self._enter(z, labels)
        with torch.autocast(z.device.type, enabled=False):
            return cast(Tensor, self.scale * self.out(self.hidden(z)))


class MLPDiscriminator(_Discriminator):
    """A perceptron from points (N, inputs) to logits (N,); like the generator, always in float32.

    Args:
        inputs: dimension of the data space.
        width: units of each hidden layer (LeakyReLU, slope 0.2).
        layers: number of hidden layers.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        fourier: number of fixed random frequencies f ~ N(0, 4²) whose sin(f·x) and cos(f·x) stand beside x: fine
            structure becomes easy to see (Tancik et al. 2020, https://arxiv.org/abs/2006.10739).
        scale: standard deviation of the data: the input is divided by it.
    """

    frequencies: Tensor

    def __init__(
        self,
        inputs: int = 2,
        width: int = 128,
        layers: int = 3,
        classes: int | None = None,
        condition: str = "concatenation",
        fourier: int = 0,
        scale: float = 1.0,
    ) -> None:
        super().__init__(classes, condition, embedding=_check.positive_int("inputs", inputs))
        self.inputs = inputs
        self.scale = _scale(scale)
        self.fourier = _check.positive_int("fourier", fourier, minimum=0)
        self.register_buffer("frequencies", 4 * torch.randn(self.inputs, self.fourier))
        width = _check.positive_int("width", width)
        fan_in = self.inputs + 2 * self.fourier + self.code.width
        self.hidden = _mlp(fan_in, width, _check.positive_int("layers", layers))
        self._make_head(width)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from points (N, inputs) and labels (N,)."""
        _check_input("x", x, self.inputs)
        _check_labels(labels, self.classes, len(x))
        with torch.autocast(x.device.type, enabled=False):
            x = x / self.scale
            if self.fourier:
                phases = x @ self.frequencies
                x = torch.cat([x, phases.sin(), phases.cos()], 1)
            if self.code.width:
                x = torch.cat([x, self.code(labels, x.dtype)], 1)
            return self._logit(self.hidden(x), labels)


# Images.


def _base_and_doublings(size: int) -> tuple[int, int]:
    """28 -> (7, 2); 16 -> (4, 2); 32 -> (4, 3): the smallest side, and how often it is doubled."""
    _check.positive_int("size", size)
    if size == 28:
        return 7, 2
    if size < 16 or size & (size - 1):
        raise ValueError(f"size must be 28 or a power of two from 16, got {size}")
    return 4, size.bit_length() - 3


class _ImageGenerator(_Generator):
    project: nn.Linear

    def __init__(self, size: int, channels: int, latent: int, width: int, classes: int | None, condition: str) -> None:
        super().__init__(latent, classes, condition)
        self.base, self.doublings = _base_and_doublings(size)
        self.size, self.channels = size, _check.positive_int("channels", channels)
        self.width = _check.positive_int("width", width)

    def _project(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z -> a small image of many channels, laid out channels-last from the start."""
        x = self.project(self._enter(z, labels))
        return cast(Tensor, x.view(len(z), self.base, self.base, -1).permute(0, 3, 1, 2))


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
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding, nn.BatchNorm2d)):
            nn.init.normal_(module.weight, float(isinstance(module, nn.BatchNorm2d)), 0.02)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(cast(Tensor, module.bias))


class DCGANGenerator(_ImageGenerator):
    """The textbook generator: 4×4 transposed convolutions of stride 2, BatchNorm and ReLU, tanh at the end.

    z is projected to 7×7 (size 28) or 4×4, then doubled until `size`; channels halve at each doubling and `width` is
    their number before the last one. First built in chapter 9.

    Source: Radford et al. 2015, https://arxiv.org/abs/1511.06434, figure 1 and section 3.

    Args:
        size: side of the images, 28 or a power of two from 16.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: channels of the last hidden layer.
        classes: number of classes of a conditional generator.
        condition: "concatenation" or "embedding".
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 64,
        width: int = 32,
        classes: int | None = None,
        condition: str = "concatenation",
    ) -> None:
        super().__init__(size, channels, latent, width, classes, condition)
        widths = [self.width * 2**i for i in reversed(range(self.doublings))]
        self.project = nn.Linear(self.inputs, widths[0] * self.base**2)
        parts: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for a, b in pairwise(widths):
            parts += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.net = nn.Sequential(*parts, nn.ConvTranspose2d(widths[-1], self.channels, 4, 2, 1), nn.Tanh())
        _init_dcgan(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, channels, size, size) in [-1, 1] from z (N, latent) and labels (N,)."""
        return _full_precision(self.net(self._project(z, labels)))


class DCGANDiscriminator(_ImageDiscriminator):
    """The textbook discriminator: 4×4 convolutions of stride 2, BatchNorm in all but the first, LeakyReLU.

    Channels start at `width` and double as the side halves, down to 7×7 (size 28) or 4×4. First built in chapter 9.

    Source: Radford et al. 2015, https://arxiv.org/abs/1511.06434, section 3.

    Args:
        size: side of the images, 28 or a power of two from 16.
        channels: 1 for grey, 3 for colour.
        width: channels of the first hidden layer.
        batch_norm: whether to normalise; leave it out together with a gradient penalty or spectral normalisation.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        spectral_norm: whether every weight is divided by its largest singular value (`penalties.spectral_norm`).
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
    ) -> None:
        super().__init__(size, channels, width, classes, condition)
        widths = [self.width * 2**i for i in range(self.doublings)]
        parts: list[nn.Module] = [
            nn.Conv2d(self.channels + self._planes(size), widths[0], 4, 2, 1),
            nn.LeakyReLU(0.2),
        ]
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, b, 4, 2, 1, bias=not batch_norm)]
            parts += [nn.BatchNorm2d(b)] if batch_norm else []
            parts += [nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*parts)
        self._make_head(widths[-1] * self.base**2)
        _init_dcgan(self)
        if spectral_norm:
            penalties.spectral_norm(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from images (N, channels, size, size) and labels (N,)."""
        self._check_images(x, labels)
        return self._logit(self.features(self._add_planes(x, labels)).flatten(1), labels)


class ShuffleGenerator(_ImageGenerator):
    """The fast generator: 3×3 convolutions of stride 1, each doubling a pixel shuffle (Shi et al. 2016).

    No convolution runs at full size with few channels: the last one makes 4 × `channels` planes of half the side, and a
    pixel shuffle weaves them into the image. That keeps a CPU in its fast kernels.

    Source of the pixel shuffle: Shi et al. 2016, https://arxiv.org/abs/1609.05158, equation 4.

    Args:
        size: side of the images, 28 or a power of two from 16.
        channels: 1 for grey, 3 for colour.
        latent: length of z.
        width: half the channels of the last hidden layer.
        classes: number of classes of a conditional generator.
        condition: "concatenation" or "embedding".
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
        parts: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for a, b in pairwise(widths):
            parts += [nn.Conv2d(a, 4 * b, 3, 1, 1, bias=False), nn.PixelShuffle(2), nn.BatchNorm2d(b), nn.ReLU()]
        last = widths[-1]
        parts += [nn.Conv2d(last, last, 3, 1, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU()]
        parts += [nn.Conv2d(last, 4 * self.channels, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh()]
        self.net = nn.Sequential(*parts).to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, channels, size, size) in [-1, 1] from z (N, latent) and labels (N,)."""
        return _full_precision(self.net(self._project(z, labels)))


class ShuffleDiscriminator(_ImageDiscriminator):
    """The fast discriminator: a pixel unshuffle, then 3×3 convolutions with LeakyReLU; no BatchNorm.

    One-hot planes of labels join after the unshuffle, at half the side.

    Args:
        size: side of the images, 28 or a power of two from 16.
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

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from images (N, channels, size, size) and labels (N,)."""
        self._check_images(x, labels)
        halved = self._add_planes(F.pixel_unshuffle(x, 2), labels)
        return self._logit(self.features(halved).flatten(1), labels)
