"""Build the book and test its pages.

    python tools/build.py full      every notebook at its CPU budget   (`make book`)
    python tools/build.py quick     a few training steps each          (part of `make test`)

Each profile has its own folder, `_build/full` and `_build/quick`, with its own execution cache: the cache's key is the
code of a notebook and sees neither environment variables nor the library. So the cache is emptied here when ganlib or
the pins change. Pages are always written anew (their outputs come from the cache): a warning of the last build cannot
hide in this one.

A false claim stops nothing: pages are written and tested, and the last lines say what did not hold, and where. The exit
code is 1 if it needed no training, as it is then a defect on every machine. Rounding differs between processors and
training amplifies it, so a false claim about training is 1 only with `GANLIB_STRICT=1`, as in CI and before publishing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import browser
import execute
import kernels
import provenance

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
    failed = execute.run_all(ROOT, folder, profile == "quick", lambda words: print(f"[run] {words}", flush=True))
    for document, words in failed.items():
        print(f"\n===== {document}\n{words}", flush=True)
    if failed:
        raise SystemExit(f"the {profile} build of the book failed: cells of {', '.join(failed)} raised, see above")
    print(f"[build] notebooks have run after {time.time() - start:.0f} s", flush=True)
    for old in ("html", ".doctrees"):
        shutil.rmtree(folder / "_build" / old, ignore_errors=True)
    program = shutil.which("jupyter-book", path=Path(sys.executable).parent) or "jupyter-book"
    command = [program, "build", ".", "--path-output", str(folder), "--warningiserror", "--nitpick", "--keep-going"]
    environment = kernels.environment(profile == "quick")
    result = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    html = folder / "_build" / "html"
    if result.returncode:
        raise SystemExit(f"the {profile} build of the book failed: see the warnings above")
    print(f"[build] {profile} book built in {time.time() - start:.0f} s", flush=True)
    return html


def test_pages(html: Path, profile: str) -> int:
    """Drive the pages in a browser; pytest's exit code.

    After a full build only what depends on what the notebooks printed is asked: the rest is the same in a quick one.
    """
    if browser.unwanted():
        print("[build] GANLIB_NO_BROWSER=1: the pages are not tested in a browser", flush=True)
        return 0
    environment = dict(os.environ, GANLIB_BOOK=str(html), CHROME=browser.find_or_install())
    command = [sys.executable, "-m", "pytest", "-q"]
    if profile == "full":
        command += ["-m", "run", "tests/page/test_page.py"]
    else:
        command += [*kernels.WORKERS, "--dist", "loadfile", "tests/page"]
    return subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode


def verdict(claims: dict[str, list[dict[str, Any]]], strict: bool) -> tuple[list[str], int]:
    """Lines about the claims that did not hold, and the exit code that follows from them.

    Args:
        claims: document -> its claims, as execute.py wrote them to `claims.json`.
        strict: whether one about training counts as well.
    """
    judged = [(document, one) for document, all_of_it in claims.items() for one in all_of_it if one["judged"]]
    false = [(document, one) for document, one in judged if not one["holds"]]
    if not false:
        return [f"[claims] all {len(judged)} claims that were judged hold"], 0
    lines = [f"[claims] {len(false)} of {len(judged)} claims did not hold on {provenance.machine()}:"]
    for document, one in false:
        control = f" (control: {one['control']})" if one["control"] else ""
        lines.append(f"[claims]   ✗ {document}, {one['kind']}: {one['words']} · {one['value']}{control}")
    defects = sum(one["kind"] != "trained" for _, one in false)
    if defects:
        lines.append(f"[claims] {defects} of them depend on no training: a defect, please report it")
    if len(false) > defects:
        lines.append(
            "[claims] what is trained differs between processors; the pages mark these claims"
            + (", and GANLIB_STRICT=1 makes them count" if strict else "")
        )
    return lines, 1 if defects or strict else 0


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in ("full", "quick"):
        raise SystemExit("usage: python tools/build.py full|quick")
    html = build(sys.argv[1])
    code = test_pages(html, sys.argv[1])
    print(f"[build] {html / 'index.html'}", flush=True)
    claims = json.loads((html.parent / "claims.json").read_text(encoding="utf8"))
    lines, false = verdict(claims, os.environ.get("GANLIB_STRICT") == "1")
    print("\n".join(lines), flush=True)
    return code or false


if __name__ == "__main__":
    sys.exit(main())
