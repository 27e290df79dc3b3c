"""A trained generator that runs in the reader's own browser: no kernel, no server, a few hundred kilobytes in the page.

The generator is written down as a list of plain layers and one buffer of half-precision weights, and `generator.js`
computes it. Sliders and the map move along directions of latent space, those first that change the picture most: the
eigenvectors of E[JᵀJ], where J is the Jacobian of the generator, for a small step ε changes the picture by
|Jε|² = εᵀJᵀJε. They are orthonormal, so that a normal z is as normal in them as in its own coordinates.

Source of the directions: Ramesh et al. 2018, https://arxiv.org/abs/1812.01161, who take the singular vectors of J at
one z; here JᵀJ is averaged over several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import anywidget
import torch
import traitlets
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganlib import compute, nets
from ganlib.engine import Game
from ganlib.generator import Generator, Prior, at_rest
from ganlib.nets.base import LabelCode
from ganlib.nets.images import ImageGenerator

WEIGHTS_LIMIT = 600_000
"""Bytes of half-precision weights that a page may carry for one generator."""
SIDE_LIMIT = 128
"""Pixels a side above which an image would take a browser too long."""


class Live(anywidget.AnyWidget):
    """What `live` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        z: the latent vector of the picture shown, a list of `latent` numbers.
        label: its class, from 0; 0 where the generator has none.
        network: the generator as plain layers: `latent`, `prior`, `classes`, `shape` and the `layers`.
        weights: the layers' numbers in half precision, one layer behind the other, then the directions.
        names: one text a class.
        alt: what a picture shows, in words.
    """

    _esm = Path(__file__).with_name("generator.js")
    _css = Path(__file__).with_name("generator.css")
    network = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    label = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("z")
    def _whole_z(self, proposal: Any) -> list[float]:
        z, latent = proposal["value"], self.network["latent"]
        if len(z) != latent or not all(map(math.isfinite, z)):
            raise traitlets.TraitError(f"z must be {latent} finite numbers, got {len(z)}: {z!r:.60}")
        return cast(list[float], z)

    @traitlets.validate("label")
    def _known_label(self, proposal: Any) -> int:
        label, classes = proposal["value"], self.network["classes"] or 1
        if not 0 <= label < classes:
            raise traitlets.TraitError(f"label must lie between 0 and {classes - 1}, got {label}")
        return cast(int, label)


def live(
    generator: nn.Module | Game | Generator,
    *,
    shape: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    alt: str = "generated image",
    seed: int = 0,
) -> Live:
    """A generator to play with: class buttons, latent sliders, a map to drag across, and a way between two samples.

    First used in chapter 9.

    It computes what the generator computes in evaluation mode, from weights rounded to half precision. Between the
    pinned samples z moves on a great circle: normal vectors of n numbers are all about √n long, and a straight line
    would pass through shorter ones, which the generator hardly met (a uniform z moves straight). Without a kernel
    everything works but reading `z` and `label` in Python.

    Args:
        generator: z (N, latent) -> images (N, 1 or 3, H, W) in [-1, 1], with labels (N,) if it is conditional: a
            network of `nets`, an `nn.Sequential` that begins with a linear layer, or a game, whose averaged generator
            is taken. It may be built from linear layers, convolutions, transposed convolutions, pixel shuffles,
            enlargement, normalisation (with running statistics, of groups, channels or pixels, by class) and
            ReLU, LeakyReLU, ELU, SiLU, sigmoid and tanh.
        shape: (channels, height, width) of the images where the generator makes vectors, such as (1, 8, 8).
        names: one text a class for the buttons; by default its number.
        alt: what a picture shows, for those who cannot see it; the class is added.
        seed: of the picture shown first.

    Returns:
        The widget.

    Raises:
        TypeError: the generator is none, or has a layer of another kind, which the message names.
        ValueError: a game with a prior of its own (InfoGAN's codes), samples that are no images of at most `SIDE_LIMIT`
            pixels a side, weights above `WEIGHTS_LIMIT` bytes or too large for half precision, names that are not one a
            class, no words in `alt`.
    """
    if isinstance(generator, Game | Generator):
        made = generator.snapshot() if isinstance(generator, Game) else generator
        if not isinstance(made.prior, Prior) or made.prior.free != made.latent:
            raise ValueError("generator is of a game with a prior of its own: the page draws a normal or a uniform z")
        generator = made.maker
    if isinstance(generator, nets.Autoencoder):
        generator = generator.generator
    if not isinstance(generator, nn.Module):
        raise TypeError(f"generator must be a network or a game, got {type(generator).__name__}")
    if not alt.strip():
        raise ValueError("alt must say in words what a picture shows")
    tape = _Tape()
    with at_rest(generator):
        latent = _write(tape, generator)
        classes = getattr(generator, "classes", None)
        prior = getattr(generator, "prior", "normal")
        z, shape = _first(generator, latent, classes, prior, shape, seed)
        directions = _directions(generator, latent, classes, prior)
    if classes is None and names is not None:
        raise ValueError("names must be left out: the generator has no classes")
    names = [str(name) for name in (range(classes or 0) if names is None else names)]
    if len(names) != (classes or 0):
        raise ValueError(f"names must be one text for each of {classes} classes, got {len(names)}")
    weights = _halves([*tape.numbers, directions])
    if len(weights) > WEIGHTS_LIMIT:
        raise ValueError(
            f"generator has weights of {len(weights) / 1000:.0f} kB in half precision; a page may carry "
            f"{WEIGHTS_LIMIT // 1000} kB: make it narrower, or its latent vector shorter"
        )
    network = {"latent": latent, "prior": prior, "classes": classes, "shape": shape, "layers": tape.layers}
    return Live(network=network, weights=weights, names=names, alt=alt, z=z, label=0)


class _Tape:
    """The layers written down so far: plain records, and their numbers in the order in which they are read."""

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []
        self.numbers: list[Tensor] = []

    def add(self, op: str, *numbers: Tensor, **facts: Any) -> None:
        flat = [tensor.detach().float().cpu().reshape(-1) for tensor in numbers]
        self.layers.append({"op": op, "sizes": [len(tensor) for tensor in flat], **facts})
        self.numbers += flat


def _halves(numbers: list[Tensor]) -> bytes:
    halves = torch.cat([tensor.reshape(-1) for tensor in numbers]).half()
    if not halves.isfinite().all():
        raise ValueError("generator has weights that are not finite in half precision, whose largest number is 65504")
    return halves.numpy().astype("<f2").tobytes()


def _first(
    net: nn.Module, latent: int, classes: int | None, prior: str, shape: Sequence[int] | None, seed: int
) -> tuple[list[float], list[int]]:
    """The z shown first, and the shape of an image; what is no image is refused here."""
    z = _draw(1, latent, prior, compute.generator(seed, "live"))
    made = tuple(_images(net, z, classes).shape[1:])
    wanted = tuple(made if shape is None else shape)
    fits = len(wanted) == 3 and wanted[0] in (1, 3) and 1 <= min(wanted[1:]) and max(wanted[1:]) <= SIDE_LIMIT
    if not fits or math.prod(wanted) != math.prod(made) or (len(made) == 3 and wanted != made):
        raise ValueError(
            f"samples must be images (1 or 3, H, W) of at most {SIDE_LIMIT} pixels a side, or vectors with shape=… "
            f"to say which; got samples {made} and shape={shape}"
        )
    return z[0].tolist(), list(wanted)


def _draw(n: int, latent: int, prior: str, rng: torch.Generator) -> Tensor:
    return torch.rand(n, latent, generator=rng) * 2 - 1 if prior == "uniform" else torch.randn(n, latent, generator=rng)


@torch.no_grad()
def _images(net: nn.Module, z: Tensor, classes: int | None) -> Tensor:
    """Samples of all classes in turn, on the CPU."""
    device = next(net.parameters()).device
    labels = [] if classes is None else [(torch.arange(len(z)) % classes).to(device)]
    return cast(Tensor, net(z.to(device), *labels)).float().cpu()


def _directions(net: nn.Module, latent: int, classes: int | None, prior: str, points: int = 16) -> Tensor:
    """(latent, latent): orthonormal rows, by falling effect on the picture; coordinates only where z is uniform."""
    gram = torch.zeros(latent, latent, dtype=torch.float64)
    step = 0.25 * torch.eye(latent)
    for z in _draw(points, latent, prior, compute.generator(0, "directions")):
        ahead, behind = (_images(net, z + sign * step, None if classes is None else 1) for sign in (1, -1))
        jacobian = ((ahead - behind) / 0.5).flatten(1).double()  # (latent, numbers in a picture)
        gram += jacobian @ jacobian.T
    if prior == "uniform":
        return torch.eye(latent)[gram.diagonal().argsort(descending=True)]
    return torch.linalg.eigh(gram).eigenvectors.flip(1).T.float()


# What can be written down. Each layer is known by its very type: one that inherits may compute something else.


def _write(tape: _Tape, net: nn.Module) -> int:
    """Write a whole generator; returns the length of its z."""
    kind = type(net)
    if kind is nets.MLPGenerator:
        return _write_mlp(tape, net)
    if kind in (nets.DCGANGenerator, nets.ShuffleGenerator):
        return _write_image_generator(tape, cast(ImageGenerator, net))
    if kind is nets.ProgressiveGenerator:
        return _write_progressive(tape, net)
    first = next(net.children(), None)
    if kind is nn.Sequential and isinstance(first, nn.Linear):
        _write_layer(tape, net, "")
        return first.in_features
    raise _refused("generator", net)


def _refused(path: str, layer: nn.Module, why: str = "") -> TypeError:
    known = ", ".join(sorted(kind.__name__ for kind in _LAYERS))
    return TypeError(
        f"{path}: {type(layer).__name__}{why} does not run in the page; what does are the generators of ganlib.nets "
        f"and an nn.Sequential that begins with a linear layer, made of: {known}"
    )


def _write_code(tape: _Tape, code: LabelCode) -> None:
    """How labels join z."""
    if code.embed is not None and type(code.embed) is not nn.Embedding:
        raise _refused("code.embed", code.embed)
    if code.width:
        tape.add("label", *([] if code.embed is None else [code.embed.weight]), width=code.width)


def _write_mlp(tape: _Tape, net: Any) -> int:
    _write_code(tape, net.code)
    _write_layer(tape, net.hidden, "hidden")
    _write_layer(tape, net.out, "out")
    tape.layers[-1]["sizes"] = [len(tensor) for tensor in tape.numbers[-2:]]
    weight, bias = tape.numbers[-2:]  # flat, the outputs last
    tape.numbers[-2:] = [(weight.view(-1, len(bias)) * net.scale).flatten(), bias * net.scale + net.shift]
    return cast(int, net.latent)


def _write_image_generator(tape: _Tape, net: ImageGenerator) -> int:
    """`project` makes an image laid out channels-last; its rows are put in the order that the page wants."""
    _write_code(tape, net.code)
    if _kind(net.project) is not nn.Linear:
        raise _refused("project", net.project)
    rows = torch.arange(net.project.out_features).view(net.base, net.base, -1).permute(2, 0, 1)
    weight, bias = (tensor.detach().cpu()[rows.flatten()] for tensor in (net.project.weight, net.project.bias))
    tape.add("linear", weight.T, bias)
    tape.add("view", shape=list(rows.shape))
    _write_layer(tape, net.net, "net")
    return net.latent


def _write_progressive(tape: _Tape, net: Any) -> int:
    level = net.level.item()
    if level != int(level):
        raise ValueError(f"generator is at level {level:g}, between two resolutions: only whole levels run in the page")
    tape.add("view", shape=[net.latent, 1, 1])
    for i in range(int(level) + 1):
        _write_layer(tape, net.blocks[i], f"blocks.{i}")
    _write_layer(tape, net.to_image[int(level)], f"to_image.{int(level)}")
    tape.add("enlarge", factor=net.size // (4 * 2 ** int(level)))
    return cast(int, net.latent)


def _kind(layer: nn.Module) -> type:
    """The type of a layer; spectral normalisation, which only recomputes the weight, leaves it what it was."""
    return type(layer).__mro__[1] if parametrize.is_parametrized(layer) else type(layer)


def _write_layer(tape: _Tape, layer: nn.Module, path: str) -> None:
    kind = _kind(layer)
    if kind is nn.Sequential:
        for name, part in layer.named_children():
            _write_layer(tape, part, f"{path}.{name}".strip("."))
    elif kind in _LAYERS:
        _LAYERS[kind](tape, layer, path)
    else:
        raise _refused(path, layer)


def _bias(layer: Any, length: int) -> Tensor:
    return torch.zeros(length) if layer.bias is None else layer.bias


def _linear(tape: _Tape, layer: Any, path: str) -> None:
    tape.add("linear", layer.weight.T, _bias(layer, layer.out_features))


def _convolution(tape: _Tape, layer: Any, path: str) -> None:
    """A convolution, an equalised one (its weights are scaled as they are used), or a transposed one."""
    for fact, right in (("groups", 1), ("dilation", (1, 1)), ("padding_mode", "zeros")):
        if getattr(layer, fact) != right:
            raise _refused(path, layer, f" with {fact}={getattr(layer, fact)}")
    for fact in ("kernel_size", "stride", "padding", "output_padding"):
        value = getattr(layer, fact)
        if isinstance(value, str) or value[0] != value[1]:
            raise _refused(path, layer, f" with {fact}={value}")
    turned = isinstance(layer, nn.ConvTranspose2d)
    facts = {"outputs": layer.out_channels, "kernel": layer.kernel_size[0], "stride": layer.stride[0]}
    if turned:
        facts["extra"] = layer.output_padding[0]
    weight = layer.weight * getattr(layer, "gain", 1.0)
    op = "grow" if turned else "convolve"
    tape.add(op, weight, _bias(layer, layer.out_channels), padding=layer.padding[0], **facts)


def _batch_norm(tape: _Tape, layer: Any, path: str) -> None:
    """In evaluation mode nothing but a scale and a shift a channel; of each class, where they depend on it."""
    conditional = type(layer) is nets.ConditionalBatchNorm
    norm = layer.norm if conditional else layer
    if norm.running_var is None:
        raise _refused(path, layer, " without running statistics")
    scale = (norm.running_var + norm.eps).rsqrt()
    shift = -norm.running_mean * scale
    if conditional:
        scale, shift = scale * layer.scale.weight, shift * layer.scale.weight + layer.shift.weight
    elif norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    tape.add("affine", scale, shift, classes=len(scale) if conditional else 0)


def _group_norm(tape: _Tape, layer: Any, path: str) -> None:
    if isinstance(layer, nn.InstanceNorm2d):
        if layer.track_running_stats:
            raise _refused(path, layer, " with running statistics")
        channels = groups = layer.num_features
    else:
        channels, groups = layer.num_channels, layer.num_groups
    scale, shift = (layer.weight, layer.bias) if layer.affine else (torch.ones(channels), torch.zeros(channels))
    tape.add("normalise", groups=groups, eps=layer.eps)
    tape.add("affine", scale, shift, classes=0)


def _enlarge(tape: _Tape, layer: Any, path: str) -> None:
    factor = layer.scale_factor
    if layer.mode != "nearest" or factor is None or factor != int(factor):
        raise _refused(path, layer, f" with mode={layer.mode!r}, scale_factor={factor}")
    tape.add("enlarge", factor=int(factor))


def _unflatten(tape: _Tape, layer: Any, path: str) -> None:
    if layer.dim != 1 or len(layer.unflattened_size) != 3:
        raise _refused(path, layer, f" of dim={layer.dim} to {tuple(layer.unflattened_size)}")
    tape.add("view", shape=list(layer.unflattened_size))


def _activation(name: str, slope: str | None = None) -> Callable[[_Tape, Any, str], None]:
    def write(tape: _Tape, layer: Any, path: str) -> None:
        tape.add("activate", name=name, slope=getattr(layer, slope) if slope else 0)

    return write


def _nothing(tape: _Tape, layer: Any, path: str) -> None:
    pass


_LAYERS: dict[type, Callable[[_Tape, Any, str], None]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nets.EqualisedConv2d: _convolution,
    nn.PixelShuffle: lambda tape, layer, path: tape.add("shuffle", factor=layer.upscale_factor),
    nn.Upsample: _enlarge,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nets.ConditionalBatchNorm: _batch_norm,
    nn.InstanceNorm2d: _group_norm,
    nn.GroupNorm: _group_norm,
    nets.PixelNorm: lambda tape, layer, path: tape.add("normalise_pixels"),
    nn.Unflatten: _unflatten,
    nn.Flatten: lambda tape, layer, path: tape.add("view", shape=[-1, 1, 1]),
    nn.ReLU: _activation("leaky"),
    nn.LeakyReLU: _activation("leaky", "negative_slope"),
    nn.ELU: _activation("elu", "alpha"),
    nn.SiLU: _activation("silu"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.Identity: _nothing,
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
}
