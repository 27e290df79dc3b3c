"""Where, how precisely and how long to compute: the device, its number format, how many steps to train here, and the
generators that make every draw a pure function of a key, so that the same seed gives the same numbers and a run can be
resumed exactly. Everything is chosen from hardware flags and environment variables, never from a timing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_map

from ganlib import _check

from .distributed import world

PRECISIONS = ("fp32", "bf16", "fp16")
_FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


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
        return _usable("GANLIB_DEVICE", name)
    if torch.accelerator.is_available():
        found = torch.accelerator.current_accelerator()
        assert found is not None
        return found if world()[1] == 1 else torch.device(found.type, int(os.environ["LOCAL_RANK"]))
    return torch.device("cpu")


def _usable(asked_by: str, name: str) -> torch.device:
    """The device of this name, or a `ValueError` that says who asked for it and lists the ones this machine has."""
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        names = ", ".join(_present())
        raise ValueError(f"{asked_by}={name!r} cannot be used here; choose one of: {names}") from error
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
    """The number format that networks compute in: a half precision that the hardware multiplies fast, else "fp32".

    "bf16" on CUDA from Ampere on and on CPUs with AMX tiles, "fp16" on the CUDA devices before (T4, V100). Decided by
    hardware flags, so a machine always answers the same. The environment variable `GANLIB_PRECISION` overrides it.

    Args:
        device: the device asked about; by default `compute.device()`.

    Returns:
        "bf16", "fp16" or "fp32".

    Raises:
        ValueError: `GANLIB_PRECISION` is none of these.
    """
    name = os.environ.get("GANLIB_PRECISION", "")
    if name:
        _check.one_of("GANLIB_PRECISION", name, PRECISIONS)
        return name
    chosen = _resolved(device)
    if fast_bf16(chosen):
        return "bf16"
    fast_fp16 = (
        chosen.type == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability(chosen) >= (7, 0)
    )
    return "fp16" if fast_fp16 else "fp32"


def _resolved(chosen: torch.device | str | None) -> torch.device:
    try:
        return device() if chosen is None else torch.device(chosen)
    except RuntimeError as error:  # torch lists every kind of device it was ever written for
        raise ValueError(f"device={chosen!r} is no device; choose one of: {', '.join(_present())}") from error


def place(chosen: torch.device | str | None = None) -> torch.device:
    """The device that somebody wants to compute on, once it is seen to work; by default `device()`.

    Raises:
        ValueError: there is no such device here.
    """
    return device() if chosen is None else _usable("device", str(_resolved(chosen)))


def fast_bf16(chosen: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32."""
    if chosen.type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if chosen.type == "cpu":
        return torch.cpu._is_amx_tile_supported()
    return False


def autocast(device: torch.device | str | None = None, precision: str | None = None) -> AbstractContextManager[object]:
    """The context that a network's forward pass runs in: autocast to a half precision, or nothing at all for fp32.

    Args:
        device: by default `compute.device()`.
        precision: "fp32", "bf16" or "fp16"; by default `compute.precision(device)`.

    Returns:
        a fresh context manager.

    Raises:
        ValueError: an unknown precision.
    """
    chosen = _resolved(device)
    if precision is None:
        precision = _precision(chosen)
    _check.one_of("precision", precision, PRECISIONS)
    return nullcontext() if precision == "fp32" else torch.autocast(chosen.type, _FORMATS[precision])


_FULL = 0  # how many `full_precision` are open


@contextmanager
def full_precision(device: torch.device | str) -> Iterator[None]:
    """Within it networks compute in float32, whatever the game's precision: derivatives of gradients lose too much
    otherwise."""
    global _FULL
    _FULL += 1
    try:
        with torch.autocast(torch.device(device).type, enabled=False), whole_products():
            yield
    finally:
        _FULL -= 1


@contextmanager
def whole_products() -> Iterator[None]:
    """Within it float32 means float32: convolutions on CUDA do without TF32, which keeps 10 bits of each factor."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def channels_last(net: nn.Module, device: torch.device) -> nn.Module:
    """The network, on a CPU with the weights of its 2-D convolutions, and so all that they compute, laid out pixel by
    pixel: there oneDNN's convolutions of few channels or large strides, and above all their gradients, are up to twice
    as fast. Only networks made wholly of layers of torch and of this library change, whose forward passes take any
    layout; a network of one's own may `view` what a convolution returned, which needs the usual one."""
    modules = [parametrize.type_before_parametrizations(module).__module__ for module in net.modules()]
    if device.type == "cpu" and all(name.startswith(("torch.nn.", "ganlib.nets.")) for name in modules):
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.to(memory_format=torch.channels_last)
    return net


def running(networks: Iterable[nn.Module], device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Within it each call of one of these networks, or of a part of one, computes in this precision and returns
    float32, whoever makes the call. Losses, which are no networks, stay in float32."""
    return nullcontext() if precision == "fp32" else _running(networks, device, precision)


@contextmanager
def _running(networks: Iterable[nn.Module], device: torch.device, precision: str) -> Iterator[None]:
    modules = {module for net in networks for module in net.modules()}
    entered: list[tuple[nn.Module, AbstractContextManager[object]]] = []

    def enter(module: nn.Module, arguments: Any) -> None:
        if module in modules and not entered and not _FULL:
            context = autocast(device, precision)
            context.__enter__()
            entered.append((module, context))

    def leave(module: nn.Module, arguments: Any, out: Any) -> Any:
        if entered and entered[0][0] is module:
            entered.pop()[1].__exit__(None, None, None)
            return tree_map(lambda x: x.float() if isinstance(x, Tensor) and x.dtype in _FORMATS.values() else x, out)
        return None

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


_precision = precision  # `autocast` has an argument of that name


def describe(device: torch.device | str | None = None, precision: str | None = None) -> str:
    """One line about where this runs, such as "CPU (2 threads), fp32, torch 2.9.0".

    Args:
        device: by default `compute.device()`.
        precision: "bf16" or "fp32"; by default `compute.precision(device)`.
    """
    chosen = _resolved(device)
    number = _precision(chosen) if precision is None else precision
    if chosen.type == "cpu":
        threads = torch.get_num_threads()
        name = f"CPU ({threads} thread{'s' if threads != 1 else ''})"
    elif chosen.type == "cuda":
        name = torch.cuda.get_device_name(chosen)
    else:
        name = chosen.type.upper()
    processes = world()[1]
    shared = f", {processes} processes" if processes > 1 else ""
    return f"{name}, {number}, torch {torch.__version__.split('+')[0]}{shared}"


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


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """torch's own generators, of the CPU and of this device, at this seed, and afterwards as they were.

    What a network draws for itself (Dropout, `torch.randn_like`) comes from them.
    """
    before = torch.default_generator.get_state()
    elsewhere = nullcontext() if device.type == "cpu" else torch.random.fork_rng([device], device_type=device.type)
    with elsewhere:
        try:
            torch.default_generator.manual_seed(seed)
            if device.type != "cpu":
                torch.get_device_module(device).manual_seed(seed)
            yield
        finally:
            torch.default_generator.set_state(before)
