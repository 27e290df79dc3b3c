"""The eyes that generated images are judged with: encoders, which make of images the features distances are taken in.

Fréchet distances are measured in the features of a network trained on the kind of image in question (Heusel et al.
2017, https://arxiv.org/abs/1706.08500, took Inception for photographs). Features of photographs mean little for digits,
so a small convolutional classifier of handwritten digits was trained by `tools/train_features.py` on the 4000 training
digits, shifted, turned and scaled at random; the 1000 test digits were never shown to it. Its weights travel in the
package, and it is always frozen. `train` makes such a classifier of any labelled images, and `get` finds an encoder by
its name, Inception and the reader's own among them.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import _check, compute
from .data import Dataset, digest
from .data.files import cache as cache_folder
from .data.online import no_endless_wait

NAMES = ("pixels", "digits", "inception", "classes")
"""Encoders that `get` knows."""
STEPS = 500
"""For which the classifier of "classes" is trained."""
FEATURES = 64
"""The number of features of an image, by `digit_features` and by a `Classifier`."""
SIDE = 32
"""Of larger images a `Classifier` sees so many pixels."""
_CHUNK = 500
_ROUNDING = 0.01
"""How far beyond [-1, 1] an image may reach: more than any way to scale 0 … 255 does."""

Encoder = Callable[[Tensor], Tensor]
"""uint8 images (N, C, H, W) -> features (N, F)."""


class Classifier(nn.Module):
    """Five 3×3 convolutions, a layer of 64 features, logits: 72 000 parameters and no normalisation layers.

    The features are scaled so that each has variance 1 over the training images.

    Args:
        channels: of the images.
        classes: how many.
        dropout: share of what is dropped before both linear layers while it is trained.
    """

    def __init__(self, channels: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        widths = (channels, 16, 16, 32, 32, 64)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(64 * 3 * 3, FEATURES)
        self.classify = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """(N, C, H, W) floats in [-1, 1], of sides from 8 -> (N, 64) penultimate features."""
        x = F.interpolate(images, (SIDE, SIDE), mode="area") if min(images.shape[2:]) > SIDE else images
        for i, conv in enumerate(self.convs):
            x = F.leaky_relu(conv(x), 0.1)
            if i in (1, 3, 4):  # 28 -> 14 -> 7 -> 3
                x = F.max_pool2d(x, 2)
        x = F.adaptive_avg_pool2d(x, 3)
        return F.leaky_relu(self.project(self.dropout(x.flatten(1))), 0.1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) floats in [-1, 1] -> (N, classes) logits."""
        return self.classify(self.dropout(self.features(images)))


class DigitClassifier(Classifier):
    """The `Classifier` of digits, (N, 1, 28, 28) -> 10 logits. First used in chapter 10."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__(1, 10, dropout)


def distort(images: Tensor, rng: torch.Generator) -> Tensor:
    """(N, C, H, W): turned by up to 15°, scaled and sheared by up to 15 %, shifted by a tenth of its side at most."""
    n = len(images)
    angle, stretch, squeeze, shear, right, down = torch.rand(6, n, generator=rng).mul(2).sub(1)
    angle, scale_x, scale_y = angle * math.radians(15), 1 + 0.15 * stretch, 1 + 0.15 * squeeze
    cos, sin, shear = angle.cos(), angle.sin(), 0.15 * shear
    rows = (scale_x * cos, scale_x * (shear * cos - sin), 3 / 14 * right, scale_y * sin, scale_y * (shear * sin + cos))
    matrix = torch.stack([*rows, 3 / 14 * down], dim=1).view(n, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train(pictures: Dataset, steps: int = 500, batch: int = 64, seed: int = 0) -> Classifier:
    """A classifier of labelled images, whose features are those of this kind of image.

    Adam with a one-cycle schedule, label smoothing, dropout, and images that are distorted at random; what is returned
    is the running average over the steps. The same numbers on the same machine for the same seed.

    Args:
        pictures: images with labels of at least two classes; some hundreds of each make good features. Keep some back,
            and look at `accuracy` there: features of a classifier that learned nothing mean nothing.
        steps: of the optimizer; 500 take half a minute on one core.
        batch: images a step.
        seed: of weights, order and distortions.

    Raises:
        ValueError: no images, no labels, or a single class.
    """
    if not pictures.is_image or pictures.y is None or len(pictures.y.unique()) < 2:
        raise ValueError(f"pictures must be images with labels of at least two classes, got {pictures!r}")
    _check.positive_int("steps", steps)
    _check.positive_int("batch", batch)
    rng = torch.Generator().manual_seed(_check.positive_int("seed", seed, minimum=0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Classifier(pictures.image_shape[0], len(pictures.classes), dropout=0.3)
        average = Classifier(pictures.image_shape[0], len(pictures.classes)).requires_grad_(False).eval()
        average.load_state_dict(net.state_dict())
        optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.15)
        for step in range(steps):
            chosen = torch.randint(len(pictures), (batch,), generator=rng)
            logits = net(distort(_floats(pictures.x[chosen]), rng))
            loss = F.cross_entropy(logits, pictures.y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            beta = min(0.998, (1 + step) / (10 + step))
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now.detach(), 1 - beta)
    rescale(average, pictures.x)
    return average


@torch.no_grad()
def rescale(net: Classifier, images: Tensor) -> None:
    """Give each feature variance 1 over the images. Leaky ReLU commutes with a positive factor, so the logits stay."""
    std = torch.cat([net.features(_floats(some)) for some in images.split(_CHUNK)]).std(0).clamp(min=1e-6)
    net.project.weight.div_(std[:, None])
    net.project.bias.div_(std)
    net.classify.weight.mul_(std)


@torch.no_grad()
def accuracy(net: Classifier, pictures: Dataset) -> float:
    """The share of labelled images whose class the classifier tells."""
    assert pictures.y is not None
    told = torch.cat([net(_floats(some)).argmax(1) for some in pictures.x.split(_CHUNK)])
    return (told == pictures.y).double().mean().item()


def _floats(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images


@cache
def digit_classifier() -> DigitClassifier:
    """The trained classifier, on the CPU, frozen, in evaluation mode; read from the package once.

    First used in chapter 10.

    Returns:
        A network (N, 1, 28, 28) -> (N, 10) logits with a method `features`, (N, 1, 28, 28) -> (N, 64).
    """
    from safetensors.torch import load_file

    net = DigitClassifier()
    with as_file(files("ganlib") / "assets" / "digits.safetensors") as path:
        net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return net.requires_grad_(False).eval()


def digit_features(images: Tensor) -> Tensor:
    """The features that digits are compared in. First used in chapter 10.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8, on any device.

    Returns:
        (N, 64) float32, on the CPU.

    Raises:
        TypeError, ValueError: images of another type or shape, or floats outside [-1, 1].
    """
    return _in_chunks(digit_classifier().features, images)


def digit_logits(images: Tensor) -> Tensor:
    """What the classifier takes digits for. First used in chapter 10.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8, on any device.

    Returns:
        (N, 10) logits, float32, on the CPU.

    Raises:
        TypeError, ValueError: images of another type or shape, or floats outside [-1, 1].
    """
    return _in_chunks(digit_classifier(), images)


def classifier(pictures: Dataset) -> Classifier:
    """The classifier that `train` makes of these images, trained once, so that runs on one data set are seen alike.

    It is kept in the folder `classes` of the cache of `data.load`.

    Args:
        pictures: images with labels of at least two classes.

    Raises:
        ValueError: no images, no labels, or a single class.
    """
    from safetensors.torch import load_file, save_file

    if pictures.y is None:
        raise ValueError(f"features 'classes' need labelled images, and {pictures.name} has no labels")
    key = f"{digest(pictures)} {pictures.y.tolist()} {pictures.classes} {STEPS}"
    path = cache_folder() / "classes" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    if path.exists():
        net = Classifier(pictures.image_shape[0], len(pictures.classes))
        net.load_state_dict(load_file(path))
        return net.requires_grad_(False).eval()
    net = train(pictures, STEPS)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    save_file(net.state_dict(), part)
    os.replace(part, path)
    return net


def get(name: str, pictures: Dataset | None = None) -> Encoder:
    """An encoder by its name.

    Args:
        name: "pixels": 8×8 pixels, 64 features a channel. "digits": `digit_features`. "inception": the 2048 features of
            FID, by torch-fidelity (the extra `inception` of ganlib), whose weights it keeps or fetches once, 91 MB.
            "classes": those of `train` on `pictures`; trained once, then kept in the folder of `data.load`'s cache.
            "module:function": the reader's own, of uint8 images (N, C, H, W), C 1 or 3, to features (N, F), from a
            module that can be imported, in evaluation mode and on whatever device: `encode` takes care of the rest.
        pictures: labelled images for "classes".

    Returns:
        uint8 images (N, C, H, W) -> features (N, F), for `encode`.

    Raises:
        ValueError: an unknown name, no such module or function, or "classes" without labelled images.
        ModuleNotFoundError: torch-fidelity is not installed.
        OSError: Inception's weights are not there and cannot be fetched, or are damaged.
    """
    if ":" in name:
        return _own(name)
    if name not in NAMES:
        _check.one_of("features", name, [*NAMES, "MODULE:FUNCTION"])
    if name == "inception":
        return _inception()
    if name != "classes":
        return pixels if name == "pixels" else digit_features
    if pictures is None:
        raise ValueError("features 'classes' are those of a classifier: give it labelled images to learn from")
    net = classifier(pictures)
    return lambda images: net.features(_floats(images))


@torch.no_grad()
def encode(encoder: Encoder, images: Tensor, name: str = "the encoder") -> Tensor:
    """Features of images, a few hundred at a time.

    Args:
        encoder: uint8 images (N, C, H, W) -> features (N, F), a tensor or an array of numpy.
        images: (N, C, H, W), uint8 or floats in [-1, 1]: these become uint8, as they would be written to a file.
        name: what an error calls the encoder.

    Returns:
        (N, F) float32, on the CPU.

    Raises:
        ValueError: images of another shape, or features of another shape, or that are not finite.
        RuntimeError: the encoder failed.
    """
    _check.shape("images", images, "(N, C, H, W) with N ≥ 1", images.ndim == 4 and len(images) > 0)
    found: list[Tensor] = []
    for some in images.split(_CHUNK):
        if some.dtype != torch.uint8:
            some = ((some.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        try:
            values = torch.as_tensor(encoder(some))
        except Exception as error:
            of = f"images {tuple(some.shape)} {some.dtype}"
            raise RuntimeError(f"{name} failed on {of}: {type(error).__name__}: {error}") from error
        width = found[0].shape[1] if found else "F"
        ok = values.ndim == 2 and len(values) == len(some) and width in ("F", values.shape[1]) and values.numel() > 0
        _check.shape(f"what {name} returns", values, f"({len(some)}, {width})", ok)
        found.append(values.detach().float().cpu())
        _check.all_finite(f"what {name} returns", found[-1])
    return torch.cat(found)


def pixels(images: Tensor) -> Tensor:
    """Images (N, C, H, W), floats in [-1, 1] or uint8, at 8×8 pixels: (N, 64 C) float32.

    They show colours and coarse shapes and where these are; of edges, texture and sharpness nothing.
    """
    scaled = (_floats(some) for some in images.split(_CHUNK))
    return torch.cat([F.adaptive_avg_pool2d(some.clamp(-1, 1), 8).flatten(1) for some in scaled])


def _own(name: str) -> Encoder:
    place, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(place), function, None)
    except (ModuleNotFoundError, ValueError, TypeError) as error:  # not "", ".x"
        raise ValueError(f"features={name!r}: {error}; MODULE:FUNCTION is looked for as Python imports it") from None
    if not callable(found):
        raise ValueError(f"features={name!r}: {place} has no function {function!r}")
    return found


def _inception() -> Encoder:
    """torch-fidelity's network, which is that of the first FIDs, from the file that torch-fidelity keeps itself."""
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as fidelity
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "torch-fidelity is not installed: pip install torch-fidelity, the extra inception of ganlib"
        ) from None
    address = fidelity.URL_INCEPTION_V3
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]
    begins = path.stem.rsplit("-", 1)[-1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with no_endless_wait():
                torch.hub.download_url_to_file(address, str(path), begins, progress=False)
        except (OSError, RuntimeError) as error:
            raise OSError(f"the weights of Inception cannot be fetched ({error}): bring {address} to {path}") from None
    if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(begins):
        raise OSError(f"{path} is damaged: delete it, and it is fetched again from {address}")
    where = compute.device()
    net = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path)).to(where)

    def encoder(images: Tensor) -> Tensor:
        colour = images.expand(-1, 3, -1, -1)
        return torch.cat([net(some.to(where))[0].cpu() for some in colour.split(50)])

    return encoder


@torch.no_grad()
def _in_chunks(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    ok = isinstance(images, Tensor) and images.ndim == 4 and images.shape[1:] == (1, 28, 28) and len(images) > 0
    _check.shape("images", images, "(N, 1, 28, 28) with N ≥ 1", ok)
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"images must be floats in [-1, 1] or uint8, got {images.dtype}")
    images = _floats(images.detach()).float().cpu()
    _check.all_finite("images", images)
    low, high = (value.item() for value in images.aminmax())
    if low < -1 - _ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(f"images must be floats in [-1, 1] or uint8, got floats from {low:.4g} to {high:.4g}")
    return torch.cat([function(chunk) for chunk in images.split(_CHUNK)])
