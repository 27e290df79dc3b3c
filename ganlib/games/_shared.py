"""What every game needs: the options, the table at which its players sit, penalties, and Adam."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .. import compute, losses, penalties
from .._check import finite, one_of
from ..engine import Batch, Game, Player, cosine
from ..nets._base import _full_precision
from ..penalties import Penalty

Terms = Tensor | dict[str, Tensor]


class Options(TypedDict, total=False):
    """What every game can be told, by name; the defaults are those of `gan`, unless the game says otherwise.

    Attributes:
        batch: samples a turn, at most as many as the data hold.
        lr: learning rate of Adam, or a pair (generator's, discriminator's); an encoder learns like the generator.
        betas: Adam's β₁ and β₂.
        seed: keys every draw of data and latents.
        averaging: decay of the generator's average, None for none.
        anneal: rounds over which learning rates fall to 2 % and penalty weights to 0, along half a cosine; "seconds":
            they fall by the clock of a play of so many seconds.
        device: where to play; by default `compute.device()`.
        precision: "fp32" or "bf16"; by default what `compute.precision` finds for the device.
    """

    batch: int
    lr: float | tuple[float, float]
    betas: tuple[float, float]
    seed: int
    averaging: float | None
    anneal: int | str | None
    device: torch.device | str | None
    precision: str | None


class _Table:
    """What the players of one game share: where and how precisely they compute, learning rates, and what `Game` takes.

    Args:
        options: what the caller of the game asked for.
        defaults: of this game, where they are not those of `gan`.
    """

    def __init__(self, options: Options, defaults: Options | None = None) -> None:
        for name in options:
            one_of("option", name, Options.__annotations__)
        common = Options(batch=64, lr=2e-4, betas=(0.5, 0.999), seed=0, averaging=0.995, anneal=None)
        self.asked: Options = {**common, **(defaults or {}), **options}
        self.place, self.precision = _place(options.get("device"), options.get("precision"))
        self.lr_generator, self.lr_discriminator = _rates(self.asked["lr"])

    def run(self, net: Callable[..., Any], *arguments: Tensor) -> Any:
        """What a network makes of its arguments, a tensor or a tuple of them, in the game's precision."""
        with compute.autocast(self.place, self.precision):
            out = net(*arguments)
        return tuple(map(_full_precision, out)) if isinstance(out, tuple) else _full_precision(out)

    @torch.no_grad()
    def frozen(self, net: Callable[..., Any], *arguments: Tensor) -> Any:
        """The same without gradients."""
        return self.run(net, *arguments)

    def making(self, net: nn.Module, loss: Callable[[Batch], Terms]) -> Player:
        """A player that learns at the generator's rate."""
        return Player(net, loss, _adam(net, self.lr_generator, self.asked["betas"], self.place))

    def game(
        self, name: str, players: Mapping[str, Player], data: Any, settings: Mapping[str, Any], **more: Any
    ) -> Game:
        """The game; `settings` describe it to a checkpoint, `more` are further arguments of `Game`."""
        described = {"game": name, **settings, "precision": self.precision}
        return Game(
            players,
            data,
            batch=self.asked["batch"],
            seed=self.asked["seed"],
            averaging=self.asked["averaging"],
            anneal=self.asked["anneal"],
            device=self.place,
            settings=described,
            **more,
        )


class _Contest(_Table):
    """A table with an adversarial loss and penalties; the generator's only where the game has a place for them."""

    def __init__(
        self,
        loss: str | losses.Loss,
        penalty: str | Penalty | Sequence[str | Penalty],
        options: Options,
        defaults: Options | None = None,
        players: tuple[str, ...] = ("discriminator",),
    ) -> None:
        self.rule, self.due = _of_all(losses.get(loss)), _due(penalty, players)
        super().__init__(options, defaults)

    def penalties(
        self,
        critic: Callable[[Tensor], Tensor],
        real: Tensor,
        fake: Tensor,
        batch: Batch,
        player: str = "discriminator",
    ) -> dict[str, Tensor]:
        """This player's penalties due in this round by name; a lazy one counts for the rounds it skips."""
        terms: dict[str, Tensor] = {}
        for p in self.due:
            if p.player == player and batch.step % p.every == 0:
                value = p.every * cosine(batch.progress) * p.function(critic, real, fake, batch.rng)
                terms[p.name] = terms[p.name] + value if p.name in terms else value
        return terms

    def judging(self, net: nn.Module, loss: Callable[[Batch], Terms], turns: int) -> Player:
        """A player that learns at the discriminator's rate, and after whose updates penalties may project."""
        _warn_of_batch_norm(net, self.due)

        def after(net: nn.Module) -> None:
            for p in self.due:
                if p.project is not None:
                    p.project(net)

        return Player(net, loss, _adam(net, self.lr_discriminator, self.asked["betas"], self.place), turns, after)

    def game(
        self, name: str, players: Mapping[str, Player], data: Any, settings: Mapping[str, Any], **more: Any
    ) -> Game:
        """The game; its loss and penalties stand in its settings, and what penalties remember in its memory."""
        adversarial = {"loss": self.rule.name, "penalty": [str(p) for p in self.due]}
        kept = {f"penalty{i}": p.function for i, p in enumerate(self.due) if isinstance(p.function, nn.Module)}
        more["memory"] = {**kept, **(more.get("memory") or {})}
        return super().game(name, players, data, {**adversarial, **settings}, **more)


def _place(device: torch.device | str | None, precision: str | None) -> tuple[torch.device, str]:
    """The device and the precision that are asked for, or what `compute` finds."""
    place = compute._asked(device)
    precision = compute.precision(place) if precision is None else precision
    one_of("precision", precision, compute.PRECISIONS)
    return place, precision


def _rates(lr: float | tuple[float, float]) -> tuple[float, float]:
    """One learning rate for all, or (generator's, discriminator's), as two."""
    if isinstance(lr, list) or (isinstance(lr, tuple) and len(lr) != 2):
        raise ValueError(f"lr must be one number, or a tuple of two (generator's, discriminator's), got {lr}")
    return lr if isinstance(lr, tuple) else (lr, lr)


def _of_all(rule: losses.Loss) -> losses.Loss:
    """The loss of the logits of all processes together, whose averages are not those of each process's own."""
    if compute.world()[1] == 1:
        return rule

    def generator(real: Tensor | None, fake: Tensor) -> Tensor:
        return rule.generator(None if real is None else compute.gather(real), compute.gather(fake))

    return replace(
        rule,
        discriminator=lambda real, fake: rule.discriminator(compute.gather(real), compute.gather(fake)),
        generator=generator,
    )


def _due(penalty: str | Penalty | Sequence[str | Penalty], players: tuple[str, ...]) -> list[Penalty]:
    """One or several penalties, by name or made, as a list; all of them on the losses of these players."""
    if not isinstance(penalty, str | Penalty | Iterable):
        raise TypeError(
            f"penalty must be a name, a Penalty such as penalties.r1(), or a sequence of them (empty for none), "
            f"got {penalty!r}"
        )
    asked = (penalty,) if isinstance(penalty, str | Penalty) else tuple(penalty)
    due = [p for p in map(penalties.get, asked) if p is not None]
    for p in due:
        if p.player not in players:
            raise ValueError(
                f"penalty {p.name} is one of the {p.player}'s loss, and this game takes only those of: "
                f"{', '.join(players)}"
            )
    return due


def _known(game: str, options: Mapping[str, Any], play: Callable[..., Game], *own: str) -> None:
    """Refuse an option that `play`, which this game is made with, does not take, or that the game itself sets."""
    taken = [name for name, p in inspect.signature(play).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        one_of(f"{game} option", name, [option for option in taken if option not in own])


def _warn_of_batch_norm(net: nn.Module, due: Iterable[Penalty]) -> None:
    """A slope at each sample is not defined where each logit depends on all samples (Gulrajani et al. 2017, section 4).

    It can be computed all the same, and now and then trains: so this is no error.
    """
    slopes = next((p.name for p in due if p.name in penalties.OF_SLOPES), None)
    layer = next((name for name, module in net.named_modules() if isinstance(module, _BatchNorm)), None)
    if slopes is not None and layer is not None:
        warnings.warn(
            f"penalty {slopes} is for a discriminator that judges each sample by itself, and in its BatchNorm "
            f"{layer!r} samples meet: make it without, as nets.DCGANDiscriminator(batch_norm=False), or with "
            f"nn.GroupNorm or nn.InstanceNorm2d",
            stacklevel=4,
        )


def _adam(net: nn.Module, lr: float, betas: tuple[float, float], device: torch.device) -> torch.optim.Adam:
    if finite("lr", lr) <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    if not isinstance(betas, tuple | list) or len(betas) != 2 or not all(0 <= finite("betas", b) < 1 for b in betas):
        raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas}")
    betas = (float(betas[0]), float(betas[1]))
    net.to(device)
    return torch.optim.Adam(net.parameters(), lr, betas, fused=device.type in ("cpu", "cuda"))


def _labels_for(net: Callable[..., Any], batch: Batch) -> tuple[Tensor, ...]:
    """The labels of a batch, for a network that takes them (its `classes` are set), else nothing."""
    return () if getattr(net, "classes", None) is None or batch.labels is None else (batch.labels,)


def _classes_of(data: Any) -> int | None:
    """How many classes the data's labels count, None for data without labels."""
    return None if getattr(data, "y", None) is None else len(getattr(data, "classes", ())) or None


def _conditional(data: Any, **nets: nn.Module) -> bool:
    """Whether these networks take labels: all of them, as many classes as the data have, or none."""
    wanted = {name: getattr(net, "classes", None) for name, net in nets.items()}
    if not any(wanted.values()):
        return False
    count = _classes_of(data)
    if count is None:
        takers = ", ".join(name for name, classes in wanted.items() if classes)
        raise ValueError(f"data have no labels, but {takers} would take some: make networks without classes")
    for name, classes in wanted.items():
        if classes != count:
            raise ValueError(f"{name}.classes must be {count}, as the data have, got {classes}")
    return True


@contextmanager
def _at_rest(net: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode, and afterwards as it was."""
    training = net.training
    net.eval()
    try:
        yield net
    finally:
        net.train(training)


def _described(game: Game, name: str, **settings: Any) -> Game:
    """A game made of another one, under its own name and with its own settings."""
    game.settings.update(game=name, **settings)
    return game
