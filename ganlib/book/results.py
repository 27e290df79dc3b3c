"""Tables over seeds that took longer than a chapter may take, as they were measured once, and where.

`make results` in the book's repository computes them from the chapters' own cells, and the chapters compute a row of
each again.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

from ganlib._check import one_of

if TYPE_CHECKING:
    import pandas


def names() -> list[str]:
    """The chapters that have a table."""
    folder = files("ganlib") / "assets" / "results"
    return sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))


def load(name: str) -> pandas.DataFrame:
    """The table of a chapter.

    Args:
        name: of its notebook, such as "07_mode_collapse".

    Returns:
        One row a measurement: what was measured (method, seed …) and the numbers found. `table.attrs["about"]` says
        on which machine, with which versions and when.

    Raises:
        ValueError: no such table; the message lists the known ones.
    """
    import pandas

    one_of("name", name, names())
    kept = json.loads((files("ganlib") / "assets" / "results" / f"{name}.json").read_text(encoding="utf8"))
    table = pandas.DataFrame(kept["rows"])
    table.attrs["about"] = kept["about"]
    return table
