"""Under the title of every notebook page: what its last run took, on what, when, and from which commit.

tools/execute.py writes all that to `runs.json` beside the execution cache when a notebook runs: a page built from the
cache keeps the facts of the run that made it. Seconds are processor time, which other work on the machine leaves alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def sentence(run: dict[str, Any], quick: bool) -> str:
    seconds = run["seconds"]
    took = f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    commit = f", commit {run['commit']}" if run["commit"] else ""
    facts = f"{took} of processor time on {run['machine']}, Python {run['python']}, {run['date']}{commit}."
    if run.get("memory"):
        facts += f" Peak memory {run['memory'] / 1e9:.1f} GB."
    return (
        f"Quick run, figures are not those of the book: {facts}" if quick else f"Last verified by a full run: {facts}"
    )


def add_line(app: Sphinx, doctree: nodes.document) -> None:
    path = Path(app.outdir).parent / "runs.json"
    run = json.loads(path.read_text(encoding="utf8")).get(app.env.docname) if path.exists() else None
    if run is None:
        return
    line = nodes.paragraph("", sentence(run, os.environ.get("GANLIB_QUICK") == "1"), classes=["run-info"])
    title = next(iter(doctree.findall(nodes.title)))
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", add_line)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
