"""A generator by itself: a network with its prior and its classes, sampled, saved and loaded without game or data.

    ganlib.load("run").sample(64, labels="cat")

loads the averaged generator of a run (or of a file that `Generator.save` wrote) on any machine.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoint, compute, nets
from ._check import all_finite, one_of, outside, positive_int

__all__ = ["Generator", "Prior", "at_rest", "load", "spread_labels"]

ROWS = 512
"""Latents drawn at a time."""


@dataclass(frozen=True)
class Prior:
    """Where z comes from: `free` numbers, then InfoGAN's codes, if any, one-hot categories and uniforms on [-1, 1].

    Attributes:
        free: numbers without a meaning given to them.
        kind: their distribution, "normal" (standard) or "uniform" (on [-1, 1]).
        categorical: number of values of each categorical code, all equally likely.
        continuous: number of uniform codes.
    """

    free: int
    kind: str = "normal"
    categorical: tuple[int, ...] = ()
    continuous: int = 0

    def __post_init__(self) -> None:
        one_of("kind", self.kind, ("normal", "uniform"))

    @property
    def latent(self) -> int:
        """Numbers in z."""
        return self.free + sum(self.categorical) + self.continuous

    def __call__(self, n: int, rng: torch.Generator) -> Tensor:
        """n latent vectors z, (n, latent), on the CPU."""
        normal = self.kind == "normal"
        z = torch.randn(n, self.free, generator=rng) if normal else torch.rand(n, self.free, generator=rng) * 2 - 1
        if not self.categorical and not self.continuous:
            return z
        codes = [F.one_hot(torch.randint(k, (n,), generator=rng), k).to(z.dtype) for k in self.categorical]
        return torch.cat([z, *codes, torch.rand(n, self.continuous, generator=rng) * 2 - 1], 1)


@dataclass(eq=False)
class Generator:
    """What a game has learned to make, in evaluation mode and full precision. `Game.snapshot` makes one.

    Attributes:
        net: the network; not copied.
        prior: `(n, rng)` -> z (n, latent), such as a `Prior`.
        takes: what the network is called with, in order: "z", "labels" (classes (N,)), "inputs" (what it translates).
        classes: names of the classes it can be asked for, empty for an unconditional one.
        part: of a network of several (an `nn.ModuleDict`, such as cycle_gan's two directions), the one that is called.
        noise: whether Dropout stays on, as the noise of pix2pix.
        encoder: the network that finds the z of a sample, or None.
        shape: of one input, where it translates.
        scale: of the table with holes that it learned from, `data.Incomplete.scale`, or None.

    Raises:
        ValueError: part is none of the network's.
    """

    net: nn.Module
    prior: Callable[[int, torch.Generator], Tensor]
    takes: tuple[str, ...] = ("z",)
    classes: tuple[str, ...] = ()
    part: str | None = None
    noise: bool = False
    encoder: nn.Module | None = None
    shape: tuple[int, ...] = ()
    scale: dict[str, list[Any]] | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        if self.part is not None:
            if not isinstance(self.net, nn.ModuleDict):
                raise ValueError(f"part={self.part!r} is of a generator of several networks, got {_name(self.net)}")
            one_of("part", self.part, self.net)

    def __repr__(self) -> str:
        classes = f", classes {', '.join(self.classes)}" if self.classes else ""
        return f"<Generator {_name(self.maker)}({', '.join(self.takes)}){classes}>"

    @property
    def maker(self) -> nn.Module:
        """The network that is called: `net`, or the part of it."""
        return self.net if self.part is None else cast(nn.ModuleDict, self.net)[self.part]

    @property
    def latent(self) -> int:
        """Numbers in z."""
        return self.prior(1, torch.Generator()).shape[1]

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n latent vectors (n, latent), on the generator's device. Those of `sample(n, seed=0)`, of at most 512, are
        `draw(n, compute.generator(0, "sample"))`; of more, 512 are drawn at a time."""
        return self.prior(n, rng).to(self.device)

    def sample(self, n: int, labels: Any = None, *, seed: int = 0) -> Tensor:
        """n samples (n, …) float32 on the CPU.

        Args:
            n: how many.
            labels: for a conditional generator, one class or a sequence of classes, by number or by name, repeated to
                n; by default all classes in turn.
            seed: the same seed gives the same latents, which `draw` shows.

        Returns:
            Images in [-1, 1], points in the units of the data.

        Raises:
            ValueError, TypeError: this generator translates, or an argument is not as above.
        """
        if "inputs" in self.takes:
            raise ValueError("this generator turns one image into another: use translate(inputs)")
        positive_int("n", n)
        return self._made(n, self._asked(labels, n), None, seed)

    def translate(self, inputs: Tensor, labels: Any = None, *, seed: int = 0) -> Tensor:
        """What a generator that translates makes of these images, on the CPU.

        Args:
            inputs: (N, …) float32 like the inputs of its data (images in [-1, 1]).
            labels, seed: as in `sample`.

        Raises:
            TypeError, ValueError: no float tensor, values that are not finite, or this generator makes its samples from
                latents alone.

        Warns:
            UserWarning: images on the CPU that do not lie in [-1, 1], or with an exact 0 and nothing below, which is
                the black of [0, 1].
        """
        if "inputs" not in self.takes:
            raise ValueError("this generator makes its samples from latents alone: use sample(n)")
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.dim() < 2 or not len(inputs):
            got = f"{inputs.dtype} {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else type(inputs).__name__
            raise TypeError(
                f"inputs must be a float tensor (N, …) with N > 0, got {got}; pictures are "
                f"taken by translate.Translator(generator), as data.picture(FILE) reads them"
            )
        if inputs.device.type == "cpu":  # elsewhere the answer would have to be waited for
            all_finite("inputs", inputs)
            low, high = (float(edge) for edge in inputs.aminmax())
            if inputs.dim() == 4 and (low < -1.1 or high > 1.1 or low == 0 < high):  # smooth resizing goes a bit beyond
                warnings.warn(
                    f"inputs are images, which are expected in [-1, 1], but these go from {low:g} to {high:g}: scale "
                    f"them",
                    stacklevel=outside(),
                )
        return self._made(len(inputs), self._asked(labels, len(inputs)), inputs, seed)

    def _asked(self, labels: Any, n: int) -> Tensor | None:
        return spread_labels(labels, n, self.classes)

    @torch.no_grad()
    def _made(self, n: int, labels: Tensor | None, inputs: Tensor | None, seed: int) -> Tensor:
        rng, made = compute.generator(positive_int("seed", seed, minimum=0), "sample"), []
        side = getattr(self.maker, "size", 28)
        pixels = side**2 if isinstance(side, int) else 1
        if inputs is not None and inputs.dim() == 4:
            pixels = max(pixels, inputs.shape[2] * inputs.shape[3])
        rows = max(1, min(ROWS, 2**19 // pixels))  # large images, few at a time
        with (
            at_rest(self.maker),
            _dropping(self.maker, self.noise),
            compute.seeded(self.device, rng.initial_seed() ^ 1),
        ):
            for start in range(0, n, ROWS):
                count = min(ROWS, n - start)
                given = {
                    "z": self.draw(count, rng),
                    "labels": None if labels is None else labels[start : start + count].to(self.device),
                    "inputs": None if inputs is None else inputs[start : start + count].to(self.device),
                }
                for first in range(0, count, rows):
                    parts = [cast(Tensor, given[name])[first : first + rows] for name in self.takes]
                    made.append(self.maker(*parts).float().cpu())
        return torch.cat(made).contiguous()

    @torch.no_grad()
    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The codes (N, latent) of samples x (N, …), on the CPU: E(x), or the mean of q(z|x).

        Args:
            x: samples like those of the data, as float32.
            labels: classes (N,), for an encoder that takes them.

        Raises:
            TypeError: there is no encoder.
        """
        if self.encoder is None:
            raise TypeError("this generator has no encoder: games.vae, aae, vae_gan, bigan and lr_gan train one")
        with at_rest(self.encoder):
            code = self.encoder(x.to(self.device), *(() if labels is None else (labels.to(self.device),)))
        return cast(Tensor, code[0] if isinstance(code, tuple) else code).cpu()

    @torch.no_grad()
    def rebuild(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """G(E(x)), samples (N, …) on the CPU: what is left of x (N, …) after its code; arguments as in `encode`."""
        z = self.encode(x, labels).to(self.device)
        with at_rest(self.maker):
            return cast(Tensor, self.maker(z, *(() if labels is None else (labels.to(self.device),)))).cpu()

    def describe(self) -> dict[str, Any]:
        """Everything but the weights as plain JSON. A network or a prior that is not this library's is None in it:
        `load` is given it then."""
        return {
            "net": nets.describe(self.net),
            "encoder": None if self._encoder_within else nets.describe(self.encoder) if self.encoder else None,
            "prior": asdict(self.prior) if isinstance(self.prior, Prior) else None,
            "takes": list(self.takes),
            "classes": list(self.classes),
            "part": self.part,
            "noise": self.noise,
            "shape": list(self.shape),
            "scale": self.scale,
        }

    @property
    def _encoder_within(self) -> bool:
        return self.encoder is not None and any(module is self.encoder for module in self.net.modules())

    def save(self, path: str | Path) -> Path:
        """Write the generator alone, for `load`: a safetensors file, whole or absent.

        Args:
            path: of the file; ".safetensors" is added where it has no ending.

        Raises:
            OSError: it cannot be written.
        """
        path = Path(path)
        path = path if path.suffix else path.with_suffix(".safetensors")
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        if self.encoder is not None and not self._encoder_within:
            tensors |= {f"encoder.{k}": v for k, v in self.encoder.state_dict().items()}
        checkpoint.write(path, tensors, {"format": checkpoint.GENERATOR, "generator": self.describe()})
        return path


def load(
    path: str | Path,
    name: str = "last",
    *,
    net: nn.Module | None = None,
    encoder: nn.Module | None = None,
    prior: Callable[[int, torch.Generator], Tensor] | None = None,
    part: str | None = None,
    averaged: bool = True,
    device: torch.device | str | None = None,
) -> Generator:
    """The generator of a run, or of a file that `Generator.save` wrote, without its data, on any machine.

    Args:
        path: the folder of a run, or a file.
        name: of a run's checkpoint, "last" or "best".
        net: the network, where it is not of `ganlib.nets`: made as for the run; its weights are overwritten.
        encoder: the same of an encoder of one's own.
        prior: the same of a prior of one's own.
        part: of a generator of several networks, which one, such as cycle_gan's "inverse".
        averaged: False for the generator as the last round left it, in a run.
        device: where to put it; by default `compute.device()`.

    Raises:
        CheckpointError: there is no such file, or it is damaged, foreign, or of other networks than those given.
        ValueError: a network or prior of one's own is missing, or part is none of the generator's.
    """
    path = Path(path)
    if not path.exists():
        raise checkpoint.CheckpointError(f"there is no folder of a run and no file {path}")
    file = path if path.is_file() else path / f"{name}.safetensors"
    facts, tensors = checkpoint.load(file)
    found = facts.get("generator")
    if not isinstance(found, dict):
        raise checkpoint.CheckpointError(f"{file} describes no generator")
    player = found.get("player")
    if player is None:
        prefix = "net."
    else:
        prefix = "average." if averaged and any(key.startswith("average.") for key in tensors) else f"net.{player}."
    try:
        made = Generator(
            _network(file, "net", found["net"], net, tensors, prefix),
            prior or _prior(file, found["prior"]),
            tuple(found["takes"]),
            tuple(found["classes"]),
            part or found["part"],
            found["noise"],
            shape=tuple(found["shape"]),
            scale=found.get("scale"),  # not in older files
            device=compute.place(device),
        )
    except (KeyError, TypeError) as error:
        raise checkpoint.CheckpointError(f"{file} describes no generator: {error}") from error
    if isinstance(made.net, nets.Autoencoder):
        made.encoder = made.net.encoder
    elif found["encoder"] is not None or encoder is not None:
        where = "encoder." if player is None else "net.encoder."
        made.encoder = _network(file, "encoder", found["encoder"], encoder, tensors, where)
    for network in (made.net, made.encoder):
        if network is not None:
            network.to(made.device).eval()
    return made


def _name(net: nn.Module) -> str:
    return type(net).__name__


def _network(
    file: Path, role: str, description: Any, given: nn.Module | None, tensors: dict[str, Tensor], prefix: str
) -> nn.Module:
    """The network described, or the one given, with the weights of the file."""
    if given is None and description is None:
        raise ValueError(f"the {role} in {file} is not of ganlib.nets: make it as for the run, and give it as {role}=…")
    network = nets.build(description) if given is None else given
    weights = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    checkpoint.same_tensors(file, weights, network.state_dict(), f"this {role}")
    network.load_state_dict(weights)
    return network


def _prior(file: Path, description: Any) -> Prior:
    if description is None:
        raise ValueError(f"the prior of {file} is a function of its own: give it as prior=…")
    return Prior(**{**description, "categorical": tuple(description["categorical"])})


def spread_labels(labels: Any, n: int, classes: Sequence[str]) -> Tensor | None:
    """One label per sample, (n,) int64: `labels`, numbers or names, repeated to n; all classes in turn if None.

    Returns None for an unconditional generator (no classes), which takes no labels.

    Raises:
        ValueError, TypeError: labels that are no classes; the message names those there are.
    """
    if not classes:
        if labels is not None:
            raise ValueError("labels were given, but this generator is not conditional (its .classes is empty)")
        return None
    named = [labels] if isinstance(labels, str) else labels
    if isinstance(named, list | tuple) and any(isinstance(one, str) for one in named):
        for one in named:
            if isinstance(one, str):
                one_of("label", one, classes)
        labels = [list(classes).index(one) if isinstance(one, str) else one for one in named]
    try:
        asked = torch.arange(len(classes)) if labels is None else torch.as_tensor(labels).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"labels must be whole numbers from 0 to {len(classes) - 1}, got {labels!r}") from error
    if asked.numel() == 0 or asked.is_floating_point() or asked.dtype == torch.bool:
        raise ValueError(f"labels must be whole numbers, at least one of them, got {labels!r}")
    if asked.min() < 0 or asked.max() >= len(classes):
        raise ValueError(f"labels must lie in 0 … {len(classes) - 1}, got {sorted(set(asked.tolist()))}")
    return asked.long().repeat(math.ceil(n / len(asked)))[:n]


@contextmanager
def at_rest(net: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode, and afterwards each of its modules as it was."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield net
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _dropping(net: nn.Module, wanted: bool) -> Iterator[None]:
    """Dropout on, within `at_rest`."""
    for layer in net.modules() if wanted else ():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.train()
    yield
