"""Shared by the library's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def full_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is tested as it runs at full budget; a test of the quick profile says so itself."""
    monkeypatch.delenv("GANLIB_QUICK", raising=False)
