"""The command line in process: what it writes, how it resumes, and that bad input ends in code 2 with its reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganlib
from ganlib import Game, Generator, checkpoint, cli, compute, games, metrics, recipes
from ganlib.engine import Batch
from ganlib.reference import Reference

from .tiny import same, tiny_game


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Two hundred points and their labels, the reader's own data."""
    rng = np.random.default_rng(0)
    path = tmp_path / "points.npz"
    np.savez(path, points=rng.normal(size=(200, 2)).astype(np.float32), labels=np.arange(200) % 3)
    return path


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / f"{name}.safetensors")[1]


def test_train_sample_evaluate_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, out = tmp_path / "r", tmp_path / "s.npz"
    assert run("train", "ring", "--steps", 5, "--out", folder) == 0
    assert json.loads((folder / "settings.json").read_text())["finished"] is True
    assert run("sample", folder, "-n", 37, "--out", out) == 0
    with np.load(out) as arrays:
        assert set(arrays) == {"samples"} and arrays["samples"].shape == (37, 2)
        assert arrays["samples"].dtype == np.float32
    capsys.readouterr()
    assert run("evaluate", folder) == 0
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    names = ["modes", "modes_real", "quality", "quality_real", "reverse_kl", "reverse_kl_real"]
    assert list(lines) == ["step", *names] and lines["step"] == "5"
    assert lines["modes_real"] == "8" and float(lines["quality_real"]) > 0.98 and float(lines["reverse_kl_real"]) < 0.01
    assert json.loads((folder / "metrics.json").read_text())["modes"] == float(lines["modes"])
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "history.csv",
        "last.safetensors",
        "metrics.json",
        "reference.npz",
        "settings.json",
    ]


def test_train_sample_evaluate_digits_on_request(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(cli, "MEASURE_EVERY", 2)
    folder, out, sample, asked = tmp_path / "r", tmp_path / "s.npz", Generator.sample, set()

    def fewer(made: Generator, n: int, *labels: object, **options: int) -> torch.Tensor:
        asked.add(n)
        return sample(made, min(n, 200), *labels, **options)

    monkeypatch.setattr(Generator, "sample", fewer)
    monkeypatch.setattr(metrics, "class_accuracy", lambda images, labels: 0.5)
    assert run("train", "digits", "--game", "conditional_gan", "--steps", 4, "--out", folder) == 0
    assert (folder / "best.safetensors").exists()
    assert run("sample", folder, "-n", 5, "--labels", "3,7", "--best", "--out", out) == 0
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [3, 7, 3, 7, 3]
        assert arrays["samples"].shape == (5, 1, 28, 28) and arrays["samples"].dtype == np.uint8
    capsys.readouterr()
    assert run("evaluate", folder) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["step", "frechet", "frechet_real", "label_accuracy", "label_accuracy_real", "samples", "reference"]
    assert asked == {1000, 80, 5, 5000}  # to find the best, for the sheet, for `sample`, and to judge


def test_own_images_train_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.savez(tmp_path / "own.npz", images=np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8))
    assert run("train", tmp_path / "own.npz", "--steps", 2, "--out", tmp_path / "r") == 0
    assert run("sample", tmp_path / "r", "-n", 3, "--out", tmp_path / "s.npz") == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["samples"].shape == (3, 3, 16, 16)
    capsys.readouterr()


@pytest.mark.parametrize("game", sorted(set(games.GAMES) - {"clustered_gan", *recipes.FROM_PYTHON}))
def test_every_game_is_played_from_the_name_of_its_data(tmp_path: Path, points: Path, monkeypatch, capsys, game: str):
    images = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (200, 16, 16), dtype=np.uint8)
    np.savez(images, images=pixels, labels=np.arange(200) % 3)
    source, shape = {
        **dict.fromkeys(("pix2pix", "bicycle_gan", "cycle_gan"), ("scenes", (3, 16, 16))),
        **dict.fromkeys(("star_gan", "progressive_gan", "sr_gan", "esr_gan"), (images, (1, 16, 16))),
    }.get(game, (points, (2,)))
    run_folder, out = tmp_path / "r", tmp_path / "s.npz"
    size = ["--size", 16] if len(shape) == 3 else []
    assert run("train", source, "--game", game, "--steps", 1, "--out", run_folder, *size) == 0
    assert json.loads((run_folder / "settings.json").read_text())["game"] == game
    assert run("sample", run_folder, "-n", 3, "--out", out) == 0
    with np.load(out) as arrays:
        assert arrays["samples"].shape == (3, *shape)
    if game in ("sr_gan", "vae"):
        capsys.readouterr()
        assert run("evaluate", run_folder) == 0
        name = {"sr_gan": "pixel_error", "vae": "frechet_points"}[game]
        assert capsys.readouterr().out.splitlines()[1].startswith(name)


@pytest.mark.parametrize("game", ["gain", "ambient_gan"])
def test_games_that_need_more_than_a_name_are_refused_with_what_to_write_instead(
    tmp_path: Path, points: Path, capsys: pytest.CaptureFixture[str], game: str
):
    assert run("train", points, "--game", game, "--out", tmp_path / "r") == 2
    assert f"game='{game}' is played from Python: games.{game}(" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    with pytest.raises(SystemExit):
        run("train", "--help")
    assert game not in capsys.readouterr().out


def test_the_games_of_images_are_played_with_networks_for_images():
    for game in ("ac_gan", "info_gan", "semi_supervised", "eb_gan", "vae", "aae", "vae_gan", "bigan", "lr_gan"):
        made = recipes.build(recipes.Settings("digits", game=game))
        made.play(1, progress=False)
        assert made.sample(2).shape == (2, 1, 28, 28)


def test_samples_called_unlabelled_have_no_class_of_their_own(tmp_path: Path):
    file = tmp_path / "points.npz"
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    np.savez(file, points=x, labels=np.array(["cat", "unlabelled", "dog", "unlabelled"] * 10))
    made = recipes.build(recipes.Settings(str(file), game="semi_supervised"))
    made.play(1, progress=False)
    assert made.discriminator.outputs == 2 and made.source.size == 32  # four fifths
    np.savez(file, points=x, labels=np.array(["unlabelled"] * 40))
    with pytest.raises(ValueError, match="have no folder but unlabelled: game='semi_supervised' needs classes"):
        recipes.build(recipes.Settings(str(file), game="semi_supervised"))


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM"])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, points: Path, monkeypatch, kind: str):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run("train", points, "--steps", 12, "--out", whole) == 0
    turns, play = 0, Game._round

    def interrupted_round(game: Game) -> None:
        nonlocal turns
        turns += 1
        if turns == 5:
            os.kill(os.getpid(), getattr(signal, kind))
        play(game)

    monkeypatch.setattr(Game, "_round", interrupted_round)
    code = run("train", points, "--steps", 12, "--out", stopped, "--save-every", 3)
    assert code == {"SIGINT": 130, "SIGTERM": 143}[kind]
    assert checkpoint.load(stopped / "last.safetensors")[0]["step"] == 5
    assert run("train", points, "--out", stopped, "--resume") == 0
    assert same(weights(whole), weights(stopped))


def test_a_run_killed_before_its_first_checkpoint_resumes(tmp_path: Path, points: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        assert run("train", points, "--steps", 4, "--out", folder) == 0
    settings = json.loads((killed / "settings.json").read_text())
    del settings["finished"]
    (killed / "settings.json").write_text(json.dumps(settings))
    (killed / "last.safetensors").unlink()
    assert run("train", points, "--out", killed, "--resume") == 0
    assert same(weights(whole), weights(killed))


def test_seconds_end_a_run(tmp_path: Path, points: Path):
    assert run("train", points, "--seconds", 0.2, "--out", tmp_path / "r") == 0
    facts, _ = checkpoint.load(tmp_path / "r" / "last.safetensors")
    assert facts["step"] >= 1 and facts["seconds"] >= 0.2


def test_a_non_finite_loss_fails_with_code_1_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, points: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    draw = Game.draw

    def poisoned(game: Game, player: str, turn: int = 0) -> Batch:
        batch = draw(game, player, turn)
        if game.step == 6:
            batch.real *= float("nan")
        return batch

    monkeypatch.setattr(Game, "draw", poisoned)
    assert run("train", points, "--steps", 9, "--save-every", 2, "--out", tmp_path / "r") == 1
    assert "step 6, player 'discriminator'" in capsys.readouterr().err
    facts, tensors = checkpoint.load(tmp_path / "r" / "last.safetensors")
    assert facts["step"] == 6 and all(v.isfinite().all() for v in tensors.values())


TRAIN_ERRORS = {
    "an unknown data set": (["digit", "--steps", "1"], "data='digit' is not known; choose one of: digits"),
    "an unknown game": (["ring", "--game", "gann"], "game='gann' is not known; choose one of: gan"),
    "an unknown loss": (["ring", "--loss", "hing"], "loss='hing' is not known; choose one of: hinge"),
    "no steps": (["ring", "--steps", "0"], "steps must be a whole number of at least 1, got 0"),
    "negative steps": (["ring", "--steps", "-5"], "steps must be a whole number of at least 1, got -5"),
    "fractional steps": (["ring", "--steps", "2.5"], "steps must be a whole number of at least 1, got 2.5"),
    "no seconds": (["ring", "--seconds", "0"], "seconds must be above 0"),
    "seconds without end": (["ring", "--seconds", "nan"], "seconds must be a finite number"),
    "a negative seed": (["ring", "--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
    "a fractional interval": (["ring", "--save-every", "1.5"], "--save-every must be a whole number"),
    "pairs where there are none": (["digits", "--game", "pix2pix"], "data 'digits' are no pairs: game='pix2pix' needs"),
    "images where there are none": (["ring", "--game", "sr_gan"], "data 'ring' are no images: game='sr_gan' needs"),
    "classes where there are none": (["ring", "--game", "ac_gan"], "data 'ring' have no labels: game='ac_gan' needs"),
    "no labels to begin from": (
        ["ring", "--game", "semi_supervised"],
        "data 'ring' have no labels: game='semi_supervised' needs",
    ),
    "a loss for a game that has its own": (
        ["ring", "--game", "vae", "--loss", "hinge"],
        "loss='hinge': game='vae' has",
    ),
    "labels where there are none": (["ring", "--game", "conditional_gan"], "data 'ring' have no labels"),
    "an unknown device": (["ring", "--device", "tpu9"], "tpu9"),
    "an unknown precision": (["ring", "--precision", "fp8"], "precision='fp8' is not known"),
    "a missing file": (["nowhere/points.npz"], "nowhere/points.npz"),
    "resuming nothing": (["ring", "--resume"], "there is no run"),
}


@pytest.mark.parametrize("case", TRAIN_ERRORS)
def test_bad_training_input_is_code_2_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str):
    arguments, message = TRAIN_ERRORS[case]
    assert run("train", *arguments, "--out", tmp_path / "r") == 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["train", "ring"], ["train", "ring", "--out", "r", "--steps", "x"], ["fly"], []])
def test_usage_errors_are_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_empty_and_wrong_own_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.savez(tmp_path / "empty.npz", images=np.zeros((0, 16, 16), np.uint8))
    np.savez(tmp_path / "odd.npz", images=np.zeros((5, 15, 17), np.uint8))
    np.savez(tmp_path / "nothing.npz", other=np.zeros(3))
    (tmp_path / "broken.npz").write_bytes(b"not a zip")
    (tmp_path / "folder").mkdir()
    for name in ("empty.npz", "odd.npz", "nothing.npz", "broken.npz", "folder"):
        assert run("train", tmp_path / name, "--out", tmp_path / "r") == 2, name
        assert capsys.readouterr().err.startswith("ganlib train: ") and not (tmp_path / "r").exists()


def test_an_out_that_cannot_be_used_is_refused_untouched(tmp_path: Path, points: Path, capsys):
    folder = tmp_path / "r"
    assert run("train", points, "--steps", 2, "--out", folder) == 0
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    for arguments, message in (
        ([], "already holds a run"),
        (["--resume"], "is finished"),
        (["--resume", "--steps", 9], "its schedule ends there"),
        (["--resume", "--seed", 4], "made under other settings: seed was 0, now 4"),
        (["--resume", "--loss", "hinge"], "other settings: loss was the default, now 'hinge'"),
    ):
        assert run("train", points, "--out", folder, *arguments) == 2
        assert message in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    (tmp_path / "file").write_text("mine")
    assert run("train", points, "--out", tmp_path / "file") == 2
    assert run("train", points, "--out", tmp_path / "file" / "below") == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert run("train", points, "--out", tmp_path / "full") == 2
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_data_that_changed_are_noticed(tmp_path: Path, points: Path, capsys):
    folder = tmp_path / "r"
    assert run("train", points, "--steps", 2, "--out", folder) == 0
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**settings, "finished": False}))
    np.savez(points, points=np.ones((200, 2), np.float32) * np.arange(200)[:, None], labels=np.arange(200) % 3)
    assert run("train", points, "--out", folder, "--resume") == 2
    assert "made with other data" in capsys.readouterr().err


def test_what_is_learned_is_used_without_the_data(tmp_path: Path, points: Path, monkeypatch, capsys):
    assert run("train", points, "--steps", 2, "--out", tmp_path / "r") == 0
    results = []
    for place in ("there", "gone"):
        capsys.readouterr()
        assert run("sample", tmp_path / "r", "-n", 3, "--out", tmp_path / f"{place}.npz") == 0
        assert run("evaluate", tmp_path / "r") == 0
        with np.load(tmp_path / f"{place}.npz") as arrays:
            results.append((arrays["samples"], capsys.readouterr().out.splitlines()[1:]))
        points.unlink(missing_ok=True)
        monkeypatch.chdir(tmp_path / "r")
    assert np.array_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]


def test_bad_runs_and_bad_samples_are_code_2(tmp_path: Path, points: Path, capsys):
    folder = tmp_path / "r"
    assert run("train", points, "--steps", 2, "--out", folder) == 0
    out = tmp_path / "s.npz"
    (tmp_path / "mine.npz").write_text("mine")
    for arguments, message in (
        ([folder, "-n", 0, "--out", out], "-n must be a whole number of at least 1, got 0"),
        ([folder, "-n", 2.5, "--out", out], "-n must be a whole number"),
        ([folder, "-n", 3, "--out", tmp_path / "s.txt"], "must end in .npz"),
        ([folder, "-n", 3, "--out", tmp_path / "no" / "s.npz"], "cannot be written"),
        ([folder, "-n", 3, "--out", tmp_path / "mine.npz"], "exists: choose another name"),
        ([folder, "-n", 3, "--out", out, "--labels", "3"], "not conditional"),
        ([folder, "-n", 3, "--out", out, "--labels", "x"], "not conditional"),
        ([folder, "-n", 3, "--out", out, "--seed", -1], "--seed must be a whole number of at least 0"),
        ([folder, "-n", 3, "--out", out, "--best"], "has no best checkpoint"),
        ([tmp_path / "nowhere", "-n", 3, "--out", out], "there is no run"),
        ([tmp_path, "-n", 3, "--out", out], "is not a run of ganlib"),
    ):
        assert run("sample", *arguments) == 2, arguments
        assert message in capsys.readouterr().err and not out.exists()
    assert (tmp_path / "mine.npz").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("last.safetensors", lambda raw: raw[:-9], "not a whole safetensors file"),
        ("reference.npz", lambda raw: raw[:-9], "cannot be read"),
        ("reference.npz", lambda raw: b"", "cannot be read"),
        ("settings.json", lambda raw: raw[:20], "cannot be read"),
        ("settings.json", lambda raw: b"{}", "is not that of a run of ganlib"),
        ("settings.json", lambda raw: raw.replace(b'"gan"', b'"poker"'), "game='poker' is not known"),
    ],
)
def test_damaged_runs_are_code_2(tmp_path: Path, points: Path, capsys, name: str, damage, message: str):
    folder = tmp_path / "r"
    assert run("train", points, "--steps", 2, "--out", folder) == 0
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    sample = ["sample", folder, "-n", 3, "--out", tmp_path / "s.npz"]
    other = ["train", points, "--out", folder, "--resume"] if name == "settings.json" else sample
    for command in (["evaluate", folder], *([] if name == "reference.npz" else [other])):
        assert run(*command) == 2
        assert message in capsys.readouterr().err
    assert not (folder / "metrics.json").exists() and not (tmp_path / "s.npz").exists()
    if name != "last.safetensors":  # which is all that `sample` needs
        assert run(*sample) == 0


# ---- a generator of the reader's own ---------------------------------------------------------------------------------


def test_a_network_of_the_readers_own_is_named_to_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    tiny_game().play(1, progress=False, save=tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "strangers_own.py"
    module.write_text("from tests.tiny import TinyGenerator\nnumber = int\n", encoding="utf8")
    asked = ["sample", "run", "-n", 3, "--out", "a.npz"]
    assert run(*asked) == 2
    assert "is not of ganlib.nets" in (said := capsys.readouterr().err) and "--network module:name" in said
    for wrong, why in (
        ("strangers_own", "--network must be module:name, such as own:Generator"),
        ("strangers_own:number", "must make a torch.nn.Module, got int"),
        ("strangers_own:Missing", "makes no network: AttributeError"),
        ("no_such_module:Net", "makes no network: ModuleNotFoundError"),
    ):
        assert run(*asked, "--network", wrong) == 2 and why in capsys.readouterr().err
    before = list(sys.path)
    assert run(*asked, "--network", "strangers_own:TinyGenerator") == 0 and sys.path == before
    with np.load("a.npz") as made:
        assert made["samples"].shape == (3, 2)


@pytest.mark.parametrize("where", ["/dev/full", "closed pipe"])
def test_a_run_goes_on_where_its_output_does_not(tmp_path: Path, points: Path, where: str):
    command = [sys.executable, "-m", "ganlib", "train", points, "--steps", "4", "--out", tmp_path / "r"]
    if where == "closed pipe":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(where, os.O_WRONLY)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=300)
    os.close(write)
    assert checkpoint.load(tmp_path / "r" / "last.safetensors")[0]["step"] == 4
    assert done.returncode == (1 if where == "/dev/full" else 0) and (b"No space left" in done.stderr) == (
        where == "/dev/full"
    )


def test_names_with_commas_and_lines_are_asked_for_and_told_in_one_line():
    made = Generator(torch.nn.Identity(), lambda n, rng: torch.zeros(n, 1), classes=("a", "b,c", " d "))
    assert cli._labels("b,c,a, d ,1", made) == ["b,c", "a", " d ", 1]
    assert cli._line("a\nb\x1b[0m") == "a b\\x1b[0m"


def test_classes_are_asked_for_in_capitals_or_not_where_that_leaves_one():
    made = Generator(torch.nn.Identity(), lambda n, rng: torch.zeros(n, 1), classes=("Zebra", "Ass", "cat", "Cat"))
    assert cli._labels("zebra,ASS,cat,Cat,1", made) == ["Zebra", "Ass", "cat", "Cat", 1]
    for unknown in ("CAT", "ash"):
        with pytest.raises(
            cli.BadInput, match=f"--labels='{unknown}' is not known; choose one of: Zebra, Ass, cat, Cat"
        ):
            cli._labels(f"Ass,{unknown}", made)


@pytest.mark.parametrize("what", ["of", "to_bytes"])
def test_a_run_that_is_stopped_before_its_first_round_says_how_it_begins(
    tmp_path: Path, points: Path, monkeypatch, capsys, what: str
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reference, what, interrupted)
        assert run("train", points, "--steps", 2, "--out", tmp_path / "r") == 130
    assert "stopped before round 1; go on with --resume" in capsys.readouterr().err
    assert run("train", points, "--out", tmp_path / "r", "--resume") == 0
    assert json.loads((tmp_path / "r" / "settings.json").read_text())["finished"] is True


def test_scales_are_said_where_samples_leave(capsys: pytest.CaptureFixture[str]):
    for command, said in (("sample", "uint8 (N, C, H, W), from 0 to 255"), ("export", "images in [-1, 1]")):
        with pytest.raises(SystemExit):
            run(command, "--help")
        assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "", "--out", "r"],
        ["train", "ring", "--out", ""],
        ["train", "x", "--out", "r", "--inputs", ""],
        ["sample", "", "-n", "1", "--out", "s.npz"],
    ],
)
def test_an_empty_name_is_not_the_folder_one_stands_in(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2 and "is empty; for this folder write ." in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--lr", 10**400), ("--seed", 2**64), ("--out", "y" * 300)])
def test_numbers_and_names_beyond_all_bounds_are_code_2(tmp_path: Path, points: Path, option, capsys):
    assert run("train", points, "--out", tmp_path / "r", *option) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_latents_of_samples_are_drawn_again_as_documented(tmp_path: Path):
    recipes.build(recipes.Settings("ring")).save(tmp_path / "r")
    made = ganlib.load(tmp_path / "r")
    for n in (1, 50, 512):
        z = made.draw(n, compute.generator(0, "sample"))
        with torch.no_grad():
            assert torch.equal(made.net(z).cpu(), made.sample(n, seed=0))


@pytest.mark.parametrize("name", ["nowhere", "no/where.safetensors"])
def test_a_generator_that_is_not_there_is_said_to_be_neither_run_nor_file(name: str):
    with pytest.raises(checkpoint.CheckpointError, match=f"there is no folder of a run and no file {name}$"):
        ganlib.load(name)


def test_an_unconditional_generator_is_asked_for_no_class():
    made = Generator(torch.nn.Identity(), lambda n, rng: torch.zeros(n, 1))
    with pytest.raises(ValueError, match=r"not conditional \(its .classes is empty\)"):
        made.sample(2, "cat")
