"""After the page tests: what each page weighs, and how long the cover takes."""

from __future__ import annotations

from typing import Any


def pytest_configure(config: Any) -> None:
    config.page_report = []


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    for line in config.page_report:
        terminalreporter.write_line(line)
