r"""Every GAN as players and losses: each game is a few short functions that read like the paper's equations.

A game is a function of networks, data and options that returns a `Game`, a file a family: `gan` holds the games of a
generator and a discriminator, `clustered` the one that gives itself classes, `heads` those whose discriminator says
more than a logit, `semi_supervised` the one whose discriminator learns classes from a few labels, `latent` those with
an encoder, `progressive` the one whose networks grow, `pix2pix`, `cycle`, `bicycle`, `star` and `super_resolution`
those that turn images into images, `gain` the one that fills tables, `ambient` the one that learns from damaged
samples. `contest` and `translation` are what they share.

GANs that differ from the first one in their losses and penalties are `gan`, or `conditional_gan`, under other names:

- LSGAN: `gan(…, loss="least_squares")`; KLGAN: `loss="kl"`; hinge GAN: `loss="hinge"`; an f-GAN: `loss="f_pearson"`
  and so on;
- relativistic GANs: `loss="rpgan"` in pairs, `loss="ragan"` against averages;
- WGAN: `loss="wasserstein", penalty="weight_clipping", turns=5`; WGAN-GP: `penalty="gradient_penalty"` instead;
- DRAGAN: `penalty="dragan"`; feature matching: `penalty="feature_matching"`; an unrolled GAN: `unrolled=5`;
- SNGAN: a discriminator with `spectral_norm=True`; PacGAN: `nets.Packed`; DCGAN: `nets.DCGANGenerator` and its pair.
"""

from __future__ import annotations

from collections.abc import Callable

from .._check import one_of
from ..engine import Game
from .ambient import ambient_gan
from .bicycle import bicycle_gan
from .clustered import clustered_gan
from .contest import Judged, Options
from .cycle import cycle_gan
from .gain import gain, impute
from .gan import conditional_gan, gan
from .heads import Codes, ac_gan, eb_gan, info_gan
from .latent import aae, bigan, encode, lr_gan, rebuild, vae, vae_gan
from .pix2pix import pix2pix
from .progressive import progressive_gan
from .semi_supervised import semi_supervised
from .star import star_gan
from .super_resolution import esr_gan, sr_gan

__all__ = [
    "GAMES",
    "Codes",
    "Judged",
    "Options",
    "aae",
    "ac_gan",
    "ambient_gan",
    "bicycle_gan",
    "bigan",
    "clustered_gan",
    "conditional_gan",
    "cycle_gan",
    "eb_gan",
    "encode",
    "esr_gan",
    "gain",
    "gan",
    "get",
    "impute",
    "info_gan",
    "lr_gan",
    "pix2pix",
    "progressive_gan",
    "rebuild",
    "semi_supervised",
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
        progressive_gan,
        ac_gan,
        info_gan,
        semi_supervised,
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
        gain,
        ambient_gan,
    )
}


def get(name: str) -> Callable[..., Game]:
    """The function that sets up the game of this name; an unknown name lists the known ones."""
    one_of("game", name, GAMES)
    return GAMES[name]
