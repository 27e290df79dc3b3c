"""Several processes that play one game, which `torchrun` starts: the numbers are those of one process.

Each draws the global batch and keeps its own rows. A player's loss is the mean over processes of what each computes
from its rows, and so is its gradient. What looks at more than one sample asks for everyone's: `gather` rows, or take
the `global_mean`. Within a turn `as_one` sees to the rest: BatchNorm takes the statistics of all, and whatever a
network or a loss draws for each of its rows is its share of one global draw.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_BY_TORCHRUN = dist.is_available() and dist.is_torchelastic_launched()  # asked once: `world` is, several times a round
_ALONE = False


def world() -> tuple[int, int]:
    """This process's number and how many play together: (0, 1) unless `torchrun` started several.

    The first call joins the others: over NCCL on CUDA, over Gloo on CPUs. One that hangs for ten minutes, and one that
    dies, ends the others with an error.
    """
    if _ALONE or not (_BY_TORCHRUN or (dist.is_available() and dist.is_initialized())):
        return 0, 1
    if not dist.is_initialized():
        if torch.accelerator.is_available():
            torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(timeout=timedelta(minutes=10))
        atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def alone() -> Iterator[None]:
    """Within it this process computes as if it were the only one: `world()` is (0, 1), nothing is gathered."""
    global _ALONE
    before, _ALONE = _ALONE, True
    try:
        yield
    finally:
        _ALONE = before


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


def global_mean(x: Tensor) -> Tensor:
    """The mean over processes of tensors of one shape, with gradients: of x.mean(0), the mean over the global batch."""
    size = world()[1]
    return x if size == 1 else _total(x) / size


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


def everyone(facts: object) -> list[Any]:
    """What each process says, in their order."""
    said: list[Any] = [facts] * world()[1]
    if len(said) > 1:
        dist.all_gather_object(said, facts)
    return said


def agree(
    interrupted: bool, stopped: bool, seconds: float, seen: list[Any], device: torch.device
) -> tuple[bool, bool, float, list[Any]]:
    """Whether any process is interrupted, or stopped, the first one's clock, and what it has seen: all end after the
    same round, with one record."""
    rank, size = world()
    if size == 1:
        return interrupted, stopped, seconds, seen
    first = rank == 0
    said = [float(interrupted), float(stopped), seconds if first else 0.0, float(len(seen)) if first else 0.0]
    heard = torch.tensor(said, device=device)
    dist.all_reduce(heard)
    box = [seen]
    if heard[3] > 0:
        dist.broadcast_object_list(box, 0, device=device)
    return bool(heard[0] > 0), bool(heard[1] > 0), float(heard[2]), box[0] if heard[3] > 0 else []


def as_one(rows: int) -> AbstractContextManager[object]:
    """Within it several processes compute as one would: BatchNorm sees the global batch, and of what is drawn for each
    of the `rows` (or for a multiple of them, batches one after the other), with whichever generator, each process takes
    its share of a global draw. Nothing at all where there is one process.

    Raises:
        NotImplementedError: within it, at a random layer without such a share (attention with dropout, alpha dropout).
    """
    return nullcontext() if world()[1] == 1 else _AsOne(rows)


_OF_A_SHAPE = (torch.rand, torch.randn, torch.randint)
_LIKE = (torch.rand_like, torch.randn_like, torch.randint_like)
_IN_PLACE = {getattr(Tensor, n) for n in ("normal_", "uniform_", "random_", "exponential_", "log_normal_", "cauchy_")}
_DROPOUT = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d)
_INDIVISIBLE = (F.alpha_dropout, F.feature_alpha_dropout, F.rrelu, F.multi_head_attention_forward)


class _AsOne(TorchFunctionMode):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is F.batch_norm and kwargs.get("training"):
            return _batch_norm(*args, **kwargs)
        if func in _OF_A_SHAPE:
            if "size" in kwargs:
                bounds, shape = args, kwargs.pop("size")
            elif func is torch.randint or (len(args) == 1 and not isinstance(args[0], int)):
                bounds, shape = args[:-1], args[-1]
            else:
                bounds, shape = (), args
            if self._shared(shape):
                return self._own(func(*bounds, self._wide(shape), **kwargs))
            return func(*bounds, tuple(shape), **kwargs)
        if func in _LIKE and self._shared(args[0].shape):
            return self._own(func(args[0].new_empty(self._wide(args[0].shape)), *args[1:], **kwargs))
        if func in _IN_PLACE and self._shared(args[0].shape):
            drawn = func(args[0].detach().new_empty(self._wide(args[0].shape)), *args[1:], **kwargs)
            with torch.no_grad():
                return args[0].copy_(self._own(drawn))
        if func is torch.bernoulli and self._shared(args[0].shape):
            return self._own(func(gather(args[0].detach()), *args[1:], **kwargs))
        if func in _DROPOUT and self._shared(args[0].shape) and kwargs.get("training", True):
            share = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            kept = func(args[0].detach().new_ones(self._wide(args[0].shape)), share, True)
            return args[0] * self._own(kept)
        if func in _INDIVISIBLE and kwargs.get("training") and kwargs.get("dropout_p", 1.0):
            raise NotImplementedError(f"{func.__name__} draws what several processes cannot share: use one process")
        return func(*args, **kwargs)

    def _shared(self, shape: Any) -> bool:
        """Whether a draw of this shape holds so many numbers for each row."""
        return len(shape) > 0 and shape[0] > 0 and shape[0] % self.rows == 0

    def _wide(self, shape: Any) -> tuple[int, ...]:
        return (shape[0] * world()[1], *shape[1:])

    def _own(self, drawn: Tensor) -> Tensor:
        """Of each batch of a global draw this process's rows."""
        rank, size = world()
        return drawn.unflatten(0, (-1, size, self.rows))[:, rank].flatten(0, 1)


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
