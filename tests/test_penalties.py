"""Penalties against closed forms, their gradients, laziness by name only, and bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ganlib import nets, penalties

RNG = torch.Generator()


@pytest.fixture
def quadratic() -> tuple[Tensor, Tensor]:
    """D(x) = ½ xᵀAx + bᵀx with A symmetric, so that ∇D(x) = Ax + b."""
    torch.manual_seed(0)
    a = torch.randn(3, 3, dtype=torch.float64)
    return a + a.T, torch.randn(3, dtype=torch.float64)


def samples(n: int = 6) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 3, dtype=torch.float64), torch.randn(n, 3, dtype=torch.float64)


def discriminator(a: Tensor, b: Tensor) -> penalties.Discriminator:
    return lambda x: 0.5 * ((x @ a) * x).sum(1) + x @ b


def test_gradient_norm_squared_is_exact(quadratic: tuple[Tensor, Tensor]) -> None:
    a, b = quadratic
    x, _ = samples()
    expected = (x @ a + b).square().sum(1)
    assert torch.allclose(penalties.gradient_norm_squared(discriminator(a, b), x), expected)
    assert not x.requires_grad  # the caller's tensor is left as it was


def test_zero_centred_penalties_have_the_half(quadratic: tuple[Tensor, Tensor]) -> None:
    a, b = quadratic
    real, fake = samples()
    on_real, on_fake = ((x @ a + b).square().sum(1).mean() for x in (real, fake))
    d = discriminator(a, b)
    assert torch.allclose(penalties.r1(3.0).function(d, real, fake, RNG), 1.5 * on_real)
    assert torch.allclose(penalties.r2(3.0).function(d, real, fake, RNG), 1.5 * on_fake)
    assert torch.allclose(penalties.r1_r2(3.0).function(d, real, fake, RNG), 1.5 * (on_real + on_fake))
    lazy = penalties.r1(3.0, every=8)
    assert lazy.every == 8 and torch.allclose(lazy.function(d, real, fake, RNG), 1.5 * on_real)  # no factor 8 here


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_gradient_penalty_at_points_between(quadratic: tuple[Tensor, Tensor], target: float) -> None:
    a, b = quadratic
    real, fake = samples()
    u = torch.rand(len(real), generator=torch.Generator().manual_seed(5)).double().view(-1, 1)
    norms = ((u * real + (1 - u) * fake) @ a + b).norm(dim=1)
    got = penalties.gradient_penalty(7.0, target).function(
        discriminator(a, b), real, fake, torch.Generator().manual_seed(5)
    )
    assert torch.allclose(got, 7 * (norms - target).square().mean())


def test_gradient_penalty_draws_one_number_an_image() -> None:
    seen: list[Tensor] = []

    def d(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum((1, 2, 3))

    penalties.gradient_penalty().function(d, torch.ones(4, 3, 5, 5), torch.zeros(4, 3, 5, 5), RNG)
    images = seen[0].flatten(1)
    assert torch.equal(images, images[:, :1].expand(-1, 75)) and len(images[:, 0].unique()) == 4


def test_flat_discriminator_has_finite_slopes() -> None:
    net = nets.MLPDiscriminator()
    nn.init.zeros_(net.out.weight)
    value = penalties.gradient_penalty(10.0).function(net, torch.randn(8, 2), torch.randn(8, 2), RNG)
    value.backward()
    assert value.item() == pytest.approx(10.0)
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", ["r1", "r2", "r1_r2", "gradient_penalty"])
def test_gradients_reach_the_weights(name: str) -> None:
    real, fake = samples(4)
    penalty = penalties.get(name)
    assert penalty is not None and penalty.name == name and penalty.project is None

    def value(w: Tensor, v: Tensor) -> Tensor:
        rng = torch.Generator().manual_seed(0)
        return penalty.function(lambda x: (torch.tanh(x @ w) @ v).sum(1), real, fake, rng)

    w, v = (torch.randn(3, n, dtype=torch.float64).requires_grad_() for n in (3, 2))
    assert torch.autograd.gradcheck(value, (w, v))


def test_float32_under_autocast() -> None:
    net = nets.DCGANDiscriminator(16, batch_norm=False, width=4)
    x = torch.randn(4, 1, 16, 16)
    plain = penalties.r1(1.0).function(net, x, x, RNG)
    with torch.autocast("cpu", torch.bfloat16):
        assert net.features[0](x).dtype == torch.bfloat16
        inside = penalties.r1(1.0).function(net, x, x, RNG)
        from_half = penalties.r1(1.0).function(net, x.bfloat16(), x, RNG)
    assert torch.equal(plain, inside) and from_half.dtype == torch.float32


def test_works_where_gradients_are_off_outside() -> None:
    with torch.no_grad():
        assert penalties.gradient_norm_squared(lambda x: x.square().sum(1), torch.ones(2, 3)).tolist() == [12.0, 12.0]


def test_weight_clipping() -> None:
    net = nets.MLPDiscriminator()
    penalty = penalties.weight_clipping(0.02)
    assert penalty.function(net, torch.zeros(3, 2), torch.zeros(3, 2), RNG).item() == 0.0
    assert penalty.project is not None
    penalty.project(net)
    largest = max(p.abs().max().item() for p in net.parameters())
    assert largest == pytest.approx(0.02)


def test_spectral_norm_makes_the_largest_singular_value_one() -> None:
    torch.manual_seed(0)
    net = nets.MLPDiscriminator(width=16)
    assert penalties.spectral_norm(net) is net
    penalties.spectral_norm(net)  # once is enough
    for _ in range(200):
        net(torch.randn(2, 2))
    net.eval()
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="net must have a linear or convolutional layer, got ReLU without one"):
        penalties.spectral_norm(nn.ReLU())


def test_names_and_bad_input() -> None:
    mine = penalties.Penalty("mine", lambda d, real, fake, rng: real.sum())
    assert penalties.get(mine) is mine and penalties.get(None) is None
    for name in penalties.PENALTIES:
        penalty = penalties.get(name)
        assert penalty is not None and penalty.name == name and penalty.every == 1
    with pytest.raises(ValueError, match="penalty='r3' is not known; choose one of: .*gradient_penalty"):
        penalties.get("r3")
    for factory in (penalties.r1, penalties.r2, penalties.r1_r2, penalties.gradient_penalty):
        with pytest.raises(ValueError, match="weight must be a finite number of at least 0, got -1"):
            factory(-1)
        with pytest.raises(ValueError, match=r"every must be a whole number of at least 1, got 0"):
            factory(1.0, every=0)
    with pytest.raises(ValueError, match="target must be a finite number of at least 0, got nan"):
        penalties.gradient_penalty(target=math.nan)
    with pytest.raises(ValueError, match="limit must be above 0, got 0"):
        penalties.weight_clipping(0)
    with pytest.raises(ValueError, match=r"fake must have shape \(3, 2\) like real, got \(4, 2\)"):
        penalties.gradient_penalty().function(lambda x: x.sum(1), torch.zeros(3, 2), torch.zeros(4, 2), RNG)
