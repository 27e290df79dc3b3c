"""Networks written down for the page: a list of plain layers, and their weights in half precision.

`engine.js` computes what is written here. A layer has at hand what came before it (x), the code that stands beside the
image (z or a label) and a stack, on which skips are kept until they are joined or added.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganlib import features, nets
from ganlib.nets.base import LabelCode
from ganlib.nets.images import ImageGenerator
from ganlib.nets.style import StyleLayer
from ganlib.nets.translation import Dense, Residual

WEIGHTS_LIMIT = 600_000
"""Bytes of half-precision weights that a page may carry for one widget."""
SIDE_LIMIT = 128
"""Pixels a side above which an image would take a browser too long."""


def script(*names: str) -> str:
    """Scripts, or style sheets, of this folder as one, for a widget's script is one file."""
    return "\n".join(Path(__file__).with_name(name).read_text(encoding="utf8") for name in names)


class Tape:
    """The layers written down so far: plain records, and their numbers in the order in which they are read."""

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []
        self.numbers: list[Tensor] = []

    def add(self, op: str, *numbers: Tensor, **facts: Any) -> None:
        flat = [tensor.detach().float().cpu().reshape(-1) for tensor in numbers]
        self.layers.append({"op": op, "sizes": [len(tensor) for tensor in flat], **facts})
        self.numbers += flat


def packed(name: str, numbers: list[Tensor]) -> bytes:
    """Numbers in half precision, as a page may carry them."""
    halves = torch.cat([tensor.reshape(-1) for tensor in numbers]).half() if numbers else torch.zeros(0).half()
    if not halves.isfinite().all():
        raise ValueError(f"{name} has weights that are not finite in half precision, whose largest number is 65504")
    weights = halves.numpy().astype("<f2").tobytes()
    if len(weights) > WEIGHTS_LIMIT:
        raise ValueError(
            f"{name} has weights of {len(weights) / 1000:.0f} kB in half precision; a page may carry "
            f"{WEIGHTS_LIMIT // 1000} kB: make it narrower, or its latent vector shorter"
        )
    return weights


# What can be written down. Each layer is known by its very type: one that inherits may compute something else.


def write_generator(tape: Tape, net: nn.Module) -> int:
    """Write a whole generator; returns the length of its z."""
    kind = type(net)
    if kind is nets.MLPGenerator:
        return _write_mlp(tape, net)
    if kind in (nets.DCGANGenerator, nets.ShuffleGenerator):
        return _write_image_generator(tape, cast(ImageGenerator, net))
    if kind is nets.ProgressiveGenerator:
        return _write_progressive(tape, net)
    if kind is nets.StyleGenerator:
        return _write_styles(tape, cast(nets.StyleGenerator, net))
    first = next(net.children(), None)
    if kind is nn.Sequential and isinstance(first, nn.Linear):
        write_layer(tape, net, "")
        return first.in_features
    raise refused("generator", net)


def refused(path: str, layer: nn.Module, why: str = "") -> TypeError:
    known = ", ".join(sorted(kind.__name__ for kind in _LAYERS if kind not in (Dense, Residual)))
    return TypeError(
        f"{path}: {type(layer).__name__}{why} does not run in the page; what does are, from z, the generators of "
        f"ganlib.nets and an nn.Sequential that begins with a linear layer, from images, its translators and an "
        f"nn.Sequential, made of: {known}"
    )


def _write_code(tape: Tape, code: LabelCode) -> None:
    """How labels join z."""
    if code.embed is not None and type(code.embed) is not nn.Embedding:
        raise refused("code.embed", code.embed)
    if code.width:
        tape.add("label", *([] if code.embed is None else [code.embed.weight]), width=code.width)


def _write_mlp(tape: Tape, net: Any) -> int:
    _write_code(tape, net.code)
    write_layer(tape, net.hidden, "hidden")
    write_layer(tape, net.out, "out")
    tape.layers[-1]["sizes"] = [len(tensor) for tensor in tape.numbers[-2:]]
    weight, bias = tape.numbers[-2:]  # flat, the outputs last
    tape.numbers[-2:] = [(weight.view(-1, len(bias)) * net.scale).flatten(), bias * net.scale + net.shift]
    return cast(int, net.latent)


def _write_image_generator(tape: Tape, net: ImageGenerator) -> int:
    """`project` makes an image laid out channels-last; its rows are put in the order that the page wants."""
    _write_code(tape, net.code)
    if _kind(net.project) is not nn.Linear:
        raise refused("project", net.project)
    rows = torch.arange(net.project.out_features).view(net.base, net.base, -1).permute(2, 0, 1)
    weight, bias = (tensor.detach().cpu()[rows.flatten()] for tensor in (net.project.weight, net.project.bias))
    tape.add("linear", weight.T, bias)
    tape.add("view", shape=list(rows.shape))
    write_layer(tape, net.net, "net")
    return net.latent


def _write_progressive(tape: Tape, net: Any) -> int:
    level = net.level.item()
    if level != int(level):
        raise ValueError(f"generator is at level {level:g}, between two resolutions: only whole levels run in the page")
    tape.add("view", shape=[net.latent, 1, 1])
    for i in range(int(level) + 1):
        write_layer(tape, net.blocks[i], f"blocks.{i}")
    write_layer(tape, net.to_image[int(level)], f"to_image.{int(level)}")
    tape.add("enlarge", factor=net.size // (4 * 2 ** int(level)))
    return cast(int, net.latent)


def _write_styles(tape: Tape, net: nets.StyleGenerator) -> int:
    """z to w, and behind the layer "style" an image from one w a layer; noise is the fixed one."""
    write_layer(tape, net.mapping, "mapping")
    tape.add("truncate", net.mean_w)
    tape.add("style", count=net.layers)
    tape.add("constant", net.constant, shape=list(net.constant.shape[1:]))
    for i, layer in enumerate(net.convolutions):
        path = f"convolutions.{i}"
        if type(layer) is not StyleLayer:
            raise refused(path, layer)
        if layer.enlarge:
            tape.add("bilinear", factor=2)
        noise = layer.strength * layer.fixed
        _modulated(tape, "modulate", layer.conv, f"{path}.conv", layer.bias, noise, style=i, gain=2**0.5)
        tape.add("activate", name="leaky", slope=0.2)
        if i % 2 == 0:
            image, last = net.to_image[i // 2], i + 1 == net.layers
            shift = net.shift if last else torch.zeros(net.channels)
            _modulated(tape, "colours", image, f"to_image.{i // 2}", shift, style=i, gain=1)
    tape.add("image")
    return net.latent


def _modulated(tape: Tape, op: str, layer: nn.Module, path: str, *added: Tensor, **facts: Any) -> None:
    """A convolution by style, what is `added` to its output (a bias, noise), and `gain`, by which all of that grows."""
    if type(layer) is not nets.ModulatedConv2d:
        raise refused(path, layer)
    if type(layer.affine) is not nets.EqualisedLinear:
        raise refused(f"{path}.affine", layer.affine)
    affine, weight = layer.affine, layer.weight * layer.gain
    numbers = (affine.weight.T * affine.gain, affine.bias * affine.rate, weight, *added)
    tape.add(op, *numbers, outputs=len(weight), kernel=weight.shape[-1], demodulate=layer.demodulate, **facts)


def _kind(layer: nn.Module) -> type:
    """The type of a layer; spectral normalisation, which only recomputes the weight, leaves it what it was."""
    return type(layer).__mro__[1] if parametrize.is_parametrized(layer) else type(layer)


def write_layer(tape: Tape, layer: nn.Module, path: str) -> None:
    kind = _kind(layer)
    if kind is nn.Sequential:
        for name, part in layer.named_children():
            write_layer(tape, part, f"{path}.{name}".strip("."))
    elif kind in _LAYERS:
        _LAYERS[kind](tape, layer, path)
    else:
        raise refused(path, layer)


def _bias(layer: Any, length: int) -> Tensor:
    return torch.zeros(length) if layer.bias is None else layer.bias


def _linear(tape: Tape, layer: Any, path: str) -> None:
    """A linear layer, or an equalised one (its numbers are scaled as they are used)."""
    gain, rate = getattr(layer, "gain", 1.0), getattr(layer, "rate", 1.0)
    tape.add("linear", layer.weight.T * gain, _bias(layer, layer.out_features) * rate)


def _convolution(tape: Tape, layer: Any, path: str) -> None:
    """A convolution, an equalised one (its weights are scaled as they are used), or a transposed one."""
    for fact, right in (("groups", (1,)), ("dilation", ((1, 1),)), ("padding_mode", ("zeros", "reflect"))):
        if getattr(layer, fact) not in right:
            raise refused(path, layer, f" with {fact}={getattr(layer, fact)}")
    for fact in ("kernel_size", "stride", "padding", "output_padding"):
        value = getattr(layer, fact)
        if isinstance(value, str) or value[0] != value[1]:
            raise refused(path, layer, f" with {fact}={value}")
    turned = isinstance(layer, nn.ConvTranspose2d)
    facts = {"outputs": layer.out_channels, "kernel": layer.kernel_size[0], "stride": layer.stride[0]}
    if turned:
        facts["extra"] = layer.output_padding[0]
    weight = layer.weight * getattr(layer, "gain", 1.0)
    op, padding = "grow" if turned else "convolve", layer.padding[0]
    if layer.padding_mode == "reflect":
        tape.add("reflect", padding=padding)
        padding = 0
    tape.add(op, weight, _bias(layer, layer.out_channels), padding=padding, **facts)


def _batch_norm(tape: Tape, layer: Any, path: str) -> None:
    """In evaluation mode nothing but a scale and a shift a channel; of each class, where they depend on it."""
    conditional = type(layer) is nets.ConditionalBatchNorm
    norm = layer.norm if conditional else layer
    if norm.running_var is None:
        raise refused(path, layer, " without running statistics")
    scale = (norm.running_var + norm.eps).rsqrt()
    shift = -norm.running_mean * scale
    if conditional:
        scale, shift = scale * layer.scale.weight, shift * layer.scale.weight + layer.shift.weight
    elif norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    tape.add("affine", scale, shift, classes=len(scale) if conditional else 0)


def _group_norm(tape: Tape, layer: Any, path: str) -> None:
    if isinstance(layer, nn.InstanceNorm2d):
        if layer.track_running_stats:
            raise refused(path, layer, " with running statistics")
        channels = groups = layer.num_features
    else:
        channels, groups = layer.num_channels, layer.num_groups
    scale, shift = (layer.weight, layer.bias) if layer.affine else (torch.ones(channels), torch.zeros(channels))
    tape.add("normalise", groups=groups, eps=layer.eps)
    tape.add("affine", scale, shift, classes=0)


def _enlarge(tape: Tape, layer: Any, path: str) -> None:
    factor = layer.scale_factor
    fits = layer.mode in ("nearest", "bilinear", "bicubic") and not layer.align_corners
    if not fits or not isinstance(factor, int | float) or factor < 1 or factor != int(factor):
        raise refused(path, layer, f" with mode={layer.mode!r}, scale_factor={factor}")
    tape.add("enlarge" if layer.mode == "nearest" else layer.mode, factor=int(factor))


def _pool(tape: Tape, layer: Any, path: str) -> None:
    """Squares side by side: their largest number, or their mean."""
    for fact, right in (
        ("stride", (layer.kernel_size, None)),
        ("padding", (0,)),
        ("dilation", (1,)),
        ("ceil_mode", (False,)),
    ):
        if getattr(layer, fact, right[0]) not in right:
            raise refused(path, layer, f" with {fact}={getattr(layer, fact)}")
    if not isinstance(layer.kernel_size, int):
        raise refused(path, layer, f" with kernel_size={layer.kernel_size}")
    tape.add("pool", side=layer.kernel_size, most=isinstance(layer, nn.MaxPool2d))


def _average(tape: Tape, layer: Any, path: str) -> None:
    if not isinstance(layer.output_size, int):
        raise refused(path, layer, f" with output_size={layer.output_size}")
    tape.add("average", side=layer.output_size)


def _classifier(tape: Tape, net: features.Classifier, path: str) -> None:
    """Of images of at most `features.SIDE` pixels a side; larger ones it makes smaller first."""
    for i, convolution in enumerate(net.convs):
        write_layer(tape, convolution, f"{path}.convs.{i}".strip("."))
        tape.add("activate", name="leaky", slope=0.1)
        if i in (1, 3, 4):
            tape.add("pool", side=2, most=True)
    tape.add("average", side=3)
    write_layer(tape, net.project, f"{path}.project".strip("."))
    tape.add("activate", name="leaky", slope=0.1)
    write_layer(tape, net.classify, f"{path}.classify".strip("."))


def _unflatten(tape: Tape, layer: Any, path: str) -> None:
    if layer.dim != 1 or len(layer.unflattened_size) != 3:
        raise refused(path, layer, f" of dim={layer.dim} to {tuple(layer.unflattened_size)}")
    tape.add("view", shape=list(layer.unflattened_size))


def _activation(name: str, slope: str | None = None) -> Callable[[Tape, Any, str], None]:
    def write(tape: Tape, layer: Any, path: str) -> None:
        tape.add("activate", name=name, slope=getattr(layer, slope) if slope else 0)

    return write


def _residual(tape: Tape, layer: Any, path: str) -> None:
    tape.add("keep")
    write_layer(tape, layer.net, f"{path}.net".strip("."))
    tape.add("plus", scale=layer.scale)


def _dense(tape: Tape, layer: Any, path: str) -> None:
    for i, convolution in enumerate(layer.convolutions):
        last = i + 1 == len(layer.convolutions)
        if not last:
            tape.add("keep")
        write_layer(tape, convolution, f"{path}.convolutions.{i}")
        if not last:
            tape.add("activate", name="leaky", slope=0.2)
            tape.add("join", before=True)


def _code(tape: Tape, net: Any) -> None:
    if net.latent or net.classes:
        tape.add("code", classes=net.classes or 0)


def _u_net(tape: Tape, net: Any, path: str) -> None:
    _code(tape, net)
    for i, down in enumerate(net.down):
        write_layer(tape, down, f"{path}.down.{i}".strip("."))
        if i + 1 < len(net.down):
            tape.add("keep")
    for i, up in enumerate(net.up):
        write_layer(tape, up, f"{path}.up.{i}".strip("."))
        tape.add("join", before=False)
    write_layer(tape, net.last, f"{path}.last".strip("."))


def _residual_generator(tape: Tape, net: Any, path: str) -> None:
    _code(tape, net)
    write_layer(tape, net.net, f"{path}.net".strip("."))


def _super_resolution(tape: Tape, net: Any, path: str) -> None:
    for part in ("enter", "body", "leave"):
        write_layer(tape, getattr(net, part), f"{path}.{part}".strip("."))


def _residual_upsampler(tape: Tape, net: Any, path: str) -> None:
    """The small image waits while it is enlarged, then the large one while the correction is computed."""
    tape.add("keep")
    tape.add("bicubic", factor=net.factor)
    tape.add("swap")
    write_layer(tape, net.net, f"{path}.net".strip("."))
    tape.add("plus", scale=1)


def _nothing(tape: Tape, layer: Any, path: str) -> None:
    pass


_LAYERS: dict[type, Callable[[Tape, Any, str], None]] = {
    nn.Linear: _linear,
    nets.EqualisedLinear: _linear,
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
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    nn.AdaptiveAvgPool2d: _average,
    nn.Unflatten: _unflatten,
    nn.Flatten: lambda tape, layer, path: tape.add("view", shape=[-1, 1, 1]),
    nets.UNet: _u_net,
    nets.ResidualGenerator: _residual_generator,
    nets.SuperResolutionGenerator: _super_resolution,
    nets.ResidualUpsampler: _residual_upsampler,
    features.Classifier: _classifier,
    features.DigitClassifier: _classifier,
    Residual: _residual,
    Dense: _dense,
    nn.PReLU: lambda tape, layer, path: tape.add("prelu", layer.weight),
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
