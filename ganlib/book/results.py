"""Tables over seeds that took longer than a chapter may take, as they were measured once, and where.

`make results` in the book's repository computes them from the chapters' own cells, and the chapters compute a row of
each again.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

from safetensors.torch import load as tensors
from torch import nn

from ganlib._check import one_of

if TYPE_CHECKING:
    import pandas

_Net = TypeVar("_Net", bound=nn.Module)


def names() -> list[str]:
    """The tables: a chapter's has the chapter's name, a further one of it a hyphen and a word more."""
    folder = files("ganlib") / "assets" / "results"
    return sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))


def load(name: str) -> pandas.DataFrame:
    """The table of a chapter.

    Args:
        name: of its notebook, such as "07_mode_collapse"; "15_image_to_image-patches" is a further one of chapter 15.

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


def restore(network: _Net, name: str, file: str) -> _Net:
    """Give a network the weights that were trained with a chapter's table, kept in half precision.

    Args:
        network: one built as the cell of the chapter builds it.
        name: of the chapter's notebook, such as "15_image_to_image".
        file: as the table's row has it.

    Returns:
        The same network, in evaluation mode.

    Raises:
        ValueError: no such chapter or file; the message lists the known ones.
        RuntimeError: the network is built in another way.
    """
    one_of("name", name, names())
    folder = files("ganlib") / "assets" / "results" / name
    known = sorted(f.name for f in folder.iterdir()) if folder.is_dir() else []
    one_of("file", file, known)
    network.load_state_dict(tensors((folder / file).read_bytes()))
    return network.eval()
