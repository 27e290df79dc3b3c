"""Open chapters in JupyterLab, use ganlib's widgets there with a live kernel, and look at what a reader sees.

    python tools/lab.py                chapters 4 and 11, and the widgets
    python tools/lab.py 01 09          these chapters
    python tools/lab.py widgets        the widgets alone
    python tools/lab.py widgets7       the widgets with the ipywidgets and anywidget of Colab's kernels

JupyterLab lies in an environment of its own (it is not among the book's requirements), as README's `pip install
jupyterlab` would leave it: beside the book's ipywidgets and anywidget, without any other extension. It is driven in
headless Chromium with the network cut. Of each chapter every text cell must be rendered, with its formulas typeset,
nothing raw, no picture missing and every link to another file alive; the first link to another chapter is clicked and
must open it. A small notebook with each of the widgets is run by JupyterLab's own Run All Cells: each must be drawn, do
what Python sets, answer to its keys without losing the focus to the notebook, and tell Python what the reader did.
Pictures of the screens are kept in `_build/lab`: look at them.
"""

from __future__ import annotations

import json
import re
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
import colab
import environment
import kernels
import nbformat
import side

ROOT = side.ROOT
FOLDER = ROOT / "_build" / "lab"
JUPYTERLAB = "jupyterlab==4.6.6"
#: What draws the widgets: what the book pins; and what Colab has, whose own pages cannot be opened here.
EXTENSIONS = {
    "widgets": re.findall(r"^(?:ipywidgets|anywidget)==\S+", (ROOT / "requirements.txt").read_text("utf8"), re.M),
    "widgets7": [*(pin for pin in colab.FULL if re.match("ipywidgets|anywidget", pin)), "jupyterlab_widgets<2"],
}
#: A chapter is drawn whole, so that it can be read whole; nobody asks for news.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
#: A notebook with each widget. Its last cell says what Python knows of them, and then sets them from Python.
WIDGETS = (
    f"""import sys

sys.path.insert(0, {str(ROOT / "tools")!r})
import cover_generator
import matplotlib.pyplot as plt
import torch
from ganlib import data, nets, plot, widgets

plot.use_style()
frames = []
for height in range(1, 5):
    figure, axes = plt.subplots(figsize=(5, 2))
    axes.bar(range(4), [height, 2, 3, 4])
    frames.append(figure)
box = widgets.scrubber(frames, ["0", "100", "200", "300"], alt="Four bars, the first growing", interval=1000)
player = widgets.live(cover_generator.read()[0])
torch.manual_seed(0)
brushes = {{"grey": (128, 128, 128), "white": (255, 255, 255)}}
drawing = torch.where(torch.arange(1024).view(1, 1, 32, 32) > 500, 255, 128).expand(1, 3, 32, 32).byte()
translators = {{name: nets.ResidualGenerator(width=4, latent=2) for name in ("by-day", "by-night")}}
board = widgets.pad(translators, brushes, drawing)
small, large = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 32, 32)
there, back = torch.nn.Conv2d(3, 1, 3, 1, 1), torch.nn.Conv2d(1, 3, 3, 1, 1)
first, second = nets.ResidualUpsampler(width=4), nets.ResidualUpsampler(width=4)
torch.nn.init.normal_(second.net[-2].weight, 0, 0.1)
mixture = widgets.mix(first, second, small, large)
sampler, mean = (nets.ResidualGenerator(2, 1, width=4, downs=1, blocks=1, latent=latent) for latent in (2, 0))
reader = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 3))
rubbed = widgets.rub(sampler, mean, reader, small[:, :1])
prices = {{"labels": {{100: 20, 400: 80}}, "shifts": {{"no": 0, "yes": 20}}}}
shop = widgets.budget({{(n, s): (n / 8, n / 9, n / 7) for n in (100, 400) for s in ("no", "yes")}}, prices, 100)
texture = torch.nn.Sequential(torch.nn.Conv2d(2, 1, 3), torch.nn.Upsample(scale_factor=2), torch.nn.Tanh())
endless = widgets.canvas(texture)
names = widgets.table([("hinge", "TF-GAN", "2018"), ("distance", "vegans", "2021")], ["name", "library", "year"])
school = widgets.trainer(*(data.load("digits8", split).x for split in ("train", "test")))
styles = widgets.styles(nets.StyleGenerator(width=4))""",
    "box",
    "player",
    'widgets.laboratory("ring")',
    """figure, axes = plt.subplots(figsize=(4, 1.5))
axes.plot([0, 1], [0, 1])
widgets.quiz([
    widgets.Question("Does the line rise?", ["yes", "no"], 0, "From left to right.", figure, "A straight line"),
    widgets.Question("And back?", ["yes", "no", "neither"], 1),
])""",
    "board",
    "widgets.lamp(there, back, large)",
    "mixture",
    "rubbed",
    "shop",
    "endless",
    "names",
    "school",
    "styles",
    """slider = box.children[0].children[1]
print("heard", slider.value, player.label, board.translator, mixture.alpha, rubbed.picture, shop.choice[1], endless.x,
      names.query, school.settings["seed"], styles.psi)
slider.value, player.label, board.translator, mixture.alpha = "200", 7, "by-night", 0.25
rubbed.picture, shop.choice, endless.x = 1, [0, 1], -40
names.query, school.settings, styles.psi = "an", school.settings | {"seed": 7}, 0.25""",
)
#: What its last cell sets: the scrubber's step, the generator's class, the pad's translator, the mixture's α, the
#: picture to rub at, whether shifts are bought, the column of the canvas, what the table is searched for, the trainer's
#: seed, and ψ.
SET = ["200", "7", "by-night", "0.25", "1", "1", "-40", "an", "7", "0.25"]


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
    cells = [nbformat.v4.new_code_cell(source) for source in WIDGETS]
    chapter = nbformat.read(min(folder.glob("book/chapters/*.ipynb")), as_version=4)  # which names its kernel
    for name in EXTENSIONS:
        widgets = nbformat.v4.new_notebook(cells=cells, metadata=chapter.metadata)
        nbformat.write(widgets, folder / "book" / f"{name}.ipynb")
    return folder / "book"


@contextmanager
def server(book: Path, folder: Path, extensions: str) -> Iterator[tuple[str, str]]:
    """JupyterLab with one of `EXTENSIONS` for this folder of sources: its address and its token."""
    python = side.environment(f"lab-{extensions}", [JUPYTERLAB, *EXTENSIONS[extensions]], borrow_all=True)
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
        PYTHONPATH=str(ROOT),
    )
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


def widget_faults(seen: dict[str, Any]) -> list[str]:
    """What is wrong with what was seen of the notebook of widgets."""
    if "crash" in seen:
        return [seen["crash"]]
    found = [f"script error: {trouble}" for trouble in seen["troubles"]]
    found += [f"asked another host: {address}" for address in seen["outside"]]
    found += [f"{name} is not drawn" for name, drawn in seen["drawn"].items() if not drawn]
    found += [f"{name}: no room for {text!r}" for name, texts in seen["spilled"].items() for text in texts]
    for control, (works, kept) in seen["keys"].items():
        found += [] if works else [f"{control}: a key does not work"]
        found += [] if kept else [f"{control}: a key takes the focus away"]
    if seen["set"] != SET:
        found.append(f"Python set {' and '.join(SET)}, the widgets show {' and '.join(seen['set'])}")
    if seen["heard"] != f"heard {' '.join(seen['used'])}":
        found.append(
            f"the reader left the widgets at {' '.join(seen['used'])}, Python {seen['heard'] or 'says nothing'}"
        )
    if seen["again"] != SET:
        found.append(f"Python set {' and '.join(SET)} again, the widgets show {' and '.join(seen['again'])}")
    return found


def look(book: Path, chapters: list[str], widgets: str = "", extensions: str = "widgets") -> dict[str, Any]:
    """What a browser sees of these chapters and of a notebook of widgets of a laid out book, by file."""
    screens = book.parent / "screens"
    screens.mkdir(exist_ok=True)
    program, (node, _) = browser.find_or_install(), environment.find_node()
    with server(book, book.parent, extensions) as (address, token):
        job: dict[str, Any] = {"browser": program, "server": address, "token": token, "screens": str(screens)}
        job |= {"notebooks": chapters, "widgets": widgets}
        probe = [node, str(Path(__file__).with_name("lab.mjs"))]
        result = subprocess.run(
            probe, input=json.dumps(job), capture_output=True, text=True, encoding="utf8", cwd=ROOT, timeout=600
        )
    if result.returncode:
        raise SystemExit(f"[lab] the browser did not finish:\n{result.stderr}")
    return json.loads(result.stdout)


def main() -> int:
    asked = sys.argv[1:] or ["04", "11", *EXTENSIONS]
    known = {path.name[:2]: path for path in (ROOT / "chapters").glob("*.ipynb")}
    for name in asked:
        if name not in {**known, **EXTENSIONS}:
            raise SystemExit(f"no chapter is called {name!r}; choose from: {', '.join([*sorted(known), *EXTENSIONS])}")
    files = [f"chapters/{known[name].name}" for name in asked if name in known]
    book, found = lay_out(FOLDER), []
    report = look(book, files) if files else {}
    for file in files:
        seen = report[file]
        counts = ", ".join(f"{seen.get(kind, 0)} {kind}" for kind in ("rendered", "formulas", "details", "links"))
        print(f"[lab] {file}: {counts}; a link opened {seen.get('opened') or 'nothing'}", flush=True)
        found += [f"{file}: {fault}" for fault in faults(nbformat.read(ROOT / file, as_version=4), seen)]
    for name in (name for name in asked if name in EXTENSIONS):
        seen = look(book, [], f"{name}.ipynb", name)[f"{name}.ipynb"]
        drawn, keys = seen.get("drawn", {}), seen.get("keys", {})
        print(f"[lab] {name}: {sum(drawn.values())} drawn, {len(keys)} controls used by keyboard", flush=True)
        found += [f"{name}: {fault}" for fault in widget_faults(seen)]
    for fault in found:
        print(f"[lab] FAILED: {fault}", flush=True)
    print(f"[lab] screens: {FOLDER / 'screens'}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
