"""A budget game in the reader's browser: coins to spend on several goods, and what each purchase was measured to bring.

Everything was measured before: the page looks it up in a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import anywidget
import traitlets

from ganlib import _check
from ganlib.book.widgets.network import script

MOST_GOODS, MOST_LEVELS = 6, 9
Level = str | int | float
Key = tuple[Level, ...]


class Budget(anywidget.AnyWidget):
    """What `budget` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        choice: which level of each good is chosen, a list of indices from 0.
        bought: the purchases so far, a list of such lists.
        best_shown: whether the reader has asked for the best purchase.
        facts: what the page is told: the goods with their levels and prices, coins, unit, and the table by indices.
    """

    _esm = script("page.js", "budget.js")
    _css = script("translators.css", "budget.css")
    facts = traitlets.Dict().tag(sync=True)
    choice: Any = traitlets.List().tag(sync=True)
    bought: Any = traitlets.List().tag(sync=True)
    best_shown = traitlets.Bool(False).tag(sync=True)
    _table: Mapping[Key, tuple[float, float, float]] = {}
    _prices: Sequence[Mapping[Level, int]] = ()

    def price(self, key: Key) -> int:
        """Coins for a combination of levels, one of each good in turn."""
        return _price(self._prices, key)

    def affordable(self) -> list[Key]:
        """The combinations that the coins pay for, in the order of the goods and their levels."""
        return [key for key in itertools.product(*self._prices) if self.price(key) <= self.facts["coins"]]

    def best(self) -> Key:
        """The one of them with the highest mean; of equals the cheapest, then the first."""
        return max(self.affordable(), key=lambda key: (self._table[key][0], -self.price(key)))

    def _checked(self, name: str, choice: Any, coins: float) -> list[int]:
        goods = self.facts["goods"]
        known = isinstance(choice, list) and len(choice) == len(goods)
        if not known or not all(i in range(len(good["levels"])) for i, good in zip(choice, goods, strict=True)):
            counts = [len(good["levels"]) for good in goods]
            raise traitlets.TraitError(f"{name} must hold one index for each good, of {counts} levels, got {choice!r}")
        price = sum(good["levels"][i]["price"] for i, good in zip(choice, goods, strict=True))
        if price > coins:
            raise traitlets.TraitError(f"{name} must cost at most {coins} coins, got {choice!r} for {price}")
        return cast(list[int], choice)

    @traitlets.validate("choice")
    def _known_choice(self, proposal: Any) -> list[int]:
        return self._checked("choice", proposal["value"], float("inf"))

    @traitlets.validate("bought")
    def _paid(self, proposal: Any) -> list[list[int]]:
        return [self._checked(f"bought[{i}]", each, self.facts["coins"]) for i, each in enumerate(proposal["value"])]


def budget(
    table: Mapping[Key, tuple[float, float, float]],
    prices: Mapping[str, Mapping[Level, int]],
    coins: int,
    *,
    unit: str = "%",
    names: Mapping[str, str] | None = None,
) -> Budget:
    """Coins to spend on several goods; each purchase is answered with what it was measured to bring.

    First used in chapter 19.

    One chooses a level of each good, sees what is left, and buys what one can afford: the mean with its interval joins
    a list and a chart of one's purchases. Every purchase has all coins again. The best one is shown on demand.

    Args:
        table: (mean, low, high) for each combination of levels, one level of each good in the order of `prices`; more
            is better. It must hold all that `coins` pay for.
        prices: by the name of each good its levels and their prices in coins, such as
            {"labels": {100: 20, 400: 60}, "shifts": {"no": 0, "yes": 10}}; 1 to 6 goods of 2 to 9 levels. The first
            levels are chosen at the start.
        coins: what each purchase may cost.
        unit: what stands behind the numbers.
        names: other words for goods.

    Returns:
        The widget.

    Raises:
        TypeError: a table or prices that are no mappings, prices or numbers that are none.
        ValueError: goods or levels that are too few, too many or look alike; a table with a combination that is
            missing or unknown, or numbers without low ≤ mean ≤ high; coins that do not pay for the first levels.
    """
    for name, value in (("prices", prices), ("table", table)):
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} must be a mapping, got {type(value).__name__}")
    if not 1 <= len(prices) <= MOST_GOODS:
        raise ValueError(f"prices must hold 1 to {MOST_GOODS} goods, got {len(prices)}")
    for name in names or {}:
        _check.one_of("names", name, prices)
    goods = [_good(name, levels, (names or {}).get(name, name)) for name, levels in prices.items()]
    keys = list(itertools.product(*prices.values()))
    strange = [key for key in table if key not in set(keys)]
    if strange:
        raise ValueError(f"table has {strange[0]!r}, which is no combination of levels such as {keys[0]!r}")
    coins, sold = _check.positive_int("coins", coins), [dict(levels) for levels in prices.values()]
    cost = {key: _price(sold, key) for key in keys}
    if cost[keys[0]] > coins:
        raise ValueError(f"coins must pay for the first levels {keys[0]!r}, which cost {cost[keys[0]]}, got {coins}")
    missing = [key for key in keys if cost[key] <= coins and key not in table]
    if missing:
        raise ValueError(f"table must hold all that {coins} coins pay for: {missing[0]!r} is missing")
    places = itertools.product(*(range(len(levels)) for levels in prices.values()))
    facts = {
        "goods": goods,
        "coins": coins,
        "unit": str(unit),
        "table": {
            ",".join(map(str, place)): _measured(key, table[key])
            for place, key in zip(places, keys, strict=True)
            if cost[key] <= coins
        },
    }
    widget = Budget(facts=facts, choice=[0] * len(goods))
    widget._prices, widget._table = sold, dict(table)
    return widget


def _price(prices: Sequence[Mapping[Level, int]], key: Key) -> int:
    return sum(levels[level] for levels, level in zip(prices, key, strict=True))


def _good(name: str, levels: Any, shown: str) -> dict[str, Any]:
    if not isinstance(levels, Mapping):
        raise TypeError(f"prices[{name!r}] must be prices by level, got {type(levels).__name__}")
    texts = [str(level) for level in levels]
    if not 2 <= len(texts) <= MOST_LEVELS or len(set(texts)) != len(texts):
        raise ValueError(f"prices[{name!r}] must hold 2 to {MOST_LEVELS} different levels, got {texts}")
    coins = [_check.positive_int(f"prices[{name!r}][{i!r}]", price, minimum=0) for i, price in levels.items()]
    pairs = zip(texts, coins, strict=True)
    return {"name": str(shown), "levels": [{"text": text, "price": price} for text, price in pairs]}


def _measured(key: Key, value: Any) -> list[float]:
    name = f"table[{key!r}]"
    if not isinstance(value, Sequence) or len(value) != 3:
        raise ValueError(f"{name} must be (mean, low, high), got {value!r}")
    mean, low, high = (_check.finite(name, number) for number in value)
    if not low <= mean <= high:
        raise ValueError(f"{name} must be (mean, low, high) with low ≤ mean ≤ high, got {value!r}")
    return [mean, low, high]
