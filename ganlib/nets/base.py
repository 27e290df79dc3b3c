"""What every network shares: checks at the door, labels, and the ends that generators and discriminators have alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check

__all__ = ["parameters_count"]


def parameters_count(net: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in net.parameters())


def _check_input(name: str, x: Tensor, *sides: int) -> None:
    expected = f"(N, {', '.join(str(side) for side in sides)})"
    _check.shape(name, x, expected, isinstance(x, Tensor) and x.dim() > 0 and x.shape[1:] == sides)
    if not x.is_floating_point():
        raise TypeError(f"{name} must be a tensor of floats, got {x.dtype}")


def _doubling_widths(size: int, width: int) -> list[int]:
    """Channels at each resolution from 4×4 pixels to full size: `width` at the last, twice as many below, up to 512.

    Raises:
        ValueError: size is no power of two from 8, or width not positive.
    """
    if _check.positive_int("size", size) < 8 or size & (size - 1):
        raise ValueError(f"size must be a power of two from 8, got {size}")
    _check.positive_int("width", width)
    return [max(width, min(width * 2**i, 512)) for i in range(size.bit_length() - 3, -1, -1)]


def _check_labels(labels: Tensor | None, classes: int | None, n: int) -> None:
    if classes is None:
        if labels is not None:
            raise ValueError("labels must be left out: this network was made without classes")
        return
    if torch.compiler.is_exporting():  # N is a variable there, and labels have no values
        return
    if labels is None:
        raise ValueError(f"labels must be given: this network is conditional on {classes} classes")
    _check.shape("labels", labels, f"({n},)", isinstance(labels, Tensor) and labels.shape == (n,))
    if labels.dtype != torch.int64:
        raise TypeError(f"labels must be whole numbers (torch.int64), got {labels.dtype}")
    if labels.device.type == "cpu" and n:  # elsewhere the answer would have to be waited for
        low, high = (int(v) for v in labels.aminmax())
        if low < 0 or high >= classes:
            raise ValueError(f"labels must lie between 0 and {classes - 1}, got {low if low < 0 else high}")


def _full_precision(x: Tensor) -> Tensor:
    """Losses and pictures are wanted in float32, whatever autocast computed in."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _remembering(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def remember(net: _Net, /, *args: Any, **kwargs: Any) -> None:
        net.__dict__.setdefault("_made_with", (args, kwargs))  # the outermost of several constructors comes first
        init(net, *args, **kwargs)

    return remember


class _Net(nn.Module):
    """A network that remembers the arguments it was made with, for `nets.describe`."""

    _made_with: tuple[tuple[Any, ...], dict[str, Any]] = (), {}

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _remembering(cls.__init__)  # type: ignore[method-assign]


class LabelCode(nn.Module):
    """Labels (N,) -> vectors (N, width): one-hot, learned, or of width 0 without classes."""

    def __init__(self, classes: int | None, condition: str, width: int) -> None:
        super().__init__()
        self.classes = classes
        learned = classes is not None and condition == "embedding"
        one_hot = classes is not None and condition == "concatenation"
        self.embed = nn.Embedding(cast(int, classes), width) if learned else None
        self.width = width if learned else cast(int, classes) if one_hot else 0

    def forward(self, labels: Tensor, dtype: torch.dtype) -> Tensor:
        if self.embed is not None:
            return cast(Tensor, self.embed(labels)).to(dtype)
        return F.one_hot(labels, cast(int, self.classes)).to(dtype)


class _Generator(_Net):
    """What generators share: `latent`, `classes`, `prior`, and the vector that goes in."""

    prior: str = "normal"
    conditions: tuple[str, ...] = ("concatenation", "embedding")

    def __init__(self, latent: int, classes: int | None, condition: str) -> None:
        super().__init__()
        self.latent = _check.positive_int("latent", latent)
        self.classes = None if classes is None else _check.positive_int("classes", classes)
        _check.one_of("condition", condition, self.conditions)
        self.code = LabelCode(self.classes, condition, self.latent)
        self.inputs = self.latent + self.code.width

    def _enter(self, z: Tensor, labels: Tensor | None) -> Tensor:
        _check_input("z", z, self.latent)
        _check_labels(labels, self.classes, len(z))
        return torch.cat([z, self.code(labels, z.dtype)], 1) if self.code.width else z


class _Discriminator(_Net):
    """What discriminators share: `classes`, and the logit made from features and labels."""

    def __init__(self, classes: int | None, condition: str, embedding: int) -> None:
        super().__init__()
        self.classes = None if classes is None else _check.positive_int("classes", classes)
        _check.one_of("condition", condition, ("concatenation", "embedding", "projection"))
        self.code = LabelCode(self.classes, condition, embedding)
        self.projects = self.classes is not None and condition == "projection"

    def _make_head(self, features: int) -> None:
        self.out = nn.Linear(features, 1)
        if self.projects:
            self.embed = nn.Embedding(cast(int, self.classes), features)
            nn.init.normal_(self.embed.weight, std=features**-0.5)

    def last_features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (N, F) of the last hidden layer, which the logit is made from; arguments as for the logits."""
        raise NotImplementedError

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N,) from samples (N, …) and labels (N,)."""
        return self._logit(self.last_features(x, labels), labels)

    def _logit(self, features: Tensor, labels: Tensor | None) -> Tensor:
        logit = cast(Tensor, self.out(features)).squeeze(1)
        if self.projects:
            logit = logit + (self.embed(labels) * features).sum(1)
        return _full_precision(logit)
