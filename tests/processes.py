"""What `tests/test_processes.py` has `torchrun` play: a few games, one after the other, their weights kept by the first
process: `tests/processes.py FOLDER DTYPE.CASE …`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ganlib import Batch, Game, Player, data, distributed, games, nets, penalties

STEPS = 20


class Judge(nn.Module):
    """Points -> logits, with BatchNorm and with Salimans' distances between samples."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.first, self.meet, self.last = nn.Linear(2, 8), nets.MinibatchDiscrimination(8, 3, 2), nn.Linear(11, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.meet(self.norm(self.first(x)).tanh())).squeeze(1)


class Maker(nn.Module):
    """z (N, 3) -> points (N, 2), with BatchNorm."""

    latent = 3

    def __init__(self) -> None:
        super().__init__()
        first = nn.Linear(3, 8, bias=False)  # a bias before BatchNorm has no gradient but rounding errors
        self.net = nn.Sequential(first, nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


def points() -> Tensor:
    return torch.randn(200, 2, generator=torch.Generator().manual_seed(1)).cumsum(1)


def holed() -> data.Incomplete:
    """A table of which the rows know unequally much."""
    missing = torch.rand(200, 2, generator=torch.Generator().manual_seed(2)) < 0.3
    return data.Incomplete(torch.where(missing, torch.nan, points()))


def perceptrons(**options: object) -> tuple[nn.Module, nn.Module]:
    return nets.MLPGenerator(latent=2, width=16), nets.MLPDiscriminator(width=16, **options)


def images() -> Tensor:
    return torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Noisy(nn.Module):
    """z (N, 3) -> points (N, 2), with Dropout and noise of its own, drawn from torch's generator."""

    latent = 3

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, z: Tensor) -> Tensor:
        h = self.net(z)
        return h + 0.1 * torch.randn_like(h) + 0.1 * torch.empty_like(h).uniform_()


class Spread(nn.Module):
    """Points -> logits that see how far the batch is spread: of all processes, or of each one's own."""

    def __init__(self, gathers: bool) -> None:
        super().__init__()
        self.gathers, self.net = gathers, nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        everyone = distributed.gather(x) if self.gathers else x
        return self.net(torch.cat([x, everyone.std(0, keepdim=True).expand_as(x)], 1)).squeeze(1)


class Faint(Spread):
    """The same, with a statistic that hardly shows in the loss at first."""

    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.cat([x, (x - x.mean(0)).abs().mean(0, keepdim=True).expand_as(x)], 1)).squeeze(1)


def own(judge: nn.Module, accumulate: int = 1) -> Game:
    """A game of one's own, put together of players: a judge, a network that draws, and both in one batch."""
    maker = Noisy()

    def d_loss(b: Batch) -> Tensor:
        logits = judge(torch.cat([b.real, maker(b.z).detach()]))
        real, fake = logits.chunk(2)
        return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()

    players = {
        "discriminator": Player(
            judge, d_loss, torch.optim.AdamW(judge.parameters(), 1e-2), turns=2, clip=1.0, accumulate=accumulate
        ),
        "generator": Player(
            maker,
            lambda b: nn.functional.softplus(-judge(maker(b.z))).mean(),
            torch.optim.AdamW(maker.parameters(), 1e-2),
            accumulate=accumulate,
        ),
    }
    return Game(players, points(), batch=32)


class Varied(nn.Module):
    """Points -> logits that see how varied a batch is, a little."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 64), nn.Linear(65, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).relu()
        return self.last(torch.cat([h, 0.3 * h.std(0).mean().expand(len(h), 1)], 1)).squeeze(1)


def hinge(gathers: bool) -> Game:
    """A relativistic average hinge, whose means are of all processes, or of each one's own."""
    judge, maker = nets.MLPDiscriminator(width=8), Noisy()

    def mean(x: Tensor) -> Tensor:
        return distributed.global_mean(x.mean()) if gathers else x.mean()

    def d_loss(b: Batch) -> Tensor:
        real, fake = judge(b.real), judge(maker(b.z))
        return (1 - (real - mean(fake))).relu().mean() + (1 + (fake - mean(real))).relu().mean()

    def g_loss(b: Batch) -> Tensor:
        real, fake = judge(b.real), judge(maker(b.z))
        return (1 - (fake - mean(real))).relu().mean() + (1 + (real - mean(fake))).relu().mean()

    players = {
        "discriminator": Player(judge, d_loss, torch.optim.Adam(judge.parameters(), 1e-2)),
        "generator": Player(maker, g_loss, torch.optim.Adam(maker.parameters(), 1e-2)),
    }
    return Game(players, points(), batch=64)


def later() -> Game:
    """A game with a term of its own in every other update, which sees the samples of its own process."""
    game = own(nets.MLPDiscriminator(width=8))
    loss, judge = game.players["generator"].loss, game.discriminator

    def more(b: Batch) -> Tensor:
        return loss(b) + (judge(game.generator(b.z)).std() if b.update % 2 else 0)  # type: ignore[operator]

    game.players["generator"].loss = more
    return game


def kept_in_range(images: Tensor, rng: torch.Generator) -> Tensor:
    return images + 0.1 * torch.randn(len(images), 1, generator=rng)


#: Each game by the part of it that needs the global batch.
CASES: dict[str, Callable[[], Game]] = {
    "r1": lambda: games.gan(*perceptrons(), points(), penalty=[penalties.r1(0.5), "r2"], batch=32),
    "gradient_penalty": lambda: games.gan(
        *perceptrons(), points(), loss="wasserstein", penalty="gradient_penalty", turns=2, batch=32
    ),
    "batch_norm": lambda: games.gan(
        nets.DCGANGenerator(size=16, channels=1, latent=4, width=2),
        nets.DCGANDiscriminator(size=16, channels=1, width=2),
        images(),
        batch=16,
        precision="fp32",
    ),
    "channels_last": lambda: games.gan(
        nets.ShuffleGenerator(size=16, latent=4, width=4),
        nets.ShuffleDiscriminator(size=16, width=4),
        images(),
        batch=16,
        precision="fp32",
    ),
    "growing": lambda: games.progressive_gan(
        nets.ProgressiveGenerator(size=8, latent=4, width=4),
        nets.ProgressiveDiscriminator(size=8, width=4),
        images()[:, :, :8, :8].contiguous(),
        stage=6,
        batch=8,
        precision="fp32",
    ),
    "minibatch_std": lambda: games.gan(
        *perceptrons(minibatch_std=True), points(), penalty=penalties.r1_r2(0.5, every=2), batch=32
    ),
    "minibatch_discrimination": lambda: games.gan(Maker(), Judge(norm=True), points(), batch=32),
    "distances_under_r1": lambda: games.gan(Maker(), Judge(norm=False), points(), penalty="r1", batch=32),
    "relativistic": lambda: games.gan(*perceptrons(), points(), loss="ragan", batch=32),
    "best_sigma": lambda: games.vae(nets.MLPGenerator(width=16), nets.MLPEncoder(width=16), points(), batch=32),
    "pulling_away": lambda: games.eb_gan(
        nets.MLPGenerator(width=16),
        nets.AutoencoderDiscriminator(nets.MLPGenerator(width=16), nets.MLPEncoder(width=16, gaussian=False)),
        points(),
        pulling_away=0.1,
        batch=32,
    ),
    **{
        f"penalty_{name}": lambda name=name: games.gan(*perceptrons(), points(), penalty=name, batch=32)  # type: ignore[misc]
        for name in penalties.PENALTIES
        if name != "lecam"  # remembers, which several processes refuse
    },
    "unrolled": lambda: games.gan(*perceptrons(), points(), unrolled=3, batch=32),
    "reuse_and_augment": lambda: games.gan(*perceptrons(), points(), reuse=True, augment=kept_in_range, batch=32),
    "own": lambda: own(nets.MLPDiscriminator(width=8)),
    "own_in_parts": lambda: own(nets.MLPDiscriminator(width=8), accumulate=2),
    "hinge_that_gathers": lambda: hinge(gathers=True),
    "own_that_gathers": lambda: own(Spread(gathers=True)),
    "holes": lambda: games.gain(nets.Imputer(2, 16, 1.0), nets.MaskDiscriminator(2, 16), holed(), alpha=10.0, batch=32),
    "holes_unhinted": lambda: games.gain(
        nets.Imputer(2, 16), nets.MaskDiscriminator(2, 16), holed(), hint_rate=None, unhinted=True, batch=32
    ),
    "codes": lambda: games.info_gan(
        nets.MLPGenerator(latent=4, width=16),
        nets.TwoHeaded(nets.MLPDiscriminator(width=16), 3),
        points(),
        codes=games.Codes((2,), continuous=1),
        batch=32,
    ),
}


def rank() -> int:
    return distributed.world()[0]


#: Games that several processes refuse, with what is said of them.
REFUSED: dict[str, tuple[Callable[[], Game], str]] = {
    "blind": (lambda: own(Spread(gathers=False)), "step 0, player 'discriminator': with 2 processes its"),
    "faint": (lambda: own(Faint(gathers=False)), "step 0, player 'discriminator': with 2 processes its"),
    "varied": (lambda: own(Varied()), "step 0, player 'discriminator': with 2 processes its gradient"),
    "hinge": (lambda: hinge(gathers=False), "step 0, player 'discriminator': with 2 processes its"),
    "later": (later, "step 1, player 'generator': with 2 processes its"),
    "seeds": (lambda: games.gan(*perceptrons(), points(), batch=32, seed=rank()), "plays another game.*: seed was"),
    "rates": (
        lambda: games.gan(*perceptrons(), points(), batch=32, lr=(1 + rank()) * 1e-3),
        "plays another game.*: players.discriminator.optimizer.lr was",
    ),
    "shards": (
        lambda: games.gan(*perceptrons(), points()[rank() :: 2], batch=32),
        "plays another game.*: data_digest was",
    ),
}


def play(name: str, steps: int = STEPS) -> Game:
    """The game of this case after so many steps. Each process starts from other weights: the first one's count."""
    torch.manual_seed(distributed.world()[0])
    game = CASES[name]()
    game.play(steps, progress=False)
    return game


def refuse() -> None:
    """Say, a line each, what every process says of a game that it refuses."""
    for name, (make, _) in REFUSED.items():
        torch.manual_seed(0)
        try:
            make().play(3, progress=False)
        except ValueError as error:
            print(f"{name} {rank()}: {error}\n", end="", flush=True)


def main(folder: str, *cases: str) -> None:
    torch.set_num_threads(1)
    if folder == "refuse":
        refuse()
    for case in cases:
        dtype, name = case.split(".")
        torch.set_default_dtype(getattr(torch, dtype))
        play(name).save(Path(folder), case)


if __name__ == "__main__":
    main(*sys.argv[1:])
