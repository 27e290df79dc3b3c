"""The processes that chapter 23 starts from its notebook: what they answer, what they die of, and that none is left."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import torch.distributed as dist

from .notebooks import CHAPTERS

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no Gloo, which joins processes")
WORK = """

def rank_and_sum(number):
    x = torch.tensor([float(number)])
    dist.all_reduce(x)
    return {"sum": x, "world": distributed.world()[1]}


def dies(number):
    raise ValueError(f"no {number} today")


def waits(number):
    import time

    time.sleep(600)
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The cells that start processes, as a module, so that their functions have a source."""
    chapter = next(chapter for chapter in CHAPTERS if chapter.number == 23)
    wanted = ("c23-imports", "c23-together", "c23-started")
    file = tmp_path_factory.mktemp("cells") / "cells23.py"
    file.write_text("\n\n".join(c.source for c in chapter.code if c["id"] in wanted) + WORK, encoding="utf8")
    spec = importlib.util.spec_from_file_location("cells23", file)
    assert spec is not None and spec.loader is not None
    sys.modules["cells23"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def left() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "work.py" in " ".join(p.cmdline())]


def test_two_processes_answer_together(cells: ModuleType) -> None:
    (answer,) = cells.together(2, cells.rank_and_sum, [{"number": 3}])
    assert answer["sum"].item() == 6 and answer["world"] == 2 and left() == []


def test_what_a_process_died_of_is_said(cells: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="no 7 today"):
        cells.together(2, cells.dies, [{"number": 7}])
    assert left() == []


def test_none_outlives_a_call_that_ends_early(cells: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        cells.together(2, cells.waits, [{"number": 0}], seconds=1)
    assert left() == []
