r"""The one loop that plays every GAN: players take turns, each moving only its own network.

A round is Algorithm 1 of Goodfellow et al. (2014, https://arxiv.org/abs/1406.2661) with any number of players: for each
player, `turns` times, draw fresh reals and latents, compute what this player wants to minimise, and step its optimizer.
Everything drawn in a turn, torch's own generators included, is keyed by (seed, step, player, turn), so a run that is
stopped and resumed sees the same numbers as one that is not. Precision, learning rates and several processes are the
loop's business: a loss is written as if there were none of them.
"""

from __future__ import annotations

import copy
import json
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import get_ema_multi_avg_fn

from . import _check, checkpoint, compute, distributed
from ._check import finite, one_of, positive_int
from .data.source import fingerprint, source
from .generator import Generator, Prior
from .history import History
from .schedule import cosine

__all__ = ["Batch", "Game", "NonFiniteLoss", "Player"]


_AGREES = 5e-5
"""The relative difference of losses and gradients of several processes and of one that rounding, in float32, may make:
50 times what was found, 1e-6, in the games of the tests."""


class NonFiniteLoss(ArithmeticError):
    """A player's loss or gradient is infinite or not a number: the game stopped before using it."""


@dataclass
class Batch:
    """What a player sees in one turn, drawn afresh for every turn.

    Attributes:
        real: samples of the data, (N, …) float32.
        labels: their classes, (N,) int64, or None; also the classes asked of a conditional generator.
        z: latent vectors, (N, latent) float32.
        step: rounds played before this one.
        progress: share of the schedule gone, 0 … 1 (0 where there is none).
        rng: generator for whatever else a loss draws; one a turn, so that resuming is exact. torch's own generators
            are keyed for the turn as well, those of numpy and of Python's `random` are not: seed yours by
            `rng.initial_seed()`.
        inputs: what is to be translated, (N, …) float32, drawn together with `real`; None but for data of pairs.
        turn: the player's turns before this one in this round.
        update: its updates before this one, in all rounds.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    step: int
    progress: float
    rng: torch.Generator
    inputs: Tensor | None = None
    turn: int = 0
    update: int = 0


@dataclass
class Player:
    """One side of the game. First built in chapter 5.

    Attributes:
        net: the parameters this player moves; those that require no gradient stay, whenever they are frozen.
        loss: what it minimises, a function of a `Batch` returning a scalar tensor, or a mapping of named
            terms whose sum is minimised: the first is the loss proper, the others (a penalty …) stand in the
            history as "player.term".
        optimizer: steps the parameters of `net`, and must have been given those. Any of torch's, or like them.
        turns: updates a round (Goodfellow's k for the discriminator).
        after: called with `net` after every update (weight clipping).
        scheduler: of the optimizer's rates, one of torch.optim.lr_scheduler; steps once a round, is kept with the run.
        clip: the largest norm of the gradient of all parameters together; longer ones are shortened to it.
        accumulate: parts that a batch is computed in, one after the other, with the mean of their gradients: for
            batches that do not fit. What looks across samples sees one part at a time.
    """

    net: nn.Module
    loss: Callable[[Batch], Tensor | dict[str, Tensor]]
    optimizer: Optimizer
    turns: int = 1
    after: Callable[[nn.Module], None] | None = None
    scheduler: LRScheduler | None = None
    clip: float | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        positive_int("turns", self.turns)
        positive_int("accumulate", self.accumulate)
        if self.clip is not None and finite("clip", self.clip) <= 0:
            raise ValueError(f"clip must be above 0, got {self.clip}")
        if not callable(self.loss):
            raise TypeError(f"loss must be a function of a Batch, got {self.loss!r}")
        if isinstance(self.optimizer, type):
            raise TypeError(f"optimizer must be one that is made, {self.optimizer.__name__}(net.parameters(), …)")
        if isinstance(self.optimizer, torch.optim.LBFGS):
            raise ValueError(
                "optimizer must be one whose step needs no closure, such as Adam: LBFGS calls the loss itself"
            )
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            raise ValueError("scheduler must step without a number: step ReduceLROnPlateau in a watch instead")
        if self.scheduler is not None and getattr(self.scheduler, "optimizer", None) is not self.optimizer:
            raise ValueError("scheduler must be one of this player's optimizer")


class Game:
    """Players, the data they play for, and the loop. First built in chapter 5.

    Args:
        players: name -> `Player`, in the order of their turns.
        data: what `data.source` takes: a `data.Dataset`, a density of `toys`, a tensor, an array, torch's data sets …
        generator: the player that makes samples.
        latent: numbers in z; by default what the generator says (`generator.latent`). 0 where nothing is drawn.
        batch: samples a turn; where several processes play, all of theirs together.
        seed: keys every random draw of the game. Initial weights are the networks' own affair.
        averaging: decay β of the exponential average of the generator's weights (with a ramp over the
            first rounds), such as `schedule.decay(…)`; None for no average. Samples come from the average.
        anneal: number of rounds over which learning rates fall along half a cosine to 2 % (and the weights of R1 and R2
            in `games` to 0); play ends there. "seconds": they fall by the clock of a play of so many seconds.
            None leaves the rates to the optimizers and their schedulers.
        device: where to play; by default `compute.device()`.
        precision: "fp32", "bf16" or "fp16" (whose losses are scaled): what the players' networks compute in. What they
            return, and all else, is float32.
        prior: `(n, rng)` -> z (n, latent), instead of the normal or uniform latent; `latent` follows from it.
        takes: what the generator is called with, in order: "z", "labels", "inputs"; by default z, and labels if it has
            `classes`.
        part: of a generator of several networks (an `nn.ModuleDict`), the one that makes samples.
        noise: whether the generator's Dropout stays on when it makes samples.
        encoder: the network that finds the z of a sample, for `snapshot`.
        memory: further modules whose parameters and buffers, of constant shape, a checkpoint keeps (image pools).
        settings: words and numbers that describe this game to a checkpoint; a run resumes only under the same.

    Attributes:
        players: name -> `Player`, as given.
        generator: the net of the player that makes samples.
        average: the averaged generator, or None without averaging.
        memory: the further modules, as given.
        step: rounds played so far.
        history: a `History` of them.
        settings: all that a run must be resumed under.
        made: what its parts were set to within when it was made, by name; see `checkpoint.hidden`.
        folders: those it was saved to or resumed from, whose checkpoints it may replace.
        data, batch, latent, prior, seed, averaging, anneal, device, precision: as given, defaults filled in.

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """

    def __init__(
        self,
        players: Mapping[str, Player],
        data: Any,
        *,
        generator: str = "generator",
        latent: int | None = None,
        batch: int = 64,
        seed: int = 0,
        averaging: float | None = 0.995,
        anneal: int | str | None = None,
        device: torch.device | str | None = None,
        precision: str = "fp32",
        prior: Callable[[int, torch.Generator], Tensor] | None = None,
        takes: Sequence[str] | None = None,
        part: str | None = None,
        noise: bool = False,
        encoder: nn.Module | None = None,
        memory: Mapping[str, nn.Module] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(players, Mapping) or not players or not all(isinstance(p, Player) for p in players.values()):
            raise TypeError("players must be a mapping from names to at least one Player")
        if generator not in players:
            raise ValueError(f"generator={generator!r} is not a player; the players are: {', '.join(players)}")
        self.players = dict(players)
        self.device = compute.place(device)
        self.precision = precision
        one_of("precision", precision, compute.PRECISIONS)
        self.batch = positive_int("batch", batch)
        self._rank, self._processes = distributed.world()
        if self.batch % self._processes:
            raise ValueError(f"batch must be a multiple of the {self._processes} processes, got {batch}")
        for name, player in self.players.items():
            if (self.batch // self._processes) % player.accumulate:
                raise ValueError(f"batch must be a multiple of accumulate={player.accumulate} of {name!r}, got {batch}")
        self.seed = positive_int("seed", seed, minimum=0)
        self.anneal = anneal if anneal in (None, "seconds") else positive_int("anneal", anneal)
        if self.anneal is not None and (both := [n for n, p in self.players.items() if p.scheduler is not None]):
            raise ValueError(f"anneal={anneal!r} and a scheduler of player {both[0]!r} would both set rates: give one")
        self.averaging = averaging if averaging is None else finite("averaging", averaging, minimum=0.0)
        if self.averaging is not None and self.averaging >= 1:
            raise ValueError(f"averaging must be at least 0 and below 1, got {averaging}")
        self.generating, self.generator = generator, self.players[generator].net
        for name, player in self.players.items():
            _must_move(name, player)
        if "game" not in (settings or {}):  # those of `games` that share, such as the two of an autoencoder, mean it
            _must_not_share(self.players)
        self.prior = self._prior(prior, latent)
        self.latent = self.prior(1, torch.Generator()).shape[1]
        self.memory = dict(memory or {})
        if self.memory and self._processes > 1:
            raise ValueError(
                f"memory ({', '.join(self.memory)}) cannot be shared by {self._processes} processes: use one"
            )
        for module in self._modules():
            module.to(self.device)
        self.data = data
        dtype = next((w.dtype for w in self.generator.parameters()), torch.float32)
        for name, player in self.players.items():
            if other := {w.dtype for w in player.net.parameters()} - {dtype}:
                raise TypeError(
                    f"player {name!r}: its net must have parameters of {dtype}, like the generator's, got "
                    f"{', '.join(map(str, other))}"
                )
        self.source = source(data, self.device, dtype)
        if self._processes > 1 and not self.source.exact:
            raise ValueError(
                f"data {self.source.name} draw in an order of their own, of which {self._processes} processes cannot "
                f"each take their share: use one, or data that are drawn by a generator"
            )
        self._dtype = dtype
        classes = getattr(self.generator, "classes", None)
        self._takes = tuple(takes or (("z", "labels") if classes else ("z",)))
        self._classes = self.source.classes if len(self.source.classes) == (classes or 0) else _numbered(classes or 0)
        self._part, self._noise, self._encoder = part, noise, encoder
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval() if averaging is not None else None
        self.step = 0
        self.history = History({name: [] for name in self.players})
        self.unfinished: dict[str, Any] = {}  # of a round that a loss without a number ended: turns played, and losses
        self.scalers = {n: torch.amp.GradScaler(self.device.type) for n in self.players if precision == "fp16"}
        self._fraction = 0.0  # of the seconds of a play
        self._stop = False
        self._annealed: dict[str, tuple[Optimizer, list[float]]] = {}  # the rates that anneal set last
        self._described = {name: (p.optimizer, _describe(p.optimizer)) for name, p in self.players.items()}
        try:
            self._settings: dict[str, Any] = json.loads(json.dumps(dict(settings or {})))
        except TypeError as error:
            raise TypeError(f"settings must be words and numbers, for a checkpoint to keep: {error}") from None
        self.made = checkpoint.hidden(self)
        self.folders: set[Path] = set()
        self._idle: dict[str, set[nn.Parameter]] = {}  # by player: what no loss of the first round has reached

    def _prior(self, prior: Callable[[int, torch.Generator], Tensor] | None, latent: int | None) -> Any:
        """The prior asked for, once it is seen to return vectors of one length, or the one the generator wants."""
        if prior is not None:
            z = prior(2, torch.Generator())
            if not isinstance(z, Tensor) or z.dim() != 2 or len(z) != 2 or latent not in (None, z.shape[1]):
                got = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
                wanted = "latent" if latent is None else latent
                raise ValueError(f"prior(n, rng) must return z of shape (n, {wanted}), got {got} for n = 2")
            return prior
        found = getattr(self.generator, "latent", None) if latent is None else latent
        if found is None:
            raise ValueError(
                f"latent is missing: this generator, {type(self.generator).__name__}, has no attribute .latent "
                f"that says how long z is: give it one, or latent=… where you call Game itself"
            )
        return Prior(positive_int("latent", found, minimum=0), getattr(self.generator, "prior", "normal"))

    @property
    def settings(self) -> dict[str, Any]:
        """Words and numbers that a run must be resumed under."""
        for name, player in self.players.items():
            if self._described[name][0] is not player.optimizer:  # it was exchanged
                self._described[name] = (player.optimizer, _describe(player.optimizer))
        players = {
            name: {
                "turns": p.turns,
                "optimizer": copy.deepcopy(self._described[name][1]),
                **({} if p.scheduler is None else {"scheduler": type(p.scheduler).__name__}),
                **({} if p.clip is None else {"clip": p.clip}),
                **({} if p.accumulate == 1 else {"accumulate": p.accumulate}),
            }
            for name, p in self.players.items()
        }
        return {
            "players": players,
            "data": self.source.name,
            "data_digest": self._digest,
            "batch": self.batch,
            "latent": self.latent,
            "seed": self.seed,
            "averaging": self.averaging,
            "anneal": self.anneal,
            "device": self.device.type,
            "precision": self.precision,
            "threads": torch.get_num_threads() if self.device.type == "cpu" else None,
            "processes": self._processes,
            **self._settings,
        }

    @cached_property
    def _digest(self) -> str | None:
        """What the numbers of the data are known by, read once, when it is first asked for."""
        return fingerprint(self.data)

    def _modules(self) -> list[nn.Module]:
        return [*(p.net for p in self.players.values()), *self.memory.values()]

    # ---- playing -------------------------------------------------------------------------------

    def play(
        self,
        steps: int | None = None,
        *,
        seconds: float | None = None,
        progress: bool = True,
        every: int | None = None,
        watch: Callable[[Game], Mapping[str, Any] | None] | None = None,
        save: str | Path | None = None,
        save_every: int = 100,
        best: str | None = None,
    ) -> History:
        """Play so many rounds more, or for so many seconds (counted from the start of the first round).

        Where several processes play, they first compare their settings; then, before the first round (also at twice
        the weights) and rounds 1, 2, 4, 8 …, each loss and gradient that they find from their rows with those that one
        process finds from all, to 1 in 20 000, which calls each loss twice more. What looks across samples in other
        rounds alone, or moves the numbers by less, they do not see.

        Args:
            steps: rounds to play; either this or `seconds` must be given.
            seconds: instead of `steps`.
            progress: show a bar (it removes itself, so that nothing stays in a published page).
            every: call `watch` after each so many rounds (default: after each).
            watch: gets the game; what it returns, a mapping or None for nothing, is kept in `history.watched`: where
                there is a `save`, numbers and text, in tensors and arrays one number. It may
                end the play with `game.stop()`. Of several processes the first one calls it, and tells the others.
            save: a folder that gets a checkpoint before the first round, after each `save_every` rounds, and at the
                end, however it comes (Ctrl-C, an error in `watch`); `resume` goes on from there.
            save_every: rounds between two checkpoints.
            best: one of the numbers that `watch` returns: where it is the lowest so far, the folder gets a
                checkpoint "best" too.

        Returns:
            The history of the whole game so far (also `game.history`).

        Raises:
            ValueError, TypeError: neither or both of `steps` and `seconds`, more steps than `anneal` leaves or steps
                where it follows the clock, another argument that is not as above, a loss or `watch` that returns
                something else than it should, or rates that something else than `anneal` has set.
            NonFiniteLoss: names the step and the player. Parameters are the last good ones; play, or a save and a
                resume, goes on with the turn that failed, as after any error in a loss, a step or `after`.
            KeyboardInterrupt: after Ctrl-C, at the end of the round: the game can be used and played on.
        """
        if (steps is None) == (seconds is None):
            got = "neither" if steps is None else "both"
            raise ValueError(f"give either steps (a whole number) or seconds, got {got}")
        limit = None if steps is None else positive_int("steps", steps)
        if seconds is not None and finite("seconds", seconds) <= 0:
            raise ValueError(f"seconds must be above 0, got {seconds}")
        if every is not None and positive_int("every", every) and watch is None:
            raise ValueError(f"every={every} needs a watch to call")
        every = 1 if every is None else every
        positive_int("save_every", save_every)
        if best is not None and (watch is None or save is None):
            raise ValueError(f"best={best!r} needs a watch that measures it and a folder to save to")
        if self.anneal == "seconds" and seconds is None:
            raise ValueError(f"the learning rates' schedule follows the clock: play(seconds=…), got steps={steps}")
        if isinstance(self.anneal, int):
            left = self.anneal - self.step
            if limit is not None and limit > left:
                raise ValueError(
                    f"the learning rates' schedule ends at step {self.anneal}: {left} steps are left, got steps={limit}"
                )
            limit = left if limit is None else limit
        for name, player in self.players.items():
            _must_move(name, player)  # still: layers may have been exchanged
            _train(player.net)
        self._look_up()
        self.made = checkpoint.hidden(self) | self.made  # also of parts that came since
        if save is not None:
            checkpoint.must_be_free(self, save, "last", *(() if best is None else ("best",)))
        self._start_alike()
        if save is not None:
            self.save(save)
        earlier = [] if best is None else [w.get(best, math.nan) for w in self.history.watched]
        lowest = min((value for value in earlier if not math.isnan(value)), default=math.inf)
        first, saved, start, before = self.step, self.step, time.perf_counter(), self.history.seconds
        self._stop, told = False, len(self.history.watched)
        with _bar(steps, progress and self._rank == 0) as tick, _interrupt_at_the_end_of_a_round() as interrupted:
            try:
                while True:
                    elapsed = time.perf_counter() - start
                    ended, stopped, elapsed, seen_there = distributed.agree(
                        interrupted(), self._stop, elapsed, self.history.watched[told:], self.device
                    )
                    if self._rank > 0:
                        self.history.watched += seen_there
                    told = len(self.history.watched)
                    if ended or stopped or (limit is not None and self.step - first >= limit):
                        break
                    if seconds is not None:
                        if elapsed >= seconds:
                            break
                        self._fraction = (before + elapsed) / (before + seconds)
                    self._round()
                    if self.step == first + 1:
                        self._buffers_must_stay()
                    if self.step == 1:
                        self._warn_of_idle()
                    tick()
                    self.history.seconds = before + time.perf_counter() - start
                    if watch is not None and self._rank == 0 and self.step % every == 0:
                        with distributed.alone():  # the other processes do not call it
                            seen = watch(self)
                        if seen is not None:
                            seen = _noted(seen, keep=save is not None)
                            self.history.watched.append({**seen, "step": self.step})
                            if best is not None and best not in seen:
                                raise ValueError(
                                    f"best={best!r} is not what watch returned, which is: {', '.join(seen)}"
                                )
                            if best is not None and save is not None and seen[best] < lowest:
                                lowest = seen[best]
                                self.save(save, "best")
                    if save is not None and self.step % save_every == 0:
                        self.save(save)
                        saved = self.step
            finally:
                if save is not None and (saved != self.step or self.unfinished):
                    self.save(save)
            if ended and not interrupted():
                raise KeyboardInterrupt  # another process was told to stop
        return self.history

    def stop(self) -> None:
        """End the play that is under way after this round, as if its steps were done: for a `watch` to call."""
        self._stop = True

    def _look_up(self) -> None:
        """Find the tensors that a round works on: to walk through the modules each round takes long."""
        self._parameters = {name: list(dict.fromkeys(p.net.parameters())) for name, p in self.players.items()}
        self._buffers = [b for module in self._modules() for b in module.buffers()]
        if self.average is not None:
            self._averaged: list[Tensor] = list(self.average.parameters())
            self._current: list[Tensor] = list(self.generator.parameters())
            self._copied = list(zip(self.average.buffers(), self.generator.buffers(), strict=True))

    def _buffers_must_stay(self) -> None:
        """Refuse networks whose buffers are others after a round: the average and an error's undoing know the old."""
        known = {id(b) for b in self._buffers}
        for name, player in self.players.items():
            for key, buffer in player.net.named_buffers():
                if id(buffer) not in known:
                    raise ValueError(
                        f"player {name!r}: its buffer {key!r} is another tensor after a round: change it in place, "
                        f"by copy_ or add_"
                    )

    def _warn_of_idle(self) -> None:
        """Say which parameters no loss of the first round has reached, but for networks that grow into theirs."""
        for name, player in self.players.items():
            left = [key for key, w in player.net.named_parameters() if w in self._idle.get(name, ())]
            if left and not hasattr(player.net, "level"):
                warnings.warn(
                    f"player {name!r}: its loss does not reach {len(left)} of its net's parameters, {left[0]!r} first, "
                    f"which stay as they are; if that is meant, freeze them with requires_grad_(False)",
                    stacklevel=_check.outside(),
                )

    def _start_alike(self) -> None:
        """Where several processes play, all play the same game, from the weights of the first, and share what one
        would compute."""
        if self._processes == 1:
            return
        for process, theirs in enumerate(distributed.everyone(self.settings)):
            if different := checkpoint.differences(self.settings, theirs):
                raise ValueError(
                    f"process {process} plays another game than process {self._rank}: {different[0]} there; every "
                    f"process must be given the same, and takes its rows of each batch by itself"
                )
        modules = [*(p.net for p in self.players.values()), *([] if self.average is None else [self.average])]
        distributed.share([w.data for module in modules for w in [*module.parameters(), *module.buffers()]])
        self._must_be_one()
        weights = [w for own in self._parameters.values() for w in own]
        with torch.no_grad():
            kept = [w.clone() for w in weights]
            torch._foreach_mul_([w.detach() for w in weights], 2.0)
        try:
            self._must_be_one()  # also where logits are large: a hinge, flat there, is a line around 0
        finally:
            with torch.no_grad():
                torch._foreach_copy_([w.detach() for w in weights], kept)

    def _must_be_one(self) -> None:
        """Refuse a loss that is not, from each process's rows, what one process finds from all: in each of three
        batches, for in one a single activation beside the kink of a ReLU may round to its other side."""
        if self._processes == 1:
            return
        off = self._offs(0)
        for attempt in (1, 2):
            if any(value > _AGREES for value in off.values()):
                off = {key: min(value, off.get(key, 0.0)) for key, value in self._offs(attempt).items()}
        for (name, what), value in off.items():
            if value > _AGREES:
                raise ValueError(
                    f"step {self.step}, player {name!r}: with {self._processes} processes its {what} is off by "
                    f"{100 * value:.2g} % from that of one: it is no mean over samples, or something in it looks "
                    f"across samples and sees those of its own process only. Gather them with "
                    f"ganlib.distributed.gather or global_mean. Or it draws or counts otherwise in each process"
                )

    def _offs(self, attempt: int) -> dict[tuple[str, str], float]:
        """How far each loss and gradient, computed from shares, is from that of the whole batch, relative to it."""
        found: list[dict[tuple[str, str], Tensor]] = []
        for alone in (True, False):
            kept = [b.clone() for b in self._buffers]
            said: dict[tuple[str, str], Tensor] = {}
            with distributed.alone() if alone else nullcontext(), compute.full_precision(self.device):
                for name, player in self.players.items():
                    batch, parts = self._draw(name, 0, *(("again", attempt) if attempt else ())), player.accumulate
                    first = next(_parts(batch, parts))
                    with self._drawing(batch, parts):
                        terms = _terms(name, player.loss(first))
                        own = [w for w in self._parameters[name] if w.requires_grad]
                        loss = torch.stack(list(terms.values())).sum()
                        slopes = [g for g in torch.autograd.grad(loss, own, allow_unused=True) if g is not None]
                    means = distributed.average([value.detach() for value in terms.values()])
                    said |= {(name, term or "loss"): mean for term, mean in zip(terms, means, strict=True)}
                    said[name, "gradient"] = torch.cat([g.flatten() for g in distributed.average(slopes)])
            found.append(said)
            for buffer, before in zip(self._buffers, kept, strict=True):
                buffer.copy_(before)
        off = {key: (one - found[1][key]).norm() / one.norm().clamp(min=1e-3) for key, one in found[0].items()}
        worst = distributed.average(list(off.values()))  # all decide alike
        finite = [one.isfinite().all() for one in found[0].values()]  # what is not, the turn itself names
        return {key: value.item() if ok else 0.0 for key, value, ok in zip(off, worst, finite, strict=True)}

    def _round(self) -> None:
        if self.anneal is not None:
            self._set_learning_rates()
        if self.step & (self.step - 1) == 0 and self.step and not self.unfinished:
            self._must_be_one()
        losses: dict[str, float] = self.unfinished.get("losses", {})
        turns = [(name, player, turn) for name, player in self.players.items() for turn in range(player.turns)]
        for position, (name, player, turn) in enumerate(turns):
            if position < self.unfinished.get("turns", 0):
                continue
            kept = [b.clone() for b in self._buffers]
            try:
                for key, value in self._turn(name, player, turn).items():
                    losses[key] = losses.get(key, 0.0) + value / player.turns
            except BaseException:  # the turn was not played: the next play, or a run resumed, begins with it
                for buffer, before in zip(self._buffers, kept, strict=True):
                    buffer.copy_(before)
                if name in self.scalers:  # in the middle of a turn it takes no other
                    scale, self.scalers[name] = self.scalers[name].state_dict(), torch.amp.GradScaler(self.device.type)
                    self.scalers[name].load_state_dict(scale)
                self.unfinished = {"turns": position, "losses": losses}
                raise
        self.unfinished = {}
        if self.average is not None:
            self._update_average()
        self.history.add(losses)
        self.step += 1
        for name, player in self.players.items():
            if player.scheduler is not None:
                try:
                    player.scheduler.step()
                except Exception as error:
                    raise RuntimeError(f"step {self.step}, player {name!r}: its scheduler failed: {error}") from error

    def _set_learning_rates(self) -> None:
        factor = cosine(self.progress, end=0.02)
        for name, player in self.players.items():
            groups = player.optimizer.param_groups
            optimizer, rates = self._annealed.get(name, (None, []))
            if optimizer is player.optimizer and rates != [group["lr"] for group in groups]:
                raise ValueError(
                    f"player {name!r}: its learning rate is {groups[0]['lr']:g}, which something else than "
                    f"anneal={self.anneal!r} has set: leave anneal out, or the other"
                )
            for group in groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
            self._annealed[name] = (player.optimizer, [group["lr"] for group in groups])

    def _turn(self, name: str, player: Player, turn: int) -> dict[str, float]:
        """One update of a player; returns the terms of its loss."""
        own = [w for w in self._parameters[name] if w.requires_grad]
        if not own:
            raise ValueError(f"player {name!r} has nothing to move: all parameters of its net are frozen")
        for w in self._parameters[name]:  # also what was frozen since: an optimizer would go on with its last gradient
            w.grad = None
        for other in self.players.values():
            if not other.net.training:  # a watch or a loss left it so
                _train(other.net)
        batch, scaler, parts = self.draw(name, turn), self.scalers.get(name), player.accumulate
        sums: dict[str, Tensor] = {}
        with self._drawing(batch, parts):
            for part in [batch] if parts == 1 else _parts(batch, parts):
                terms = _terms(name, player.loss(part))
                if not sums and any(w.grad is not None for w in own):
                    raise ValueError(
                        f"player {name!r}: its loss has called backward(), which the game does: leave it out"
                    )
                for term, value in terms.items():
                    sums[term] = sums[term] + value.detach() / parts if term in sums else value.detach() / parts
                loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
                loss = loss if parts == 1 else loss / parts
                loss = loss if scaler is None else scaler.scale(loss)
                loss.backward(inputs=own)  # the other players' parameters take no gradient
        moved = [w for w in own if w.grad is not None]
        if not moved:
            raise ValueError(f"player {name!r}: its loss does not depend on any parameter that it moves")
        if self.step == 0:
            self._idle.setdefault(name, set(own)).difference_update(moved)
        gradients = distributed.average([w.grad for w in moved if w.grad is not None])
        if self._processes > 1:
            for w, gradient in zip(moved, gradients, strict=True):
                w.grad = gradient
        if scaler is not None:
            scaler.unscale_(player.optimizer)
        norm = torch.cat([x.reshape(-1) for x in gradients] or [torch.zeros(1, device=self.device)]).norm()
        values = distributed.average(list(sums.values()))
        *numbers, length = torch.stack([*values, norm.to(values[0])]).tolist()  # waited for once
        for term, number in zip(sums, numbers, strict=True):
            self._must_be_finite(name, term or "loss", number, batch)
        if scaler is None:  # in fp16 the scaler skips such a step, and scales by less
            self._must_be_finite(name, "gradient", length, batch)
        if player.clip is not None:
            nn.utils.clip_grads_with_norm_(moved, player.clip, norm)
        with _whole(player):
            if scaler is None:
                player.optimizer.step()
            else:
                scaler.step(player.optimizer)
            if player.after is not None:
                player.after(player.net)
        if scaler is not None:
            scaler.update()
        return {
            f"{name}.{term}" if i else name: number for i, (term, number) in enumerate(zip(sums, numbers, strict=True))
        }

    @contextmanager
    def _drawing(self, batch: Batch, parts: int = 1) -> Iterator[None]:
        """Where a loss is computed: draws are keyed, processes are as one, networks have the game's precision."""
        with (
            compute.seeded(self.device, batch.rng.initial_seed() ^ 1),
            distributed.as_one(len(batch.real) // parts),
            nullcontext() if self.device.type == "cpu" else compute.whole_products(),  # also going backward
            compute.running((player.net for player in self.players.values()), self.device, self.precision),
        ):
            yield

    @contextmanager
    def rehearsing(self, player: str) -> Iterator[Batch]:
        """The batch of the coming turn of `player`, within which networks compute as in it; afterwards buffers, modes
        and torch's generators are as before, and the turn is still to come."""
        batch = self.draw(player)
        modes = [(part, part.training) for p in self.players.values() for part in p.net.modules()]
        buffers = [b for module in self._modules() for b in module.buffers()]
        kept = [b.clone() for b in buffers]
        try:
            for other in self.players.values():
                _train(other.net)
            with self._drawing(batch):
                yield batch
        finally:
            for part, training in modes:
                part.training = training
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.data.copy_(before)

    def _must_be_finite(self, player: str, what: str, number: float, batch: Batch) -> None:
        if math.isfinite(number):
            return
        given = {"real": batch.real, "inputs": batch.inputs}
        bad = [name for name, x in given.items() if x is not None and not x.isfinite().all()]
        raise NonFiniteLoss(
            f"step {self.step}, player {player!r}: the {what} is {number}; the game stopped before using it and "
            f"keeps its last good parameters. "
            + (
                f"The {bad[0]} samples that {self.source.name} drew hold NaN or infinity: mend the data."
                if bad
                else "Try a smaller learning rate or a penalty."
            )
        )

    def draw(self, player: str, turn: int = 0) -> Batch:
        """The batch that `player` sees in this turn of the coming round: a pure function of
        (seed, step, player, turn). Where several processes play, each draws it whole and sees its own rows."""
        return self._draw(player, turn)

    def _draw(self, player: str, turn: int, *key: str | int) -> Batch:
        rng = compute.generator(self.seed, self.step, player, turn, *key)
        real, labels, inputs = self.source.draw(self.batch, rng)
        z = self.draw_latent(self.batch, rng)
        turns = self.players[player].turns if player in self.players else 1
        parts = self.players[player].accumulate if player in self.players else 1

        def own(x: Tensor) -> Tensor:  # of each part of the batch that is computed by itself, this process's share
            if parts == 1 or self._processes == 1:
                return distributed.own_rows(x)
            return torch.cat([distributed.own_rows(part) for part in x.tensor_split(parts)])

        return Batch(
            own(real),
            None if labels is None else own(labels),
            own(z),
            self.step,
            self.progress,
            rng,
            None if inputs is None else own(inputs),
            turn,
            self.step * turns + turn,
        )

    def draw_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """n latent vectors of the prior, (n, latent), on the game's device, of the networks' type."""
        return self.prior(n, rng).to(self.device, self._dtype)

    @property
    def progress(self) -> float:
        """Share of the schedule gone, 0 … 1; 0 where there is none."""
        if isinstance(self.anneal, int):
            return self.step / self.anneal
        return 0.0 if self.anneal is None else self._fraction

    @torch.no_grad()
    def _update_average(self) -> None:
        """β rises from 0 with the rounds, so that the first, bad weights are soon forgotten."""
        assert self.averaging is not None
        get_ema_multi_avg_fn(min(self.averaging, self.step / (self.step + 9)))(self._averaged, self._current, 0)
        for mine, theirs in self._copied:
            mine.copy_(theirs)

    # ---- using what was learned ----------------------------------------------------------------

    @property
    def discriminator(self) -> nn.Module:
        """The net of the player called "discriminator"."""
        if "discriminator" not in self.players:
            raise AttributeError(f"this game has no player 'discriminator'; its players are: {', '.join(self.players)}")
        return self.players["discriminator"].net

    def snapshot(self, averaged: bool = True, part: str | None = None) -> Generator:
        """The generator by itself, for sampling, saving and export. It shares the game's weights.

        Args:
            averaged: False for the generator as the last round left it.
            part: of a generator of several networks, which one.
        """
        net = self.average if averaged and self.average is not None else self.generator
        encoder = getattr(net, "encoder", self._encoder)
        part, shape = part or self._part, tuple[int, ...]()
        if "inputs" in self._takes:
            drawn = self.source.draw(1, torch.Generator())
            shape = tuple((drawn.real if drawn.inputs is None else drawn.inputs).shape[1:])
        return Generator(net, self.prior, self._takes, self._classes, part, self._noise, encoder, shape, self.device)

    def sample(self, n: int, labels: Any = None, *, seed: int = 0, averaged: bool = True) -> Tensor:
        """n samples on the CPU, from the averaged generator (or the current one) in evaluation mode. A game that
        translates takes its inputs from the data.

        Args:
            n: how many.
            labels: for a conditional generator, one class or a sequence of classes, by number or by name, repeated to
                n; by default all classes in turn.
            seed: the same seed gives the same latents (and inputs).
            averaged: False for the generator as the last round left it.
        """
        made = self.snapshot(averaged)
        if "inputs" not in made.takes:
            return made.sample(n, labels, seed=seed)
        positive_int("n", n)
        drawn = self.source.draw(n, compute.generator(positive_int("seed", seed, minimum=0), "sample", "data"))
        return made.translate(drawn.real if drawn.inputs is None else drawn.inputs, labels, seed=seed)

    def translate(self, inputs: Tensor, labels: Any = None, *, seed: int = 0, averaged: bool = True) -> Tensor:
        """What a game that translates makes of these images, on the CPU; see `Generator.translate`."""
        return self.snapshot(averaged).translate(inputs, labels, seed=seed)

    # ---- keeping it ----------------------------------------------------------------------------

    def save(self, folder: str | Path, name: str = "last") -> Path:
        """Write everything an exact resume needs to `folder`/`name`.safetensors; see `checkpoint.save`."""
        return checkpoint.save(self, folder, name)

    def resume(
        self,
        folder: str | Path,
        name: str = "last",
        *,
        elsewhere: bool = False,
        lr: float | Mapping[str, float] | None = None,
    ) -> Game:
        """Go on from a checkpoint of the same game as if it had never stopped; see `checkpoint.resume`."""
        return checkpoint.resume(self, folder, name, elsewhere=elsewhere, lr=lr)


def _terms(name: str, result: Any) -> dict[str, Tensor]:
    """The named terms of a loss, the first one's name "" where it has none; refuses what is no loss."""
    terms = result if isinstance(result, dict) else {"": result}
    if not terms or not all(isinstance(value, Tensor) and value.numel() == 1 for value in terms.values()):
        got = [f"shape {tuple(v.shape)}" if isinstance(v, Tensor) else type(v).__name__ for v in terms.values()]
        raise TypeError(
            f"player {name!r}: its loss must return a scalar tensor, or a dict of scalar tensors, "
            f"got {', '.join(got) or 'an empty dict'}"
        )
    return {name: value.reshape(()) for name, value in terms.items()}


def _noted(seen: Any, keep: bool) -> dict[str, Any]:
    """What `watch` returned; tensors and arrays of one number become that number. What no checkpoint can keep is
    refused where the play makes some."""
    if not isinstance(seen, Mapping):
        raise TypeError(f"watch must return a mapping or None, got {type(seen).__name__}")
    noted: dict[str, Any] = {}
    for name, value in seen.items():
        if not isinstance(name, str) or name == "step":
            raise ValueError(f"watch must return names other than 'step', which the game adds, got {name!r}")
        if isinstance(value, Tensor | np.ndarray | np.generic) and math.prod(value.shape) == 1:
            value = value.item()
        noted[name] = value
        try:
            if keep:
                json.dumps(value)
        except (TypeError, ValueError):
            shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
            raise TypeError(
                f"watch must return numbers and text, for a checkpoint to keep, got {name!r}: "
                f"{type(value).__name__}{shape}"
            ) from None
    return noted


@contextmanager
def _whole(player: Player) -> Iterator[None]:
    """Where a player steps: an error leaves its parameters and its optimizer as they were."""
    optimizer = player.optimizer
    state = {w: dict(held) for w, held in optimizer.state.items()}
    groups = [dict(group) for group in optimizer.param_groups]
    remembered = [v for held in state.values() for v in held.values() if isinstance(v, Tensor)]
    live = [w.detach() for w in [*player.net.parameters(), *remembered]]
    kept = torch._foreach_clone(live)
    try:
        yield
    except BaseException:
        torch._foreach_copy_(live, kept)
        optimizer.state.clear()
        optimizer.state.update(state)
        for group, before in zip(optimizer.param_groups, groups, strict=True):
            group.update(before)
        raise


def _parts(batch: Batch, parts: int) -> Iterator[Batch]:
    """A batch as so many smaller ones."""
    for i in range(parts):
        held = {name: getattr(batch, name) for name in ("real", "labels", "z", "inputs")}
        rows: dict[str, Any] = {k: None if x is None else x.tensor_split(parts)[i] for k, x in held.items()}
        yield replace(batch, **rows)


def _train(net: nn.Module) -> None:
    """Training mode. Parts in evaluation mode stay there: those of a network that is in training mode itself, as its
    owner has set them, and of one that somebody left at rest those whose parameters are all frozen."""
    if net.training:
        return
    resting = [
        module
        for module in net.modules()
        if not module.training and any(True for _ in module.parameters())
        if not any(w.requires_grad for w in module.parameters())
    ]
    net.train()
    for module in resting:
        module.eval()


def _numbered(classes: int) -> tuple[str, ...]:
    return tuple(map(str, range(classes)))


def _must_move(name: str, player: Player) -> None:
    """Refuse an optimizer that moves another player's parameters, or none of this one's."""
    own = {id(w) for w in player.net.parameters()}
    learning = {id(w) for w in player.net.parameters() if w.requires_grad}
    held = [id(w) for group in player.optimizer.param_groups for w in group["params"]]
    foreign = sum(w not in own for w in held)
    if foreign:
        raise ValueError(
            f"player {name!r}: {foreign} of the {len(held)} parameters of its optimizer are not its net's; "
            f"make it of net.parameters()"
        )
    if left := len(learning - set(held)):
        warnings.warn(
            f"player {name!r}: {left} of the {len(learning)} parameters that its net could learn are not its "
            f"optimizer's and will stay; if that is meant, freeze them with requires_grad_(False)",
            stacklevel=_check.outside(),
        )


def _must_not_share(players: Mapping[str, Player]) -> None:
    """Warn of parameters that two players move, each by an optimizer of its own."""
    owner: dict[int, str] = {}
    for name, player in players.items():
        held = {id(w) for group in player.optimizer.param_groups for w in group["params"] if w.requires_grad}
        if both := [owner[w] for w in held if w in owner]:
            warnings.warn(
                f"players {both[0]!r} and {name!r} both move {len(both)} parameters that their nets share, each by an "
                f"optimizer of its own",
                stacklevel=_check.outside(),
            )
        owner |= dict.fromkeys(held, name)


def _describe(optimizer: Optimizer) -> dict[str, Any]:
    """Class and hyperparameters, as a checkpoint compares them."""
    first, *others = [
        {
            k: v
            for k, v in group.items()
            if isinstance(v, int | float | bool | tuple | list) and k not in ("params", "lr")
        }
        for group in optimizer.param_groups
    ]
    rates = [g["lr"] for g in optimizer.param_groups]
    return {"class": type(optimizer).__name__, **first, "lr": rates, **({"groups": others} if others else {})}


@contextmanager
def _bar(steps: int | None, wanted: bool) -> Iterator[Callable[[], Any]]:
    """A progress bar's tick, where somebody watches; nothing is left of it when the play is over."""
    if not (wanted and _watched()):
        yield lambda: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=steps, leave=False, unit=" rounds") as bar:
        yield lambda: bar.update(1)


def _watched() -> bool:
    """Whether a person sees the output as it comes: a terminal, a Jupyter server's kernel, Colab or VS Code.
    A notebook executed by a build has none of these, so its page holds no trace of a bar."""
    live = "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ or "google.colab" in sys.modules
    return live or sys.stderr.isatty()


@contextmanager
def _interrupt_at_the_end_of_a_round() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until the round is whole, then raise it; a second Ctrl-C raises at once."""
    caught = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal caught
        caught = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: caught
    finally:
        signal.signal(signal.SIGINT, previous)
    if caught:
        raise KeyboardInterrupt
