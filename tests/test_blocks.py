"""Blocks against their formulas or against torch's own layers, and the switches that put them into networks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import nets, penalties


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# Layers in which samples meet.


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 5, 4)])
def test_minibatch_std_appends_one_number_a_group(shape: tuple[int, ...]) -> None:
    x = double(*shape)
    y = nets.MinibatchStd(4)(x)
    assert y.shape == (8, 4, *shape[2:]) and torch.equal(y[:, :3], x)
    for rows in (slice(0, 4), slice(4, 8)):
        expected = x[rows].std(0, correction=0).mean()
        assert torch.allclose(y[rows, 3], expected, atol=1e-6)


def test_minibatch_std_has_finite_slopes_where_all_are_alike() -> None:
    x = torch.zeros(4, 3, requires_grad=True)
    nets.MinibatchStd()(x)[:, 3].sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert torch.autograd.gradcheck(nets.MinibatchStd(2), double(4, 3).requires_grad_())


def test_minibatch_std_under_autocast_and_by_name() -> None:
    x = torch.randn(4, 3).bfloat16()
    assert nets.MinibatchStd()(x).dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"with N, the batch, a multiple of group=4, got \(6, 3\)"):
        nets.MinibatchStd()(torch.zeros(6, 3))
    with pytest.raises(ValueError, match="group must be a whole number of at least 2, got 1"):
        nets.MinibatchStd(1)


def test_minibatch_discrimination_is_the_formula() -> None:
    block = nets.MinibatchDiscrimination(5, kernels=3, dims=2).double()
    x = double(4, 5)
    m = (x @ block.t.weight.T).detach().view(4, 3, 2)
    expected = torch.tensor(
        [[sum((-(m[i, b] - m[j, b]).abs().sum()).exp() for j in range(4)) for b in range(3)] for i in range(4)]
    )
    y = block(x)
    assert torch.equal(y[:, :5], x) and torch.allclose(y[:, 5:], expected.double(), atol=1e-6)


@pytest.mark.parametrize("data", [(2,), (3, 16, 16)])
def test_packed_judges_samples_together(data: tuple[int, ...]) -> None:
    inner: Any = nets.MLPDiscriminator(6) if len(data) == 1 else nets.ShuffleDiscriminator(16, 9, width=4)
    packed = nets.Packed(inner, 3)
    x = torch.randn(6, *data)
    together = torch.stack([torch.cat([x[0], x[1], x[2]]), torch.cat([x[3], x[4], x[5]])])
    assert packed(x).shape == (2,) and torch.equal(packed(x), inner(together))
    assert torch.equal(packed.last_features(x), inner.last_features(together))


def test_penalties_on_packs() -> None:
    """The gradient of a pack's logit, shared among its samples."""
    packed = nets.Packed(nets.MLPDiscriminator(4).double(), 2)
    x = double(6, 2)
    pairs = x.view(3, 4).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(packed.net(pairs).sum(), pairs)
    value = penalties.r1(2.0).function(packed, x, x, torch.Generator())
    assert torch.allclose(value, gradient.square().sum(1).mean() / 2)


def test_packed_by_name() -> None:
    with pytest.raises(ValueError, match=r"with N, the batch, a multiple of pack=2, got \(5, 2\)"):
        nets.Packed(nets.MLPDiscriminator(4))(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="net must be made without classes"):
        nets.Packed(nets.MLPDiscriminator(4, classes=3))


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (nets.MLPDiscriminator(), False),
        (nets.DCGANDiscriminator(), True),
        (nets.DCGANDiscriminator(batch_norm=False), False),
        (nets.DCGANDiscriminator(batch_norm=False, attention=True), False),
        (nets.DCGANDiscriminator(batch_norm=False, minibatch_std=True), True),
        (nets.MLPDiscriminator(minibatch_std=True), True),
        (nets.Packed(nets.MLPDiscriminator(4)), True),
        (nn.Sequential(nets.MinibatchDiscrimination(3)), True),
        (nets.VirtualBatchNorm(3, 2), True),
        (nets.ShuffleDiscriminator(spectral_norm=True), False),
        (nets.TwoHeaded(nets.ShuffleDiscriminator(), 3), False),
        (nets.PatchDiscriminator(), False),
        (nets.UNet(), True),  # dropout draws
        (nets.UNet(dropout=0), False),
        (nets.ProgressiveDiscriminator(), True),
    ],
)
def test_what_mixes_samples_says_so(net: nn.Module, expected: bool) -> None:
    assert nets.mixes_samples(net) == expected


class Spread(nn.Module):
    """A stranger's layer: how much the samples differ."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.std(0, keepdim=True).expand_as(x)], 1)


class Flipped(nn.Linear):
    """A layer with a forward of its own, which subtracts another sample."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.flip(0))


class Wrapped(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x).flatten()


class Trusted(Wrapped):
    mixes_samples = False


class Noted(nets.MLPDiscriminator):
    mixes_samples = True


def known() -> nn.Sequential:
    """Layers of torch that treat samples one by one."""
    convolutions = [nn.Conv2d(1, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.SiLU(), nn.InstanceNorm2d(4), nn.AvgPool2d(2)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16, 3), nn.LayerNorm(3), nn.LeakyReLU(), nn.Identity())


def hooked() -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].register_forward_hook(lambda _, __, out: out - out.mean(0))
    return net


def patched() -> nn.Module:
    net = nn.Linear(2, 2)
    net.forward = lambda x: x - x.mean(0)  # type: ignore[method-assign]
    return net


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (nn.Sequential(nn.Linear(2, 2), Spread()), True),
        (nn.Sequential(Flipped(2, 2)), True),
        (Wrapped(nets.MLPDiscriminator()), True),
        (Trusted(nets.MLPDiscriminator()), False),
        (Trusted(nn.Sequential(nn.BatchNorm1d(2), Spread())), False),  # it vouches for all within
        (nn.Sequential(Trusted(nn.Identity()), nn.Linear(2, 1)), False),
        (nn.Sequential(Trusted(nn.Identity()), nn.BatchNorm1d(2)), True),
        (Noted(), True),
        (known(), False),
        (penalties.spectral_norm(known()), False),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), False),
        (penalties.spectral_norm(nn.Sequential(Flipped(2, 2))), True),
        *((nn.Sequential(draws), True) for draws in (nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.RReLU())),
        (nn.Sequential(nn.BatchNorm2d(3)), True),
        (nn.InstanceNorm2d(3, track_running_stats=True), True),
        (nn.Softmax(0), True),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),  # its dropout is no module
        (nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), False),
        (nn.Flatten(0, 1), True),
        (nn.Unflatten(0, (2, -1)), True),
        (nn.Unflatten(1, (2, -1)), False),
        (hooked(), True),
        (patched(), True),
    ],
)
def test_strangers_are_judged_apart_unless_they_say_otherwise(net: nn.Module, expected: bool) -> None:
    assert nets.mixes_samples(net) == expected


@pytest.mark.parametrize(
    "net", [known(), penalties.spectral_norm(known()).eval(), nets.ShuffleDiscriminator(16).eval()]
)
def test_what_does_not_mix_says_the_same_in_any_batch(net: nn.Module) -> None:
    x = torch.randn(6, 1, *[8 if isinstance(net, nn.Sequential) else 16] * 2)
    with torch.no_grad():
        assert not nets.mixes_samples(net) and torch.allclose(net(x), torch.cat([net(x[:2]), net(x[2:])]), atol=1e-6)


def test_what_a_network_says_of_itself_is_yes_or_no() -> None:
    net = nn.Identity()
    net.mixes_samples = "no"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="mixes_samples of Identity must be True or False, got 'no'"):
        nets.mixes_samples(net)


# Attention.


def test_attention_starts_as_the_identity_and_is_the_formula() -> None:
    block = nets.SelfAttention(16).double()
    x = double(2, 16, 3, 4)
    assert torch.equal(block(x), x)
    nn.init.constant_(block.gamma, 0.7)
    flat = x.flatten(2)  # (N, C, places)
    f, g, h = (torch.einsum("oc,ncp->nop", part.weight[:, :, 0, 0], flat) for part in (block.f, block.g, block.h))
    out = torch.zeros_like(flat)
    for j in range(12):
        beta = torch.softmax((f * g[:, :, j : j + 1]).sum(1), 1)  # (N, places)
        out[:, :, j] = torch.einsum("co,no->nc", block.v.weight[:, :, 0, 0], (h * beta[:, None]).sum(2))
    assert torch.allclose(block(x), x + 0.7 * out.view(x.shape))


def test_attention_can_be_differentiated_twice() -> None:
    block = nets.SelfAttention(4).double()
    nn.init.ones_(block.gamma)
    assert torch.autograd.gradgradcheck(block, double(1, 4, 2, 2).requires_grad_())


@pytest.mark.parametrize(
    ("size", "side"), [(16, 8), (20, 10), (24, 12), (28, 14), (32, 16), (40, 10), (56, 14), (64, 16)]
)
def test_attention_looks_at_the_largest_side_up_to_16(size: int, side: int) -> None:
    g = nets.DCGANGenerator(size, 1, 5, 4, attention=True)
    d = nets.DCGANDiscriminator(size, 1, 4, attention=True, minibatch_std=True)
    sides = []
    for net in (g, d):
        for m in net.modules():
            if isinstance(m, nets.SelfAttention):
                m.register_forward_hook(lambda _, inputs, __: sides.append(inputs[0].shape[2:]))
    logits = d(g(torch.randn(4, 5)))
    assert sides == [(side, side)] * 2 and logits.shape == (4,)
    logits.sum().backward()
    assert all(p.grad is not None for net in (g, d) for p in net.parameters())
    assert sum(isinstance(m, nets.MinibatchStd) for m in d.modules()) == 1


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_minibatch_std_sits_before_the_last_hidden_layer(layers: int) -> None:
    d = nets.MLPDiscriminator(width=8, layers=layers, minibatch_std=True)
    kinds = [type(m).__name__ for m in d.hidden]
    assert kinds == ["Linear", "LeakyReLU"] * (layers - 1) + ["MinibatchStd", "Linear", "LeakyReLU"]
    x = torch.randn(8, 2)
    alone, moved = d(x), d(torch.cat([x[:4], 3 * x[4:]]))
    assert torch.equal(alone[:4], moved[:4]) and d(x[[0, 1, 2, 5]])[0] != alone[0]


# Normalisation.


def test_conditional_batch_norm_has_a_scale_and_a_shift_for_each_class() -> None:
    block = nets.ConditionalBatchNorm(3, 2).double()
    x, labels = double(6, 3, 4, 4), torch.tensor([0, 1, 1, 0, 0, 1])
    assert torch.allclose(block(x, labels), F.batch_norm(x, None, None, training=True))
    nn.init.normal_(block.scale.weight)
    nn.init.normal_(block.shift.weight)
    normal = F.batch_norm(x, None, None, training=True)
    for i, label in enumerate(labels):
        scale, shift = block.scale.weight[label], block.shift.weight[label]
        assert torch.allclose(block(x, labels)[i], normal[i] * scale[:, None, None] + shift[:, None, None])


@pytest.mark.parametrize("make", [nets.DCGANGenerator, nets.ShuffleGenerator])
def test_generators_with_conditional_batch_norm(make: Any) -> None:
    g = make(16, 1, 8, 4, classes=3, condition="batch_norm")
    assert g.project.in_features == 8  # the class does not stand beside z
    norms = [m for m in g.modules() if isinstance(m, nets.ConditionalBatchNorm)]
    assert len(norms) == sum(isinstance(m, nn.BatchNorm2d) for m in g.modules()) > 1
    for norm in norms:
        assert (norm.scale.weight - 1).abs().max() < 0.2 and (norm.shift.weight == 0).all()
        nn.init.normal_(norm.shift.weight)
    images = g.eval()(torch.randn(1, 8).expand(3, -1), torch.arange(3))
    assert all((images[i] - images[j]).abs().max() > 0 for i, j in ((0, 1), (0, 2), (1, 2)))
    plain = make(16, 1, 8, 4, condition="batch_norm")  # without classes nothing is conditional
    assert not any(isinstance(m, nets.ConditionalBatchNorm) for m in plain.modules())


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5)])
def test_virtual_batch_norm_is_batch_norm_of_the_reference_and_one(shape: tuple[int, ...]) -> None:
    block = nets.VirtualBatchNorm(3, reference=4).double()
    nn.init.normal_(block.weight)
    nn.init.normal_(block.bias)
    x = double(6, *shape)
    y = block(x)
    norm = lambda batch: F.batch_norm(batch, None, None, block.weight, block.bias, training=True)  # noqa: E731
    assert torch.allclose(y[:4], norm(x[:4]))
    for i in (4, 5):
        assert torch.allclose(y[i], norm(torch.cat([x[:4], x[i : i + 1]]))[-1])


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("condition", ["concatenation", "batch_norm"])
def test_referenced_generators_make_each_image_by_itself(classes: int | None, condition: str) -> None:
    plain = nets.DCGANGenerator(16, 1, 8, 4, classes=classes, condition=condition)
    before = copy.deepcopy(plain.state_dict())
    labels = [] if classes is None else [torch.arange(6) % 3]
    g = nets.Referenced(plain, torch.randn(6, 8), *labels)
    assert (g.latent, g.classes, g.prior) == (8, classes, "normal")
    z, asked = torch.randn(6, 8), [y.flip(0) for y in labels]
    images = g(z, *asked)
    assert images.shape == (6, 1, 16, 16) and images.requires_grad
    assert torch.allclose(g(z[2:3], *(y[2:3] for y in asked))[0], images[2], atol=1e-6)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in g.modules())
    assert {"z", *(["labels"] if classes else [])} <= set(g.state_dict())
    kept = {k: v for k, v in g.generator.state_dict().items() if k in before}
    assert "net.0.weight" in kept or condition == "batch_norm"
    assert all(torch.equal(v, before[k]) for k, v in kept.items())


def test_referenced_by_name() -> None:
    with pytest.raises(ValueError, match="generator must have a BatchNorm to replace, got MLPGenerator without one"):
        nets.Referenced(nets.MLPGenerator(), torch.randn(4, 2))
    with pytest.raises(ValueError, match=r"z must have shape \(R, latent\), got \(0, 64\)"):
        nets.Referenced(nets.DCGANGenerator(), torch.randn(0, 64))
