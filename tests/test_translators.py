"""Translators in the page: what a browser computes is what PyTorch computes, and what cannot run there is refused."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import traitlets
from torch import Tensor, nn

from ganlib import data, features, games, nets, widgets
from ganlib.book.widgets.network import Tape, packed, write_layer

from .test_live import Mine, in_chromium, rounded, trained

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402

BRUSHES = {"sky": (170, 205, 240), "meadow": (140, 190, 90), "house": (90, 60, 110)}
WALLS = ("red", (204, 107, 87), "cream", (237, 222, 189))


def assorted() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 1, 2, padding_mode="reflect"), nn.PReLU(8), nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.Sequential(nn.Conv2d(8, 4, 3, 2, 1), nn.PReLU(), nn.Upsample(scale_factor=3)),
        nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.Upsample(scale_factor=3, mode="bilinear"), nn.AvgPool2d(3),
        nets.ResidualUpsampler(2, 3, width=4, depth=2), nn.Tanh(),
    )  # fmt: skip


def pooled() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 3, padding=1), nn.AvgPool2d(3, 3),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip


def endless() -> nn.Module:
    """A texture from noise, without padding and with."""
    return nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 6, 5), nn.ReLU(), nn.ConvTranspose2d(6, 4, 4, 2, 1), nets.PixelNorm(), nn.Conv2d(4, 12, 3),
        nn.PixelShuffle(2), nn.Tanh(),
    )  # fmt: skip


TRANSLATORS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "u-net": (lambda: nets.UNet(32, 3, width=12), (3, 32, 32)),
    "u-net, small, grey to colour, z": (lambda: nets.UNet(8, 1, 3, width=4, latent=5), (1, 8, 8)),
    "residual": (lambda: nets.ResidualGenerator(3, width=4), (3, 16, 12)),
    "residual, z": (lambda: nets.ResidualGenerator(3, 1, width=4, downs=1, blocks=1, latent=3), (3, 8, 8)),
    "residual, classes": (lambda: nets.ResidualGenerator(1, width=4, downs=0, blocks=2, classes=4), (1, 9, 8)),
    "srresnet": (lambda: nets.SuperResolutionGenerator(2, 3, width=8, blocks=2), (3, 10, 9)),
    "rrdb": (lambda: nets.SuperResolutionGenerator(4, 1, width=6, blocks=1, block="rrdb"), (1, 7, 8)),
    "bicubic and a correction": (lambda: nets.ResidualUpsampler(2, 3, width=8), (3, 11, 8)),
    "bicubic and a correction, ×3": (lambda: nets.ResidualUpsampler(3, 1, width=4, depth=2), (1, 5, 6)),
    "assorted": (assorted, (3, 8, 8)),
    "picture and mask, z": (lambda: nets.ResidualGenerator(2, 1, width=8, downs=1, blocks=1, latent=4), (2, 28, 28)),
    "u-net, picture and mask": (lambda: nets.UNet(16, 2, 1, width=4, latent=3), (2, 16, 16)),
    "digits' classifier": (features.DigitClassifier, (1, 28, 28)),
    "pooled": (pooled, (1, 17, 23)),
    "endless": (endless, (4, 9, 11)),
}
MAKERS = {name: trained(make()) for name, (make, _) in TRANSLATORS.items()}


def asked(name: str, n: int = 3) -> tuple[Tensor, list[Tensor]]:
    """Images, and what stands beside them."""
    net, rng = MAKERS[name], torch.Generator().manual_seed(5)
    images = torch.rand(n, *TRANSLATORS[name][1], generator=rng) * 2 - 1
    latent, classes = getattr(net, "latent", 0), getattr(net, "classes", None)
    return images, [torch.randn(n, latent, generator=rng)] if latent else [torch.arange(n) + 1] if classes else []


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What headless Chromium makes of every translator's images."""
    if browser.unwanted():
        pytest.skip("GANLIB_NO_BROWSER=1 leaves the browser out")
    cases = []
    for name, net in MAKERS.items():
        tape, (images, code) = Tape(), asked(name)
        write_layer(tape, net, "net")
        latent = getattr(net, "latent", 0)
        z, labels = code[0].tolist() if latent else [[]] * 3, [0] * 3 if latent or not code else code[0].tolist()
        sides = dict(zip(("channels", "height", "width"), images.shape[1:], strict=True))
        samples = [[z[i], labels[i], {"data": images[i].flatten().tolist(), **sides}] for i in range(3)]
        weights = base64.b64encode(packed(name, tape.numbers)).decode()
        cases.append(
            {"name": name, "network": {"layers": tape.layers}, "weights": weights, "samples": samples, "times": 20}
        )
    return in_chromium({"script": widgets.Live._esm, "style": "", "cases": cases})


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_browser_computes_what_pytorch_computes(seen: dict[str, Any], name: str) -> None:
    images, code = asked(name)
    here = torch.tensor(seen[name]["images"])
    with torch.no_grad():
        exact, halved = (net(images, *code).flatten(1) for net in (MAKERS[name], rounded(MAKERS[name])))
    assert (here - halved).abs().max() < 5e-5 * max(1, float(halved.abs().max())), "the same half-precision numbers"
    assert (here - exact).abs().max() < 0.03 * float(exact.std()) + 0.02 and exact.std() > 0.05


def test_a_translation_of_a_pad_takes_at_most_60_ms(seen: dict[str, Any]) -> None:
    assert 0 < seen["u-net"]["ms"] <= 60


# What the widgets refuse, and what Python may set.


def drawings(n: int = 2, side: int = 32) -> Tensor:
    """The sky over a meadow, with a house in it."""
    sky, meadow, house = (torch.tensor(rgb, dtype=torch.uint8).view(3, 1, 1) for rgb in BRUSHES.values())
    image = sky.expand(3, side, side).clone()
    image[:, side // 2 :] = meadow
    image[:, side // 2 - 2 : side // 2 + 2, 3:9] = house
    return torch.stack([image.roll(i, 2) for i in range(n)])


def small(channels: int = 3, out: int | None = None, **options: Any) -> nn.Module:
    return nets.UNet(32, channels, out, width=2, **options)


def pad(generator: Any = None, **changed: Any) -> widgets.Pad:
    given = {
        "generator": small(latent=3) if generator is None else generator,
        "brushes": BRUSHES,
        "examples": drawings(),
    } | changed
    return widgets.pad(**given)


def lamp(**changed: Any) -> widgets.Lamp:
    return widgets.lamp(**{"there": small(3, 1), "back": small(1, 3), "images": drawings(3)} | changed)


def mix(**changed: Any) -> widgets.Mix:
    nets_ = {name: nets.ResidualUpsampler(2, 3, width=2, depth=2) for name in ("first", "second")}
    return widgets.mix(**nets_ | {"inputs": drawings(2, 8), "targets": drawings(2, 16)} | changed)


def held(n: int = 3) -> Tensor:
    return torch.ones(n, 32, 32, dtype=torch.bool)


def spotted() -> Tensor:
    images = drawings()
    images[1, :, 4, 5] = 7
    return images


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: pad("G"), TypeError, "generator must be a network, a game or a generator, got str"),
    (lambda: pad({}), ValueError, "at least one translator"),
    (lambda: pad(nn.Sequential(nn.Conv2d(3, 3, 1), Mine(4, 4))), TypeError, r"generator\.1: Mine does not run in"),
    (lambda: pad({"by day": nn.Sequential(Mine(4, 4))}), TypeError, r"generator\['by day'\]\.0: Mine"),
    (lambda: pad(nets.ShuffleGenerator(latent=4)), TypeError, "generator: ShuffleGenerator"),
    (lambda: pad(nets.ResidualGenerator(width=2, classes=3)), ValueError, "generator takes labels of 3 classes"),
    (lambda: pad(small(1)), ValueError, r"generator does not take .* \(3, 32, 32\): images must"),
    (lambda: pad(nn.Conv2d(3, 2, 1)), ValueError, r"generator must make images .* got \(2, 32, 32\)"),
    (lambda: pad(nn.Conv2d(3, 3, 2)), ValueError, "generator must make images of 32×32 pixels"),
    (lambda: pad({"a": small(latent=2), "b": small()}), ValueError, r"codes of one length, got \[0, 2\]"),
    (lambda: pad(nets.UNet(32, 3, width=16)), ValueError, "generator has weights of 9.. kB"),
    (lambda: pad({"a": nets.UNet(width=10), "b": nets.UNet(width=10)}), ValueError, r"generator\['a'\] and .* kB"),
    (lambda: pad(brushes={"sky": (0, 0, 0)}), ValueError, "brushes must be 2 to 9 colours"),
    (lambda: pad(brushes=BRUSHES | {"sea": (0, 0, 256)}), ValueError, r"brushes\['sea'\] must be red, green and blue"),
    (lambda: pad(examples=spotted()), ValueError, r"examples\[1\] has the colour \(7, 7, 7\) in row 4, column 5"),
    (lambda: pad(examples=drawings()[:, :1]), ValueError, r"examples must have shape \(N, 3, H, W\)"),
    (lambda: pad(examples=[1]), TypeError, "examples must be a tensor"),
    (lambda: pad(examples=drawings().float()), ValueError, "examples must be uint8 or floats in"),
    (lambda: pad(counter=("red", (1, 2, 3))), ValueError, "counter must be"),
    (lambda: pad(counter=WALLS, counted="tree"), ValueError, "counted='tree' is not known; choose one of: sky"),
    (lambda: pad(small(), counter=WALLS), ValueError, "counter must be left out: without a code"),
    (lambda: pad(alt=" "), ValueError, "alt must say in words"),
    (lambda: lamp(there=small(3, 1, latent=2)), ValueError, "there takes a z of 2 numbers beside the image"),
    (lambda: lamp(back=small(3)), ValueError, r"back does not take images of shape \(1, 32, 32\)"),
    (lambda: lamp(back=small(1)), ValueError, r"back must make images of shape \(3, 32, 32\)"),
    (lambda: lamp(there=nn.Conv2d(3, 1, 2)), ValueError, "there must keep the sides"),
    (lambda: lamp(truth=drawings(3)), ValueError, r"truth must have shape \(3, 1, 32, 32\)"),
    (lambda: lamp(colours=WALLS), ValueError, "colours and mask must be given together"),
    (lambda: lamp(colours=WALLS, mask=held(2)), ValueError, r"mask must have shape \(3, 32, 32\)"),
    (lambda: lamp(colours=WALLS, mask=~held()), ValueError, "true somewhere"),
    (lambda: lamp(gain=51), ValueError, "gain must lie between 1 and 50"),
    (lambda: lamp(images=drawings(200)), ValueError, "the pictures take 614 kB of the page, 600 at most"),
    (lambda: mix(second=nets.ResidualUpsampler(2, 3, width=3, depth=2)), ValueError, "of one architecture"),
    (lambda: mix(targets=drawings(2, 8)), ValueError, r"targets must have shape \(2, 3, 16, 16\)"),
    (lambda: mix(border=8), ValueError, "border must leave at least 2 pixels of 16"),
    (lambda: mix(names=["a"]), ValueError, "names must be two"),
    (lambda: mix(alpha=1.5), ValueError, "alpha must lie between 0 and 1"),
    (lambda: mix(inputs=drawings(2, 8)[:, :2]), ValueError, "inputs must have shape"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_refused_by_name(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_pad_tells_python_what_is_drawn() -> None:
    widget = pad({"by day": small(latent=3), "by night": small(latent=3)}, counter=WALLS)
    as_taken = drawings()[:1].float() / 127.5 - 1
    assert torch.allclose(widget.picture(), as_taken) and widget.translator == "by day" and len(widget.z) == 3
    assert torch.allclose(pad(examples=as_taken).picture(), as_taken), "floats are as good as bytes"
    widget.drawing = [1] * 1024
    assert (widget.picture()[0, :, 3, 4] * 127.5 + 127.5).round().tolist() == list(BRUSHES["meadow"])
    widget.translator, widget.z = "by night", [0.0] * 3
    for name, wrong in (("drawing", [0] * 9), ("drawing", [3] * 1024), ("translator", "at dusk"), ("z", [0.0])):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)
    assert pad(small()).z == []


def test_a_lamp_and_a_mixture_hold_their_state_within_bounds() -> None:
    widget = lamp(truth=torch.ones(3, 1, 32, 32), colours=WALLS, mask=held(), gain=20)
    assert (widget.gain, widget.sigma, widget.picture, widget.two_levels) == (20, 0, 0, False)
    assert len(widget.pictures) == 3 * 5 * 1024, "pictures, drawings and masks"
    widget.sigma, widget.picture = 0.3, 2
    for name, wrong in (("sigma", 0.6), ("picture", 3), ("gain", 0.5)):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)
    between = mix(alpha=0.25, names=["sharp", "smooth"])
    assert between.alpha == 0.25 and between.facts["large"] == [3, 16, 16]
    with pytest.raises(traitlets.TraitError, match="alpha must lie between 0 and 1, got 1.1"):
        between.alpha = 1.1


def test_a_game_hands_over_its_average() -> None:
    torch.manual_seed(0)
    game = games.pix2pix(small(), nets.PatchDiscriminator(3, 3, width=2), data.load_pairs("scenes"), batch=2)
    game.play(2)
    assert game.average is not None
    averaged, snapshot = pad(game.average), pad(game.snapshot())
    assert pad(game).weights == averaged.weights == snapshot.weights != pad(game.generator).weights
    unconditional = nets.ShuffleGenerator(latent=4, width=2), nets.ShuffleDiscriminator(width=2)
    with pytest.raises(TypeError, match="generator must turn images into images, got <Generator"):
        pad(games.gan(*unconditional, data.load("digits"), batch=8))
