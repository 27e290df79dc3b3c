"""Reading the chapters, for the tests of their structure and of their solutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import execute
import nbformat

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "chapters").glob("*.ipynb"))


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


@dataclass
class Chapter:
    path: Path

    @cached_property
    def notebook(self) -> Any:
        return nbformat.read(self.path, as_version=4)

    @property
    def code(self) -> list[Any]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> list[str]:
        return [cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"]

    @property
    def text(self) -> str:
        return "\n\n".join(self.markdown)

    @property
    def prose(self) -> str:
        """The text without its solutions."""
        return execute.DETAILS.sub("", self.text)

    @property
    def number(self) -> int:
        return int(self.path.stem[:2])

    @property
    def solutions(self) -> list[tuple[str, str]]:
        """(exercise, Python) for each block of code in the folded solutions, in order."""
        return execute.solutions(self.text)


CHAPTERS = [Chapter(path) for path in PATHS]
