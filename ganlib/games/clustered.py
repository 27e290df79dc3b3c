r"""A GAN that gives itself the classes: k-means clusters of the training data stand in for labels.

Real images fall into kinds, and a generator that has to learn kinds and looks at once is slow at both. A conditional
game is much easier, but needs labels. Clusters need none: they are found before the game, shown to both players during
it, and drawn with their own frequencies afterwards, so that samples are those of an unconditional generator.

Sources: Sage et al. 2018 (https://arxiv.org/abs/1712.04407), who cluster the data once, as here; Liu et al. 2020
(https://arxiv.org/abs/2006.10728), who cluster D's features again and again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .. import data as datasets
from ..engine import Game
from ..nets import Clustered
from .contest import Made
from .gan import contest


def clustered_gan(generator: nn.Module, discriminator: nn.Module, data: Any, **options: Any) -> Game:
    """The conditional game on clusters of the data, whose samples ask for no class. First built in chapter 9.

    Args:
        generator: z (N, latent), labels (N,) -> samples; its `classes` is the number of clusters.
        discriminator: samples (N, …), labels (N,) -> logits (N,), with as many `classes`.
        data: a `data.Dataset`; labels that it has are ignored.
        options: those of `gan`; `seed` is also that of the clusters.

    Returns:
        A `Game` like that of `gan`; its generator is a `nets.Clustered` around the one given.

    Raises:
        ValueError, TypeError: as `gan`, and where data or classes do not fit.
    """
    if not isinstance(data, datasets.Dataset):
        raise TypeError(f"data must be a data.Dataset, whose samples can be clustered, got {type(data).__name__}")
    count = getattr(generator, "classes", None)
    if count is None or getattr(discriminator, "classes", None) != count:
        got = f"{count} and {getattr(discriminator, 'classes', None)}"
        raise ValueError(f"generator.classes and discriminator.classes must be one number of clusters, got {got}")
    kinds = datasets.clustered(data, count, seed=options.get("seed", 0))
    assert kinds.y is not None
    drawn = Clustered(generator, torch.bincount(kinds.y, minlength=count))
    return contest(drawn, discriminator, kinds, Made("clustered_gan", conditional=True), **options)
