"""Networks and their descriptions: every class there and back through JSON, and what is no network of the package."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib import nets, penalties


def images(size: int = 16, channels: int = 1) -> Tensor:
    return torch.randn(4, channels, size, size)


def classes() -> Tensor:
    return torch.arange(4) % 3


G: dict[str, Any] = {"size": 16, "channels": 1, "latent": 5, "width": 2}
D: dict[str, Any] = {"size": 16, "channels": 1, "width": 2}

# A network, and what it is called with.
CASES: list[tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, ...]]]] = [
    (lambda: nets.MLPGenerator(3, width=4, prior="uniform", scale=2.0), lambda: (torch.randn(4, 3),)),
    (lambda: nets.MLPDiscriminator(2, 4, fourier=3, minibatch_std=True), lambda: (torch.randn(4, 2),)),
    (lambda: nets.MLPDiscriminator(classes=3, condition="projection"), lambda: (torch.randn(4, 2), classes())),
    (lambda: nets.Imputer(2, width=3, noise=1.0), lambda: (torch.rand(4, 4), torch.randn(4, 2))),
    (lambda: nets.MaskDiscriminator(2), lambda: (torch.rand(4, 2), torch.rand(4, 2))),
    (lambda: nets.MLPEncoder(3, gaussian=False), lambda: (torch.randn(4, 2),)),
    (lambda: nets.MLPJointDiscriminator(3, scale=2.0), lambda: (torch.randn(4, 2), torch.randn(4, 3))),
    (lambda: nets.SequenceGenerator(12, 2, 2, 3, volatility=True), lambda: (torch.randn(4, 36),)),
    (lambda: nets.SequenceDiscriminator(12, 3, scale=2.0), lambda: (torch.randn(4, 12),)),
    (lambda: nets.DCGANGenerator(**G, attention=True), lambda: (torch.randn(4, 5),)),
    (
        lambda: nets.DCGANGenerator(**G, classes=3, condition="batch_norm"),
        lambda: (torch.randn(4, 5), classes()),
    ),
    (lambda: nets.DCGANDiscriminator(**D, batch_norm=False, spectral_norm=True), lambda: (images(),)),
    (lambda: nets.ShuffleGenerator(**G | {"size": 20}), lambda: (torch.randn(4, 5),)),
    (lambda: nets.ShuffleDiscriminator(**D, spectral_norm=True), lambda: (images(),)),
    (lambda: nets.ShuffleEncoder(**G), lambda: (images(),)),
    (lambda: nets.ShuffleJointDiscriminator(**G), lambda: (images(), torch.randn(4, 5))),
    (lambda: nets.ProgressiveGenerator(**G), lambda: (torch.randn(4, 5),)),
    (lambda: nets.ProgressiveDiscriminator(**D), lambda: (images(),)),
    (lambda: nets.StyleGenerator(**G, depth=1, mixing=0.5), lambda: (torch.randn(4, 5),)),
    (lambda: nets.ModulatedConv2d(3, 2, 4, demodulate=False), lambda: (images(channels=3), torch.randn(4, 4))),
    (lambda: nets.EqualisedLinear(3, 2, bias=1.0), lambda: (torch.randn(4, 3),)),
    (lambda: nets.R3GANGenerator(**G, group=4), lambda: (torch.randn(4, 5),)),
    (lambda: nets.R3GANDiscriminator(**D, group=4), lambda: (images(),)),
    (lambda: nets.R3GANBlock(3, group=2), lambda: (images(channels=3),)),
    (lambda: nets.EqualisedConv2d(3, 2, 3), lambda: (images(channels=3),)),
    (nets.PixelNorm, lambda: (images(),)),
    (lambda: nets.MinibatchStd(2), lambda: (images(),)),
    (lambda: nets.MinibatchDiscrimination(2), lambda: (torch.randn(4, 2),)),
    (lambda: nets.SelfAttention(8), lambda: (images(4, 8),)),
    (lambda: nets.ConditionalBatchNorm(2, 3), lambda: (images(channels=2), classes())),
    (lambda: nets.VirtualBatchNorm(2, reference=2), lambda: (images(channels=2),)),
    (lambda: nets.Packed(nets.MLPDiscriminator(4)), lambda: (torch.randn(4, 2),)),
    (
        lambda: nets.Referenced(nets.ShuffleGenerator(**G), torch.randn(3, 5)),
        lambda: (torch.randn(4, 5),),
    ),
    (
        lambda: nets.Referenced(nets.ShuffleGenerator(**G, classes=3), z=torch.randn(4, 5), labels=classes()),
        lambda: (torch.randn(4, 5), classes()),
    ),
    (
        lambda: nets.Clustered(nets.ShuffleGenerator(**G, classes=3), torch.tensor([1.0, 2.0, 4.0])),
        lambda: (torch.randn(4, 6),),
    ),
    (lambda: nets.TwoHeaded(discriminator=nets.MLPDiscriminator(), outputs=3), lambda: (torch.randn(4, 2),)),
    (
        lambda: nets.Autoencoder(nets.MLPGenerator(), nets.MLPEncoder()),
        lambda: (torch.randn(4, 2),),
    ),
    (
        lambda: nets.AutoencoderDiscriminator(nets.MLPGenerator(), nets.MLPEncoder(gaussian=False)),
        lambda: (torch.randn(4, 2),),
    ),
    (lambda: nets.UNet(8, 1, width=2, latent=3), lambda: (images(8), torch.randn(4, 3))),
    (lambda: nets.PatchDiscriminator(1, inputs=2, width=2), lambda: (images(), images(channels=2))),
    (lambda: nets.DomainDiscriminator(16, 1, width=2), lambda: (images(),)),
    (lambda: nets.ResidualGenerator(1, width=2, blocks=1, classes=3), lambda: (images(), classes())),
    (lambda: nets.SuperResolutionGenerator(channels=1, width=2, blocks=1, block="rrdb"), lambda: (images(),)),
    (lambda: nets.ResidualUpsampler(3, 1, width=2, depth=2), lambda: (images(),)),
    (lambda: nets.ImagePool((1, 16, 16), size=3), tuple),  # it is not called
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def through_json(net: nn.Module) -> Any:
    description = nets.describe(net)
    assert description is not None
    assert json.loads(json.dumps(description)) == description
    return description


def said(net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        out = net.eval()(*inputs)
    return out if isinstance(out, tuple) else (out,)


def test_every_class_is_among_the_cases() -> None:
    public = {kind for name in nets.__all__ if isinstance(kind := getattr(nets, name), type)}
    assert {type(make()) for make, _ in CASES} == public


@pytest.mark.parametrize(("make", "inputs"), CASES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_there_and_back(make: Callable[[], nn.Module], inputs: Callable[[], tuple[Tensor, ...]], device: str) -> None:
    net, given = make(), inputs()
    if given:
        said(net.train(), given)  # as after training: buffers have moved
    state = torch.get_rng_state()
    description = through_json(net)
    assert torch.equal(state, torch.get_rng_state())  # describing draws nothing
    with torch.device(device):
        again = nets.build(description)
    weights = net.state_dict()
    assert type(again) is type(net) and nets.describe(again) == description
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in weights.items()}
    again.load_state_dict(weights, assign=device == "meta")
    if given:
        assert all(torch.equal(a, b) for a, b in zip(said(again, given), said(net, given), strict=True))
    assert nets.describe(copy.deepcopy(net)) == description


def test_a_built_network_draws_what_its_constructor_draws() -> None:
    net = nets.DCGANDiscriminator(**D, spectral_norm=True)
    torch.manual_seed(0)
    again = nets.build(through_json(net))
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))


def test_a_dict_of_networks() -> None:
    net = nn.ModuleDict({"one": nets.MLPGenerator(3), "two": nets.Packed(nets.MLPDiscriminator(4))})
    again = nets.build(through_json(net))
    assert isinstance(again, nn.ModuleDict)
    again.load_state_dict(net.state_dict())
    x = torch.randn(4, 2)
    assert torch.equal(again["two"](x), net["two"](x))


def test_defaults_and_tuples_are_written_down() -> None:
    assert through_json(nets.ImagePool((1, 2, 2)))["arguments"] == {"shape": {"tuple": [1, 2, 2]}, "size": 50}
    assert isinstance(nets.build(through_json(nets.ImagePool((1, 2, 2))))._made_with[1]["shape"], tuple)  # type: ignore


class Mine(nets.MLPGenerator):
    """A subclass, which the package cannot make."""


@pytest.mark.parametrize(
    "net",
    [
        nn.Linear(2, 2),
        Mine(),
        nets.Packed(nn.Linear(4, 1)),
        nets.Autoencoder(nets.MLPGenerator(), type("Stranger", (nn.Identity,), {"latent": 2})()),
        nn.ModuleDict({"g": nets.MLPGenerator(), "mine": Mine()}),
        nn.Sequential(nets.MLPGenerator()),
    ],
)
def test_strangers_have_no_description(net: nn.Module) -> None:
    assert nets.describe(net) is None


def test_nor_have_networks_changed_after_they_were_made() -> None:
    changed = nets.MLPDiscriminator()
    changed.hidden[1] = nn.ReLU()
    wider = nets.MLPGenerator()
    wider.out = nn.Linear(128, 3)
    inner = nets.ShuffleGenerator(**G)
    nets.Referenced(inner, torch.randn(3, 5))  # replaces its layers
    for net in (changed, wider, inner, penalties.spectral_norm(nets.MLPDiscriminator())):
        assert nets.describe(net) is None
    with pytest.raises(TypeError, match="net must be an nn.Module, got 3"):
        nets.describe(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["Linear", "os.system", "Mine", "_Residual", "build", "mixes_samples", "torch.nn.Linear"]
)
def test_only_classes_of_the_package_are_built(name: str) -> None:
    bad = {"class": name, "arguments": {}}
    for description in (bad, {"class": "Packed", "arguments": {"net": bad}}, {"modules": {"g": bad}}):
        with pytest.raises(ValueError, match=f"class '{name}' is not one of ganlib.nets; make the network yourself"):
            nets.build(description)


def test_descriptions_that_are_none() -> None:
    with pytest.raises(
        TypeError, match="description must be a dict made by nets.describe, got None; .* pass it as net="
    ):
        nets.build(None)  # type: ignore[arg-type]
    for bad in ({}, {"class": "MLPGenerator"}, {"class": ["x"], "arguments": {}}, {"tensor": [1], "dtype": "save"}):
        with pytest.raises(ValueError, match="description must be one made by nets.describe, got {"):
            nets.build(bad)
    with pytest.raises(ValueError, match="description must be that of a network, got one of a tuple"):
        nets.build({"tuple": []})
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        nets.build({"class": "MLPGenerator", "arguments": {"depth": 3}})
