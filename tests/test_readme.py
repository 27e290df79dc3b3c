"""The README's Python runs, block after block, as a reader would paste it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert blocks, "the README shows ganlib in Python"
    monkeypatch.setenv("GANLIB_QUICK", "1")
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), "README.md", "exec"), {"__name__": "__main__"})


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert target.startswith("http") or (ROOT / target).exists(), f"dead link: {target}"
