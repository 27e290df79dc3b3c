"""ganlib: generative adversarial networks as games.

A GAN is a game: players, the networks each one moves, and what each wants to minimise. One loop plays any of them
(`Game`), and a new GAN is two or three short loss functions (`games`). It draws from any data (`data.source`) and
leaves a `Generator`, which `load` brings back without game or data. The other modules are the parts (`nets`, `losses`,
`penalties`, `augment`, `schedule`), the ground they stand on (`divergences`, `toys`, `compute`, `distributed`), the
judges (`metrics`, `features`, `compare`), the one who says what is wrong (`doctor`, `diagnose`) and the pictures
(`plot`). `recipes` knows settings that work for a data set, `run` keeps the folder of one that is trained and
`reference` what it is judged by, `checkpoint` saves and resumes, `export` writes ONNX. What only the book needs is in
`book`: `claim`, `results`, `widgets`.
"""

from __future__ import annotations

import importlib
from typing import Any

from .book.claims import claim
from .doctor import diagnose
from .engine import Batch, Game, NonFiniteLoss, Player
from .generator import Generator, load

__version__ = "0.1.0"

_BOOK = ("results", "widgets")
_MODULES = (
    *_BOOK,
    "augment",
    "checkpoint",
    "compare",
    "compute",
    "data",
    "distributed",
    "divergences",
    "doctor",
    "engine",
    "export",
    "features",
    "games",
    "history",
    "losses",
    "metrics",
    "nets",
    "penalties",
    "plot",
    "recipes",
    "reference",
    "run",
    "schedule",
    "toys",
)
__all__ = [
    "Batch",
    "Game",
    "Generator",
    "NonFiniteLoss",
    "Player",
    "__version__",
    "claim",
    "diagnose",
    "load",
    *_MODULES,
]


def __getattr__(name: str) -> Any:
    """Import a module of ganlib when it is first asked for: `import ganlib` itself stays fast."""
    if name in _MODULES:
        return importlib.import_module(f".book.{name}" if name in _BOOK else f".{name}", __name__)
    raise AttributeError(f"module 'ganlib' has no attribute {name!r}; its modules are: {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return sorted(__all__)
