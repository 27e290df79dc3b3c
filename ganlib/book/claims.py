"""Claims: a statement in words, the value that was measured, and the predicate that must be true of it and, where
networks are trained, false of a control. Every chapter ends with its claims; the page lists them and marks those that
do not hold. A false claim stops nothing: rounding differs between processors and training amplifies it, so what does
not hold on a reader's machine is shown with its value, and the rest of the book goes on. First used in chapter 1."""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from numbers import Number
from typing import Any

import numpy as np
import torch

from ganlib import compute

KEY = "ganlib_claim"  # where an output's metadata keep the claim it shows
_NONE: Any = object()


@dataclass(frozen=True)
class Claim:
    """What became of one claim; `tools/build.py` and `tools/processors.py` read it from the metadata of its output."""

    words: str
    kind: str  # "computed", "trained" or "stored"
    holds: bool  # the predicate is true of the value, and false of the control
    judged: bool  # False in a quick run, whose networks are hardly trained
    value: str  # as it is shown
    control: str
    margin: float | None  # share of the way from value to control on which the predicate stays true; None: unknown


def claim(
    words: str,
    holds: bool | Callable[[Any], Any],
    value: object = None,
    *,
    control: object = _NONE,
    stored: bool = False,
) -> None:
    """State a claim, check it, and show words, value and verdict in one line.

    There are three kinds. A claim about training has a `control`, of which the same predicate must be false: the
    untrained network, the shuffled labels, chance, the constant discriminator. In a quick run (`GANLIB_QUICK=1`) such a
    claim is evaluated and shown, but not judged. A claim that only reads a table measured earlier is `stored`. All
    others are computed: false ones are defects on every machine.

    Args:
        words: the claim, as a sentence.
        holds: a predicate of `value`; its answer is a truth value (also of numpy, or a tensor with one element).
            Where there is no control it may be the truth value itself.
        value: what was measured, shown beside the words; floats with four significant digits.
        control: for a claim about training, a value of the same form on which the predicate is false.
        stored: whether the value was read from `ganlib.results`.

    Raises:
        TypeError: `words` is not text, `holds` is no predicate though there is a control, or gives no truth value.
        ValueError: both a control and `stored`.
    """
    if not isinstance(words, str):
        raise TypeError(f"words must be text, got {words!r}")
    trained = control is not _NONE
    if trained and stored:
        raise ValueError("a claim about training has a control, one about a table is stored: choose one")
    if trained and not callable(holds):
        raise TypeError(
            f"with a control, holds must be a predicate of the value such as lambda x: x > 1, got {holds!r}"
        )
    kind = "trained" if trained else "stored" if stored else "computed"
    truth = _truth(holds(value) if callable(holds) else holds)
    separates = not (trained and _truth(holds(control)))  # type: ignore[operator]
    judged = not (trained and compute.quick())
    margin = _margin(holds, value, control) if trained and truth and separates else None  # type: ignore[arg-type]
    shown = _text(control) if trained else ""
    _show(Claim(words, kind, truth and separates, judged, _text(value), shown, margin), separates)


def _truth(holds: object) -> bool:
    if isinstance(holds, (bool, np.bool_)):
        return bool(holds)
    if isinstance(holds, np.ndarray) and holds.dtype == bool and holds.size == 1:
        return bool(holds.item())
    if isinstance(holds, torch.Tensor) and holds.dtype == torch.bool and holds.numel() == 1:
        return bool(holds.item())
    raise TypeError(f"holds must be True or False (or a predicate of the value that returns one), got {holds!r}")


def _margin(holds: Callable[[Any], Any], value: Any, control: Any) -> float | None:
    """The t in (0, 1) at which the predicate of value + t (control − value) turns false, by bisection.

    None where value and control are no numbers of one form, or where the predicate cannot judge what lies between.
    """
    low, high = 0.0, 1.0
    try:
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if _truth(holds(_between(value, control, middle))) else (low, middle)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RuntimeError):
        return None
    return high


def _between(value: Any, control: Any, t: float) -> Any:
    """value + t (control − value), number by number in whatever holds them."""
    if isinstance(value, (bool, np.bool_, str)) or value is None:
        raise TypeError(f"{value!r} is no number")
    if isinstance(value, dict):
        return {key: _between(item, control[key], t) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) != len(control):
            raise ValueError(f"{len(value)} values and {len(control)} controls")
        return type(value)(_between(v, c, t) for v, c in zip(value, control, strict=True))
    if isinstance(value, (torch.Tensor, np.ndarray, Number)) or hasattr(value, "to_numpy"):
        if getattr(value, "dtype", None) in (torch.bool, np.dtype(bool)):
            raise TypeError("truth values are no numbers")
        return value * (1 - t) + control * t
    raise TypeError(f"{value!r} is no number")


def _text(value: object) -> str:
    """The value in a few characters: floats to four significant digits, also inside lists and tuples."""
    if value is None:
        return ""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _text(value.tolist())
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _show(one: Claim, separates: bool) -> None:
    mark = "✓" if one.holds else "✗"
    state = ("true" if one.holds else "false") if one.judged else "untrained"
    remarks = ["from a stored table"] if one.kind == "stored" else []
    if not one.judged:
        remarks += ["not judged in a quick run"]
    elif not separates:
        remarks += ["does not tell value and control apart"]
    elif not one.holds and one.kind == "trained":
        remarks += ["does not hold in this run"]
    control = f"control: {one.control}" if one.control else ""
    parts = [("value", one.value), ("control", control), ("remark", "; ".join(remarks))]
    plain = " · ".join([f"{mark} {one.words}", *(part for _, part in parts if part)])
    if not _in_kernel():
        print(plain)
        return
    from IPython.display import display

    tail = "".join(f' · <span class="claim-{name}">{html.escape(part)}</span>' for name, part in parts if part)
    rich = (
        f'<div class="claim claim-{state}"><span class="claim-mark">{mark}</span> {html.escape(one.words)}{tail}</div>'
    )
    record = {**asdict(one), "margin": one.margin if one.margin is None or math.isfinite(one.margin) else None}
    display({"text/html": rich, "text/plain": plain}, metadata={KEY: record}, raw=True)


def _in_kernel() -> bool:
    """Whether a notebook's kernel runs this; IPython is not imported to find out."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and hasattr(get_ipython(), "kernel")
