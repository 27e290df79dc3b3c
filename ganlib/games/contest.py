"""What games have in common: options, the players' optimizers, and an adversary, a loss with its penalties."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from .. import compute, losses, penalties, schedule
from .._check import one_of
from ..data.source import source
from ..engine import Batch, Game, Player
from ..generator import at_rest
from ..penalties import Critic, Penalty

Terms = Tensor | dict[str, Tensor]
Penalties = str | Penalty | Sequence[str | Penalty]


class Options(TypedDict, total=False):
    """What every game can be told, by name; the defaults are those of `gan`, unless the game says otherwise.

    Attributes:
        batch: samples a turn (64).
        lr: learning rate, or a pair (generator's, discriminator's); an encoder learns like the generator (2e-4).
        betas: Adam's β₁ and β₂ (0.5, 0.999).
        optimizer: `(parameters, lr)` -> optimizer, such as `torch.optim.RMSprop`, instead of Adam.
        seed: keys every draw of data and latents, and what networks draw (0).
        averaging: decay of the generator's average (0.995), None for none.
        anneal: rounds over which learning rates fall to 2 % and the weights of R1 and R2 to 0, along half a cosine;
            "seconds": they fall by the clock of a play of so many seconds. None keeps them.
        device: where to play; by default `compute.device()`.
        precision: "fp32", "bf16" or "fp16"; by default what `compute.precision` finds for the device.
    """

    batch: int
    lr: float | tuple[float, float]
    betas: tuple[float, float]
    optimizer: Callable[[Iterable[nn.Parameter], float], Optimizer] | None
    seed: int
    averaging: float | None
    anneal: int | str | None
    device: torch.device | str | None
    precision: str | None


class Table:
    """Where the players of one game sit down: its options, filled in, and what is made of them."""

    def __init__(self, options: Options, **defaults: Unpack[Options]) -> None:
        for name in options:
            one_of("option", name, Options.__annotations__)
        common = Options(batch=64, lr=2e-4, betas=(0.5, 0.999), seed=0, averaging=0.995, anneal=None, optimizer=None)
        self.options: Options = {**common, **defaults, **options}
        self.device = compute.place(options.get("device"))
        self.precision = options.get("precision") or compute.precision(self.device)
        one_of("precision", self.precision, compute.PRECISIONS)
        lr = self.options["lr"]
        if isinstance(lr, list) or (isinstance(lr, tuple) and len(lr) != 2):
            raise ValueError(f"lr must be one number, or a tuple of two (generator's, discriminator's), got {lr}")
        self.lr_generator, self.lr_discriminator = lr if isinstance(lr, tuple) else (lr, lr)

    def making(self, net: nn.Module, loss: Callable[[Batch], Terms]) -> Player:
        """A player that learns at the generator's rate."""
        return Player(net, loss, self._optimizer(net, self.lr_generator))

    def judging(self, net: nn.Module, loss: Callable[[Batch], Terms], adversary: Adversary, turns: int) -> Player:
        """A player that learns at the discriminator's rate, and after whose updates penalties may project."""
        adversary.suits(net)
        return Player(net, loss, self._optimizer(net, self.lr_discriminator), turns, adversary.project)

    def _optimizer(self, net: nn.Module, lr: float) -> Optimizer:
        make = self.options["optimizer"]
        if make is None:
            return schedule.adam(net, lr, self.options["betas"], self.device)
        return make(net.to(self.device).parameters(), lr)

    def game(
        self,
        name: str,
        players: Mapping[str, Player],
        data: Any,
        settings: Mapping[str, Any],
        adversary: Adversary | None = None,
        **more: Any,
    ) -> Game:
        """The game; `settings` describe it to a checkpoint, `more` are further arguments of `Game`. What penalties
        remember is in its memory."""
        described = {"game": name, **({} if adversary is None else adversary.settings), **settings}
        kept = {} if adversary is None else adversary.memory
        asked: dict[str, Any] = {k: v for k, v in self.options.items() if k in ("batch", "seed", "averaging", "anneal")}
        more["memory"] = {**kept, **(more.get("memory") or {})}
        return Game(players, data, device=self.device, precision=self.precision, settings=described, **asked, **more)


class Adversary:
    """An adversarial loss and its penalties: what the two sides minimise, given a `Critic` and what it judges."""

    def __init__(
        self, loss: str | losses.Loss, penalty: Penalties, players: Sequence[str] = ("discriminator",)
    ) -> None:
        self.rule = losses.get(loss)
        if not isinstance(penalty, str | Penalty | Iterable):
            raise TypeError(
                f"penalty must be a name, a Penalty such as penalties.r1(), or a sequence of them (empty for none), "
                f"got {penalty!r}"
            )
        asked = (penalty,) if isinstance(penalty, str | Penalty) else tuple(penalty)
        self.penalties = [p for p in map(penalties.get, asked) if p is not None]
        for p in self.penalties:
            if p.player not in players:
                raise ValueError(
                    f"penalty {p.name} is one of the {p.player}'s loss, and this game takes only those of: "
                    f"{', '.join(players)}"
                )

    def discriminator(
        self, critic: Critic, real: Tensor, fake: Tensor, batch: Batch, together: bool = False
    ) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        """The terms of D's loss, and what it says beside the logits of real and of fake samples.

        Args:
            critic: of this turn.
            real, fake: what it judges, (N, …); the fake ones without a gradient.
            batch: of this turn.
            together: judge both in one forward pass, where D treats samples one by one.
        """
        due = self._due(batch, "discriminator")
        real_logits, fake_logits, real_heads, fake_heads = None, None, None, None
        if any(p.reuses for p in due):  # slopes of the very logits of the loss: no further forward pass
            real, fake = (x.detach().requires_grad_() for x in (real, fake))
            with compute.full_precision(real.device):
                (real_logits, real_heads), (fake_logits, fake_heads) = critic.judge(real), critic.judge(fake)
        elif together:
            n = len(real)
            both = Critic(critic.net, *(torch.cat([given, given]) for given in critic.given))
            logits, heads = both.judge(torch.cat([real, fake]))
            real_logits, fake_logits = logits[:n], logits[n:]
            real_heads, fake_heads = (None, None) if heads is None else (heads[:n], heads[n:])
        else:
            (real_logits, real_heads), (fake_logits, fake_heads) = critic.judge(real), critic.judge(fake)
        terms = {"loss": self.rule.discriminator(real_logits.flatten(), fake_logits.flatten())}
        return terms | self._sum(due, critic, real, fake, batch), real_heads, fake_heads

    def generator(
        self, critic: Critic, real: Tensor, fake: Tensor, batch: Batch
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """The terms of G's loss, and what D says beside the logits of its samples `fake`, which have its gradient."""
        fake_logits, fake_heads = critic.judge(fake)
        real_logits = None
        if self.rule.relativistic:
            with torch.set_grad_enabled(not isinstance(critic.net, nn.Module)):  # one ahead depends on the generator
                real_logits = critic.judge(real)[0].flatten()
        terms = {"loss": self.rule.generator(real_logits, fake_logits.flatten())}
        return terms | self._sum(self._due(batch, "generator"), critic, real, fake, batch), fake_heads

    def _due(self, batch: Batch, player: str) -> list[Penalty]:
        return [p for p in self.penalties if p.player == player and batch.update % p.every == 0]

    def _sum(self, due: list[Penalty], critic: Critic, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Penalties by name; a lazy one counts for the updates that it skips."""
        terms: dict[str, Tensor] = {}
        for p in due:
            weight = p.every * (schedule.cosine(batch.progress) if p.anneals else 1.0)
            value = weight * p.function(critic, real, fake, batch.rng)
            terms[p.name] = terms[p.name] + value if p.name in terms else value
        return terms

    def project(self, net: nn.Module) -> None:
        """What penalties do to the discriminator after an update."""
        for p in self.penalties:
            if p.project is not None:
                p.project(net)

    def suits(self, net: nn.Module) -> None:
        """Warn of a discriminator whose last or whose normalising layer does not go with the loss or a penalty.

        A slope at each sample is not defined where each logit depends on all samples (Gulrajani et al. 2017, section
        4), and a sigmoid before a loss of logits bounds what they can say. Both can be computed all the same, and now
        and then train: so this is no error.
        """
        slopes = next((p.name for p in self.penalties if p.name in penalties.OF_SLOPES), None)
        layer = next((name for name, module in net.named_modules() if isinstance(module, _BatchNorm)), None)
        if slopes is not None and layer is not None:
            warnings.warn(
                f"penalty {slopes} is for a discriminator that judges each sample by itself, and in its BatchNorm "
                f"{layer!r} samples meet: make it without, as nets.DCGANDiscriminator(batch_norm=False), or with "
                f"nn.GroupNorm or nn.InstanceNorm2d",
                stacklevel=5,
            )
        last = [module for module in net.modules() if not any(True for _ in module.children())][-1:]
        if last and isinstance(last[0], nn.Sigmoid) and self.rule.name != "least_squares" and not self.rule.energies:
            warnings.warn(
                f"the discriminator ends in a Sigmoid, and loss {self.rule.name} takes logits, numbers without bounds: "
                f"leave the Sigmoid out",
                stacklevel=5,
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The loss and the penalties in words."""
        return {"loss": self.rule.name, "penalty": [str(p) for p in self.penalties]}

    @property
    def memory(self) -> dict[str, nn.Module]:
        """The penalties that remember something."""
        kept = {f"penalty{i}": p.function for i, p in enumerate(self.penalties)}
        return {name: function for name, function in kept.items() if isinstance(function, nn.Module)}


@dataclass
class Judged:
    """A turn as the hook `also` of games made of `gan` sees it.

    Attributes:
        player: whose turn it is, "discriminator" or "generator".
        batch: what the turn drew.
        fake: the generated samples, with the generator's gradient in its own turn.
        fake_heads: what the discriminator says of them beside the logits; None if it returns logits alone.
        real_heads: the same of the real samples; None in the generator's turn.
    """

    player: str
    batch: Batch
    fake: Tensor
    fake_heads: Tensor | None
    real_heads: Tensor | None


@dataclass(frozen=True)
class Made:
    """What a game made of `gan` adds to it.

    Attributes:
        name: of the game.
        settings: its own weights, for a checkpoint.
        conditional: whether networks that take labels are shown them.
        also: further terms of the loss of the player whose turn it is, by name.
        measure: `(samples, rng)` -> what D is shown of the generator's samples, instead of these.
    """

    name: str = "gan"
    settings: Mapping[str, Any] = field(default_factory=dict)
    conditional: bool = False
    also: Callable[[Judged], dict[str, Tensor]] | None = None
    measure: Callable[[Tensor, torch.Generator], Tensor] | None = None


def labels_for(net: Callable[..., Any], batch: Batch) -> tuple[Tensor, ...]:
    """The labels of a batch, for a network that takes them (its `classes` are set), else nothing."""
    return () if getattr(net, "classes", None) is None or batch.labels is None else (batch.labels,)


def classes_of(data: Any) -> int | None:
    """How many classes the data's labels count, None for data without labels; see `data.Feed.count_classes`."""
    return source(data).count_classes()


def conditional(data: Any, **nets: nn.Module) -> bool:
    """Whether these networks take labels: all of them, as many classes as the data have, or none.

    Raises:
        ValueError: some do and some do not, or their number is not that of the data.
    """
    wanted = {name: getattr(net, "classes", None) for name, net in nets.items()}
    if not any(wanted.values()):
        return False
    count = classes_of(data)
    if count is None:
        takers = ", ".join(name for name, classes in wanted.items() if classes)
        raise ValueError(f"data have no labels, but {takers} would take some: make networks without classes")
    for name, classes in wanted.items():
        if classes != count:
            raise ValueError(f"{name}.classes must be {count}, as the data have, got {classes}")
    return True


@torch.no_grad()
def must_make(game: Game, *looks: tuple[nn.Module, Callable[[Batch], object]]) -> Game:
    """The game, once its generator is seen to make what the data hold, and each of these networks, at rest, to say of
    a batch of them what the game wants to hear.

    Raises:
        ValueError, TypeError: naming what does not fit.
    """
    batch = game.draw(next(iter(game.players)))
    made, wanted = tuple(game.sample(1).shape[1:]), tuple(batch.real.shape[1:])
    if made != wanted:
        raise ValueError(f"the generator's samples have shape {made}, but those of the data {wanted}")
    for net, look in looks:
        with at_rest(net):
            look(batch)
    return game


def two(said: Any, role: str, wanted: str) -> tuple[Tensor, Tensor]:
    """What a network said, which is to be two tensors."""
    if not isinstance(said, tuple) or len(said) != 2:
        got = f"a tensor of shape {tuple(said.shape)}" if isinstance(said, Tensor) else type(said).__name__
        raise TypeError(f"the {role} must return {wanted}, got {got}")
    return cast(tuple[Tensor, Tensor], said)
