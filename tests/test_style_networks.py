"""The style-based generator against its formulas, and R3GAN's pair: what they compute at first and while they train."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganlib
from ganlib import Game, export, games, nets


def generator(**options: object) -> nets.StyleGenerator:
    """A small one, in float64, always with the same weights, and none of them at 0."""
    torch.manual_seed(0)
    net = nets.StyleGenerator(**{"size": 16, "latent": 6, "width": 4, "depth": 2, **options}).double()  # type: ignore[arg-type]
    for name, w in net.named_parameters():
        if name.endswith(("bias", "strength", "shift")):
            nn.init.normal_(w, 0.5)
    return net.eval()


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def tiny(**options: object) -> Game:
    torch.manual_seed(0)
    networks = nets.StyleGenerator(16, 1, latent=3, width=2, mixing=0.5), nets.ShuffleDiscriminator(16, width=2)
    return games.gan(*networks, torch.rand(20, 1, 16, 16) * 2 - 1, **{"batch": 8, "precision": "fp32", **options})  # type: ignore[arg-type]


# ---- modulated convolutions ----------------------------------------------------------------------


@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_is_each_samples_own_convolution(demodulate: bool) -> None:
    """Equations 1 and 3 sample by sample, and the paper's grouped convolution (its appendix B)."""
    torch.manual_seed(0)
    layer = nets.ModulatedConv2d(3, 5, style=4, demodulate=demodulate).double()
    nn.init.normal_(layer.affine.bias)
    x, w = some(2, 3, 8, 8), some(2, 4)
    made = layer(x, w)
    weights = []
    for i in range(2):
        scale = layer.affine.weight @ w[i] / 4**0.5 + layer.affine.bias
        weight = layer.weight / 27**0.5 * scale[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        assert torch.allclose(made[i : i + 1], F.conv2d(x[i : i + 1], weight, padding=1), atol=1e-12)
        weights.append(weight)
    grouped = F.conv2d(x.reshape(1, 6, 8, 8), torch.cat(weights), padding=1, groups=2)
    assert torch.allclose(made, grouped.view_as(made), atol=1e-12)


def test_demodulated_outputs_have_unit_variance_whatever_the_style_says() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(400, 16, 8, 8), 3 * torch.randn(1, 8)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # the padding's zeros take away from the border
    spread = nets.ModulatedConv2d(16, 12, 8)(x, w.expand(400, -1))[inner].var((0, 2, 3))
    assert torch.allclose(spread, torch.ones(12), atol=0.05)
    plain = nets.ModulatedConv2d(16, 12, 8, demodulate=False)(x, w.expand(400, -1))[inner].var((0, 2, 3))
    assert (plain - 1).abs().max() > 0.5


def test_a_slow_linear_layer_computes_the_same_at_first_and_learns_slower() -> None:
    for rate in (1.0, 0.1):
        torch.manual_seed(0)
        layer, x = nets.EqualisedLinear(64, 500, gain=1, rate=rate, bias=2.0), torch.randn(300, 64)
        assert layer(x).var().item() == pytest.approx(1, abs=0.05) and layer(x).mean().item() == pytest.approx(
            2, abs=0.1
        )
        before = layer(x)
        with torch.no_grad():
            layer.weight += 0.01
        moved = (layer(x) - before) / x.sum(1, keepdim=True)
        assert moved.mean().item() == pytest.approx(rate * 0.01 / 8, rel=1e-2)


# ---- the generator -------------------------------------------------------------------------------


def test_the_image_is_the_sum_of_what_each_resolution_adds() -> None:
    """The synthesis written out once more, with one style for each layer."""
    net, w = generator(), some(3, 5, 6)
    assert net.layers == 5 and net.sides == [4, 8, 8, 16, 16]

    def twice(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear")

    x, image = net.constant.expand(3, -1, -1, -1), torch.zeros(())
    for i, layer in enumerate(net.convolutions):
        x = layer.conv(twice(x) if i in (1, 3) else x, w[:, i])
        x = 2**0.5 * F.leaky_relu(x + layer.strength * layer.fixed + layer.bias[:, None, None], 0.2)
        if i in (0, 2, 4):
            image = (twice(image) if i else 0) + net.to_image[i // 2](x, w[:, i])
    assert torch.allclose(net.synthesis(w), image + net.shift[:, None, None], atol=1e-12)


def test_noise_is_fresh_fixed_or_none() -> None:
    net, w = generator(), some(2, 6)
    for noise in ("fixed", "none"):
        assert torch.equal(net.synthesis(w, noise), net.synthesis(w, noise))
    fresh = net.synthesis(w, "fresh"), net.synthesis(w, "fresh")
    assert not torch.equal(*fresh) and not torch.equal(net.synthesis(w), net.synthesis(w, "none"))
    z = some(2, 6)
    assert torch.equal(net(z), net.synthesis(net.mapping(z), "fixed"))
    assert not torch.equal(net.train()(z), net(z))
    fresh_net = nets.StyleGenerator(8, latent=3, width=2)
    assert torch.equal(fresh_net(z[:, :3].float()), fresh_net(z[:, :3].float()))  # at first noise has no strength


@pytest.mark.parametrize("k", [0, 2, 5])
def test_mixing_is_one_picture_up_to_a_layer_and_another_from_it_on(k: int) -> None:
    net = generator()
    a, b = net.mapping(some(4, 6)), net.mapping(some(4, 6).flip(1))
    each = torch.stack([a if layer < k else b for layer in range(net.layers)], 1)
    assert torch.equal(net.mix(a, b, k), each)
    assert torch.equal(net.synthesis(net.mix(a, b, k)), net.synthesis(each))
    if k in (0, 5):
        assert torch.allclose(net.synthesis(each), net.synthesis(a if k else b), atol=1e-12)


def test_truncation_pulls_towards_the_mean_style() -> None:
    net, z = generator(), some(3, 6)
    one = net(z, psi=0)
    assert torch.allclose(one, one[:1].expand_as(one), atol=1e-12)
    assert torch.allclose(one[:1], net.synthesis(net.mean_w[None]), atol=1e-12)
    assert not torch.allclose(net(z, psi=0, noise="fresh"), one)
    half = net.mean_w + 0.5 * (net.mapping(z) - net.mean_w)
    assert torch.allclose(net(z, psi=0.5), net.synthesis(half), atol=1e-12)
    assert torch.equal(net(z, psi=1.0), net(z))


def test_mean_w_is_the_mean_from_the_start_and_follows_while_training() -> None:
    torch.manual_seed(0)
    net = nets.StyleGenerator(8, latent=6, width=2)
    far = net.mapping(torch.randn(20_000, 6)).mean(0)
    assert (net.mean_w - far).abs().max() < 0.15
    z, before = torch.randn(4, 6), net.mean_w.clone()
    net(z)
    assert torch.allclose(net.mean_w, before + 0.005 * (net.mapping(z).mean(0) - before), atol=1e-6)
    kept = net.mean_w.clone()
    net.eval()(z)
    assert torch.equal(net.mean_w, kept)


def test_mixing_regularisation_gives_the_share_of_samples_that_was_asked_for() -> None:
    net = generator(mixing=0.5)
    w = some(4000, 6)
    mixed = net._mixed(w)
    foreign = (mixed != w[:, None]).any(2)
    assert foreign.any(1).double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert not foreign[:, 0].any()  # the first layer stays
    assert torch.equal(foreign, foreign.cummax(1).values)  # and from the crossover on all are the neighbour's
    assert torch.equal(mixed[foreign], w.roll(1, 0)[:, None].expand_as(mixed)[foreign])
    first_foreign = foreign.double().sum(1)[foreign.any(1)]
    assert set(first_foreign.tolist()) == {1.0, 2.0, 3.0, 4.0}
    z = some(3, 6)
    assert torch.equal(net(z), generator()(z))  # not in evaluation


def test_a_run_goes_on_as_if_it_had_not_stopped_and_its_generator_is_a_function(tmp_path: Path) -> None:
    whole, first = tiny(), tiny()
    whole.play(4)
    first.play(2)
    first.save(tmp_path / "two")
    second = tiny()
    second.resume(tmp_path / "two")
    second.play(2)
    for a, b in zip(whole.generator.state_dict().values(), second.generator.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(whole.sample(5), second.sample(5))
    path = whole.snapshot().save(tmp_path / "g")
    assert torch.equal(ganlib.load(path).sample(5), whole.sample(5))


def test_an_export_has_the_fixed_noise(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    game = tiny()
    game.play(3)
    nn.init.ones_(game.average.convolutions[0].strength)  # type: ignore[union-attr, index]
    z = torch.randn(5, 3)
    session = onnxruntime.InferenceSession(export.onnx(game, tmp_path / "g.onnx"))
    made = torch.from_numpy(session.run(None, {"z": z.numpy()})[0])
    assert torch.allclose(made, game.average(z), atol=1e-4)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nets.StyleGenerator(20), "size must be a power of two from 8, got 20"),
        (lambda: nets.StyleGenerator(mixing=2.0), "mixing must be a share from 0 to 1, got 2"),
        (lambda: nets.StyleGenerator(depth=-1), "depth must be a whole number of at least 0, got -1"),
        (lambda: nets.EqualisedLinear(2, 2, rate=0.0), "rate must be above 0, got 0"),
        (lambda: nets.ModulatedConv2d(2, 2, 2, kernel=2), "kernel must be odd, got 2"),
        (lambda: generator().synthesis(some(2, 4, 6)), r"w must have shape \(N, 6\) or \(N, 5, 6\), got \(2, 4, 6\)"),
        (lambda: generator().synthesis(some(2, 6), "some"), "noise='some' is not known"),
        (lambda: generator()(some(2, 6), noise="some"), "noise='some' is not known"),
        (lambda: generator().mix(some(2, 6), some(2, 6), 6), "crossover must lie between 0 and 5, got 6"),
        (lambda: generator()(some(2, 5)), r"z must have shape \(N, 6\)"),
        (lambda: nets.R3GANGenerator(12), "size must be a power of two from 8, got 12"),
        (
            lambda: nets.R3GANBlock(5, group=4),
            "twice the channels must be a multiple of group, got 5 channels, group 4",
        ),
    ],
)
def test_wrong_arguments_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ---- R3GAN ---------------------------------------------------------------------------------------


def test_an_r3gan_block_is_the_identity_at_first_and_its_three_convolutions_later() -> None:
    torch.manual_seed(0)
    block, x = nets.R3GANBlock(6, group=4).double(), some(2, 6, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.normal_(block.back.weight)
    h = F.leaky_relu(torch.einsum("oi,nihw->nohw", block.widen.weight[:, :, 0, 0], x), 0.2)
    parts = [F.conv2d(h[:, i : i + 4], block.look.weight[i : i + 4], padding=1) for i in (0, 4, 8)]  # each sees its own
    h = F.leaky_relu(torch.cat(parts, 1), 0.2)
    assert torch.allclose(block(x), x + torch.einsum("oi,nihw->nohw", block.back.weight[:, :, 0, 0], h), atol=1e-12)


def test_the_r3gan_pair_keeps_the_scale_at_first_without_any_normalisation() -> None:
    """And with every branch switched on it grows by less than a factor of two, for four blocks or eight."""
    for blocks in (1, 2):
        torch.manual_seed(0)
        G, D = nets.R3GANGenerator(blocks=blocks), nets.R3GANDiscriminator(blocks=blocks)
        made = G(torch.randn(200, 64))
        assert made.shape == (200, 3, 32, 32) and 0.3 < made.std().item() < 2
        assert D(torch.randn(8, 3, 32, 32)).shape == (8,)
        assert not any("Norm" in type(m).__name__ for net in (G, D) for m in net.modules())
        assert not nets.mixes_samples(D)
    looks = [
        [m.look.weight.std().item() for m in nets.R3GANGenerator(blocks=b).modules() if hasattr(m, "look")]
        for b in (1, 2)
    ]
    assert looks[1][0] / looks[0][0] == pytest.approx(2**-0.25, rel=0.05)  # Fix-up: L^(-1/4)


def test_halving_is_what_bilinear_halving_does() -> None:
    x = some(2, 3, 8, 8)
    assert torch.allclose(F.avg_pool2d(x, 2), F.interpolate(x, scale_factor=0.5, mode="bilinear"), atol=1e-12)


def test_both_pairs_play_with_the_modern_loss() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(20, 3, 8, 8) * 2 - 1
    for G in (nets.StyleGenerator(8, latent=3, width=4), nets.R3GANGenerator(8, latent=3, width=8)):
        D = nets.R3GANDiscriminator(8, width=8)
        game = games.gan(G, D, pictures, loss="rpgan", penalty="r1_r2", batch=8, precision="fp32")
        game.play(3)
        assert game.sample(3).isfinite().all()
