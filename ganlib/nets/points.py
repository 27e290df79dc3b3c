"""Perceptrons for points: fully connected layers with LeakyReLU, always in float32."""

from __future__ import annotations

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
        width: units of each hidden layer.
        layers: number of hidden layers.
        prior: distribution of z, "normal" or "uniform" on [-1, 1].
        classes: number of classes of a conditional generator.
        condition: "concatenation" or "embedding".
        scale: standard deviation of the data: the output is multiplied by it.
        negative_slope: of the hidden layers' LeakyReLU; 0 makes it ReLU, whose sharper bends leave fewer points
            between separate modes.
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
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__(latent, classes, condition)
        _check.one_of("prior", prior, ("normal", "uniform"))
        self.prior = prior
        self.scale = _scale(scale)
        width = _check.positive_int("width", width)
        slope = _check.finite("negative_slope", negative_slope, minimum=0)
        self.hidden = _mlp(self.inputs, width, _check.positive_int("layers", layers), slope=slope)
        self.out = nn.Linear(width, _check.positive_int("out", out))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Points (N, out) from z (N, latent) and labels (N,)."""
        z = self._enter(z, labels)
        with _in_float32(z):
            return cast(Tensor, self.scale * self.out(self.hidden(z)))


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
        scale: standard deviation of the data: the input is divided by it.
        minibatch_std: whether the last hidden layer also sees how much the samples differ (`MinibatchStd`).
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
        frequency: float = 4.0,
        scale: float = 1.0,
        minibatch_std: bool = False,
    ) -> None:
        super().__init__(classes, condition, embedding=_check.positive_int("inputs", inputs))
        self.inputs = inputs
        self.scale = _scale(scale)
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
            x = x / self.scale
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
