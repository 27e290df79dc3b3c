"""A run's folder from outside: used on other machines, by other users, by two processes at once, and gone on with."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import ganlib
from ganlib import Game, Generator, checkpoint, cli, data, history, recipes
from ganlib.run import Run

from .tiny import same, tiny_game


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / "last.safetensors")[1]


def pictures(folder: Path, n: int = 12, side: int = 16, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(folder / f"{seed}{i:03}.png")


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    pictures(tmp_path / "flat")
    return tmp_path / "flat"


@pytest.fixture
def points(tmp_path: Path) -> Path:
    np.savez(tmp_path / "points.npz", points=np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32))
    return tmp_path / "points.npz"


# ---- used elsewhere ------------------------------------------------------------------------------------------------


def test_a_folder_that_grew_does_not_matter_to_samples_but_to_a_resume(tmp_path: Path, flat: Path, capsys):
    assert run("train", flat, "--steps", 2, "--out", tmp_path / "r") == 0
    assert run("sample", tmp_path / "r", "-n", 3, "--out", tmp_path / "a.npz") == 0
    pictures(flat, 5, seed=1)
    assert run("sample", tmp_path / "r", "-n", 3, "--out", tmp_path / "b.npz") == 0
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert np.array_equal(a["samples"], b["samples"])
    assert run("train", flat, "--steps", 4, "--resume", "--out", tmp_path / "r") == 2
    assert "was made with other data" in capsys.readouterr().err


def test_a_run_from_python_and_a_generator_alone_are_sampled_too(tmp_path: Path):
    recipes.build(recipes.Settings("ring")).save(tmp_path / "r")
    made = ganlib.load(tmp_path / "r")
    made.save(tmp_path / "g.safetensors")
    for path in ("r", "g.safetensors"):
        assert run("sample", tmp_path / path, "-n", 3, "--out", tmp_path / f"{path}.npz") == 0
        with np.load(tmp_path / f"{path}.npz") as arrays:
            assert np.array_equal(arrays["samples"], made.sample(3).numpy())


def test_networks_of_ones_own_are_named(tmp_path: Path, capsys):
    tiny_game().save(tmp_path)
    assert run("sample", tmp_path, "-n", 3, "--out", tmp_path / "s.npz") == 2
    assert "is not of ganlib.nets: make it as for the run" in capsys.readouterr().err


def test_other_threads_go_on_with_one_word(tmp_path: Path, points: Path, capsys):
    folder, threads = tmp_path / "r", torch.get_num_threads()
    assert run("train", points, "--steps", 4, "--out", folder) == 0
    try:
        torch.set_num_threads(threads + 1)
        stored = json.loads((folder / "settings.json").read_text())
        (folder / "settings.json").write_text(json.dumps({**stored, "finished": False}))
        assert run("train", points, "--resume", "--out", folder) == 2
        assert (
            f"threads was {threads}, now {threads + 1}" in (said := capsys.readouterr().err) and "--elsewhere" in said
        )
        assert run("sample", folder, "-n", 3, "--out", tmp_path / "s.npz") == 0
        assert run("train", points, "--resume", "--elsewhere", "--out", folder) == 0
        assert f"not exactly: threads was {threads}, now {threads + 1}" in capsys.readouterr().err
    finally:
        torch.set_num_threads(threads)


def test_another_precision_goes_on_with_one_word_and_is_kept(tmp_path: Path, flat: Path, capsys):
    command = ["train", flat, "--out", tmp_path / "r"]
    assert run(*command, "--steps", 2, "--precision", "fp32") == 0
    assert run(*command, "--resume", "--steps", 3, "--precision", "bf16") == 2
    assert "precision was 'fp32', now 'bf16'" in capsys.readouterr().err
    assert run(*command, "--resume", "--steps", 3, "--precision", "bf16", "--elsewhere") == 0
    assert run(*command, "--resume", "--steps", 4) == 0  # in bf16 again
    assert checkpoint.load(tmp_path / "r" / "last.safetensors")[0]["settings"]["precision"] == "bf16"
    assert run("train", flat, "--out", tmp_path / "q", "--elsewhere") == 2
    assert "--elsewhere is for a run that goes on" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_run_has_the_mode_that_the_umask_gives(tmp_path: Path, flat: Path):
    before = os.umask(0o002)
    try:
        assert run("train", flat, "--steps", 1, "--out", tmp_path / "r") == 0
    finally:
        os.umask(before)
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "r").iterdir()} == {0o664}


def test_what_may_not_be_read_is_said_to_be_so(tmp_path: Path, points: Path, monkeypatch, capsys):
    folder, access = tmp_path / "r", os.access
    assert run("train", points, "--steps", 1, "--out", folder) == 0
    for hidden in (folder, folder / "last.safetensors"):
        monkeypatch.setattr(os, "access", lambda p, mode, hidden=hidden: Path(p) != hidden and access(p, mode))
        assert run("sample", folder, "-n", 3, "--out", tmp_path / "s.npz") == 2
        assert f"{hidden} may not be read" in capsys.readouterr().err
    read = Path.read_text
    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(Path, "read_text", lambda p, **_: (_ for _ in ()).throw(PermissionError(13, "no", str(p))))
    assert run("evaluate", folder) == 2
    assert "settings.json may not be read" in capsys.readouterr().err
    monkeypatch.setattr(Path, "read_text", read)
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (_ for _ in ()).throw(PermissionError(13, "no", str(b))))
    assert run("evaluate", folder) == 0
    captured = capsys.readouterr()
    assert "frechet_points" in captured.out and "metrics.json could not be written" in captured.err
    monkeypatch.setattr(os, "replace", replace)


def test_an_earlier_format_is_refused_by_name(tmp_path: Path, points: Path, capsys):
    assert run("train", points, "--steps", 1, "--out", tmp_path / "r") == 0
    facts, tensors = checkpoint.load(tmp_path / "r" / "last.safetensors")
    checkpoint.write(tmp_path / "r" / "last.safetensors", tensors, {**facts, "format": "ganlib checkpoint 1"})
    for command in (["sample", tmp_path / "r", "-n", 1, "--out", tmp_path / "s.npz"], ["evaluate", tmp_path / "r"]):
        assert run(*command) == 2
        assert "format 'ganlib checkpoint 1'; this ganlib reads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("until", "message"),
    [
        (None, "was written by another ganlib, 0.1.0"),
        ({"steps": "9"}, "steps must be"),
        ({"rounds": 9}, "settings.json: "),
    ],
)
def test_settings_that_no_run_of_this_ganlib_has_are_refused(tmp_path: Path, points: Path, capsys, until, message):
    folder = tmp_path / "r"
    assert run("train", points, "--steps", 1, "--out", folder) == 0
    stored = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**stored, "until": until}))
    for command in (["train", points, "--resume", "--steps", 9, "--out", folder], ["evaluate", folder]):
        assert run(*command) == 2
        assert message in capsys.readouterr().err


# ---- going on ------------------------------------------------------------------------------------------------------


def test_a_finished_run_without_a_schedule_goes_on(tmp_path: Path, flat: Path, capsys):
    folder, whole = tmp_path / "r", tmp_path / "whole"
    assert run("train", flat, "--steps", 6, "--out", whole) == 0
    assert run("train", flat, "--steps", 2, "--out", folder) == 0
    assert run("train", flat, "--resume", "--out", folder) == 2
    assert "is finished: go on with --steps above 2, or --seconds" in capsys.readouterr().err
    assert run("train", flat, "--resume", "--steps", 2, "--out", folder) == 2
    assert "has played 2 rounds already" in capsys.readouterr().err
    assert run("train", flat, "--resume", "--steps", 6, "--out", folder) == 0
    assert same(weights(folder), weights(whole))
    assert run("train", flat, "--resume", "--seconds", 0.2, "--lr", 1e-4, "--out", folder) == 0
    facts = checkpoint.load(folder / "last.safetensors")[0]
    assert facts["step"] > 6 and {group["lr"] for groups in facts["rates"].values() for group in groups} == {1e-4}
    with (folder / "history.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == list(range(1, facts["step"] + 1))
    assert run("train", flat, "--resume", "--lr", 0, "--steps", 99, "--out", folder) == 2
    assert "lr must be above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "more"), [(["--steps", 3], ["--steps", 9]), (["--steps", 3], ["--seconds", 1]), (["--seconds", 0.1],) * 2]
)
def test_a_schedule_that_ended_is_named_with_what_to_do(tmp_path: Path, points: Path, capsys, first, more):
    assert run("train", points, *first, "--out", tmp_path / "r") == 0
    assert run("train", points, "--resume", *more, "--out", tmp_path / "r") == 2
    said = capsys.readouterr().err
    assert "learning rates that fall until" in said and "its schedule ends there; start a new run" in said


def test_steps_that_end_before_the_schedule_are_taken(tmp_path: Path, points: Path):
    assert run("train", points, "--steps", 6, "--out", tmp_path / "r") == 0
    facts, _ = checkpoint.load(tmp_path / "r" / "last.safetensors")
    assert facts["settings"]["anneal"] == 6


# ---- two at once ---------------------------------------------------------------------------------------------------


HOLD = """
import sys, pathlib
from ganlib.run import Run
with Run(pathlib.Path(sys.argv[1])).locked():
    print(flush=True)
    input()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that trains in `tmp_path`/r."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "r")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_the_second_of_two_is_refused_and_a_killed_one_leaves_nothing_in_the_way(
    tmp_path: Path, points: Path, capsys, holder
):
    command = ["train", points, "--steps", 3, "--out", tmp_path / "r"]
    assert run(*command) == 2
    assert "is being trained by another process" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "r").iterdir()] == [".lock"]
    holder.kill()
    holder.wait(60)
    assert run(*command) == 0


def test_fewer_rounds_than_were_played_are_refused_of_a_stopped_run_too(tmp_path: Path, flat: Path, capsys):
    assert run("train", flat, "--steps", 2, "--out", tmp_path / "r") == 0
    settings = tmp_path / "r" / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"finished": False, "until": {"steps": 9}}))
    capsys.readouterr()
    assert run("train", flat, "--resume", "--steps", 1, "--out", tmp_path / "r") == 2
    assert "has played 2 rounds already: --steps must be above that, got 1" in capsys.readouterr().err
    assert run("train", flat, "--resume", "--steps", 2, "--out", tmp_path / "r") == 0, "it was stopped at its end"


def test_rounds_that_a_second_ctrl_c_lost_are_said(tmp_path: Path, flat: Path, monkeypatch, capsys):
    save, saves = Game.save, []

    def interrupted(game: Game, *where: object) -> Path:
        saves.append(game.step)
        if game.step:
            raise KeyboardInterrupt
        return save(game, *where)

    monkeypatch.setattr(Game, "save", interrupted)
    assert run("train", flat, "--steps", 2, "--out", tmp_path / "r") == 130
    assert "stopped after round 2, of which 0 are kept: the last save was interrupted" in capsys.readouterr().err
    monkeypatch.setattr(Game, "save", save)
    assert run("train", flat, "--resume", "--out", tmp_path / "r") == 0 and saves == [0, 2]


def test_the_second_of_two_resumes_is_refused(tmp_path: Path, flat: Path, capsys):
    assert run("train", flat, "--steps", 2, "--out", tmp_path / "r") == 0
    before = weights(tmp_path / "r")
    with Run(tmp_path / "r").locked():
        assert run("train", flat, "--resume", "--steps", 4, "--out", tmp_path / "r") == 2
        assert "is being trained by another process" in capsys.readouterr().err
        assert run("sample", tmp_path / "r", "-n", 1, "--out", tmp_path / "s.npz") == 0
    assert same(before, weights(tmp_path / "r"))
    assert run("train", flat, "--resume", "--steps", 4, "--out", tmp_path / "r") == 0


# ---- what is said --------------------------------------------------------------------------------------------------


def test_a_line_is_printed_and_the_files_are_written_at_every_save(tmp_path: Path, flat: Path, capsys):
    assert run("train", flat, "--steps", 5, "--save-every", 2, "--out", tmp_path / "r") == 0
    out = capsys.readouterr().out
    lines = re.findall(r"^round (\d+)  [\d.]+ s  discriminator [\d.]+ .*generator .*  \d+ images/s$", out, re.M)
    assert lines == ["2", "4", "5"]
    assert "data: 10 train, 2 held out\ndata: 16×16\n" in out
    assert re.search(r"^generator: \w+, [\d,]+ parameters$", out, re.M)
    with Image.open(tmp_path / "r" / "samples.png") as image:
        assert image.size == (8 * 18, 8 * 18) and image.mode == "L"


class Writer:
    """Stands in for TensorBoard's writer: name -> (step, value) as they were written, by the folder."""

    written: dict[str, dict[str, list[tuple[int, float]]]]

    def __init__(self, folder: str, purge_step: int) -> None:
        self.scalars = self.written.setdefault(folder, {})
        for name, values in self.scalars.items():
            self.scalars[name] = [(step, value) for step, value in values if step < purge_step]

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.setdefault(name, []).append((step, value))


def test_losses_and_distances_go_to_tensorboard(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(cli, "MEASURE_EVERY", 2)
    monkeypatch.setattr(Writer, "written", {}, raising=False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    board, folder = tmp_path / "t", tmp_path / "r"
    command = ["train", "digits", "--batch", 8, "--save-every", 2, "--tensorboard", board, "--out", folder]
    assert run(*command, "--steps", 2) == 0
    earlier = (folder / "last.safetensors").read_bytes()
    assert run(*command, "--steps", 3, "--resume") == 0
    (folder / "last.safetensors").write_bytes(earlier)  # as after a kill: round 3 is played again
    assert run(*command, "--steps", 4, "--resume") == 0
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    written = Writer.written[str(board)]
    assert [step for step, _ in written.pop("frechet")] == [2, 4]
    assert set(written) == set(rows[0]) - {"step"}
    for name, values in written.items():
        assert values == [(int(row["step"]), pytest.approx(float(row[name]), rel=1e-5)) for row in rows]


def test_tensorboard_itself_reads_what_was_written(tmp_path: Path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def play(game: Game, steps: int) -> None:
        watch = history.tensorboard(tmp_path / "t", lambda game: {"distance": game.step / 2, "remark": "none"})
        game.play(steps, progress=False, watch=watch, save=tmp_path / "r", save_every=100)

    play(tiny_game(), 3)
    kept = (tmp_path / "r" / "last.safetensors").read_bytes()
    play(tiny_game().resume(tmp_path / "r"), 4)
    (tmp_path / "r" / "last.safetensors").write_bytes(kept)  # as after a kill
    game = tiny_game().resume(tmp_path / "r")
    play(game, 2)
    gc.collect()  # a writer writes what it holds when nobody holds it
    board = events.EventAccumulator(str(tmp_path / "t"), size_guidance={"scalars": 0})
    board.Reload()
    found = {name: [(e.step, e.value) for e in board.Scalars(name)] for name in board.Tags()["scalars"]}
    assert found.pop("distance") == [(k, k / 2) for k in range(1, 6)]
    assert set(found) == set(game.history.losses)
    for name, values in found.items():
        assert values == [(k, pytest.approx(v, rel=1e-5)) for k, v in enumerate(game.history.losses[name], 1)]


def test_tensorboard_is_asked_for_where_it_is_missing_and_a_folder_that_cannot_be_made_is_refused(
    tmp_path: Path, points: Path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert run("train", points, "--tensorboard", tmp_path / "t", "--out", tmp_path / "q") == 2
    assert "tensorboard is not installed: pip install tensorboard, the extra tensorboard" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    assert run("train", points, "--tensorboard", points, "--out", tmp_path / "q") == 2
    assert "exists" in capsys.readouterr().err
    assert not (tmp_path / "q" / "settings.json").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp932"])
def test_what_an_encoding_cannot_show_is_replaced(tmp_path: Path, points: Path, monkeypatch, encoding: str):
    written = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in written.items():
        monkeypatch.setattr(sys, name, stream)
    for command in ("train", "evaluate"):
        with pytest.raises(SystemExit) as stop:
            run(command, "--help")
        assert stop.value.code == 0
    for name in ("Läufe", "走行"):
        assert run("train", points, "--steps", 2, "--out", tmp_path / name) == 0
        assert run("evaluate", tmp_path / name) == 0
        assert run("train", points, "--steps", 2, "--out", tmp_path / name) == 2
        assert (tmp_path / name / "metrics.json").exists()


def test_the_command_itself_in_ascii(tmp_path: Path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-m", "ganlib", "train", "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True)
    assert shown.returncode == 0 and not shown.stderr and b"conditional_gan" in shown.stdout


# ---- data ----------------------------------------------------------------------------------------------------------


def test_a_folder_called_like_a_built_in_set_is_pointed_out(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("digits8", "ring"):
        pictures(tmp_path / name)
        assert run("train", name, "--steps", 1, "--game", "gan", "--out", f"r_{name}") == (
            2 if name == "digits8" else 0
        )
        captured = capsys.readouterr()
        if name == "ring":
            assert f"using the built-in set {name}; for the folder write ./{name}" in captured.out + captured.err
        assert run("train", f"./{name}", "--steps", 1, "--out", f"own_{name}") == 0
        assert "10 train, 2 held out" in capsys.readouterr().out


def test_a_picture_that_declares_to_be_enormous_is_one_line(tmp_path: Path, flat: Path, capsys):
    Image.new("1", (20_000, 10_000)).save(flat / "huge.png")
    assert run("train", flat, "--steps", 1, "--out", tmp_path / "r") == 2
    said = capsys.readouterr().err
    assert "huge.png" in said and said.count("\n") == 1 and not (tmp_path / "r").exists()


def test_classes_keep_their_names_and_natural_order(tmp_path: Path, capsys):
    for k in range(1, 13):
        pictures(tmp_path / "months" / str(k), 3, seed=k)
    pictures(tmp_path / "months" / ".ipynb_checkpoints", 3)
    assert run("train", tmp_path / "months", "--steps", 1, "--out", tmp_path / "r") == 0
    stored = json.loads((tmp_path / "r" / "settings.json").read_text())
    assert stored["game"] == "conditional_gan" and stored["classes"] == [str(k) for k in range(1, 13)]
    assert run("sample", tmp_path / "r", "-n", 4, "--labels", "2,11", "--out", tmp_path / "s.npz") == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["labels"].tolist() == [1, 10, 1, 10] and arrays["classes"][1] == "2"
    capsys.readouterr()
    for unknown in ("0", "13", "May"):  # no class is called so: 0 is not taken for the first
        assert run("sample", tmp_path / "r", "-n", 4, "--labels", unknown, "--out", tmp_path / "t.npz") == 2
        assert f"--labels='{unknown}' is not known; choose one of: " in capsys.readouterr().err


def test_labels_with_gaps_are_numbered_anew_and_called_as_they_were(tmp_path: Path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(40) % 2 * 5)
    assert run("train", tmp_path / "own.npz", "--steps", 1, "--out", tmp_path / "r") == 0
    assert "2 classes (0: 20, 5: 20)" in capsys.readouterr().out
    assert run("sample", tmp_path / "r", "-n", 2, "--labels", "5", "--out", tmp_path / "s.npz") == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["labels"].tolist() == [1, 1] and arrays["classes"].tolist() == ["0", "5"]


def test_what_was_skipped_is_said(tmp_path: Path, flat: Path, capsys):
    for i in range(5):
        (flat / f"{i}.heic").write_bytes(b"x")
    assert run("train", flat, "--steps", 1, "--out", tmp_path / "r") == 0
    assert "5 files skipped: 5 .heic" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--size", 20], ["--batch", 7], ["--lr", 1e-4], ["--augment", "flip,translation"]])
def test_options_reach_the_game(tmp_path: Path, flat: Path, option: list[object], capsys):
    assert run("train", flat, "--steps", 1, *option, "--out", tmp_path / "r") == 0
    facts, _ = checkpoint.load(tmp_path / "r" / "last.safetensors")
    if option[0] == "--size":
        assert ganlib.load(tmp_path / "r").sample(1).shape == (1, 1, 20, 20)
    elif option[0] == "--lr":
        assert facts["settings"]["players"]["generator"]["optimizer"]["lr"] == [1e-4]
    else:
        assert facts["settings"][option[0][2:]] == option[1]  # type: ignore[index]
    assert run("train", flat, "--resume", "--steps", 2, *option, "--out", tmp_path / "r") == 0
    if option[0] != "--lr":
        other = {"--size": 24, "--batch": 8, "--augment": "flip"}[str(option[0])]
        assert run("train", flat, "--resume", "--steps", 3, option[0], other, "--out", tmp_path / "r") == 2
        assert f"{str(option[0])[2:]} was {option[1]!r}, now {other!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", 15], "size must be 16, 20, 24, 28, 32"),
        (["--batch", 0], "batch must be a whole number of at least 1"),
        (["--lr", -1], "lr must be above 0"),
        (["--augment", "mirror"], "augment='mirror' is not known; choose one of"),
    ],
)
def test_wrong_options_are_code_2_and_leave_nothing(tmp_path: Path, flat: Path, capsys, options, message: str):
    assert run("train", flat, *options, "--out", tmp_path / "r") == 2
    assert message in capsys.readouterr().err and not (tmp_path / "r").exists()
    assert run("train", "ring", "--size", 32, "--out", tmp_path / "r") == 2
    assert "size=32 is for images" in capsys.readouterr().err


def test_points_of_one_column_and_of_six_thousand_are_judged(tmp_path: Path, capsys):
    rng = np.random.default_rng(0)
    for columns, rows in ((1, 100), (6000, 30)):
        np.savez(tmp_path / f"{columns}.npz", points=rng.normal(size=(rows, columns)).astype(np.float32))
        assert run("train", tmp_path / f"{columns}.npz", "--steps", 1, "--out", tmp_path / f"r{columns}") == 0
        capsys.readouterr()
        assert run("evaluate", tmp_path / f"r{columns}") == 0
        values = dict(line.split() for line in capsys.readouterr().out.splitlines())
        assert float(values["frechet_points"]) > float(values["frechet_points_real"]) >= 0


def learned(tmp_path: Path, shift: list[float], scale: list[float], steps: int) -> torch.Tensor:
    """What is made of a normal cloud that was moved and stretched, moved back and shrunk again."""
    cloud = np.random.default_rng(0).normal(size=(1000, 2))
    np.savez(tmp_path / "p.npz", points=(cloud * scale + shift).astype(np.float32))
    game = recipes.build(recipes.Settings(str(tmp_path / "p.npz"), steps=steps), device="cpu")
    game.play(steps, progress=False)
    return ((game.sample(5000).double() - torch.tensor(shift)) / torch.tensor(scale)).float()


def test_points_anywhere_and_in_any_unit_are_learned_like_the_cloud_itself(tmp_path: Path):
    here = learned(tmp_path, [0.0, 0.0], [1.0, 1.0], 20)
    assert torch.equal(learned(tmp_path, [0.0, 0.0], [1.0, 1024.0], 20), here)  # powers of two are exact
    # A shift rounds the data, which training amplifies (1e-6 is 0.2 after 10 rounds): so no more than two rounds.
    here = learned(tmp_path, [0.0, 0.0], [1.0, 1.0], 2)
    for shift, scale in (([50.0, 50.0], [1.0, 1.0]), ([2000.0, -2000.0], [1.0, 1.0]), ([2000.0, -2000.0], [1.0, 1e3])):
        assert torch.allclose(learned(tmp_path, shift, scale, 2), here, rtol=0, atol=0.01)
    assert not torch.allclose(learned(tmp_path, [0.0, 0.0], [1.0, 1.0], 1), here, rtol=0, atol=0.05)


def test_a_cloud_far_away_is_learned(tmp_path: Path):
    made = learned(tmp_path, [2000.0, 2000.0], [1.0, 1.0], 600)
    assert made.mean(0).abs().max() < 0.15 and (made.std(0) - 1).abs().max() < 0.15


def test_a_distance_stands_beside_that_of_real_samples(tmp_path: Path, capsys):
    (tmp_path / "many").mkdir()
    for i in range(200):
        Image.new("L", (16, 16), 255 * (i % 2)).save(tmp_path / "many" / f"{i}.png")
    assert run("train", tmp_path / "many", "--steps", 1, "--out", tmp_path / "r") == 0
    for split in ("train", "test"):
        capsys.readouterr()
        assert run("evaluate", tmp_path / "r", "--split", split) == 0
        values = {k: float(v) for k, v in (line.split() for line in capsys.readouterr().out.splitlines())}
        assert values["frechet_pixels"] > 3 * values["frechet_pixels_real"] > 0
    assert run("train", "ring", "--steps", 1, "--out", tmp_path / "ring") == 0
    assert run("evaluate", tmp_path / "ring", "--split", "test") == 2
    assert "of ring nothing was held out" in capsys.readouterr().err


def test_real_samples_in_place_of_the_generators_are_as_far_as_real_ones(tmp_path: Path, monkeypatch):
    """The measure itself: a generator that returns other real digits stands where real digits stand."""
    images = data.load("digits", "all", size=16).x.numpy()
    np.savez(tmp_path / "own.npz", images=images[:4000])
    assert run("train", tmp_path / "own.npz", "--steps", 1, "--game", "gan", "--out", tmp_path / "r") == 0
    real = torch.from_numpy(images[4000:]).float() / 127.5 - 1
    starts = iter(range(0, 10_000, 500))

    def sample(made: Generator, n: int, labels: object = None, *, seed: int = 0) -> torch.Tensor:
        start = next(starts) % 1000
        return real[start : start + n]

    monkeypatch.setattr(Generator, "sample", sample)
    values = Run(tmp_path / "r").reference().judge(ganlib.load(tmp_path / "r"))
    assert values["frechet_pixels"] < 2 * values["frechet_pixels_real"]


def test_both_splits_and_all_features_are_kept(tmp_path: Path, flat: Path):
    assert run("train", flat, "--steps", 1, "--out", tmp_path / "r") == 0
    path = tmp_path / "r" / "metrics.json"
    for split, features in (("train", []), ("test", []), ("test", ["--features", "pixels"]), ("train", [])):
        assert run("evaluate", tmp_path / "r", "--split", split, *features) == 0
        last, *others = Run(tmp_path / "r").metrics()
        assert (last["split"], last["features"]) == (split, "pixels")
        assert len({one["split"] for one in (last, *others)}) == 1 + len(others)
    assert last["split"] == "train" and [one["split"] for one in others] == ["test"]
    for content in ("[1]", "{", '{"others": 3}', '{"others": [3]}'):
        path.write_text(content)
        assert run("evaluate", tmp_path / "r") == 0
        assert json.loads(path.read_text())["split"] == "train"


# ---- samples -------------------------------------------------------------------------------------------------------


def test_samples_come_as_an_archive_a_sheet_or_a_folder(tmp_path: Path, flat: Path, points: Path, capsys):
    assert run("train", flat, "--steps", 1, "--out", tmp_path / "r") == 0
    for out in ("s.npz", "s.png", "folder/"):
        assert run("sample", tmp_path / "r", "-n", 9, "--out", f"{tmp_path}/{out}") == 0
    with np.load(tmp_path / "s.npz") as arrays, Image.open(tmp_path / "s.png") as sheet:
        assert set(arrays) == {"samples"} and sheet.size == (8 * 18, 2 * 18)
        assert np.array_equal(np.array(sheet)[1:17, 1:17], arrays["samples"][0, 0])
        assert np.array_equal(np.array(sheet)[19:35, 1:17], arrays["samples"][8, 0])
    assert len(list((tmp_path / "folder").iterdir())) == 9
    (tmp_path / "mine.png").write_bytes((flat / "0000.png").read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for out, message in (
        ("folder/", "must be a new or empty folder"),
        ("mine.png", "exists: choose another name"),
        ("s.npz", "exists: choose another name"),
        ("s.png", "exists: choose another name"),
        ("s", "in / for a folder"),
    ):
        assert run("sample", tmp_path / "r", "-n", 9, "--out", f"{tmp_path}/{out}") == 2
        assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert run("train", points, "--steps", 1, "--out", tmp_path / "p") == 0
    assert run("sample", tmp_path / "p", "-n", 9, "--out", tmp_path / "p.png") == 2
    assert "samples of shape (2,) are no images" in capsys.readouterr().err and not (tmp_path / "p.png").exists()


def test_single_pictures_and_names_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of PNGs has the size of the samples, and the archive of them keeps the names of the classes."""
    arrays = {
        "samples": np.zeros((10, 3, 16, 16), np.uint8),
        "labels": np.arange(10) % 2,
        "classes": np.array(["a", "b"]),
    }
    np.savez(tmp_path / "s.npz", **arrays)
    assert data.load(tmp_path / "s.npz", "all").classes == ("a", "b")
    cli._write_samples(tmp_path / "pngs", True, torch.zeros(3, 3, 16, 16), torch.tensor([0, 1, 0]), ("a", "b"))
    found = sorted((tmp_path / "pngs").iterdir())
    assert [path.name for path in found] == ["00000-a.png", "00001-b.png", "00002-a.png"]
    assert Image.open(found[0]).size == (16, 16)
