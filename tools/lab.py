"""Open chapters in plain JupyterLab and look at what a reader there sees.

    python tools/lab.py          chapters 4 and 11
    python tools/lab.py 01 09    these

JupyterLab, without any extension, lies in an environment of its own (it is not among the book's requirements) and is
driven in headless Chromium with the network cut. Of each chapter every text cell must be rendered, with its formulas
typeset, nothing raw, no picture missing and every link to another file alive; the first link to another chapter is
clicked and must open it. Pictures of the screens are kept in `_build/lab`: look at them.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser
import environment
import kernels
import nbformat
import side

ROOT = side.ROOT
FOLDER = ROOT / "_build" / "lab"
PACKAGES = ("jupyterlab==4.6.6",)
#: A chapter is drawn whole, so that it can be read whole; nobody asks for news.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def lay_out(folder: Path) -> Path:
    """A folder with the book's sources for a reader to browse: notebooks, pages, pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("chapters/*.ipynb", "*.md", "reference/*.md", "benchmarks/results/*", "web/*.png", "web/*.svg"):
        for path in ROOT.glob(pattern):
            target = folder / "book" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for name, values in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf8")
    return folder / "book"


@contextmanager
def server(book: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """JupyterLab for this folder of sources: its address and its token."""
    python = side.environment("lab", PACKAGES)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = kernels.environment(quick=True)
    own.update(
        JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
        JUPYTER_CONFIG_DIR=str(folder / "config"),
        JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
        JUPYTER_DATA_DIR=str(folder / "data"),
        JUPYTER_TOKEN=token,
    )
    own.pop("PYTHONPATH", None)
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command = [str(python), "-m", "jupyterlab", *options, f"--ServerApp.root_dir={book}", "--allow-root"]
    with (folder / "server.log").open("w", encoding="utf8") as log:
        process = subprocess.Popen(command, cwd=book, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/"
    try:
        await_answer(f"{address}api?token={token}", process, folder / "server.log")
        yield address, token
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    raise SystemExit(f"[lab] JupyterLab did not start:\n{log.read_text(encoding='utf8')[-3000:]}")


def faults(notebook: Any, seen: dict[str, Any]) -> list[str]:
    """What is wrong with what was seen of a notebook."""
    if "crash" in seen:
        return [seen["crash"]]
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = [f"{kind}: {what}" for kind in ("raw", "mathErrors", "brokenImages", "deadLinks") for what in seen[kind]]
    found += [f"script error: {trouble}" for trouble in seen["troubles"]]
    if seen["rendered"] != len(texts):
        found.append(f"{seen['rendered']} of {len(texts)} text cells are rendered")
    folded = sum(text.count("<details>") for text in texts)
    if seen["details"] != folded:
        found.append(f"{seen['details']} of {folded} solutions can be folded out")
    if not seen["formulas"] and any("$" in text for text in texts):
        found.append("no formula is typeset")
    if any(".ipynb)" in text for text in texts) and not seen["opened"]:
        found.append("a click on the first link to a chapter opens nothing")
    return found


def look(book: Path, files: list[str]) -> dict[str, Any]:
    """What a browser sees of these notebooks of a laid out book, by file."""
    screens = book.parent / "screens"
    screens.mkdir(exist_ok=True)
    program, (node, _) = browser.find_or_install(), environment.find_node()
    with server(book, book.parent) as (address, token):
        job = {"browser": program, "server": address, "token": token, "screens": str(screens), "notebooks": files}
        probe = [node, str(Path(__file__).with_name("lab.mjs"))]
        result = subprocess.run(
            probe, input=json.dumps(job), capture_output=True, text=True, encoding="utf8", cwd=ROOT, timeout=600
        )
    if result.returncode:
        raise SystemExit(f"[lab] the browser did not finish:\n{result.stderr}")
    return json.loads(result.stdout)


def main() -> int:
    numbers = sys.argv[1:] or ["04", "11"]
    known = {path.name[:2]: path for path in (ROOT / "chapters").glob("*.ipynb")}
    for number in numbers:
        if number not in known:
            raise SystemExit(f"no chapter is called {number!r}; choose from: {', '.join(sorted(known))}")
    files = [f"chapters/{known[number].name}" for number in numbers]
    report, failed = look(lay_out(FOLDER), files), 0
    for file in files:
        seen = report[file]
        found = faults(nbformat.read(ROOT / file, as_version=4), seen)
        failed += bool(found)
        counts = ", ".join(f"{seen.get(kind, 0)} {kind}" for kind in ("rendered", "formulas", "details", "links"))
        print(f"[lab] {file}: {counts}; a link opened {seen.get('opened') or 'nothing'}", flush=True)
        for fault in found:
            print(f"[lab]   FAILED: {fault}", flush=True)
    print(f"[lab] screens: {FOLDER / 'screens'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
