r"""Every GAN as players and losses: each game is a few short functions that read like the paper's equations.

A game is a function of networks, data and options that returns an `engine.Game`; `engine` plays it. `adversarial`
holds the games of a generator and a discriminator, `clustered` the one that gives itself classes, `heads` those whose
discriminator says more than a logit, `latent` those with an encoder, `translation` those that turn images into images.
"""

from __future__ import annotations

from collections.abc import Callable

from .._check import one_of
from ..engine import Game
from ._shared import Options
from .adversarial import Judged, conditional_gan, gan
from .clustered import clustered_gan
from .heads import Codes, ac_gan, eb_gan, info_gan
from .latent import aae, bigan, encode, lr_gan, rebuild, vae, vae_gan
from .translation import bicycle_gan, cycle_gan, esr_gan, pix2pix, sr_gan, star_gan

__all__ = [
    "GAMES",
    "Codes",
    "Judged",
    "Options",
    "aae",
    "ac_gan",
    "bicycle_gan",
    "bigan",
    "clustered_gan",
    "conditional_gan",
    "cycle_gan",
    "eb_gan",
    "encode",
    "esr_gan",
    "gan",
    "get",
    "info_gan",
    "lr_gan",
    "pix2pix",
    "rebuild",
    "sr_gan",
    "star_gan",
    "vae",
    "vae_gan",
]

#: The games by name.
GAMES: dict[str, Callable[..., Game]] = {
    game.__name__: game
    for game in (
        gan,
        conditional_gan,
        clustered_gan,
        ac_gan,
        info_gan,
        eb_gan,
        vae,
        aae,
        vae_gan,
        bigan,
        lr_gan,
        pix2pix,
        cycle_gan,
        bicycle_gan,
        star_gan,
        sr_gan,
        esr_gan,
    )
}


def get(name: str) -> Callable[..., Game]:
    """The function that sets up the game of this name; an unknown name lists the known ones."""
    one_of("game", name, GAMES)
    return GAMES[name]
