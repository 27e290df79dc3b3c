"""Type what the tutorials say, and keep what comes: chapter 24's table, `ganlib/assets/libraries.json`.

`python tools/libraries.py` makes a throwaway virtual environment for each trial, runs its commands there one after
another, and keeps of each the exit status and the lines that say how it ended; then it asks the package registry that
pip is set up with for the newest release of each package, its date and its licence. It needs a network, 12 GB of disk
and about half an hour; the name of a trial repeats that one. What pip answers changes with the month: the date stands
beside every trial.

`--releases` asks only the registry; `--names` only copies the table of names out of `reference/coverage.md`;
`--clones FOLDER` reads only clones of repositories that lie in that folder: the tutorials' lines, and the newest commit
of what the registry does not have.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import venv
from datetime import date
from pathlib import Path
from typing import Any

from provenance import about

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "ganlib" / "assets" / "libraries.json"
SAYS = re.compile(r"^(\s*ERROR:|ERROR|error:|\w*Error\b|ModuleNotFound|Successfully installed)")
"""How a line begins that says how a command ended."""

FIT = """
import numpy as np
from torch import nn
from vegans.GAN import VanillaGAN
G = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.1), nn.Linear(32, 1))
D = nn.Sequential(nn.Linear(1, 10), nn.LeakyReLU(0.1), nn.Linear(10, 1), nn.Sigmoid())
gan = VanillaGAN(G, D, z_dim=16, x_dim=1, folder=None, device="cpu")
gan.fit(np.random.normal(3, 1, (5000, 1)), epochs=1, enable_tensorboard=False)
"""

TABULAR = """
import time
import numpy as np, pandas as pd, torch
from ctgan import CTGAN
torch.set_num_threads(1)
rng = np.random.default_rng(0)
np.random.seed(0)
torch.manual_seed(0)
x = rng.uniform(0, 1, 2000)
t = time.process_time()
m = CTGAN()
m.fit(pd.DataFrame({"x": x, "y": 2 * x + 1}))
s = m.sample(2000)
print(time.process_time() - t, s.corr().iloc[0, 1], np.sqrt(np.mean((s.y - 2 * s.x - 1) ** 2 / 5)))
"""

TRIALS: dict[str, list[list[str]]] = {
    "TensorFlow 1": [["pip", "install", "tensorflow==1.12.0"]],
    "TF-GAN": [["pip", "install", "tensorflow", "tensorflow-gan"], ["python", "-c", "import tensorflow_gan"]],
    "TF-GAN, older TensorFlow": [
        ["pip", "install", "tensorflow==2.15.1", "tensorflow-probability==0.23.0", "setuptools<81", "tensorflow-gan"],
        ["python", "-c", "import tensorflow_gan; print(tensorflow_gan.__version__)"],
    ],
    "vegans": [["pip", "install", "vegans"]],
    "vegans, today's torch": [
        ["pip", "install", "torch", "torchvision", "numpy", "pandas", "matplotlib", "tensorboard", "wget"],
        ["pip", "install", "--no-deps", "vegans"],
        ["python", "-c", FIT],
    ],
    "CTGAN": [["pip", "install", "ctgan"], ["python", "-c", TABULAR]],
}
SHOWN = (
    *("tensorflow", "tensorflow-gan", "tensorflow-probability", "setuptools", "numpy", "pip"),
    *("vegans", "torch", "ctgan"),
)

PACKAGES = (
    *("tensorflow-gan", "vegans", "torchgan", "torch-mimicry", "stylegan2-pytorch", "lightweight-gan", "mmagic"),
    *("ctgan", "sdv", "synthcity", "torch-fidelity", "clean-fid", "pytorch-fid", "diffusers"),
)
"""Those of the chapter's table of what is alive that the registry has."""


ORIGINALS = {
    "TF-GAN": ("gan", "dbad5be", "tensorflow_gan/examples/colab_notebooks/tfgan_tutorial.ipynb"),
    "vegans": ("vegans", "13a02dd", "tutorials/notebooks/00_univariate-gaussian.ipynb"),
}
"""Each library's first tutorial as it last stood: clone, commit, path."""

UNRELEASED = {"joliGEN": ("joliGEN", "Apache License"), "StudioGAN": ("PyTorch-StudioGAN", "MIT License")}
"""Libraries that the registry does not have: clone, and what its LICENSE says."""


def tried(commands: list[list[str]]) -> dict[str, Any]:
    """What each command printed at its end, until one fails, and what was installed then."""
    with tempfile.TemporaryDirectory() as place:
        venv.create(place, with_pip=True, upgrade_deps=True)
        programs, steps = Path(place) / "bin", []
        for command in commands:
            run = [str(programs / command[0]), *command[1:]]
            done = subprocess.run(run, capture_output=True, text=True, errors="replace", cwd=place)
            steps.append({"typed": typed(command), "status": done.returncode, "said": said(done)})
            if done.returncode:
                break
        listed = subprocess.run([programs / "pip", "list", "--format=json"], capture_output=True, text=True).stdout
        found = {one["name"].lower(): one["version"] for one in json.loads(listed)}
    versions = {name: found[name] for name in SHOWN if name in found}
    return {"date": date.today().isoformat(), "versions": versions, "steps": steps}


def typed(command: list[str]) -> str:
    """A command as one types it; a longer program as …."""
    *words, last = command
    shown = "…" if "\n" in last else last
    return " ".join([*words, f'"{shown}"' if words[-1] == "-c" else shown])


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that tell how it ended, or what a program that went well printed last."""
    if not done.returncode and "python" in Path(done.args[0]).name:
        return done.stdout.splitlines()[-8:]
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    return list(dict.fromkeys(line[:200] for line in lines if SAYS.match(line)))[-4:]


def released(package: str) -> dict[str, str]:
    """Newest release of a package: version, date, licence, in the registry that pip knows."""
    ask = """
import json, sys, urllib.request
from pip._internal.models.index import PyPI
told = json.load(urllib.request.urlopen(f"{PyPI.pypi_url}/{sys.argv[1]}/json", timeout=60))
info, days = told["info"], [one["upload_time"][:10] for one in told["urls"]]
said = info.get("license_expression") or (info["license"] or "").split("\\n")[0]
print(json.dumps({"version": info["version"], "date": max(days), "licence": said[:40]}))
"""
    done = subprocess.run([sys.executable, "-c", ask, package], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def names() -> list[dict[str, Any]]:
    """The rows of `reference/coverage.md`: kind, what, the names there, and the entries here with their addresses."""
    pages = {
        module: f"reference/{page.stem}.html"
        for page in (ROOT / "reference").glob("*.md")
        for module in re.findall(r"automodule:: ganlib\.(\S+)", page.read_text(encoding="utf8"))
    }
    rows, kind = [], ""
    for line in (ROOT / "reference" / "coverage.md").read_text(encoding="utf8").splitlines():
        if line.startswith("## "):
            kind = line[3:]
        if not line.startswith("| ") or line.startswith("| |"):
            continue
        what, *old, here = [cell.strip() for cell in line.strip("|").split(" | ")]
        entries = re.findall(r"\{py:obj\}`([^`<]+?)(?: <([\w.]+)>)?`", here)
        links = [[text, f"{pages[text.split('.')[0]]}#ganlib.{target or text}"] for text, target in entries]
        there = {
            name: [] if cell == "–" else cell.split("<br>")
            for name, cell in zip(("TF-GAN", "vegans"), old, strict=True)
        }
        rows.append({"kind": kind, "what": what, **there, "here": links or [[here.strip(" |"), ""]]})
    return rows


def counted(folder: Path, clone: str, commit: str, path: str) -> dict[str, Any]:
    """Lines of code in a notebook, without empty ones and comments, and its date."""
    git = ["git", "-C", str(folder / clone)]
    text = subprocess.run([*git, "show", f"{commit}:{path}"], capture_output=True, text=True, check=True).stdout
    day = subprocess.run([*git, "log", "-1", "--format=%as", commit], capture_output=True, text=True, check=True).stdout
    code = ["".join(cell["source"]).splitlines() for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in code for line in cell if line.strip() and not line.strip().startswith("#")]
    return {"path": path, "commit": commit, "date": day.strip(), "lines": len(lines)}


def committed(folder: Path, clone: str, licence: str) -> dict[str, str]:
    """A clone's newest commit, its date, and its licence, which must be what its LICENSE says."""
    git = ["git", "-C", str(folder / clone)]
    last = subprocess.run([*git, "log", "-1", "--format=%h %as"], capture_output=True, text=True, check=True).stdout
    found = subprocess.run([*git, "show", "HEAD:LICENSE"], capture_output=True, text=True, check=True).stdout
    if licence not in found:
        raise ValueError(f"LICENSE of {clone} should say {licence!r}; it begins {found[:60]!r}")
    commit, day = last.split()
    others = subprocess.run([*git, "ls-tree", "--name-only", "HEAD"], capture_output=True, text=True, check=True).stdout
    more = [name for name in others.split() if name.startswith("LICENSE-")]
    return {"version": commit, "date": day, "licence": ", ".join([licence, *more])}


def main() -> None:
    """Repeat the trials that are named, or all of them; then ask for the releases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trial", nargs="*", help=f"{', '.join(TRIALS)}; all by default")
    parser.add_argument("--releases", action="store_true", help="only ask for the newest releases")
    parser.add_argument("--names", action="store_true", help="only copy the table of names")
    parser.add_argument("--clones", type=Path, metavar="FOLDER", help="only read the clones in FOLDER")
    arguments = parser.parse_args()
    unknown = set(arguments.trial) - set(TRIALS)
    if unknown:
        parser.error(f"no such trial: {', '.join(sorted(unknown))}; there are {', '.join(TRIALS)}")
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf8")) if FILE.exists() else {"trials": {}}
    if not (arguments.releases or arguments.names or arguments.clones):
        for name in arguments.trial or TRIALS:
            kept["trials"][name] = tried(TRIALS[name])
            print(name, json.dumps(kept["trials"][name], indent=1), flush=True)
            write(kept)
    if arguments.clones:
        kept["originals"] = {name: counted(arguments.clones, *where) for name, where in ORIGINALS.items()}
        seen = {name: committed(arguments.clones, *where) for name, where in UNRELEASED.items()}
        kept["unreleased"] = {"date": date.today().isoformat(), "of": seen}
    elif not arguments.names:
        kept["releases"] = {"date": date.today().isoformat(), "of": {name: released(name) for name in PACKAGES}}
    write(kept | {"names": names()})


def write(kept: dict[str, Any]) -> None:
    """Keep it, and where and with what it was found."""
    kept["about"] = about((), ("tools/libraries.py",))
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
