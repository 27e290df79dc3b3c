"""The table to look things up in: what Python is told and what is refused. How it looks: tests/page/test_table.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import traitlets

from ganlib import widgets

COLUMNS = ["old name", "library", "here", "year"]
HINGE = widgets.Link('`losses.get("hinge")`', "reference/losses.html#ganlib.losses.get")
ROWS: list[tuple[Any, ...]] = [
    ("`wasserstein_hinge_loss`", "TF-GAN", HINGE, "2018"),
    ("`LSGAN`", "vegans", [widgets.Link("chapter 8", "chapters/08_losses.html"), "`Game`"], "1999"),
    ("`acgan_loss`", ["TF-GAN", "vegans"], "–", "300"),
    ("`WassersteinGAN`", "vegans", "not here", "2018"),
    ("`estimator`", "TF-GAN", "–", ""),
]


def table(rows: Any = ROWS, columns: Any = COLUMNS, **options: Any) -> widgets.Table:
    return widgets.table(rows, columns, **{"filters": ["library"], "caption": "Old names"} | options)


def first(widget: widgets.Table) -> list[str]:
    return [row[0].strip("`") for row in widget.shown()]


def test_search() -> None:
    widget = table()
    names = ["wasserstein_hinge_loss", "LSGAN", "acgan_loss", "WassersteinGAN", "estimator"]
    assert first(widget) == names
    assert widget.shown()[1] == ("`LSGAN`", "vegans", "chapter 8, `Game`", "1999")
    for query, left in (
        ("wasserstein", [0, 3]),
        (" 2018  WASSER ", [0, 3]),
        ("loss tf", [0, 2]),
        ('get("hinge")', [0]),
        ("game", [1]),
        ("`acgan_loss`", [2]),
        ("nothing", []),
    ):
        widget.query = query
        assert first(widget) == [names[i] for i in left], query
    widget = table(search=["old name"])
    widget.query = "vegans"
    assert widget.shown() == [] and table(search=()).facts["search"] == []


def test_choices() -> None:
    widget = table()
    assert widget.facts["choices"] == {"library": ["TF-GAN", "vegans"]}
    widget.chosen = {"library": "vegans"}
    assert first(widget) == ["LSGAN", "acgan_loss", "WassersteinGAN"]
    widget.query = "loss"
    assert first(widget) == ["acgan_loss"]
    for name, wrong in (
        ("chosen", {"library": "Keras"}),
        ("chosen", {"year": "2018"}),
        ("order", ["library"]),
        ("order", ["name", "ascending"]),
        ("order", ["library", "up"]),
    ):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)
    assert widget.chosen == {"library": "vegans"}


def test_order() -> None:
    widget = table()
    for order, names in (
        (["old name", "ascending"], ["acgan_loss", "estimator", "LSGAN", "wasserstein_hinge_loss", "WassersteinGAN"]),
        (["year", "ascending"], ["acgan_loss", "LSGAN", "wasserstein_hinge_loss", "WassersteinGAN", "estimator"]),
        (["year", "descending"], ["wasserstein_hinge_loss", "WassersteinGAN", "LSGAN", "acgan_loss", "estimator"]),
        (["here", "descending"], ["WassersteinGAN", "wasserstein_hinge_loss", "LSGAN", "acgan_loss", "estimator"]),
        ([], ["wasserstein_hinge_loss", "LSGAN", "acgan_loss", "WassersteinGAN", "estimator"]),
    ):
        widget.order = order
        assert first(widget) == names, order


def test_without_a_script_it_is_plain_text() -> None:
    told = table()._repr_mimebundle_()[0]["text/plain"]
    assert told.splitlines()[:3] == [
        "Old names",
        "old name                library         here                 year",
        'wasserstein_hinge_loss  TF-GAN          losses.get("hinge")  2018',
    ]
    assert len(told.splitlines()) == 2 + len(ROWS)


def to(address: str) -> Callable[[], Any]:
    return lambda: table([*ROWS, ("x", "y", widgets.Link("here", address), "")])


OUTSIDE = ["https://x.org/a.html", "//x/a.html", "/a.html", "../a.html", "a/../../b.html", "a.ipynb", "a.html#"]
OUTSIDE += ["javascript:a.html", "a.html#a b", ""]
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: table("rows"), TypeError, "rows must be a sequence of rows, got str"),
    (lambda: table([]), ValueError, "rows must hold 1 to 1000 rows, got 0"),
    (lambda: table(["abcd"]), TypeError, r"rows\[0\] must be a sequence of cells, got str"),
    (lambda: table([*ROWS, ("a", "b")]), ValueError, r"rows\[5\] must hold 4 cells, one for each of .* got 2"),
    (lambda: table([("a", "b", 3, "")]), TypeError, r"\[0\], 'here' must be a text, a Link or a list of them, got 3"),
    (lambda: table([("a", "b", [], "")]), TypeError, r"rows\[0\], 'here' must be a text, a Link or a list"),
    (lambda: table(columns="abcd"), TypeError, "columns must be a sequence of texts, got 'abcd'"),
    (lambda: table(columns=["a", "b", "b", "c"]), ValueError, "columns must be 1 to 8 different names"),
    (lambda: table(search=["name"]), ValueError, "search='name' is not known; choose one of: old name"),
    (lambda: table(filters=["libary"]), ValueError, "filters='libary' is not known; choose one of: library"),
    (lambda: table(ROWS[:1]), ValueError, "filters: 'library' must hold 2 to 12 texts, got 1"),
    (lambda: table([("x" * 400_000, "", "", ""), *ROWS]), ValueError, "rows hold 400 kB of text; a page may carry 300"),
    *[(to(place), ValueError, r"rows\[5\], 'here': a Link must lead to a page such as") for place in OUTSIDE],
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_refusals(make: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
