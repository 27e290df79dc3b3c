"""Where and how long to compute: the device, its precision, the processes that share the work, how many steps to train
here, and the generators that make every draw a pure function of a key, so that the same seed gives the same numbers
and a run can be resumed exactly. Everything is chosen from hardware flags and environment variables, never from a
timing."""

from __future__ import annotations

import atexit
import hashlib
import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from numbers import Integral
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

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


def _asked(chosen: torch.device | str | None) -> torch.device:
    """The device that somebody wants to compute on, once it is seen to work; by default `device()`."""
    return device() if chosen is None else _usable("device", str(_resolved(chosen)))


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


# ---- several processes that play one game -------------------------------------------------------------------------
#
# `torchrun` starts them; each draws the global batch and keeps its own rows. A player's loss is the mean over processes
# of what each computes from its rows, and so is its gradient. What looks at more than one sample asks for everyone's.


_BY_TORCHRUN = dist.is_available() and dist.is_torchelastic_launched()  # asked once: `world` is, several times a round


def world() -> tuple[int, int]:
    """This process's number and how many play together: (0, 1) unless `torchrun` started several.

    The first call joins the others: over NCCL on CUDA, over Gloo on CPUs. One that hangs for ten minutes, and one that
    dies, ends the others with an error.
    """
    if not _BY_TORCHRUN and not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    if not dist.is_initialized():
        if torch.accelerator.is_available():
            torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(timeout=timedelta(minutes=10))
        atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


def own_rows(x: Tensor) -> Tensor:
    """This process's rows of a global batch: an equal share, in the order of the processes."""
    rank, size = world()
    return x if size == 1 else x.tensor_split(size)[rank]


class _Total(torch.autograd.Function):
    """The sum over processes. Whatever of it one of them uses, all contributed to: its gradient is the sum as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _total(gradient)


def _total(x: Tensor) -> Tensor:
    return cast(Tensor, _Total.apply(x))


def gather(x: Tensor) -> Tensor:
    """Everyone's rows, (N, …) -> (N · processes, …) in their order; gradients flow back to whoever they came from.

    For what is not a mean over samples: statistics of a batch, relativistic averages, distances between samples.
    Every process must call it, with the same shape.
    """
    rank, size = world()
    if size == 1:
        return x
    around = (rank * len(x), (size - 1 - rank) * len(x))
    return _total(F.pad(x, (0, 0) * (x.dim() - 1) + around))


@torch.no_grad()
def average(tensors: list[Tensor]) -> list[Tensor]:
    """The means over processes, as one flat message; the tensors themselves where there is one process."""
    size = world()[1]
    if size == 1 or not tensors:
        return tensors
    flat = torch.cat([x.detach().reshape(-1) for x in tensors])
    dist.all_reduce(flat)
    parts = flat.div_(size).split([x.numel() for x in tensors])
    # each in the order of its original in storage, which a fused optimizer takes to be that of the parameter
    return [torch.empty_like(x).copy_(part.view_as(x)) for part, x in zip(parts, tensors, strict=True)]


@torch.no_grad()
def share(tensors: list[Tensor]) -> None:
    """Overwrite these tensors by those of the first process."""
    if world()[1] > 1:
        for x in tensors:
            dist.broadcast(x, 0)


def agree(stop: bool, seconds: float, device: torch.device) -> tuple[bool, float]:
    """Whether any process wants to stop, and the first one's clock: all end after the same round."""
    rank, size = world()
    if size == 1:
        return stop, seconds
    said = torch.tensor([float(stop), seconds if rank == 0 else 0.0], device=device)
    dist.all_reduce(said)
    return bool(said[0] > 0), float(said[1])


def as_one(rng: torch.Generator, rows: int) -> AbstractContextManager[object]:
    """Within it several processes compute as one would: BatchNorm sees the global batch, and what is drawn from `rng`
    for each of the `rows` is each one's share of a global draw. Nothing at all where there is one process."""
    return nullcontext() if world()[1] == 1 else _AsOne(rng, rows)


class _AsOne(TorchFunctionMode):
    def __init__(self, rng: torch.Generator, rows: int) -> None:
        super().__init__()
        self.rng, self.rows = rng, rows

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is F.batch_norm and kwargs.get("training"):
            return _batch_norm(*args, **kwargs)
        if func in (torch.rand, torch.randn, torch.randint) and kwargs.get("generator") is self.rng:
            if "size" in kwargs:
                bounds, shape = args, kwargs.pop("size")
            elif func is torch.randint or len(args) == 1:
                bounds, shape = args[:-1], args[-1]
            else:
                bounds, shape = (), args
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            if shape and shape[0] == self.rows:
                return own_rows(func(*bounds, (self.rows * world()[1], *shape[1:]), **kwargs))
            return func(*bounds, shape, **kwargs)
        return func(*args, **kwargs)


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167) by the statistics of all."""
    size, full = world()[1], x.double() if x.dtype == torch.float64 else x.float()
    dims, wide = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
    mean = _total(full.mean(dims)) / size
    centred = full - mean.view(wide)
    var = _total(centred.square().mean(dims)) / size
    n = full.numel() // full.shape[1] * size
    with torch.no_grad():
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * n / (n - 1)).to(running_var.dtype), momentum)
    out = centred * (var + eps).rsqrt().view(wide)
    out = out if weight is None else out * weight.view(wide)
    return (out if bias is None else out + bias.view(wide)).to(x.dtype)
