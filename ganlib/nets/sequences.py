"""Convolutions over time for series: a generator of stationary records without an end, and a judge of windows.

Dilated convolutions (van den Oord et al. 2016, https://arxiv.org/abs/1609.03499) look at moments 1, 2, 4, … apart, as
the generator of Quant GANs does (Wiese et al. 2019, https://arxiv.org/abs/1907.06673). Nothing is padded, so each value
is the same function of another stretch of noise, and values further apart than its length are independent.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _check_labels, _Discriminator, _Generator
from ganlib.nets.points import _in_float32

__all__ = ["SequenceDiscriminator", "SequenceGenerator"]


class SequenceGenerator(_Generator):
    """Records (N, length) from z (N, latent), which is noise of `channels` for `length + memory - 1` moments.

    First built in chapter 20. It computes in float32 even under autocast.

    Args:
        length: moments of a record.
        depth: number of dilated convolutions; a value depends on `memory` = 2^(depth + 1) - 1 moments of noise.
        channels: normal numbers a moment.
        width: channels of the hidden layers.
        volatility: whether what comes out is level + exp(log-volatility) · noise of that moment, instead of a level.
            Without it tails are as thin as the noise's.
        scale: standard deviation of the data: the output is multiplied by it.
        shift: mean of the data: it is added then.

    Attributes:
        memory: moments of noise that a value depends on.
    """

    def __init__(
        self,
        length: int = 48,
        depth: int = 5,
        channels: int = 8,
        width: int = 24,
        volatility: bool = False,
        scale: float = 1.0,
        shift: float = 0.0,
    ) -> None:
        length, channels = _check.positive_int("length", length), _check.positive_int("channels", channels)
        memory = 2 ** (_check.positive_int("depth", depth) + 1) - 1
        super().__init__(channels * (length + memory - 1), None, "concatenation")
        self.length, self.channels, self.memory = length, channels, memory
        self.volatility, self.shift, self.scale = volatility, _check.finite("shift", shift), _positive("scale", scale)
        width = _check.positive_int("width", width)
        layers: list[nn.Module] = [nn.Conv1d(channels, width, 1), nn.LeakyReLU(0.2)]
        for k in range(depth):
            layers += [nn.Conv1d(width, width, 3, dilation=2**k), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Conv1d(width, 2 if volatility else 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        """Records (N, length) from z (N, latent)."""
        return self._values(self._enter(z, None))

    def _values(self, z: Tensor) -> Tensor:
        with _in_float32(z):
            z = z.view(len(z), self.channels, -1)
            said = self.net(z)
            values = said[:, 0]
            if self.volatility:
                values = values + said[:, 1].exp() * z[:, 0, self.memory - 1 :]
            return cast(Tensor, self.scale * values + self.shift)

    @torch.no_grad()
    def records(self, n: int, length: int, rng: torch.Generator) -> Tensor:
        """Records (n, length) of any length, drawn one by one with a CPU generator; they are on the CPU."""
        _check.positive_int("n", n)
        _check.positive_int("length", length)
        device = next(self.parameters()).device
        made = []
        for _ in range(n):
            z = torch.randn(1, self.channels * (length + self.memory - 1), generator=rng)
            made.append(self._values(z.to(device)).cpu())
        return torch.cat(made)


class SequenceDiscriminator(_Discriminator):
    """Logits (N,) of windows (N, length): what strided convolutions find, its mean over time, and a linear layer.

    First built in chapter 20. It computes in float32 even under autocast.

    Args:
        length: moments of a window.
        width: channels of the first layer; they double, up to 64, as windows halve, down to at most 8 moments.
        scale: standard deviation of the data: the input, less `shift`, is divided by it.
        shift: mean of the data.
    """

    def __init__(self, length: int = 48, width: int = 24, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__(None, "concatenation", embedding=1)
        self.length = _check.positive_int("length", length, minimum=9)
        self.shift, self.scale = _check.finite("shift", shift), _positive("scale", scale)
        grown, entering = _check.positive_int("width", width), 1
        layers: list[nn.Module] = []
        while length > 8:
            layers += [nn.Conv1d(entering, grown, 5, stride=2, padding=2), nn.LeakyReLU(0.2)]
            length, entering, grown = (length + 1) // 2, grown, max(grown, min(2 * grown, 64))
        self.hidden = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self._make_head(entering)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the logits are made from, (N, F), of windows (N, length)."""
        _check_input("x", x, self.length)
        _check_labels(labels, None, len(x))
        with _in_float32(x):
            return cast(Tensor, self.hidden(((x - self.shift) / self.scale)[:, None]))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) of windows (N, length)."""
        features = self.last_features(x, labels)
        with _in_float32(x):
            return self._logit(features, labels)


def _positive(name: str, value: float) -> float:
    if _check.finite(name, value) <= 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return float(value)
