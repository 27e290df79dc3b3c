r"""Is my GAN working? Numbers measured on a game, beside their yardsticks, and what they say in words.

    ganlib.diagnose(game, held_out)

names what is wrong, causes before consequences, each with the number that says so and what to try first; it is empty
where nothing was found. `examine` also tells what was measured, and what could not be judged. The game is left as it
was: what it plays afterwards is what it would have played.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .._check import positive_int
from ..engine import Game
from .gauges import GAUGES, Examination
from .rules import Finding, findings

__all__ = ["GAUGES", "Finding", "Report", "diagnose", "examine"]


@dataclass(frozen=True)
class Report:
    """What was measured, what it says, and what could not be judged.

    Attributes:
        gauges: name -> number; `GAUGES` says what each is, those of a player are "name.player".
        findings: what is wrong, causes before consequences; empty where nothing was found.
        unjudged: what could not be judged -> why.
    """

    gauges: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unjudged: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings] or ["nothing found"]
        lines += [f"{name:<24} {value:>9.3g}  {GAUGES[name.split('.')[0]]}" for name, value in self.gauges.items()]
        return "\n".join([*lines, *(f"not judged: {what}: {why}" for what, why in self.unjudged.items())])


def diagnose(game: Game, held_out: Any = None, *, samples: int = 512, seed: int = 0) -> list[Finding]:
    """What is wrong with a game, causes before consequences; empty where nothing was found. See `examine`."""
    return examine(game, held_out, samples=samples, seed=seed).findings


def examine(game: Game, held_out: Any = None, *, samples: int = 512, seed: int = 0) -> Report:
    """Measure a game and say what is wrong.

    Args:
        game: of any kind, played or not; what cannot be judged of its kind is named.
        held_out: real samples that it does not train on, whatever `data.source` takes, with labels if it shows some
            to D. Densities, of which each sample is new, need none.
        samples: how many real and how many generated ones to look at, in whole batches.
        seed: of what is drawn.

    Raises:
        ValueError, TypeError: fewer than 64 samples, or held-out ones that are not like those of the game.
    """
    found = Examination(game, held_out, positive_int("samples", samples, minimum=64), seed)
    found.run()
    return Report(found.gauges, list(findings(found)), found.unjudged)
