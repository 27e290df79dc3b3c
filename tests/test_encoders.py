"""Networks that look back at codes: shapes, what they share, labels, and bad input by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ganlib import nets


def samples(n: int, kind: str, generator: torch.Generator | None = None) -> Tensor:
    return torch.rand(n, 1, 16, 16, generator=generator) * 2 - 1 if kind == "images" else torch.randn(n, 2)


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from(["points", "images"]),
    latent=st.integers(1, 5),
    n=st.integers(1, 4),
    classes=st.none() | st.integers(1, 5),
    condition=st.sampled_from(["concatenation", "embedding"]),
    gaussian=st.booleans(),
)
def test_shapes(kind: str, latent: int, n: int, classes: int | None, condition: str, gaussian: bool) -> None:
    labels = () if classes is None else (torch.arange(n) % classes,)
    common = {"latent": latent, "classes": classes, "condition": condition}
    if kind == "points":
        encoder: nn.Module = nets.MLPEncoder(inputs=2, width=8, gaussian=gaussian, **common)  # type: ignore[arg-type]
        joint: nn.Module = nets.MLPJointDiscriminator(inputs=2, width=8, **common)  # type: ignore[arg-type]
    else:
        encoder = nets.ShuffleEncoder(16, width=2, gaussian=gaussian, **common)  # type: ignore[arg-type]
        joint = nets.ShuffleJointDiscriminator(16, width=2, units=8, **common)  # type: ignore[arg-type]
    x = samples(n, kind)
    said = encoder(x, *labels)
    codes = said if isinstance(said, tuple) else (said,)
    assert len(codes) == 1 + gaussian and all(code.shape == (n, latent) for code in codes)
    logits = joint(x, codes[0], *labels)
    assert logits.shape == (n,)
    (logits.sum() + sum(code.sum() for code in codes)).backward()
    for net in (encoder, joint):
        assert all(w.grad is not None for w in net.parameters())  # nothing is carried along unused
        assert (net.latent, net.classes) == (latent, classes)


@pytest.mark.parametrize("make", [nets.MLPDiscriminator, lambda: nets.ShuffleDiscriminator(16, width=2)])
def test_both_heads_look_at_the_same_features(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    discriminator = make()
    net = nets.TwoHeaded(discriminator, 5)
    x = samples(6, "images" if isinstance(discriminator, nets.ShuffleDiscriminator) else "points")
    logits, heads = net(x)
    assert torch.equal(logits, discriminator(x)) and heads.shape == (6, 5)
    assert torch.equal(heads, net.head(net.last_features(x)))
    again, features = nets.logits_and_features(discriminator, x)
    assert torch.equal(again, logits) and torch.equal(features, net.last_features(x))


def test_an_autoencoder_is_called_like_its_generator() -> None:
    both = nets.Autoencoder(nets.MLPGenerator(3, prior="uniform", classes=4), nets.MLPEncoder(3))
    z, labels = torch.randn(5, 3), torch.arange(5) % 4
    assert torch.equal(both(z, labels), both.generator(z, labels))
    assert (both.latent, both.classes, both.prior) == (3, 4, "uniform")


def test_the_energy_is_the_mean_squared_error_of_each_sample() -> None:
    torch.manual_seed(0)
    judge = nets.AutoencoderDiscriminator(
        nets.ShuffleGenerator(16, latent=3, width=2), nets.ShuffleEncoder(16, latent=3, width=2, gaussian=False)
    ).eval()
    x = samples(4, "images", torch.Generator().manual_seed(0))
    energies, codes = judge(x)
    rebuilt = judge.generator(judge.encoder(x))
    assert codes.shape == (4, 3)
    assert torch.allclose(energies, torch.stack([(a - b).square().mean() for a, b in zip(x, rebuilt, strict=True)]))


def test_a_joint_discriminator_scales_the_points_alone() -> None:
    torch.manual_seed(0)
    wide = nets.MLPJointDiscriminator(scale=10.0)
    torch.manual_seed(0)
    narrow = nets.MLPJointDiscriminator()
    x, z = torch.randn(5, 2), torch.randn(5, 2)
    assert torch.allclose(wide(10 * x, z), narrow(x, z), atol=1e-6)
    torch.manual_seed(0)
    far = nets.MLPJointDiscriminator(scale=[10.0, 2.0], shift=[5.0, 0.0])
    assert torch.allclose(far(x * torch.tensor([10.0, 2.0]) + torch.tensor([5.0, 0.0]), z), narrow(x, z), atol=1e-5)


@pytest.mark.parametrize("make", [nets.MLPEncoder, lambda: nets.ShuffleEncoder(16, width=2, latent=2)])
def test_codes_are_float32_under_autocast(make: Callable[[], nn.Module]) -> None:
    net = make()
    x = samples(4, "points" if isinstance(net, nets.MLPEncoder) else "images")
    with torch.autocast("cpu", torch.bfloat16):
        assert all(code.dtype == torch.float32 for code in net(x))


BAD: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "latent": (lambda: nets.MLPEncoder(latent=0), ValueError, "latent must be a whole number of at least 1, got 0"),
    "condition": (
        lambda: nets.ShuffleEncoder(classes=3, condition="projection"),
        ValueError,
        "condition='projection' is not known; choose one of: concatenation, embedding",
    ),
    "points": (lambda: nets.MLPEncoder()(torch.zeros(4, 3)), ValueError, r"x must have shape \(N, 2\), got \(4, 3\)"),
    "labels": (lambda: nets.MLPEncoder(classes=3)(torch.zeros(4, 2)), ValueError, "labels must be given"),
    "codes": (
        lambda: nets.ShuffleJointDiscriminator(16, latent=3, width=2)(torch.zeros(2, 1, 16, 16), torch.zeros(2, 4)),
        ValueError,
        r"z must have shape \(N, 3\), got \(2, 4\)",
    ),
    "outputs": (lambda: nets.TwoHeaded(nets.MLPDiscriminator(), 0), ValueError, "outputs must be a whole number"),
    "another network": (
        lambda: nets.TwoHeaded(nn.Linear(2, 1), 3),
        TypeError,
        "discriminator must be one of ganlib.nets, got Linear",
    ),
    "no encoder": (
        lambda: nets.Autoencoder(nets.MLPGenerator(), None),  # type: ignore[arg-type]
        TypeError,
        "encoder must be an nn.Module, got None",
    ),
    "a variance": (
        lambda: nets.AutoencoderDiscriminator(nets.MLPGenerator(), nets.MLPEncoder()),
        ValueError,
        "encoder must return one code, .* gaussian=False",
    ),
    "labels for one": (
        lambda: nets.AutoencoderDiscriminator(nets.MLPGenerator(classes=3), nets.MLPEncoder(gaussian=False)),
        ValueError,
        "encoder.classes and decoder.classes must be the same, got None and 3",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str) -> None:
    make, error, message = BAD[name]
    with pytest.raises(error, match=message):
        make()
