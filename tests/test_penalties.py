"""Penalties against closed forms, their gradients, laziness by name only, and bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ganlib import losses, nets, penalties

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


def test_the_smallest_game_moves_as_in_chapter_6() -> None:
    """All data at 0, all samples at θ, logit ψx: θ goes by sψ and ψ by −sθ − γψ, with s = sigmoid(ψθ)."""
    theta, psi, gamma = 0.7, -1.3, 0.4
    weight = torch.tensor(psi, dtype=torch.float64, requires_grad=True)
    real = torch.zeros(4, 1, dtype=torch.float64)
    fake = torch.full((4, 1), theta, dtype=torch.float64, requires_grad=True)
    game = losses.get("minimax")
    penalty = penalties.r1(gamma).function(lambda x: weight * x.squeeze(1), real, fake, RNG)
    on_real, on_fake = weight * real.squeeze(1), weight * fake.squeeze(1)
    (of_psi,) = torch.autograd.grad(game.discriminator(on_real, on_fake) + penalty, weight, retain_graph=True)
    (of_theta,) = torch.autograd.grad(game.generator(on_real, on_fake), fake)
    s = 1 / (1 + math.exp(-psi * theta))
    assert -of_theta.sum().item() == pytest.approx(s * psi)
    assert -of_psi.item() == pytest.approx(-s * theta - gamma * psi)


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


def test_one_sided_gradient_penalty_leaves_gentle_slopes_alone() -> None:
    slopes = torch.tensor([0.2, 0.9, 1.5, 3.0], dtype=torch.float64)
    x = torch.zeros(4, 2, dtype=torch.float64)

    def d(x: Tensor) -> Tensor:
        return slopes * x[:, 0]

    both, one = (penalties.gradient_penalty(2.0, one_sided=sided).function(d, x, x, RNG) for sided in (False, True))
    assert both.item() == pytest.approx(2 * (0.64 + 0.01 + 0.25 + 4) / 4)
    assert one.item() == pytest.approx(2 * (0.25 + 4) / 4)
    assert str(penalties.gradient_penalty(2.0, one_sided=True)) != str(penalties.gradient_penalty(2.0))


def test_dragan_looks_around_the_reals(quadratic: tuple[Tensor, Tensor]) -> None:
    a, b = quadratic
    real, fake = samples()
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(5)).double()
    norms = ((real + 0.3 * noise) @ a + b).norm(dim=1)
    penalty = penalties.dragan(7.0, 2.0, std=0.3)
    got = penalty.function(discriminator(a, b), real, fake, torch.Generator().manual_seed(5))
    assert torch.allclose(got, 7 * (norms - 2).square().mean())


def test_lecam_holds_logits_to_the_moving_averages_of_the_other_side() -> None:
    given = penalties.lecam(0.5, decay=0.9)
    penalty = penalties.get(given)
    assert penalty is not None and isinstance(penalty.function, nn.Module)
    means: list[tuple[float, float]] = []
    for step in range(4):
        torch.manual_seed(step)
        real, fake = torch.randn(5, 1), torch.randn(5, 1) - 2
        value = penalty.function(lambda x: x.sum(1), real, fake, RNG)
        now = real.mean().item(), fake.mean().item()
        means.append(now if not means else tuple(0.9 * m + 0.1 * v for m, v in zip(means[-1], now, strict=True)))  # type: ignore[arg-type]
        of_real, of_fake = means[-1]
        expected = 0.5 * ((real - of_fake).square().mean() + (fake - of_real).square().mean())
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    state = penalty.function.state_dict()
    assert {name: v.shape for name, v in state.items()} == dict.fromkeys(("mean_real", "mean_fake", "seen"), ())
    assert state["mean_real"].item() == pytest.approx(means[-1][0], rel=1e-5)
    assert isinstance(given.function, nn.Module) and given.function.state_dict()["seen"].item() == 0  # not shared


def test_lecam_pulls_on_the_discriminator_only() -> None:
    net = nets.MLPDiscriminator()
    fake = torch.randn(4, 2, requires_grad=True)
    penalties.lecam().function(net, torch.randn(4, 2), fake, RNG).backward()
    assert fake.grad is None and all(p.grad is not None for p in net.parameters())


def test_feature_matching_compares_mean_features() -> None:
    torch.manual_seed(0)
    net = nets.MLPDiscriminator(classes=3, condition="projection").double()
    real, labels = torch.randn(6, 2, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    fake = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    penalty = penalties.feature_matching(3.0)
    critic = penalties.Critic(net, labels)
    assert torch.equal(critic(real), net(real, labels)) and penalty.player == "generator"
    of_real, of_fake = (net.last_features(x, labels).mean(0) for x in (real, fake))
    value = penalty.function(critic, real, fake, RNG)
    assert torch.allclose(value, 3 * (of_real - of_fake).square().sum())
    value.backward()
    assert fake.grad is not None and fake.grad.abs().max() > 0
    assert penalty.function(critic, real, real, RNG).item() == 0
    with pytest.raises(TypeError, match=r"must have a method last_features\(x\), such as .*, got Linear"):
        penalty.function(nn.Linear(2, 1), real, fake, RNG)
    with pytest.raises(TypeError, match="discriminator must be a network or a penalties.Critic, got function"):
        penalty.function(lambda x: x.sum(1), real, fake, RNG)


def test_spectral_regulariser_is_the_sum_of_largest_singular_values() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(3, 5, 3), nn.Flatten(), nn.Linear(7, 4)).double()
    conv, up, _, linear = net
    matrices = [conv.weight.reshape(3, 18), up.weight.transpose(0, 1).reshape(5, 27), linear.weight]
    expected = sum(torch.linalg.svdvals(m)[0] ** 2 for m in matrices)
    penalty, x = penalties.spectral_regulariser(0.3), torch.zeros(1)
    value = penalty.function(net, x, x, RNG)
    assert torch.allclose(value, 0.15 * torch.as_tensor(expected))
    value.backward()
    u, s, v = torch.linalg.svd(linear.weight, full_matrices=False)
    assert torch.allclose(linear.weight.grad, 0.3 * s[0] * torch.outer(u[:, 0], v[0]))


def test_flat_discriminator_has_finite_slopes() -> None:
    net = nets.MLPDiscriminator()
    nn.init.zeros_(net.out.weight)
    for penalty in (penalties.gradient_penalty(10.0), penalties.dragan(10.0)):
        value = penalty.function(net, torch.randn(8, 2), torch.randn(8, 2), RNG)
        value.backward()
        assert value.item() == pytest.approx(10.0)
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", ["r1", "r2", "r1_r2", "gradient_penalty", "dragan"])
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
    for name, factory in penalties.PENALTIES.items():
        if name == "weight_clipping":
            continue
        with pytest.raises(ValueError, match="weight must be a finite number of at least 0, got -1"):
            factory(-1)
        with pytest.raises(ValueError, match=r"every must be a whole number of at least 1, got 0"):
            factory(1.0, every=0)
    for aimed in (penalties.gradient_penalty, penalties.dragan):
        with pytest.raises(ValueError, match="target must be a finite number of at least 0, got nan"):
            aimed(target=math.nan)
    with pytest.raises(ValueError, match="std must be a finite number of at least 0, got -1"):
        penalties.dragan(std=-1)
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1, got 1"):
        penalties.lecam(decay=1)
    with pytest.raises(ValueError, match="limit must be above 0, got 0"):
        penalties.weight_clipping(0)
    with pytest.raises(ValueError, match=r"fake must have shape \(3, 2\) like real, got \(4, 2\)"):
        penalties.gradient_penalty().function(lambda x: x.sum(1), torch.zeros(3, 2), torch.zeros(4, 2), RNG)


def test_slopes_are_measured_in_the_units_that_are_given() -> None:
    torch.manual_seed(0)
    net, scale = nets.MLPDiscriminator(), torch.tensor([10.0, 0.1])
    x = torch.randn(6, 2)
    for name in ("r1", "r2", "r1_r2"):
        make = getattr(penalties, name)
        expected = make(0.3).function(net, x, x, torch.Generator())
        stretched = make(0.3, scale=scale.tolist()).function(
            stretched_by(net, scale), x * scale, x * scale, torch.Generator()
        )
        assert torch.allclose(expected, stretched, rtol=1e-4)
        assert make(0.3, scale=[1.0, 2.0]).settings != make(0.3).settings == make(0.3, scale=1.0).settings


def stretched_by(net: nn.Module, scale: torch.Tensor) -> nn.Module:
    class Stretched(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return net(x / scale)

    return Stretched()
