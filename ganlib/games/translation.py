r"""What the games that turn images into images share.

In a `Batch`, x = `batch.inputs` is what is translated and y = `batch.real` the target. The terms of a loss stand in the
history with their weights, as they are summed: "generator" is the adversarial term, "generator.l1" the next one.
A discriminator may return one logit for each image or a map of them, one a patch: losses average over all of them, and
penalties differentiate the mean over each image's map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._check import finite
from ..data import Pairs
from ..data.source import Drawn, source, warn_of_range
from ..engine import Batch
from ..penalties import Critic


def pair(batch: Batch) -> tuple[Tensor, Tensor]:
    """x and y: what is translated, and the target."""
    assert batch.inputs is not None
    return batch.inputs, batch.real


def weights_of(**weights: float) -> dict[str, float]:
    """The weights of a loss, once each is seen to be a finite number of at least 0."""
    return {name: finite(name, weight, minimum=0) for name, weight in weights.items()}


def must_be_pairs(data: Any, matched: bool) -> Drawn:
    """Some of the data, once they are seen to be pairs, and those that this game learns from. Images that are not
    scaled as the networks' own are said."""
    feed = source(data)
    drawn = feed.draw(64, torch.Generator())
    if drawn.inputs is None:
        got = type(data).__name__
        raise TypeError(f"data must be pairs of inputs and targets, such as data.load_pairs('scenes'), got {got}")
    if matched and feed.paired is False:
        raise ValueError("data must be paired: this game learns from pairs (games.cycle_gan does without)")
    if not isinstance(data, Pairs):
        warn_of_range("the inputs", drawn.inputs)
        warn_of_range("the targets", drawn.real)
    return drawn


def must_judge(critic: Critic, images: Tensor) -> None:
    """Refuse a discriminator that returns something else than a logit, or a map of them, for each image."""
    logits, _ = critic.judge(images)
    if logits.dim() == 0 or len(logits) != len(images):
        n, got = len(images), tuple(logits.shape)
        raise ValueError(f"a discriminator must return logits of shape ({n},) or ({n}, h, w), got {got}")
