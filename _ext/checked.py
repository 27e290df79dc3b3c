"""The page "Checked in this book": every claim of every chapter, with its value, its kind, and whether it held.

The directive `checked` reads `claims.json`, which tools/execute.py writes beside the execution cache from the outputs
of the chapters' last cells, and `runs.json`, which says where they ran.
"""

from __future__ import annotations

import html
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

#: kind of claim -> what it says, in the order of the table.
KINDS = {
    "computed": "needs no training: false anywhere would be a defect",
    "trained": "about training: true of what was measured and false of the control beside it",
    "stored": "read from a table that was measured once, over seeds, and is kept with the book",
}


def load(app: Sphinx, name: str) -> dict[str, Any]:
    path = Path(app.outdir).parent / name
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else {}


def row(one: dict[str, Any]) -> str:
    """A claim as in its chapter, with its kind."""
    state = ("true" if one["holds"] else "false") if one["judged"] else "untrained"
    control = f"control: {one['control']}" if one["control"] else ""
    parts = [("value", one["value"]), ("control", control), ("remark", one["kind"])]
    tail = "".join(f' · <span class="claim-{name}">{html.escape(text)}</span>' for name, text in parts if text)
    mark = f'<span class="claim-mark">{"✓" if one["holds"] else "✗"}</span>'
    return f'<div class="claim claim-{state}">{mark} {html.escape(one["words"])}{tail}</div>'


def summary(claims: dict[str, list[dict[str, Any]]], runs: dict[str, Any]) -> str:
    """How many claims there are of each kind, how many held, and on what."""
    every = [one for found in claims.values() for one in found]
    count = Counter(one["kind"] for one in every)
    held = sum(one["holds"] and one["judged"] for one in every)
    false = sum(one["judged"] and not one["holds"] for one in every)
    unjudged = len(every) - held - false
    machines = "; ".join(sorted({run["machine"] for name, run in runs.items() if name in claims}))
    words = f"**{held} of {len(every)} claims held in this build**, {false or 'none'} did not"
    words += f", and {unjudged} were not judged, as this is a quick run that trains almost nothing" if unjudged else ""
    lines = [f"{words}. It ran on {machines}.", ""] if machines else [f"{words}.", ""]
    lines += ["| kind | claims | what that says |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {kind} | {count[kind]} | {meaning} |" for kind, meaning in KINDS.items())])


class Checked(SphinxDirective):
    """Numbers first, then a section for each chapter."""

    def run(self) -> list[nodes.Node]:
        app = self.env.app
        self.env.note_reread()
        found = {name: claims for name, claims in load(app, "claims.json").items() if claims}
        result = self.parsed(summary(found, load(app, "runs.json")))
        for document, claims in found.items():
            name = title(Path(app.srcdir), document)
            (heading,) = self.parsed(f"[{name}](/{document}.ipynb)")
            section = nodes.section(ids=[nodes.make_id(name)], names=[nodes.fully_normalize_name(name)])
            section += nodes.title("", "", *heading.children)
            section += nodes.raw("", "\n".join(map(row, claims)), format="html")
            result.append(section)
        return result

    def parsed(self, text: str) -> list[nodes.Node]:
        """What this Markdown says, as nodes."""
        box = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.env.docname), self.content_offset, box)
        return list(box.children)


def title(folder: Path, document: str) -> str:
    """Number and name of a chapter, from its first line."""
    cells = json.loads((folder / f"{document}.ipynb").read_text(encoding="utf8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].lstrip("# ") if cells else os.path.basename(document)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("checked", Checked)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
