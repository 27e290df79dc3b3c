"""Settings that work for a data set, from its name alone: what the command line plays by default.

Images: the shuffle networks on hidden classes, which are clusters of the data (`games.clustered_gan`), the
non-saturating loss and a lazy R1 penalty (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406). Points:
perceptrons on data scaled to about unit variance, the relativistic pairing loss with R1 and R2 (Huang et al. 2024,
https://arxiv.org/abs/2501.05441).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from . import data, games, losses, nets, penalties, toys
from ._check import finite, one_of, positive_int
from .engine import Game


@dataclass
class Settings:
    """Everything that determines a run, as `settings.json` keeps it.

    Attributes:
        data: a name of `data.names()` or `toys.TOYS`, a folder of images, or an `.npz` file.
        game: a name of `games.GAMES`, or None for the recipe's own.
        loss: a name of `losses.LOSSES`, or None for the recipe's own.
        steps: rounds to play, or None if `seconds` limits them or the recipe decides.
        seconds: seconds to play instead.
        seed: of the initial weights and of every draw.
    """

    data: str
    game: str | None = None
    loss: str | None = None
    steps: int | None = None
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.game is not None:
            one_of("game", self.game, games.GAMES)
        if self.loss is not None:
            one_of("loss", self.loss, losses.LOSSES)
        positive_int("seed", self.seed, minimum=0)
        if self.steps is not None:
            positive_int("steps", self.steps)
        if self.steps is not None and self.seconds is not None:
            raise ValueError("give either steps or seconds, not both")
        if self.seconds is not None and finite("seconds", self.seconds) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)


def load_data(name: str) -> Any:
    """The density or data set of this name, folder or file; an unknown name lists the known ones.

    Images of a size that the networks do not take are cut to a square and shrunk to a power of two of at most 64.
    """
    if name in toys.TOYS:
        return toys.get(name)
    if name not in data.names() and not Path(name).exists():
        one_of("data", name, [*toys.TOYS, *data.names()])
    try:
        source = data.load(name)
        if not source.is_image or _square(*source.image_shape[1:]):
            return source
        side = min(source.image_shape[1:])
    except ValueError as error:
        if not Path(name).is_dir() or "size" not in str(error):
            raise
        side = 64  # photographs of several sizes
    if side < 16:
        raise ValueError(f"data {name!r} are images with a side of {side} pixels; they need at least 16")
    return data.load(name, size=min(64, 2 ** (side.bit_length() - 1)))


def _square(height: int, width: int) -> bool:
    """Whether the image networks take this size as it is: 28, or a power of two from 16."""
    return height == width and (height == 28 or (height >= 16 and height & (height - 1) == 0))


def build(settings: Settings, *, device: str | None = None, precision: str | None = None) -> Game:
    """The game of these settings, its initial weights drawn from `settings.seed`.

    Sets `settings.game` and `settings.steps` where they are open.

    Args:
        settings: what to play.
        device: where; by default `compute.device()`.
        precision: "fp32" or "bf16"; by default `compute.precision()`.

    Raises:
        ValueError: the data cannot play this game; the message says why.
    """
    source = load_data(settings.data)
    if settings.game is None:
        settings.game = "clustered_gan" if _clusters(source) else "gan"
    classes = None
    if settings.game == "clustered_gan":
        classes = _clusters(source)
        if not classes:
            raise ValueError(
                f"data {settings.data!r} are not at least {2 * PER_CLUSTER} images: game='clustered_gan' needs them, "
                f"game='gan' does not"
            )
    elif settings.game == "conditional_gan":
        if getattr(source, "y", None) is None:
            raise ValueError(
                f"data {settings.data!r} have no labels: game='conditional_gan' needs them, game='gan' does not"
            )
        classes = len(source.classes)
    shape = source.draw(1, torch.Generator())[0].shape[1:] if hasattr(source, "draw") else torch.Size([source.dim])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        recipe = _images if len(shape) == 3 else _points
        generator, discriminator, options = recipe(source, shape, classes, settings)
    if settings.steps is None and settings.seconds is None:
        settings.steps = options.pop("steps")
    options.pop("steps", None)
    options["loss"] = settings.loss or options["loss"]
    anneal = settings.steps if options.pop("anneal") else None
    play = games.get(settings.game)
    size = len(source) if hasattr(source, "__len__") else options["batch"]
    options["batch"] = min(options["batch"], size)
    return play(
        generator,
        discriminator,
        source,
        seed=settings.seed,
        anneal=anneal,
        device=device,
        precision=precision,
        **options,
    )


PER_CLUSTER = 20
"""Images that a cluster holds in the mean; there are at most 200 clusters."""


def _clusters(source: Any) -> int | None:
    """How many clusters the images of a data set make; None where clusters are no use."""
    if not isinstance(source, data.Dataset) or not source.is_image or len(source) < 2 * PER_CLUSTER:
        return None
    return min(200, len(source) // PER_CLUSTER)


def _images(source: Any, shape: torch.Size, classes: int | None, settings: Settings) -> tuple[Any, Any, dict[str, Any]]:
    channels, size, _ = shape
    common: dict[str, Any] = {"size": size, "channels": channels, "width": 16, "classes": classes}
    discriminator = nets.ShuffleDiscriminator(**common, condition="projection" if classes else "concatenation")
    return (
        nets.ShuffleGenerator(latent=64, **common),
        discriminator,
        {
            "loss": "non_saturating",
            "penalty": penalties.r1(0.1, every=8),
            "batch": 32,
            "lr": 2e-3,
            "betas": (0.0, 0.99),
            "averaging": 0.995,
            "anneal": False,
            "steps": 3000,
        },
    )


def _points(source: Any, shape: torch.Size, classes: int | None, settings: Settings) -> tuple[Any, Any, dict[str, Any]]:
    draw = source.draw if hasattr(source, "draw") else source.sample
    points = draw(min(10_000, len(source)) if hasattr(source, "draw") else 10_000, torch.Generator().manual_seed(0))
    scale = float((points[0] if isinstance(points, tuple) else points).std())
    common: dict[str, Any] = {"layers": 4, "classes": classes, "scale": scale}
    return (
        nets.MLPGenerator(latent=2, out=shape[0], prior="uniform", **common),
        nets.MLPDiscriminator(inputs=shape[0], fourier=16, **common),
        {
            "loss": "rpgan",
            "penalty": penalties.r1_r2(0.05 * scale**2, every=4),
            "batch": 256,
            "lr": 4e-3,
            "betas": (0.0, 0.99),
            "averaging": 0.998,
            "anneal": True,
            "steps": 5500,
        },
    )
