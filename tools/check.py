"""Everything `make test` does, one stage after the other; the exit code is 1 if any failed.

python tools/check.py            all stages
python tools/check.py library    one of them: library, notebooks, pages
"""

from __future__ import annotations

import subprocess
import sys
import time

import browser
import kernels

PYTEST = [sys.executable, "-m", "pytest", "-q"]
STAGES = {
    "library": [
        *PYTEST,
        *kernels.WORKERS,
        "--dist",
        "loadfile",
        "-m",
        "not slow",
        "tests",
        "--ignore=tests/page",
    ],
    "notebooks": [
        *PYTEST,
        *kernels.WORKERS,
        "--dist",
        "loadfile",
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=300",
        "chapters",
    ],
    "pages": [sys.executable, "tools/build.py", "quick"],
}


def run(stage: str) -> bool:
    """Run one stage and print how long it took."""
    print(f"\n[test] {stage}", flush=True)
    start = time.time()
    environment = kernels.environment(quick=True, threads=None if stage == "pages" else 1)
    code = subprocess.run(STAGES[stage], cwd=kernels.ROOT, env=environment, stdin=subprocess.DEVNULL).returncode
    print(
        f"[test] {stage}: {'passed' if code == 0 else f'FAILED (exit code {code})'} in {time.time() - start:.0f} s",
        flush=True,
    )
    return code == 0


def main() -> int:
    wanted = sys.argv[1:] or list(STAGES)
    unknown = [stage for stage in wanted if stage not in STAGES]
    if unknown:
        raise SystemExit(f"no stage is called {unknown[0]!r}; choose from: {', '.join(STAGES)}")
    if "pages" in wanted and not browser.unwanted():
        browser.find_or_install()  # say at once, not after ten minutes, that there is none
    failed = [stage for stage in wanted if not run(stage)]
    if failed:
        print(f"[test] failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
