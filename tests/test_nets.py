"""Networks: shapes, labels, architecture, precision, and bad input by name."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganlib import nets

PAIRS: dict[str, tuple[Any, Any]] = {
    "dcgan": (nets.DCGANGenerator, nets.DCGANDiscriminator),
    "shuffle": (nets.ShuffleGenerator, nets.ShuffleDiscriminator),
}
CONDITIONS = [("concatenation", "concatenation"), ("embedding", "embedding"), ("concatenation", "projection")]
IMAGE_CONDITIONS = [*CONDITIONS, ("batch_norm", "projection")]


@settings(deadline=None, max_examples=25)
@given(
    pair=st.sampled_from(list(PAIRS)),
    size=st.sampled_from([16, 20, 24, 28, 32, 40, 56, 64]),
    channels=st.sampled_from([1, 3]),
    latent=st.integers(1, 9),
    width=st.integers(1, 5),
    n=st.integers(2, 4),
    classes=st.none() | st.integers(1, 11),
    conditions=st.sampled_from(IMAGE_CONDITIONS),
)
def test_image_shapes(
    pair: str,
    size: int,
    channels: int,
    latent: int,
    width: int,
    n: int,
    classes: int | None,
    conditions: tuple[str, str],
) -> None:
    make_g, make_d = PAIRS[pair]
    g = make_g(size=size, channels=channels, latent=latent, width=width, classes=classes, condition=conditions[0])
    d = make_d(size=size, channels=channels, width=width, classes=classes, condition=conditions[1])
    labels = [] if classes is None else [torch.arange(n) % classes]
    images = g(torch.randn(n, latent), *labels)
    assert images.shape == (n, channels, size, size) and images.abs().max() <= 1
    logits = d(images, *labels)
    assert logits.shape == (n,)
    logits.sum().backward()
    assert all(p.grad is not None for net in (g, d) for p in net.parameters())  # nothing is carried along unused
    assert (g.latent, g.classes, d.classes, g.prior) == (latent, classes, classes, "normal")


@settings(deadline=None, max_examples=25)
@given(
    latent=st.integers(1, 5),
    dim=st.integers(1, 4),
    layers=st.integers(1, 4),
    fourier=st.integers(0, 3),
    n=st.integers(0, 4),
    classes=st.none() | st.integers(1, 5),
    conditions=st.sampled_from(CONDITIONS),
)
def test_mlp_shapes(
    latent: int, dim: int, layers: int, fourier: int, n: int, classes: int | None, conditions: tuple[str, str]
) -> None:
    g = nets.MLPGenerator(latent, dim, 8, layers, classes=classes, condition=conditions[0])
    d = nets.MLPDiscriminator(dim, 8, layers, classes=classes, condition=conditions[1], fourier=fourier)
    labels = [] if classes is None else [torch.arange(n) % classes]
    points = g(torch.randn(n, latent), *labels)
    assert points.shape == (n, dim) and d(points, *labels).shape == (n,)
    assert sum(isinstance(m, nn.Linear) for m in g.modules()) == layers + 1


def test_prior_is_kept() -> None:
    assert nets.MLPGenerator().prior == "normal" and nets.MLPGenerator(prior="uniform").prior == "uniform"


def test_scale_multiplies_what_comes_out_and_divides_what_goes_in() -> None:
    nets_at: dict[float, tuple[nets.MLPGenerator, nets.MLPDiscriminator]] = {}
    for scale in (1.0, 0.25):
        torch.manual_seed(0)
        nets_at[scale] = nets.MLPGenerator(scale=scale), nets.MLPDiscriminator(scale=scale, fourier=3)
    z = torch.randn(6, 2)
    (g, d), (small_g, small_d) = nets_at[1.0], nets_at[0.25]
    assert torch.equal(small_g(z), g(z) / 4) and torch.equal(g(z), g.out(g.hidden(z)))
    assert torch.equal(small_d(z / 4), d(z))
    for value in (0, -1.0, math.inf):
        with pytest.raises(ValueError, match="scale must be"):
            nets.MLPGenerator(scale=value)


def test_the_slope_of_the_hidden_layers_where_units_are_negative() -> None:
    for slope in (0.0, 0.3):
        g = nets.MLPGenerator(negative_slope=slope)
        x, layers = torch.randn(5, 2), [m for m in g.hidden if isinstance(m, nn.Linear)]
        expected = x
        for layer in layers:
            h = layer(expected)
            expected = torch.where(h > 0, h, slope * h)
        assert torch.equal(g(x), g.out(expected))
    with pytest.raises(ValueError, match="negative_slope must be a finite number of at least 0"):
        nets.MLPGenerator(negative_slope=-0.1)


def test_parameters_count() -> None:
    assert nets.parameters_count(nn.Linear(3, 2)) == 8
    assert nets.parameters_count(nets.MLPGenerator(2, 2, 10, 2)) == (2 * 10 + 10) + (10 * 10 + 10) + (10 * 2 + 2)


def test_dcgan_follows_the_paper() -> None:
    torch.manual_seed(0)
    g, d = nets.DCGANGenerator(64, 3, 100, 64), nets.DCGANDiscriminator(64, 3, 64)
    ups = [m for m in g.modules() if isinstance(m, nn.ConvTranspose2d)]
    downs = [m for m in d.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in ups] == [512, 256, 128, 64] == [m.out_channels for m in downs][::-1]
    assert all(m.kernel_size == (4, 4) and m.stride == (2, 2) for m in ups + downs)
    assert g.project.weight.shape == (512 * 4 * 4, 100)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in g.modules()) == 4  # everywhere but at the output
    assert sum(isinstance(m, nn.BatchNorm2d) for m in d.modules()) == 3  # everywhere but at the input
    assert not any(isinstance(m, nn.BatchNorm2d) for m in nets.DCGANDiscriminator(batch_norm=False).modules())
    for m in ups + downs:
        assert m.weight.std().item() == pytest.approx(0.02, rel=0.1) and abs(m.weight.mean().item()) < 0.002


def test_shuffle_never_convolves_at_full_size() -> None:
    sides: list[int] = []
    for net, x in (
        (nets.ShuffleGenerator(), torch.randn(2, 64)),
        (nets.ShuffleDiscriminator(), torch.zeros(2, 1, 28, 28)),
    ):
        for m in net.modules():
            if isinstance(m, nn.Conv2d):
                assert m.kernel_size == (3, 3) and m.weight.is_contiguous(memory_format=torch.channels_last)
                m.register_forward_hook(lambda _, inputs, __: sides.append(inputs[0].shape[-1]))
        net(x)
    assert sides == [7, 14, 14, 14, 14, 14]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in nets.ShuffleDiscriminator().modules())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("conditions", CONDITIONS)
def test_labels_change_what_comes_out(pair: str, conditions: tuple[str, str]) -> None:
    torch.manual_seed(0)
    g = PAIRS[pair][0](16, width=4, classes=3, condition=conditions[0]).eval()
    d = PAIRS[pair][1](16, width=4, classes=3, condition=conditions[1]).eval()
    z, labels = torch.randn(1, 64).expand(3, -1), torch.arange(3)
    images = g(z, labels)
    assert all((images[i] - images[j]).abs().max() > 0 for i, j in ((0, 1), (0, 2), (1, 2)))
    assert len(set(d(images[:1].expand(3, -1, -1, -1), labels).tolist())) == 3


def test_projection_is_an_inner_product_with_the_features() -> None:
    d = nets.ShuffleDiscriminator(16, classes=3, condition="projection", width=4)
    x, labels = torch.randn(5, 1, 16, 16), torch.tensor([0, 2, 1, 1, 0])
    features = d.features(nn.functional.pixel_unshuffle(x, 2)).flatten(1)
    expected = features @ d.out.weight[0] + d.out.bias + (features * d.embed.weight[labels]).sum(1)
    assert torch.allclose(d(x, labels), expected, atol=1e-6)


@pytest.mark.parametrize("pair", PAIRS)
def test_bfloat16_autocast_gives_float32(pair: str) -> None:
    torch.manual_seed(0)
    g, d = PAIRS[pair][0](classes=10), PAIRS[pair][1](classes=10, condition="projection")
    z, labels = torch.randn(8, 64), torch.arange(8)
    images, logits = g(z, labels), d(g(z, labels), labels)
    with torch.autocast("cpu", torch.bfloat16):
        half_images = g(z, labels)
        half_logits = d(images, labels)
    assert half_images.dtype == half_logits.dtype == torch.float32
    assert (half_images - images).abs().max() < 0.1 and (half_logits - logits).abs().max() < 0.1
    assert not torch.equal(half_images, images)  # so autocast was on
    half_logits.mean().backward()


def test_perceptrons_stay_in_float32_under_autocast() -> None:
    g, d = nets.MLPGenerator(), nets.MLPDiscriminator(fourier=4)
    z = torch.randn(8, 2)
    with torch.autocast("cpu", torch.bfloat16):
        x, logits = g(z), d(g(z))
    assert torch.equal(x, g(z)) and torch.equal(logits, d(g(z)))


def test_float64_networks() -> None:
    z = torch.randn(3, 2, dtype=torch.float64)
    x = nets.MLPGenerator().double()(z)
    assert x.dtype == nets.MLPDiscriminator(fourier=2).double()(x).dtype == torch.float64


def test_fourier_frequencies_are_fixed_and_saved() -> None:
    torch.manual_seed(0)
    d = nets.MLPDiscriminator(fourier=500)
    assert d.frequencies.std().item() == pytest.approx(4, rel=0.1)
    assert nets.MLPDiscriminator(fourier=500, frequency=8).frequencies.std().item() == pytest.approx(8, rel=0.1)
    with pytest.raises(ValueError, match="frequency must be a finite number of at least 0"):
        nets.MLPDiscriminator(fourier=1, frequency=math.nan)
    assert "frequencies" in d.state_dict() and not d.frequencies.requires_grad
    x = torch.randn(4, 2)
    phases = x @ d.frequencies
    expected = d.out(d.hidden(torch.cat([x, phases.sin(), phases.cos()], 1))).squeeze(1)
    assert torch.equal(d(x), expected)


@pytest.mark.parametrize("pair", PAIRS)
def test_spectral_norm_bounds_the_slope(pair: str) -> None:
    d = PAIRS[pair][1](16, width=4, spectral_norm=True, classes=2)
    assert any("parametrizations" in name for name, _ in d.named_parameters())
    logits = d(torch.randn(3, 1, 16, 16), torch.tensor([0, 1, 0]))
    logits.sum().backward()
    copied = copy.deepcopy(d).eval()
    assert torch.equal(
        copied(torch.ones(1, 1, 16, 16), torch.tensor([1])), d.eval()(torch.ones(1, 1, 16, 16), torch.tensor([1]))
    )


def test_same_seed_same_network() -> None:
    for make in (*PAIRS["dcgan"], *PAIRS["shuffle"], nets.MLPGenerator, nets.MLPDiscriminator):
        states = []
        for _ in range(2):
            torch.manual_seed(3)
            states.append(make().state_dict())
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_cuda() -> None:
    for make_g, make_d in PAIRS.values():
        g, d = make_g(classes=10).cuda(), make_d(classes=10, condition="projection").cuda()
        labels = torch.arange(8, device="cuda")
        with torch.autocast("cuda", torch.bfloat16):
            assert d(g(torch.randn(8, 64, device="cuda"), labels), labels).dtype == torch.float32


# Sizes.


def test_sides_that_fit() -> None:
    sides = [16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]
    assert [size for size in range(1, 257) if nets.fits(size)] == sides
    with pytest.raises(ValueError, match=r"size must be a whole number of at least 1, got 28\.0"):
        nets.fits(28.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("size", "base"), [(48, 6), (80, 5), (224, 7), (256, 4)])
def test_sides_are_halved_to_4_to_7_pixels(pair: str, size: int, base: int) -> None:
    make_g, make_d = PAIRS[pair]
    g, d = make_g(size, width=1), make_d(size, width=1)
    with torch.no_grad():
        images = g(torch.randn(2, 64))
        assert images.shape == (2, 1, size, size) and d(images).shape == (2,)
    assert g.base == d.base == base and g.project.out_features == g.base**2 * g.net[0].num_features


# Bad input.


@pytest.mark.parametrize("make", [*PAIRS["dcgan"], *PAIRS["shuffle"]])
@pytest.mark.parametrize(("size", "near"), [(8, "16 or 20"), (14, "16 or 20"), (30, "28 or 32"), (100, "96 or 112")])
def test_wrong_sizes_are_refused_by_name(make: Any, size: int, near: str) -> None:
    with pytest.raises(ValueError, match=f"size must be m·2\\^k .* such as {near}, got {size}$"):
        make(size)


@pytest.mark.parametrize("make", [*PAIRS["dcgan"], *PAIRS["shuffle"]])
@pytest.mark.parametrize("name", ["size", "channels", "width", "classes"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "28"])
def test_numbers_are_whole_and_positive(make: Any, name: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match=f"{name} must be a whole number of at least 1"):
        make(**{name: value})


def test_mlp_numbers_and_names() -> None:
    bad_g: list[tuple[str, object]] = [("latent", 0), ("out", 0), ("width", 1.5), ("layers", 0), ("classes", -3)]
    for name, value in bad_g:
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            nets.MLPGenerator(**{name: value})  # type: ignore[arg-type]
    for name in ("inputs", "width", "layers", "classes", "fourier"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            nets.MLPDiscriminator(**{name: -1})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prior='gauss' is not known; choose one of: normal, uniform"):
        nets.MLPGenerator(prior="gauss")


def test_condition_names() -> None:
    for make, last in (
        (nets.MLPGenerator, "embedding"),
        (nets.DCGANGenerator, "batch_norm"),
        (nets.ShuffleGenerator, "batch_norm"),
    ):
        with pytest.raises(ValueError, match=f"condition='projection' is not known; choose one of: concat.*, {last}$"):
            make(classes=3, condition="projection")  # type: ignore[operator]
    for make_d in (nets.MLPDiscriminator, nets.DCGANDiscriminator, nets.ShuffleDiscriminator):
        with pytest.raises(ValueError, match="condition='project' is not known; choose one of: projection"):
            make_d(classes=3, condition="project")


def test_shapes_and_types_by_name() -> None:
    g, d, critic = nets.ShuffleGenerator(), nets.DCGANDiscriminator(), nets.MLPDiscriminator()
    for z in (torch.randn(2, 63), torch.randn(64), torch.randn(2, 64, 1, 1)):
        with pytest.raises(ValueError, match=r"z must have shape \(N, 64\), got \("):
            g(z)
    for x in (torch.zeros(3, 28, 28), torch.zeros(2, 3, 28, 28), torch.zeros(2, 1, 32, 32)):
        with pytest.raises(ValueError, match=r"images must have shape \(N, 1, 28, 28\), got \("):
            d(x)
    with pytest.raises(ValueError, match=r"x must have shape \(N, 2\), got \(5, 3\)"):
        critic(torch.zeros(5, 3))
    with pytest.raises(TypeError, match=r"images must be a tensor of floats, got torch.uint8"):
        d(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"z must be a tensor of shape \(N, 64\), got list"):
        g([0.0] * 64)
    with pytest.raises(TypeError, match=r"z must be a tensor of shape \(N, 2\), got list"):
        nets.MLPGenerator()([[0.0, 1.0]])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"labels must be a tensor of shape \(2,\), got list"):
        nets.MLPGenerator(classes=3)(torch.randn(2, 2), [0, 1])  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [nets.DCGANGenerator, nets.ShuffleGenerator, nets.MLPGenerator])
def test_labels_by_name(make: Any) -> None:
    plain, conditional = make(), make(classes=3)
    z = torch.randn(2, plain.latent)
    with pytest.raises(ValueError, match="labels must be left out: this network was made without classes"):
        plain(z, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="labels must be given: this network is conditional on 3 classes"):
        conditional(z)
    for value in (3, -1):
        with pytest.raises(ValueError, match=f"labels must lie between 0 and 2, got {value}"):
            conditional(z, torch.tensor([0, value]))
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\), got \(3,\)"):
        conditional(z, torch.tensor([0, 1, 2]))
    with pytest.raises(TypeError, match=r"labels must be whole numbers \(torch.int64\), got torch.float32"):
        conditional(z, torch.tensor([0.0, 1.0]))


def test_projection_starts_small() -> None:
    """The label's part of the logit starts no larger than the rest of it: a wild start would decide the game."""
    torch.manual_seed(0)
    d = nets.ShuffleDiscriminator(classes=10, condition="projection")
    x, labels = torch.rand(64, 1, 28, 28) * 2 - 1, torch.arange(64) % 10
    features: Tensor = d.features(nn.functional.pixel_unshuffle(x, 2)).flatten(1)
    assert (features * d.embed.weight[labels]).sum(1).std().item() < 1 and math.isfinite(d(x, labels).sum().item())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("conditions", CONDITIONS)
def test_devices_do_not_mix(pair: str, conditions: tuple[str, str]) -> None:
    """On fake CUDA tensors, which need no GPU: whatever is made inside must be made on the input's device."""
    kinds = PAIRS[pair][0](classes=3, condition=conditions[0]), PAIRS[pair][1](classes=3, condition=conditions[1])
    perceptrons = nets.MLPGenerator(64, classes=3), nets.MLPDiscriminator(classes=3, condition=conditions[1], fourier=2)
    for g, d in (kinds, perceptrons):
        states = [{**dict(net.named_parameters()), **dict(net.named_buffers())} for net in (g, d)]
        with FakeTensorMode():
            on_cuda = [
                {k: torch.empty(v.shape, dtype=v.dtype, device="cuda") for k, v in state.items()} for state in states
            ]
            z = torch.randn(8, 64, device="cuda")
            labels = torch.zeros(8, dtype=torch.int64, device="cuda")
            x = torch.func.functional_call(g, on_cuda[0], (z, labels))
            logits = torch.func.functional_call(d, on_cuda[1], (x, labels))
        assert x.device.type == logits.device.type == "cuda" and logits.shape == (8,)


def test_perceptrons_see_and_make_points_in_their_own_units() -> None:
    shift, scale = [5.0, -3.0], [10.0, 0.1]
    torch.manual_seed(0)
    made, judged = nets.MLPGenerator(shift=shift, scale=scale), nets.MLPDiscriminator(shift=shift, scale=scale)
    torch.manual_seed(0)
    plain, plainly = nets.MLPGenerator(), nets.MLPDiscriminator()
    z = torch.randn(5, 2)
    points = plain(z) * torch.tensor(scale) + torch.tensor(shift)
    assert torch.allclose(made(z), points, atol=1e-5) and torch.allclose(judged(points), plainly(plain(z)), atol=1e-4)
    again = nets.build(nets.describe(made) or {})
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(z), made(z))
    for wrong, message in (([1.0], "one for each of the 2 coordinates, got 1"), ([1.0, 0.0], "scale must be above 0")):
        with pytest.raises(ValueError, match=message):
            nets.MLPGenerator(scale=wrong)
