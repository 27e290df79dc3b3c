"""Networks that look back from samples to codes: encoders, second heads, and discriminators of (x, z) and of energies.

Encoders and joint discriminators are made of the discriminators beside them: the same hidden layers, another end.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _Discriminator, _full_precision, _Net
from ganlib.nets.images import ShuffleDiscriminator
from ganlib.nets.points import MLPDiscriminator, Units, _in_float32, _mlp

__all__ = [
    "Autoencoder",
    "AutoencoderDiscriminator",
    "MLPEncoder",
    "MLPJointDiscriminator",
    "ShuffleEncoder",
    "ShuffleJointDiscriminator",
    "TwoHeaded",
    "logits_and_features",
]


def logits_and_features(discriminator: nn.Module, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The logits (N,) of a discriminator of this package and the last features (N, F) they are made from, in one pass.

    Raises:
        TypeError: the discriminator is not of this package.
    """
    if not isinstance(discriminator, _Discriminator):
        kind = type(discriminator).__name__
        raise TypeError(f"discriminator must be one of ganlib.nets, whose last features are known, got {kind}")
    features = _full_precision(discriminator.last_features(x, labels))
    with _in_float32(x):
        return discriminator._logit(features, labels), features


def _without_end(discriminator: _Discriminator) -> tuple[_Discriminator, int]:
    """A discriminator's hidden layers, and how many features come out of them; the layer of the logit is gone."""
    features = discriminator.out.in_features
    del discriminator.out
    return discriminator, features


class _Encoder(_Net):
    """The hidden layers of a discriminator, and layers for the mean and the log-variance of the code."""

    def __init__(self, hidden: _Discriminator, latent: int, gaussian: bool) -> None:
        super().__init__()
        self.latent = _check.positive_int("latent", latent)
        self.classes = hidden.classes
        self.gaussian = gaussian
        self.hidden, features = _without_end(hidden)
        self.mean = nn.Linear(features, self.latent)
        self.log_variance = nn.Linear(features, self.latent) if gaussian else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Codes from samples (N, …) and labels (N,): means and log-variances, each (N, latent), or codes alone."""
        features = _full_precision(self.hidden.last_features(x, labels))
        with _in_float32(x):
            mean = cast(Tensor, self.mean(features))
            return mean if self.log_variance is None else (mean, self.log_variance(features))


class MLPEncoder(_Encoder):
    """A perceptron from points (N, inputs) to codes; the hidden layers are those of `MLPDiscriminator`.

    First built in chapter 11.

    Args:
        latent: length of the code.
        inputs: dimension of the data space.
        width: units of each hidden layer.
        layers: number of hidden layers.
        classes: number of classes of a conditional encoder.
        condition: "concatenation" or "embedding".
        scale, shift: standard deviation and mean of the data, as in `MLPDiscriminator`.
        gaussian: whether to return (mean, log-variance) of a Gaussian q(z|x), each (N, latent), as `games.vae` wants
            it; without, one code (N, latent).
    """

    def __init__(
        self,
        latent: int = 2,
        inputs: int = 2,
        width: int = 128,
        layers: int = 3,
        classes: int | None = None,
        condition: str = "concatenation",
        scale: Units = 1.0,
        gaussian: bool = True,
        shift: Units = 0.0,
    ) -> None:
        _check.one_of("condition", condition, ("concatenation", "embedding"))
        hidden = MLPDiscriminator(inputs, width, layers, classes, condition, scale=scale, shift=shift)
        super().__init__(hidden, latent, gaussian)


class ShuffleEncoder(_Encoder):
    """A convolutional network from images to codes; the hidden layers are those of `ShuffleDiscriminator`.

    First built in chapter 11.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        latent: length of the code.
        width: half the channels of the first hidden layer.
        classes: number of classes of a conditional encoder.
        condition: "concatenation" or "embedding".
        gaussian: whether to return (mean, log-variance) of a Gaussian q(z|x), each (N, latent), as `games.vae` wants
            it; without, one code (N, latent).
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 64,
        width: int = 16,
        classes: int | None = None,
        condition: str = "concatenation",
        gaussian: bool = True,
    ) -> None:
        _check.one_of("condition", condition, ("concatenation", "embedding"))
        super().__init__(ShuffleDiscriminator(size, channels, width, classes, condition), latent, gaussian)


class Autoencoder(_Net):
    """A generator and an encoder as one network, for players that move both. Called like the generator, it generates.

    First built in chapter 11.

    Args:
        generator: z (N, latent) -> samples.
        encoder: samples -> codes (N, latent), or (means, log-variances).

    Attributes:
        latent, classes, prior: the generator's.

    Raises:
        ValueError, TypeError: a network is missing, or their latent lengths differ.
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        for name, net in (("generator", generator), ("encoder", encoder)):
            if not isinstance(net, nn.Module):
                raise TypeError(f"{name} must be an nn.Module, got {net!r}")
        self.latent = getattr(generator, "latent", None)
        if self.latent is None or getattr(encoder, "latent", None) != self.latent:
            got = f"{self.latent} and {getattr(encoder, 'latent', None)}"
            raise ValueError(f"generator.latent and encoder.latent must be the same length of z, got {got}")
        self.generator, self.encoder = generator, encoder
        self.classes = getattr(generator, "classes", None)
        self.prior = getattr(generator, "prior", "normal")

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        """Samples from z (N, latent), and labels (N,) where the generator takes them."""
        return cast(Tensor, self.generator(z, *labels))


class TwoHeaded(_Net):
    """A discriminator with a second head on its last features: x -> (logits (N,), heads (N, outputs)).

    First built in chapter 12.

    The second head is the classifier of AC-GAN (Odena et al. 2017, https://arxiv.org/abs/1610.09585) and the network Q
    of InfoGAN, which shares all layers but the last with D (Chen et al. 2016, https://arxiv.org/abs/1606.03657).

    Args:
        discriminator: one of this package.
        outputs: numbers that the second head returns: classes, or `games.Codes.outputs`.
    """

    def __init__(self, discriminator: nn.Module, outputs: int) -> None:
        super().__init__()
        if not isinstance(discriminator, _Discriminator):
            raise TypeError(f"discriminator must be one of ganlib.nets, got {type(discriminator).__name__}")
        self.discriminator = discriminator
        self.classes = discriminator.classes
        self.outputs = _check.positive_int("outputs", outputs)
        self.head = nn.Linear(discriminator.out.in_features, self.outputs)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (N, F) that both heads are made from."""
        return self.discriminator.last_features(x, labels)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (N,) and heads (N, outputs) from samples (N, …) and labels (N,)."""
        logits, features = logits_and_features(self.discriminator, x, labels)
        with _in_float32(x):
            return logits, self.head(features)


class MLPJointDiscriminator(MLPDiscriminator):
    """A perceptron from points (N, inputs) and codes (N, latent) to logits (N,): D(x, z) of BiGAN.

    First built in chapter 11.

    Args:
        latent: length of the code.
        inputs: dimension of the data space.
        width: units of each hidden layer.
        layers: number of hidden layers.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation", "embedding" or "projection".
        scale, shift: standard deviation and mean of the data, as in `MLPDiscriminator`; codes stay as they are.
    """

    def __init__(
        self,
        latent: int = 2,
        inputs: int = 2,
        width: int = 128,
        layers: int = 3,
        classes: int | None = None,
        condition: str = "concatenation",
        scale: Units = 1.0,
        shift: Units = 0.0,
    ) -> None:
        self.latent, self.points = _check.positive_int("latent", latent), _check.positive_int("inputs", inputs)
        both = self.points + self.latent
        if (scale, shift) != (1.0, 0.0):  # of the points alone
            (scale, shift) = (
                [*([value] * self.points if isinstance(value, int | float) else value), *[code] * self.latent]
                for value, code in ((scale, 1.0), (shift, 0.0))
            )
        super().__init__(both, width, layers, classes, condition, scale=scale, shift=shift)

    def forward(self, x: Tensor, z: Tensor, labels: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Logits (N,) from points (N, inputs), codes (N, latent) and labels (N,)."""
        _check_input("x", x, self.points)
        _check_input("z", z, self.latent)
        return super().forward(torch.cat([x, z], 1), labels)


class ShuffleJointDiscriminator(_Net):
    """Images and codes to logits: the features of `ShuffleDiscriminator` beside z, and a perceptron: D(x, z) of BiGAN.

    First built in chapter 11.

    Args:
        size: side of the images, such as 16, 28, 32, 48 or 64: one that `fits`.
        channels: 1 for grey, 3 for colour.
        latent: length of the code.
        width: half the channels of the first hidden layer.
        units: units of the two layers that see features and code together.
        classes: number of classes of a conditional discriminator.
        condition: "concatenation" or "embedding".
    """

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 64,
        width: int = 16,
        units: int = 128,
        classes: int | None = None,
        condition: str = "concatenation",
    ) -> None:
        super().__init__()
        _check.one_of("condition", condition, ("concatenation", "embedding"))
        self.latent = _check.positive_int("latent", latent)
        self.hidden, features = _without_end(ShuffleDiscriminator(size, channels, width, classes, condition))
        self.classes = self.hidden.classes
        self.joint = _mlp(features + self.latent, _check.positive_int("units", units), 2)
        self.out = nn.Linear(units, 1)

    def forward(self, x: Tensor, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from images (N, channels, size, size), codes (N, latent) and labels (N,)."""
        _check_input("z", z, self.latent)
        features = self.hidden.last_features(x, labels)
        return _full_precision(self.out(self.joint(torch.cat([features, z.to(features.dtype)], 1))).squeeze(1))


class AutoencoderDiscriminator(Autoencoder):
    """An autoencoder that judges by how well it rebuilds: x -> (energies (N,), codes (N, latent)), for EBGAN.

    First built in chapter 8.

    The energy is the mean over all numbers of a sample of (x - Dec(Enc(x)))².

    Source: Zhao et al. 2017, https://arxiv.org/abs/1609.03126, section 2.3.

    Args:
        decoder: z (N, latent) -> samples: any generator.
        encoder: samples -> codes (N, latent), such as `MLPEncoder(gaussian=False)`.
    """

    def __init__(self, decoder: nn.Module, encoder: nn.Module) -> None:
        super().__init__(decoder, encoder)
        if getattr(encoder, "gaussian", False):
            raise ValueError("encoder must return one code, not a mean and a log-variance: make it with gaussian=False")
        if getattr(encoder, "classes", None) != self.classes:
            got = f"{getattr(encoder, 'classes', None)} and {self.classes}"
            raise ValueError(f"encoder.classes and decoder.classes must be the same, got {got}")

    def forward(self, x: Tensor, *labels: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Energies (N,) and codes (N, latent) from samples (N, …), and labels (N,) where both networks take them."""
        codes: Any = self.encoder(x, *labels)
        errors = _full_precision(self.generator(codes, *labels)) - x
        return errors.square().flatten(1).mean(1), codes
