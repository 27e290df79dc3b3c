"""Save a game and resume it exactly: one safetensors file per checkpoint, whole or absent, and never a pickle.

The file holds every network, the average, the optimizers' memory and the history as tensors, and in its header,
under "ganlib", a digest of everything and then, as JSON, the step, the settings of the game and the optimizers'
numbers. Equal games write equal bytes. The file is written to a temporary name and renamed, so that a crash in the
middle leaves the previous checkpoint untouched. What a game draws is keyed by (seed, step, player, turn), so no
generator's state has to be kept.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from . import compute

if TYPE_CHECKING:
    from .engine import Game

FORMAT = "ganlib checkpoint 1"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: missing, truncated, altered, of something else, or of other settings."""


def save(game: Game, folder: str | Path, name: str = "last") -> Path:
    """Write `folder`/`name`.safetensors, replacing an earlier one only when the new file is whole.

    Args:
        game: the game, between two rounds.
        folder: made if missing.
        name: of the file, without its ending.

    Returns:
        The path written. Where several processes play, only the first writes.

    Raises:
        OSError: the folder cannot be written or the disk is full; an earlier checkpoint is kept.
        TypeError: `watch` returned what JSON cannot hold (a tensor, a figure).
    """
    path = Path(folder) / f"{name}.safetensors"
    if compute.world()[0] > 0:
        return path  # the first process writes, for all
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in _state(game).items()}
    memory: dict[str, Any] = {}
    for player, optimizer in ((n, p.optimizer) for n, p in game.players.items()):
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{player}.{index}.{key}"] = value.detach().cpu().contiguous().clone()
                else:
                    memory[f"{player}.{index}.{key}"] = value
    for term, losses in game.history.losses.items():
        tensors[f"history.{term}"] = torch.tensor(losses, dtype=torch.float64)
    facts = {
        "format": FORMAT,
        "step": game.step,
        "seconds": game.history.seconds,
        "watched": game.history.watched,
        "optimizers": memory,
        "settings": game.settings,
    }
    _write(path, tensors, facts)
    return path


def resume(game: Game, folder: str | Path, name: str = "last") -> Game:
    """Put a game of the same settings into the state of `folder`/`name`.safetensors; play goes on from there.

    The number of processes may be another one: numbers then agree within rounding, not to the last bit.

    Raises:
        CheckpointError: the file is missing, truncated, altered or foreign, or its settings, names or shapes are
            not those of `game`; the message says which. The game is then as it was.
    """
    path = Path(folder) / f"{name}.safetensors"
    facts, tensors = load(path)
    mine = json.loads(json.dumps(game.settings))
    if facts["settings"].setdefault("processes", 1) != mine["processes"]:  # equal within rounding, and so allowed
        facts["settings"] |= {key: mine[key] for key in ("processes", "threads")}
    _same_settings(path, facts["settings"], mine)
    state = _state(game)
    _same_tensors(path, {k: v for k, v in tensors.items() if not k.startswith(("optimizer.", "history."))}, state)
    histories = {k.removeprefix("history."): v for k, v in tensors.items() if k.startswith("history.")}
    _whole_history(path, histories, game, facts["step"])
    memories = {n: _memory(path, n, p.optimizer, tensors, facts["optimizers"]) for n, p in game.players.items()}
    for player, memory in memories.items():  # everything has been checked: from here on the game changes
        optimizer = game.players[player].optimizer
        optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})
    with torch.no_grad():
        for key, value in state.items():
            value.copy_(tensors[key])
    game.step = facts["step"]
    game.history.losses = {key: value.tolist() for key, value in histories.items()}
    game.history.watched, game.history.seconds = facts["watched"], facts["seconds"]
    return game


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts (step, settings …) and tensors of a checkpoint, its digest checked. Runs no code of the file.

    Raises:
        CheckpointError: it is missing, truncated, altered, or not a checkpoint of ganlib.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            written, _, text = header.get("ganlib", "").partition(" ")
            digest = _digest(text, tensors)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    if "ganlib" not in header:
        raise CheckpointError(f"{path} is a safetensors file, but not a checkpoint of ganlib")
    if written != digest:
        raise CheckpointError(f"{path} was altered or damaged: its digest does not match its contents")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} has a header that is not JSON: {error}") from error
    _sound(path, facts)
    return facts, tensors


def _sound(path: Path, facts: Any) -> None:
    """Refuse facts that no game has written, by name."""
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path} has facts that are no mapping, but {type(facts).__name__}")
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {facts.get('format')!r}; this ganlib reads {FORMAT!r}")
    step, seconds, watched = (facts.get(key) for key in ("step", "seconds", "watched"))
    if type(step) is not int or step < 0:
        raise CheckpointError(f"{path}: step must be a whole number of at least 0, got {step!r}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise CheckpointError(f"{path}: seconds must be a finite number of at least 0, got {seconds!r}")
    if not isinstance(watched, list) or not all(isinstance(w, dict) and type(w.get("step")) is int for w in watched):
        raise CheckpointError(f"{path}: watched must be a list of mappings, each with its step")
    for key in ("optimizers", "settings"):
        if not isinstance(facts.get(key), dict):
            raise CheckpointError(f"{path}: {key} must be a mapping, got {type(facts.get(key)).__name__}")


def _state(game: Game) -> dict[str, Tensor]:
    """Every tensor of the networks, the average and further memory by name, sharing storage with the game."""
    state = {f"net.{n}.{k}": v for n, p in game.players.items() for k, v in p.net.state_dict().items()}
    if game.average is not None:
        state |= {f"average.{k}": v for k, v in game.average.state_dict().items()}
    for name, module in game.memory.items():
        state |= {f"memory.{name}.{k}": v for k, v in module.state_dict().items()}
    return state


def _write(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    try:
        text = json.dumps(facts)
    except TypeError as error:
        raise TypeError(f"watch must return numbers and text, for a checkpoint to keep: {error}") from None
    temporary = path.with_name(f".{path.name}.part")  # of a fixed name: what a killed process left is written over
    try:
        save_file(tensors, temporary, {"ganlib": f"{_digest(text, tensors)} {text}"})
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except SafetensorError as error:
        raise OSError(f"cannot write {path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _same_settings(path: Path, stored: Any, mine: Any, name: str = "") -> None:
    """Refuse the first setting that differs, by its name."""
    if isinstance(stored, dict) and isinstance(mine, dict):
        for key in sorted(stored.keys() | mine.keys()):
            _same_settings(path, stored.get(key), mine.get(key), f"{name}.{key}".lstrip("."))
    elif stored != mine:
        raise CheckpointError(f"{path} was saved under other settings: {name} was {stored!r}, now {mine!r}")


def _same_tensors(path: Path, stored: dict[str, Tensor], mine: dict[str, Tensor]) -> None:
    for key in sorted(stored.keys() | mine.keys()):
        if key not in mine:
            raise CheckpointError(f"{path} holds {key!r}, which this game does not have")
        if key not in stored:
            raise CheckpointError(f"{path} lacks {key!r}, which this game has")
        if stored[key].shape != mine[key].shape or stored[key].dtype != mine[key].dtype:
            raise CheckpointError(
                f"{path}: {key!r} is {stored[key].dtype} of shape {tuple(stored[key].shape)}, "
                f"in this game {mine[key].dtype} of shape {tuple(mine[key].shape)}"
            )


def _whole_history(path: Path, stored: dict[str, Tensor], game: Game, step: int) -> None:
    for name in game.players:
        if name not in stored:
            raise CheckpointError(f"{path} lacks the history of player {name!r}")
    for name, losses in stored.items():
        if name.partition(".")[0] not in {player.partition(".")[0] for player in game.players}:
            raise CheckpointError(f"{path} holds a history of {name!r}, which is no player of this game")
        if losses.dtype != torch.float64 or losses.shape != (step,):
            raise CheckpointError(
                f"{path}: the history of {name!r} must hold {step} float64 losses, one a round, "
                f"got {losses.dtype} of shape {tuple(losses.shape)}"
            )


def _memory(
    path: Path,
    player: str,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, Tensor],
    numbers: dict[str, Any],
) -> dict[int, dict[str, Any]]:
    """What an optimizer remembers of each of its parameters, as its `load_state_dict` wants it."""
    wanted = _memory_after_a_step(optimizer)
    state: dict[int, dict[str, Any]] = {}
    stored = {k.removeprefix("optimizer."): v for k, v in tensors.items() if k.startswith("optimizer.")} | numbers
    for full, value in stored.items():
        if not full.startswith(f"{player}."):
            continue
        index, _, entry = full.removeprefix(f"{player}.").partition(".")
        if not index.isdecimal() or entry not in wanted.get(int(index), {}):
            raise CheckpointError(f"{path} holds optimizer memory {full!r}, which this game does not have")
        mine = wanted[int(index)][entry]
        if _kind(value) != _kind(mine):
            raise CheckpointError(f"{path}: optimizer memory {full!r} is {_kind(value)}, in this game {_kind(mine)}")
        if isinstance(mine, Tensor):  # fused optimizers go through storage: the order there is to be the parameter's
            value = torch.empty_like(mine).copy_(value)
        state.setdefault(int(index), {})[entry] = value
    for number, entries in state.items():
        for entry in wanted[number].keys() - entries.keys():
            raise CheckpointError(f"{path} lacks optimizer memory '{player}.{number}.{entry}', which this game has")
    return state


def _memory_after_a_step(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Any]]:
    """What a copy of the optimizer remembers after a step along a gradient of zero: the form of all it ever does."""
    probe = copy.deepcopy(optimizer)
    for group in probe.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    probe.step()
    return probe.state_dict()["state"]


def _kind(value: Any) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
