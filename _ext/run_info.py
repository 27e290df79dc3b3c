"""Under the title of every notebook page: how long its last run took, on what, when, and from which commit.

The seconds are those myst-nb recorded, the peak memory is what the kernel noted after its last cell (tools/kernels.py).
What myst-nb does not record (machine, versions, commit, memory) is written to `runs.json` beside the execution cache
when a notebook runs: a page built from the cache keeps the facts of the run that made it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx


@cache
def here(folder: str) -> dict[str, str]:
    """The facts of a run made now."""
    from ganlib import compute  # heavy, and only needed when a notebook has run

    commit = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=folder, capture_output=True, text=True)
    today = date.today()
    return {
        "machine": compute.describe(),
        "python": platform.python_version(),
        "date": f"{today.day} {today:%B %Y}",
        "commit": commit.stdout.strip(),
    }


def peak_memory() -> int | None:
    """Bytes that the kernel which ran last has held at most; None where nobody asked it or it could not tell."""
    path = Path(os.environ.get("GANLIB_PEAK_MEMORY", ""))
    if not path.is_file():
        return None
    peak = int(path.read_text())
    path.unlink()
    return peak


def sentence(run: dict[str, Any], quick: bool) -> str:
    seconds = run["seconds"]
    took = f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    commit = f", commit {run['commit']}" if run["commit"] else ""
    facts = f"{took} on {run['machine']}, Python {run['python']}, {run['date']}{commit}."
    if run.get("memory"):
        facts += f" Peak memory {run['memory'] / 1e9:.1f} GB."
    return (
        f"Quick run, figures are not those of the book: {facts}" if quick else f"Last verified by a full run: {facts}"
    )


def add_line(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    executed = NbMetadataCollector.get_exec_data(app.env, docname)
    if not executed or not executed["succeeded"]:
        return
    path = Path(app.outdir).parent / "runs.json"
    runs = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    run = runs.get(docname)
    if run is None or run["seconds"] != executed["runtime"]:  # not the run this page was made from: it ran just now
        run = runs[docname] = {"seconds": executed["runtime"], "memory": peak_memory(), **here(str(app.srcdir))}
        path.write_text(json.dumps(runs, indent=1), encoding="utf8")
    line = nodes.paragraph("", sentence(run, os.environ.get("GANLIB_QUICK") == "1"), classes=["run-info"])
    title = next(iter(doctree.findall(nodes.title)))
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", add_line)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
