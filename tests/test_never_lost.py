"""A run is never lost: killed at any moment it resumes to the same bits, and neither a full disk nor a file that was
damaged, or made to do harm, takes the last good state away."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ganlib import checkpoint, cli, metrics, penalties
from ganlib.checkpoint import CheckpointError
from ganlib.engine import Batch, Game, NonFiniteLoss

from .tiny import everything, same, tiny_game

# ---- killed at any moment ------------------------------------------------------------------------------------------

RUN = ["ring", "--steps", "60", "--save-every", "3"]
FILES = [".lock", "history.csv", "last.safetensors", "reference.npz", "settings.json"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ganlib", *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(*arguments: object) -> tuple[int, str]:
    process = start(*arguments)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def killed_and_resumed(folder: Path, moment: float) -> bool:
    """Train, killed `moment` seconds after the start (or not, if it was faster), then to the end; True if killed."""
    process = start("train", *RUN, "--out", folder)
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    if process.returncode == 0:
        return False
    assert process.returncode == -9
    code, output = finish("train", *RUN, "--out", folder, "--resume")
    if code == 2 and "rounds already" in output:  # killed on the way out, with everything on disk
        return True
    if code == 2:  # killed before anything was on disk: there is nothing to resume, and a new start finds its way
        assert "there is no run" in output or "has no settings.json" in output
        code, output = finish("train", *RUN, "--out", folder)
    assert code == 0, output
    return True


def kill_at_random(tmp_path: Path, tries: int) -> None:
    began = time.perf_counter()
    code, output = finish("train", *RUN, "--out", tmp_path / "whole")
    seconds = time.perf_counter() - began
    assert code == 0, output
    facts, tensors = checkpoint.load(tmp_path / "whole" / "last.safetensors")
    draw = random.Random(tries)
    moments = [seconds * (i + draw.random()) / tries for i in range(tries)]
    with ThreadPoolExecutor(2) as pool:
        killed = list(pool.map(lambda i: killed_and_resumed(tmp_path / str(i), moments[i]), range(tries)))
    assert sum(killed) >= tries // 2
    assert cli.main(["sample", str(tmp_path / "whole"), "-n", "50", "--out", str(tmp_path / "whole.npz")]) == 0
    for i in range(tries):
        again, resumed = checkpoint.load(tmp_path / str(i) / "last.safetensors")
        assert same(tensors, resumed), f"killed after {moments[i]:.2f} s"  # weights, averages, optimizers, history
        assert {**again, "seconds": 0} == {**facts, "seconds": 0}
        assert sorted(p.name for p in (tmp_path / str(i)).iterdir()) == FILES
        assert cli.main(["sample", str(tmp_path / str(i)), "-n", "50", "--out", str(tmp_path / f"{i}.npz")]) == 0
        with np.load(tmp_path / "whole.npz") as one, np.load(tmp_path / f"{i}.npz") as other:
            assert np.array_equal(one["samples"], other["samples"])


def test_a_run_that_is_killed_three_times_resumes_to_the_same_bits(tmp_path: Path):
    kill_at_random(tmp_path, tries=3)


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_resumes_to_the_same_bits(tmp_path: Path):
    kill_at_random(tmp_path, tries=20)


def test_what_a_killed_writer_left_behind_is_cleared(tmp_path: Path):
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / ".settings.json.part").write_text("{")
    assert cli.main(["train", "ring", "--steps", "2", "--out", str(folder)]) == 0
    stored = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**stored, "finished": False}))
    (folder / ".best.safetensors.part").write_bytes(b"half")
    assert cli.main(["train", "ring", "--out", str(folder), "--resume"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == FILES


# ---- best and last -------------------------------------------------------------------------------------------------


def watched(values: dict[int, float]) -> Callable[[Game], dict[str, float]]:
    return lambda game: {"frechet": values[game.step]}


def test_best_and_last_are_both_kept_also_across_a_resume(tmp_path: Path):
    values = {1: 9.0, 2: 4.0, 3: float("nan"), 4: 5.0, 5: 4.0, 6: 3.5, 7: 8.0}
    options: dict[str, Any] = {"watch": watched(values), "best": "frechet", "save": tmp_path, "progress": False}
    game, steps = tiny_game(), []
    states: dict[int, dict[str, torch.Tensor]] = {}
    for _ in range(5):
        game.play(1, **options)
        states[game.step] = everything(game)
        steps.append(checkpoint.load(tmp_path / "best.safetensors")[0]["step"])
    assert steps == [1, 2, 2, 2, 2]  # neither NaN nor an equal distance is lower
    game = tiny_game(weights=3).resume(tmp_path)
    assert len(game.history.watched) == 5 and game.history.watched[1] == {"step": 2, "frechet": 4.0}
    best = tiny_game(weights=4).resume(tmp_path, "best")
    assert same(everything(best), states[2]) and best.history.watched[-1]["frechet"] == 4.0
    game.play(2, **options)
    facts = {name: checkpoint.load(tmp_path / f"{name}.safetensors")[0] for name in ("best", "last")}
    assert facts["best"]["step"] == 6 and facts["last"]["step"] == 7


def test_best_needs_something_to_measure_and_a_folder(tmp_path: Path):
    with pytest.raises(ValueError, match="best='frechet' needs a watch that measures it and a folder to save to"):
        tiny_game().play(1, best="frechet", save=tmp_path)


def test_a_digits_run_keeps_its_best_by_frechet_distance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    distances = iter([7.0, 3.0, 5.0])
    monkeypatch.setattr(cli, "MEASURE_EVERY", 1)
    monkeypatch.setattr(metrics, "frechet_digits", lambda images: next(distances))
    monkeypatch.setattr(Game, "sample", lambda game, n, seed=0: torch.zeros(n, 1, 28, 28))
    assert cli.main(["train", "digits", "--steps", "3", "--out", str(tmp_path / "r")]) == 0
    facts, _ = checkpoint.load(tmp_path / "r" / "best.safetensors")
    assert facts["step"] == 2 and [w["frechet"] for w in facts["watched"]] == [7.0, 3.0]


# ---- a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        sys.platform != "linux"
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode
    ):
        pytest.skip("a small disk cannot be mounted here; the same with a simulated error is tested beside this")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_an_error_and_keeps_the_last_good_checkpoint(small_disk: Path):
    game = tiny_game()
    path = game.save(small_disk)
    good = path.read_bytes()
    (small_disk / "filler").write_bytes(bytes(64 * 1024 - 4096 - -(-len(good) // 4096) * 4096))
    game.play(2, progress=False)
    with pytest.raises(OSError, match=r"cannot write .*last.safetensors: .*No space left"):
        game.save(small_disk)
    assert path.read_bytes() == good and sorted(p.name for p in small_disk.iterdir()) == ["filler", "last.safetensors"]
    (small_disk / "filler").unlink()
    game.save(small_disk)
    assert same(everything(tiny_game(weights=2).resume(small_disk)), everything(game))


def test_a_disk_that_fills_up_ends_a_run_with_code_1(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    write, calls = checkpoint.save_file, 0

    def fill(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        nonlocal calls
        calls += 1
        if calls in (3, 4):  # in the middle, and when the run ends for it
            path.write_bytes(b"half a file")
            raise OSError(28, "No space left on device")
        write(tensors, path, metadata)

    monkeypatch.setattr(checkpoint, "save_file", fill)
    folder = tmp_path / "r"
    assert cli.main(["train", "ring", "--steps", "6", "--save-every", "2", "--out", str(folder)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert checkpoint.load(folder / "last.safetensors")[0]["step"] == 2
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert cli.main(["train", "ring", "--out", str(folder), "--resume"]) == 0
    assert checkpoint.load(folder / "last.safetensors")[0]["step"] == 6


# ---- damaged, foreign and hostile files ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good checkpoint, two rounds into a game."""
    game = tiny_game()
    game.play(2, watch=lambda g: {"x": 1.0}, progress=False)
    return game.save(tmp_path_factory.mktemp("whole")).read_bytes()


def refused(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "last.safetensors").write_bytes(raw)
    game = tiny_game(weights=3)
    before = everything(game)
    with pytest.raises(CheckpointError, match=message):
        game.resume(tmp_path)
    assert same(before, everything(game)) and game.step == 0 and len(game.history) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, whole: bytes, share: float):
    refused(tmp_path, whole[: int(share * len(whole))], "is not a whole safetensors file")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_bit_flipped_anywhere_is_refused(tmp_path: Path, whole: bytes, share: float, bit: int):
    raw = bytearray(whole)
    raw[int(share * len(raw))] ^= 1 << bit
    refused(tmp_path, bytes(raw), r"is not a whole safetensors file|was altered or damaged|not a checkpoint of ganlib")


def header(raw: bytes) -> dict[str, Any]:
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])


def with_header(raw: bytes, text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + raw[8 + struct.unpack("<Q", raw[:8])[0] :]


def with_entry(raw: bytes, **entry: Any) -> bytes:
    """The same file, but for what its header says of one tensor."""
    changed = header(raw)
    changed["net.generator.net.0.weight"] |= entry
    return with_header(raw, json.dumps(changed).encode())


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "a pickle": lambda raw: b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93.",
    "a torch zip": lambda raw: b"PK\x03\x04" + raw,
    "text": lambda raw: b"once upon a time",
    "a header beyond the file": lambda raw: struct.pack("<Q", len(raw)) + raw[8:],
    "a header of an exabyte": lambda raw: struct.pack("<Q", 2**60) + raw[8:],
    "a header of -1 bytes": lambda raw: struct.pack("<q", -1) + raw[8:],
    "a header that is a list": lambda raw: with_header(raw, b"[]"),
    "a header that is nested 100 000 deep": lambda raw: with_header(raw, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a tensor of an exabyte": lambda raw: with_entry(raw, shape=[2**58]),
    "a shape that overflows": lambda raw: with_entry(raw, shape=[2**40, 2**40]),
    "a negative size": lambda raw: with_entry(raw, shape=[-8, -3]),
    "offsets beyond the file": lambda raw: with_entry(raw, data_offsets=[0, 2**50]),
    "offsets backwards": lambda raw: with_entry(raw, data_offsets=[96, 0]),
    "another shape of as many": lambda raw: with_entry(raw, shape=[3, 8]),
    "another type of as many": lambda raw: with_entry(raw, dtype="I32"),
    "an unknown type": lambda raw: with_entry(raw, dtype="OBJECT"),
    "bytes after the end": lambda raw: raw + b"\0" * 8,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path: Path, whole: bytes, name: str):
    raw = HOSTILE[name](whole)
    assert raw != whole
    refused(tmp_path, raw, "is not a whole safetensors file|was altered or damaged")


#: Facts under a digest that matches, as whoever knows the format could write them.
FACTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda facts: [facts], "facts that are no mapping, but list"),
    "a number": (lambda facts: 3, "facts that are no mapping, but int"),
    "another format": (lambda facts: {**facts, "format": "ganlib checkpoint 99"}, "format 'ganlib checkpoint 99'"),
    "no format": (lambda facts: {}, "format None"),
    "step NaN": (lambda facts: {**facts, "step": float("nan")}, "step must be a whole number .* got nan"),
    "step true": (lambda facts: {**facts, "step": True}, "step must be a whole number .* got True"),
    "a negative step": (lambda facts: {**facts, "step": -1}, "step must be a whole number of at least 0, got -1"),
    "a huge step": (lambda facts: {**facts, "step": 10**18}, "must hold 1000000000000000000 float64 losses"),
    "no step": (lambda facts: {k: v for k, v in facts.items() if k != "step"}, "step must be .* got None"),
    "endless seconds": (lambda facts: {**facts, "seconds": float("inf")}, "seconds must be a finite number .* got inf"),
    "seconds in words": (lambda facts: {**facts, "seconds": "3"}, "seconds must be a finite number .* got '3'"),
    "watched a mapping": (lambda facts: {**facts, "watched": {}}, "watched must be a list of mappings"),
    "watched numbers": (lambda facts: {**facts, "watched": [1, 2]}, "watched must be a list of mappings"),
    "watched without steps": (lambda facts: {**facts, "watched": [{"x": 1}]}, "watched must be .* each with its step"),
    "settings a list": (lambda facts: {**facts, "settings": []}, "settings must be a mapping, got list"),
    "no settings": (lambda facts: {**facts, "settings": {}}, "other settings: anneal|other settings: averaging"),
    "optimizers a number": (lambda facts: {**facts, "optimizers": 1}, "optimizers must be a mapping, got int"),
    "optimizer memory of nobody": (
        lambda facts: {**facts, "optimizers": {"generator.0.secret": 1}},
        "optimizer memory 'generator.0.secret', which this game does not have",
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_hostile_facts_are_refused_by_name(tmp_path: Path, whole: bytes, name: str):
    change, message = FACTS[name]
    (tmp_path / "last.safetensors").write_bytes(whole)
    facts, tensors = checkpoint.load(tmp_path / "last.safetensors")
    checkpoint.write(tmp_path / "last.safetensors", tensors, change(facts))
    refused(tmp_path, (tmp_path / "last.safetensors").read_bytes(), message)


def test_a_header_nested_deep_or_no_json_is_refused(tmp_path: Path, whole: bytes):
    path = tmp_path / "last.safetensors"
    for text in ("[" * 200_000 + "]" * 200_000, "{'step': 1}", ""):
        save_file({}, path, {"ganlib": f"{checkpoint._digest(text, {})} {text}"})
        refused(tmp_path, path.read_bytes(), "header that is not JSON")


KEY = "optimizer.generator.0.exp_avg"

TENSORS: dict[str, tuple[Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], str]] = {
    "a weight too many": (lambda t: {**t, "net.spy.weight": torch.zeros(1)}, "holds 'net.spy.weight'"),
    "a weight short": (
        lambda t: {k: v for k, v in t.items() if k != "net.generator.net.0.bias"},
        "lacks 'net.generator.net.0.bias'",
    ),
    "a weight of other shape": (
        lambda t: {**t, "net.generator.net.0.bias": torch.zeros(9)},
        r"'net.generator.net.0.bias' is torch.float32 of shape \(9,\), in this game torch.float32 of shape \(8,\)",
    ),
    "a weight of other type": (
        lambda t: {**t, "net.generator.net.0.bias": torch.zeros(8, dtype=torch.float64)},
        "is torch.float64 of shape",
    ),
    "no history of a player": (
        lambda t: {k: v for k, v in t.items() if k != "history.generator"},
        "lacks the history of player 'generator'",
    ),
    "a history too short": (
        lambda t: {**t, "history.generator": torch.zeros(1, dtype=torch.float64)},
        "the history of 'generator' must hold 2 float64 losses, one a round, got torch.float64 of shape",
    ),
    "a history of nobody": (
        lambda t: {**t, "history.spy": torch.zeros(2, dtype=torch.float64)},
        "a history of 'spy', which is no player",
    ),
    "a moment of other shape": (lambda t: {**t, KEY: torch.zeros(3)}, r"'generator.0.exp_avg' is .* \(3,\), in this"),
    "a moment of other type": (lambda t: {**t, KEY: t[KEY].double()}, "'generator.0.exp_avg' is torch.float64"),
    "a moment short": (
        lambda t: {k: v for k, v in t.items() if k != KEY},
        "lacks optimizer memory 'generator.0.exp_avg'",
    ),
    "a moment of no parameter": (
        lambda t: {**t, "optimizer.generator.99.exp_avg": torch.zeros(1)},
        "optimizer memory 'generator.99.exp_avg', which this game does not have",
    ),
    "a step that is a picture": (
        lambda t: {**t, "optimizer.generator.0.step": torch.zeros(2, 2)},
        "'generator.0.step' is",
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_hostile_tensors_are_refused_by_name(tmp_path: Path, whole: bytes, name: str):
    change, message = TENSORS[name]
    (tmp_path / "last.safetensors").write_bytes(whole)
    facts, tensors = checkpoint.load(tmp_path / "last.safetensors")
    checkpoint.write(tmp_path / "last.safetensors", change(tensors), facts)
    refused(tmp_path, (tmp_path / "last.safetensors").read_bytes(), message)


def test_what_json_cannot_hold_is_refused_and_the_round_is_kept(tmp_path: Path):
    game = tiny_game()
    path = game.save(tmp_path)
    with pytest.raises(TypeError, match="watch must return numbers and text, .* got 'picture': Tensor"):
        game.play(1, watch=lambda g: {"picture": torch.zeros(2)}, save=tmp_path, progress=False)
    facts, _ = checkpoint.load(path)
    assert facts["step"] == 1 and facts["watched"] == [] and [p.name for p in tmp_path.iterdir()] == [path.name]
    player = game.players["generator"]
    with pytest.raises(TypeError, match="settings must be words and numbers, .*: Object of type Tensor"):
        Game({"generator": player}, torch.zeros(100, 2), settings={"weight": torch.zeros(1)})


def test_a_distance_that_is_not_a_number_is_kept_as_it_was(tmp_path: Path):
    game = tiny_game()
    game.play(1, watch=lambda g: {"frechet": float("nan")}, save=tmp_path, progress=False)
    (seen,) = tiny_game().resume(tmp_path).history.watched
    assert seen["step"] == 1 and seen["frechet"] != seen["frechet"]


# ---- numbers that are none -----------------------------------------------------------------------------------------


def spoiled(value: torch.Tensor, what: str) -> torch.Tensor:
    """The value, or a finite one whose gradient is not finite (the square root at 0)."""
    return value * float(what) if what != "gradient" else value + (value - value.detach()).square().sqrt()


@pytest.mark.parametrize("what", ["nan", "inf", "gradient"])
@pytest.mark.parametrize(("player", "term"), [("discriminator", "loss"), ("discriminator", "r1"), ("generator", "")])
def test_a_number_that_is_none_names_step_and_player_and_leaves_the_last_good_checkpoint(
    tmp_path: Path, player: str, term: str, what: str
):
    game = tiny_game(penalty=penalties.r1(0.1))
    inner = game.players[player].loss

    def loss(batch: Batch) -> Any:
        result = inner(batch)
        if batch.step != 5:
            return result
        return {**result, term: spoiled(result[term], what)} if isinstance(result, dict) else spoiled(result, what)

    game.players[player].loss = loss
    with pytest.raises(NonFiniteLoss, match=f"step 5, player '{player}': the "):
        game.play(9, save=tmp_path, save_every=2, progress=False)
    assert game.step == 5 and all(value.isfinite().all() for value in everything(game).values())
    resumed, reference = (tiny_game(weights=i, penalty=penalties.r1(0.1)) for i in (1, 0))
    resumed.resume(tmp_path)
    assert resumed.step == 5  # whole rounds; the turn that failed is the next
    resumed.play(4, progress=False)
    reference.play(9, progress=False)
    assert same(everything(resumed), everything(reference))
