"""Claims: a statement in words and the check that it holds, side by side. Every chapter ends with its claims; the page
shows them as a list with the measured values, and a claim that fails stops the build. First used in chapter 1."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable

import numpy as np
import torch

from ganlib import compute


class ClaimError(AssertionError):
    """A claim does not hold."""


def claim(words: str, holds: bool | Callable[[], bool], value: object = None, trained: bool = False) -> None:
    """State a claim, check it, and show both in one line.

    In a quick run (`GANLIB_QUICK=1`) networks are trained for a few steps only: a claim that depends on training is
    then evaluated and shown, but not judged.

    Args:
        words: the claim, as a sentence.
        holds: whether it holds: a truth value (also of numpy, or a tensor with one element), or a function without
            arguments that returns one.
        value: what was measured, shown beside the words; floats with four significant digits.
        trained: whether the claim depends on a trained network.

    Raises:
        ClaimError: the claim is false (after it has been shown).
        TypeError: `words` is not text, or `holds` is not a truth value.
    """
    if not isinstance(words, str):
        raise TypeError(f"words must be text, got {words!r}")
    truth = _truth(holds() if callable(holds) else holds)
    shown = _text(value)
    judged = not (trained and compute.quick())
    kind = ("true" if truth else "false") if judged else "untrained"
    _show(words, shown, truth, kind)
    if judged and not truth:
        raise ClaimError(words + (f" · {shown}" if shown else ""))


def _truth(holds: object) -> bool:
    if isinstance(holds, (bool, np.bool_)):
        return bool(holds)
    if isinstance(holds, np.ndarray) and holds.dtype == bool and holds.size == 1:
        return bool(holds.item())
    if isinstance(holds, torch.Tensor) and holds.dtype == torch.bool and holds.numel() == 1:
        return bool(holds.item())
    raise TypeError(f"holds must be True or False (or a function that returns one), got {holds!r}")


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


def _show(words: str, shown: str, truth: bool, kind: str) -> None:
    mark = "✓" if truth else "✗"
    remark = "not judged in a quick run" if kind == "untrained" else ""
    plain = " · ".join(part for part in (f"{mark} {words}", shown, remark) if part)
    if not _in_kernel():
        print(plain)
        return
    from IPython.display import display

    tail = "".join(
        f' · <span class="claim-{name}">{html.escape(part)}</span>'
        for name, part in (("value", shown), ("remark", remark))
        if part
    )
    rich = f'<div class="claim claim-{kind}"><span class="claim-mark">{mark}</span> {html.escape(words)}{tail}</div>'
    display({"text/html": rich, "text/plain": plain}, raw=True)


def _in_kernel() -> bool:
    """Whether a notebook's kernel runs this; IPython is not imported to find out."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and hasattr(get_ipython(), "kernel")
