"""The budget game: what Python is told and what is refused. How it plays stands in tests/page/test_further.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import traitlets

from ganlib import widgets

PRICES: dict[str, dict[Any, int]] = {"labels": {100: 20, 200: 40, 400: 80}, "shifts": {"no": 0, "yes": 30}}
TABLE = {
    (100, "no"): (80.0, 79.0, 81.0),
    (100, "yes"): (84.0, 83.0, 85.0),
    (200, "no"): (83.0, 82.0, 84.0),
    (200, "yes"): (86.0, 85.0, 87.0),
    (400, "no"): (88.0, 86.9, 89.0),
}


def budget(table: Any = TABLE, prices: Any = PRICES, coins: Any = 100, **options: Any) -> widgets.Budget:
    return widgets.budget(table, prices, coins, **options)


def test_what_one_can_afford_and_the_best_of_it() -> None:
    widget = budget()
    assert widget.affordable() == list(TABLE) and widget.price((400, "yes")) == 110
    assert widget.best() == (400, "no") and widget.choice == [0, 0] and widget.bought == []
    assert budget(coins=70).best() == (200, "yes") and len(budget(coins=70).facts["table"]) == 4
    alike = TABLE | {(100, "yes"): (88.0, 80.0, 90.0)}
    assert budget(alike).best() == (100, "yes"), "of equals the cheaper"
    assert budget(names={"labels": "digits"}).facts["goods"][0]["name"] == "digits"


def test_state_within_what_is_sold() -> None:
    widget = budget()
    widget.choice, widget.bought, widget.best_shown = [2, 1], [[2, 0], [1, 1]], True
    for name, wrong in (
        ("choice", [3, 0]),
        ("choice", [0]),
        ("choice", [-1, 0]),
        ("bought", [[2, 1]]),
        ("bought", [0]),
    ):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)
    assert widget.bought == [[2, 0], [1, 1]]


def changed(**value: Any) -> dict[Any, Any]:
    return TABLE | {(200, "yes"): value["to"]}


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: budget([1]), TypeError, "table must be a mapping, got list"),
    (lambda: budget(prices=[1]), TypeError, "prices must be a mapping, got list"),
    (lambda: budget(prices={}), ValueError, "prices must hold 1 to 6 goods, got 0"),
    (lambda: budget(prices=PRICES | {"gan": 3}), TypeError, r"prices\['gan'\] must be prices by level, got int"),
    (lambda: budget(prices=PRICES | {"gan": {"no": 0}}), ValueError, r"prices\['gan'\] must hold 2 to 9 "),
    (lambda: budget(prices=PRICES | {"gan": {1: 0, "1": 2}}), ValueError, r"prices\['gan'\] .* different levels"),
    (lambda: budget(prices=PRICES | {"gan": {"no": 0, "yes": 0.5}}), ValueError, r"\['gan'\]\['yes'\] must be a whole"),
    (lambda: budget(prices=PRICES | {"gan": {"no": 0, "yes": 5}}), ValueError, r"table has \(100, 'no'\), which is no"),
    (lambda: budget(TABLE | {(300, "no"): (1, 1, 1)}), ValueError, r"table has \(300, 'no'\), which is no combination"),
    (lambda: budget({k: v for k, v in TABLE.items() if k != (200, "no")}), ValueError, r"\(200, 'no'\) is missing"),
    (lambda: budget(coins=110), ValueError, r"table must hold all that 110 coins pay for: \(400, 'yes'\)"),
    (lambda: budget(coins=19), ValueError, r"coins must pay for the first levels \(100, 'no'\), which cost 20, got 19"),
    (lambda: budget(coins=0), ValueError, "coins must be a whole number of at least 1"),
    (lambda: budget(changed(to=(86.0, 85.0))), ValueError, r"table\[\(200, 'yes'\)\] must be \(mean, low, high\)"),
    (lambda: budget(changed(to=(86.0, 87.0, 88.0))), ValueError, "with low ≤ mean ≤ high"),
    (lambda: budget(changed(to=(float("nan"), 1.0, 2.0))), ValueError, "must be a finite number"),
    (lambda: budget(names={"gan": "GAN"}), ValueError, "names='gan' is not known; choose one of: labels, shifts"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_refused_by_name(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
