"""ganlib: generative adversarial networks as games.

A GAN is a game: players, the networks each one moves, and what each wants to minimise. One engine
plays any of them (`Game`), and a new GAN is two or three short loss functions (`games`). The other
modules are the parts (`nets`, `losses`, `penalties`, `augment`, `data`), the ground they stand on (`divergences`,
`toys`, `compute`), the judges (`metrics`, `features`) and the pictures (`plot`, `widgets`).
`recipes` knows settings that work for a data set, `run` keeps a folder of one that is trained and `reference` what it
is judged by, `checkpoint` saves and resumes, `claims` checks what a chapter
says, and `results` holds tables that were measured once.
"""

from __future__ import annotations

import importlib
from typing import Any

from .claims import claim
from .game import Batch, Game, NonFiniteLoss, Player
from .generator import Generator, load

__version__ = "0.1.0"

_MODULES = (
    "augment",
    "checkpoint",
    "compute",
    "data",
    "distributed",
    "divergences",
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
    "results",
    "run",
    "schedule",
    "toys",
    "widgets",
)
__all__ = ["Batch", "Game", "Generator", "NonFiniteLoss", "Player", "__version__", "claim", "load", *_MODULES]


def __getattr__(name: str) -> Any:
    """Import a module of ganlib when it is first asked for: `import ganlib` itself stays fast."""
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'ganlib' has no attribute {name!r}; its modules are: {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return sorted(__all__)
