"""The record of a game: losses of every round, what was watched, and the ways to look at it elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

    from .engine import Game

__all__ = ["History", "tensorboard"]


@dataclass
class History:
    """What happened, one entry a round: `history["generator"]` is the list of the generator's losses.

    Attributes:
        losses: player -> its loss in each round (the mean over its turns); "player.term" -> further terms.
        watched: what `watch` returned, each with the "step" it was called after.
        seconds: seconds of play so far.
    """

    losses: dict[str, list[float]]
    watched: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def __getitem__(self, player: str) -> list[float]:
        if player not in self.losses:
            raise KeyError(f"no player {player!r} in this history; its players are: {', '.join(self.losses)}")
        return self.losses[player]

    def __len__(self) -> int:
        return len(next(iter(self.losses.values())))

    def add(self, losses: dict[str, float]) -> None:
        """A round more. A term that is new, or missing (a lazy penalty), was 0 in the other rounds."""
        rounds = len(self)
        for name in [*self.losses, *(name for name in losses if name not in self.losses)]:
            self.losses.setdefault(name, [0.0] * rounds).append(losses.get(name, 0.0))

    def frame(self) -> pandas.DataFrame:
        """The losses as a pandas frame: one row a round (index "step", from 1), one column a player."""
        import pandas

        return pandas.DataFrame(self.losses, index=pandas.RangeIndex(1, len(self) + 1, name="step"))

    def write_csv(self, path: str | Path, after: int = 0) -> None:
        """Write the losses as a table, a row a round with its step; rows up to `after`, if any, are there already.

        What was watched has rounds of its own: `pandas.DataFrame(history.watched).to_csv(…)` writes it.
        """
        with open(path, "a" if after else "w", newline="", encoding="utf8") as file:
            rows = csv.writer(file)
            if not after:
                rows.writerow(["step", *self.losses])
            for step in range(after, len(self)):
                rows.writerow([step + 1, *(f"{values[step]:.6g}" for values in self.losses.values())])


def tensorboard(
    folder: str | Path, watch: Callable[[Game], Mapping[str, Any] | None] | None = None
) -> Callable[[Game], Mapping[str, Any] | None]:
    """A `watch` that writes each loss of the last round, and each number that another one returns, to TensorBoard.

    They stand under their names in the history, at the game's step. What the folder holds of this step and later ones,
    written by a run that was killed and goes on from an earlier checkpoint, is hidden.

    Args:
        folder: of the event files; see them with `tensorboard --logdir FOLDER`.
        watch: called first; what it returns is passed on.

    Raises:
        ModuleNotFoundError: TensorBoard is not installed.
        OSError: the folder cannot be made.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "tensorboard is not installed: pip install tensorboard, the extra tensorboard of ganlib"
        ) from None
    Path(folder).mkdir(parents=True, exist_ok=True)
    writer: SummaryWriter | None = None

    def written(game: Game) -> Mapping[str, Any] | None:
        nonlocal writer
        if writer is None:  # only now is it known where the game goes on
            writer = SummaryWriter(str(folder), purge_step=game.step)
        seen = None if watch is None else watch(game)
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in (seen or {}).items()}
        numbers = {name: value for name, value in plain.items() if isinstance(value, Real)}
        for name, value in {**{name: values[-1] for name, values in game.history.losses.items()}, **numbers}.items():
            writer.add_scalar(name, float(value), game.step)
        return seen

    return written
