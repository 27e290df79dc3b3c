"""Losses against their formulas in float64, their gradients, their constants, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganlib import losses

LOGITS = st.lists(st.floats(-15, 15, width=32), min_size=1, max_size=9)


def double(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def textbook(name: str, real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """(discriminator's, generator's) loss as the papers print them, with probabilities where they do."""
    p_real, p_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    value = np.log(p_real).mean() + np.log(1 - p_fake).mean()
    match name:
        case "minimax":
            return -value, np.log(1 - p_fake).mean()
        case "non_saturating":
            return -value, -np.log(p_fake).mean()
        case "least_squares":
            return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2, ((fake - 1) ** 2).mean() / 2
        case "wasserstein":
            return fake.mean() - real.mean(), -fake.mean()
        case "hinge":
            return np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(), -fake.mean()
        case "rpgan":
            return -np.log(1 / (1 + np.exp(fake - real))).mean(), -np.log(1 / (1 + np.exp(real - fake))).mean()
    raise AssertionError(f"no textbook formula for {name}")


@pytest.mark.parametrize("name", losses.LOSSES)
@given(real=LOGITS, data=st.data())
def test_formula(name: str, real: list[float], data: st.DataObject) -> None:
    loss = losses.get(name)
    n = len(real) if loss.relativistic else data.draw(st.integers(1, 9))
    fake = data.draw(st.lists(st.floats(-15, 15, width=32), min_size=n, max_size=n))
    expected_d, expected_g = textbook(name, np.array(real), np.array(fake))
    assert loss.discriminator(double(real), double(fake)).item() == pytest.approx(expected_d, rel=1e-8, abs=1e-8)
    assert loss.generator(double(real), double(fake)).item() == pytest.approx(expected_g, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_scalar_gradients_and_names(name: str) -> None:
    loss = losses.get(name)
    assert loss.name == name and losses.get(loss) is loss
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(5, generator=rng, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert loss.discriminator(real, fake).shape == loss.generator(real, fake).shape == ()
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(lambda r, f: loss.generator(r, f), (real, fake))


@pytest.mark.parametrize("name", [name for name, loss in losses.LOSSES.items() if not loss.relativistic])
def test_unequal_counts_and_no_reals_for_the_generator(name: str) -> None:
    loss = losses.get(name)
    assert loss.discriminator(torch.randn(3), torch.randn(7)).isfinite()
    assert loss.generator(None, torch.randn(7)).isfinite()


@pytest.mark.parametrize("name", losses.LOSSES)
def test_at_equilibrium_is_the_value_of_the_best_constant(name: str) -> None:
    """With p_g = p_d the same samples are real and fake, and a constant is optimal: no other constant does better."""
    loss = losses.get(name)
    candidates = torch.linspace(-3, 3, 601, dtype=torch.float64)
    values = torch.stack([loss.discriminator(c.expand(4), c.expand(4)) for c in candidates])
    optimal, expected = loss.at_equilibrium
    assert values.min().item() == pytest.approx(optimal, abs=1e-12)
    best = candidates[values < optimal + 1e-9]
    generators = [loss.generator(c.expand(4), c.expand(4)).item() for c in best]
    assert min(abs(value - expected) for value in generators) < 1e-9


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "rpgan"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_huge_logits_stay_finite(name: str, dtype: torch.dtype) -> None:
    loss = losses.get(name)
    real, fake = torch.tensor([-1e4, 1e4], dtype=dtype), torch.tensor([1e4, -1e4], dtype=dtype)
    assert loss.discriminator(real, fake).isfinite() and loss.generator(real, fake).isfinite()


def test_minimax_saturates_where_the_generator_loses() -> None:
    """At D(G(z)) near 0 minimax has slope D, non-saturating slope 1 - D: the same sign, not the same size."""
    slopes = {}
    for name in ("minimax", "non_saturating"):
        logit = torch.tensor([-8.0], dtype=torch.float64, requires_grad=True)
        losses.get(name).generator(None, logit).backward()
        assert logit.grad is not None
        slopes[name] = logit.grad.item()
    d = 1 / (1 + math.exp(8))
    assert slopes["minimax"] == pytest.approx(-d) and slopes["non_saturating"] == pytest.approx(-(1 - d))


@given(alpha=st.floats(0.02, 0.98), real=LOGITS, fake=LOGITS, name=st.sampled_from(["minimax", "non_saturating"]))
def test_weighted_formula_and_optimum(alpha: float, real: list[float], fake: list[float], name: str) -> None:
    loss, plain = losses.weighted(name, alpha), losses.get(name)
    r, f = double(real), double(fake)
    on_real, on_fake = -torch.sigmoid(r).log().mean(), -torch.sigmoid(-f).log().mean()
    expected = alpha * on_real + (1 - alpha) * on_fake
    assert loss.discriminator(r, f).item() == pytest.approx(expected.item(), rel=1e-9)
    assert loss.generator(None, f).item() == pytest.approx((1 - alpha) * plain.generator(None, f).item())
    best = torch.full((3,), math.log(alpha / (1 - alpha)), dtype=torch.float64)
    entropy = -alpha * math.log(alpha) - (1 - alpha) * math.log(1 - alpha)
    assert loss.at_equilibrium[0] == pytest.approx(entropy) == pytest.approx(loss.discriminator(best, best).item())
    assert loss.at_equilibrium[1] == pytest.approx(loss.generator(None, best).item())


def test_weighting_by_share_is_pooling_all_samples_into_one_mean() -> None:
    real, fake = torch.randn(30, dtype=torch.float64), torch.randn(10, dtype=torch.float64)
    logits, labels = torch.cat([real, fake]), torch.cat([torch.ones(30), torch.zeros(10)]).double()
    pooled = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert torch.allclose(losses.weighted("minimax", 30 / 40).discriminator(real, fake), pooled)


def test_unknown_loss_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="loss='hinges' is not known; choose one of: hinge, .*rpgan"):
        losses.get("hinges")
    with pytest.raises(ValueError, match="loss=None"):
        losses.get(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="loss='hinge' is not known; choose one of: minimax, non_saturating"):
        losses.weighted("hinge", 0.5)


@pytest.mark.parametrize("alpha", [0, 1, -0.5, math.nan, math.inf])
def test_alpha_outside_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must"):
        losses.weighted("minimax", alpha)


def test_relativistic_pairs_must_match() -> None:
    loss = losses.get("rpgan")
    with pytest.raises(ValueError, match=r"real_logits must pair with fake_logits, shape \(3,\), got \(4,\)"):
        loss.discriminator(torch.zeros(4), torch.zeros(3))
    with pytest.raises(ValueError, match="real_logits must pair .* got none"):
        loss.generator(None, torch.zeros(3))
