r"""The one loop that plays every GAN: players take turns, each moving only its own network.

A round is Algorithm 1 of Goodfellow et al. (2014, https://arxiv.org/abs/1406.2661) with any number of
players: for each player, `turns` times, draw fresh reals and latents, compute what this player wants to
minimise, and step its optimizer. Everything drawn in a turn comes from a generator keyed by
(seed, step, player, turn), so a run that is stopped and resumed sees the same numbers as one that is not.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from . import compute
from ._check import all_finite, finite, positive_int

if TYPE_CHECKING:
    import pandas

#: (n, rng) -> reals, and their labels or the images to be translated into them, where there are any
Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None, Tensor | None]]


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
        rng: generator for whatever else a loss draws; one a turn, so that resuming is exact.
        inputs: what is to be translated, (N, …) float32, drawn together with `real`; None but for data of pairs.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    step: int
    progress: float
    rng: torch.Generator
    inputs: Tensor | None = None


@dataclass
class Player:
    """One side of the game. First built in chapter 5.

    Attributes:
        net: the parameters this player moves.
        loss: what it minimises, a function of a `Batch` returning a scalar tensor, or a mapping of named
            terms whose sum is minimised: the first is the loss proper, the others (a penalty …) stand in the
            history as "player.term".
        optimizer: steps the parameters of `net`, and must have been given those.
        turns: updates a round (Goodfellow's k for the discriminator).
        after: called with `net` after every update (weight clipping).
    """

    net: nn.Module
    loss: Callable[[Batch], Tensor | dict[str, Tensor]]
    optimizer: Optimizer
    turns: int = 1
    after: Callable[[nn.Module], None] | None = None

    def __post_init__(self) -> None:
        positive_int("turns", self.turns)
        if not callable(self.loss):
            raise TypeError(f"loss must be a function of a Batch, got {self.loss!r}")
        if isinstance(self.optimizer, type):
            raise TypeError(f"optimizer must be one that is made, {self.optimizer.__name__}(net.parameters(), …)")


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

    def frame(self) -> pandas.DataFrame:
        """The losses as a pandas frame: one row a round (index "step", from 1), one column a player."""
        import pandas

        return pandas.DataFrame(self.losses, index=pandas.RangeIndex(1, len(self) + 1, name="step"))


class Game:
    """Players, the data they play for, and the loop. First built in chapter 5.

    Args:
        players: name -> `Player`, in the order of their turns.
        data: a `data.Dataset`, `data.Pairs`, a density of `toys`, or a float tensor (N, …), float32 like the networks.
        generator: the player that makes samples.
        latent: numbers in z; by default what the generator says (`generator.latent`). 0 where nothing is drawn.
        batch: samples a turn, at most as many as the data hold; where several processes play, all of theirs together.
        seed: keys every random draw of the game. Initial weights are the networks' own affair.
        averaging: decay β of the exponential average of the generator's weights (with a ramp over the
            first rounds); None for no average. Samples come from the average.
        anneal: number of rounds over which learning rates fall along half a cosine to 2 % (and penalty
            weights of `games` to 0); play ends there. "seconds": they fall by the clock of a play of so many seconds.
            None keeps them constant.
        device: where to play; by default `compute.device()`.
        prior: `(n, rng)` -> z (n, latent), instead of the normal or uniform latent; `latent` follows from it.
        sampler: `(net, batch)` -> samples, where that is not `net(z)` or `net(z, labels)`; `net` is the generating
            player's, averaged or not. `batch.real` (and `batch.inputs`) are drawn for it from the data.
        memory: further modules whose parameters and buffers, of constant shape, a checkpoint keeps (image pools).
        settings: words and numbers that describe this game to a checkpoint; a run resumes only under the same.

    Attributes:
        players: name -> `Player`, as given.
        generator: the net of the player that makes samples.
        average: the averaged generator, or None without averaging.
        memory: the further modules, as given.
        step: rounds played so far.
        history: a `History` of them.
        data, batch, latent, seed, averaging, anneal, device: as given, defaults filled in.

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
        prior: Callable[[int, torch.Generator], Tensor] | None = None,
        sampler: Callable[[nn.Module, Batch], Tensor] | None = None,
        memory: Mapping[str, nn.Module] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(players, Mapping) or not players or not all(isinstance(p, Player) for p in players.values()):
            raise TypeError("players must be a mapping from names to at least one Player")
        if generator not in players:
            raise ValueError(f"generator={generator!r} is not a player; the players are: {', '.join(players)}")
        self.players = dict(players)
        self.device = compute._asked(device)
        self.batch = positive_int("batch", batch)
        self._rank, self._processes = compute.world()
        if self.batch % self._processes:
            raise ValueError(f"batch must be a multiple of the {self._processes} processes, got {batch}")
        self.seed = positive_int("seed", seed, minimum=0)
        self.anneal = anneal if anneal in (None, "seconds") else positive_int("anneal", anneal)
        self.averaging = averaging if averaging is None else finite("averaging", averaging, minimum=0.0)
        if self.averaging is not None and self.averaging >= 1:
            raise ValueError(f"averaging must be at least 0 and below 1, got {averaging}")
        self.generator: nn.Module = self.players[generator].net
        for name, player in self.players.items():
            _must_move(name, player)
        self._prior, self._sampler = prior, sampler
        self.latent = self._length_of_z(latent)
        self.memory = dict(memory or {})
        if self.memory and self._processes > 1:
            raise ValueError(
                f"memory ({', '.join(self.memory)}) cannot be shared by {self._processes} processes: use one"
            )
        for module in [*(p.net for p in self.players.values()), *self.memory.values()]:
            module.to(self.device)
        self.data = data
        dtype = next((w.dtype for w in self.generator.parameters()), torch.float32)
        self.data_name, self._draw_data = _drawer(data, self.batch, self.device, dtype)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval() if averaging is not None else None
        if self.average is not None:  # looked up once: to walk through the modules each round takes long
            self._averaged: list[Tensor] = list(self.average.parameters())
            self._current: list[Tensor] = list(self.generator.parameters())
            self._copied = list(zip(self.average.buffers(), self.generator.buffers(), strict=True))
        self.step = 0
        self.history = History({name: [] for name in self.players})
        self._fraction = 0.0  # of the seconds of a play
        self._rates = {name: [g["lr"] for g in p.optimizer.param_groups] for name, p in self.players.items()}
        self._own = {
            name: [w for w in dict.fromkeys(p.net.parameters()) if w.requires_grad] for name, p in self.players.items()
        }
        modules = [*(p.net for p in self.players.values()), *self.memory.values()]
        self._buffers = [b for module in modules for b in module.buffers()]
        self._drops = any(isinstance(m, _RANDOM_LAYERS) for p in self.players.values() for m in p.net.modules())
        try:
            json.dumps(dict(settings or {}))
        except TypeError as error:
            raise TypeError(f"settings must be words and numbers, for a checkpoint to keep: {error}") from None
        self.settings: dict[str, Any] = {
            "players": {n: {"turns": p.turns, "optimizer": _describe(p.optimizer)} for n, p in self.players.items()},
            "data": self.data_name,
            "batch": self.batch,
            "latent": self.latent,
            "seed": self.seed,
            "averaging": self.averaging,
            "anneal": self.anneal,
            "device": self.device.type,
            "threads": torch.get_num_threads() if self.device.type == "cpu" else None,
            "processes": self._processes,
            **(settings or {}),
        }

    def _length_of_z(self, asked: int | None) -> int:
        if self._prior is not None:
            z = self._prior(2, torch.Generator())
            if not isinstance(z, Tensor) or z.dim() != 2 or len(z) != 2 or asked not in (None, z.shape[1]):
                got = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
                wanted = "latent" if asked is None else asked
                raise ValueError(f"prior(n, rng) must return z of shape (n, {wanted}), got {got} for n = 2")
            return z.shape[1]
        found = getattr(self.generator, "latent", None) if asked is None else asked
        if found is None:
            raise ValueError(
                f"latent is missing: this generator, {type(self.generator).__name__}, has no attribute .latent "
                f"that says how long z is; give it one, or Game(latent=…)"
            )
        return positive_int("latent", found, minimum=0)

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

        Args:
            steps: rounds to play; either this or `seconds` must be given.
            seconds: instead of `steps`.
            progress: show a bar (it removes itself, so that nothing stays in a published page).
            every: call `watch` after each so many rounds (default: after each).
            watch: gets the game; what it returns, a mapping or None for nothing, is kept in `history.watched`.
            save: a folder that gets a checkpoint before the first round, after each `save_every` rounds, and at the
                end or on Ctrl-C; `resume` goes on from there.
            save_every: rounds between two checkpoints.
            best: one of the numbers that `watch` returns: where it is the lowest so far, the folder gets a
                checkpoint "best" too.

        Returns:
            The history of the whole game so far (also `game.history`).

        Raises:
            ValueError, TypeError: neither or both of `steps` and `seconds`, more steps than `anneal` leaves or steps
                where it follows the clock, another argument that is not as above, or a loss or `watch` that returns
                something else than it should.
            NonFiniteLoss: names the step and the player; parameters are the last good ones.
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
        for player in self.players.values():
            player.net.train()
        self._start_alike()
        if save is not None:
            self.save(save)
        first, saved, start, before = self.step, self.step, time.perf_counter(), self.history.seconds
        with _bar(steps, progress and self._rank == 0) as tick, _interrupt_at_the_end_of_a_round() as interrupted:
            while True:
                stopping, elapsed = compute.agree(interrupted(), time.perf_counter() - start, self.device)
                if stopping or (limit is not None and self.step - first >= limit):
                    break
                if seconds is not None:
                    if elapsed >= seconds:
                        break
                    self._fraction = (before + elapsed) / (before + seconds)
                self._round()
                tick()
                self.history.seconds = before + time.perf_counter() - start
                if watch is not None and self._rank == 0 and self.step % every == 0:
                    seen = watch(self)
                    if seen is not None:
                        if not isinstance(seen, Mapping):
                            raise TypeError(f"watch must return a mapping or None, got {type(seen).__name__}")
                        self.history.watched.append({"step": self.step, **seen})
                        if best is not None and save is not None and self._is_lowest(best):
                            self.save(save, "best")
                if save is not None and self.step % save_every == 0:
                    self.save(save)
                    saved = self.step
            if save is not None and saved != self.step:
                self.save(save)
            if stopping and not interrupted():
                raise KeyboardInterrupt  # another process was told to stop
        return self.history

    def _start_alike(self) -> None:
        """Where several processes play, all start from the weights of the first."""
        modules = [*(p.net for p in self.players.values()), *([] if self.average is None else [self.average])]
        compute.share([w.data for module in modules for w in [*module.parameters(), *module.buffers()]])

    def _is_lowest(self, name: str) -> bool:
        """Whether what was watched last is lower than ever before (NaN never is)."""
        *earlier, last = (seen.get(name, math.nan) for seen in self.history.watched)
        return last < min((value for value in earlier if not math.isnan(value)), default=math.inf)

    def _round(self) -> None:
        kept = [b.clone() for b in self._buffers]
        try:
            self._set_learning_rates()
            losses: dict[str, float] = {}
            for name, player in self.players.items():
                losses.update(self._turns(name, player))
        except NonFiniteLoss:
            for buffer, value in zip(self._buffers, kept, strict=True):
                buffer.copy_(value)
            raise
        if self.average is not None:
            self._update_average()
        for name in losses.keys() | self.history.losses.keys():  # a lazy term is 0 in the rounds that skip it
            self.history.losses.setdefault(name, [0.0] * self.step).append(losses.get(name, 0.0))
        self.step += 1

    def _set_learning_rates(self) -> None:
        factor = cosine(self.progress, end=0.02)
        for name, player in self.players.items():
            for group, rate in zip(player.optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor

    def _turns(self, name: str, player: Player) -> dict[str, float]:
        sums: dict[str, float] = {}
        for turn in range(player.turns):
            for w in self._own[name]:
                w.grad = None
            batch = self.draw(name, turn)
            with self._keyed_dropout(name, turn), compute.as_one(batch.rng, len(batch.real)):
                result = player.loss(batch)
            terms = result if isinstance(result, dict) else {"": result}
            if not terms or not all(isinstance(value, Tensor) and value.numel() == 1 for value in terms.values()):
                got = [f"shape {tuple(v.shape)}" if isinstance(v, Tensor) else type(v).__name__ for v in terms.values()]
                raise TypeError(
                    f"player {name!r}: its loss must return a scalar tensor, or a dict of scalar tensors, "
                    f"got {', '.join(got) or 'an empty dict'}"
                )
            for i, (term, value) in enumerate(zip(terms, compute.average(list(terms.values())), strict=True)):
                key = name if i == 0 else f"{name}.{term}"
                sums[key] = sums.get(key, 0.0) + self._finite(name, key, value.detach())
            loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
            loss.backward(inputs=self._own[name])  # the other players' parameters take no gradient
            moved = [w for w in self._own[name] if w.grad is not None]
            gradients = compute.average([w.grad for w in moved if w.grad is not None])
            if self._processes > 1:
                for w, gradient in zip(moved, gradients, strict=True):
                    w.grad = gradient
            if gradients:
                self._finite(name, "gradient", torch.stack(torch._foreach_norm(gradients)).norm())
            player.optimizer.step()
            if player.after is not None:
                player.after(player.net)
        return {key: total / player.turns for key, total in sums.items()}

    def _finite(self, player: str, what: str, value: Tensor) -> float:
        number = value.item()
        if not math.isfinite(number):
            raise NonFiniteLoss(
                f"step {self.step}, player {player!r}: the {what if what != player else 'loss'} is {number}; the game "
                f"stopped before using it and keeps its last good parameters. Try a smaller learning rate or a penalty"
                + (", and see that the data are finite." if self.step == 0 else ".")
            )
        return number

    def draw(self, player: str, turn: int = 0) -> Batch:
        """The batch that `player` sees in this turn of the coming round: a pure function of
        (seed, step, player, turn). Where several processes play, each draws it whole and sees its own rows."""
        rng = compute.generator(self.seed, self.step, player, turn)
        real, labels, inputs = self._draw_data(self.batch, rng)
        z = self.draw_latent(self.batch, rng)
        if self._processes > 1:
            own = compute.own_rows
            real, z = own(real), own(z)
            labels, inputs = None if labels is None else own(labels), None if inputs is None else own(inputs)
        return Batch(real, labels, z, self.step, self.progress, rng, inputs)

    def _keyed_dropout(self, player: str, turn: int) -> AbstractContextManager[None]:
        """Where a net has Dropout, which draws from torch's own generator: the same numbers for the same turn."""
        if not self._drops:
            return nullcontext()
        other = () if self._rank == 0 else (self._rank,)  # each process drops its own
        return _seeded(self.device, self.seed, self.step, player, turn, "dropout", *other)

    def draw_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """n latent vectors, (n, latent): from `prior`, else standard normal, or uniform on [−1, 1] where
        `generator.prior` says so."""
        if self._prior is not None:
            return self._prior(n, rng).to(self.device)
        if getattr(self.generator, "prior", "normal") == "uniform":
            return (torch.rand(n, self.latent, generator=rng) * 2 - 1).to(self.device)
        return torch.randn(n, self.latent, generator=rng).to(self.device)

    @property
    def progress(self) -> float:
        """Share of the schedule gone, 0 … 1; 0 where there is none."""
        if isinstance(self.anneal, int):
            return self.step / self.anneal
        return 0.0 if self.anneal is None else self._fraction

    @torch.no_grad()
    def _update_average(self) -> None:
        """β rises from 0 with the rounds, so that the first, bad weights are soon forgotten."""
        assert self.average is not None and self.averaging is not None
        beta = min(self.averaging, self.step / (self.step + 9))
        torch._foreach_lerp_(self._averaged, self._current, 1 - beta)
        for mine, theirs in self._copied:
            mine.copy_(theirs)

    # ---- using what was learned ----------------------------------------------------------------

    @property
    def discriminator(self) -> nn.Module:
        """The net of the player called "discriminator"."""
        if "discriminator" not in self.players:
            raise AttributeError(f"this game has no player 'discriminator'; its players are: {', '.join(self.players)}")
        return self.players["discriminator"].net

    @torch.no_grad()
    def sample(self, n: int, labels: Any = None, *, seed: int = 0, averaged: bool = True) -> Tensor:
        """n samples on the CPU, from the averaged generator (or the current one) in evaluation mode. A game that
        translates takes its inputs from the data.

        Args:
            n: how many.
            labels: for a conditional generator, one class or a sequence of classes, repeated to n;
                by default all classes in turn.
            seed: the same seed gives the same latents (and inputs).
            averaged: False for the generator as the last round left it.
        """
        positive_int("n", n)
        positive_int("seed", seed, minimum=0)
        asked = spread_labels(labels, n, getattr(self.generator, "classes", None))
        rng, data_rng, made = compute.generator(seed, "sample"), compute.generator(seed, "sample", "data"), []
        size = 512 if self._sampler is None else min(512, getattr(self.data, "__len__", lambda: 512)())
        for start in range(0, n, size):
            count = min(size, n - start)
            z = self.draw_latent(count, rng)
            real, inputs = z, None  # nobody looks at them
            if self._sampler is not None:
                real, _, inputs = self._draw_data(count, data_rng)
            given = None if asked is None else asked[start : start + count].to(self.device)
            made.append(self._made(Batch(real, given, z, self.step, self.progress, rng, inputs), averaged))
        return torch.cat(made)

    @torch.no_grad()
    def translate(self, inputs: Tensor, labels: Any = None, *, seed: int = 0, averaged: bool = True) -> Tensor:
        """What a game that translates makes of these images, on the CPU.

        Args:
            inputs: (N, …) float32 like the inputs of its data (images in [−1, 1]).
            labels, seed, averaged: as in `sample`.

        Raises:
            TypeError, ValueError: no float tensor, or this game makes its samples from latents alone.
        """
        if self._sampler is None:
            raise ValueError("this game makes its samples from latents alone: use sample(n)")
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.dim() < 2 or not len(inputs):
            got = f"{inputs.dtype} {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else type(inputs).__name__
            raise TypeError(f"inputs must be a float tensor (N, …) with N > 0, got {got}")
        asked = spread_labels(labels, len(inputs), getattr(self.generator, "classes", None))
        rng, made = compute.generator(positive_int("seed", seed, minimum=0), "sample"), []
        for start in range(0, len(inputs), 512):
            x = inputs[start : start + 512].to(self.device)
            given = None if asked is None else asked[start : start + 512].to(self.device)
            z = self.draw_latent(len(x), rng)
            made.append(self._made(Batch(x, given, z, self.step, self.progress, rng, x), averaged))
        return torch.cat(made)

    def _made(self, batch: Batch, averaged: bool) -> Tensor:
        """Samples for this batch, from the net in evaluation mode."""
        net = self.average if averaged and self.average is not None else self.generator
        was_training = net.training
        net.eval()
        try:
            if self._sampler is not None:
                return self._sampler(net, batch).float().cpu()
            return net(batch.z, *(() if batch.labels is None else (batch.labels,))).float().cpu()
        finally:
            net.train(was_training)

    # ---- keeping it ----------------------------------------------------------------------------

    def save(self, folder: str | Path, name: str = "last") -> Path:
        """Write everything an exact resume needs to `folder`/`name`.safetensors; see `checkpoint.save`."""
        from . import checkpoint

        return checkpoint.save(self, folder, name)

    def resume(self, folder: str | Path, name: str = "last") -> Game:
        """Go on from a checkpoint of the same game as if it had never stopped; see `checkpoint.resume`."""
        from . import checkpoint

        return checkpoint.resume(self, folder, name)


def spread_labels(labels: Any, n: int, classes: int | None) -> Tensor | None:
    """One label per sample, (n,) int64: `labels` repeated to n; all classes in turn if None.

    Returns None for an unconditional generator (`classes` None), which takes no labels.
    """
    if classes is None:
        if labels is not None:
            raise ValueError("labels were given, but this generator is not conditional (its .classes is None)")
        return None
    try:
        asked = torch.arange(classes) if labels is None else torch.as_tensor(labels).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"labels must be whole numbers from 0 to {classes - 1}, got {labels!r}") from error
    if asked.numel() == 0 or asked.is_floating_point() or asked.dtype == torch.bool:
        raise ValueError(f"labels must be whole numbers, at least one of them, got {labels!r}")
    if asked.min() < 0 or asked.max() >= classes:
        raise ValueError(f"labels must lie in 0 … {classes - 1}, got {sorted(set(asked.tolist()))}")
    return asked.long().repeat(math.ceil(n / len(asked)))[:n]


def cosine(progress: float, end: float = 0.0) -> float:
    """1 at progress 0, `end` at progress 1, along half a cosine (Loshchilov and Hutter 2017, eq. 5).

    First built in chapter 13.
    """
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


#: Layers that draw from torch's own generator when they train.
_RANDOM_LAYERS = (nn.modules.dropout._DropoutNd, nn.RReLU)


@contextmanager
def _seeded(device: torch.device, *key: int | str) -> Iterator[None]:
    """torch's own generators as a pure function of this key, and afterwards as they were."""
    places = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(places, device_type="cuda" if device.type == "cpu" else device.type):
        torch.manual_seed(compute.generator(*key).initial_seed())
        yield


def _must_move(name: str, player: Player) -> None:
    """Refuse an optimizer that moves another player's parameters, or none of this one's."""
    own = {id(w) for w in player.net.parameters()}
    held = [id(w) for group in player.optimizer.param_groups for w in group["params"]]
    foreign = sum(w not in own for w in held)
    if foreign:
        raise ValueError(
            f"player {name!r}: {foreign} of the {len(held)} parameters of its optimizer are not its net's; "
            f"make it of net.parameters()"
        )


def _drawer(data: Any, batch: int, device: torch.device, dtype: torch.dtype) -> tuple[str, Draw]:
    """A name for the data, and the function that draws a batch of them onto `device`."""
    if isinstance(data, Tensor):
        if data.ndim < 2 or not data.is_floating_point() or len(data) == 0:
            raise ValueError(
                f"data must be a float tensor (N, …) with N > 0, got {data.dtype} of shape {tuple(data.shape)}"
            )
        if data.dtype != dtype:
            raise TypeError(f"data must be {dtype} like the generator's parameters, got {data.dtype}")
        all_finite("data", data)
        here = data.to(device)

        def draw_rows(n: int, rng: torch.Generator) -> tuple[Tensor, None, None]:
            return here[torch.randint(len(here), (n,), generator=rng).to(device)], None, None

        _enough(len(data), batch)
        return f"tensor {tuple(data.shape)}", draw_rows
    if hasattr(data, "draw_pair"):
        pairs = data.to(device)

        def draw_pairs(n: int, rng: torch.Generator) -> tuple[Tensor, None, Tensor]:
            real, inputs = pairs.draw_pair(n, rng)
            return real, None, inputs

        _enough(len(data), batch)
        return f"{data.name} ({len(data)} pairs)", draw_pairs
    if hasattr(data, "draw"):
        moved = data.to(device)

        def draw_labelled(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor | None, None]:
            return *moved.draw(n, rng), None

        _enough(len(data), batch)
        return f"{data.name} ({len(data)})", draw_labelled
    if hasattr(data, "sample"):

        def draw_density(n: int, rng: torch.Generator) -> tuple[Tensor, None, None]:
            return data.sample(n, rng).to(device), None, None

        return str(getattr(data, "name", type(data).__name__)), draw_density
    named = ": for a set by its name, ganlib.recipes.load_data(name)" if isinstance(data, str) else ""
    raise TypeError(
        f"data must be a ganlib.data.Dataset, a density of ganlib.toys or a float tensor, "
        f"got {type(data).__name__}{named}"
    )


def _enough(n: int, batch: int) -> None:
    if batch > n:
        raise ValueError(f"batch must be at most the {n} samples of the data, got {batch}")


def _describe(optimizer: Optimizer) -> dict[str, Any]:
    """Class and hyperparameters, as a checkpoint compares them."""
    group = {k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, int | float | bool | tuple | list)}
    rates = [g["lr"] for g in optimizer.param_groups]
    return {"class": type(optimizer).__name__, **{k: v for k, v in group.items() if k != "params"}, "lr": rates}


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
