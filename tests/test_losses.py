"""Losses against their formulas in float64, their gradients, their constants, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganlib import divergences, losses

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
        case "kl":
            return -value, -np.log(p_fake / (1 - p_fake)).mean()
        case "ebgan":
            return real.mean() + np.maximum(0, 1 - fake).mean(), fake.mean()
        case "ragan" | "ragan_least_squares" | "ragan_hinge":
            of_real, of_fake = real - fake.mean(), fake - real.mean()
            cost = {
                "ragan": lambda right: -np.log(1 / (1 + np.exp(-right))),
                "ragan_least_squares": lambda right: (right - 1) ** 2,
                "ragan_hinge": lambda right: np.maximum(0, 1 - right),
            }[name]
            judge = cost(of_real).mean() + cost(-of_fake).mean()
            return judge, cost(of_fake).mean() + cost(-of_real).mean()
    if name.removeprefix("f_") in TABLE:
        activation, conjugate = TABLE[name.removeprefix("f_")]
        on_fake = conjugate(activation(fake)).mean()
        return on_fake - activation(real).mean(), -on_fake
    raise AssertionError(f"no textbook formula for {name}")


# Activation g and conjugate f* as Nowozin et al. print them, one after the other.
TABLE = {
    "total_variation": (lambda v: np.tanh(v) / 2, lambda t: t),
    "kl": (lambda v: v, lambda t: np.exp(t - 1)),
    "reverse_kl": (lambda v: -np.exp(-v), lambda t: -1 - np.log(-t)),
    "pearson": (lambda v: v, lambda t: t**2 / 4 + t),
    "squared_hellinger": (lambda v: 1 - np.exp(-v), lambda t: t / (1 - t)),
    "jensen_shannon": (lambda v: np.log(2) - np.log(1 + np.exp(-v)), lambda t: -np.log(2 - np.exp(t))),
    "gan": (lambda v: -np.log(1 + np.exp(-v)), lambda t: -np.log(1 - np.exp(t))),
}


@pytest.mark.parametrize("name", losses.LOSSES)
@settings(max_examples=25)
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


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "rpgan", "ragan", "kl", "f_gan"])
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


@settings(max_examples=25)
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


def test_relativistic_averages_take_unequal_counts_but_need_the_reals() -> None:
    loss = losses.get("ragan")
    assert loss.relativistic and loss.generator(torch.zeros(3), torch.zeros(7)).item() == pytest.approx(2 * math.log(2))
    with pytest.raises(ValueError, match="real_logits must be given: .* got none"):
        loss.generator(None, torch.zeros(3))


# f-GAN: the best discriminator measures the divergence.


def f_divergence(name: str, p: Tensor, q: Tensor) -> float:
    """D_f(p‖q) = Σ q f(p/q), from `divergences` where that knows it."""
    match name:
        case "total_variation":
            return divergences.total_variation(p, q).item()
        case "kl":
            return divergences.kl(p, q).item()
        case "reverse_kl":
            return divergences.kl(q, p).item()
        case "jensen_shannon":
            return 2 * divergences.js(p, q).item()
        case "gan":
            return 2 * divergences.js(p, q).item() - math.log(4)
        case "pearson":
            return ((p - q).square() / q).sum().item()
        case "squared_hellinger":
            return (p.sqrt() - q.sqrt()).square().sum().item()
    raise AssertionError(f"no divergence for {name}")


@pytest.mark.parametrize("name", losses.F_DIVERGENCES)
def test_the_best_discriminator_measures_the_divergence(name: str) -> None:
    """On a die: one logit a face, faces as often as p and q say, the discriminator's loss minimised to the end."""
    real, fake = torch.tensor([7, 2, 4, 1, 6]), torch.tensor([1, 5, 4, 3, 7])
    v = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Rprop([v], lr=0.1, step_sizes=(1e-12, 5))
    loss = losses.f_gan(name)
    for _ in range(300):
        optimizer.zero_grad()
        value = loss.discriminator(v.repeat_interleave(real), v.repeat_interleave(fake))
        value.backward()
        optimizer.step()
    assert -value.item() == pytest.approx(f_divergence(name, real.double() / 20, fake.double() / 20), abs=1e-7)


def test_the_generator_of_an_f_gan_plays_against_its_discriminator() -> None:
    """A saddle point: what G minimises is, up to what it cannot change, what D maximises."""
    for name in losses.F_DIVERGENCES:
        loss = losses.get(f"f_{name}")
        real, fake = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
        (of_d,) = torch.autograd.grad(loss.discriminator(real, fake), fake)
        (of_g,) = torch.autograd.grad(loss.generator(None, fake), fake)
        assert torch.allclose(of_d, -of_g)
    with pytest.raises(ValueError, match="divergence='kls' is not known; choose one of: kl, "):
        losses.f_gan("kls")


def test_kl_measures_the_reverse_divergence_at_the_best_discriminator() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    best = (p / q).log()  # the logit of p / (p + q)
    samples = best.repeat_interleave(torch.tensor([2, 2, 6]))
    assert losses.get("kl").generator(None, samples).item() == pytest.approx(divergences.kl(q, p).item())


def test_energy_based_margin() -> None:
    loss = losses.energy_based(3.0)
    assert loss.name == "ebgan(margin=3)" and loss.at_equilibrium == (3.0, 0.0)
    assert loss.discriminator(double([1.0]), double([0.5, 7.0])).item() == pytest.approx(1 + 2.5 / 2)
    for margin in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="margin must be"):
            losses.energy_based(margin)


# Label smoothing.


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "kl"])
@settings(max_examples=25)
@given(alpha=st.floats(0.05, 1), real=LOGITS, fake=LOGITS)
def test_label_smoothing(name: str, alpha: float, real: list[float], fake: list[float]) -> None:
    loss, plain = losses.label_smoothing(name, alpha), losses.get(name)
    r, f = double(real), double(fake)
    target = torch.full_like(r, alpha)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(r, target) - torch.sigmoid(-f).log().mean()
    assert loss.discriminator(r, f).item() == pytest.approx(expected.item(), rel=1e-9)
    assert loss.generator(None, f).item() == plain.generator(None, f).item()
    candidates = torch.linspace(0.01, 0.99, 981, dtype=torch.float64).logit()
    best = min(loss.discriminator(c[None], c[None]).item() for c in candidates)
    at_half_alpha = double([math.log(alpha / 2 / (1 - alpha / 2))])
    assert loss.at_equilibrium[0] == pytest.approx(loss.discriminator(at_half_alpha, at_half_alpha).item())
    assert loss.at_equilibrium[0] <= best + 1e-12 and best - loss.at_equilibrium[0] < 1e-3
    assert loss.at_equilibrium[1] == pytest.approx(loss.generator(None, at_half_alpha).item())


def test_label_smoothing_moves_the_best_discriminator_and_refuses_the_rest() -> None:
    p, q = double([0.5, 0.3, 0.2]), double([0.2, 0.2, 0.6])
    counts = [torch.tensor(c) for c in ([5, 3, 2], [2, 2, 6])]
    v = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Rprop([v], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        losses.label_smoothing("minimax", 0.8).discriminator(*(v.repeat_interleave(c) for c in counts)).backward()
        optimizer.step()
    assert torch.allclose(torch.sigmoid(v), 0.8 * p / (p + q), atol=1e-5)
    assert losses.label_smoothing("minimax", 1).at_equilibrium == losses.get("minimax").at_equilibrium
    with pytest.raises(ValueError, match="loss='hinge' is not known; choose one of: minimax, non_saturating, kl"):
        losses.label_smoothing("hinge")
    for bad in (0, -0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="real must be"):
            losses.label_smoothing("minimax", bad)


# Mutual information, and two losses with one force.


def test_mutual_information_is_the_log_likelihood_of_the_codes() -> None:
    torch.manual_seed(0)
    logits, codes = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2, 0])
    mean, log_std, c = (torch.randn(6, 2, dtype=torch.float64) for _ in range(3))
    discrete = -torch.distributions.Categorical(logits=logits).log_prob(codes).mean()
    gaussian = -torch.distributions.Normal(mean, log_std.exp()).log_prob(c).sum(1).mean()
    assert torch.allclose(losses.mutual_information([(logits, codes)]), discrete)
    assert torch.allclose(losses.mutual_information(continuous=[(mean, log_std, c)]), gaussian)
    both = losses.mutual_information([(logits, codes), (logits, codes)], [(mean, log_std, c)])
    assert torch.allclose(both, 2 * discrete + gaussian)
    arguments = [t.requires_grad_() for t in (logits, mean, log_std)]
    assert torch.autograd.gradcheck(
        lambda a, b, s: losses.mutual_information([(a, codes)], [(b, s, c)]), tuple(arguments)
    )


def test_mutual_information_bounds_the_information_from_below() -> None:
    """A channel with 10 % errors: log K minus the penalty is I(c; x) for the right Q, and less for another."""
    errors = torch.full((4, 4), 0.1 / 3, dtype=torch.float64).fill_diagonal_(0.9)
    codes = torch.arange(4).repeat_interleave(30)
    x = torch.cat(
        [torch.arange(4).repeat_interleave(torch.tensor([27 if i == j else 1 for j in range(4)])) for i in range(4)]
    )
    exact = math.log(4) - divergences.entropy(errors[0]).item()
    best = math.log(4) - losses.mutual_information([(errors.T.log()[x], codes)]).item()
    assert best == pytest.approx(exact, abs=1e-12)
    assert math.log(4) - losses.mutual_information([(0.5 * errors.T.log()[x], codes)]).item() < exact


def test_mutual_information_by_name() -> None:
    with pytest.raises(ValueError, match="categorical or continuous must hold at least one code, got none"):
        losses.mutual_information()
    with pytest.raises(ValueError, match=r"codes must have shape \(3,\), one for each row of logits, got \(2,\)"):
        losses.mutual_information([(torch.zeros(3, 4), torch.zeros(2, dtype=torch.int64))])
    with pytest.raises(ValueError, match=r"codes must have shape \(3, 2\) like the means, got \(3,\)"):
        losses.mutual_information(continuous=[(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3))])


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_mixing_by_gradients_makes_the_forces_as_asked(ratio: float) -> None:
    torch.manual_seed(0)
    w, unused = torch.randn(5, dtype=torch.float64, requires_grad=True), torch.zeros(1, requires_grad=True)
    main, other = w.square().sum(), 1000 * w.sin().sum()
    of_main, of_other = (torch.autograd.grad(v, w, retain_graph=True)[0] for v in (main, other))
    mixed = losses.mix_by_gradients(main, other, [w, unused], ratio)
    (of_mixed,) = torch.autograd.grad(mixed, w)
    added = of_mixed - of_main
    assert added.norm().item() == pytest.approx(of_main.norm().item() / ratio, rel=1e-6)
    assert torch.allclose(added / added.norm(), of_other / of_other.norm())
    with pytest.raises(ValueError, match="ratio must be above 0, got 0"):
        losses.mix_by_gradients(main, other, [w], 0)
    with pytest.raises(ValueError, match="parameters must hold at least one that requires a gradient, got none"):
        losses.mix_by_gradients(main, other, [torch.zeros(2)])


def test_what_the_generator_descends_at_the_best_discriminator() -> None:
    """Chapter 8's table: with D held at its best, the gradient of G's loss is that of the goal, up to a constant."""
    rng = torch.Generator().manual_seed(0)
    p, start = (torch.rand(9, generator=rng, dtype=torch.float64) + 0.1 for _ in range(2))
    p, weights = p / p.sum(), (start / start.sum()).log().requires_grad_()
    q = weights.softmax(0)
    r = (p / q).detach()
    pairs = p[:, None] * q

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (a * (a / b).log()).sum()

    def js(a: Tensor, b: Tensor) -> Tensor:
        return (kl(a, (a + b) / 2) + kl(b, (a + b) / 2)) / 2

    best = {name: r.log() for name in ("minimax", "non_saturating", "kl")}
    best |= {"hinge": (r - 1).sign(), "ebgan": (r < 1).double(), "least_squares": r / (1 + r)}
    goals = {"minimax": 2 * js(p, q), "non_saturating": kl(q, p) - 2 * js(p, q), "kl": kl(q, p)}
    goals |= {"hinge": (p - q).abs().sum(), "ebgan": (p - q).abs().sum() / 2}
    goals["least_squares"] = (p * (q / p - 2 * (q / p).log1p() - 1 / (1 + q / p))).sum() / 2
    goals["rpgan"] = kl(q, p) - js(pairs, pairs.T)

    def descent(loss: Tensor) -> Tensor:
        return torch.autograd.grad(loss, weights, retain_graph=True)[0]

    for name, goal in goals.items():
        if name == "rpgan":
            told = (pairs * (r.log()[:, None] - r.log()).exp().log1p()).sum()
        else:
            each = torch.stack([losses.get(name).generator(None, c[None]) for c in best[name]])
            told = (q * each).sum()
        torch.testing.assert_close(descent(told), descent(goal), rtol=1e-9, atol=1e-14)
