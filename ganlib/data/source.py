"""Temporary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Drawn(NamedTuple):
    real: Tensor
    labels: Tensor | None = None
    inputs: Tensor | None = None


@dataclass
class Feed:
    name: str
    size: int | None
    classes: tuple[str, ...]
    draw: Callable[[int, torch.Generator], Drawn]


def source(data: Any, device: Any = "cpu", dtype: torch.dtype = torch.float32) -> Feed:
    classes = tuple(getattr(data, "classes", ())) if getattr(data, "y", None) is not None else ()
    if isinstance(data, Tensor):
        if data.ndim < 2 or not data.is_floating_point() or len(data) == 0:
            raise ValueError(
                f"data must be a float tensor (N, …) with N > 0, got {data.dtype} of shape {tuple(data.shape)}"
            )
        if data.dtype != dtype:
            raise TypeError(f"data must be {dtype} like the generator's parameters, got {data.dtype}")
        here = data.to(device)
        return Feed(
            f"tensor {tuple(data.shape)}",
            len(data),
            (),
            lambda n, rng: Drawn(here[torch.randint(len(here), (n,), generator=rng).to(device)]),
        )
    if hasattr(data, "draw_pair"):
        pairs = data.to(device)
        return Feed(
            f"{data.name} ({len(data)} pairs)",
            len(data),
            (),
            lambda n, rng: (lambda t: Drawn(t[0], None, t[1]))(pairs.draw_pair(n, rng)),
        )
    if hasattr(data, "draw"):
        moved = data.to(device)
        return Feed(f"{data.name} ({len(data)})", len(data), classes, lambda n, rng: Drawn(*moved.draw(n, rng)))
    if hasattr(data, "sample"):
        return Feed(
            str(getattr(data, "name", type(data).__name__)),
            None,
            (),
            lambda n, rng: Drawn(data.sample(n, rng).to(device)),
        )
    named = ": for a set by its name, ganlib.recipes.load_data(name)" if isinstance(data, str) else ""
    raise TypeError(
        f"data must be a ganlib.data.Dataset, a density of ganlib.toys or a float tensor, got {type(data).__name__}{named}"
    )
