"""The eye that generated digits are judged with: a small convolutional classifier of handwritten digits, trained here.

Fréchet distances are measured in the features of a network trained on the kind of image in question (Heusel et al.
2017, https://arxiv.org/abs/1706.08500, took Inception for photographs). Features of photographs mean little for digits,
so this network was trained by `tools/train_features.py` on the 4000 training digits, shifted, turned and scaled at
random; the 1000 test digits were never shown to it. Its weights travel in the package, and it is always frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import as_file, files
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import _check

FEATURES = 64
"""The number of features of an image."""
_CHUNK = 500
_ROUNDING = 0.01
"""How far beyond [-1, 1] an image may reach: more than any way to scale 0 … 255 does."""


class DigitClassifier(nn.Module):
    """Five 3×3 convolutions, a layer of 64 features, ten logits: 72 000 parameters and no normalisation layers.

    First built in chapter 10.

    The features are scaled so that each has variance 1 over the training digits.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        widths = (1, 16, 16, 32, 32, 64)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(64 * 3 * 3, FEATURES)
        self.classify = nn.Linear(FEATURES, 10)

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) floats in [-1, 1] -> (N, 64) penultimate features."""
        x = images
        for i, conv in enumerate(self.convs):
            x = F.leaky_relu(conv(x), 0.1)
            if i in (1, 3, 4):  # 28 -> 14 -> 7 -> 3
                x = F.max_pool2d(x, 2)
        return F.leaky_relu(self.project(self.dropout(x.flatten(1))), 0.1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) floats in [-1, 1] -> (N, 10) logits."""
        return self.classify(self.dropout(self.features(images)))


@cache
def digit_classifier() -> DigitClassifier:
    """The trained classifier, on the CPU, frozen, in evaluation mode; read from the package once.

    First built in chapter 10.

    Returns:
        A network (N, 1, 28, 28) -> (N, 10) logits with a method `features`, (N, 1, 28, 28) -> (N, 64).
    """
    from safetensors.torch import load_file

    net = DigitClassifier()
    with as_file(files("ganlib") / "assets" / "digits.safetensors") as path:
        net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return net.requires_grad_(False).eval()


def digit_features(images: Tensor) -> Tensor:
    """The features that digits are compared in. First built in chapter 10.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8, on any device.

    Returns:
        (N, 64) float32, on the CPU.

    Raises:
        TypeError, ValueError: images of another type or shape, or floats outside [-1, 1].
    """
    return _in_chunks(digit_classifier().features, images)


def digit_logits(images: Tensor) -> Tensor:
    """What the classifier takes digits for. First built in chapter 10.

    Args:
        images: (N, 1, 28, 28), floats in [-1, 1] or uint8, on any device.

    Returns:
        (N, 10) logits, float32, on the CPU.

    Raises:
        TypeError, ValueError: images of another type or shape, or floats outside [-1, 1].
    """
    return _in_chunks(digit_classifier(), images)


@torch.no_grad()
def _in_chunks(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    ok = isinstance(images, Tensor) and images.ndim == 4 and images.shape[1:] == (1, 28, 28) and len(images) > 0
    _check.shape("images", images, "(N, 1, 28, 28) with N ≥ 1", ok)
    if images.dtype == torch.uint8:
        images = images.float() / 127.5 - 1
    elif not images.is_floating_point():
        raise TypeError(f"images must be floats in [-1, 1] or uint8, got {images.dtype}")
    images = images.detach().float().cpu()
    _check.all_finite("images", images)
    low, high = (value.item() for value in images.aminmax())
    if low < -1 - _ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(f"images must be floats in [-1, 1] or uint8, got floats from {low:.4g} to {high:.4g}")
    return torch.cat([function(chunk) for chunk in images.split(_CHUNK)])
