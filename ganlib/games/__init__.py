r"""Every GAN as players and losses: each game is a few short functions that read like the paper's equations.

A game is a function of networks, data and options that returns an `engine.Game`; `engine` plays it. `adversarial`
holds the games of a generator and a discriminator.
"""

from __future__ import annotations

from collections.abc import Callable

from .._check import one_of
from ..engine import Game
from .adversarial import conditional_gan, gan
from .clustered import clustered_gan

__all__ = ["GAMES", "clustered_gan", "conditional_gan", "gan", "get"]

#: The games by name.
GAMES: dict[str, Callable[..., Game]] = {"gan": gan, "conditional_gan": conditional_gan, "clustered_gan": clustered_gan}


def get(name: str) -> Callable[..., Game]:
    """The function that sets up the game of this name; an unknown name lists the known ones."""
    one_of("game", name, GAMES)
    return GAMES[name]
