"""The generator in the page: what a browser computes is what PyTorch computes, and every control plays it."""

from __future__ import annotations

import base64
import copy
import functools
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import traitlets
from torch import Tensor, nn

from ganlib import data, games, metrics, nets, widgets

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402
import cover_generator  # noqa: E402
import environment  # noqa: E402


def trained(net: nn.Module) -> nn.Module:
    """As if it had been trained: no weight, scale or running statistic is what it was made with."""
    torch.manual_seed(1)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)  # type: ignore[operator, union-attr]
                module.running_var.uniform_(0.1, 2)  # type: ignore[operator, union-attr]
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d) and module.affine:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
            if isinstance(module, nets.ConditionalBatchNorm):
                module.scale.weight.uniform_(0.5, 1.5)
                module.shift.weight.normal_(0, 0.3)
            if isinstance(module, nn.ConvTranspose2d | nn.Conv2d | nn.Linear):
                fan_in = (
                    module.weight[0].numel() if not isinstance(module, nn.ConvTranspose2d) else 4 * module.in_channels
                )
                module.weight.normal_(0, fan_in**-0.5 / getattr(module, "gain", 1))
                if module.bias is not None:
                    module.bias.normal_(0, 0.1)
            if isinstance(module, nets.StyleGenerator):
                module.shift.normal_(0, 0.1)
                module.mean_w.normal_(0, 0.1)
                for layer in module.convolutions:
                    layer.strength.normal_(0, 0.3)  # type: ignore[operator, union-attr]
                    layer.bias.normal_(0, 0.3)  # type: ignore[operator, union-attr]
    return net.eval()


def progressive() -> nn.Module:
    net = nets.ProgressiveGenerator(size=16, channels=3, latent=12, width=4)
    net.level.fill_(1)
    return net


def assorted() -> nn.Module:
    """What none of the generators of `nets` needs, and odd kernels, strides and paddings."""
    return nn.Sequential(
        nn.Linear(5, 48), nn.BatchNorm1d(48), nn.SiLU(), nn.Dropout(), nn.Unflatten(1, (3, 4, 4)),
        nn.ConvTranspose2d(3, 6, 3, 2, 1, output_padding=1), nn.GroupNorm(2, 6), nn.ELU(0.7),
        nn.ConvTranspose2d(6, 4, 5, 3, 0, bias=False), nn.InstanceNorm2d(4, affine=True), nn.LeakyReLU(0.1),
        nn.Conv2d(4, 4, 5, 2, 3), nn.InstanceNorm2d(4), nn.Sequential(nn.Conv2d(4, 3, 2, 1, 0), nn.Identity()),
        nn.Upsample(scale_factor=2), nn.Conv2d(3, 12, 1), nn.Flatten(), nn.Unflatten(1, (12, 26, 26)),
        nn.PixelShuffle(2), nn.Sigmoid(),
    )  # fmt: skip


GENERATORS: dict[str, Any] = {
    "dcgan": lambda: nets.DCGANGenerator(latent=16, width=8),
    "dcgan, colour, 32 pixels": lambda: nets.DCGANGenerator(size=32, channels=3, latent=9, width=4),
    "dcgan, embedding": lambda: nets.DCGANGenerator(latent=8, width=4, classes=3, condition="embedding"),
    "dcgan, batch norm": lambda: nets.DCGANGenerator(latent=8, width=4, classes=3, condition="batch_norm"),
    "shuffle": lambda: nets.ShuffleGenerator(),
    "shuffle, colour, 16 pixels": lambda: nets.ShuffleGenerator(size=16, channels=3, latent=1, width=4),
    "shuffle, concatenation": lambda: nets.ShuffleGenerator(latent=48, classes=10),
    "shuffle, embedding": lambda: nets.ShuffleGenerator(latent=8, width=4, classes=3, condition="embedding"),
    "shuffle, batch norm": lambda: nets.ShuffleGenerator(latent=8, width=4, classes=3, condition="batch_norm"),
    "perceptron": lambda: nets.MLPGenerator(latent=7, out=64, width=32, prior="uniform", scale=0.3),
    "perceptron, units": lambda: nets.MLPGenerator(
        latent=4, out=64, width=32, scale=[0.2] * 32 + [0.4] * 32, shift=[0.1, -0.1] * 32
    ),
    "perceptron, concatenation": lambda: nets.MLPGenerator(latent=4, out=64, width=32, classes=3),
    "perceptron, embedding": lambda: nets.MLPGenerator(latent=4, out=64, width=32, classes=3, condition="embedding"),
    "progressive": progressive,
    "styles": lambda: nets.StyleGenerator(latent=12, width=6, depth=2),
    "styles, grey, 8 pixels, z normalised": lambda: nets.StyleGenerator(8, 1, latent=5, width=3, depth=0),
    "assorted": assorted,
}
SHAPES = {name: (1, 8, 8) for name in GENERATORS if name.startswith("perceptron")}
PLAYED = ("shuffle", "shuffle, concatenation", "shuffle, colour, 16 pixels", "perceptron")
LARGEST = ("shuffle", "shuffle, concatenation")  # the ones of chapters 9 and 12
MAKERS = {name: trained(make()) for name, make in GENERATORS.items()}


@functools.cache
def live(name: str) -> widgets.Live:
    return widgets.live(MAKERS[name], shape=SHAPES.get(name), alt="blot")


def rounded(net: nn.Module) -> nn.Module:
    """A copy whose every number is one of half precision, BatchNorm's being its scale and its shift."""
    net = copy.deepcopy(net)
    half = lambda x: x.half().float()  # noqa: E731
    with torch.no_grad():
        if isinstance(net, nets.MLPGenerator):
            net.out.weight.mul_(torch.as_tensor(net.scale).reshape(-1, 1))
            net.out.bias.mul_(net.scale).add_(net.shift)
            net.scale, net.shift = torch.ones_like(net.out.bias), torch.zeros_like(net.out.bias)
        for module in net.modules():
            if isinstance(module, nets.ConditionalBatchNorm):
                scale = (module.norm.running_var + module.norm.eps).rsqrt()
                module.shift.weight.sub_(module.scale.weight * module.norm.running_mean * scale)
                module.scale.weight.mul_(scale)
                module.norm.running_mean.zero_()
                module.norm.running_var.fill_(1 - module.norm.eps)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
                assert module.running_var is not None and module.running_mean is not None
                scale = module.weight * (module.running_var + module.eps).rsqrt()
                module.bias.sub_(module.running_mean * scale)
                module.weight.copy_(scale)
                module.running_mean.zero_()
                module.running_var.fill_(1 - module.eps)
            elif isinstance(module, nets.EqualisedConv2d | nets.EqualisedLinear | nets.ModulatedConv2d):
                module.weight.copy_(half(module.weight * module.gain))
                module.gain = 1.0
                if isinstance(module, nets.EqualisedLinear):
                    module.bias.mul_(module.rate)
                    module.rate = 1.0
            elif isinstance(module, nets.StyleGenerator):
                module.mean_w.copy_(half(module.mean_w))
                for layer in module.convolutions:
                    layer.fixed.copy_(half(layer.strength * layer.fixed))  # type: ignore[operator, union-attr]
                    layer.strength.fill_(1)  # type: ignore[operator, union-attr]
        for parameter in net.parameters():
            parameter.copy_(half(parameter))
    return net


@torch.no_grad()
def made(net: nn.Module, z: Tensor, labels: Tensor) -> Tensor:
    return net(z) if getattr(net, "classes", None) is None else net(z, labels)


def samples(name: str, n: int = 6) -> tuple[Tensor, Tensor]:
    network = live(name).network
    z = torch.randn(n, network["latent"], generator=torch.Generator().manual_seed(2))
    return z, torch.arange(n) % (network["classes"] or 1)


def in_chromium(job: dict[str, Any]) -> dict[str, Any]:
    """What live.mjs reports of this job, by the names of its cases."""
    command = [environment.find_node()[0], str(Path(__file__).with_name("live.mjs"))]
    told = json.dumps({"browser": browser.find_or_install(), **job})
    result = subprocess.run(command, input=told, capture_output=True, text=True, encoding="utf8", timeout=300)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["troubles"] == [], "script errors"
    return found["report"]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What headless Chromium makes of every generator."""
    if browser.unwanted():
        pytest.skip("GANLIB_NO_BROWSER=1 leaves the browser out")
    cases = []
    for name in MAKERS:
        widget = live(name)
        pairs = [[z.tolist(), int(k)] for z, k in zip(*samples(name), strict=True)]
        facts = {"network": widget.network, "names": widget.names, "alt": widget.alt, "play": name in PLAYED}
        weights = base64.b64encode(widget.weights).decode()
        cases.append({"name": name, "weights": weights, "samples": pairs, "times": 40 * (name in LARGEST), **facts})
    axe = str(ROOT / "node_modules" / "axe-core" / "axe.min.js")
    return in_chromium({"axe": axe, "script": widget._esm, "style": widget._css, "cases": cases})


# The numbers.


@pytest.mark.parametrize("name", GENERATORS)
def test_a_browser_computes_what_pytorch_computes(seen: dict[str, Any], name: str) -> None:
    z, labels = samples(name)
    here = torch.tensor(seen[name]["images"])
    exact, halved = (made(net, z, labels).flatten(1) for net in (MAKERS[name], rounded(MAKERS[name])))
    assert (here - halved).abs().max() < 2e-5, (
        "with the same half-precision numbers: the same, but for float32's rounding"
    )
    assert 0 < (here - exact).abs().max() < 0.02 and exact.std() > 0.05, "and the full network's to half precision"


@pytest.mark.parametrize("name", LARGEST)
def test_an_image_takes_at_most_40_ms(seen: dict[str, Any], name: str) -> None:
    assert 0 < seen[name]["ms"] <= 40


def test_directions_are_orthonormal_and_the_first_change_most() -> None:
    net = MAKERS["shuffle"]
    numbers = torch.frombuffer(bytearray(live("shuffle").weights), dtype=torch.float16).float()
    directions = numbers[-64 * 64 :].view(64, 64)
    assert torch.allclose(directions @ directions.T, torch.eye(64), atol=2e-3)
    z = torch.randn(50, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        change = [(net(z + 0.1 * direction) - net(z)).square().mean().item() for direction in directions]
    assert min(change[:4]) > max(change[-4:]) and sum(change[:8]) > 2 * sum(change[-8:])


def test_where_z_is_uniform_directions_are_coordinates() -> None:
    widget = live("perceptron")
    directions = torch.frombuffer(bytearray(widget.weights), dtype=torch.float16)[-49:].view(7, 7)
    assert directions.sum(0).tolist() == directions.sum(1).tolist() == [1.0] * 7 and directions.max() == 1
    assert all(abs(v) <= 1 for v in widget.z)


# The controls.


def pixels(net: nn.Module, look: dict[str, Any], shape: tuple[int, ...]) -> Tensor:
    z, label = torch.tensor([look["z"]], dtype=torch.float32), torch.tensor([look["label"]])
    image = made(net, z, label).view(shape).expand(3, -1, -1)
    return (127.5 * (image + 1)).round().clamp(0, 255)


@pytest.mark.parametrize("name", PLAYED)
def test_every_control_answers_to_the_keyboard(seen: dict[str, Any], name: str) -> None:
    net, looks = MAKERS[name], {look["what"]: look for look in seen[name]["played"]}
    shape = tuple(live(name).network["shape"])
    halved = rounded(net)
    for look in looks.values():  # what is shown is G(z) of the state that Python is told
        shown = torch.tensor(look["pixels"], dtype=torch.float32).view(*shape[1:], 4).permute(2, 0, 1)[:3]
        assert (shown - pixels(halved, look, shape)).abs().max() <= 1, look["what"]
    order = list(looks.values())
    unmoved = {"pin A", "pin B", "more"}
    if len(looks["start"]["z"]) == 1:
        unmoved.add("map ArrowUp")  # a line has no up
    for before, after in itertools.pairwise(order):
        changed = (before["z"], before["label"]) != (after["z"], after["label"])
        assert changed == (after["what"] not in unmoved), after["what"]
        if after["what"] not in (*unmoved, "from Python"):
            assert after["saved"] > before["saved"], "the kernel is told"
    if "class" in looks:
        assert looks["class"]["label"] == 1 and looks["class"]["named"] == "blot, class 1"
        assert looks["class"]["z"] == looks["slider"]["z"], "another class of the same z"
    assert looks["way to B"]["z"] == pytest.approx(looks["surprise"]["z"], abs=1e-6)
    assert looks["way back"]["z"] == pytest.approx(looks["surprise again"]["z"], abs=1e-6)


def test_the_way_between_two_samples_is_a_great_circle(seen: dict[str, Any]) -> None:
    looks = {look["what"]: torch.tensor(look["z"]) for look in seen["shuffle"]["played"]}
    a, b, middle = looks["surprise again"], looks["surprise"], looks["halfway"]
    angle = torch.arccos(torch.dot(a, b) / a.norm() / b.norm())
    assert torch.allclose(middle, torch.sin(angle / 2) / torch.sin(angle) * (a + b), atol=1e-4)
    uniform = {look["what"]: torch.tensor(look["z"]) for look in seen["perceptron"]["played"]}
    assert torch.allclose(uniform["halfway"], (uniform["surprise"] + uniform["surprise again"]) / 2, atol=1e-5)


@pytest.mark.parametrize("name", PLAYED)
def test_nothing_stands_in_a_readers_way(seen: dict[str, Any], name: str) -> None:
    inspected = seen[name]["inspected"]
    assert inspected["light"] == [] and inspected["dark"] == [], "axe-core, every rule"
    assert inspected["overflow"] <= 0, "at 390 px the page scrolls sideways"


def test_state_is_shared_with_python() -> None:
    widget = widgets.live(MAKERS["shuffle, concatenation"], names=list("abcdefghij"), alt="letter", seed=3)
    assert len(widget.z) == 48 and widget.label == 0 and widget.names == list("abcdefghij")
    assert widget.z != widgets.live(MAKERS["shuffle, concatenation"]).z
    widget.label, widget.z = 9, [0.5] * 48
    with pytest.raises(traitlets.TraitError, match="label must lie between 0 and 9, got 10"):
        widget.label = 10
    with pytest.raises(traitlets.TraitError, match="z must be 48 finite numbers, got 2"):
        widget.z = [0.0, 1.0]
    with pytest.raises(traitlets.TraitError, match="z must be 48 finite numbers"):
        widget.z = [math.nan] * 48
    assert widget.label == 9 and widget.z == [0.5] * 48


def test_a_game_hands_over_its_average() -> None:
    torch.manual_seed(0)
    pair = nets.ShuffleGenerator(latent=4, width=4), nets.ShuffleDiscriminator(width=4)
    game = games.gan(*pair, data.load("digits"), batch=8)
    game.play(3)
    assert game.average is not None
    assert widgets.live(game).weights == widgets.live(game.average).weights != widgets.live(game.generator).weights
    assert game.generator.training, "left as it was found"
    autoencoder = nets.Autoencoder(pair[0], nets.ShuffleEncoder(latent=4, width=4))
    assert widgets.live(autoencoder).weights == widgets.live(pair[0]).weights


def test_the_covers_generator_is_small_and_draws_what_is_asked_for() -> None:
    net, facts = cover_generator.read()
    assert cover_generator.TARGET.stat().st_size < 250_000
    assert facts["seed"] == cover_generator.SEED and facts["network"] == cover_generator.NETWORK and facts["commit"]
    labels = torch.arange(500) % 10
    drawn = made(net, torch.randn(500, net.latent, generator=torch.Generator().manual_seed(4)), labels)
    accuracy = metrics.class_accuracy(drawn, labels)
    assert accuracy > 0.95 and abs(accuracy - facts["requested class recognised"]) < 0.03


def test_a_game_with_codes_is_refused() -> None:
    codes = games.Codes(categorical=(3,))
    pair = nets.ShuffleGenerator(latent=4 + codes.width, width=2), nets.ShuffleDiscriminator(width=2)
    game = games.info_gan(pair[0], nets.TwoHeaded(pair[1], codes.outputs), data.load("digits"), codes=codes, batch=8)
    with pytest.raises(ValueError, match="a prior of its own"):
        widgets.live(game)


# What is refused, and how.


class Mine(nn.Linear):
    """May compute anything."""


class Halved(nn.Module):
    latent = 4


REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (lambda: nets.DCGANGenerator(attention=True), {}, TypeError, r"net\.5: SelfAttention"),
    (lambda: nn.Sequential(nn.Linear(4, 49), nn.Softplus()), {}, TypeError, r"1: Softplus"),
    (lambda: nn.Sequential(nn.Linear(4, 49), nn.Sequential(nn.ReLU(), Mine(49, 49))), {}, TypeError, r"1\.1: Mine"),
    (lambda: nn.Sequential(Mine(4, 49)), {}, TypeError, "0: Mine"),
    (lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 49)), {}, TypeError, "generator: Sequential"),
    (Halved, {}, TypeError, "generator: Halved"),
    (lambda: nets.Clustered(nets.ShuffleGenerator(classes=2), torch.ones(2)), {}, TypeError, "generator: Clustered"),
    (lambda: nets.ResidualGenerator(), {}, TypeError, "generator: ResidualGenerator"),
    (lambda: chained(nn.Conv2d(1, 1, 3, padding_mode="circular")), {}, TypeError, "2: Conv2d with padding_mode=circ"),
    (lambda: chained(nn.Conv2d(1, 1, 3, dilation=2)), {}, TypeError, r"2: Conv2d with dilation=\(2, 2\)"),
    (lambda: chained(nn.Conv2d(1, 1, 3, padding="same")), {}, TypeError, "2: Conv2d with padding=same"),
    (lambda: chained(nn.Conv2d(1, 1, (3, 1))), {}, TypeError, r"2: Conv2d with kernel_size=\(3, 1\)"),
    (lambda: chained(nn.BatchNorm2d(1, track_running_stats=False)), {}, TypeError, "2: BatchNorm2d without running"),
    (lambda: chained(nn.InstanceNorm2d(1, track_running_stats=True)), {}, TypeError, "2: InstanceNorm2d with running"),
    (lambda: chained(nn.Upsample(scale_factor=2, mode="nearest-exact")), {}, TypeError, "2: Upsample with mode='near"),
    (lambda: chained(nn.Upsample(scale_factor=(2, 3))), {}, TypeError, r"2: Upsample .* scale_factor=\(2.0, 3.0\)"),
    (lambda: chained(nn.Upsample(scale_factor=2, mode="bicubic", align_corners=True)), {}, TypeError, "2: Upsample"),
    (lambda: nn.Sequential(nn.Linear(4, 49), nn.Unflatten(1, (7, 7))), {}, TypeError, r"1: Unflatten of dim=1 to \(7"),
    (lambda: restyled("convolutions.0", nn.Identity()), {}, TypeError, r"convolutions\.0: Identity"),
    (lambda: restyled("convolutions.1.conv", nn.Conv2d(4, 2, 3)), {}, TypeError, r"convolutions\.1\.conv: Conv2d"),
    (lambda: restyled("to_image.1.affine", nn.Linear(4, 2)), {}, TypeError, r"to_image\.1\.affine: Linear"),
    (lambda: restyled("mapping.1", Mine(4, 4)), {}, TypeError, r"mapping\.1: Mine"),
    (lambda: half_grown(), {}, ValueError, "level 0.5, between two resolutions"),
    (lambda: nets.ShuffleGenerator(latent=100), {}, ValueError, "weights of 8.. kB .* a page may carry 600 kB"),
    (lambda: scaled(1e6), {}, ValueError, "not finite in half precision"),
    (lambda: nets.MLPGenerator(), {}, ValueError, r"samples must be images .* got samples \(2,\) and shape=None"),
    (lambda: nets.MLPGenerator(out=64), {"shape": (1, 8, 9)}, ValueError, r"got samples \(64,\) and shape=\(1, 8, 9\)"),
    (lambda: nets.MLPGenerator(out=64), {"shape": (64,)}, ValueError, "samples must be images"),
    (lambda: nets.ShuffleGenerator(latent=4, width=2), {"shape": (1, 14, 56)}, ValueError, "samples must be images"),
    (lambda: nets.ShuffleGenerator(channels=2, latent=4, width=2), {}, ValueError, r"got samples \(2, 28, 28\)"),
    (lambda: nets.ShuffleGenerator(size=256, latent=4, width=1), {}, ValueError, "at most 128 pixels a side"),
    (lambda: nets.ShuffleGenerator(latent=4, width=2), {"names": ["a"]}, ValueError, "names must be left out"),
    (lambda: nets.ShuffleGenerator(16, 1, 4, 2, 3), {"names": ["a"]}, ValueError, "one text for each of 3 .* got 1"),
    (lambda: nets.ShuffleGenerator(latent=4, width=2), {"alt": " "}, ValueError, "alt must say in words"),
    (lambda: "G", {}, TypeError, "generator must be a network or a game, got str"),
]  # fmt: skip


def chained(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 49), nn.Unflatten(1, (1, 7, 7)), layer)


def half_grown() -> nn.Module:
    net = nets.ProgressiveGenerator(size=8, latent=4, width=4)
    net.level.fill_(0.5)
    return net


def restyled(path: str, part: nn.Module) -> nn.Module:
    net = nets.StyleGenerator(8, 1, latent=4, width=2)
    net.set_submodule(path, part)
    return net


def scaled(factor: float) -> nn.Module:
    net = nets.ShuffleGenerator(latent=4, width=2)
    with torch.no_grad():
        net.project.weight.mul_(factor)
    return net


@pytest.mark.parametrize(("make", "options", "error", "words"), REFUSED)
def test_refused_by_name(make: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        widgets.live(make(), **options)


def test_a_learned_text_encoder_is_refused_by_its_name() -> None:
    net = nets.ShuffleGenerator(latent=4, width=2, classes=3, condition="embedding")
    net.code.embed = Mine(4, 4)  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"code\.embed: Mine"):
        widgets.live(net)
