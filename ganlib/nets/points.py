"""Perceptrons for points: fully connected layers with LeakyReLU, always in float32."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _check_labels, _Discriminator, _Generator
from ganlib.nets.blocks import MinibatchStd

__all__ = ["MLPDiscriminator", "MLPGenerator"]


def _mlp(inputs: int, width: int, layers: int, minibatch_std: bool = False, slope: float = 0.2) -> nn.Sequential:
    parts: list[nn.Module] = []
    for fan_in in [inputs] + [width] * (layers - 1):
        parts += [nn.Linear(fan_in, width), nn.LeakyReLU(slope)]
    if minibatch_std:  # before the last hidden layer, which can then make something of it
        parts[-2:-2] = [MinibatchStd()]
        parts[-2] = nn.Linear(fan_in + 1, width)
    return nn.Sequential(*parts)


def _in_float32(x: Tensor) -> AbstractContextManager[object]:
    """No autocast for what is computed from x; nothing at all, which is quicker, where there is none anyway."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


Units = float | Sequence[float]
"""One number for all coordinates, or one for each."""


def _units(net: nn.Module, dim: int, shift: Units, scale: Units) -> None:
    """Give a network these units of its data: as numbers, or as buffers (dim,) where each coordinate has its own."""
    for name, value in (("shift", shift), ("scale", scale)):
        numbers = [value] if isinstance(value, int | float) else list(value)
        for number in numbers:
            if _check.finite(name, number) <= 0 and name == "scale":
                raise ValueError(f"scale must be above 0, got {number!r}")
        if isinstance(value, int | float):
            setattr(net, name, float(value))
            continue
        if len(numbers) != dim:
            raise ValueError(f"{name} must be one number, or one for each of the {dim} coordinates, got {len(numbers)}")
        net.register_buffer(name, torch.tensor(numbers, dtype=torch.float32))


class MLPGenerator(_Generator):
    """A perceptron from latent vectors (N, latent) to points (N, out).

    It computes in float32 even under autocast: bfloat16 would round a coordinate of 1.5 by up to 0.004.

    Args:
        latent: length of z.
        out: dimension of the data space.
        width: units of each hidden layer.
        layers: number of hidden layers.
        prior: distribution of z, "normal" or "uniform" on [-1, 1].
        classes: number of classes of a conditional generator.
        condition: "concatenation" or "embedding".
        scale: standard deviation of the data, or of each coordinate: the output is multiplied by it.
        shift: mean of the data, or of each coordinate: it is added then.
        negative_slope: of the hidden layers' LeakyReLU; 0 makes it ReLU, whose sharper bends leave fewer points
            between separate modes.
    """

    shift: float | Tensor
    scale: float | Tensor

    def __init__(
        self,
        latent: int = 2,
        out: int = 2,
        width: int = 128,
        layers: int = 3,
        prior: str = "normal",
        classes: int | None = None,
        condition: str = "concatenation",
        scale: Units = 1.0,
        negative_slope: float = 0.2,
        shift: Units = 0.0,
    ) -> None:
        super().__init__(latent, classes, condition)
        _check.one_of("prior", prior, ("normal", "uniform"))
        self.prior = prior
        _units(self, _check.positive_int("out", out), shift, scale)
        width = _check.positive_int("width", width)
        slope = _check.finite("negative_slope", negative_slope, minimum=0)
        self.hidden = _mlp(self.inputs, width, _check.positive_int("layers", layers), slope=slope)
        self.out = nn.Linear(width, out)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Points (N, out) from z (N, latent) and labels (N,)."""
        z = self._enter(z, labels)
        with _in_float32(z):
            return cast(Tensor, self.scale * self.out(self.hidden(z)) + self.shift)


class MLPDiscriminator(_Discriminator):
    """A perceptron from points (N, inputs) to logits (N,); like the generator, always in float32.

    Args:
        inputs: dimension of the data space.
        width: units of each hidden layer (LeakyReLU, slope 0.2).
        layers: number of hidden layers.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        fourier: number of fixed random frequencies f ~ N(0, `frequency`²) whose sin(f·x) and cos(f·x) stand beside x:
            fine structure becomes easy to see (Tancik et al. 2020, https://arxiv.org/abs/2006.10739).
        frequency: their standard deviation, in radians a standard deviation of the data.
        scale: standard deviation of the data, or of each coordinate: the input, less `shift`, is divided by it.
        shift: mean of the data, or of each coordinate.
        minibatch_std: whether the last hidden layer also sees how much the samples differ (`MinibatchStd`).
    """

    frequencies: Tensor
    shift: float | Tensor
    scale: float | Tensor

    def __init__(
        self,
        inputs: int = 2,
        width: int = 128,
        layers: int = 3,
        classes: int | None = None,
        condition: str = "concatenation",
        fourier: int = 0,
        frequency: float = 4.0,
        scale: Units = 1.0,
        minibatch_std: bool = False,
        shift: Units = 0.0,
    ) -> None:
        super().__init__(classes, condition, embedding=_check.positive_int("inputs", inputs))
        self.inputs = inputs
        _units(self, inputs, shift, scale)
        self.fourier = _check.positive_int("fourier", fourier, minimum=0)
        frequency = _check.finite("frequency", frequency, minimum=0)
        self.register_buffer("frequencies", frequency * torch.randn(self.inputs, self.fourier))
        width = _check.positive_int("width", width)
        fan_in = self.inputs + 2 * self.fourier + self.code.width
        self.hidden = _mlp(fan_in, width, _check.positive_int("layers", layers), minibatch_std)
        self._make_head(width)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (N, width) from points (N, inputs) and labels (N,)."""
        _check_input("x", x, self.inputs)
        _check_labels(labels, self.classes, len(x))
        with _in_float32(x):
            x = (x - self.shift) / self.scale
            if self.fourier:
                phases = x @ self.frequencies
                x = torch.cat([x, phases.sin(), phases.cos()], 1)
            if self.code.width:
                x = torch.cat([x, self.code(labels, x.dtype)], 1)
            return cast(Tensor, self.hidden(x))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from points (N, inputs) and labels (N,)."""
        features = self.last_features(x, labels)
        with _in_float32(x):
            return self._logit(features, labels)
