"""The Python in each chapter's folded solutions runs, after the chapter's own cells, in the quick profile."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from .notebooks import CHAPTERS, Chapter


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)
def test_solutions_run(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")
    cells = [nbformat.v4.new_code_cell(cell.source) for cell in chapter.code]
    cells += [nbformat.v4.new_code_cell(f"# {exercise}\n{code}") for exercise, code in chapter.solutions]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(chapter.path.parent)}}
    try:
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    except CellExecutionError as error:
        raise AssertionError(f"{chapter.path.name}: {error}") from None
    assert all(cell.execution_count for cell in notebook.cells), "every cell and every solution ran"
