"""The smallest networks and data that make a game, for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganlib import Game, games


class TinyGenerator(nn.Module):
    """z (N, 3) -> points (N, 2), with a BatchNorm so that buffers matter."""

    latent = 3

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class TinyDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)


def tiny_data() -> Tensor:
    return torch.randn(100, 2, generator=torch.Generator().manual_seed(1)) + 1


def tiny_game(weights: int = 0, **options: object) -> Game:
    """A game with the same initial weights for the same `weights`."""
    torch.manual_seed(weights)
    return games.gan(TinyGenerator(), TinyDiscriminator(), tiny_data(), **{"batch": 16, "lr": 1e-3, **options})


def everything(game: Game) -> dict[str, Tensor]:
    """All tensors of the networks and the average, by name."""
    found = {f"{n}.{k}": v for n, p in game.players.items() for k, v in p.net.state_dict().items()}
    if game.average is not None:
        found |= {f"average.{k}": v for k, v in game.average.state_dict().items()}
    return {k: v.detach().clone() for k, v in found.items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
