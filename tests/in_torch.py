"""A game that a page also plays, played by PyTorch on the same batches: the standard that its scripts are held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib import compute, losses, penalties


def numbers(tensors: Any) -> list[list[float]]:
    return [tensor.detach().double().flatten().tolist() for tensor in tensors]


class InTorch:
    """A game step by step: `seen` is each step's loss. `optimizer` makes one of a player's parameters and its rate."""

    def __init__(
        self, G: nn.Module, D: nn.Module, loss: str, r1: float, optimizer: Callable[..., Optimizer], **rates: float
    ) -> None:
        self.G, self.D, self.seen = G, D, list[float]()
        self.rule, self.penalty, self.rng = losses.get(loss), penalties.r1(r1), compute.generator(0)
        self.moves_g = optimizer(G.parameters(), lr=rates["rateG"])
        self.moves_d = optimizer(D.parameters(), lr=rates["rateD"])

    def step_d(self, x: Tensor, z: Tensor) -> None:
        fake = self.G(z).detach()
        penalty = self.penalty.function(self.D, x, fake, self.rng)
        self._step(self.moves_d, self.rule.discriminator(self.D(x), self.D(fake)) + penalty)

    def step_g(self, x: Tensor, z: Tensor) -> None:
        self._step(self.moves_g, self.rule.generator(self.D(x), self.D(self.G(z))))

    def _step(self, moves: Optimizer, value: Tensor) -> None:
        moves.zero_grad()
        value.backward()
        moves.step()
        self.seen.append(value.item())

    def weights(self) -> list[list[float]]:
        return numbers([*self.G.parameters(), *self.D.parameters()])
