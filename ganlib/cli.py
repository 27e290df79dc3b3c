"""The command line: `ganlib train`, `sample`, `translate`, `evaluate`, `doctor`, `export` (or `python -m ganlib …`).

Exit codes: 0 done; 1 it failed; 2 bad input, nothing was changed; 130 and 143 interrupted by Ctrl-C or SIGTERM, with
the run kept for `--resume`.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from . import __version__, augment, checkpoint, compute, data, doctor, features, history, recipes, toys
from . import translate as translating
from ._check import finite, positive_int
from .distributed import world
from .engine import Game, NonFiniteLoss
from .games import GAMES
from .generator import Generator, spread_labels
from .losses import LOSSES
from .recipes import Settings
from .reference import Reference, held_out
from .run import Record, Run, RunError, as_bytes, picture, png, sheet, translations, write

MEASURE_EVERY = 500
TELL_EVERY = 10.0
"""Seconds after which translating says how far it is."""
METRICS = """Prints one "name value" a line and writes them to RUN/metrics.json, the last results of another split or
other features under "others". Beside each stands "name_real", the
same of as many real samples: the scale. For ring, grid and gaussians: modes (with more than 20 good samples of 20 000),
quality (share within 3 standard deviations of a mode), reverse_kl (in nats). For digits and mnist: frechet (distance of
5000 samples in the features of our digit classifier), and label_accuracy of games that are asked for classes. For other
images: frechet_pixels (distance at 8×8 pixels); for other points: frechet_points (of more than 512 columns, without
their correlations); beside them samples and reference, how many generated and real ones these are of. For games that
translate pairs: pixel_error (mean distance from the truth of pairs never seen, as a share of a pixel's range; of real
ones, the distance from the truth of another pair).

With --features the data are read again, and the distances of images are taken in: pixels (8×8 of them), digits (our
digit classifier), inception (that of FID; pip install torch-fidelity), classes (a classifier of the data's own classes,
trained at first, half a minute), or MODULE:FUNCTION, a function of your own from uint8 images (N, C, H, W) to features
(N, F). Printed are frechet_NAME, where there are more images than features, and kid_NAME with its standard error, which
also serves for few; for classes the classifier_accuracy on images held out: low, and the features tell little."""


TRANSLATE = """Writes what the run makes of each picture as NAME.png. It needs the run's folder alone.

Runs of cycle_gan, star_gan, sr_gan and esr_gan take each picture at its own size (sr_gan and esr_gan enlarge it, and so
take what is small already); those of pix2pix and bicycle_gan the middle square of each, at the size they were trained
at. Pictures are read as for training: turned by their EXIF orientation, on white where they are transparent."""


DOCTOR = """Prints what is wrong with a run, causes before consequences, with the number that says so and what to try;
or "nothing found". Then what was measured, each number with what it is and where it stands in a healthy game, and what
could not be judged. Reads the data again, and changes nothing."""


class BadInput(ValueError):
    """What the user gave cannot be used; nothing was changed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with ExitStack() as kept:
        outputs = [_kept_open(kept, name) for name in ("stdout", "stderr")]
        code = _run(arguments)
        for output in outputs:
            if output is not None and output.failed is not None:
                print(f"ganlib: not all of what was said could be written: {output.failed}", file=sys.stderr)
                code = code or 1
    return code


class _Output(io.FileIO):
    """An output whose reader may leave or whose disk may fill: the work goes on without.

    Attributes:
        failed: why something is missing, unless nobody wants it any more.
    """

    failed: OSError | None = None

    def write(self, text: Any) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.failed = self.failed if isinstance(error, BrokenPipeError) else error
            return len(text)


def _kept_open(kept: ExitStack, name: str) -> _Output | None:
    """Make this stream of `sys` one that never fails, until `kept` closes; None if it is no file."""
    stream = getattr(sys, name)
    if stream is None:  # closed, and its number free for the next file that is opened
        setattr(sys, name, kept.enter_context(open(os.devnull, "w")))
        kept.callback(setattr, sys, name, None)
        return None
    if not isinstance(stream, io.TextIOWrapper):
        return None
    stream.reconfigure(errors="replace")  # a terminal's encoding may lack what a message holds
    if not isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
        return None
    stream.flush()
    output = _Output(stream.fileno(), "wb", closefd=False)
    text = io.TextIOWrapper(io.BufferedWriter(output), stream.encoding, "replace", line_buffering=True)
    setattr(sys, name, text)
    kept.callback(setattr, sys, name, stream)
    kept.callback(text.flush)
    return output


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"ganlib {options.name}: {_line(message)}", file=sys.stderr)
        try:
            return command(options)
        except (BadInput, RunError, checkpoint.CheckpointError) as error:
            if world()[0] == 0:  # where several processes play, all find the same
                print(f"ganlib {options.name}: {_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"ganlib {options.name}: interrupted", file=sys.stderr)
            return 130
        except (NonFiniteLoss, OSError, RuntimeError, MemoryError, ModuleNotFoundError) as error:
            print(f"ganlib {options.name} failed: {_line(error) or type(error).__name__}", file=sys.stderr)
            return 1


def _line(text: object) -> str:
    """In one line, and with nothing that a terminal would obey, whatever names of files and classes hold."""
    joined = re.sub(r"\s*\n\s*", " ", str(text))
    return "".join(c if c.isprintable() or "\udc80" <= c <= "\udcff" else ascii(c)[1:-1] for c in joined)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ganlib", description="Train, sample and judge generative adversarial networks."
    )
    parser.add_argument("--version", action="version", version=f"ganlib {__version__}")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)

    known = ", ".join([*toys.TOYS, *data.names()])
    train = commands.add_parser("train", help="train a GAN and keep the run in a folder")
    add = train.add_argument
    add(
        "data",
        type=_path,
        metavar="DATA",
        help=f"{known}; a folder of images, whose folders are the classes; or an .npz file. A name wins over a folder "
        f"called so: write ./NAME for the folder",
    )
    add("--out", type=_path, metavar="RUN", required=True, help="folder of the run")
    add(
        "--game",
        help=f"{', '.join(name for name in GAMES if name not in recipes.FROM_PYTHON)}; by default what suits the data",
    )
    add("--loss", help=f"{', '.join(LOSSES)}; by default the game's own")
    add(
        "--inputs",
        type=_path,
        metavar="FOLDER",
        help="of pix2pix, bicycle_gan, cycle_gan: the folder in DATA of what is translated",
    )
    add(
        "--targets",
        type=_path,
        metavar="FOLDER",
        help="the folder in DATA of what it is to become (default inputs and targets)",
    )
    add("--size", type=_number, help="side to which images are brought: 16, 20, 24, 28, 32, 40, 48, 56, 64, 80 …")
    add("--batch", type=_number, help="samples a turn; the default suits the data")
    add("--lr", type=_number, help="learning rate; with --resume, the one to go on at")
    add(
        "--augment",
        metavar="NAMES",
        help=f"random changes of what the discriminator sees: {', '.join(augment.AUGMENTATIONS)}",
    )
    length = train.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_number, help="rounds to play, in all; the default suits the data")
    length.add_argument(
        "--seconds",
        type=_number,
        help="seconds to play, from the start of the first round; with --resume, so many more",
    )
    add("--seed", type=_number, help="of initial weights and all draws (default 0)")
    add("--save-every", type=_number, default=100, help="rounds between checkpoints (default 100)")
    add("--resume", action="store_true", help="go on with the run in RUN, naming the same DATA")
    add(
        "--elsewhere",
        action="store_true",
        help="with --resume, on another device, number of threads or precision: not exactly",
    )
    add("--device", help="cpu, cuda, mps …; by default the accelerator there is")
    add("--precision", help=f"{', '.join(compute.PRECISIONS)}; by default what the hardware is fast at")
    add("--tensorboard", metavar="FOLDER", help="write losses and distances for TensorBoard (pip install tensorboard)")
    train.set_defaults(command=_train)

    sample = commands.add_parser("sample", help="draw samples from a run's averaged generator")
    _add_run(sample)
    sample.add_argument("-n", type=_number, required=True, help="how many")
    sample.add_argument(
        "--out",
        type=_path,
        required=True,
        help="a new FILE.npz, with arrays `samples` (images as uint8 (N, C, H, W), from 0 to 255), `labels` and "
        "`classes` if conditional, `inputs` if it translates; of images also FILE.png, a sheet (inputs, their "
        "answers below, the truth of pairs below these), or FOLDER/ for a PNG each",
    )
    sample.add_argument("--seed", type=_number, default=0, help="of the latents (default 0)")
    sample.add_argument("--labels", help="classes to ask for, such as star,ring or 3,7 (repeated in turn)")
    sample.set_defaults(command=_sample)

    translate = commands.add_parser(
        "translate", help="translate pictures by a run that learned to", description=TRANSLATE
    )
    _add_run(translate)
    add = translate.add_argument
    add("pictures", type=_path, metavar="PICTURES", help="a folder of pictures, or one picture")
    add("--out", type=_path, metavar="FOLDER", required=True, help="a new or empty folder for the PNG files")
    add("-n", type=_number, metavar="K", help="so many answers to each, NAME-0.png … (bicycle_gan, pix2pix)")
    add("--label", metavar="NAME", help="the class to translate into (star_gan)")
    add("--back", action="store_true", help="from targets to inputs (cycle_gan)")
    add(
        "--size", type=_number, help="bring the shorter side of each picture to this first; not of pix2pix, bicycle_gan"
    )
    add("--seed", type=_number, default=0, help="of the answers, where there are many (default 0)")
    translate.set_defaults(command=_translate)

    evaluate = commands.add_parser(
        "evaluate", help="print a run's metrics and write them to RUN/metrics.json", description=METRICS
    )
    evaluate.add_argument("run", type=_path, metavar="RUN", help="folder of a run that `ganlib train` made")
    evaluate.add_argument(
        "--split", choices=("train", "test"), default="train", help="what to compare with (default train)"
    )
    evaluate.add_argument(
        "--features",
        metavar="NAME",
        help=f"distances in features of your choice: {', '.join(features.NAMES)}, or MODULE:FUNCTION, your own encoder",
    )
    evaluate.add_argument("--data", help="with --features, where the run's data are now, if they have moved")
    evaluate.set_defaults(command=_evaluate)

    ill = commands.add_parser("doctor", help="say what is wrong with a run, and what to try", description=DOCTOR)
    ill.add_argument("run", type=_path, metavar="RUN", help="folder of a run that `ganlib train` made")
    ill.add_argument("--data", type=_path, metavar="DATA", help="where the run's data are now, if they have moved")
    ill.set_defaults(command=_doctor)

    export = commands.add_parser("export", help="write a run's averaged generator as an ONNX model")
    _add_run(export)
    export.add_argument(
        "--out",
        type=_path,
        metavar="FILE.onnx",
        required=True,
        help="the model; takes z, inputs, labels, and returns samples, images in [-1, 1]",
    )
    export.set_defaults(command=_export)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=_path, metavar="RUN", help="folder of a run, or the file of a generator")
    parser.add_argument(
        "--best",
        action="store_true",
        help="from the checkpoint nearest to real digits (runs on digits and mnist keep one) instead of the last",
    )
    parser.add_argument(
        "--network",
        metavar="MODULE:NAME",
        help="of a generator of your own: what makes its network, such as own:Generator of own.py in this folder",
    )


def _path(text: str) -> str:
    """A name as written. An empty one, such as of a variable that is not set, would be the folder one stands in."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; for this folder write .")
    return text


def _number(text: str) -> int | float:
    """A number as written: 3 stays whole, 2.5 does not, so that the checks can name what came."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None


def _refused(check: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What `check` returns; what it raises is the user's."""
    try:
        return check(*arguments, **named)
    except (ValueError, TypeError, OSError, RuntimeError, AssertionError, MemoryError, ModuleNotFoundError) as error:
        raise BadInput(str(error)) from error


# ---- train -----------------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    run, first = Run(Path(options.out)), world()[0] == 0  # of several processes, the first writes and speaks
    save_every = _refused(positive_int, "--save-every", options.save_every)
    with ExitStack() as held:
        if options.resume:
            run.stored()
            if first:
                held.enter_context(run.locked())
            game, stored = _resumed(run, options, first)
        else:
            game, stored = _new(run, options, first)
            if first:
                held.enter_context(run.locked())
                _refused(run.must_be_free)  # still
        record = Record(run, save_every, measure_every=MEASURE_EVERY, say=lambda line: tqdm.write(line, sys.stdout))
        watch: Callable[[Game], Any] = record
        if options.tensorboard and first:
            watch = _refused(history.tensorboard, options.tensorboard, record)
        if first:
            run.write_json("settings.json", stored)
            try:
                if not (run.folder / "reference.npz").exists():
                    write(run.folder / "reference.npz", Reference.of(run.settings(), game).to_bytes())
                record.reference = run.reference()
                _introduce(stored, game)
            except KeyboardInterrupt:
                print(f"stopped before round {game.step + 1}; go on with --resume", file=sys.stderr)
                return 130
        return _play(game, stored, record, watch, first)


def _new(run: Run, options: argparse.Namespace, first: bool) -> tuple[Game, dict[str, Any]]:
    """The game that is asked for, and what settings.json is to hold of it."""
    if first:
        _refused(run.must_be_free)
    if options.elsewhere:
        raise BadInput("--elsewhere is for a run that goes on: give --resume too")
    given = {f.name: getattr(options, f.name) for f in fields(Settings) if getattr(options, f.name) is not None}
    settings = _refused(Settings, **given)
    game = _refused(recipes.build, settings, device=options.device, precision=options.precision)
    until = {"steps": settings.steps} if settings.seconds is None else {"seconds": settings.seconds}
    asked = {"device": options.device, "precision": options.precision}
    classes = list(game.snapshot().classes)
    stored = {**asdict(settings), **asked, "until": until, "classes": classes, "data_digest": data.digest(game.data)}
    return game, {"ganlib": __version__, **stored}


def _resumed(run: Run, options: argparse.Namespace, first: bool) -> tuple[Game, dict[str, Any]]:
    """The game of a run in its last state, and what settings.json is to hold of it now."""
    stored, settings = run.stored(), run.settings()
    for name, value in asdict(settings).items():
        asked = getattr(options, name)
        if name not in ("data", "steps", "seconds", "lr") and asked not in (None, value):
            was = "the default" if value is None else repr(value)
            raise BadInput(f"{run.folder} was made under other settings: {name} was {was}, now {asked!r}")
    longer = options.steps is not None or options.seconds is not None
    if stored.get("finished") and not longer:
        raise BadInput(
            f"{run.folder} is finished: go on with --steps above {stored['until'].get('steps') or 'those played'}, or "
            f"--seconds for so many more; or start a new run in another folder"
        )
    settings.data = options.data
    elsewhere = {} if options.elsewhere else stored  # else as it was asked for at first
    place = {name: getattr(options, name) or elsewhere.get(name) for name in ("device", "precision")}
    game = _refused(recipes.build, settings, **place)
    _must_be_its_data(run, game.data)
    if (run.folder / "last.safetensors").exists():
        _refused(game.resume, run.folder, elsewhere=options.elsewhere, lr=options.lr)
    elif options.lr is not None:
        raise BadInput(f"{run.folder} holds no checkpoint yet, so it starts from the beginning: leave --lr out")
    elif first:
        print(f"{run.folder} holds no checkpoint yet: starting from the beginning")
    until = _until(run, game, options) if longer else stored["until"]
    return game, {**stored, "data": settings.data, **place, "until": until, "finished": False}


def _must_be_its_data(run: Run, source: Any) -> None:
    stored = run.stored()
    if data.digest(source) != stored["data_digest"]:
        raise BadInput(f"{run.folder} was made with other data: {stored['data']}, or its files have changed since")


def _until(run: Run, game: Game, options: argparse.Namespace) -> dict[str, float]:
    """Where a run is to end that is told to go on, unless its schedule ended."""
    steps, seconds = options.steps, options.seconds
    finished = bool(run.stored().get("finished"))  # a run that was stopped right at its last round is not
    if steps is not None and _refused(positive_int, "--steps", steps) < game.step + finished:
        raise BadInput(f"{run.folder} has played {game.step} rounds already: --steps must be above that, got {steps}")
    if seconds is not None and _refused(finite, "--seconds", seconds) <= 0:
        raise BadInput(f"--seconds must be above 0, got {seconds}")
    by_clock = game.anneal == "seconds" and (steps is not None or finished)
    if by_clock or (isinstance(game.anneal, int) and (steps or game.step + 1) > game.anneal):
        end = "its seconds" if by_clock else f"round {game.anneal}"
        raise BadInput(
            f"{run.folder} was set up with learning rates that fall until {end}, and its schedule ends there; "
            f"start a new run in another folder, with --steps or --seconds for all of it"
        )
    return {"steps": steps} if steps is not None else {"seconds": game.history.seconds + seconds}


def _introduce(stored: dict[str, Any], game: Game) -> None:
    """What is about to be played."""
    for note in getattr(game.data, "notes", ()):
        print(f"data: {_line(note)}")
    if getattr(game.data, "y", None) is not None and not stored.get("classes") and stored["game"] != "clustered_gan":
        print(f"data: their labels are not used by {stored['game']}; conditional_gan asks for them")
    for name, player in game.players.items():
        print(f"{name}: {_named(player.net)}, {sum(w.numel() for w in player.net.parameters()):,} parameters")
    where = compute.describe(game.device, game.precision)
    rates = {name: player.optimizer.param_groups[0]["lr"] for name, player in game.players.items()}
    told = ", ".join(f"{rate:g} of the {name}" for name, rate in rates.items())
    print(f"batches of {game.batch}, learning rates {told}")
    print(f"{stored['game']} on {_line(stored['data'])}, {where}, from round {game.step}", flush=True)


def _named(net: nn.Module) -> str:
    inner = getattr(net, "generator", None)
    return type(net).__name__ + (f" of a {type(inner).__name__}" if isinstance(inner, nn.Module) else "")


def _play(game: Game, stored: dict[str, Any], record: Record, watch: Callable[[Game], Any], first: bool) -> int:
    run, until = record.run, stored["until"]
    left = None if until.get("steps") is None else max(0, until["steps"] - game.step)
    seconds = None if until.get("seconds") is None else until["seconds"] - game.history.seconds
    record.begin(game)
    terminated = False
    previous = signal.getsignal(signal.SIGTERM)

    def terminate(number: int, frame: object) -> None:
        nonlocal terminated
        terminated = True
        signal.raise_signal(signal.SIGINT)  # play finishes its round, saves, and raises KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        if left != 0 and (seconds is None or seconds > 0):
            best = "frechet" if record.measure else None
            every = record.save_every
            game.play(left, seconds=seconds, watch=watch, best=best, save=run.folder, save_every=every)
    except KeyboardInterrupt:
        if first:
            record.tell(game)
            print(f"stopped after round {game.step}{_if_not_kept(run, game)}; go on with --resume", file=sys.stderr)
        return 143 if terminated else 130
    except NonFiniteLoss:
        if first:
            record.tell(game)
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
    if first:
        record.tell(game)
        run.write_json("settings.json", {**stored, "finished": True})
        print(f"{game.step} rounds in {game.history.seconds:.1f} s; the run is in {run.folder}")
    return 0


def _if_not_kept(run: Run, game: Game) -> str:
    """A second Ctrl-C may have ended the last save before it was done."""
    try:
        kept = checkpoint.load(run.folder / "last.safetensors")[0].get("step")
    except checkpoint.CheckpointError:
        kept = None
    return "" if kept == game.step else f", of which {kept or 0} are kept: the last save was interrupted"


# ---- sample, translate, evaluate, export -----------------------------------------------------------------------------


def _sample(options: argparse.Namespace) -> int:
    n, out = _refused(positive_int, "-n", options.n), Path(options.out)
    seed = _refused(positive_int, "--seed", options.seed, minimum=0)
    folder = _refused(_must_be_ours, out, options.out.endswith(("/", os.sep)))
    run = Run(Path(options.run))
    made, _ = run.generator("best" if options.best else "last", options.network)
    labels = _refused(spread_labels, _labels(options.labels, made), n, made.classes)
    if "inputs" in made.takes:
        inputs, truth = _refused(run.reference().shown, n)
        samples = made.translate(inputs, labels, seed=seed)
    else:
        inputs, truth = None, None
        samples = made.sample(n, labels, seed=seed)
    shape = tuple(samples.shape[1:])
    if (folder or out.suffix != ".npz") and len(shape) != 3:
        raise BadInput(f"--out must end in .npz: samples of shape {shape} are no images, got {out}")
    _write_samples(out, folder, samples, labels, made.classes, inputs, truth)
    print(f"{n} samples of shape {shape} in {_line(out)}")
    if labels is not None:
        asked = dict.fromkeys(labels.tolist())
        print(f"classes in turn: {_line(', '.join(made.classes[k] for k in asked))}")
    return 0


def _translate(options: argparse.Namespace) -> int:
    seed = _refused(positive_int, "--seed", options.seed, minimum=0)
    answers = None if options.n is None else _refused(positive_int, "-n", options.n)
    out, place = Path(options.out), Path(options.pictures).expanduser()
    made, _ = Run(Path(options.run)).generator("best" if options.best else "last", options.network)
    made = _refused(translating.backwards, made) if options.back else made
    translator = _refused(translating.Translator, made, options.size)
    if (answers or 1) > 1 and "z" not in made.takes and not made.noise:
        raise BadInput(f"-n must be left out: this run has one answer to each picture, got {answers}")
    label = _one_label(options.label, made)
    _must_be_a_new_folder(out, place)
    pictures = _refused(translating.Pictures.at, place)
    _refused(translator.must_take, pictures)
    for note in pictures.notes:
        print(f"pictures: {_line(note)}")
    print(f"{_count(len(pictures.names), 'picture')}, {translator.says()}", flush=True)
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            print(f"{done} of {len(pictures.names)}", flush=True)

    written = translator.write(pictures, out, answers=answers, label=label, seed=seed, watch=tell)
    print(f"{_count(written, 'picture')} in {_line(out)}")
    return 0


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _one_label(text: str | None, made: Generator) -> int | None:
    """The number of the class that pictures are to be translated into."""
    if text is None and made.classes:
        raise BadInput(f"--label must say into which class to translate; choose one of: {', '.join(made.classes)}")
    named = _labels(text, made, "--label")
    found = _refused(spread_labels, named, 1, made.classes)
    if named is not None and len(named) > 1:
        raise BadInput(f"--label must be one class, got {text!r}")
    return None if found is None else int(found)


def _must_be_a_new_folder(out: Path, place: Path) -> None:
    """Refuse an `out` that holds anything, cannot be written, or lies among the pictures at `place`."""
    if out.exists() and (not out.is_dir() or _refused(os.listdir, out)):
        raise BadInput(f"--out {out} must be a new or empty folder")
    if not out.exists() and out.suffix.lower() in data.files.SUFFIXES:
        raise BadInput(f"--out {out} must be a folder, into which pictures are written under their own names")
    if place.is_dir() and place.resolve() in (out.resolve(), *out.resolve().parents):
        raise BadInput(f"--out {out} lies within {place}, and would be among the pictures: choose a folder beside it")
    _must_be_writable(out)


def _must_be_ours(out: Path, folder: bool) -> bool:
    """Whether it is to be a folder. Refuse what is of no known kind, cannot be written, or is there already."""
    folder = folder or out.is_dir()
    if not folder and out.suffix not in (".npz", ".png"):
        raise BadInput(f"--out must end in .npz, in .png for a sheet, or in / for a folder of pictures, got {out}")
    _must_be_writable(out)
    if folder and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"--out {out} must be a new or empty folder")
    if not folder and out.exists():
        raise BadInput(f"--out {out} exists: choose another name")
    return folder


def _must_be_writable(out: Path) -> None:
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise BadInput(f"--out {out} cannot be written: its folder must exist and be writable")


def _labels(text: str | None, made: Generator, option: str = "--labels") -> list[int | str] | None:
    """The classes asked for, by name, or by number where no class is called by a number. Names may hold commas, and be
    written in capitals or not where that leaves one."""
    if text is None:
        return None
    if not made.classes:
        raise BadInput(f"{option} must be left out: its generator is not conditional, got {text!r}")
    found: list[int | str] = []
    numbers = [] if any(name.isdecimal() for name in made.classes) else [str(k) for k in range(len(made.classes))]
    known = {*made.classes, *numbers}
    alike = Counter(name.casefold() for name in made.classes)
    folded = {name.casefold(): name for name in made.classes if alike[name.casefold()] == 1}
    parts = text.split(",")
    while parts:
        joined = {",".join(parts[:k]).strip(blank): k for k in range(1, len(parts) + 1) for blank in (" ", "")}
        meant = {one: one if one in known else folded.get(one.casefold()) for one in joined}
        one = max((one for one, name in meant.items() if name is not None), key=len, default=parts[0].strip())
        if (name := meant[one]) is None:
            raise BadInput(f"{option}={one!r} is not known; choose one of: {', '.join(made.classes)}")
        found.append(name if name in made.classes else int(name))
        parts = parts[joined[one] :]
    return found


def _write_samples(
    out: Path,
    folder: bool,
    samples: Tensor,
    labels: Tensor | None,
    classes: tuple[str, ...],
    inputs: Tensor | None = None,
    truth: Tensor | None = None,
) -> None:
    """As the name of `out` asks: an archive, a sheet, or a folder of pictures; whole or not at all."""
    arrays = {"samples": as_bytes(samples) if samples.dim() == 4 else samples.numpy()}
    if labels is not None:
        arrays |= {"labels": labels.numpy(), "classes": np.array(classes)}
    if inputs is not None:
        arrays["inputs"] = as_bytes(inputs) if inputs.dim() == 4 else inputs.numpy()
    if out.suffix == ".npz" and not folder:
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        write(out, file.getvalue())
    elif out.suffix == ".png" and not folder:
        columns = max(8, int(len(samples) ** 0.5))
        of = sheet(arrays["samples"], columns) if inputs is None else translations(inputs, samples, truth, columns)
        write(out, png(of))
    else:
        out.mkdir(exist_ok=True)
        for i, image in enumerate(arrays["samples"]):
            kind = "" if labels is None else "-" + re.sub(r"[^\w.-]", "_", classes[int(labels[i])])
            write(out / f"{i:05}{kind}.png", png(picture(image)))


def _evaluate(options: argparse.Namespace) -> int:
    run = Run(Path(options.run))
    settings = run.settings()
    made, step = run.generator()
    reference = run.reference()
    values: dict[str, Any] = {"step": step or 0}
    if options.features is None and options.data is not None:
        raise BadInput("--data is for --features: by itself a run is judged by what its folder keeps")
    if options.features is None:
        values |= _refused(reference.judge, made, options.split)
    else:
        settings.data = options.data or settings.data
        _must_be_its_data(run, _refused(recipes.load_for, settings))
        if ":" in options.features:
            sys.path.insert(0, os.getcwd())  # where a MODULE is looked for first, as by python -m
        values |= _refused(reference.judge_in, options.features, made, settings, options.split)
    if len(values) == 1:
        print(f"ganlib evaluate: of {settings.data} too few were there to compare with", file=sys.stderr)
    for name, value in values.items():
        print(f"{name} {value:g}")
    judged = {**values, "split": options.split, "features": options.features or reference.features}
    others = [one for one in run.metrics() if any(one.get(key) != judged[key] for key in ("split", "features"))]
    try:
        run.write_json("metrics.json", {**judged, "others": others} if others else judged)
    except OSError as error:
        print(f"ganlib evaluate: metrics.json could not be written: {error}", file=sys.stderr)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    run = Run(Path(options.run))
    stored, settings = run.stored(), run.settings()
    settings.data = options.data or settings.data
    game = _refused(recipes.build, settings, precision=stored.get("precision"))
    _must_be_its_data(run, game.data)
    if not (run.folder / "last.safetensors").exists():
        raise BadInput(f"{run.folder} holds no checkpoint yet: train it first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that may differ in their last digits here
        _refused(game.resume, run.folder, elsewhere=True)
    unseen = None if game.source.size is None else held_out(settings)
    print(f"{stored['game']} on {_line(stored['data'])}, round {game.step}")
    for line in str(doctor.examine(game, unseen)).splitlines():
        print(_line(line))
    return 0


def _export(options: argparse.Namespace) -> int:
    from . import export

    out = Path(options.out)
    if out.suffix != ".onnx":
        raise BadInput(f"--out must end in .onnx, got {out}")
    _must_be_writable(out)
    if _refused(out.exists):
        raise BadInput(f"--out {out} exists: choose another name")
    made, step = Run(Path(options.run)).generator("best" if options.best else "last", options.network)
    export.onnx(made, out)
    print(f"the generator{'' if step is None else f' of round {step}'} is in {out}")
    if "inputs" in made.takes:
        print(f"its inputs: (N, {', '.join(map(str, made.shape))}), pictures of the size that the run learned from")
    return 0
