"""Run chapters as a reader in Colab does: an empty folder, nothing of ours installed, only the notebook.

    python tools/colab.py                    chapter 3 with all that Colab has, chapter 9 with the bare minimum
    python tools/colab.py 04 12              these chapters, with all that Colab has
    python tools/colab.py --bare 04          with torch, torchvision, numpy, matplotlib and ipywidgets alone

For each chapter an environment is made anew with the versions that Colab's image of January 2026 has (pip-freeze.txt of
github.com/googlecolab/backend-info), but for torch and torchvision, which are those of `.venv`, borrowed by links: they
are 5 GB. git is told to read this working tree, as it is, in place of an example address. Then the notebook runs in the
quick profile, its bootstrap cell first. It is a failure if torch, torchvision, numpy or ipywidgets are not those that
were there before (Colab's pages draw no widget of ipywidgets 8), if ganlib comes from anywhere but the bootstrap's
installation, or if a cell fails.

Colab runs Python 3.12. Where a python3.12 is found the environment gets that; what of torch is compiled for another
Python is then installed a second time, without the CUDA libraries. `GANLIB_COLAB_PYTHON` names another Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import side
import stamp
from nbclient import NotebookClient

ROOT = side.ROOT
FOLDER = ROOT / "_build" / "colab"
EXAMPLE = "https://github.com/example/gan-book"
KEPT = ("torch", "torchvision", "numpy", "ipywidgets")
#: Colab's kernel, and what every notebook there can import.
BARE = (
    "numpy==2.0.2",
    "matplotlib==3.10.0",
    "ipywidgets==7.7.1",
    "pillow==11.3.0",
    "ipython==7.34.0",
    "ipykernel==6.17.1",
    "traitlets==5.7.1",
    "notebook==6.5.7",
)
#: What of ganlib's and the chapters' needs is there as well.
FULL = (
    *BARE,
    "scipy==1.16.3",
    "pandas==2.2.2",
    "scikit-learn==1.6.1",
    "scikit-image==0.25.2",
    "statsmodels==0.14.6",
    "mlxtend==0.23.4",
    "safetensors==0.7.0",
    "threadpoolctl==3.6.0",
    "tqdm==4.67.1",
    "anywidget==0.9.21",
    "sympy==1.14.0",
)
FACTS = f"""
import importlib.metadata, importlib.util, json, os
kept = {{}}
for name in {KEPT!r}:
    module = importlib.import_module(name)
    versions = [importlib.metadata.version(name), module.__version__]
    kept[name] = [*versions, module.__file__, os.path.realpath(module.__file__)]
packages = {{found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}}
spec = importlib.util.find_spec("ganlib")
print(json.dumps({{"kept": kept, "packages": packages, "ganlib": spec and spec.origin}}))
"""


def find_python() -> str:
    """Python 3.12 as Colab has it, or else the one running this."""
    named = os.environ.get("GANLIB_COLAB_PYTHON")
    for name in (named, sys.executable, "python3.12"):
        path = shutil.which(name) if name else None
        if path is None and name == named and named:
            raise SystemExit(f"GANLIB_COLAB_PYTHON={named} is not a program")
        if path and (name == named or _version(path) == "3.12"):
            return path
    print(f"[colab] no python3.12 here: Colab's place is taken by Python {_version(sys.executable)}", flush=True)
    return sys.executable


def _version(python: str) -> str:
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def snapshot(folder: Path) -> str:
    """Commit the working tree as it is, with an example address, to a repository of its own; the branch's name."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in (name for name in listed if (ROOT / name).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    stamp.write_address(EXAMPLE, root=folder)
    stamp.write_chapters(folder)
    branch = stamp.setting("branch", folder)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", branch], ["add", "--all"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return branch


def surroundings(repository: Path, folder: Path) -> dict[str, str]:
    """The environment variables of a kernel in Colab's place: nothing of ours but the quick profile, and git's map."""
    ours = ("PYTHON", "GANLIB", "JUPYTER", "IPYTHON", "VIRTUAL_ENV", "GIT_CONFIG")
    result = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    result.update(
        GANLIB_QUICK="1",
        IPYTHONDIR=str(folder / "ipython"),
        JUPYTER_PATH=str(folder / "jupyter"),
        OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1))),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.{repository.as_uri()}.insteadOf",
        GIT_CONFIG_VALUE_0=EXAMPLE,
    )
    return result


def make_environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """An environment with these packages, torch and torchvision; its Python."""
    chosen = find_python()
    python = side.make(folder, chosen)
    own = {re.split("[=<]", package)[0] for package in packages}
    borrowed = list(side.needed(("torch", "torchvision"), own))
    if _version(chosen) != _version(sys.executable):
        again = [found for found in borrowed if side.compiled(found)]
        names = [f"{found.metadata['Name']}=={found.version}" for found in again]
        print(f"[colab] for Python {_version(chosen)}: {', '.join(names)}", flush=True)
        side.install(python, "--no-deps", *names)
        borrowed = [found for found in borrowed if found not in again]
    side.borrow(borrowed, folder / "borrowed")
    (side.site(python) / "borrowed.pth").write_text(f"{folder / 'borrowed'}\n", encoding="utf8")
    side.install(python, *packages, "setuptools>=77.0.3")  # which our torch asks for
    kernel = folder / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf8")
    return python


def facts(python: Path, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What is installed, read by a Python of its own."""
    command = [str(python), "-c", FACTS]
    result = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def faults(before: dict[str, Any], after: dict[str, Any], environment: Path) -> list[str]:
    """What the bootstrap should not have done."""
    found = [
        f"{name} was replaced: {before['kept'][name]} became {after['kept'][name]}"
        for name in KEPT
        if before["kept"][name] != after["kept"][name]
    ]
    if before["ganlib"] is not None:
        found.append(f"ganlib was there before anybody installed it: {before['ganlib']}")
    if after["ganlib"] is None or not Path(after["ganlib"]).is_relative_to(environment):
        found.append(f"ganlib was not installed into this environment: {after['ganlib']}")
    return found


def run(number: str, packages: tuple[str, ...]) -> list[str]:
    """Run one chapter; what was wrong."""
    start = time.time()
    folder = FOLDER / number
    shutil.rmtree(folder, ignore_errors=True)
    place, home = folder / "content", folder / "environment"
    place.mkdir(parents=True)
    snapshot(folder / "repository")
    (source,) = (folder / "repository" / "chapters").glob(f"{number}_*.ipynb")
    notebook = nbformat.read(shutil.copy(source, place), as_version=4)
    python = make_environment(home, packages)
    environment = surroundings(folder / "repository", home)
    os.environ["JUPYTER_PATH"] = environment["JUPYTER_PATH"]
    before = facts(python, place, environment)
    made = time.time()
    client = NotebookClient(notebook, timeout=900, kernel_name="colab", resources={"metadata": {"path": str(place)}})
    found = []
    try:
        client.execute(env=environment)
    except Exception as error:  # a cell that fails, a kernel that dies: the report says which
        found.append(f"{type(error).__name__}: {error}")
    after = facts(python, place, environment)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ran = sum(cell.execution_count is not None for cell in cells)
    found += faults(before, after, home)
    if ran < len(cells):
        found.append(f"{len(cells) - ran} of {len(cells)} cells did not run")
    print(f"[colab] {source.name}: {ran} of {len(cells)} cells ran, with Python {_version(str(python))}", flush=True)
    for name in KEPT:
        print(f"[colab]   {name} {before['kept'][name][0]} before, {after['kept'][name][0]} after")
    for name, version in sorted(after["packages"].items()):
        old = before["packages"].get(name)
        if old != version:
            print(f"[colab]   {'installed' if old is None else 'replaced'} {name} {old or ''} -> {version}")
    print(f"[colab]   {made - start:.0f} s to make the environment, {time.time() - made:.0f} s to run", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Run chapters as a reader in Colab does.")
    parser.add_argument("chapters", nargs="*", metavar="NN", help="numbers of chapters, such as 03")
    parser.add_argument("--bare", action="store_true", help="nothing there but torch, numpy, matplotlib, ipywidgets")
    chosen = parser.parse_args()
    known = {path.name[:2] for path in (ROOT / "chapters").glob("*.ipynb")}
    for number in chosen.chapters:
        if number not in known:
            raise SystemExit(f"no chapter is called {number!r}; choose from: {', '.join(sorted(known))}")
    jobs = [(number, BARE if chosen.bare else FULL) for number in chosen.chapters] or [("03", FULL), ("09", BARE)]
    found = [f"chapter {number}: {fault}" for number, packages in jobs for fault in run(number, packages)]
    for fault in found:
        print(f"[colab] FAILED: {fault}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
