"""Networks and games that turn images into images: shapes, errors, the pool, and each loss against its paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import Game, compute, games, nets, penalties
from ganlib.engine import Batch

from .tiny import everything, same


def images(n: int = 2, channels: int = 3, side: int = 16) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


# ---- networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32])
def test_the_u_net_goes_down_to_one_pixel_and_keeps_the_side(size: int):
    torch.manual_seed(0)
    net = nets.UNet(size, 3, out=1, width=4)
    seen: list[int] = []
    for down in net.down:
        down.register_forward_hook(lambda module, arguments, out: seen.append(out.shape[-1]))
    y = net(images(side=size))
    assert seen == [size >> level for level in range(1, size.bit_length())] and seen[-1] == 1
    assert y.shape == (2, 1, size, size) and y.abs().max() < 1


def test_the_u_net_hands_details_across():
    """With the bottleneck cut, the output still depends on the input: on the skip connections."""
    torch.manual_seed(0)
    net = nets.UNet(16, width=4, dropout=0)
    net.down[-1].register_forward_hook(lambda module, arguments, out: torch.zeros_like(out))
    x = images().requires_grad_()
    (gradient,) = torch.autograd.grad(net(x)[0, 0, 5, 5], x)
    assert gradient[0].abs().sum() > 0 and gradient[1].abs().sum() == 0  # one image does not see the other


def test_dropout_is_noise_in_training_and_off_in_evaluation():
    torch.manual_seed(0)
    net, x = nets.UNet(16, width=4), images()
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))
    assert sum(isinstance(m, nn.Dropout) for m in nets.UNet(32).modules()) == 3
    assert not any(isinstance(m, nn.Dropout) for m in nets.UNet(32, dropout=0).modules())


@pytest.mark.parametrize(
    "make", [lambda: nets.UNet(16, width=4, dropout=0, latent=5), lambda: nets.ResidualGenerator(width=4, latent=5)]
)
def test_z_stands_beside_the_image(make: Any):
    torch.manual_seed(0)
    net, x = make(), images()
    z = torch.randn(2, 5)
    y = net(x, z)
    other = net(x, torch.cat([z[:1], z[1:] + 1]))
    assert y.shape == x.shape and torch.equal(y[0], other[0]) and (y[1] - other[1]).std() > 1e-4
    with pytest.raises(ValueError, match=r"code must be given: this network takes z of shape \(N, 5\)"):
        net(x)
    with pytest.raises(ValueError, match=r"code must have shape \(2, 5\), got \(2, 4\)"):
        net(x, z[:, :4])


def test_labels_stand_beside_the_image():
    torch.manual_seed(0)
    net, x = nets.ResidualGenerator(width=4, classes=3), images()
    y, other = net(x, torch.tensor([0, 1])), net(x, torch.tensor([0, 2]))
    assert torch.equal(y[0], other[0]) and (y[1] - other[1]).std() > 1e-4  # no rounding: normalised, it would be 1e-8
    with pytest.raises(ValueError, match="labels must lie between 0 and 2, got 3"):
        net(x, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="give latent or classes, not both"):
        nets.ResidualGenerator(latent=2, classes=3)
    with pytest.raises(ValueError, match="code must be left out"):
        nets.ResidualGenerator(width=4)(x, torch.tensor([0, 1]))


@pytest.mark.parametrize(("layers", "side", "field"), [(1, 32, 16), (2, 64, 34), (3, 96, 70)])
def test_a_logit_sees_its_patch_and_nothing_else(layers: int, side: int, field: int):
    """The pixels that move a logit in the middle: a square as large as the receptive field."""
    torch.manual_seed(0)
    net = nets.PatchDiscriminator(1, width=4, layers=layers, norm=False)
    x = images(1, 1, side).requires_grad_()
    logits = net(x)
    middle = logits.shape[1] // 2
    (gradient,) = torch.autograd.grad(logits[0, middle, middle], x)
    touched = gradient[0, 0].abs() > 0
    assert net.receptive_field == field
    assert touched.any(0).sum() == touched.any(1).sum() == field


def test_a_pair_is_judged_by_both_its_images():
    torch.manual_seed(0)
    net = nets.PatchDiscriminator(3, inputs=1, width=4)
    y, x = images(), images(channels=1)
    assert net(y, x).shape == (2, 6, 6) and not torch.equal(net(y, x), net(y, -x))
    with pytest.raises(ValueError, match="inputs must be given: this network judges pairs, with 1 channels"):
        net(y)
    with pytest.raises(ValueError, match="inputs must be left out"):
        nets.PatchDiscriminator(3, width=4)(y, x)
    with pytest.raises(ValueError, match="images must be at least 6×6 for 1 layers"):
        net(y[..., :5, :5], x[..., :5, :5])


def test_the_domain_discriminator_says_both():
    net = nets.DomainDiscriminator(16, 3, classes=5, width=4)
    source, domains = net(images())
    assert source.shape == (2, 2, 2) and domains.shape == (2, 5)


def test_the_residual_generator_takes_any_sides_that_halve():
    net = nets.ResidualGenerator(1, out=3, width=4, downs=2, blocks=1)
    assert net(torch.zeros(1, 1, 12, 20)).shape == (1, 3, 12, 20)
    with pytest.raises(ValueError, match=r"sides of at least 8 that 4 divides, for downs=2, got \(1, 1, 10, 16\)"):
        net(torch.zeros(1, 1, 10, 16))
    with pytest.raises(ValueError, match=r"images must have shape \(N, 1, H, W\), got \(1, 3, 16, 16\)"):
        net(torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize("block", ["residual", "rrdb"])
@pytest.mark.parametrize("factor", [2, 4])
def test_super_resolution_multiplies_the_sides(block: str, factor: int):
    net = nets.SuperResolutionGenerator(factor, 1, width=4, blocks=1, block=block)
    assert net(torch.zeros(2, 1, 6, 5)).shape == (2, 1, 6 * factor, 5 * factor)
    has_batch_norm = any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert has_batch_norm == (block == "residual")


@pytest.mark.parametrize("factor", [2, 3])
def test_the_residual_upsampler_starts_as_bicubic_and_learns(factor: int):
    torch.manual_seed(0)
    net, x = nets.ResidualUpsampler(factor, 1, width=4, depth=3), images(channels=1, side=6)
    bicubic = F.interpolate(x, size=(6 * factor, 6 * factor), mode="bicubic", align_corners=False)
    assert torch.equal(net(x), bicubic)
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 3
    (net(x) - bicubic.flip(3)).square().mean().backward()
    with torch.no_grad():
        for parameter in net.parameters():
            assert parameter.grad is not None
            parameter -= parameter.grad
    assert (net(x) - bicubic).abs().max() > 1e-3
    with pytest.raises(ValueError, match=r"images must have shape \(N, 1, H, W\), got \(2, 3, 16, 16\)"):
        net(images())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nets.ResidualUpsampler(1), "factor must be a whole number of at least 2, got 1"),
        (lambda: nets.ResidualUpsampler(depth=1), "depth must be a whole number of at least 2, got 1"),
        (lambda: nets.UNet(28), "size must be a power of two of at least 8, got 28"),
        (lambda: nets.UNet(32, dropout=1.0), "dropout must be at least 0 and below 1, got 1.0"),
        (lambda: nets.DomainDiscriminator(4), "size must be a power of two of at least 8, got 4"),
        (lambda: nets.SuperResolutionGenerator(3), "factor must be a power of two of at least 2, got 3"),
        (
            lambda: nets.SuperResolutionGenerator(block="dense"),
            "block='dense' is not known; choose one of: residual, rrdb",
        ),
        (lambda: nets.PatchDiscriminator(layers=0), "layers must be a whole number of at least 1, got 0"),
        (
            lambda: nets.UNet(16, width=4)(images(side=32)),
            r"images must have shape \(N, 3, 16, 16\), got \(2, 3, 32, 32\)",
        ),
    ],
)
def test_bad_arguments_are_named(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()


# ---- the pool ------------------------------------------------------------------------------------


def numbered(start: int, n: int) -> Tensor:
    return torch.arange(start, start + n).float().view(n, 1, 1, 1)


def test_the_pool_first_fills_with_what_it_hands_back():
    pool, rng = nets.ImagePool((1, 1, 1), 6), compute.generator(0)
    for start in (0, 4):
        fresh = numbered(start, 4)[: 6 - start]
        assert torch.equal(pool.exchange(fresh, rng), fresh)
    assert torch.equal(pool.images, numbered(0, 6)) and pool.filled == 6


def test_a_full_pool_gives_half_from_the_past_and_loses_nothing():
    pool, rng, old = nets.ImagePool((1, 1, 1), 50), compute.generator(0), 0
    pool.exchange(numbered(0, 50), rng)
    for step in range(1, 101):
        fresh = numbered(50 + 8 * step, 8)
        before = torch.cat([pool.images, fresh]).flatten().sort().values
        given = pool.exchange(fresh, rng)
        after = torch.cat([pool.images, given]).flatten().sort().values
        assert torch.equal(before, after)  # every image is in the pool or in the discriminator's hands, once
        old += int((given < fresh.min()).sum())
    assert abs(old / 800 - 0.5) < 4 * 0.5 / 800**0.5


def test_the_pool_draws_from_the_generator_given_and_lives_in_its_buffers():
    first, second = nets.ImagePool((1, 1, 1), 4), nets.ImagePool((1, 1, 1), 4)
    first.exchange(numbered(0, 4), compute.generator(0))
    second.load_state_dict(first.state_dict())
    a, b = (pool.exchange(numbered(4, 4), compute.generator(1)) for pool in (first, second))
    assert torch.equal(a, b) and torch.equal(first.images, second.images)
    empty = nets.ImagePool((1, 1, 1), 0)
    assert torch.equal(empty.exchange(numbered(0, 3), compute.generator(0)), numbered(0, 3))
    with pytest.raises(ValueError, match=r"fresh must have shape \(N, 1, 1, 1\), got \(2, 3, 4, 4\)"):
        first.exchange(torch.zeros(2, 3, 4, 4), compute.generator(0))


# ---- the losses against their papers, in float64 --------------------------------------------------


@dataclass(frozen=True)
class Toys:
    """Pairs as floats: targets from inputs by a known map, in the precision that a test wants."""

    inputs: Tensor
    targets: Tensor
    paired: bool = True
    name: str = "toys"

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device | str) -> Toys:
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))

    def draw_pair(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        i = torch.randint(len(self), (n,), generator=rng)
        j = i if self.paired else torch.randint(len(self), (n,), generator=rng)
        return self.targets[j], self.inputs[i]


class Affine(nn.Module):
    """a x + b, + c · the sum of z, + d · the label."""

    latent = 2

    def __init__(self, a: float, b: float, classes: int | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        y = self.a * x + self.b
        if code is None:
            return y
        shift = 0.1 * code.to(x.dtype).reshape(len(x), -1).sum(1)
        return y + shift.view(-1, 1, 1, 1)


class Enlarge(Affine):
    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        return F.interpolate(super().forward(x), scale_factor=2)


class Judge(nn.Module):
    """A map of logits: means over squares of 2×2 of w₀ y + w₁ x; and the domains' logits if there are any."""

    def __init__(self, classes: int = 0, w: tuple[float, float] = (1.5, -0.7)) -> None:
        super().__init__()
        self.w, self.classes = nn.Parameter(torch.tensor(w)), classes

    def forward(self, y: Tensor, x: Tensor | None = None) -> Any:
        seen = self.w[0] * y if x is None else self.w[0] * y + self.w[1] * x
        logits = F.avg_pool2d(seen, 2).mean(1)
        if not self.classes:
            return logits
        return logits, y.mean((1, 2, 3))[:, None] * torch.arange(self.classes).to(y) * self.w[1]


class Code(nn.Module):
    """Images -> mean and log-variance of a z of length 2."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.8, -0.4]))

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mean = y.mean((1, 2, 3))[:, None] * self.w
        return mean, -1 + 0.5 * mean


def toys(side: int = 8, channels: int = 1, factor: int = 1, n: int = 20, **more: Any) -> Toys:
    y = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
    x = F.avg_pool2d(y, factor) if factor > 1 else -y.flip(3)
    return Toys(x, y, **more)


def terms(game: Game, player: str) -> tuple[Batch, dict[str, float]]:
    """A fresh batch, and the terms of a player's loss on it."""
    found = game.players[player].loss(game.draw(player))
    assert isinstance(found, dict) and all(v.dtype == torch.float64 for v in found.values())
    return game.draw(player), {k: v.item() for k, v in found.items()}


def close(found: dict[str, float], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value.item(), rel=1e-12, abs=1e-14), name


def doubled(*modules: nn.Module) -> list[nn.Module]:
    return [module.double() for module in modules]


def log(p: Tensor) -> Tensor:
    return p.log()


def test_pix2pix_is_equation_4():
    g, d = doubled(Affine(0.9, 0.1), Judge())
    game = games.pix2pix(g, d, toys(), batch=4, l1=30.0)
    batch, found = terms(game, "discriminator")
    x, y, fake = batch.inputs, batch.real, g(batch.inputs)
    d_real, d_fake = torch.sigmoid(d(y, x)), torch.sigmoid(d(fake, x))
    close(found, {"loss": -(log(d_real).mean() + log(1 - d_fake).mean())})
    batch, found = terms(game, "generator")
    x, y, fake = batch.inputs, batch.real, g(batch.inputs)
    l1 = (y - fake).abs().sum((1, 2, 3)).mean() / 64  # ‖·‖₁ counted for each of the 64 pixels
    close(found, {"loss": -log(torch.sigmoid(d(fake, x))).mean(), "l1": 30 * l1})


def test_cycle_gan_is_equations_1_to_3_and_the_identity_term():
    g, f, d_y, d_x = doubled(Affine(0.9, 0.1), Affine(1.2, -0.3), Judge(), Judge(w=(0.4, 0.0)))
    game = games.cycle_gan(g, f, d_y, d_x, toys(paired=False), batch=4, cycle=7.0, identity=3.0, pool=0)
    batch, found = terms(game, "discriminator")
    close(found, {"loss": 0.5 * (d_y(batch.real) - 1).pow(2).mean() + 0.5 * d_y(g(batch.inputs)).pow(2).mean()})
    batch, found = terms(game, "inverse_discriminator")
    close(found, {"loss": 0.5 * (d_x(batch.inputs) - 1).pow(2).mean() + 0.5 * d_x(f(batch.real)).pow(2).mean()})
    batch, found = terms(game, "generator")
    x, y = batch.inputs, batch.real
    expected = {
        "loss": 0.5 * (d_y(g(x)) - 1).pow(2).mean(),
        "inverse": 0.5 * (d_x(f(y)) - 1).pow(2).mean(),
        "cycle": 7 * ((f(g(x)) - x).abs().mean() + (g(f(y)) - y).abs().mean()),
        "identity": 3 * ((g(y) - y).abs().mean() + (f(x) - x).abs().mean()),
    }
    close(found, expected)
    without = games.cycle_gan(g, f, d_y, d_x, toys(), batch=4, identity=0)
    assert "identity" not in terms(without, "generator")[1]


def test_a_discriminator_of_cycle_gan_sees_the_pool():
    """With translators that stand still, the pool is all that changes: some of the second round's fakes are old."""
    g, f, d_y, d_x = doubled(Affine(0.9, 0.1), Affine(1.2, -0.3), Judge(), Judge())
    game = games.cycle_gan(g, f, d_y, d_x, toys(), batch=4, pool=4)
    first = game.draw("discriminator")
    game.players["discriminator"].loss(first)
    assert torch.equal(game.memory["pool"].images, g(first.inputs).float())
    assert game.memory["inverse_pool"].filled == 0
    game.step = 1
    second = game.draw("discriminator")
    fresh = 0.5 * (d_y(second.real) - 1).pow(2).mean() + 0.5 * d_y(g(second.inputs)).pow(2).mean()
    found = game.players["discriminator"].loss(second)
    assert abs(found["loss"].item() - fresh.item()) > 1e-6


def test_bicycle_gan_is_equations_4_to_9():
    g, e, d = doubled(Affine(0.9, 0.1), Code(), Judge())
    game = games.bicycle_gan(g, e, d, toys(), batch=4, l1=4.0, latent_l1=0.6, kl=0.02)

    def look(player: str) -> tuple[Any, ...]:
        batch, found = terms(game, player)
        x, y, (mean, log_variance) = batch.inputs, batch.real, e(batch.real)
        noise = torch.randn(mean.shape, generator=batch.rng, dtype=torch.float64)
        rebuilt, imagined = g(x, mean + (0.5 * log_variance).exp() * noise), g(x, batch.z)
        return found, x, y, batch.z, mean, log_variance, rebuilt, imagined

    found, x, y, z, mean, log_variance, rebuilt, imagined = look("discriminator")
    real = 0.5 * (d(y, x) - 1).pow(2).mean()
    close(
        found, {"loss": real + 0.5 * d(rebuilt, x).pow(2).mean(), "imagined": real + 0.5 * d(imagined, x).pow(2).mean()}
    )
    found, x, y, z, mean, log_variance, rebuilt, imagined = look("encoder")
    code = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    kl = torch.distributions.kl_divergence(code, torch.distributions.Normal(torch.zeros_like(mean), 1.0)).sum(1).mean()
    fooled = 0.5 * (d(rebuilt, x) - 1).pow(2).mean()
    close(found, {"loss": fooled, "l1": 4 * (y - rebuilt).abs().mean(), "kl": 0.02 * kl})
    found, x, y, z, mean, log_variance, rebuilt, imagined = look("generator")
    expected = {
        "loss": 0.5 * (d(rebuilt, x) - 1).pow(2).mean(),
        "imagined": 0.5 * (d(imagined, x) - 1).pow(2).mean(),
        "l1": 4 * (y - rebuilt).abs().mean(),
        "latent_l1": 0.6 * (z - e(imagined)[0]).abs().mean(),
    }
    close(found, expected)


@dataclass(frozen=True)
class Domains:
    """Labelled images as floats."""

    x: Tensor
    y: Tensor
    classes: tuple[str, ...] = ("a", "b", "c")
    name: str = "domains"

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> Domains:
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        i = torch.randint(len(self), (n,), generator=rng)
        return self.x[i], self.y[i]


def test_star_gan_is_equations_2_to_6_and_8():
    g, d = doubled(Affine(0.9, 0.1, classes=3), Judge(classes=3))
    data = Domains(toys().targets, torch.arange(20) % 3)
    game = games.star_gan(g, d, data, batch=4, classification=2.0, reconstruction=5.0)
    assert game.players["discriminator"].turns == 5
    batch, found = terms(game, "discriminator")
    x = batch.real
    c = torch.randint(3, (4,), generator=batch.rng)
    u = torch.rand(4, generator=batch.rng).double().view(4, 1, 1, 1)
    fake = g(x, c).detach()
    between = (u * x + (1 - u) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(d(between)[0].mean((1, 2)).sum(), between)
    expected = {
        "loss": d(fake)[0].mean() - d(x)[0].mean(),
        "gradient_penalty": 10 * (gradient.flatten(1).norm(dim=1) - 1).pow(2).mean(),
        "classification": -2 * d(x)[1].log_softmax(1)[torch.arange(4), batch.labels].mean(),
    }
    close(found, expected)
    batch, found = terms(game, "generator")
    x = batch.real
    c = torch.randint(3, (4,), generator=batch.rng)
    expected = {
        "loss": -d(g(x, c))[0].mean(),
        "classification": -2 * d(g(x, c))[1].log_softmax(1)[torch.arange(4), c].mean(),
        "reconstruction": 5 * (x - g(g(x, c), batch.labels)).abs().mean(),
    }
    close(found, expected)


def halves(images: Tensor) -> Tensor:
    return images[..., ::2]


@pytest.mark.parametrize("features", [None, halves])
def test_sr_gan_is_equations_2_to_6(features: Callable[[Tensor], Tensor] | None):
    g, d = doubled(Enlarge(0.9, 0.1), Judge())
    game = games.sr_gan(g, d, toys(factor=2), batch=4, content=2.0, adversarial=0.01, features=features)
    batch, found = terms(game, "discriminator")
    close(found, {"loss": -(log(torch.sigmoid(d(batch.real))) + log(1 - torch.sigmoid(d(g(batch.inputs))))).mean()})
    batch, found = terms(game, "generator")
    y, fake, seen = batch.real, g(batch.inputs), features or (lambda images: images)
    content = (seen(y) - seen(fake)).pow(2).mean()
    close(found, {"loss": -0.01 * log(torch.sigmoid(d(fake))).mean(), "content": 2 * content})


def test_esr_gan_is_equations_1_to_3():
    g, d = doubled(Enlarge(0.9, 0.1), Judge())
    game = games.esr_gan(g, d, toys(factor=2), batch=4, adversarial=0.2, l1=0.3, features=halves)

    def average(y: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D_Ra(x_r, x_f) and D_Ra(x_f, x_r)."""
        return torch.sigmoid(d(y) - d(fake).mean()), torch.sigmoid(d(fake) - d(y).mean())

    batch, found = terms(game, "discriminator")
    real, fake = average(batch.real, g(batch.inputs))
    close(found, {"loss": -log(real).mean() - log(1 - fake).mean()})
    batch, found = terms(game, "generator")
    y, made = batch.real, g(batch.inputs)
    real, fake = average(y, made)
    expected = {
        "loss": 0.2 * (-log(1 - real).mean() - log(fake).mean()),
        "content": (halves(y) - halves(made)).abs().mean(),
        "l1": 0.3 * (y - made).abs().mean(),
    }
    close(found, expected)


def test_features_of_a_network_are_frozen_and_its_own_weights_left_alone():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.5)).double()
    g, d = doubled(Enlarge(0.9, 0.1), Judge())
    game = games.sr_gan(g, d, toys(factor=2), batch=4, features=network)
    batch, found = terms(game, "generator")
    y, fake = network[0](batch.real), network[0](g(batch.inputs))
    assert found["content"] == pytest.approx((y - fake).pow(2).mean().item(), rel=1e-12)
    assert network.training and all(w.requires_grad for w in network.parameters())
    assert game.settings["features"] == "Sequential"


# ---- every game played: turns, movers, resume -----------------------------------------------------


def floats(data: Toys) -> Toys:
    return replace(data, inputs=data.inputs.float(), targets=data.targets.float())


def tiny_pix2pix(**options: Any) -> Game:
    g, d = nets.UNet(8, 1, width=2), nets.PatchDiscriminator(1, inputs=1, width=2)
    return games.pix2pix(g, d, floats(toys()), batch=4, **options)


def tiny_cycle_gan(**options: Any) -> Game:
    g, f = (nets.ResidualGenerator(1, width=2, downs=1, blocks=1) for _ in range(2))
    d_y, d_x = (nets.PatchDiscriminator(1, width=2) for _ in range(2))
    return games.cycle_gan(g, f, d_y, d_x, floats(toys(paired=False)), batch=4, pool=6, **options)


class TinyEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 4)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.net(y.flatten(1)).chunk(2, 1)
        return mean, log_variance


def tiny_bicycle_gan(**options: Any) -> Game:
    g, d = nets.UNet(8, 1, width=2, latent=2), nets.PatchDiscriminator(1, inputs=1, width=2)
    return games.bicycle_gan(g, TinyEncoder(), d, floats(toys()), batch=4, **options)


def tiny_star_gan(**options: Any) -> Game:
    g, d = nets.ResidualGenerator(1, width=2, downs=1, blocks=1, classes=3), nets.DomainDiscriminator(8, 1, 3, width=2)
    return games.star_gan(g, d, Domains(toys().targets.float(), torch.arange(20) % 3), batch=4, **options)


def tiny_sr_gan(**options: Any) -> Game:
    g, d = nets.SuperResolutionGenerator(2, 1, width=2, blocks=1), nets.PatchDiscriminator(1, width=2)
    return games.sr_gan(g, d, floats(toys(factor=2)), batch=4, **options)


def tiny_esr_gan(**options: Any) -> Game:
    g = nets.SuperResolutionGenerator(2, 1, width=2, blocks=1, block="rrdb")
    return games.esr_gan(g, nets.PatchDiscriminator(1, width=2), floats(toys(factor=2)), batch=4, **options)


TINY = {
    "pix2pix": tiny_pix2pix,
    "cycle_gan": tiny_cycle_gan,
    "bicycle_gan": tiny_bicycle_gan,
    "star_gan": tiny_star_gan,
    "sr_gan": tiny_sr_gan,
    "esr_gan": tiny_esr_gan,
}


def tiny(name: str, **options: Any) -> Game:
    torch.manual_seed(0)
    return TINY[name](**{"lr": 1e-3, "precision": "fp32", **options})


def state(game: Game) -> dict[str, Tensor]:
    pools = {f"{n}.{k}": v.clone() for n, m in game.memory.items() for k, v in m.state_dict().items()}
    return everything(game) | pools


@pytest.mark.parametrize("name", TINY)
def test_each_player_takes_its_turns_and_moves_only_its_own_parameters(name: str):
    game = tiny(name, turns=2)
    calls: list[str] = []
    for mover, player in game.players.items():

        def step(mover: str = mover, inner: Callable[[], None] = player.optimizer.step) -> None:
            before = {n: [w.detach().clone() for w in p.net.parameters()] for n, p in game.players.items()}
            inner()
            for n, p in game.players.items():
                moved = [not torch.equal(a, b) for a, b in zip(before[n], p.net.parameters(), strict=True)]
                assert any(moved) if n == mover else not any(moved)
            calls.append(mover)

        player.optimizer.step = step  # type: ignore[method-assign]
    game.play(3, progress=False)
    turns = {n: 2 if "discriminator" in n else 1 for n in game.players}
    assert calls == [n for n, k in turns.items() for _ in range(k)] * 3
    assert all(len(values) == 3 for values in game.history.losses.values())


@pytest.mark.parametrize("name", TINY)
def test_resumed_after_two_of_four_steps_is_bit_for_bit_the_same(name: str, tmp_path: Path):
    """With Dropout, batch statistics, image pools, averages and a learning rate that falls."""
    whole, first, second = (tiny(name, anneal=4) for _ in range(3))
    whole.play(4, progress=False)
    first.play(2, progress=False)
    first.save(tmp_path)
    torch.manual_seed(99)  # whatever torch's own generator did in between
    second.resume(tmp_path).play(2, progress=False)
    assert same(state(whole), state(second)) and not same(state(whole), state(first))
    assert whole.history.losses == second.history.losses
    labels = [1] if name == "star_gan" else None
    assert torch.equal(whole.sample(5, labels), second.sample(5, labels))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("loss", ["hinge", "rpgan", "wasserstein"])
def test_any_loss_and_any_penalty_will_do(name: str, loss: str):
    game = tiny(name, loss=loss, penalty=[penalties.r1_r2(0.1), penalties.weight_clipping(0.5)])
    game.play(2, progress=False)
    assert all(v > 0 for v in game.history["discriminator.r1_r2"])
    assert max(w.abs().max().item() for w in game.discriminator.parameters()) <= 0.5


def test_a_penalty_does_not_depend_on_the_number_of_patches():
    """It differentiates the mean of the map: four times the patches of the same thing, the same slope in total."""
    data = floats(toys())
    game = games.pix2pix(Affine(1.0, 0.0), Judge(), data, batch=4, penalty=penalties.r1(2.0))
    found = game.players["discriminator"].loss(game.draw("discriminator"))
    assert isinstance(found, dict)
    assert found["r1"].item() == pytest.approx((1.5 / 64) ** 2 * 64, rel=1e-5)  # mean of 64 pixels, each times w₀ = 1.5


def test_dropout_is_the_noise_of_pix2pix_in_sampling_too():
    game = tiny("pix2pix")
    x = floats(toys()).inputs[:3]
    a, b, c = game.translate(x), game.translate(x), game.translate(x, seed=1)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert not any(module.training for module in game.average.modules())


def test_what_the_games_translate():
    game = tiny("cycle_gan")
    x = floats(toys()).inputs[:3]
    assert torch.equal(game.translate(x), game.average["generator"](x))
    game = tiny("star_gan")
    images, labels = floats(toys()).targets[:3], torch.tensor([2, 0, 1])
    assert torch.equal(game.translate(images, labels), game.average(images, labels))
    game = tiny("bicycle_gan")
    assert not torch.equal(game.translate(x), game.translate(x, seed=1))
    assert tiny("sr_gan").translate(torch.zeros(2, 1, 5, 4)).shape == (2, 1, 10, 8)


@pytest.mark.parametrize("name", sorted({*TINY} - {"star_gan", "cycle_gan"}))
def test_games_of_pairs_refuse_what_is_not_paired(name: str):
    bad = {"unpaired": floats(toys(paired=False)), "labelled": Domains(toys().targets.float(), torch.arange(20) % 3)}
    networks = [Affine(1.0, 0.0), Judge()] if name != "bicycle_gan" else [Affine(1.0, 0.0), Code(), Judge()]
    with pytest.raises(ValueError, match="data must be paired"):
        games.get(name)(*networks, bad["unpaired"])
    with pytest.raises(TypeError, match="data must be pairs of inputs and targets, .* got Domains"):
        games.get(name)(*networks, bad["labelled"])


def test_misfits_are_refused():
    data = floats(toys())
    with pytest.raises(ValueError, match=r"the generator's samples have shape \(1, 16, 16\), but those of the data"):
        games.pix2pix(Enlarge(1.0, 0.0), Judge(), data)
    with pytest.raises(ValueError, match="l1 must be a finite number of at least 0, got -1"):
        games.pix2pix(Affine(1.0, 0.0), Judge(), data, l1=-1.0)
    with pytest.raises(ValueError, match=r"must return logits of shape \(4,\) or \(4, h, w\), got \(1,\)"):
        games.sr_gan(Affine(1.0, 0.0), Flat(), data, batch=4).play(1, progress=False)
    with pytest.raises(ValueError, match="data have no labels"):
        games.star_gan(Affine(1.0, 0.0), Judge(3), data)
    with pytest.raises(ValueError, match="generator.classes must be 3, as the data have, got None"):
        games.star_gan(Affine(1.0, 0.0), Judge(3), Domains(data.targets, torch.arange(20) % 3))
    four = [Affine(1.0, 0.0), Affine(1.0, 0.0), Judge(), Judge()]
    with pytest.raises(ValueError, match="identity must be 0 where inputs .* and targets .* differ, got 5.0"):
        games.cycle_gan(*four, floats(toys(factor=2)))
    with pytest.raises(ValueError, match="penalty must be without memory, .* got lecam"):
        games.cycle_gan(*four, data, penalty="lecam")
    with pytest.raises(TypeError, match="features must be a network or a function of images"):
        games.sr_gan(Affine(1.0, 0.0), Judge(), data, features=3)


class Flat(nn.Module):
    """No logit for each image, but one for all."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return (self.w * x).mean().view(1)
