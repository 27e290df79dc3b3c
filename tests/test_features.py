"""The digit network: good enough to judge with, frozen, small, and fed with nothing but digits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import ganlib
from ganlib import data, features

ASSET = Path(ganlib.__file__).parent / "assets" / "digits.safetensors"


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits", split="test")


def test_held_out_digits_are_recognised(digits: data.Dataset) -> None:
    assert len(digits) == 1000
    right = (features.digit_logits(digits.x).argmax(1) == digits.y).double().mean().item()
    assert right >= 0.97


def test_asset_is_small_and_holds_the_network() -> None:
    assert ASSET.stat().st_size < 500_000
    with safe_open(ASSET, framework="pt") as file:
        names = set(file.keys())
        assert all(file.get_tensor(name).dtype == torch.float16 for name in names)
    assert names == set(features.digit_classifier().state_dict())


def test_features_have_the_stated_shape_and_scale() -> None:
    values = features.digit_features(data.load("digits", split="train").x)
    assert values.shape == (4000, features.FEATURES) and values.dtype == torch.float32
    assert torch.allclose(values.std(0), torch.ones(features.FEATURES), atol=0.01)


def test_bytes_and_floats_are_the_same_images(digits: data.Dataset) -> None:
    few = digits.x[:7]
    assert torch.equal(features.digit_features(few), features.digit_features(few.float() / 127.5 - 1))
    assert torch.allclose(features.digit_features(few)[3:4], features.digit_features(few[3:4]), atol=1e-4)


def test_network_is_frozen_and_made_once(digits: data.Dataset) -> None:
    net = features.digit_classifier()
    assert net is features.digit_classifier() and not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in net.modules())
    before = features.digit_logits(digits.x[:3])
    assert torch.equal(before, features.digit_logits(digits.x[:3]))
    assert not features.digit_features(digits.floats[:2].requires_grad_()).requires_grad


def test_other_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(N, 1, 28, 28\).*, got \(2, 3, 28, 28\)"):
        features.digit_features(torch.zeros(2, 3, 28, 28))
    with pytest.raises(ValueError, match=r"got \(0, 1, 28, 28\)"):
        features.digit_logits(torch.zeros(0, 1, 28, 28))
    with pytest.raises(TypeError, match=r"images must be floats in \[-1, 1\] or uint8, got torch.int64"):
        features.digit_features(torch.zeros(2, 1, 28, 28, dtype=torch.int64))
    with pytest.raises(TypeError, match="images must be a tensor"):
        features.digit_features([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="images must be finite"):
        features.digit_features(torch.full((1, 1, 28, 28), float("nan")))


def test_distortions_are_keyed_and_gentle(digits: data.Dataset) -> None:
    images = digits.floats[:64]
    first = features.distort(images, torch.Generator().manual_seed(3))
    assert torch.equal(first, features.distort(images, torch.Generator().manual_seed(3)))
    assert not torch.equal(first, features.distort(images, torch.Generator().manual_seed(4)))
    assert first.shape == images.shape and first.min() >= -1 and first.max() <= 1 + 1e-6
    ink, before = first.add(1).sum((1, 2, 3)), images.add(1).sum((1, 2, 3))
    assert ((ink / before > 0.5) & (ink / before < 1.6)).all()  # nothing leaves the frame


def test_scaling_the_features_keeps_the_logits(digits: data.Dataset) -> None:
    torch.manual_seed(0)
    net = features.DigitClassifier().eval()
    images = digits.floats[:200]
    before = net(images)
    features.rescale(net, images)
    assert torch.allclose(net(images), before, atol=1e-5)
    assert torch.allclose(net.features(images).std(0), torch.ones(features.FEATURES), atol=1e-4)


def test_training_repeats_itself() -> None:
    shown = data.load("digits", split="train")
    first, second = (features.train(shown, steps=3, batch=16) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
