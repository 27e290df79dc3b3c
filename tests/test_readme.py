"""The README's Python runs, block after block, as a reader would paste it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_python_blocks_run(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert blocks, "the README shows ganlib in Python"
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks), encoding="utf8")
    environment = dict(os.environ, GANLIB_QUICK="1", PYTHONPATH=str(ROOT))
    result = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert target.startswith("http") or (ROOT / target).exists(), f"dead link: {target}"
