"""Errors at the door: each helper names the argument, says what came, and says what would be right."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

NO_FILE = "; and there is no file or folder called so"
"""Said of a name that is none of ours."""


def one_of(name: str, value: object, valid: Iterable[str], beside: str = "") -> None:
    """Refuse a value that is not one of the valid names.

    Args:
        name: the argument's name, as the caller wrote it.
        value: what came.
        valid: the names that would be right.
        beside: what else would be, said after them.

    Raises:
        ValueError: names the argument, the value and every valid name, close matches first.
    """
    names = list(valid)
    if isinstance(value, str) and value in names:
        return
    close = difflib.get_close_matches(value, names, n=3, cutoff=0.6) if isinstance(value, str) else []
    ordered = close + [other for other in names if other not in close]
    raise ValueError(f"{name}={value!r} is not known; choose one of: {', '.join(ordered)}{beside}")


def positive_int(name: str, value: object, *, minimum: int = 1) -> int:
    """Return a whole number of at least `minimum` as an `int`; floats, bools and text are refused.

    Raises:
        TypeError: the value is not a number at all.
        ValueError: it is a float, or too small.
    """
    message = f"{name} must be a whole number of at least {minimum}, got {value!r}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(message)
    if not isinstance(value, Integral) or int(value) < minimum:
        raise ValueError(message)
    return int(value)


def finite(name: str, value: object, *, minimum: float | None = None) -> float:
    """Return a finite real number as a `float`; NaN, infinities, bools and text are refused.

    Raises:
        TypeError: the value is not a real number.
        ValueError: it is not finite, or below `minimum`.
    """
    wanted = "a finite number" + ("" if minimum is None else f" of at least {minimum:g}")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if not math.isfinite(number) or (minimum is not None and number < minimum):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return number


def tensor(name: str, value: object) -> None:
    """Refuse what is not a tensor, before anyone asks for its shape.

    Raises:
        TypeError: names the argument and the type that came.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")


def shape(name: str, tensor: Tensor, expected: str, ok: bool) -> None:
    """Refuse a tensor whose shape the caller found wrong.

    Args:
        name: the argument's name.
        tensor: what came.
        expected: the right shape in words, such as "(N, 1, 28, 28)".
        ok: whether the shape is right.

    Raises:
        TypeError: what came is not a tensor.
        ValueError: its shape is not the expected one.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor of shape {expected}, got {type(tensor).__name__}")
    if not ok:
        raise ValueError(f"{name} must have shape {expected}, got {tuple(tensor.shape)}")


def outside() -> int:
    """The `stacklevel` at which a warning of the caller's points at the line that called the library."""
    level, frame = 0, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "ganlib":
        level, frame = level + 1, frame.f_back
    return level + 1


def all_finite(name: str, tensor: Tensor) -> None:
    """Refuse a tensor with NaN or infinities, in one pass that keeps nothing.

    Raises:
        ValueError: names the argument.
    """
    if tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
