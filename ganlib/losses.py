"""Adversarial losses: pure functions of the discriminator's logits on real and on generated samples.

With `D = sigmoid(logit)`, minimax is V(D, G) = E log D(x) + E log(1 - D(G(z))) (Goodfellow et al. 2014,
https://arxiv.org/abs/1406.2661). Both players *minimise*: the discriminator -V, the generator its own loss. All is
written in logits with softplus(t) = log(1 + exp(t)): -log D = softplus(-logit) and -log(1 - D) = softplus(logit) then
neither overflow nor lose digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ganlib import _check

__all__ = ["LOSSES", "Loss", "get", "weighted"]


@dataclass(frozen=True)
class Loss:
    """What each of the two players minimises, given logits on real and on generated samples.

    Both functions take `(real_logits, fake_logits)`, tensors of shapes (N,) and (M,), and return a scalar.

    Attributes:
        name: the name in `LOSSES`.
        discriminator: the discriminator's loss.
        generator: the generator's loss; its `real_logits` may be `None` unless `relativistic`.
        at_equilibrium: (discriminator's, generator's) value when p_g = p_d and the discriminator is optimal, the
            constants to draw into the training curves: logit 0 for minimax and non-saturating, output 1/2 for least
            squares. For the others many constants are optimal; the values are those of the constant 0.
        formula: the two losses in LaTeX, `C` the discriminator's raw output and `D` its sigmoid.
        relativistic: whether real and fake logits come in pairs, and the generator needs the real ones too.
    """

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    at_equilibrium: tuple[float, float]
    formula: str
    relativistic: bool = False


def _minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _minimax_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return -F.softplus(fake).mean()


def _non_saturating_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


def _least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def _least_squares_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return 0.5 * (fake - 1).square().mean()


def _wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return fake.mean() - real.mean()


def _critic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return -fake.mean()


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def _pairs(real: Tensor | None, fake: Tensor) -> Tensor:
    """Real minus fake logits, pair by pair."""
    if real is None or real.shape != fake.shape:
        came = "none" if real is None else tuple(real.shape)
        raise ValueError(f"real_logits must pair with fake_logits, shape {tuple(fake.shape)}, got {came}")
    return real - fake


def _rpgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-_pairs(real, fake)).mean()


def _rpgan_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(_pairs(real, fake)).mean()


_LOG2 = math.log(2)

#: The losses by name. First built in chapter 5 (minimax and non-saturating).
#:
#: - minimax, non_saturating: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.
#: - least_squares: Mao et al. 2017, https://arxiv.org/abs/1611.04076, equation 9 (targets 1 and 0, factors 1/2).
#: - wasserstein: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875; needs a penalty that bounds the slope.
#: - hinge: Lim and Ye 2017, https://arxiv.org/abs/1705.02894.
#: - rpgan: Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734, and Huang et al. 2024,
#:   https://arxiv.org/abs/2501.05441.
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "minimax",
            _minimax_discriminator,
            _minimax_generator,
            (2 * _LOG2, -_LOG2),
            r"-E\log D(x) - E\log(1 - D(G(z))); \quad E\log(1 - D(G(z)))",
        ),
        Loss(
            "non_saturating",
            _minimax_discriminator,
            _non_saturating_generator,
            (2 * _LOG2, _LOG2),
            r"-E\log D(x) - E\log(1 - D(G(z))); \quad -E\log D(G(z))",
        ),
        Loss(
            "least_squares",
            _least_squares_discriminator,
            _least_squares_generator,
            (0.25, 0.125),
            r"\tfrac12 E(C(x) - 1)^2 + \tfrac12 E\,C(G(z))^2; \quad \tfrac12 E(C(G(z)) - 1)^2",
        ),
        Loss(
            "wasserstein",
            _wasserstein_discriminator,
            _critic_generator,
            (0.0, 0.0),
            r"E\,C(G(z)) - E\,C(x); \quad -E\,C(G(z))",
        ),
        Loss(
            "hinge",
            _hinge_discriminator,
            _critic_generator,
            (2.0, 0.0),
            r"E\max(0, 1 - C(x)) + E\max(0, 1 + C(G(z))); \quad -E\,C(G(z))",
        ),
        Loss(
            "rpgan",
            _rpgan_discriminator,
            _rpgan_generator,
            (_LOG2, _LOG2),
            r"E\log(1 + e^{C(G(z)) - C(x)}); \quad E\log(1 + e^{C(x) - C(G(z))})",
            relativistic=True,
        ),
    )
}


def get(loss: str | Loss) -> Loss:
    """The loss of that name; a `Loss` of the reader's own passes through.

    Raises:
        ValueError: the name is not one of `LOSSES`.
    """
    if isinstance(loss, Loss):
        return loss
    _check.one_of("loss", loss, LOSSES)
    return LOSSES[loss]


def weighted(loss: str, alpha: float) -> Loss:
    """The same game with a share α of real samples: every mean over reals times α, over fakes times 1 - α.

    This is what pooling n_d real and n_g generated samples into one mean does, with α = n_d / (n_d + n_g). The optimal
    discriminator becomes α p_d / (α p_d + (1 - α) p_g) and V at it -H(α) + JS_α(p_d, p_g): at equilibrium D is α and
    the discriminator's loss H(α) (natural logarithms). At α = 1/2 both losses are half the unweighted ones.

    First built in chapter 4.

    Args:
        loss: "minimax" or "non_saturating".
        alpha: share of real samples, strictly between 0 and 1.

    Raises:
        ValueError: another loss, or an α outside (0, 1).
    """
    _check.one_of("loss", loss, ("minimax", "non_saturating"))
    a = _check.finite("alpha", alpha)
    if not 0 < a < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1, got {alpha!r}")
    saturating = loss == "minimax"

    def discriminator(real: Tensor, fake: Tensor) -> Tensor:
        return a * F.softplus(-real).mean() + (1 - a) * F.softplus(fake).mean()

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        return (1 - a) * (-F.softplus(fake) if saturating else F.softplus(-fake)).mean()

    entropy = -a * math.log(a) - (1 - a) * math.log(1 - a)
    return Loss(
        f"{loss}(alpha={a:g})",
        discriminator,
        generator,
        (entropy, (1 - a) * (math.log(1 - a) if saturating else -math.log(a))),
        r"-\alpha E\log D(x) - (1-\alpha) E\log(1 - D(G(z))); \quad "
        + (r"(1-\alpha) E\log(1 - D(G(z)))" if saturating else r"-(1-\alpha) E\log D(G(z))"),
    )
