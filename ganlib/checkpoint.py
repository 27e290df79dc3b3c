"""Save a game and resume it exactly: one safetensors file per checkpoint, whole or absent, and never a pickle.

The file holds every network, the average, the optimizers' memory and the history as tensors, and in its header,
under "ganlib", a digest of everything and then, as JSON, the step, the settings of the game, the optimizers' and
schedulers' numbers, and a description of the generator, by which `ganlib.load` makes it again without the game. Equal
games write equal bytes. The file is written to a temporary name and renamed, so that a crash in the middle leaves the
previous checkpoint untouched. What a game draws is keyed by (seed, step, player, turn), so no generator's state has to
be kept.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import inspect
import json
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ._check import finite, outside
from .distributed import world

if TYPE_CHECKING:
    from .engine import Game

FORMAT = "ganlib checkpoint 2"
GENERATOR = "ganlib generator 1"


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
        FileExistsError: it is there and neither written by this game nor resumed.
        OSError: the folder cannot be written or the disk is full; an earlier checkpoint is kept.
        TypeError: `watch` returned what JSON cannot hold (a tensor, a figure).
    """
    path = Path(folder) / f"{name}.safetensors"
    if world()[0] > 0:
        return path  # the first process writes, for all
    must_be_free(game, folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = dict(state(game))
    memory: dict[str, Any] = {}
    for player, optimizer in ((n, p.optimizer) for n, p in game.players.items()):
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{player}.{index}.{key}"] = value
                else:
                    memory[f"{player}.{index}.{key}"] = value
    for term, losses in game.history.losses.items():
        tensors[f"history.{term}"] = torch.tensor(losses, dtype=torch.float64)
    now = hidden(game)
    facts = {
        "format": FORMAT,
        "step": game.step,
        "round": game.unfinished,
        "seconds": game.history.seconds,
        "terms": list(game.history.losses),
        "watched": game.history.watched,
        "optimizers": memory,
        "rates": {n: [_plain(group) for group in p.optimizer.param_groups] for n, p in game.players.items()},
        "schedulers": {n: p.scheduler.state_dict() for n, p in game.players.items() if p.scheduler is not None},
        "scalers": {n: scaler.state_dict() for n, scaler in game.scalers.items()},
        "frozen": {n: [k for k, w in p.net.named_parameters() if not w.requires_grad] for n, p in game.players.items()},
        "resting": {n: _resting(p.net) for n, p in game.players.items()},
        "settings": game.settings,
        "hidden": now,
        "moved": _moved(game, now),
        "generator": {"player": game.generating, **game.snapshot().describe()},
    }
    write(path, tensors, facts)
    game.folders.add(path.parent.resolve())
    return path


def must_be_free(game: Game, folder: str | Path, *names: str) -> None:
    """Refuse a folder that holds a checkpoint of these names which this game has neither written nor resumed."""
    if world()[0] > 0 or Path(folder).resolve() in game.folders:
        return
    for path in (Path(folder) / f"{name}.safetensors" for name in names):
        if path.exists():
            raise FileExistsError(
                f"{path} is of another run, which this game would replace: go on with it by game.resume"
                f"({str(folder)!r}), save to another folder, or delete it"
            )


#: Settings of the machine, not of the game: under others its numbers agree within rounding only.
_OF_THE_MACHINE = ("device", "threads", "precision")
_ELSEWHERE = (*_OF_THE_MACHINE, "data_digest")
"""And what `elsewhere` forgives: a picture, say, is decoded otherwise by another library."""


def resume(
    game: Game,
    folder: str | Path,
    name: str = "last",
    *,
    elsewhere: bool = False,
    lr: float | Mapping[str, float] | None = None,
) -> Game:
    """Put a game of the same settings into the state of `folder`/`name`.safetensors; play goes on from there.

    The number of processes may be another one: numbers then agree within rounding, not to the last bit.

    Args:
        game: made like the one that was saved.
        folder: of the run.
        name: of the file, without its ending.
        elsewhere: go on where the run was not made, on another device or number of threads or in another precision,
            or with data of the same name and shape whose numbers differ (of data sets of torch, loaders and sources of
            one's own only name and number are known). It is then not exact any more, and says so in a warning.
        lr: go on at this learning rate, or at these, by player, instead of those the run had. It is that of the first
            of several groups of parameters; the others keep their ratio to it.

    Raises:
        CheckpointError: the file is missing, truncated, altered or foreign, or its settings, names or shapes are
            not those of `game`; the message says which. The game is then as it was.
    """
    path = Path(folder) / f"{name}.safetensors"
    facts, tensors = load(path)
    if facts["format"] != FORMAT:
        raise CheckpointError(f"{path} is a generator alone, no game: ganlib.load reads it")
    stored, mine = facts["settings"], json.loads(json.dumps(game.settings))
    rates, seats = _rates(game, lr), stored.get("players", {})
    if rates:
        for player in seats.keys() & mine["players"].keys():
            for optimizer in (seats[player]["optimizer"], mine["players"][player]["optimizer"]):
                optimizer.pop("lr", None)
    for player, seat in mine["players"].items():
        if "groups" not in seats.get(player, {}).get("optimizer", {}):  # of an older checkpoint
            seat["optimizer"].pop("groups", None)
    stored.setdefault("data_digest", mine["data_digest"])  # not in older checkpoints
    if stored.setdefault("processes", 1) != mine["processes"]:  # equal within rounding, and so allowed
        stored |= {key: mine[key] for key in ("processes", "threads")}
    moved = [
        f"{key} was {stored.get(key)!r}, now {mine[key]!r}" for key in _OF_THE_MACHINE if stored.get(key) != mine[key]
    ]
    if stored["data_digest"] != mine["data_digest"]:
        moved.append(f"other data: {mine['data']} of other numbers than the run was played on")
    if elsewhere:
        stored |= {key: mine[key] for key in _ELSEWHERE}
    elif moved and not differences(stored | {key: mine[key] for key in _ELSEWHERE}, mine):
        raise CheckpointError(
            f"{path} was made elsewhere: {', '.join(moved)}. resume(…, elsewhere=True), or --elsewhere, goes on here, "
            f"with numbers that agree within rounding only, or as far as the data do"
        )
    if different := differences(stored, mine):
        raise CheckpointError(f"{path} was saved under other settings: {different[0]}")
    kept_by_nobody = _compare_hidden(path, facts, game)
    now = state(game)
    same_tensors(path, {k: v for k, v in tensors.items() if not k.startswith(("optimizer.", "history."))}, now)
    histories = {k.removeprefix("history."): v for k, v in tensors.items() if k.startswith("history.")}
    _whole_history(path, histories, game, facts)
    memories = {n: _memory(path, n, p.optimizer, tensors, facts["optimizers"]) for n, p in game.players.items()}
    groups = {n: _groups(path, n, p.optimizer, facts["rates"]) for n, p in game.players.items()}
    for player in game.players.keys() - {n for n, p in game.players.items() if p.scheduler is None}:
        if player not in facts["schedulers"]:
            raise CheckpointError(f"{path} was saved without a scheduler of player {player!r}")
    for player, seat in game.players.items():  # everything has been checked: from here on the game changes
        seat.optimizer.load_state_dict({"state": memories[player], "param_groups": groups[player]})
        if seat.scheduler is not None:
            seat.scheduler.load_state_dict(_like(facts["schedulers"][player], seat.scheduler.state_dict()))
        for key, w in seat.net.named_parameters():
            w.requires_grad_(key not in facts["frozen"].get(player, ()))
        for key, module in seat.net.named_modules():
            module.training = key not in facts["resting"].get(player, ())
        first = float(seat.optimizer.param_groups[0].get("initial_lr", seat.optimizer.param_groups[0]["lr"]))
        for group in seat.optimizer.param_groups if player in rates else ():
            group["lr"] = group["initial_lr"] = rates[player] * float(group.get("initial_lr", group["lr"])) / first
    with torch.no_grad():
        for key, value in now.items():
            value.copy_(tensors[key])
    for player, scaler in game.scalers.items():
        scaler.load_state_dict(facts["scalers"].get(player, {}))
    game.step, game.unfinished = facts["step"], facts["round"]
    game.folders.add(path.parent.resolve())
    game.history.losses = {key: histories[key].tolist() for key in sorted(histories, key=facts["terms"].index)}
    game.history.watched, game.history.seconds = facts["watched"], facts["seconds"]
    if not game.source.exact:
        warnings.warn(
            f"data {game.source.name} draw in an order of their own: going on is not exact", stacklevel=outside()
        )
    for line in kept_by_nobody:
        warnings.warn(f"{line}: it changed while the game was played, and is not kept with a run", stacklevel=outside())
    if elsewhere and moved:
        warnings.warn(f"going on elsewhere, not exactly: {', '.join(moved)}", stacklevel=outside())
    return game


def hidden(game: Game) -> dict[str, Any]:
    """What the parts of a game are set to within, by name: the class and the plain attributes of each module of a
    network, a loss or the memory (p of a Dropout …), the numbers that a loss closes over, and those of a scheduler."""
    found: dict[str, Any] = {}
    seen = {id(module) for player in game.players.values() for module in player.net.modules()}
    for name, player in game.players.items():
        found |= _attributes(f"{name}.net", player.net)
        for key, part in _closed_over(player.loss).items():
            if isinstance(part, torch.nn.Module) and id(part) not in seen:
                seen.add(id(part))
                found |= _attributes(f"{name}.loss{key}", part)
            elif type(part) in (int, float):  # a flag is no hyperparameter
                found[f"{name}.loss{key}"] = part
        if player.scheduler is not None:
            found |= _leaves(f"{name}.scheduler", player.scheduler.state_dict())
    for name, module in game.memory.items():
        found |= _attributes(f"memory.{name}", module)
    return {key: value for key, value in json.loads(json.dumps(found)).items() if value == value}


def _attributes(root: str, net: torch.nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, module in net.named_modules():
        at = f"{root}.{name}" if name else root
        plain = {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training" and _is_plain(v)}
        unsaved = {k: b for k, b in module.named_buffers(recurse=False) if k in module._non_persistent_buffers_set}
        plain |= {k: b.tolist() for k, b in unsaved.items() if b.numel() <= 16}  # a count, a rate
        found |= {f"{at}.class": type(module).__name__, **{f"{at}.{k}": v for k, v in plain.items()}}
    return found


def _is_plain(value: Any) -> bool:
    return all(map(_is_plain, value)) if isinstance(value, tuple) else isinstance(value, bool | int | float | str)


def _closed_over(loss: Any) -> dict[str, Any]:
    """A module that is the loss or whose method it is, by the name ""; what a function closes over, by its names."""
    owner = getattr(loss, "__self__", loss)
    if isinstance(owner, torch.nn.Module):
        return {"": owner}
    found: dict[str, Any] = {}
    if inspect.isfunction(loss):
        for name, cell in zip(loss.__code__.co_freevars, loss.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a name that is bound later, such as the game
                found[f".{name}"] = cell.cell_contents
    return found


def _leaves(name: str, value: Any) -> dict[str, Any]:
    """The plain values of nested mappings and lists."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, inner in items for k, v in _leaves(f"{name}.{key}", inner).items()}
    return {name: value} if _is_plain(value) else {}


def _moved(game: Game, now: dict[str, Any]) -> list[str]:
    """What is not as it was when the game was made, or first played."""
    return [key for key, value in now.items() if game.made.setdefault(key, value) != value]


def _compare_hidden(path: Path, facts: dict[str, Any], game: Game) -> list[str]:
    """Refuse what is set otherwise within a part; what moved in play is returned where no scheduler keeps it."""
    stored, mine = facts.get("hidden", {}), hidden(game)
    free = {*facts.get("moved", ()), *_moved(game, mine)}
    shared = {k for k in stored.keys() & mine.keys() if stored[k] != mine[k]}
    built = {k for k in stored.keys() ^ mine.keys() if k.endswith(".class")} if stored else set()
    for key in sorted((shared | built) - free):
        raise CheckpointError(f"{path} was saved under other settings: {_of(key, stored, mine)}")
    return [f"{path}: {_of(key, stored, mine)}" for key in sorted(shared & free) if ".scheduler." not in key]


def _of(key: str, stored: dict[str, Any], mine: dict[str, Any]) -> str:
    return f"{key} was {stored.get(key)!r}, now {mine.get(key)!r}"


def _resting(net: torch.nn.Module) -> list[str]:
    """The names of the modules in evaluation mode, within a network that trains."""
    return [name for name, module in net.named_modules() if not module.training] if net.training else []


def _rates(game: Game, lr: float | Mapping[str, float] | None) -> dict[str, float]:
    if lr is None:
        return {}
    rates = dict(lr) if isinstance(lr, Mapping) else dict.fromkeys(game.players, lr)
    for player, rate in rates.items():
        if player not in game.players:
            raise ValueError(f"lr names no player {player!r}; the players are: {', '.join(game.players)}")
        if game.players[player].scheduler is not None:
            raise ValueError(f"lr={rate!r} of player {player!r} would be undone by its scheduler, which sets its rates")
        if finite("lr", rate) <= 0:
            raise ValueError(f"lr must be above 0, got {rate}")
    return rates


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a parameter group, without its parameters."""
    return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in group.items() if k != "params"}


def _groups(path: Path, player: str, optimizer: torch.optim.Optimizer, stored: dict[str, Any]) -> list[dict[str, Any]]:
    """The optimizer's groups with the numbers of the file, as its `load_state_dict` wants them."""
    mine = optimizer.state_dict()["param_groups"]
    if len(stored.get(player, ())) != len(mine):
        raise CheckpointError(
            f"{path}: the optimizer of {player!r} had {len(stored.get(player, ()))} groups, now {len(mine)}"
        )
    return [
        {**_like(numbers, group), "params": group["params"]}
        for group, numbers in zip(mine, stored[player], strict=True)
    ]


def _like(value: Any, template: Any) -> Any:
    """What JSON made of a value, with the types of this template: tuples, counters, keys that are numbers."""
    if isinstance(value, dict):
        names = {str(k): k for k in template} if isinstance(template, dict) else {}
        known = {names.get(k, k): _like(v, template.get(names.get(k, k)) if names else None) for k, v in value.items()}
        return type(template)(known) if isinstance(template, dict) else known
    if isinstance(value, list) and isinstance(template, list | tuple):
        padded = [*template, *[None] * len(value)]
        return type(template)(_like(v, t) for v, t in zip(value, padded, strict=False))
    return torch.as_tensor(value).to(template) if isinstance(template, Tensor) else value


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts (step, settings …) and tensors of a checkpoint, its digest checked. Runs no code of the file.

    Raises:
        CheckpointError: it is missing, truncated, altered, or not a checkpoint of ganlib.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    if not os.access(path, os.R_OK):
        raise CheckpointError(f"{path} may not be read: its mode or its owner forbids it")
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
    if facts.get("format") == GENERATOR:
        return
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {facts.get('format')!r}; this ganlib reads {FORMAT!r}")
    step, seconds, watched = (facts.get(key) for key in ("step", "seconds", "watched"))
    if type(step) is not int or step < 0:
        raise CheckpointError(f"{path}: step must be a whole number of at least 0, got {step!r}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise CheckpointError(f"{path}: seconds must be a finite number of at least 0, got {seconds!r}")
    if not isinstance(watched, list) or not all(isinstance(w, dict) and type(w.get("step")) is int for w in watched):
        raise CheckpointError(f"{path}: watched must be a list of mappings, each with its step")
    for key in ("round", "optimizers", "rates", "schedulers", "scalers", "frozen", "resting", "settings", "generator"):
        if not isinstance(facts.get(key), dict):
            raise CheckpointError(f"{path}: {key} must be a mapping, got {type(facts.get(key)).__name__}")
    if not isinstance(facts.get("hidden", {}), dict) or not isinstance(facts.get("moved", []), list):
        raise CheckpointError(f"{path}: hidden must be a mapping, and moved a list")
    begun = facts["round"]
    if begun and not (type(begun.get("turns")) is int and isinstance(begun.get("losses"), dict)):
        raise CheckpointError(f"{path}: round must be empty, or turns and losses, got {begun!r}")


def state(game: Game) -> dict[str, Tensor]:
    """Every tensor of the networks, the average and further memory by name, sharing storage with the game."""
    found = {f"net.{n}.{k}": v for n, p in game.players.items() for k, v in p.net.state_dict().items()}
    if game.average is not None:
        found |= {f"average.{k}": v for k, v in game.average.state_dict().items()}
    for name, module in game.memory.items():
        found |= {f"memory.{name}.{k}": v for k, v in module.state_dict().items()}
    return found


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (plain JSON) as one file, whole or not at all, with the mode that the umask gives."""
    try:
        text = json.dumps(facts)
    except TypeError as error:
        raise TypeError(f"watch must return numbers and text, for a checkpoint to keep: {error}") from None
    held = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    temporary = path.with_name(f".{path.name}.part")  # of a fixed name: what a killed process left is written over
    try:
        save_file(held, temporary, {"ganlib": f"{_digest(text, held)} {text}"})
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
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


def differences(stored: Any, mine: Any, name: str = "") -> list[str]:
    """The settings that differ, in words."""
    if isinstance(stored, dict) and isinstance(mine, dict):
        keys = sorted(stored.keys() | mine.keys())
        return [line for k in keys for line in differences(stored.get(k), mine.get(k), f"{name}.{k}".lstrip("."))]
    return [] if stored == mine else [f"{name} was {stored!r}, now {mine!r}"]


def same_tensors(
    path: Path, stored: Mapping[str, Tensor], mine: Mapping[str, Tensor], owner: str = "this game"
) -> None:
    """Refuse the first tensor that is missing or of another form, by its name."""
    for key in sorted(stored.keys() | mine.keys()):
        if key not in mine:
            raise CheckpointError(f"{path} holds {key!r}, which {owner} does not have")
        if key not in stored:
            raise CheckpointError(f"{path} lacks {key!r}, which {owner} has")
        if stored[key].shape != mine[key].shape or stored[key].dtype != mine[key].dtype:
            raise CheckpointError(
                f"{path}: {key!r} is {stored[key].dtype} of shape {tuple(stored[key].shape)}, "
                f"in {owner} {mine[key].dtype} of shape {tuple(mine[key].shape)}"
            )


def _whole_history(path: Path, stored: dict[str, Tensor], game: Game, facts: dict[str, Any]) -> None:
    step, terms = facts["step"], facts.get("terms")
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
    if not isinstance(terms, list) or sorted(map(str, terms)) != sorted(stored):
        raise CheckpointError(f"{path}: terms must name the histories that are there, got {terms!r}")


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
