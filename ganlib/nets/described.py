"""A network as plain JSON, and the network again: what a file needs beside the weights to be loaded by itself.

A description holds the name of a class of this package and the arguments it was made with, defaults included. Nothing
else can be named in it, so that reading one from a file runs no code but constructors of this package.
"""

from __future__ import annotations

import inspect
from numbers import Integral, Real
from typing import Any, cast

import torch
from torch import Tensor, nn

from ganlib.nets import (
    blocks,
    clustered,
    encoders,
    images,
    imputers,
    points,
    progressive,
    r3gan,
    sequences,
    style,
    translation,
)
from ganlib.nets.base import _Net

__all__ = ["build", "describe"]

_MODULES = (
    *(blocks, clustered, encoders, images, imputers, points),
    *(progressive, r3gan, sequences, style, translation),
)
_PUBLIC = {name: getattr(module, name) for module in _MODULES for name in module.__all__}
_CLASSES: dict[str, type[_Net]] = {name: kind for name, kind in _PUBLIC.items() if isinstance(kind, type)}
_OTHERWISE = "make the network yourself, and pass it as net=…"


class _Foreign(Exception):
    """Something that is neither of this package nor plain."""


def describe(net: nn.Module) -> dict[str, Any] | None:
    """What `build` makes the network again from, in plain JSON; its weights are not in it.

    A network of this package, with other networks of it among its arguments (`Packed`, `Autoencoder`, …), or an
    `nn.ModuleDict` of them.

    Returns:
        The description, or None where there is none: a network in it is not of this package, or was changed after it
        was made, so that its arguments no longer tell what it is.

    Example:
        >>> from ganlib import nets
        >>> nets.describe(nets.MinibatchStd(8))
        {'class': 'MinibatchStd', 'arguments': {'group': 8}}
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, got {net!r}")
    try:
        description = cast(dict[str, Any], _to_plain(net))
    except _Foreign:
        return None
    with torch.device("meta"):  # takes no memory and draws no numbers
        again = build(description)
    return description if _outline(again) == _outline(net) else None


def build(description: dict[str, Any]) -> nn.Module:
    """The network of a description from `describe`, its weights drawn as its constructor draws them.

    `load_state_dict` then gives it the weights it had; dtype and device are not described, but stay those of the
    weights with `assign=True`. Under `torch.device("meta")` nothing is drawn before that.

    Raises:
        TypeError, ValueError: not a description, or of a class that is not of this package.
    """
    if not isinstance(description, dict):
        raise TypeError(f"description must be a dict made by nets.describe, got {description!r}; {_OTHERWISE}")
    net = _from_plain(description)
    if not isinstance(net, nn.Module):
        raise ValueError(f"description must be that of a network, got one of a {type(net).__name__}")
    return net


def _outline(net: nn.Module) -> tuple[str, dict[str, torch.Size]]:
    return repr(net), {name: value.shape for name, value in net.state_dict().items()}


def _to_plain(value: object) -> object:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, list):
        return [_to_plain(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_to_plain(item) for item in value]}
    if isinstance(value, Tensor):
        return {"tensor": value.tolist(), "dtype": str(value.dtype).removeprefix("torch.")}
    if type(value) is nn.ModuleDict:
        return {"modules": {name: _to_plain(net) for name, net in value.items()}}
    name = type(value).__name__
    if not isinstance(value, _Net) or _CLASSES.get(name) is not type(value):
        raise _Foreign
    positional, named = value._made_with
    bound = inspect.signature(type(value)).bind(*positional, **named)
    bound.apply_defaults()  # they may be others one day
    return {"class": name, "arguments": {name: _to_plain(item) for name, item in bound.arguments.items()}}


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"class": str(name), "arguments": dict(arguments)}:
            if name not in _CLASSES:
                raise ValueError(f"class {name!r} is not one of ganlib.nets; {_OTHERWISE}")
            return _CLASSES[name](**{key: _from_plain(item) for key, item in arguments.items()})
        case {"modules": dict(modules)}:
            return nn.ModuleDict({key: _from_plain(net) for key, net in modules.items()})
        case {"tuple": list(items)}:
            return tuple(_from_plain(item) for item in items)
        case {"tensor": numbers, "dtype": str(dtype)} if isinstance(getattr(torch, dtype, None), torch.dtype):
            return torch.tensor(numbers, dtype=getattr(torch, dtype), device="cpu")
    raise ValueError(f"description must be one made by nets.describe, got {value!r}")
