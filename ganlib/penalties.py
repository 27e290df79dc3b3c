"""Penalties that keep the discriminator smooth: gradient penalties, weight clipping, spectral normalisation.

Zero-centred penalties follow the convention γ/2 · E‖∇D‖² (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406,
equation 9), so `r1(10.0)` here is what code without the half calls weight 5. Whatever the game's precision, penalties
are computed in float32: they differentiate a gradient, and half precision loses too much there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from ganlib import _check

__all__ = [
    "PENALTIES",
    "Penalty",
    "get",
    "gradient_norm_squared",
    "gradient_penalty",
    "r1",
    "r1_r2",
    "r2",
    "spectral_norm",
    "weight_clipping",
]

Discriminator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """What is added to the discriminator's loss, or done to its weights, to keep it smooth.

    Attributes:
        name: the name in `PENALTIES`.
        function: `(discriminator, real, fake, rng)` -> scalar, the weight included; `discriminator` maps samples to
            logits (N,), labels already bound; `rng` is a CPU generator.
        every: a lazy penalty is computed every so many of the discriminator's updates, and the engine multiplies it by
            `every` then (Karras et al. 2020, https://arxiv.org/abs/1912.04958, appendix B).
        project: run on the discriminator after each of its updates.
        settings: its other numbers in words, so that a checkpoint can tell two penalties of one name apart.
    """

    name: str
    function: Callable[[Discriminator, Tensor, Tensor, torch.Generator], Tensor]
    every: int = 1
    project: Callable[[nn.Module], None] | None = None
    settings: str = ""

    def __str__(self) -> str:
        return f"{self.name}({self.settings}), every {self.every}"


def gradient_norm_squared(discriminator: Discriminator, x: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖² of the logit at each sample, itself differentiable.

    Samples must not influence one another's logits (no BatchNorm in the discriminator): the gradient is that of the
    sum of all logits.

    Args:
        discriminator: maps samples to logits (N,).
        x: samples of shape (N, …).

    Returns:
        Squared Euclidean norms of shape (N,), in float32 (float64 for float64 samples).
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach()
        x = (x if x.dtype == torch.float64 else x.float()).requires_grad_()
        with torch.enable_grad():
            logits = discriminator(x)
            (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return gradient.square().flatten(1).sum(1)


def r1(weight: float = 0.1, every: int = 1) -> Penalty:
    """R1: γ/2 · E‖∇D(x)‖² over real samples.

    Source: Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equation 9.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
    """
    gamma = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return gamma / 2 * gradient_norm_squared(discriminator, real).mean()

    return Penalty("r1", function, _check.positive_int("every", every), settings=f"{gamma}")


def r2(weight: float = 0.1, every: int = 1) -> Penalty:
    """R2: γ/2 · E‖∇D(G(z))‖² over generated samples.

    Source: Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equation 10.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
    """
    gamma = _check.finite("weight", weight, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return gamma / 2 * gradient_norm_squared(discriminator, fake).mean()

    return Penalty("r2", function, _check.positive_int("every", every), settings=f"{gamma}")


def r1_r2(weight: float = 0.1, every: int = 1) -> Penalty:
    """R1 + R2 with one γ: γ/2 · (E‖∇D(x)‖² + E‖∇D(G(z))‖²).

    Source: Huang et al. 2024, https://arxiv.org/abs/2501.05441.

    Args:
        weight: γ, at least 0.
        every: compute it every so many updates of the discriminator.
    """
    on_real, on_fake = r1(weight, every), r2(weight, every)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        return on_real.function(discriminator, real, fake, rng) + on_fake.function(discriminator, real, fake, rng)

    return Penalty("r1_r2", function, on_real.every, settings=on_real.settings)


def gradient_penalty(weight: float = 10.0, target: float = 1.0, every: int = 1) -> Penalty:
    """WGAN-GP: λ · E(‖∇D(x̂)‖ - target)² at random points x̂ = u x + (1 - u) G(z) between real and generated samples.

    Source: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3.

    Args:
        weight: λ, at least 0.
        target: the norm aimed at, at least 0.
        every: compute it every so many updates of the discriminator.
    """
    scale = _check.finite("weight", weight, minimum=0)
    norm = _check.finite("target", target, minimum=0)

    def function(discriminator: Discriminator, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        _check.shape("fake", fake, f"{tuple(real.shape)} like real", fake.shape == real.shape)
        u = torch.rand(len(real), generator=rng).to(real).view(-1, *[1] * (real.dim() - 1))
        squared = gradient_norm_squared(discriminator, u * real.detach() + (1 - u) * fake.detach())
        # The smallest normal number keeps the square root's slope finite where D is flat.
        norms = (squared + torch.finfo(squared.dtype).tiny).sqrt()
        return scale * (norms - norm).square().mean()

    return Penalty(
        "gradient_penalty", function, _check.positive_int("every", every), settings=f"{scale}, target {norm}"
    )


def weight_clipping(limit: float = 0.01) -> Penalty:
    """Clip every parameter of the discriminator to [-limit, limit] after each of its updates; adds nothing to the loss.

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


def spectral_norm(net: nn.Module) -> nn.Module:
    """Divide the weight of every linear and convolutional layer by its largest singular value, in place.

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
    layers = [layer for layer in net.modules() if isinstance(layer, _LAYERS)]
    if not layers:
        raise ValueError(f"net must have a linear or convolutional layer, got {type(net).__name__} without one")
    for layer in layers:
        if not parametrize.is_parametrized(layer, "weight"):
            parametrizations.spectral_norm(layer)
    return net


#: Factories of the penalties that a game can take, by name.
PENALTIES: dict[str, Callable[..., Penalty]] = {
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_r2,
    "gradient_penalty": gradient_penalty,
    "weight_clipping": weight_clipping,
}


def get(penalty: str | Penalty | None) -> Penalty | None:
    """The penalty of that name at its default weight; a `Penalty`, or `None` for no penalty, passes through.

    Raises:
        ValueError: the name is not one of `PENALTIES`.
    """
    if penalty is None or isinstance(penalty, Penalty):
        return penalty
    _check.one_of("penalty", penalty, PENALTIES)
    return PENALTIES[penalty]()
