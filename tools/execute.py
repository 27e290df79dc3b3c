"""Run the book's notebooks, as many at a time as there are cores and with one torch thread each.

Jupyter Book would run them one after another. Several at a time with one thread each are done earlier, and a chapter's
numbers do not depend on how many cores there are. A notebook whose code is in Jupyter Book's cache is not run. What a
run took, and where, is written to `runs.json` beside the cache, for the line under a page's title.
In the quick profile the Python of a chapter's folded solutions runs after its own cells, in the same kernel.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import kernels
import nbformat
import provenance
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

DETAILS = re.compile(r"<details>.*?</details>", re.S)
KEY = "ganlib_claim"  # ganlib.book.claims.KEY; ganlib itself is heavy, and only needed where a notebook runs
#: What a notebook's kernel holds at most (the largest chapter's peak, and some room).
MEMORY = 2.5e9


def documents(root: Path) -> list[str]:
    """The notebooks of the table of contents, without their suffix, in its order."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    parts = [contents, *contents.get("parts", [])]
    names = [contents["root"], *(entry["file"] for part in parts for entry in part.get("chapters", []))]
    return [name for name in names if (root / f"{name}.ipynb").exists()]


def solutions(text: str) -> list[tuple[str, str]]:
    """(exercise, Python) for each block of code in the folded solutions of a chapter's text, in order."""
    found = []
    for place in DETAILS.finditer(text):
        named = re.findall(r"\*\*(Exercise \d+\.\d+)", text[: place.start()])
        for block in re.findall(r"^```python\n(.*?)^```", place.group(), re.S | re.M):
            found.append((named[-1] if named else "before any exercise", block))
    return found


def workers(notebooks: int) -> int:
    """How many notebooks to run at a time: one a core, and no more than the memory holds."""
    try:
        room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MEMORY
    except (AttributeError, OSError, ValueError):  # Windows
        room = 2
    return max(1, min(notebooks, os.cpu_count() or 1, int(room)))


def play(notebook: Any, extra: list[tuple[str, str]], folder: Path, variables: dict[str, str], timeout: int) -> str:
    """Run a notebook in place, then the `extra` cells, which leave nothing in it; what went wrong, or "".

    Args:
        notebook: of nbformat.
        extra: (name, code) of cells to run afterwards.
        folder: the working directory.
        variables: the kernel's environment.
        timeout: seconds a cell may take.
    """
    name = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    place_of_work = {"metadata": {"path": str(folder)}}
    # without timings in the cells' metadata, which the cache takes for another notebook
    client = NotebookClient(notebook, timeout=timeout, kernel_name=name, resources=place_of_work, record_timing=False)
    own, place = len(notebook.cells), ""
    try:
        with client.setup_kernel(env=variables):
            for number, cell in enumerate(notebook.cells):
                client.execute_cell(cell, number)
            assert client.kc is not None
            info = client.wait_for_reply(client.kc.kernel_info())
            assert info is not None
            notebook.metadata["language_info"] = info["content"]["language_info"]
            client.set_widgets_metadata()
            for exercise, code in extra:
                place = exercise
                notebook.cells.append(nbformat.v4.new_code_cell(code))
                client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        words = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # without its colours
        return f"in the solution of {place}:\n{words}" if place else words
    finally:
        del notebook.cells[own:]
    return ""


def run_all(root: Path, folder: Path, quick: bool, say: Callable[[str], None]) -> dict[str, str]:
    """Run what is not in the cache.

    Args:
        root: the book's folder, with `_toc.yml`.
        folder: of this profile's build. Below it, the cache is where Jupyter Book looks for it; `runs.json` and
            `claims.json` (document -> its claims) lie beside it.
        quick: the quick profile, or the full one.
        say: is told of each notebook that has run.

    Returns:
        document -> what went wrong, for those that failed.
    """
    timeout = yaml.safe_load((root / "_config.yml").read_text(encoding="utf8"))["execute"]["timeout"]
    runs_file = folder / "_build" / "runs.json"
    runs_file.parent.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Any] = json.loads(runs_file.read_text(encoding="utf8")) if runs_file.exists() else {}
    cache, lock, failed = get_cache(str(folder / "_build" / ".jupyter_cache")), threading.Lock(), {}
    todo = []
    for document in documents(root):
        notebook = nbformat.read(root / f"{document}.ipynb", as_version=4)
        text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        extra = solutions(text) if quick else []
        mark = hashlib.sha256(repr(extra).encode()).hexdigest()[:16]
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            pass
        else:
            if runs.get(document, {}).get("solutions") == mark:
                continue
        todo.append((document, notebook, extra, mark))
    todo.sort(key=lambda one: -runs.get(one[0], {}).get("seconds", 1e9 + len(str(one[1]))))  # the longest first

    def run(document: str, notebook: Any, extra: list[tuple[str, str]], mark: str) -> None:
        note = folder / "_build" / f"note-{document.replace('/', '-')}.json"
        variables = {**kernels.environment(quick, threads=1), "GANLIB_RUN_NOTE": str(note)}
        path, start = root / f"{document}.ipynb", time.time()
        error = play(notebook, extra, path.parent, variables, timeout)
        took = time.time() - start
        with lock:
            if error:
                failed[document] = error
                say(f"{document} FAILED after {took:.0f} s")
                return
            spent = json.loads(note.read_text(encoding="utf8"))
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": took})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            runs[document] = {**spent, "wall": round(took, 1), "solutions": mark, **here()}
            runs_file.write_text(json.dumps(runs, indent=1), encoding="utf8")
            say(f"{document}: {spent['seconds']:.0f} s of processor time, {took:.0f} s on the clock")
        note.unlink()

    if todo:
        here()  # what it imports is not for a thread to import first
        with ThreadPoolExecutor(workers(len(todo))) as pool:
            list(pool.map(lambda one: run(*one), todo))
    found = {} if failed else {name: claims_of(cached(root, cache, name)) for name in documents(root)}
    (folder / "_build" / "claims.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf8")
    return failed


def cached(root: Path, cache: Any, document: str) -> Any:
    """A notebook with the outputs of its last run."""
    return cache.merge_match_into_notebook(nbformat.read(root / f"{document}.ipynb", as_version=4))[1]


def claims_of(notebook: Any) -> list[dict[str, Any]]:
    """The claims that a notebook's outputs show, as `ganlib.book.claims.Claim` records them."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [dict(output.metadata[KEY]) for output in outputs if KEY in output.get("metadata", {})]


def here() -> dict[str, str]:
    """Where and with what notebooks run now."""
    today, commit = date.today(), provenance.commit()
    return {
        "machine": provenance.machine(),
        "python": platform.python_version(),
        "date": f"{today.day} {today:%B %Y}",
        "commit": commit,
    }
