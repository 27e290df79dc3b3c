"""A run's folder: what `ganlib train` keeps in it, each file whole or absent, and how it is read again.

settings.json        what was asked for, the digest of the data, and whether the run is finished
last.safetensors     the game as it is; `ganlib.load` needs nothing else. best.safetensors: where a distance is measured
reference.npz        what `ganlib evaluate` compares with
history.csv          the losses of every round
samples.png          of images: samples of the same latents, drawn at each save; of translations, below their inputs
metrics.json         what `ganlib evaluate` found last, and under "others" on the other split or in other features
.lock                held by the process that trains
"""

from __future__ import annotations

import importlib
import io
import json
import math
import operator
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoint, compute, generator
from .engine import Game
from .generator import Generator
from .recipes import Settings
from .reference import Reference

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Record", "Run", "RunError", "as_bytes", "picture", "png", "sheet", "translations", "write"]


class RunError(ValueError):
    """A run that cannot be used as asked; nothing was changed."""


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: where it is.
    """

    folder: Path

    def must_be_free(self) -> None:
        """Refuse a folder that holds a run already, or anything else, or that cannot be written."""
        folder = self.folder
        if (folder / "settings.json").exists() or (folder / "last.safetensors").exists():
            raise RunError(f"--out {folder} already holds a run: choose another folder, or go on with --resume")
        if folder.is_symlink() and not folder.exists():
            raise RunError(f"--out {folder} is a link to nothing: choose another folder")
        if folder.exists() and (
            not folder.is_dir() or any(p.suffix != ".part" and p.name != ".lock" for p in folder.iterdir())
        ):
            raise RunError(f"--out {folder} must be a new or empty folder")
        parent = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise RunError(f"--out {folder} cannot be written: {parent} is not a folder that may be written to")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process. The operating system lets go of it with the process, however that ends.

        Raises:
            RunError: another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise RunError(f"{self.folder} may not be written to: go on with a copy of it, or give it another mode")
        with open(self.folder / ".lock", "a+b") as file:
            if not _lock(file.fileno()):
                raise RunError(f"{self.folder} is being trained by another process: wait for it, or stop it")
            for leftover in self.folder.glob(".*.part"):  # of a process that was killed while it wrote
                leftover.unlink()
            yield

    def stored(self) -> dict[str, Any]:
        """What settings.json holds.

        Raises:
            RunError: it is missing, damaged or of something else.
        """
        self.must_be_readable()
        path = self.folder / "settings.json"
        try:
            stored = json.loads(path.read_text(encoding="utf8"))
        except FileNotFoundError:
            raise RunError(f"{self.folder} is not a run of ganlib: it has no settings.json") from None
        except PermissionError:
            raise RunError(f"{path} may not be read: its mode or its owner forbids it") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read: {error}") from None
        if not isinstance(stored, dict) or "data_digest" not in stored:
            raise RunError(f"{path} is not that of a run of ganlib")
        if not isinstance(stored.get("until"), dict):
            raise RunError(
                f"{path} was written by another ganlib, {stored.get('ganlib')}, whose runs are not read here"
            )
        return stored

    def settings(self) -> Settings:
        """What the run was set up for.

        Raises:
            RunError: as `stored`, or it holds what no run is set up for.
        """
        stored = self.stored()
        try:
            Settings("", **stored["until"])  # whether it is a number of steps or of seconds
            return Settings(**{f.name: stored[f.name] for f in fields(Settings) if f.name in stored})
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.folder / 'settings.json'}: {error}") from None

    def must_be_readable(self) -> None:
        """Refuse a folder that is not there, or that this user may not look into."""
        if self.folder.is_file():
            raise RunError(f"{self.folder} is a file, not the folder of a run")
        if not self.folder.is_dir():
            raise RunError(f"there is no run {self.folder}")
        if not os.access(self.folder, os.R_OK | os.X_OK):
            raise RunError(f"{self.folder} may not be read: its mode or its owner forbids it")

    def generator(self, name: str = "last", network: str | None = None) -> tuple[Generator, int | None]:
        """The generator of a checkpoint, and the rounds it was trained; or that of a file that `Generator.save` wrote.

        Args:
            name: of the checkpoint, "last" or "best".
            network: "module:name" of what makes a network of the reader's own, called without arguments.

        Raises:
            RunError, checkpoint.CheckpointError: there is none, or it cannot be read.
        """
        path = self.folder
        try:
            device = compute.device()
        except ValueError as error:
            raise RunError(str(error)) from None
        if not path.is_file():
            self.must_be_readable()
            path = path / f"{name}.safetensors"
            if not path.exists():
                why = "has no best checkpoint: it measured no distance"
                raise RunError(
                    f"{self.folder} {why if name == 'best' else f'is not a run of ganlib: it has no {path.name}'}"
                )
        net = None if network is None else _made_by(network)
        try:
            return generator.load(path, net=net, device=device), checkpoint.load(path)[0].get("step")
        except checkpoint.CheckpointError:
            raise
        except ValueError as error:
            hint = (
                " or here as --network module:name, what makes it" if network is None and "net=" in str(error) else ""
            )
            raise RunError(f"{error}, in Python: ganlib.load({str(self.folder)!r}, …){hint}") from None

    def reference(self) -> Reference:
        """What the run is judged by.

        Raises:
            RunError: it has none, or a damaged one.
        """
        try:
            return Reference.load(self.folder / "reference.npz")
        except ValueError as error:
            raise RunError(str(error)) from None

    def metrics(self) -> list[dict[str, Any]]:
        """What metrics.json holds, the last first; nothing where there is none that can be read."""
        try:
            last = json.loads((self.folder / "metrics.json").read_text(encoding="utf8"))
            others = [one for one in last.pop("others", []) if isinstance(one, dict)]
            return [last, *others]
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            return []

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a file of numbers and words. Numbers that are not finite become null."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in content.items()}
        write(self.folder / name, (json.dumps(clean, indent=2) + "\n").encode())


def _made_by(network: str) -> nn.Module:
    """The network that "module:name" makes; modules are found from the current folder too, as by `python -m`."""
    module, _, name = network.partition(":")
    if not module or not name:
        raise RunError(f"--network must be module:name, such as own:Generator, got {network!r}")
    sys.path.insert(0, os.getcwd())
    try:
        made = operator.attrgetter(name)(importlib.import_module(module))()
    except Exception as error:  # whatever the reader's own code raises
        raise RunError(f"--network {network} makes no network: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(made, nn.Module):
        raise RunError(f"--network {network} must make a torch.nn.Module, got {type(made).__name__}")
    return made


def _lock(file: int) -> bool:
    """Take the lock of an open file, unless another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 0, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks
    return True


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# ---- while it plays --------------------------------------------------------------------------------------------------


PATIENCE = 30.0
"""Seconds after which a run is saved and something is told of it, where rounds are slow."""


@dataclass
class Record:
    """What is told of a run while it plays, at every save: a line, history.csv, and of images samples.png. A `watch`.

    Attributes:
        run: the run.
        save_every: rounds between two saves.
        reference: what the run is judged by; it keeps the images that a game which translates is shown on.
        measure_every: rounds between two measurements.
        say: where lines go.
    """

    run: Run
    save_every: int
    reference: Reference | None = None
    measure_every: int = 500
    say: Callable[[str], None] = print
    _told: tuple[int, float] = (0, 0.0)
    _columns: list[str] = field(default_factory=list)

    @property
    def measure(self) -> Callable[[Game], float] | None:
        """Of a game, what is to be lowest at its best; or None."""
        return None if self.reference is None else self.reference.measure

    def begin(self, game: Game) -> None:
        """From here on: what the run has played already is told no more."""
        self._told = game.step, game.history.seconds

    def __call__(self, game: Game) -> dict[str, float] | None:
        seen = None
        if self.measure is not None and game.step % self.measure_every == 0:
            seen = {"frechet": self.measure(game)}
        late = game.history.seconds - self._told[1] > PATIENCE
        if late and game.step % self.save_every:
            game.save(self.run.folder)
        if late or game.step % self.save_every == 0:
            self.tell(game, seen)
        return seen

    def tell(self, game: Game, seen: dict[str, float] | None = None) -> None:
        """A line of the rounds since the last one, and the files; nothing where there was no round."""
        step, seconds = self._told
        rounds = game.step - step
        if rounds == 0:
            return
        losses = {name: float(np.mean(values[step:])) for name, values in game.history.losses.items()}
        self._told = game.step, game.history.seconds
        what = "images" if self.draw(game) else "samples"
        rate = rounds * game.batch / max(game.history.seconds - seconds, 1e-9)
        numbers = [f"{name} {value:.4g}" for name, value in {**losses, **(seen or {})}.items()]
        self.say("  ".join([f"round {game.step}", f"{game.history.seconds:.1f} s", *numbers, f"{rate:.0f} {what}/s"]))
        columns = list(game.history.losses)
        game.history.write_csv(self.run.folder / "history.csv", after=step if columns == self._columns else 0)
        self._columns = columns

    def draw(self, game: Game) -> bool:
        """Write samples.png, always of the same latents (and classes, a column each; and inputs, see `translations`);
        False if they are no images."""
        shape = game.source.draw(1, torch.Generator()).real.shape[1:]
        if len(shape) != 3:
            return False
        made = game.snapshot()
        columns, rows = _columns(len(made.classes)), 8 if shape[1] <= 64 else 4
        if self.reference is not None and "inputs" in made.takes:
            inputs, truth = self.reference.shown(columns * (rows // (3 if self.reference.paired else 2)))
            drawn = translations(inputs, made.translate(inputs, seed=0), truth, columns)
        else:
            drawn = sheet(as_bytes(game.sample(columns * rows, seed=0)), columns)
        write(self.run.folder / "samples.png", png(drawn))
        return True


def _columns(classes: int) -> int:
    """Of a sheet: so many that a column holds one class, where there are few."""
    return classes * (8 // classes or 1) if 1 < classes <= 16 else 8


# ---- pictures --------------------------------------------------------------------------------------------------------


def as_bytes(images: Tensor) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] as uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


def picture(image: np.ndarray) -> Image.Image:
    """One uint8 image (C, H, W) as a picture."""
    from PIL import Image

    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def sheet(images: np.ndarray, columns: int = 8) -> Image.Image:
    """uint8 images (N, C, H, W) as one picture, row by row, with a white line between them."""
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows, height, width = -(-n // columns), height + 2, width + 2
    canvas = np.full((rows * columns, channels, height, width), 255, np.uint8)
    canvas[:n, :, 1:-1, 1:-1] = images
    lines = canvas.reshape(rows, columns, channels, height, width).transpose(2, 0, 3, 1, 4)
    return picture(lines.reshape(channels, rows * height, columns * width))


def translations(inputs: Tensor, answers: Tensor, truth: Tensor | None = None, columns: int = 8) -> Image.Image:
    """A sheet of rows of inputs, below each its answers, and below these the truth, where it is known.

    Args:
        inputs: images (N, C, H, W) in [-1, 1]; drawn as large as the answers, pixel by pixel.
        answers: what was made of them, images (N, C, H, W) in [-1, 1].
        truth: what should have been made of them, likewise, or None.
        columns: how many stand side by side.
    """
    from PIL import Image

    kinds = [F.interpolate(inputs, answers.shape[2:]), answers, *([] if truth is None else [truth])]
    channels = max(images.shape[1] for images in kinds)
    alike = [as_bytes(images.expand(-1, channels, -1, -1)) for images in kinds]
    parts = []
    for start in range(0, len(inputs), columns):
        some = [images[start : start + columns] for images in alike]
        parts.append(sheet(np.concatenate(some), len(some[0])))
    high, gap = parts[0].height, 8
    canvas = Image.new(parts[0].mode, (parts[0].width, len(parts) * (high + gap) - gap), "white")
    for i, part in enumerate(parts):
        canvas.paste(part, (0, i * (high + gap)))
    return canvas


def png(image: Image.Image) -> bytes:
    """A picture as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
