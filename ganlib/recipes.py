"""Settings that work for a data set, from its name alone: what the command line plays by default.

Images: the shuffle networks on hidden classes, which are clusters of the data (`games.clustered_gan`), or on the
reader's own classes (`games.conditional_gan`), the non-saturating loss and a lazy R1 penalty (Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406). Points: perceptrons that see them centred and scaled to unit variance, the
relativistic pairing loss with R1 and R2 (Huang et al. 2024, https://arxiv.org/abs/2501.05441).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import augment, data, games, losses, nets, penalties, toys
from ._check import NO_FILE, finite, one_of, positive_int
from .data.packaged import BUILT_IN
from .engine import Game

OF_TWO = ("pix2pix", "bicycle_gan", "cycle_gan")
"""The games that learn from two sets of images."""
FROM_PYTHON = {
    "gain": "games.gain(generator, discriminator, data.Incomplete(rows)), rows such as pandas.read_csv(FILE)",
    "ambient_gan": "games.ambient_gan(generator, discriminator, data, measure=the function that does the damage)",
}
"""Games that need more than the name of their data, and how to play them; chapter 18 does."""

UNLABELLED = "unlabelled"
"""What a folder is called, beside those of the classes, whose images game semi_supervised is to find the classes of."""


@dataclass
class Settings:
    """Everything that determines a run, as `settings.json` keeps it.

    Attributes:
        data: a name of `data.names()` or `toys.TOYS`, a folder of images, or an `.npz` file.
        game: a name of `games.GAMES`, or None for the recipe's own.
        loss: a name of `losses.LOSSES`, or None for the recipe's own.
        inputs, targets: what the two folders of pictures in a folder are called that a game translates between, or None
            for these very names.
        size: side to which images are brought, or None for what `load_data` chooses.
        batch, lr: samples a turn and learning rate, or None for the recipe's own.
        augment: names of `augment.AUGMENTATIONS`, with commas between, or None for no change of what D sees.
        steps: rounds to play, or None if `seconds` limits them or the recipe decides.
        seconds: seconds to play instead.
        seed: of the initial weights and of every draw.
    """

    data: str
    game: str | None = None
    loss: str | None = None
    inputs: str | None = None
    targets: str | None = None
    size: int | None = None
    batch: int | None = None
    lr: float | None = None
    augment: str | None = None
    steps: int | None = None
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.game is not None:
            one_of("game", self.game, games.GAMES)
            if self.game in FROM_PYTHON:
                raise ValueError(f"game={self.game!r} is played from Python: {FROM_PYTHON[self.game]}")
        if self.loss is not None:
            one_of("loss", self.loss, losses.LOSSES)
        if positive_int("seed", self.seed, minimum=0) >= 2**63:
            raise ValueError(f"seed must be below 2^63, got {self.seed}")
        for name in ("size", "batch"):
            if getattr(self, name) is not None:
                positive_int(name, getattr(self, name))
        if self.lr is not None and finite("lr", self.lr) <= 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        augment.get(self.augment)
        if self.steps is not None:
            positive_int("steps", self.steps)
        if self.steps is not None and self.seconds is not None:
            raise ValueError("give either steps or seconds, not both")
        if self.seconds is not None and finite("seconds", self.seconds) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")
        for name in ("inputs", "targets"):
            if getattr(self, name) is not None and self.game not in OF_TWO:
                raise ValueError(f"{name}={getattr(self, name)!r} is for game={' or '.join(OF_TWO)}, got {self.game}")


def load_data(name: str, split: str = "train", size: int | None = None) -> Any:
    """The density or data set of this name, folder or file; an unknown name lists the known ones.

    Images are of a size that the networks take, `data.load(size="fit")`; what was done to them is in their `notes`.

    Args:
        name: a name of `toys.TOYS` or `data.names()`, which wins over a folder of that name, or a path.
        split: "train", "test" or "all".
        size: the side of the images instead; 28 or another m · 2^k, m from 4 to 7 and k at least 2.

    Raises:
        ValueError: an unknown name, files that cannot be read, or images that the networks do not take.
    """
    if name in toys.TOYS:
        if Path(name).is_dir():
            warnings.warn(BUILT_IN.format(name), stacklevel=2)
        if size is not None:
            raise ValueError(f"size={size} is for images, and {name} holds points")
        return toys.get(name)
    if not name or (Path(name).name == name and not Path(name).suffix and not Path(name).expanduser().exists()):
        one_of("data", name, [*toys.TOYS, *data.names()], NO_FILE)
    if size is not None and not nets.fits(positive_int("size", size)):
        raise ValueError(f"size must be 16, 20, 24, 28, 32, 40, 48, 56, 64, 80 … for the image networks, got {size}")
    source = data.load(name, split, size="fit" if size is None else size)
    if source.is_image and (side := min(source.image_shape[1:])) < 16:
        raise ValueError(f"data {name!r} are images with a side of {side} pixels; they need at least 16")
    return source


def load_for(settings: Settings, split: str = "train") -> Any:
    """The data that these settings play for: as `load_data`, or pairs made of them where the game translates.

    Args:
        settings: the game and the name of its data. A folder of one's own for pix2pix, bicycle_gan or cycle_gan holds
            the folders `inputs` and `targets` (or as the settings call them); for cycle_gan they need no common names,
            and are never taken as pairs.
        split: "train", or "test" for those that the game does not see.

    Raises:
        ValueError: the game cannot be played for these data; the message says why.
    """
    name, game, size = settings.data, settings.game, settings.size
    if game in OF_TWO:
        own = name not in PAIRED and Path(name).expanduser().is_dir()
        if not own and name not in PAIRED:
            raise ValueError(
                f"data {name!r} are no pairs: game={game!r} needs them; choose one of: {', '.join(PAIRED)}, or a "
                f"folder that holds the folders inputs and targets"
            )
        if not own and (called := settings.inputs or settings.targets):
            raise ValueError(f"inputs and targets name folders, and data {name!r} have none, got {called!r}")
        least = 16
        if size is not None and (size < least or (size % 4 if game == "cycle_gan" else size & (size - 1))):
            wanted = "a multiple of 4" if game == "cycle_gan" else "a power of two"
            raise ValueError(f"size must be {wanted} from {least} for game={game!r}, got {size}")
        paired = game != "cycle_gan" or (split == "test" and not own)
        named = {"inputs": settings.inputs, "targets": settings.targets}
        inputs, targets = (side if name is None else name for side, name in named.items())
        pairs = data.load_pairs(name, split, paired=paired, size=size, folders=(inputs, targets))
        if (side := pairs.inputs.shape[2]) < least:
            raise ValueError(
                f"data {name!r} are images that come to a side of {side} pixels, and game={game!r} needs {least}: "
                f"larger pictures, or size={least}, which enlarges them"
            )
        return pairs
    source = load_data(name, split, size)
    if game not in ("star_gan", "progressive_gan", "sr_gan", "esr_gan"):
        return source
    if not isinstance(source, data.Dataset) or not source.is_image:
        raise ValueError(f"data {name!r} are no images: game={game!r} needs them, game='gan' does not")
    if game in ("sr_gan", "esr_gan"):
        return data.shrunk(source, 2)
    side = source.image_shape[1]
    if side & (side - 1) == 0:
        return source
    side = 2 ** side.bit_length()
    notes = (*source.notes, f"enlarged to {side}×{side}, a power of two")
    return replace(source.resized(side), notes=notes)


PAIRED = ("scenes",)
"""Names of data that are pairs of images too."""


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
    source = load_for(settings)
    if _count(source, 2) < 2:
        raise ValueError(
            f"data {settings.data!r} hold 1 sample to train on: a game needs several, and hundreds to learn"
        )
    if settings.game is None:
        settings.game = _suited(settings.data, source)
    if settings.game in LINEUPS:
        return _line_up(settings, source, device, precision)
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
                f"data {settings.data!r} have no labels: game='conditional_gan' needs them, "
                f"a folder for each class; game='gan' does not"
            )
        classes = len(source.classes)
    shape = source.draw(1, torch.Generator())[0].shape[1:] if hasattr(source, "draw") else torch.Size([source.dim])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        recipe = _images if len(shape) == 3 else _returns if _stationary(source, classes) else _points
        generator, discriminator, options = recipe(source, shape, classes, settings)
    if settings.steps is None and settings.seconds is None:
        settings.steps = options.pop("steps")
    options.pop("steps", None)
    options["loss"] = settings.loss or options["loss"]
    options["batch"] = min(options["batch"], _count(source, options["batch"]))
    options |= _asked(settings)
    anneal = (settings.steps or "seconds") if options.pop("anneal") else None
    play = games.get(settings.game)
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


def _count(source: Any, endless: int) -> int:
    """How many samples there are, of two sets in the larger one; of a density, `endless`."""
    if isinstance(source, data.Pairs):
        return max(len(source.inputs), len(source.targets))
    return len(source) if hasattr(source, "__len__") else endless


def _asked(settings: Settings) -> dict[str, Any]:
    """The options of a game that the settings name."""
    return {name: value for name in ("batch", "lr", "augment") if (value := getattr(settings, name)) is not None}


def _suited(name: str, source: Any) -> str:
    """The game for these data: images of one's own with classes are asked for by them, other images are clustered."""
    own = name not in data.names() and isinstance(source, data.Dataset) and source.is_image
    if own and len(source.classes) > 1:
        return "conditional_gan"
    return "clustered_gan" if _clusters(source) else "gan"


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


Units = float | list[float]


def _units(source: Any) -> tuple[Units, Units]:
    """Mean and standard deviation of points, of each column, for networks that see them centred and scaled. Those of
    a density, whose coordinates have one unit, stay where they are and are scaled by one number."""
    if not isinstance(source, data.Dataset):
        return 0.0, float(source.sample(10_000, torch.Generator().manual_seed(0)).std())
    points = source.x.double()
    deviation = points.std(0, correction=0)
    return points.mean(0).tolist(), torch.where(deviation > 0, deviation, 1.0).tolist()


def _points(source: Any, shape: torch.Size, classes: int | None, settings: Settings) -> tuple[Any, Any, dict[str, Any]]:
    shift, scale = _units(source)
    common: dict[str, Any] = {"layers": 4, "classes": classes, "shift": shift, "scale": scale}
    if isinstance(scale, float):
        penalty = penalties.r1_r2(0.05 * scale**2, every=4)
    else:
        penalty = penalties.r1_r2(0.05, every=4, scale=scale)
    return (
        nets.MLPGenerator(latent=2, out=shape[0], prior="uniform", negative_slope=0.0, **common),
        nets.MLPDiscriminator(inputs=shape[0], fourier=32, frequency=8.0, **common),
        {
            "loss": "rpgan",
            "penalty": penalty,
            "batch": 256,
            "lr": 4e-3,
            "betas": (0.0, 0.95),
            "averaging": 0.998,
            "anneal": True,
            "steps": 4000,
        },
    )


def _stationary(source: Any, classes: int | None) -> bool:
    """Whether samples are windows of a series in which any moment is like any other: `returns` are, temperatures with
    their seasons are not."""
    return classes is None and isinstance(source, data.Dataset) and source.name == "returns"


def _returns(
    source: Any, shape: torch.Size, classes: int | None, settings: Settings
) -> tuple[Any, Any, dict[str, Any]]:
    """Chapter 20's: convolutions over time, and a volatility."""
    shift, scale = source.x.mean().item(), source.x.std().item()
    return (
        nets.SequenceGenerator(shape[0], depth=6, volatility=True, scale=scale, shift=shift),
        nets.SequenceDiscriminator(shape[0], scale=scale, shift=shift),
        {
            "loss": "rpgan",
            "penalty": penalties.r1_r2(0.1 * scale**2, every=4),
            "batch": 32,
            "lr": 2e-3,
            "betas": (0.0, 0.99),
            "averaging": 0.99,
            "anneal": True,
            "steps": 900,
        },
    )


# ---- the other games: networks of the same kinds, and the papers' weights ------------------------------------------


@dataclass
class _Parts:
    """Makes the networks that suit images (C, S, S) or points (D,), for any game."""

    shape: tuple[int, ...]
    classes: int | None
    shift: Units = 0.0
    scale: Units = 1.0
    inputs: int | None = None  # channels of what is translated, where they are others

    @property
    def entering(self) -> int:
        return self.shape[0] if self.inputs is None else self.inputs

    @property
    def latent(self) -> int:
        return 64 if len(self.shape) == 3 else 2

    @property
    def _common(self) -> dict[str, Any]:
        if len(self.shape) == 3:
            return {"size": self.shape[1], "channels": self.shape[0], "width": 16}
        return {"layers": 3, "shift": self.shift, "scale": self.scale}

    def generator(self, latent: int | None = None, classes: int | None = None) -> nn.Module:
        length = self.latent if latent is None else latent
        if len(self.shape) == 3:
            return nets.ShuffleGenerator(latent=length, classes=classes, **self._common)
        return nets.MLPGenerator(latent=length, out=self.shape[0], classes=classes, **self._common)

    def discriminator(self) -> nn.Module:
        if len(self.shape) == 3:
            return nets.ShuffleDiscriminator(**self._common)
        return nets.MLPDiscriminator(inputs=self.shape[0], **self._common)

    def encoder(self, gaussian: bool) -> nn.Module:
        if len(self.shape) == 3:
            return nets.ShuffleEncoder(latent=self.latent, gaussian=gaussian, **self._common)
        return nets.MLPEncoder(latent=self.latent, inputs=self.shape[0], gaussian=gaussian, **self._common)

    def joint(self) -> nn.Module:
        if len(self.shape) == 3:
            return nets.ShuffleJointDiscriminator(latent=self.latent, **self._common)
        return nets.MLPJointDiscriminator(latent=self.latent, inputs=self.shape[0], **self._common)

    def patches(self, beside: bool = False) -> nn.Module:
        """A judge of patches, shown the input `beside` the image."""
        return nets.PatchDiscriminator(self.shape[0], inputs=self.entering if beside else 0)

    def cycle(self) -> tuple[list[nn.Module], dict[str, Any]]:
        """Two translators and their judges; where the two sets differ in channels, no identity term."""
        x, y = self.entering, self.shape[0]
        translators = [nets.ResidualGenerator(x, y), nets.ResidualGenerator(y, x)]
        options = {} if x == y else {"identity": 0.0}
        return [*translators, nets.PatchDiscriminator(y), nets.PatchDiscriminator(x)], options


def _with_r1() -> dict[str, Any]:
    return {"penalty": penalties.r1(0.1, every=8), "lr": 1e-3, "betas": (0.0, 0.99)}


def _codes(p: _Parts) -> tuple[list[nn.Module], dict[str, Any]]:
    codes = games.Codes()
    networks = [p.generator(p.latent + codes.width), nets.TwoHeaded(p.discriminator(), codes.outputs)]
    return networks, {"codes": codes, **_with_r1()}


#: For each of the other games: its networks in their order, and its options.
LINEUPS: dict[str, Callable[[_Parts], tuple[list[nn.Module], dict[str, Any]]]] = {
    "ac_gan": lambda p: (
        [p.generator(classes=p.classes), nets.TwoHeaded(p.discriminator(), p.classes or 0)],
        _with_r1(),
    ),
    "info_gan": _codes,
    "semi_supervised": lambda p: (
        [p.generator(), nets.TwoHeaded(p.discriminator(), p.classes or 0)],
        {"lr": 1e-3, "betas": (0.5, 0.99)},
    ),
    "eb_gan": lambda p: (
        [p.generator(), nets.AutoencoderDiscriminator(p.generator(), p.encoder(gaussian=False))],
        {"pulling_away": 0.1, "lr": 1e-3},
    ),
    "vae": lambda p: ([p.generator(), p.encoder(gaussian=True)], {}),
    "aae": lambda p: (
        [p.generator(), p.encoder(gaussian=False), nets.MLPDiscriminator(inputs=p.latent)],
        {"lr": 1e-3},
    ),
    "vae_gan": lambda p: ([p.generator(), p.encoder(gaussian=True), p.discriminator()], {}),
    "bigan": lambda p: ([p.generator(), p.encoder(gaussian=False), p.joint()], _with_r1()),
    "lr_gan": lambda p: ([p.generator(), p.encoder(gaussian=False), p.discriminator()], _with_r1()),
    "pix2pix": lambda p: ([nets.UNet(p.shape[1], p.entering, p.shape[0]), p.patches(beside=True)], {}),
    "bicycle_gan": lambda p: (
        [
            nets.UNet(p.shape[1], p.entering, p.shape[0], latent=8),
            nets.ShuffleEncoder(p.shape[1], p.shape[0], latent=8),
            p.patches(beside=True),
        ],
        {},
    ),
    "cycle_gan": _Parts.cycle,
    "star_gan": lambda p: (
        [
            nets.ResidualGenerator(p.shape[0], classes=p.classes),
            nets.DomainDiscriminator(p.shape[1], p.shape[0], p.classes or 0),
        ],
        {},
    ),
    "progressive_gan": lambda p: (
        [
            nets.ProgressiveGenerator(p.shape[1], p.shape[0], p.latent),
            nets.ProgressiveDiscriminator(p.shape[1], p.shape[0]),
        ],
        {},
    ),
    "sr_gan": lambda p: ([nets.SuperResolutionGenerator(2, p.shape[0]), p.patches()], {}),
    "esr_gan": lambda p: ([nets.SuperResolutionGenerator(2, p.shape[0], block="rrdb"), p.patches()], {}),
}


def _labelled(source: Any) -> data.Dataset | None:
    """The samples of all classes but `UNLABELLED`; None where there is no such class."""
    if UNLABELLED not in source.classes:
        return None
    classes, none = tuple(c for c in source.classes if c != UNLABELLED), source.classes.index(UNLABELLED)
    kept = source.y != none
    if not kept.any():
        raise ValueError(f"data {source.name!r} have no folder but {UNLABELLED}: game='semi_supervised' needs classes")
    y = source.y[kept]
    return replace(source, x=source.x[kept], y=y - (y > none).long(), classes=classes)


def _line_up(settings: Settings, source: Any, device: str | None, precision: str | None) -> Game:
    """The game of a row of `LINEUPS`."""
    assert settings.game is not None
    labels = getattr(source, "y", None) is not None
    if settings.game in ("ac_gan", "star_gan", "semi_supervised") and not labels:
        raise ValueError(
            f"data {settings.data!r} have no labels: game={settings.game!r} needs them, a folder for each class"
        )
    if settings.loss is not None and settings.game in ("vae", "eb_gan", "semi_supervised"):
        raise ValueError(f"loss={settings.loss!r}: game={settings.game!r} has a loss of its own; leave it out")
    drawn = data.source(source).draw(1, torch.Generator())
    shape = tuple(drawn.real.shape[1:])
    parts = _Parts(shape, len(source.classes) if labels else None, *(_units(source) if len(shape) == 1 else ()))
    parts.inputs = None if drawn.inputs is None else drawn.inputs.shape[1]
    few = _labelled(source) if settings.game == "semi_supervised" else None
    if few is not None:
        parts.classes = len(few.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        networks, options = LINEUPS[settings.game](parts)
    if few is not None:
        options["labelled"] = few
    if settings.loss is not None:
        options["loss"] = settings.loss
    if settings.steps is None and settings.seconds is None:
        settings.steps = 2000
    batch = min(_count(source, 256), 256 if len(shape) == 1 else 16 if hasattr(source, "draw_pair") else 32)
    if settings.game == "progressive_gan":
        batch -= batch % 4  # its discriminator compares the samples of groups of 4
        if settings.steps is not None:  # images of 4 · 2ᵏ pixels a side are whole after 2 k of 2 k + 2 stages
            options["stage"] = max(1, settings.steps // (2 * (shape[1].bit_length() - 2)))
    options = {"batch": batch, **options, **_asked(settings)}
    return games.get(settings.game)(
        *networks, source, seed=settings.seed, device=device, precision=precision, **options
    )
