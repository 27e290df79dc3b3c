"""For every pytest run: notebooks run in the quick profile, in kernels with no network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tools"))
sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
import kernels

# Two torch threads in each of two processes are many times slower than one: workers of pytest-xdist get one.
os.environ.update(kernels.environment(quick=True, threads=1 if "PYTEST_XDIST_WORKER" in os.environ else None))
