"""After the page tests: what each page weighs, and how long the cover takes."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", []):
        for name, text in report.user_properties:
            if name == "page_report" and report.when == "call":
                terminalreporter.write_line(text)
