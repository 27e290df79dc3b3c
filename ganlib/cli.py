"""The command line: `ganlib train`, `sample`, `evaluate` and `export` (the same as `python -m ganlib …`).

Exit codes: 0 done; 1 it failed; 2 bad input, nothing was changed; 130 and 143 interrupted by Ctrl-C or SIGTERM, with
the run kept for `--resume`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import __version__, checkpoint, compute, data, recipes, toys
from ._check import positive_int
from .distributed import world
from .engine import Game, NonFiniteLoss
from .games import GAMES
from .generator import spread_labels
from .losses import LOSSES
from .recipes import Settings

MEASURE_EVERY = 500
METRICS = """Prints one "name value" a line and writes them to RUN/metrics.json. For ring, grid and gaussians: modes
(with more than 20 good samples of 20 000), quality (share within 3 standard deviations of a mode), reverse_kl (in
nats). For digits and mnist: frechet (distance in the features of our digit classifier), and label_accuracy of games
that are asked for classes. For other images: frechet_pixels (distance at 8×8 pixels); for other points:
frechet_points. For games that translate pairs: pixel_error (mean distance from the truth of pairs never seen, as a
share of a pixel's range). All Fréchet distances are of 5000 samples."""


class BadInput(ValueError):
    """What the user gave cannot be used; nothing was changed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (BadInput, checkpoint.CheckpointError) as error:
        if world()[0] == 0:  # where several processes play, all find the same
            print(f"ganlib {options.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"ganlib {options.name}: interrupted", file=sys.stderr)
        return 130
    except (NonFiniteLoss, OSError, RuntimeError, ModuleNotFoundError) as error:
        print(f"ganlib {options.name} failed: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ganlib", description="Train, sample and judge generative adversarial networks."
    )
    parser.add_argument("--version", action="version", version=f"ganlib {__version__}")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)

    known = ", ".join([*toys.TOYS, *data.names()])
    train = commands.add_parser("train", help="train a GAN and keep the run in a folder")
    train.add_argument("data", metavar="DATA", help=f"{known}, a folder of images, or an .npz file")
    train.add_argument("--out", metavar="RUN", required=True, help="folder of the run")
    train.add_argument("--game", help=f"{', '.join(GAMES)}; by default what suits the data")
    train.add_argument("--loss", help=f"{', '.join(LOSSES)}; by default the game's own")
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_number, help="rounds to play; the default suits the data")
    length.add_argument("--seconds", type=_number, help="seconds to play, counted from the start of the first round")
    train.add_argument("--seed", type=_number, help="of initial weights and all draws (default 0)")
    train.add_argument("--save-every", type=_number, default=100, help="rounds between checkpoints (default 100)")
    train.add_argument("--resume", action="store_true", help="go on with the run in RUN, naming the same DATA")
    train.add_argument("--device", help="cpu, cuda, mps …; by default the accelerator there is")
    train.add_argument("--precision", help="fp32 or bf16; by default what the hardware is fast at")
    train.set_defaults(command=_train)

    sample = commands.add_parser("sample", help="draw samples from a run's averaged generator")
    sample.add_argument("run", metavar="RUN", help="folder of a run that `ganlib train` made")
    sample.add_argument("-n", type=_number, required=True, help="how many")
    sample.add_argument(
        "--out", metavar="FILE.npz", required=True, help="arrays `samples`, and `labels` if conditional"
    )
    sample.add_argument("--seed", type=_number, default=0, help="of the latents (default 0)")
    sample.add_argument("--labels", help="classes to ask for, such as 3,7 (repeated in turn)")
    sample.add_argument(
        "--best",
        action="store_true",
        help="from the checkpoint nearest to real digits (runs on digits and mnist keep one) instead of the last",
    )
    sample.set_defaults(command=_sample)

    evaluate = commands.add_parser(
        "evaluate", help="print a run's metrics and write them to RUN/metrics.json", description=METRICS
    )
    evaluate.add_argument("run", metavar="RUN", help="folder of a run that `ganlib train` made")
    evaluate.set_defaults(command=_evaluate)

    export = commands.add_parser("export", help="write a run's averaged generator as an ONNX model")
    export.add_argument("run", metavar="RUN", help="folder of a run that `ganlib train` made")
    export.add_argument("--out", metavar="FILE.onnx", required=True, help="the model; takes z, inputs, labels")
    export.add_argument("--best", action="store_true", help="from the best checkpoint instead of the last")
    export.set_defaults(command=_export)
    return parser


def _number(text: str) -> int | float:
    """A number as written: 3 stays whole, 2.5 does not, so that the checks can name what came."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None


# ---- train -----------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    run, first = Path(options.out), world()[0] == 0  # of several processes, the first writes and speaks
    save_every = _refused(positive_int, "--save-every", options.save_every)
    settings = _resumed_settings(run, options) if options.resume else _new_settings(run if first else None, options)
    game = _build(settings, options.device, options.precision)
    stored = {"ganlib": __version__, **settings.as_dict(), "data_digest": _digest(game.data)}
    if options.resume:
        _same_data(run, stored["data_digest"])
        for leftover in run.glob(".*.part") if first else ():  # of a process that was killed while it wrote
            leftover.unlink()
        if (run / "last.safetensors").exists():
            game.resume(run)
        elif first:
            print(f"{run} holds no checkpoint yet: starting from the beginning")
    elif first:
        run.mkdir(parents=True, exist_ok=True)
        _write_json(run / "settings.json", stored)
    left = None if settings.steps is None else settings.steps - game.step
    seconds = None if settings.seconds is None else settings.seconds - game.history.seconds
    if first:
        where = compute.describe(game.device, game.settings["precision"])
        print(f"{settings.game} on {settings.data}, {where}, from round {game.step}")
    terminated = False
    previous = signal.getsignal(signal.SIGTERM)

    def terminate(number: int, frame: object) -> None:
        nonlocal terminated
        terminated = True
        signal.raise_signal(signal.SIGINT)  # play finishes its round, saves, and raises KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        if left != 0 and (seconds is None or seconds > 0):
            judge = _judge(settings, game)
            game.play(
                left,
                seconds=seconds,
                every=MEASURE_EVERY if judge else None,
                watch=judge and (lambda g: {"frechet": judge(g.sample(1000, seed=1))}),
                best=judge and "frechet",
                save=run,
                save_every=save_every,
            )
    except KeyboardInterrupt:
        if first:
            print(f"stopped after round {game.step}; go on with --resume", file=sys.stderr)
        return 143 if terminated else 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    if first:
        _write_json(run / "settings.json", {**stored, "finished": True})
        print(f"{game.step} rounds in {game.history.seconds:.1f} s; the run is in {run}")
    return 0


def _new_settings(run: Path | None, options: argparse.Namespace) -> Settings:
    """The settings asked for, once `run` (None: another process looks after it) is seen to be a folder for them."""
    if run is not None:
        _must_be_free(run)
    given = {f.name: getattr(options, f.name) for f in fields(Settings) if getattr(options, f.name) is not None}
    return _refused(Settings, **given)


def _must_be_free(run: Path) -> None:
    if (run / "settings.json").exists() or (run / "last.safetensors").exists():
        raise BadInput(f"--out {run} already holds a run: choose another folder, or go on with --resume")
    if run.exists() and (not run.is_dir() or any(path.suffix != ".part" for path in run.iterdir())):
        raise BadInput(f"--out {run} must be a new or empty folder")
    parent = next(p for p in [run.absolute(), *run.absolute().parents] if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise BadInput(f"--out {run} cannot be written: {parent} is not a folder that may be written to")


def _resumed_settings(run: Path, options: argparse.Namespace) -> Settings:
    stored = _stored(run)
    settings = _settings(run, stored)
    for name, value in settings.as_dict().items():
        asked = getattr(options, name)
        if asked is None or asked == value:
            continue
        if name in ("steps", "seconds"):
            raise BadInput(
                f"--{name} {asked}: {run} was set up for {name}={value}, and its schedule ends there; "
                f"leave --{name} out, or start a new run"
            )
        raise BadInput(f"{run} was made under other settings: {name} was {value!r}, now {asked!r}")
    if stored.get("finished"):
        raise BadInput(f"{run} is finished; start a new run in another folder")
    return settings


def _stored(run: Path) -> dict[str, Any]:
    if not run.is_dir():
        raise BadInput(f"there is no run {run}")
    try:
        stored = json.loads((run / "settings.json").read_text())
    except FileNotFoundError:
        raise BadInput(f"{run} is not a run of ganlib: it has no settings.json") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{run / 'settings.json'} cannot be read: {error}") from None
    if not isinstance(stored, dict) or "data_digest" not in stored:
        raise BadInput(f"{run / 'settings.json'} is not that of a run of ganlib")
    return stored


def _settings(run: Path, stored: dict[str, Any]) -> Settings:
    try:
        return Settings(**{f.name: stored[f.name] for f in fields(Settings)})
    except KeyError as error:
        raise BadInput(f"{run / 'settings.json'} lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{run / 'settings.json'}: {error}") from None


def _same_data(run: Path, digest: str) -> None:
    if _stored(run)["data_digest"] != digest:
        raise BadInput(f"{run} was made with other data: the files have changed since")


def _digest(source: Any) -> str:
    """Of the numbers of a data set; of the name of a density, which has no others."""
    held = [getattr(source, name) for name in ("x", "inputs", "targets") if hasattr(source, name)]
    if not held:
        return source.name
    return hashlib.sha256(b"".join(x.contiguous().numpy().tobytes() for x in held)).hexdigest()


def _build(settings: Settings, device: str | None = None, precision: str | None = None) -> Game:
    try:
        return recipes.build(settings, device=device, precision=precision)
    except (ValueError, TypeError, OSError, RuntimeError, AssertionError) as error:
        raise BadInput(str(error)) from error


def _refused(check: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return check(*arguments, **named)
    except (ValueError, TypeError) as error:
        raise BadInput(str(error)) from None


# ---- sample and evaluate ---------------------------------------------------------------------------


def _load(run: Path, name: str = "last", precision: str | None = None) -> tuple[Settings, Game]:
    """The game of a finished or interrupted run, in the state of one of its checkpoints."""
    stored = _stored(run)
    settings = _settings(run, stored)
    if not (run / f"{name}.safetensors").exists():
        raise BadInput(f"{run} has no {name} checkpoint" + (": it measured no distance" if name == "best" else ""))
    if settings.data not in (*toys.TOYS, *data.names()) and not Path(settings.data).exists():
        raise BadInput(
            f"{run} was trained on {settings.data}, which is not there (seen from {Path.cwd()}); its networks are "
            f"built to the shape of these data: put them back, or call this from where the run was trained"
        )
    game = _build(settings, precision=precision)
    facts, _ = checkpoint.load(run / f"{name}.safetensors")
    for key in ("device", "threads", "precision"):  # samples may be drawn elsewhere than the run was trained
        game.settings[key] = facts["settings"].get(key)
    game.resume(run, name)
    return settings, game


def _sample(options: argparse.Namespace) -> int:
    n, out = _refused(positive_int, "-n", options.n), Path(options.out)
    seed = _refused(positive_int, "--seed", options.seed, minimum=0)
    if out.suffix != ".npz":
        raise BadInput(f"--out must end in .npz, got {out}")
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK) or out.is_dir():
        raise BadInput(f"--out {out} cannot be written: its folder must exist and be writable")
    if out.exists() and not _is_samples(out):
        raise BadInput(f"--out {out} exists and is no file of samples: choose another name")
    _, game = _load(Path(options.run), "best" if options.best else "last")
    classes = getattr(game.generator, "classes", None)
    try:
        asked = None if options.labels is None else [int(text) for text in options.labels.split(",")]
    except ValueError:
        raise BadInput(
            f"--labels must be whole numbers with commas between, such as 3,7, got {options.labels!r}"
        ) from None
    labels = _refused(spread_labels, asked, n, classes)
    samples = game.sample(n, labels, seed=seed)
    arrays = {"samples": _as_bytes(samples) if samples.dim() == 4 else samples.numpy()}
    if labels is not None:
        arrays["labels"] = labels.numpy()
    temporary = out.with_name(f".{out.name}.{os.getpid()}.npz")
    try:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{n} samples of shape {tuple(arrays['samples'].shape[1:])} in {out}")
    return 0


def _as_bytes(images: Tensor) -> np.ndarray:
    """Images in [−1, 1] as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


def _is_samples(path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return "samples" in arrays
    except (OSError, ValueError):
        return False


def _evaluate(options: argparse.Namespace) -> int:
    run = Path(options.run)
    settings, game = _load(run)
    values: dict[str, float] = {"step": game.step, **_metrics(settings, game)}
    for name, value in values.items():
        print(f"{name} {value:g}")
    _write_json(run / "metrics.json", values)
    return 0


def _export(options: argparse.Namespace) -> int:
    from . import export

    out = Path(options.out)
    if out.suffix != ".onnx":
        raise BadInput(f"--out must end in .onnx, got {out}")
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise BadInput(f"--out {out} cannot be written: its folder must exist and be writable")
    if out.exists():
        raise BadInput(f"--out {out} exists: choose another name")
    _, game = _load(Path(options.run), "best" if options.best else "last", "fp32")
    export.onnx(game, out)
    print(f"the generator of round {game.step} is in {out}")
    return 0


def _judge(settings: Settings, game: Game) -> Callable[[Tensor], float] | None:
    """The distance by which a run's best checkpoint is chosen, where there is one for these data."""
    from . import metrics

    shape = game.draw("generator").real.shape[1:]
    if settings.data not in ("digits", "mnist") or shape != (1, 28, 28):
        return None
    return lambda images: metrics.frechet_digits(images.clamp(-1, 1))  # as they are written


def _metrics(settings: Settings, game: Game) -> dict[str, float]:
    from . import metrics

    judge = _judge(settings, game)
    if isinstance(game.data, toys.Mixture):
        report = metrics.modes(game.sample(20_000), game.data)
        return {"modes": report.modes, "quality": report.quality, "reverse_kl": report.reverse_kl}
    found: dict[str, float] = {}
    if isinstance(game.data, data.Pairs):  # the truth is known: how far from it, as a share of the range of a pixel
        truth = recipes.load_for(settings, "test")
        made = game.translate(truth.inputs.float() / 127.5 - 1)
        found["pixel_error"] = ((made + 1) / 2 - truth.targets / 255).abs().mean().item()
        if judge is None:
            return found
    samples = game.sample(5000)
    if judge is not None:
        found["frechet"] = judge(samples)
        if settings.game in ("conditional_gan", "ac_gan"):
            asked = torch.arange(len(samples)) % len(game.data.classes)  # in turn, as `sample` asks for them
            found["label_accuracy"] = metrics.class_accuracy(samples.clamp(-1, 1), asked)
        return found
    rng, size = compute.generator(0, "evaluate"), getattr(game.data, "__len__", lambda: 5000)()
    real = torch.cat([game.source.draw(min(size, 5000), rng).real for _ in range(-(-5000 // size))])[:5000].cpu()
    if real.dim() == 4:  # no features of ours for such images: compare them at 8×8 pixels
        real, samples = (torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1) for x in (real, samples))
        return {**found, "frechet_pixels": metrics.frechet_distance(real, samples)}
    return {"frechet_points": metrics.frechet_distance(real, samples)}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, like a checkpoint. Numbers that are not finite become null."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in content.items()}
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(clean, indent=2) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
