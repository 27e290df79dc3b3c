"""What gauges say in words: the rules, causes before consequences, each with its limit and the reason for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .gauges import Examination

CONSTANTS = {
    0.3133: "the least that a second sigmoid leaves",
    0.6931: "log 2: D says 1/2 of everything",
    1.3863: "2 log 2: D says 1/2 of everything",
    16.118: "-log 1e-7, where Keras clips",
    100.0: "where torch's BCELoss clips",
}
"""What a loss that stands still stands at."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: the field's word for it, such as "mode collapse".
        says: one sentence with the number and its yardstick.
        gauge: which gauge of the `Report` says so.
        value: what it reads.
        limit: from where on it says so.
        try_: what to do, the first thing first.
        chapter: which explains it.
    """

    name: str
    says: str
    gauge: str
    value: float
    limit: float
    try_: str
    chapter: int

    def __str__(self) -> str:
        return f"{self.name}: {self.says}. Try {self.try_} (chapter {self.chapter})"


class _Rule(NamedTuple):
    """When a gauge speaks: at or below its limit, or above it, and if so with others. One that was not read is NaN,
    and every comparison with it false."""

    name: str
    gauge: str
    side: str
    limit: float
    says: str
    try_: str
    chapter: int
    also: Callable[[Callable[[str], float]], bool] = lambda g: True


VARIETY = "loss rpgan with R1 and R2, minibatch standard deviation or packing, a slower generator"

# Causes before consequences. A limit stands so far from the healthy games it was set on, rings and 8×8 digits under
# every loss, as its comment says, and so far from the games broken on purpose.
# fmt: off
RULES = (
    _Rule("not a number", "not_finite", "above", 0,
          "{value:.0f} numbers are infinite or none, first in {where}",
          "to find a log of 0, a division by a range of 0 or half precision there; then a smaller learning rate", 5),
    # Resizing overshoots by less than 0.05.
    _Rule("data out of range", "beyond", "above", 0.01,
          "{value:.0%} of the real values are out of reach of the generator's last layer",
          "to scale the data to its range, images to [-1, 1]", 9),
    # Of images in [-1, 1], some pixel of hundreds is darker than grey.
    _Rule("data out of range", "lowest", "above", -0.02,
          "the least real value is {value:.2g}, and generated ones start at -1",
          "to scale the data to [-1, 1]: 2 x - 1 of what lies in [0, 1]", 9),
    # A step is remembered or not; fp16 skips a few.
    _Rule("optimizer reset", "remembers", "below", 0.5,
          "the optimizer of the {player} knows of {value:.0%} of the updates played",
          "to keep its state with the weights, as Game.save does", 5),
    _Rule("nobody moves", "rate", "below", 1e-9,
          "the learning rate of the {player} is {value:g}",
          "2e-4, or what the recipe says", 5),
    # Adam divides by the gradient's size plus 1e-8: below that, steps shrink with it.
    _Rule("nobody moves", "gradient", "below", 1e-8,
          "the gradient of the {player} is {value:.1g} in the mean, below the 1e-8 of Adam's epsilon",
          "a loss that does not saturate, less of a lead for D, LeakyReLU for ReLU", 5),
    # Healthy: above 0.8. The sign turned: below -0.5.
    _Rule("reversed players", "towards", "below", -0.3,
          "the generator's step lowers what D says of its samples (cosine {value:.2f})",
          "to turn the sign of the generator's loss", 3),
    _Rule("sigmoid twice", "squashed", "above", 0.999,
          "all that D says lies in [0, 1], and its loss takes a logit, without bounds",
          "to leave the Sigmoid at its end out", 5),
    # D's loss is small, so that D does what it is asked to.
    _Rule("reversed players", "separation_train", "below", 0.05,
          "D takes generated samples for the real ones: it puts {value:.0%} of the pairs in order",
          "to exchange the labels, or the sign of D's loss", 3, lambda g: g("lead") < 0.5),
    # Under weight clipping a healthy D varies by 5e-4.
    _Rule("discriminator sees nothing", "verdicts", "below", 1e-5,
          "D says the same of every sample (deviation {value:.1g})",
          "a new D with LeakyReLU, at a smaller learning rate", 5),
    # Healthy: above 0.4, even where D is nearly beaten.
    _Rule("discriminator sees nothing", "separation_train", "below", 0.2,
          "D puts {value:.0%} of the pairs of a real and a generated sample in order, and {told_apart:.0%} can be told",
          "to see that D is shown reals as real; then a larger learning rate for D, or more turns", 5,
          lambda g: g("told_apart") > 0.9),
    # What tells is what is gone when samples take the values of the data. Healthy: as much is told as before.
    _Rule("trivial tell", "snapped", "below", 0.75,
          "D never errs, but for samples moved on to the values that the data take, of which it knows {value:.0%}",
          "noise on data that are whole numbers, a generator that rounds, the same border and codec for both", 18,
          lambda g: g("separation_train") > 0.95),
    # Under a gradient penalty 0.5 to 2; without one above 10.
    _Rule("unbounded critic", "slope", "above", 5,
          "D's slope is {value:.2g}; its Wasserstein loss means a distance for slopes up to 1",
          'penalty="gradient_penalty", or another that bounds D', 8, lambda g: g("wasserstein") == 1),
    # A coin of 512 pairs strays by 0.02, and by 0.05 with 30 held-out samples; healthy: below 0.57.
    _Rule("discriminator memorises", "memorising", "above", 0.65,
          "of a training and a held-out sample D prefers the first {value:.0%} of the time; a coin, 50 %",
          'augment="translation,cutout" for images, a stronger R1, a smaller D, more data', 13),
    # Healthy: above 0.3 where D is not meant to be optimal, as under Wasserstein losses, of which this is not read.
    _Rule("discriminator wins", "lead", "below", 0.05,
          "D's loss is {value:.1%} of what it is at equilibrium",
          'penalty="r1", a smaller learning rate for D, noise on what it sees', 5,
          lambda g: g("separation_train") > 0.99),
    # Batches alone make a loss vary by 1e-2.
    _Rule("stuck loss", "swing", "below", 1e-4,
          "the loss of the {player} stands at {loss:.4g}{meaning}",
          "to see that it depends on what both networks say", 5),
    # Healthy: 0.6 to 1.5.
    _Rule("mode collapse", "spread", "below", 0.3,
          "two samples lie {value:.2g} times as far apart as two real ones", VARIETY, 7),
    # Healthy: below 0.2, of digits that an MLP draws.
    _Rule("mode collapse", "missing", "above", 0.7,
          "{value:.0%} of the data lies where hardly a sample comes", VARIETY, 7),
    # By chance 0.04 in the plane and less in more dimensions; smooth samples lie nearer to one another than real ones.
    _Rule("mode collapse", "duplicates", "above", 0.6,
          "{value:.0%} of the samples have a twin within a quarter of the distance of real neighbours", VARIETY, 7),
    _Rule("missing modes", "missing", "above", 0.45,
          "{value:.0%} of the data lies where hardly a sample comes", f"more rounds; then {VARIETY}", 7,
          lambda g: g("spread") > 0.3 and g("missing") <= 0.7 and g("duplicates") <= 0.6),
    # Healthy: above 1, for samples are smoother than the data. Copies: below 0.1.
    _Rule("copies the training data", "copying", "below", 0.5,
          "the nearest training sample, beside the fifth nearest, is {value:.2g} times as far as from new real samples",
          "more data, augmentation, a smaller generator", 13),
    # Healthy: above 0.4, soon.
    _Rule("label ignored", "label_effect", "below", 0.2,
          "another label changes a sample {value:.2g} times as much as another z",
          "a projection discriminator, the label in more layers of the generator", 12),
    # Healthy: above 0.5, where labels have come to matter.
    _Rule("labels mixed up", "label_match", "below", 0.1,
          "samples are nearest to the class asked for {value:.2g} times as often, beyond chance, as real ones",
          "to see that D is shown the labels that belong to its samples", 12, lambda g: g("label_effect") > 0.5),
    # Healthy: 0.75 to 1.
    _Rule("noise ignored", "noise_effect", "below", 0.1,
          "samples of a class differ {value:.2g} times as much as real ones",
          "less weight for terms that have one answer, a code that is read back", 12),
    # Healthy: below 0.6, of a generator at a high rate after 100 rounds.
    _Rule("batch statistics", "at_rest", "above", 1.0,
          "samples change by {value:.2g} deviations of the data from training to evaluation mode",
          "the usual momentum of BatchNorm (0.1), larger batches, a generator without BatchNorm", 9),
    _Rule("batch statistics", "alone", "above", 0.05,
          "a sample changes by {value:.2g} deviations of the data with the batch it is made in, in evaluation mode",
          "track_running_stats=True in BatchNorm", 9),
    # Healthy: below 1.8.
    _Rule("checkerboard", "checkerboard", "above", 4.0,
          "at every second pixel samples have {value:.1f} times the power of real images",
          "kernels whose size is a multiple of their stride, or enlarging before convolving", 9,
          lambda g: g("spread") > 0.3),
    # Healthy: 0.9 to 1.1.
    _Rule("only noise", "correlation", "below", 0.3,
          "neighbouring pixels are {value:.2g} times as alike as in real images",
          "more rounds, a convolutional generator", 9, lambda g: g("spread") > 0.3),
    # A distance of 1000 samples varies by a tenth.
    _Rule("good, then bad", "worse", "above", 2.0,
          "the watched distance is {value:.1f} times what it was at its best",
          "the best checkpoint (play(best=..., save=...)), an average of the weights, R1", 13),
)
# fmt: on


def findings(found: Examination) -> Iterator[Finding]:
    """What is wrong, by the gauges that were read."""
    wasserstein = found.loss is not None and found.loss.name == "wasserstein"

    def read(gauge: str) -> float:
        return float(wasserstein) if gauge == "wasserstein" else found.gauges.get(gauge, math.nan)

    told: set[tuple[str, str | None]] = set()
    for rule in RULES:
        for player in (None, *found.game.players):
            gauge = rule.gauge if player is None else f"{rule.gauge}.{player}"
            value, loss = read(gauge), read(f"loss.{player}")
            speaks = value > rule.limit if rule.side == "above" else value <= rule.limit
            if speaks and rule.also(read) and (rule.name, player) not in told:
                told.add((rule.name, player))
                means = next((f", {what}" for at, what in CONSTANTS.items() if abs(loss / at - 1) < 1e-3), "")
                words = {"player": player, "where": found.where, "told_apart": read("told_apart")}
                says = rule.says.format(value=value, loss=loss, meaning=means, **words)
                yield Finding(rule.name, says, gauge, value, rule.limit, rule.try_, rule.chapter)
