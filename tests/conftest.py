"""Shared by the library's tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

#: No example of a property test fails for the time it took: machines are busy now and then.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def full_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is tested as it runs at full budget; a test of the quick profile says so itself."""
    monkeypatch.delenv("GANLIB_QUICK", raising=False)
