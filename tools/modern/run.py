"""Build the book a second time, on today's Sphinx without Jupyter Book's wrapper.

    python tools/modern/run.py

So the day on which Jupyter Book 1 no longer installs is a small day. The notebooks' outputs come from the last full
build's cache where that is up to date, and else from the quick one's, which runs what it lacks. Sphinx and its
extensions lie in an environment of their own, everything else is `.venv`'s. Warnings fail the build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import build  # noqa: E402
import execute  # noqa: E402
import kernels  # noqa: E402
import side  # noqa: E402


def profile() -> str:
    """Whose outputs are shown: those of the full build if it is up to date."""
    stamp = ROOT / "_build" / "full" / "library.stamp"
    fresh = stamp.exists() and stamp.read_text(encoding="utf8") == build.library_hash("full")
    return "full" if fresh else "quick"


def packages() -> list[str]:
    """What the environment of this build holds."""
    text = (Path(__file__).with_name("requirements.txt")).read_text(encoding="utf8")
    return re.findall(r"^[\w.-]+==\S+", text, re.M)


def main() -> int:
    start, chosen = time.time(), profile()
    python = side.environment("modern", packages(), borrow_all=True)
    if chosen == "quick":
        build.forget_stale_runs(ROOT / "_build" / "quick", "quick")
    html = ROOT / "_build" / "modern" / chosen / "html"
    shutil.rmtree(html.parent, ignore_errors=True)
    html.parent.mkdir(parents=True)
    made = ROOT / "_build" / chosen
    if execute.run_all(ROOT, made, chosen == "quick", print):
        raise SystemExit("cells of the book raise: build it first")
    for name in ("runs.json", "claims.json"):  # when and on what the notebooks ran, and what they claim
        shutil.copy(made / "_build" / name, html.parent)
    environment = kernels.environment(chosen == "quick")
    environment["GANLIB_NOTEBOOK_CACHE"] = str(ROOT / "_build" / chosen / "_build" / ".jupyter_cache")
    environment["PYTHONPATH"] = str(ROOT)
    options = [
        "--fail-on-warning",
        "--keep-going",
        "--nitpicky",
        "--quiet",
        "--doctree-dir",
        str(html.with_name("doctrees")),
    ]
    command = [str(python), "-m", "sphinx", *options, "--conf-dir", str(Path(__file__).parent), str(ROOT), str(html)]
    code = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode
    version = subprocess.run([str(python), "-m", "sphinx", "--version"], capture_output=True, text=True).stdout.strip()
    outcome = "FAILED" if code else "built"
    print(f"[modern] {outcome} by {version} with the {chosen} run's outputs in {time.time() - start:.0f} s", flush=True)
    if code == 0 and not os.environ.get("GANLIB_NO_BROWSER"):
        code = build.test_pages(html, "quick")
    print(f"[modern] {html / 'index.html'}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
