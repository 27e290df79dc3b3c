"""The same game in several hands: ganlib, a textbook loop, vegans 0.4.0 and torchgan 0.1.0.

Each contender is a function `(generator, discriminator, data, batch, lr) -> play`, and `play(rounds)` plays so many
rounds: one update of the discriminator on `batch` real and `batch` generated samples, then one of the generator, with
Adam and the non-saturating loss (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661). Networks, data and batch are
the same for all; each feeds itself as its own documentation shows. Nobody prints, logs or saves anything meanwhile.

vegans and torchgan are used as published. What keeps them from running here is mended at run time, and nothing else:

- vegans imports tensorboard and wget, which it then does not use; it calls `.next()` on the iterator of a DataLoader,
  which torch took away in 1.13; its discriminator must end in a Sigmoid and answer with a column.
- torchgan computes on "cuda:0" unless told otherwise, and saves a model and a sheet of images after each epoch.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset, dataloader

from ganlib import games

Play = Callable[[int], object]
Contender = Callable[[nn.Module, nn.Module, Tensor, int, float], Play]
BETAS = (0.5, 0.999)


def ganlib(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """Ours, in float32, with the average of the generator that it keeps by default; as in the textbook loop, the
    generator learns from the fakes that the discriminator has judged."""
    return _ganlib(generator, discriminator, data, batch, lr, "fp32", reuse=True)


def ganlib_fresh(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """Ours as it plays by default: fresh fakes for each player."""
    return _ganlib(generator, discriminator, data, batch, lr, "fp32", reuse=False)


def ganlib_bf16(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """Ours, convolutions in bfloat16, as it plays where the processor multiplies that fast (AMX)."""
    return _ganlib(generator, discriminator, data, batch, lr, "bf16", reuse=True)


def _ganlib(
    generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float, precision: str, reuse: bool
) -> Play:
    options: dict[str, Any] = {"batch": batch, "lr": lr, "betas": BETAS, "precision": precision, "reuse": reuse}
    game = games.gan(generator, discriminator, data, device="cpu", **options)
    return lambda rounds: game.play(rounds, progress=False)


def textbook(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """The loop of PyTorch's DCGAN tutorial: a DataLoader, and the fakes used again for the generator."""
    step = _textbook_step(generator, discriminator, batch, lr, fused=False)

    def play(rounds: int) -> None:
        for (real,) in _loader(TensorDataset(data), batch, rounds):
            step(real)

    return play


def lean_textbook(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """The same loop at its fastest: rows drawn from one tensor without a DataLoader, and Adam fused."""
    step = _textbook_step(generator, discriminator, batch, lr, fused=True)

    def play(rounds: int) -> None:
        for _ in range(rounds):
            step(data[torch.randint(len(data), (batch,))])

    return play


def _textbook_step(
    generator: nn.Module, discriminator: nn.Module, batch: int, lr: float, fused: bool
) -> Callable[[Tensor], None]:
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(batch), torch.zeros(batch)
    of_d = torch.optim.Adam(discriminator.parameters(), lr, BETAS, fused=fused)
    of_g = torch.optim.Adam(generator.parameters(), lr, BETAS, fused=fused)

    def step(real: Tensor) -> None:
        of_d.zero_grad()
        loss(discriminator(real), ones).backward()
        fake = generator(latents(generator, batch))
        loss(discriminator(fake.detach()), zeros).backward()
        of_d.step()
        of_g.zero_grad()
        loss(discriminator(fake), ones).backward()
        of_g.step()

    return step


def vegans(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """vegans 0.4.0: `VanillaGAN.fit`."""
    for name in ("wget", "torch.utils.tensorboard"):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].SummaryWriter = None  # type: ignore[attr-defined]
    dataloader._BaseDataLoaderIter.next = dataloader._BaseDataLoaderIter.__next__  # type: ignore[attr-defined]
    from vegans.GAN import VanillaGAN

    shape = tuple(data.shape[1:])
    gan = VanillaGAN(
        generator=nn.Sequential(generator, nn.Identity()),  # it asks for network[-1]
        adversary=nn.Sequential(discriminator, nn.Unflatten(0, (-1, 1)), nn.Sigmoid()),
        x_dim=shape if len(shape) == 3 else shape[0],
        z_dim=generator.latent,
        optim_kwargs={name: {"lr": lr, "betas": BETAS} for name in ("Generator", "Adversary")},
        device="cpu",
        folder=None,
        secure=False,  # else it wants to find the input's size in the first layer's attributes
    )

    def play(rounds: int) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            gan.fit(
                _loader(_Rows(data), batch, rounds),
                epochs=1,
                batch_size=batch,
                print_every=None,
                save_losses_every=None,
            )

    return play


def torchgan(generator: nn.Module, discriminator: nn.Module, data: Tensor, batch: int, lr: float) -> Play:
    """torchgan 0.1.0: `Trainer` with its minimax losses, the generator's non-saturating."""
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import Discriminator, Generator
    from torchgan.trainer import Trainer

    class OurGenerator(Generator):
        def __init__(self) -> None:
            super().__init__(generator.latent)
            self.net = generator

        def forward(self, z: Tensor) -> Tensor:
            return self.net(z)

    class OurDiscriminator(Discriminator):
        def __init__(self) -> None:
            super().__init__(data.shape[1])
            self.net = discriminator

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

    adam = {"name": torch.optim.Adam, "args": {"lr": lr, "betas": BETAS}}
    folder = tempfile.mkdtemp()  # it makes its folders when it is made, whether it writes into them or not
    trainer = Trainer(
        {
            "generator": {"name": OurGenerator, "optimizer": adam},
            "discriminator": {"name": OurDiscriminator, "optimizer": adam},
        },
        [MinimaxDiscriminatorLoss(), MinimaxGeneratorLoss()],
        device=torch.device("cpu"),
        epochs=1,
        checkpoints=f"{folder}/gan",
        recon=folder,
    )
    trainer.save_model = lambda *_: None
    trainer.logger.run_end_epoch = lambda *_: None

    def play(rounds: int) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            trainer(_loader(_Rows(data), batch, rounds))

    return play


#: In this order they stand in the table. The last two need the environment that `run.py` makes.
CONTENDERS: dict[str, Contender] = {
    "ganlib": ganlib,
    "ganlib, fresh fakes": ganlib_fresh,
    "ganlib, bf16": ganlib_bf16,
    "textbook loop": textbook,
    "textbook loop, lean": lean_textbook,
    "vegans 0.4.0": vegans,
    "torchgan 0.1.0": torchgan,
}


class _Rows(Dataset[Tensor]):
    """The rows of a tensor by themselves, not in tuples of one: what vegans and torchgan take without labels."""

    def __init__(self, data: Tensor) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Tensor:
        return self.data[index]


def _loader(rows: Any, batch: int, rounds: int) -> DataLoader[Any]:
    """So many batches of the data drawn at random: an epoch of the length that is wanted."""
    return DataLoader(rows, batch, sampler=RandomSampler(rows, replacement=True, num_samples=batch * rounds))


def latents(generator: nn.Module, n: int) -> Tensor:
    """z for this generator, (n, latent): standard normal, or uniform on [-1, 1] where its `prior` says so."""
    latent: int = generator.latent  # type: ignore[assignment]
    return torch.rand(n, latent) * 2 - 1 if getattr(generator, "prior", "") == "uniform" else torch.randn(n, latent)
