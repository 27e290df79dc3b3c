"""Build the book and test its pages.

    python tools/build.py full      every notebook at its CPU budget   (`make book`)
    python tools/build.py quick     a few training steps each          (part of `make test`)

Each profile has its own folder, `_build/full` and `_build/quick`, with its own execution cache: the cache's key is the
code of a notebook and sees neither environment variables nor the library. So the cache is emptied here when ganlib or
the pins change. Pages are always written anew (their outputs come from the cache): a warning of the last build cannot
hide in this one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import browser
import kernels

ROOT = kernels.ROOT


def library_hash(profile: str) -> str:
    """What results depend on besides a notebook's own code: ganlib with its assets, the pinned packages, the profile.

    The data sets come in pinned packages, so requirements.txt speaks for them.
    """
    total = hashlib.sha256(f"{profile} {sys.version_info[:3]}".encode())
    library = (p for p in (ROOT / "ganlib").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in [*sorted(library), ROOT / "requirements.txt", ROOT / "tools" / "kernels.py"]:
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def forget_stale_runs(folder: Path, profile: str) -> None:
    """Empty the execution cache if it was filled with another library."""
    stamp, wanted = folder / "library.stamp", library_hash(profile)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stamp.write_text(wanted)


def build(profile: str) -> Path:
    """Run what changed, write the pages, and return the folder they are in.

    Raises:
        SystemExit: a cell failed or a page gave a warning; both have been printed.
    """
    start, folder = time.time(), ROOT / "_build" / profile
    forget_stale_runs(folder, profile)
    for old in ("html", ".doctrees"):
        shutil.rmtree(folder / "_build" / old, ignore_errors=True)
    program = shutil.which("jupyter-book", path=Path(sys.executable).parent) or "jupyter-book"
    command = [program, "build", ".", "--path-output", str(folder), "--warningiserror", "--nitpick", "--keep-going"]
    environment = dict(kernels.environment(profile == "quick"), GANLIB_PEAK_MEMORY=str(folder / "peak-memory"))
    result = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    html = folder / "_build" / "html"
    if result.returncode:
        for report in sorted(html.glob("reports/**/*.err.log")):
            traceback = re.sub(r"\x1b\[[\d;]*m", "", report.read_text(encoding="utf8"))  # without its colours
            print(f"\n===== {report.relative_to(html / 'reports')}\n{traceback}", flush=True)
        raise SystemExit(f"the {profile} build of the book failed: see the warnings above")
    print(f"[build] {profile} book built in {time.time() - start:.0f} s", flush=True)
    return html


def test_pages(html: Path, profile: str) -> int:
    """Drive the pages in a browser; pytest's exit code.

    What each widget does beyond answering keys is the same in both profiles: the quick one sees to it.
    """
    if browser.unwanted():
        print("[build] GANLIB_NO_BROWSER=1: the pages are not tested in a browser", flush=True)
        return 0
    environment = dict(os.environ, GANLIB_BOOK=str(html), CHROME=browser.find_or_install())
    command = [sys.executable, "-m", "pytest", "-q", "tests/page/test_page.py" if profile == "full" else "tests/page"]
    return subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in ("full", "quick"):
        raise SystemExit("usage: python tools/build.py full|quick")
    html = build(sys.argv[1])
    code = test_pages(html, sys.argv[1])
    print(f"[build] {html / 'index.html'}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
