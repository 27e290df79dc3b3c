"""Rows are compared seed by seed: against scipy's paired test, its coverage by simulation, and at the door."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ganlib.compare import paired


def test_agrees_with_the_paired_test_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7))
    oracle = stats.ttest_rel(a, b)
    low, high = oracle.confidence_interval(0.9)
    found = paired(a, b, confidence=0.9)
    assert found.interval == pytest.approx((low, high), rel=1e-12)
    assert found.difference == pytest.approx(a.mean() - b.mean(), rel=1e-12)
    assert found.above == (a > b).sum() and found.seeds == 7
    for confidence in (0.05, 0.3, 0.9, 0.999):
        assert paired(a, b, confidence=confidence).differs == (oracle.pvalue < 1 - confidence)


def test_what_seeds_share_falls_out() -> None:
    shared = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    better = shared - 1 + np.array([0.01, -0.01, 0.02, -0.02, 0.0])
    found = paired(better, shared)
    assert found.differs and found.above == 0
    assert stats.ttest_ind(better, shared).pvalue > 0.9  # unpaired, nothing is seen


def test_its_interval_covers_as_often_as_it_says_over_all_comparisons() -> None:
    rng = np.random.default_rng(1)
    games, comparisons = 2000, 6
    for corrected in (1, comparisons):
        missed = [
            any(paired(row, np.zeros(5), comparisons=corrected).differs for row in rng.normal(size=(comparisons, 5)))
            for _ in range(games)
        ]
        expected = 1 - 0.95**comparisons if corrected == 1 else 1 - (1 - 0.05 / comparisons) ** comparisons
        assert np.mean(missed) == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / games))


def test_reads_as_one_line() -> None:
    assert str(paired([1.0, 2.0, 4.0], [0.0, 0.0, 0.0])) == "+2.33 ± 3.8 (95%), above on 3 of 3 seeds"
    assert "one of 6 comparisons" in str(paired([1.0, 2.0], [0.0, 0.0], comparisons=6))


@pytest.mark.parametrize(
    ("first", "second", "options", "words"),
    [
        ([1.0, 2.0], [1.0], {}, r"same seeds.*\(2,\) and \(1,\)"),
        ([1.0], [1.0], {}, "two at least"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {}, "one number a seed"),
        ([1.0, float("nan")], [1.0, 2.0], {}, "first has nan at place 1"),
        ([1.0, 2.0], [float("inf"), 2.0], {}, "second has inf at place 0"),
        ([1.0, 2.0], [1.0, 3.0], {"confidence": 95}, "between 0 and 1, got 95"),
        ([1.0, 2.0], [1.0, 3.0], {"comparisons": 0}, "comparisons must be a whole number of at least 1"),
    ],
)
def test_refuses_what_is_no_pair_of_rows(first: object, second: object, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired(first, second, **options)  # type: ignore[arg-type]
