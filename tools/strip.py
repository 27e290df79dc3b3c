"""Remove stored outputs from notebooks, but for cells whose output is checked (tagged `nbval-check-output`).

    python tools/strip.py chapters/*.ipynb      rewrites those that have something to remove; exit code 1 if any had

The counts of checked cells stay: nbval takes an output without its count for one that was never run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat

KEEP = {"accelerator", "colab", "kernelspec", "language_info"}


def strip(notebook: Any) -> Any:
    """The same notebook without what a run or an editor left in it."""
    notebook.metadata = nbformat.from_dict({k: v for k, v in notebook.metadata.items() if k in KEEP})
    if "language_info" in notebook.metadata:
        notebook.metadata["language_info"] = nbformat.from_dict({"name": "python"})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code" and "nbval-check-output" not in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
    return notebook


def main() -> int:
    changed = []
    for path in map(Path, sys.argv[1:]):
        before = path.read_text(encoding="utf8")
        after = nbformat.writes(strip(nbformat.reads(before, as_version=4))) + "\n"
        if after.strip() != before.strip():
            path.write_text(after, encoding="utf8")
            changed.append(path)
            print(f"stripped {path}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
