"""Several processes that play one game: the numbers of one process, one writer, and an end for all when one dies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import torch.distributed as dist

from ganlib import checkpoint, cli, distributed

from . import processes
from .processes import CASES

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no Gloo, which joins processes")


def torchrun(*arguments: object, processes: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen(
        [*command, *map(str, arguments)], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


#: Where a parameter has no gradient in exact arithmetic (D's last bias, under losses of differences of logits; what a
#: BatchNorm takes out again), Adam makes steps out of rounding errors, in which no two ways to add agree: such games
#: are compared in float64 only.
ROUNDING = (
    *(f"penalty_{name}" for name in ("gradient_penalty", "dragan", "spectral_regulariser")),
    "own_that_gathers",
    "hinge_that_gathers",
    "gradient_penalty",
    "growing",
    "relativistic",
    "minibatch_discrimination",
    "channels_last",
)
PLAYED = {"float64": list(CASES), "float32": [name for name in CASES if name not in ROUNDING]}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the cases as two processes play them."""
    folder = tmp_path_factory.mktemp("two")
    cases = [f"{dtype}.{name}" for dtype, names in PLAYED.items() for name in names]
    process = torchrun(ROOT / "tests" / "processes.py", folder, *cases)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return folder


@pytest.mark.parametrize(("dtype", "name"), [(dtype, name) for dtype, names in PLAYED.items() for name in names])
def test_two_processes_equal_one(two: Path, dtype: str, name: str):
    facts, tensors = checkpoint.load(two / f"{dtype}.{name}.safetensors")
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        game, start = processes.play(name), processes.play(name, steps=1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert facts["step"] == game.step == processes.STEPS and facts["settings"]["processes"] == 2
    mine = checkpoint.state(game) | {
        f"history.{k}": torch.tensor(v, dtype=torch.float64) for k, v in game.history.losses.items()
    }
    assert mine.keys() == {k for k in tensors if not k.startswith("optimizer.")}
    furthest = max((mine[k].double() - tensors[k].double()).abs().max().item() for k in mine if mine[k].numel())
    assert furthest < {"float64": 1e-8, "float32": 1e-5}[dtype]
    assert any((mine[k] - v).abs().max() > 1e-3 for k, v in checkpoint.state(start).items() if v.numel())  # it learned


@pytest.fixture(scope="module")
def refused() -> str:
    """What two processes say of the games that they refuse."""
    process = torchrun(ROOT / "tests" / "processes.py", "refuse")
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize("name", list(processes.REFUSED))
def test_what_sees_its_own_process_only_or_plays_another_game_is_refused_by_name(refused: str, name: str):
    said = processes.REFUSED[name][1]
    for rank in (0, 1):
        line = next((line for line in refused.splitlines() if line.startswith(f"{name} {rank}: ")), "")
        assert re.search(said, line), line or refused
        assert ("looks across samples" in line) is ("player" in said and "lr was" not in said)


# ---- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.npz"
    np.savez(path, points=np.random.default_rng(0).normal(size=(512, 2)).astype(np.float32))
    return path


def test_a_process_that_dies_ends_the_others_and_the_run_goes_on_with_one(tmp_path: Path, points: Path):
    run, whole = tmp_path / "r", tmp_path / "whole"
    command = ["train", str(points), "--steps", "40"]
    process = torchrun("-m", "ganlib", *command, "--save-every", 5, "--out", run)
    workers = []
    while not (run / "last.safetensors").exists() and process.poll() is None:
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    victim = next(w for w in workers if w.environ().get("RANK") == "1")
    os.kill(victim.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)  # an error, and no hang
    assert process.returncode == 1 and "exitcode  : -9" in output
    assert not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)
    facts, _ = checkpoint.load(run / "last.safetensors")
    assert facts["step"] < 40 and facts["settings"]["processes"] == 2
    assert "finished" not in json.loads((run / "settings.json").read_text())
    assert cli.main([*command, "--resume", "--out", str(run)]) == 0
    assert cli.main([*command, "--out", str(whole)]) == 0
    one, other = (checkpoint.load(folder / "last.safetensors")[1] for folder in (run, whole))
    assert all(torch.allclose(one[k].double(), other[k].double(), rtol=0, atol=1e-4) for k in one)
    assert output.count("from round 0") == 1  # the first process speaks for all


# ---- one process ---------------------------------------------------------------------------------------------------


def test_alone_nothing_is_joined_and_nothing_is_copied():
    x = torch.ones(3, 2)
    assert distributed.world() == (0, 1) and not dist.is_initialized()
    assert distributed.own_rows(x) is x and distributed.gather(x) is x and distributed.average([x])[0] is x
    assert distributed.agree(True, False, 2.5, [], torch.device("cpu")) == (True, False, 2.5, [])
