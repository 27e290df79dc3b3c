"""A table to look things up in, in the reader's browser: searched as one types, sorted, and narrowed by choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from ganlib import _check
from ganlib.book.widgets.network import script

MOST_ROWS, MOST_COLUMNS, MOST_CHOICES = 1000, 8, 12
TABLE_LIMIT = 300_000
"""Bytes of text that a table may hold: they all travel in the page."""
_EMPTY = ("", "–")
_WAYS = ("ascending", "descending")
_NUMBER = re.compile(r"[-−+]?(\d+(\.\d+)?|\.\d+)$", re.ASCII)


@dataclass(frozen=True)
class Link:
    """A text in a `table` that leads to a place in the book; in a notebook, where there are no pages, only the text.

    Attributes:
        text: what is read.
        to: the page's address from the root of the book, such as "reference/losses.html#ganlib.losses.get".
    """

    text: str
    to: str


Cell = str | Link | Sequence[str | Link]


class Table(anywidget.AnyWidget):
    """What `table` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        query: what stands in the search field.
        chosen: what is chosen in a column, by the column's name; columns without a choice are left out.
        order: the column that sorts, and "ascending" or "descending"; an empty list for the rows as given.
        facts: what the page is told: caption, columns, rows of cells, which columns are searched, and the choices.
    """

    _esm = script("page.js", "table.js")
    _css = script("translators.css", "table.css")
    facts = traitlets.Dict().tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    chosen: Any = traitlets.Dict().tag(sync=True)
    order: Any = traitlets.List().tag(sync=True)

    def shown(self) -> list[tuple[str, ...]]:
        """The rows that are left, in the order of the page: their texts, those of one cell joined by ", "."""
        facts = self.facts
        words = self.query.replace("`", "").lower().split()
        left = []
        for row in facts["rows"]:
            text = "\n".join(part["text"] for i in facts["search"] for part in row[i]).replace("`", "").lower()
            chosen = all(
                any(part["text"] == value for part in row[facts["columns"].index(name)])
                for name, value in self.chosen.items()
            )
            if chosen and all(word in text for word in words):
                left.append(tuple(", ".join(part["text"] for part in cell) for cell in row))
        if self.order:
            left = _sorted(left, facts["columns"].index(self.order[0]), self.order[1] == "descending")
        return left

    def _plain(self) -> str:
        facts = self.facts
        cells = [[", ".join(part["text"] for part in cell).replace("`", "") for cell in row] for row in facts["rows"]]
        lines = [facts["columns"], *cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        told = ["  ".join(text.ljust(n) for text, n in zip(line, widths, strict=True)).rstrip() for line in lines]
        return "\n".join([facts["caption"], *told])

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Beside the widget all of it as plain text, for a notebook that is read where no script runs."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        bundle[0]["text/plain"] = self._plain()
        return bundle

    @traitlets.validate("chosen")
    def _offered(self, proposal: Any) -> dict[str, str]:
        chosen: dict[str, str] = proposal["value"]
        for name, value in chosen.items():
            if value not in self.facts["choices"].get(name, ()):
                raise traitlets.TraitError(f"chosen must hold values of {self.facts['choices']}, got {chosen!r}")
        return chosen

    @traitlets.validate("order")
    def _known_order(self, proposal: Any) -> list[str]:
        order: list[str] = proposal["value"]
        if order and (len(order) != 2 or order[0] not in self.facts["columns"] or order[1] not in _WAYS):
            raise traitlets.TraitError(f"order must be [] or a column and one of {_WAYS}, got {order!r}")
        return order


def table(
    rows: Sequence[Sequence[Cell]],
    columns: Sequence[str],
    *,
    search: Sequence[str] | None = None,
    filters: Sequence[str] = (),
    caption: str = "Table",
) -> Table:
    """Rows of short texts to look things up in: a search field, buttons that sort, a choice for columns of few values.

    First used in chapter 24.

    Every word of the search must occur in the row, as a part of a word and whatever its capitals. A column that holds
    only numbers is sorted by size, others by letters; empty cells ("" or "–") come last, and what is equal stays in
    the order given.

    Args:
        rows: 1 to 1000, each with one cell a column: a text, a `Link`, or a list of them, one below the other. Between
            `backticks` stands code.
        columns: 1 to 8 names.
        search: the columns that are searched; all by default, none for no search field.
        filters: columns with a choice among their 2 to 12 texts.
        caption: what the table holds.

    Returns:
        The widget.

    Raises:
        TypeError: rows, cells or names that are no such thing.
        ValueError: too few or too many rows, columns or choices; a row of another length; a name that repeats or is
            unknown; a link that leads out of the book; more text than a page should carry.
    """
    names = _texts("columns", columns)
    if not 1 <= len(names) <= MOST_COLUMNS or len(set(names)) != len(names) or not all(names):
        raise ValueError(f"columns must be 1 to {MOST_COLUMNS} different names, got {names}")
    searched = names if search is None else _texts("search", search)
    narrowed = _texts("filters", filters)
    for argument, given in (("search", searched), ("filters", narrowed)):
        for name in given:
            _check.one_of(argument, name, names)
    if isinstance(rows, str) or not isinstance(rows, Sequence):
        raise TypeError(f"rows must be a sequence of rows, got {type(rows).__name__}")
    if not 1 <= len(rows) <= MOST_ROWS:
        raise ValueError(f"rows must hold 1 to {MOST_ROWS} rows, got {len(rows)}")
    cells = [_row(i, row, names) for i, row in enumerate(rows)]
    weight = sum(len(part["text"].encode()) for row in cells for cell in row for part in cell)
    if weight > TABLE_LIMIT:
        raise ValueError(f"rows hold {weight / 1000:.0f} kB of text; a page may carry {TABLE_LIMIT // 1000} kB")
    choices = {}
    for name in narrowed:
        choices[name] = list(dict.fromkeys(part["text"] for row in cells for part in row[names.index(name)]))
        if not 2 <= len(choices[name]) <= MOST_CHOICES:
            raise ValueError(f"filters: {name!r} must hold 2 to {MOST_CHOICES} texts, got {len(choices[name])}")
    facts = {
        "caption": str(caption),
        "columns": names,
        "rows": cells,
        "search": [names.index(name) for name in dict.fromkeys(searched)],
        "choices": choices,
    }
    return Table(facts=facts)


def _texts(name: str, texts: Any) -> list[str]:
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a sequence of texts, got {texts!r}")
    return list(texts)


def _row(i: int, row: Any, names: Sequence[str]) -> list[list[dict[str, str]]]:
    if isinstance(row, str | Link) or not isinstance(row, Sequence):
        raise TypeError(f"rows[{i}] must be a sequence of cells, got {type(row).__name__}")
    if len(row) != len(names):
        raise ValueError(f"rows[{i}] must hold {len(names)} cells, one for each of {list(names)}, got {len(row)}")
    whole = [[cell] if isinstance(cell, str | Link) else cell for cell in row]
    return [_cell(f"rows[{i}], {name!r}", cell) for name, cell in zip(names, whole, strict=True)]


def _cell(name: str, cell: Any) -> list[dict[str, str]]:
    if not isinstance(cell, list | tuple) or not cell or not all(isinstance(part, str | Link) for part in cell):
        raise TypeError(f"{name} must be a text, a Link or a list of them, got {cell!r}")
    return [_link(name, part) if isinstance(part, Link) else {"text": part} for part in cell]


def _link(name: str, link: Link) -> dict[str, str]:
    """A page of the book by its address from the root."""
    if not re.fullmatch(r"(?!.*\.\.)[\w-][\w./-]*\.html(#[^\s#]+)?", str(link.to)):
        raise ValueError(f"{name}: a Link must lead to a page such as 'chapters/08_losses.html#hinge', got {link.to!r}")
    return {"text": str(link.text), "to": link.to}


def _sorted(rows: list[tuple[str, ...]], column: int, down: bool) -> list[tuple[str, ...]]:
    filled = [row for row in rows if row[column] not in _EMPTY]
    numbers = all(_NUMBER.match(row[column]) for row in filled)
    key: Callable[[tuple[str, ...]], Any] = lambda row: (  # noqa: E731
        float(row[column].replace("−", "-")) if numbers else row[column].replace("`", "").lower()
    )
    return sorted(filled, key=key, reverse=down) + [row for row in rows if row[column] in _EMPTY]
