"""Is one recipe better than another? Runs that share a seed are compared seed by seed.

Two rows of a table that share their seeds share their initial weights and their data, so what a seed does to both falls
out of their difference: d_i = a_i - b_i. Its mean has Student's interval, mean(d) ± t s / √n with n - 1 degrees of
freedom (Student 1908, Biometrika 6). Whoever makes m comparisons finds one of m in `1 - confidence` by chance alone:
Bonferroni's correction asks each for the m-th part of the error. First built in chapter 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ._check import positive_int


class Paired(NamedTuple):
    """What `paired` found; printed, it reads as one line.

    Attributes:
        difference: mean of first - second over the seeds, in the unit of the values.
        half: half the width of its interval; the difference may be zero where `half` is at least its size.
        above: number of seeds on which the first value is above the second.
        seeds: number of seeds.
        confidence: of the interval, over all `comparisons` together.
        comparisons: number of comparisons that the interval is corrected for.
    """

    difference: float
    half: float
    above: int
    seeds: int
    confidence: float
    comparisons: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end, in the unit of the values."""
        return self.difference - self.half, self.difference + self.half

    @property
    def differs(self) -> bool:
        """Whether zero lies outside the interval."""
        return abs(self.difference) > self.half

    def __str__(self) -> str:
        among = f", one of {self.comparisons} comparisons" if self.comparisons > 1 else ""
        return (
            f"{self.difference:+.3g} ± {self.half:.2g} ({self.confidence:.0%}{among}), "
            f"above on {self.above} of {self.seeds} seeds"
        )


def paired(
    first: Sequence[float], second: Sequence[float], *, confidence: float = 0.95, comparisons: int = 1
) -> Paired:
    """Mean difference of two rows over the seeds that they share, with Student's interval.

    Args:
        first: (seeds,) one value a seed.
        second: (seeds,) values of the same seeds, in the same order.
        confidence: chance that the intervals of all comparisons hold their true differences.
        comparisons: how many are made and reported together (Bonferroni's correction).
    Raises:
        ValueError: rows of different lengths, of fewer than two seeds, or with a value that is not finite.
    """
    positive_int("comparisons", comparisons)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    a, b = (np.asarray(list(row), dtype=float) for row in (first, second))
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"paired compares one number a seed, of the same seeds, two at least: got {a.shape} and {b.shape}"
        )
    for name, row in (("first", a), ("second", b)):
        if not np.isfinite(row).all():
            at = int(np.flatnonzero(~np.isfinite(row))[0])
            raise ValueError(
                f"{name} has {row[at]} at place {at}: a run that failed has no difference; leave its seed out"
            )
    difference = a - b
    t = stats.t.ppf(1 - (1 - confidence) / 2 / comparisons, len(a) - 1)
    half = float(t * difference.std(ddof=1) / np.sqrt(len(a)))
    return Paired(float(difference.mean()), half, int((difference > 0).sum()), len(a), confidence, comparisons)
