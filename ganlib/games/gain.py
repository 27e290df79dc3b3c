r"""A table with holes, filled against a discriminator of entries (Yoon et al. 2018, https://arxiv.org/abs/1806.02920).

In a `Batch`, `real` is rows scaled to [0, 1] with 0 in the holes, and `inputs` the same rows with their masks beside
them, as `data.Incomplete` draws them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import _check, distributed
from .._check import finite
from ..data import Incomplete
from ..engine import Batch, Game
from ..generator import Generator
from .contest import Adversary, Options, Table, must_make


def gain(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Any,
    *,
    alpha: float = 100.0,
    hint: float = 0.0,
    hint_rate: float | None = 0.9,
    unhinted: bool = False,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Imputation: G fills the holes of a row, D says of each entry whether it was known. First built in chapter 18.

    D is shown a hint: of most entries whether they were known, of the others the number `hint`. G is to be taken for
    known where it was not, and α holds its answers to the entries that are known.

    The authors' code and their paper differ, and the defaults are the code's: entries without a hint look like entries
    hinted as missing (hint=0), each entry is hinted by itself (hint_rate=0.9), and all entries count in the adversary's
    two losses. The paper's are hint=0.5, hint_rate=None and unhinted=True. Its losses are sums, these are means: of the
    adversary's over the entries that count, of the squares over those that are known, as in the code. How wide the
    noise is that makes several answers to a row, `nets.Imputer` says.

    Source: Yoon et al. 2018, https://arxiv.org/abs/1806.02920, sections 4 and 5, algorithm 1, and
    https://github.com/jsyoon0823/GAIN.

    Args:
        generator: (rows and masks (N, 2D), z) -> values (N, D) in [0, 1], such as `nets.Imputer`.
        discriminator: (completed rows, hints), both (N, D) -> logits (N, D), such as `nets.MaskDiscriminator`.
        data: a table with holes, `data.Incomplete`.
        alpha: α, weight of the mean squared error of known entries; `math.inf` for that error alone, without adversary.
        hint: what D is shown of an entry without a hint.
        hint_rate: share of the entries with a hint; None leaves exactly one entry of each row without.
        unhinted: whether the adversary's losses count only the entries without a hint.
        turns: discriminator updates a round.
        options: see `Options`; here batch is 128, lr 1e-3, betas (0.9, 0.999), and averaging None, as in the code.

    Returns:
        A `Game` with the players "discriminator" and "generator"; `impute` fills tables with it.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    if not isinstance(data, Incomplete):
        got = type(data).__name__
        raise TypeError(f"data must be a table with holes, data.Incomplete(rows with NaN for them), got {got}")
    if alpha != math.inf:
        finite("alpha", alpha, minimum=0)
    finite("hint", hint)
    if hint_rate is not None and not 0 <= finite("hint_rate", hint_rate) <= 1:
        raise ValueError(f"hint_rate must lie between 0 and 1, or be None, got {hint_rate}")
    if unhinted and hint_rate == 1:
        raise ValueError("hint_rate must be below 1 where only entries without a hint count")
    defaults = Options(batch=128, lr=1e-3, betas=(0.9, 0.999), averaging=None)
    adversary, table = Adversary("non_saturating", ()), Table(options, **defaults)

    def complete(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Answers for every entry, the completed rows, and the mask."""
        assert batch.inputs is not None
        known = batch.inputs.chunk(2, 1)[1]
        answers = generator(batch.inputs, batch.z)
        return answers, known * batch.real + (1 - known) * answers, known

    def hinted(known: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The hint, and which entries count, (N, D) each."""
        n, columns = known.shape
        if hint_rate is None:
            told = 1 - F.one_hot(torch.randint(columns, (n,), generator=rng), columns)
        else:
            told = torch.rand(n, columns, generator=rng) < hint_rate
        told = told.to(known)
        return told * known + (1 - told) * hint, 1 - told if unhinted else torch.ones_like(known)

    def mean(terms: Tensor, counts: Tensor) -> Tensor:
        """Over the entries that count, of all processes: each one's own mean is of another number of entries."""
        total = distributed.global_mean(counts.sum())
        return (terms * counts).sum() / total.where(total > 0, 1)

    def discriminator_loss(batch: Batch) -> Tensor:
        with torch.no_grad():
            _, row, known = complete(batch)
        shown, counts = hinted(known, batch.rng)
        errors = F.binary_cross_entropy_with_logits(discriminator(row, shown), known, reduction="none")
        return mean(errors, counts)

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        answers, row, known = complete(batch)
        squares = mean((answers - batch.real).square(), known)
        if alpha == math.inf:
            return {"loss": squares}
        shown, counts = hinted(known, batch.rng)
        fooled = mean((1 - known) * F.softplus(-discriminator(row, shown)), counts)
        return {"loss": fooled, "squares": alpha * squares}

    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "generator": table.making(generator, generator_loss),
    }
    settings = {"alpha": str(alpha), "hint": hint, "hint_rate": hint_rate, "unhinted": unhinted, "scale": data.scale}
    game = table.game("gain", players, data, settings, takes=["inputs", "z"])

    def look(batch: Batch) -> None:
        said, wanted = discriminator(batch.real, batch.real), batch.real.shape
        _check.shape("the discriminator's logits", said, f"{tuple(wanted)}, one an entry", said.shape == wanted)

    return must_make(game, (discriminator, look))


def impute(made: Game | Generator, table: Incomplete, *, seed: int = 0) -> Tensor:
    """The rows of a table with their holes filled, (N, D) float32 on the CPU, in its units. First built in chapter 18.

    They are shown to the generator in the scale of the table that it learned from, whatever scale this one has.

    Args:
        made: a game of `gain`, its `snapshot()`, or what `ganlib.load` made of one that was saved.
        table: of the same columns, in the same units.
        seed: another seed draws other values, as far as the generator's noise has an effect.

    Raises:
        TypeError: no table with holes, or no game and no generator.
        ValueError: a generator that learned from no such table, or a table of other columns.
    """
    if not isinstance(table, Incomplete):
        raise TypeError(f"table must be a data.Incomplete, got {type(table).__name__}")
    learned = made.snapshot() if isinstance(made, Game) else made
    if not isinstance(learned, Generator):
        raise TypeError(f"made must be a game of gain or its snapshot, got {type(made).__name__}")
    if learned.scale is None:
        raise ValueError(
            f"made must have learned from a table with holes, data.Incomplete, got {learned}, which has not"
        )
    names, low, high = (learned.scale[key] for key in ("columns", "low", "high"))
    if table.x.shape[1] != len(low):
        raise ValueError(f"table must have the {len(low)} columns that were learned, got {table.x.shape[1]}")
    for known_as, called in zip(names, table.columns, strict=False):  # one of them may have no names
        if known_as != called:
            raise ValueError(f"table must have the columns that were learned, in order: {known_as!r}, got {called!r}")
    scaled = replace(table, low=table.x.new_tensor(low), high=table.x.new_tensor(high)).to("cpu")
    return scaled.completed(learned.translate(scaled.inputs, seed=seed))
