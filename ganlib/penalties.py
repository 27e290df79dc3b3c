"""Penalties: what keeps the discriminator smooth, and further terms of the generator's loss.

Zero-centred penalties follow the convention γ/2 · E‖∇D‖² (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406,
equation 9), so `r1(10.0)` here is what code without the half calls weight 5. Of a discriminator that returns a map of
logits, one a patch, the mean of the map is differentiated (`gradient_norm_squared` says what that is a patch), with
regard to the sample alone: what it is judged beside, such as the input of pix2pix, stays. Whatever the game's
precision, penalties are computed in float32: they differentiate a gradient, and half precision loses too much there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from ganlib import _check, compute, distributed

__all__ = [
    "PENALTIES",
    "Critic",
    "Penalty",
    "dragan",
    "feature_matching",
    "get",
    "gradient_norm_squared",
    "gradient_penalty",
    "lecam",
    "r1",
    "r1_r2",
    "r2",
    "spectral_norm",
    "spectral_regulariser",
    "weight_clipping",
]

Discriminator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """What is added to a player's loss, or done to its weights.

    Attributes:
        name: the name in `PENALTIES`.
        function: `(discriminator, real, fake, rng)` -> scalar, the weight included; `discriminator` maps samples to
            logits (N,), labels already bound (a `Critic` in the games); `rng` is a CPU generator. A function with
            memory is an `nn.Module` whose buffers a checkpoint keeps; `get` gives each game a copy of its own.
        every: a lazy penalty is computed every so many updates of its player, and the game multiplies it by `every`
            then (Karras et al. 2020, https://arxiv.org/abs/1912.04958, appendix B).
        project: run on the discriminator after each of its updates.
        settings: its other numbers in words, so that a checkpoint can tell two penalties of one name apart.
        player: whose loss it is added to, "discriminator" or "generator"; `fake` then carries the generator's gradient.
        reuses: whether it needs no more of the discriminator than the logits of `real` and `fake`, and their slopes.
        anneals: whether a game with a schedule takes its weight to 0 along with the learning rates. R1 and R2 may fade
            (Huang et al. 2024); what a critic is bounded by, or a loss is made of, must not.
    """

    name: str
    function: Callable[[Discriminator, Tensor, Tensor, torch.Generator], Tensor]
    every: int = 1
    project: Callable[[nn.Module], None] | None = None
    settings: str = ""
    player: str = "discriminator"
    reuses: bool = False
    anneals: bool = False

    def __str__(self) -> str:
        return f"{self.name}({self.settings}), every {self.every}"


class Critic:
    """A discriminator with what it is told beside the samples, and a memory of what it said: x -> logits (N,).

    A penalty that asks for the logits of samples that were judged in this turn, or for their slope, gets those, without
    another forward pass. Of a network that says more, (logits, heads), the logits count, of a map of patches
    (N, h, w) the mean of each sample.

    Attributes:
        net: the network, for penalties on its weights or its features.
        given: what it is called with beside x: nothing, the labels (N,), the images to compare with.
    """

    def __init__(self, net: nn.Module | Callable[..., Any], *given: Tensor) -> None:
        self.net, self.given = net, given
        self._said: list[tuple[Tensor, Tensor]] = []

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (N,), or (N, h, w) of patches, and what the network says beside them, or None."""
        said = self.net(x, *self.given)
        logits, heads = said if isinstance(said, tuple) else (said, None)
        self.remember(x, logits)
        return logits, heads

    def remember(self, x: Tensor, logits: Tensor) -> None:
        """Keep what was said of these samples."""
        self._said.append((x, _one_each(logits)))

    def __call__(self, x: Tensor) -> Tensor:
        for seen, logits in self._said:
            if seen is x:
                return logits
        self.judge(x)
        return self._said.pop()[1]

    def features(self, x: Tensor) -> Tensor:
        """What the logits are made from, (N, F): the network's `last_features`."""
        if not hasattr(self.net, "last_features"):
            raise TypeError(
                f"the discriminator must have a method last_features(x), such as those of ganlib.nets, "
                f"got {type(self.net).__name__}"
            )
        return cast(Tensor, cast(Any, self.net).last_features(x, *self.given))


def _one_each(logits: Tensor) -> Tensor:
    """Logits (N,) as they are, of maps (N, h, w) the mean of each."""
    return logits.flatten(1).mean(1) if logits.dim() > 1 else logits


def _critic(discriminator: Discriminator) -> Critic:
    if isinstance(discriminator, Critic):
        return discriminator
    if isinstance(discriminator, nn.Module):
        return Critic(discriminator)
    raise TypeError(f"discriminator must be a network or a penalties.Critic, got {type(discriminator).__name__}")


def _full_precision(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def gradient_norm_squared(discriminator: Discriminator, x: Tensor, scale: float | Sequence[float] = 1.0) -> Tensor:
    """‖∇ₓ D(x)‖² of the logit at each sample, itself differentiable.

    Of a map of logits (N, h, w), as a discriminator of patches makes it, D(x) is the mean over the map of x: its slope
    is the mean of the patches' slopes. Where patches do not overlap, ‖∇D(x)‖² is therefore the mean of the squared
    slopes of the h·w patches, each at its own patch, divided by h·w: a weight of h·w γ here does what γ does to one
    logit. (Code that sums a map has (h·w)² times as much.)

    The gradient is that of the sum of all samples' logits: with BatchNorm, or another layer in which samples meet, it
    holds what a sample does to the logits of others too.

    Args:
        discriminator: maps samples to logits (N,) or maps (N, h, w). A `Critic` that has judged x, which requires a
            gradient, is not asked again.
        x: samples of shape (N, …).
        scale: the unit of x, or of each of its last axis' coordinates, in which the slope is measured.

    Returns:
        Squared Euclidean norms of shape (N,), in float32 (float64 for float64 samples).
    """
    with compute.full_precision(x.device), torch.enable_grad():
        if not (x.requires_grad and x.is_leaf):
            x = _full_precision(x.detach()).requires_grad_()
        (gradient,) = torch.autograd.grad(_one_each(discriminator(x)).sum(), x, create_graph=True)
        if scale != 1.0:
            gradient = gradient * torch.tensor(scale).to(gradient)
        return gradient.square().flatten(1).sum(1)


def _of_slopes(gamma: float, scale: float | Sequence[float]) -> str:
    return f"{gamma}" if scale == 1.0 else f"{gamma}, scale {scale}"


def r1(weight: float = 0.1, every: int = 1, scale: float | Sequence[float] = 1.0) -> Penalty:
    """R1: γ/2 · E‖∇D(x)‖² over real samples. First built in chapter 8.

    Source: Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equation 9.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
        scale: the unit in which the slope is measured, one for all coordinates or one for each, such as their
            standard deviations where their units differ.
    """
    gamma = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return gamma / 2 * gradient_norm_squared(discriminator, real, scale).mean()

    settings, lazy = _of_slopes(gamma, scale), _check.positive_int("every", every)
    return Penalty("r1", function, lazy, settings=settings, reuses=True, anneals=True)


def r2(weight: float = 0.1, every: int = 1, scale: float | Sequence[float] = 1.0) -> Penalty:
    """R2: γ/2 · E‖∇D(G(z))‖² over generated samples. First built in chapter 8.

    Source: Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equation 10.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
        scale: the unit in which the slope is measured, one for all coordinates or one for each, such as their
            standard deviations where their units differ.
    """
    gamma = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return gamma / 2 * gradient_norm_squared(discriminator, fake, scale).mean()

    settings, lazy = _of_slopes(gamma, scale), _check.positive_int("every", every)
    return Penalty("r2", function, lazy, settings=settings, reuses=True, anneals=True)


def r1_r2(weight: float = 0.1, every: int = 1, scale: float | Sequence[float] = 1.0) -> Penalty:
    """R1 + R2 with one γ: γ/2 · (E‖∇D(x)‖² + E‖∇D(G(z))‖²). First built in chapter 13.

    Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
        scale: the unit in which the slope is measured, one for all coordinates or one for each, such as their
            standard deviations where their units differ.
    """
    on_real, on_fake = r1(weight, every, scale), r2(weight, every, scale)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return on_real.function(discriminator, real, fake, rng) + on_fake.function(discriminator, real, fake, rng)

    return Penalty("r1_r2", function, on_real.every, settings=on_real.settings, reuses=True, anneals=True)


def _slope(squared: Tensor) -> Tensor:
    """√ of squared norms; the smallest normal number keeps its own slope finite where D is flat."""
    return (squared + torch.finfo(squared.dtype).tiny).sqrt()


def gradient_penalty(weight: float = 10.0, target: float = 1.0, every: int = 1, one_sided: bool = False) -> Penalty:
    """WGAN-GP: λ · E(‖∇D(x̂)‖ - target)² at random points x̂ = u x + (1 - u) G(z) between real and generated samples.

    First built in chapter 8.

    One-sided, slopes below the target cost nothing: λ · E max(0, ‖∇D(x̂)‖ - target)². With target 0 it is the
    zero-centred penalty λ · E‖∇D(x̂)‖² (Thanh-Tung et al. 2019, https://arxiv.org/abs/1902.03984).

    Source: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3; one-sided: Petzka et al. 2018,
    https://arxiv.org/abs/1709.08894.

    Args:
        weight: λ, at least 0.
        target: the norm aimed at, at least 0.
        every: compute it every so many updates of the discriminator.
        one_sided: whether only slopes above the target cost.
    """
    scale = _check.finite("weight", weight, minimum=0)
    norm = _check.finite("target", target, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        _check.shape("fake", fake, f"{tuple(real.shape)} like real", fake.shape == real.shape)
        u = torch.rand(len(real), generator=rng).to(real).view(-1, *[1] * (real.dim() - 1))
        between = u * real.detach() + (1 - u) * fake.detach()
        excess = _slope(gradient_norm_squared(discriminator, between)) - norm
        return scale * (excess.relu() if one_sided else excess).square().mean()

    return Penalty(
        "gradient_penalty",
        function,
        _check.positive_int("every", every),
        settings=f"{scale}, target {norm}" + ", one-sided" * one_sided,
    )


def dragan(weight: float = 10.0, target: float = 1.0, std: float = 0.5, every: int = 1) -> Penalty:
    """DRAGAN: λ · E(‖∇D(x + δ)‖ - target)² around real samples, δ ~ N(0, std²). First built in chapter 8.

    Source: Kodali et al. 2017, https://arxiv.org/abs/1705.07215.

    Args:
        weight: λ, at least 0.
        target: the norm aimed at, at least 0.
        std: standard deviation of the noise, in the units of the data (images here lie in [-1, 1]); at least 0.
        every: compute it every so many updates of the discriminator.
    """
    scale = _check.finite("weight", weight, minimum=0)
    norm = _check.finite("target", target, minimum=0)
    spread = _check.finite("std", std, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        noise = torch.randn(real.shape, generator=rng).to(real)
        slopes = _slope(gradient_norm_squared(discriminator, real.detach() + spread * noise))
        return scale * (slopes - norm).square().mean()

    settings = f"{scale}, target {norm}, std {spread}"
    return Penalty("dragan", function, _check.positive_int("every", every), settings=settings)


class _LeCam(nn.Module):
    """The distance of logits to the moving averages of those on the other side."""

    mean_real: Tensor
    mean_fake: Tensor
    seen: Tensor

    def __init__(self, weight: float, decay: float) -> None:
        super().__init__()
        self.weight, self.decay = weight, decay
        for name in ("mean_real", "mean_fake", "seen"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        if not isinstance(discriminator, Critic):
            real, fake = real.detach(), fake.detach()
        with compute.full_precision(real.device):
            logits_real, logits_fake = _one_each(discriminator(real)), _one_each(discriminator(fake))
        with torch.no_grad():
            share = torch.where(self.seen == 0, 1.0, 1 - self.decay)  # the first averages are the first means
            self.mean_real += share * (logits_real.mean() - self.mean_real)
            self.mean_fake += share * (logits_fake.mean() - self.mean_fake)
            self.seen.fill_(1)
        to_fake, to_real = logits_real - self.mean_fake, logits_fake - self.mean_real
        return self.weight * (to_fake.square().mean() + to_real.square().mean())


def lecam(weight: float = 0.1, decay: float = 0.99, every: int = 1) -> Penalty:
    """LeCam: λ · (E(D(x) - α_F)² + E(D(G(z)) - α_R)²), α_R and α_F the moving averages of real and fake logits.

    First built in chapter 8.

    It holds the logits on few data together. Averages are memory: each game has its own, and checkpoints keep them.

    Source: Tseng et al. 2021, https://arxiv.org/abs/2104.03310.

    Args:
        weight: λ, at least 0.
        decay: share of the averages that stays at each update, at least 0 and below 1.
        every: compute it (and move the averages) every so many updates of the discriminator.
    """
    scale = _check.finite("weight", weight, minimum=0)
    kept = _check.finite("decay", decay, minimum=0)
    if kept >= 1:
        raise ValueError(f"decay must be at least 0 and below 1, got {decay!r}")
    lazy, settings = _check.positive_int("every", every), f"{scale}, decay {kept}"
    return Penalty("lecam", _LeCam(scale, kept), lazy, settings=settings, reuses=True)


def feature_matching(weight: float = 1.0, every: int = 1) -> Penalty:
    """Feature matching: λ · ‖E f(x) - E f(G(z))‖² of the discriminator's last features f, added to G's loss.

    The discriminator needs a method `last_features(x)`, as those of `nets` have it.

    Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.1.

    Args:
        weight: λ, at least 0.
        every: compute it every so many updates of the generator.
    """
    scale = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        critic = _critic(discriminator)
        with compute.full_precision(real.device):
            with torch.no_grad():
                wanted = distributed.global_mean(critic.features(_full_precision(real)).mean(0))
            made = distributed.global_mean(critic.features(_full_precision(fake)).mean(0))
            return scale * (wanted - made).square().sum()

    every = _check.positive_int("every", every)
    return Penalty("feature_matching", function, every, settings=f"{scale}", player="generator")


def weight_clipping(limit: float = 0.01) -> Penalty:
    """Clip every parameter of the discriminator to [-limit, limit] after each of its updates; adds nothing to the loss.

    First built in chapter 8.

    Source: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875, Algorithm 1.

    Args:
        limit: bound of each parameter, above 0.
    """
    bound = _check.finite("limit", limit)
    if bound <= 0:
        raise ValueError(f"limit must be above 0, got {limit!r}")

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return torch.zeros((), device=real.device)

    @torch.no_grad()
    def project(net: nn.Module) -> None:
        for parameter in net.parameters():
            parameter.clamp_(-bound, bound)

    return Penalty("weight_clipping", function, project=project, settings=f"{bound}")


_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def _weighted_layers(net: nn.Module) -> list[nn.Module]:
    layers: list[nn.Module] = [layer for layer in net.modules() if isinstance(layer, _LAYERS)]
    if not layers:
        raise ValueError(f"net must have a linear or convolutional layer, got {type(net).__name__} without one")
    return layers


def spectral_norm(net: nn.Module) -> nn.Module:
    """Divide the weight of every linear and convolutional layer by its largest singular value, in place.

    First built in chapter 8.

    One step of the power iteration in each forward pass in training mode
    (`torch.nn.utils.parametrizations.spectral_norm`). Do it before the optimizer is made: the parameters change.
    Layers that have it already are left alone.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    Args:
        net: the discriminator.

    Returns:
        The same network.

    Raises:
        ValueError: it has no linear or convolutional layer.
    """
    for layer in _weighted_layers(net):
        if not parametrize.is_parametrized(layer, "weight"):
            parametrizations.spectral_norm(layer)
    return net


def spectral_regulariser(weight: float = 0.01, every: int = 1) -> Penalty:
    """λ/2 · Σ σ(W)², σ the largest singular value of each linear and convolutional layer of the discriminator.

    It pulls where `spectral_norm` holds. Singular values are exact, so it has no memory; make it lazy where layers are
    large.

    Source: Yoshida and Miyato 2017, https://arxiv.org/abs/1705.10941.

    Args:
        weight: λ, at least 0.
        every: compute it every so many updates of the discriminator.
    """
    scale = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        with compute.full_precision(real.device):
            layers = _weighted_layers(cast(nn.Module, _critic(discriminator).net))
            return scale / 2 * torch.stack([_largest_singular_value(layer).square() for layer in layers]).sum()

    return Penalty("spectral_regulariser", function, _check.positive_int("every", every), settings=f"{scale}")


def _largest_singular_value(layer: nn.Module) -> Tensor:
    weight = cast(Tensor, layer.weight)
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):  # (in, out, …): rows are to be outputs, as elsewhere
        weight = weight.transpose(0, 1)
    return torch.linalg.matrix_norm(weight.flatten(1), 2)


#: Factories of the penalties that a game can take, by name.
PENALTIES: dict[str, Callable[..., Penalty]] = {
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_r2,
    "gradient_penalty": gradient_penalty,
    "dragan": dragan,
    "lecam": lecam,
    "spectral_regulariser": spectral_regulariser,
    "weight_clipping": weight_clipping,
    "feature_matching": feature_matching,
}

#: Names of those that ask for the slope at each sample, which a discriminator with BatchNorm has not.
OF_SLOPES = ("r1", "r2", "r1_r2", "gradient_penalty", "dragan")


def get(penalty: str | Penalty | None) -> Penalty | None:
    """The penalty of that name at its default weight; a `Penalty`, or `None` for no penalty, passes through.

    A penalty with memory is copied, so that no two games share it.

    Raises:
        ValueError: the name is not one of `PENALTIES`.
    """
    if isinstance(penalty, Penalty) and isinstance(penalty.function, nn.Module):
        return replace(penalty, function=copy.deepcopy(penalty.function))
    if penalty is None or isinstance(penalty, Penalty):
        return penalty
    _check.one_of("penalty", penalty, PENALTIES)
    return PENALTIES[penalty]()
