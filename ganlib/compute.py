"""Where and how long to compute: the device, its precision, how many steps to train here, and the generators that make
every draw a pure function of a key, so that the same seed gives the same numbers and a run can be resumed exactly.
Everything is chosen from hardware flags and environment variables, never from a timing."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral

import torch

from ganlib import _check

PRECISIONS = ("fp32", "bf16")


def device() -> torch.device:
    """Where to compute: the accelerator that torch finds (CUDA, MPS, XPU …), else the CPU.

    The environment variable `GANLIB_DEVICE` overrides it.

    Returns:
        the device, such as `device(type='cuda')`.

    Raises:
        ValueError: `GANLIB_DEVICE` names no device, or one that this machine lacks.
    """
    name = os.environ.get("GANLIB_DEVICE", "")
    if name:
        return _usable(name)
    if torch.accelerator.is_available():
        found = torch.accelerator.current_accelerator()
        assert found is not None
        return found
    return torch.device("cpu")


def _usable(name: str) -> torch.device:
    """The device of this name, or a `ValueError` that lists the ones this machine has."""
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        names = ", ".join(_present())
        raise ValueError(f"GANLIB_DEVICE={name!r} cannot be used here; choose one of: {names}") from error
    return chosen


def _present() -> list[str]:
    """Names of the devices of this machine."""
    names = ["cpu"]
    if torch.accelerator.is_available():
        found = torch.accelerator.current_accelerator()
        assert found is not None
        names += [found.type] + [f"{found.type}:{index}" for index in range(torch.accelerator.device_count())]
    return names


def precision(device: torch.device | str | None = None) -> str:
    """The number format that networks compute in: "bf16" where the hardware multiplies it fast, else "fp32".

    That is CUDA from Ampere on, and CPUs with AMX tiles. Decided by hardware flags, so a machine always answers the
    same. The environment variable `GANLIB_PRECISION` overrides it.

    Args:
        device: the device asked about; by default `compute.device()`.

    Returns:
        "bf16" or "fp32".

    Raises:
        ValueError: `GANLIB_PRECISION` is neither.
    """
    name = os.environ.get("GANLIB_PRECISION", "")
    if name:
        _check.one_of("GANLIB_PRECISION", name, PRECISIONS)
        return name
    return "bf16" if _fast_bf16(_resolved(device)) else "fp32"


def _resolved(chosen: torch.device | str | None) -> torch.device:
    try:
        return device() if chosen is None else torch.device(chosen)
    except RuntimeError as error:  # torch lists every kind of device it was ever written for
        raise ValueError(f"device={chosen!r} is no device; choose one of: {', '.join(_present())}") from error


def _fast_bf16(chosen: torch.device) -> bool:
    if chosen.type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if chosen.type == "cpu":
        return torch.cpu._is_amx_tile_supported()
    return False


def autocast(device: torch.device | str | None = None, precision: str | None = None) -> AbstractContextManager[object]:
    """The context that a network's forward pass runs in: bf16 autocast, or nothing at all for fp32.

    Args:
        device: by default `compute.device()`.
        precision: "bf16" or "fp32"; by default `compute.precision(device)`.

    Returns:
        a fresh context manager.

    Raises:
        ValueError: an unknown precision.
    """
    chosen = _resolved(device)
    if precision is None:
        precision = _precision(chosen)
    _check.one_of("precision", precision, PRECISIONS)
    return torch.autocast(chosen.type, torch.bfloat16) if precision == "bf16" else nullcontext()


_precision = precision  # `autocast` has an argument of that name


def describe() -> str:
    """One line about where this runs, such as "CPU (2 threads), fp32, torch 2.9.0"."""
    chosen = device()
    if chosen.type == "cpu":
        threads = torch.get_num_threads()
        name = f"CPU ({threads} thread{'s' if threads != 1 else ''})"
    elif chosen.type == "cuda":
        name = torch.cuda.get_device_name(chosen)
    else:
        name = chosen.type.upper()
    return f"{name}, {precision(chosen)}, torch {torch.__version__.split('+')[0]}"


def quick() -> bool:
    """Whether this is a quick run (`GANLIB_QUICK=1`): every budget cut to a few steps, to prove that all cells run."""
    return os.environ.get("GANLIB_QUICK", "") == "1"


def budget(cpu: int, gpu: int | None = None, quick: int = 3) -> int:
    """How many steps to train here.

    Args:
        cpu: the number on a CPU.
        gpu: the number on an accelerator; by default the same.
        quick: the number in a quick run, if that is less.

    Returns:
        the number of steps.

    Raises:
        TypeError, ValueError: a number of steps that is not a whole number of at least 1.
    """
    cpu = _check.positive_int("cpu", cpu)
    gpu = cpu if gpu is None else _check.positive_int("gpu", gpu)
    quick = _check.positive_int("quick", quick)
    steps = cpu if device().type == "cpu" else gpu
    return min(quick, steps) if _is_quick() else steps


_is_quick = quick  # `budget` has an argument of that name


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator that is a pure function of its key: equal keys draw equal numbers, on every machine and run.

    Any other key gives an unrelated stream, so draws may be keyed by (seed, step, player, turn, purpose) and nothing
    about random numbers has to be stored to resume a run.

    Args:
        *key: whole numbers and text; 1 and "1" differ, and so do ("ab", "c") and ("a", "bc").

    Returns:
        a fresh generator, seeded with the first 63 bits of BLAKE2b of the key.

    Raises:
        TypeError: no key, or a part that is neither a whole number nor text.
    """
    if not key:
        raise TypeError("key must have at least one whole number or text, got none")
    parts: list[int | str] = []
    for part in key:
        if isinstance(part, bool) or not isinstance(part, (Integral, str)):
            raise TypeError(f"key must be whole numbers and text, got {part!r}")
        parts.append(str(part) if isinstance(part, str) else int(part))
    digest = hashlib.blake2b(repr(tuple(parts)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
