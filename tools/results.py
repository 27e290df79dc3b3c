"""Compute the tables over seeds that a chapter has no time for: `make results`, or with the name of a chapter
`python tools/results.py 07_mode_collapse`.

A chapter that has such a table tags the code cells which produce it `results`. Run one after another they define
`cases()`, a list of mappings (one row each, its seed among them), and `measure(**case)`, the numbers of that row. Each
case is measured on one thread at full budget and kept at once, with the machine and a digest of the cells, in
`ganlib/assets/results/`, where `ganlib.results` finds it: what is there is not measured again, unless the cells have
changed. So a table comes from the code that its readers see, and `tests/test_results.py` refuses one that does not.

Cells tagged `results-x` follow those tagged `results` and make a table of their own, `chapter-x`: what is added there
does not outdate the first.

A network among the numbers that `measure` returns is kept in half precision in a file beside the table, and its row
names the file: `ganlib.results.restore(network, chapter, file)` reads it.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from provenance import about
from safetensors.torch import save
from torch import nn

ROOT = Path(__file__).resolve().parent.parent

RESULTS = ROOT / "ganlib" / "assets" / "results"
TAG = "results"
PARSING = threading.Lock()
"""Python 3.11 refuses some code if two of its threads parse at once (SystemError: AST constructor recursion depth)."""
LIMIT = 600_000
"""Bytes that a kept network may have: what a page may carry."""


def tagged(notebook: Path) -> list[tuple[str, set[str]]]:
    """Code and tags of the notebook's code cells, in their order."""
    found = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return [("".join(c["source"]), set(c["metadata"].get("tags", []))) for c in found if c["cell_type"] == "code"]


def cells(name: str) -> list[str]:
    """The code that makes this table."""
    chapter, _, part = name.partition("-")
    wanted = {TAG, f"{TAG}-{part}"}
    return [code for code, tags in tagged(ROOT / "chapters" / f"{chapter}.ipynb") if tags & wanted]


def digest(code: list[str]) -> str:
    """Changes with what the code does, not with its comments or layout."""
    with PARSING:
        plain = "\n".join(ast.unparse(ast.parse(cell)) for cell in code)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def names() -> list[str]:
    """The tables: those of chapters, and their further ones."""
    found = {
        path.stem + tag.removeprefix(TAG)
        for path in (ROOT / "chapters").glob("*.ipynb")
        for _, tags in tagged(path)
        for tag in tags
        if tag == TAG or tag.startswith(f"{TAG}-")
    }
    return sorted(found)


def kept(name: str, case: dict[str, Any], numbers: dict[str, Any]) -> dict[str, Any]:
    """The row of this case: its networks are written to files, and named."""
    row = {**case, **numbers}
    for key, value in numbers.items():
        if isinstance(value, nn.Module):
            row[key] = "-".join(str(part) for part in (*case.values(), key)) + ".safetensors"
            state = {k: v.detach().half() if v.is_floating_point() else v for k, v in value.state_dict().items()}
            content = save({k: v.contiguous() for k, v in state.items()})
            if len(content) > LIMIT:
                raise ValueError(f"{name}: {row[key]} has {len(content)} bytes; the limit is {LIMIT}")
            (RESULTS / name).mkdir(parents=True, exist_ok=True)
            (RESULTS / name / row[key]).write_bytes(content)
            row[f"{key}_digest"] = hashlib.sha256(content).hexdigest()[:16]
    return row


def compute(name: str) -> None:
    """Measure what is missing in the table of this chapter."""
    code = cells(name)
    file, mark = RESULTS / f"{name}.json", digest(code)
    before: dict[str, Any] = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    rows: list[dict[str, Any]] = before.get("rows", []) if before.get("digest") == mark else []
    namespace: dict[str, Any] = {"__name__": name}
    for cell in code:
        exec(compile(cell, name, "exec"), namespace)
    cases: list[dict[str, Any]] = namespace["cases"]()
    rows = [row for row in rows if any(case.items() <= row.items() for case in cases)]
    todo = [case for case in cases if not any(case.items() <= row.items() for row in rows)]
    where = about(("torch",), ("ganlib/*.py", f"chapters/{name.partition('-')[0]}.ipynb"))
    RESULTS.mkdir(parents=True, exist_ok=True)
    for i, case in enumerate(todo):
        began = time.perf_counter()
        rows.append(kept(name, case, namespace["measure"](**case)))
        table = {"about": where, "digest": mark, "rows": rows}
        new = file.with_suffix(".part")
        new.write_text(json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf8")
        os.replace(new, file)
        print(f"{name} {i + 1}/{len(todo)}, {time.perf_counter() - began:.0f} s: {rows[-1]}", flush=True)


def main() -> None:
    """The tables asked for, or all of them."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help=f"{', '.join(names()) or 'there is no table'}; all by default")
    asked = parser.parse_args().name or names()
    for name in asked:
        if name not in names():
            parser.error(f"there is no table {name!r}; there are: {', '.join(names())}")
    torch.set_num_threads(1)
    for name in asked:
        compute(name)


if __name__ == "__main__":
    main()
