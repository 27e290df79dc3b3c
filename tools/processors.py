"""Run chapters as other processors would, and with other seeds, and keep what became of their claims.

    python tools/processors.py           every chapter whose code has changed   (`make processors`)
    python tools/processors.py 07 13     these chapters
    python tools/processors.py --report  only print the table that is there

Rounding differs with a processor's vector instructions and with the number of threads, and training amplifies it: a
claim is safe only if it holds under several. torch, oneDNN and MKL are told by environment variables to do without
instructions that this machine has. Each run of a chapter under one case is kept at once, with a digest of the chapter's
code, in `benchmarks/results/processors.json`: what is there is not run again, unless the code has changed. The command
may be stopped and called again. At its end it prints the table of margins; `tests/test_processors.py` refuses one that
is older than the chapters, and a claim that is false in it.

A claim's margin is the share of the way from its value to its control on which the claim stays true. Its least one over
all runs says how near it came to being false, and its mean over its spread how many spreads are left.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import execute
import kernels
import nbformat
import provenance
import results

ROOT = kernels.ROOT
TABLE = ROOT / "benchmarks" / "results" / "processors.json"

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
OTHER_MATRIX = {"MKL_CBWR": "COMPATIBLE"}  # else MKL chooses for itself, and perceptrons round alike everywhere
NO_AVX = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", **OTHER_MATRIX}
#: name -> (environment, threads)
CASES: dict[str, tuple[dict[str, str], int]] = {
    "this machine": ({}, 1),
    "AVX2": (AVX2, 1),
    "AVX2, other matrix kernels, 2 threads": ({**AVX2, **OTHER_MATRIX}, 2),
    "no AVX": (NO_AVX, 1),
    "other seeds 1": ({"GANLIB_SEED_SHIFT": "1"}, 1),
    "other seeds 2": ({"GANLIB_SEED_SHIFT": "2"}, 1),
}
#: For chapters whose claims lean on long training.
MORE_CASES: dict[str, tuple[dict[str, str], int]] = {
    "this machine, 2 threads": ({}, 2),
    "no AVX, 2 threads": (NO_AVX, 2),
}
HEAVY = ("07", "09", "11", "12", "13")


def cases(chapter: str) -> dict[str, tuple[dict[str, str], int]]:
    """The cases of a chapter, by the name of its notebook."""
    return {**CASES, **MORE_CASES} if chapter[:2] in HEAVY else CASES


def chapters() -> list[str]:
    """Names of the chapters' notebooks."""
    return sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))


def digest(chapter: str) -> str:
    """Changes with what the chapter's code does, not with its words, comments or layout."""
    notebook = nbformat.read(ROOT / "chapters" / f"{chapter}.ipynb", as_version=4)
    return results.digest([cell.source for cell in notebook.cells if cell.cell_type == "code"])


def load() -> list[dict[str, Any]]:
    """The rows of the table: chapter, case, digest, where, seconds, claims."""
    return json.loads(TABLE.read_text(encoding="utf8"))["rows"] if TABLE.exists() else []


def missing(rows: list[dict[str, Any]], wanted: Iterable[str]) -> list[tuple[str, str]]:
    """(chapter, case) pairs that the table lacks, or has of older code."""
    newest = {chapter: digest(chapter) for chapter in wanted}
    current = {(row["chapter"], row["case"]) for row in rows if row["digest"] == newest.get(row["chapter"])}
    return [(chapter, case) for chapter in newest for case in cases(chapter) if (chapter, case) not in current]


def run(chapter: str, case: str) -> dict[str, Any]:
    """One row of the table.

    Raises:
        RuntimeError: a cell failed.
    """
    variables, threads = cases(chapter)[case]
    note = ROOT / "_build" / "processors" / f"{chapter} {case}.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    # Threads that wait do so asleep: two runs with two threads each would else spin against each other.
    environment = {
        **kernels.environment(quick=False, threads=threads),
        **variables,
        "OMP_WAIT_POLICY": "PASSIVE",
        "GANLIB_RUN_NOTE": str(note),
    }
    path, mark = ROOT / "chapters" / f"{chapter}.ipynb", digest(chapter)
    notebook = nbformat.read(path, as_version=4)
    error = execute.play(notebook, [], path.parent, environment, timeout=3600)
    if error:
        raise RuntimeError(f"{chapter}, {case}: {error}")
    seconds = json.loads(note.read_text(encoding="utf8"))["seconds"]
    claims = [
        {key: one[key] for key in ("words", "kind", "holds", "value", "margin")} for one in execute.claims_of(notebook)
    ]
    return {"chapter": chapter, "case": case, "digest": mark, "seconds": seconds, "claims": claims}


def keep(rows: list[dict[str, Any]]) -> None:
    """Write the table: one row a line, so that a change of a chapter is a small change of the file."""
    about = provenance.about(("torch", "numpy"), ("ganlib/*.py",))
    order = {name: place for place, name in enumerate([*CASES, *MORE_CASES])}
    rows = sorted(rows, key=lambda row: (row["chapter"], order.get(row["case"], 99)))
    text = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    part = TABLE.with_suffix(".part")
    part.write_text(f'{{"about": {json.dumps(about)},\n"rows": [\n{text}\n]}}\n', encoding="utf8")
    os.replace(part, TABLE)


def margins(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each claim about training: how many runs it held in, its least margin, the mean margin over its spread."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        for one in row["claims"]:
            if one["kind"] == "trained":
                found.setdefault((row["chapter"], one["words"]), []).append({**one, "case": row["case"]})
    lines = []
    for (chapter, words), runs in found.items():
        shares = [one["margin"] if one["holds"] else 0.0 for one in runs if one["holds"] is False or one["margin"]]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        lines.append(
            {
                "chapter": chapter,
                "words": words,
                "runs": len(runs),
                "false": [one["case"] for one in runs if not one["holds"]],
                "least": min(shares) if shares else None,
                "spreads": statistics.mean(shares) / spread if spread else math.inf if shares else None,
            }
        )
    return lines


def report(rows: list[dict[str, Any]]) -> str:
    """The table of margins as text, the thinnest first in each chapter."""
    lines = [f"{'chapter':8}{'held':>8}{'margin':>8}{'spreads':>9}  claim"]
    for one in sorted(margins(rows), key=lambda m: (m["chapter"], m["least"] if m["least"] is not None else 1)):
        held = f"{one['runs'] - len(one['false'])}/{one['runs']}"
        least = "–" if one["least"] is None else f"{one['least']:.2f}"
        spreads = "–" if one["spreads"] is None else "∞" if math.isinf(one["spreads"]) else f"{one['spreads']:.1f}"
        where = f"  FALSE: {'; '.join(one['false'])}" if one["false"] else ""
        lines.append(f"{one['chapter'][:2]:8}{held:>8}{least:>8}{spreads:>9}  {one['words']}{where}")
    for row in rows:
        lines += [
            f"FALSE without training: {row['chapter']}, {row['case']}: {one['words']} · {one['value']}"
            for one in row["claims"]
            if not one["holds"] and one["kind"] != "trained"
        ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapter", nargs="*", help="a number with two digits, or a name; all by default")
    parser.add_argument("--report", action="store_true", help="only print the table that is there")
    asked = parser.parse_args()
    unknown = [name for name in asked.chapter if not any(known.startswith(name) for known in chapters())]
    if unknown:
        parser.error(f"no chapter is called {unknown[0]!r}; there are: {', '.join(chapters())}")
    wanted = [name for name in chapters() if not asked.chapter or any(map(name.startswith, asked.chapter))]
    known, lock, failed = chapters(), threading.Lock(), []
    rows = [row for row in load() if row["chapter"] in known and row["case"] in cases(row["chapter"])]

    def one(pair: tuple[str, str]) -> None:
        start = time.time()
        try:
            row = run(*pair)
        except RuntimeError as error:
            failed.append(str(error))
            print(error, flush=True)
            return
        with lock:
            rows[:] = [old for old in rows if (old["chapter"], old["case"]) != pair] + [row]
            keep(rows)
        false = [claim["words"] for claim in row["claims"] if not claim["holds"]]
        print(f"{pair[0]}, {pair[1]}: {time.time() - start:.0f} s{''.join(f'; FALSE: {w}' for w in false)}", flush=True)

    if not asked.report:
        with ThreadPoolExecutor(execute.workers(100)) as pool:
            list(pool.map(one, missing(rows, wanted)))
    shown = [row for row in rows if row["chapter"] in wanted]
    print(report(shown))
    return 1 if failed or any(not claim["holds"] for row in shown for claim in row["claims"]) else 0


if __name__ == "__main__":
    sys.exit(main())
