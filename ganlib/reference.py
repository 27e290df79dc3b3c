"""What a run is judged by, kept in its folder when it is trained, so that `ganlib evaluate` needs no data.

Of images it is mean and covariance of 8×8 pixels, of points those of their columns: of up to 5000 of the data, and of
as many of those held out. Distances of generated samples stand beside the same distance of real ones, from equally
many, since a Fréchet distance of few samples is large by itself.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import compute, data, features, metrics, recipes, toys
from .engine import Game
from .generator import Generator

__all__ = ["Reference"]

MOST = 5000
"""Samples that are compared."""
CHUNK = 250
"""Samples that are looked at together."""
FULL = 512
"""Columns up to which covariances are compared; of more, variances alone."""


@dataclass
class Reference:
    """The measure of a run.

    Attributes:
        kind: "density" (of `toys`), "digits", "images" or "points".
        name: of the data.
        held_out: whether some data were held out; else halves of the data stand for both splits.
        shares: of each class among the data; empty where the generator is asked for none.
        asked: whether it is asked for digits, which a classifier can then tell.
        arrays: "train.mean", "train.covariance", … of the two splits, and `inputs` to translate with their `targets`.
    """

    kind: str
    name: str
    held_out: bool = True
    shares: list[float] = field(default_factory=list)
    asked: bool = False
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: recipes.Settings, game: Game) -> Reference:
        """The measure of a game that was built from these settings."""
        source, shape = game.data, tuple(game.source.draw(1, torch.Generator()).real.shape[1:])
        kind = "images" if len(shape) == 3 else "points"
        if isinstance(source, toys.Mixture):
            return cls("density", settings.data, held_out=False)
        if settings.data in ("digits", "mnist") and shape == (1, 28, 28):
            kind = "digits"
        made, found = game.snapshot(), cls(kind, settings.data)
        if "labels" in made.takes:
            found.shares = (torch.bincount(source.y, minlength=len(made.classes)).double() / len(source)).tolist()
            found.asked = kind == "digits" and made.takes == ("z", "labels")
        test = held_out(settings)
        found.held_out = test is not None
        if "inputs" in made.takes:
            found._keep_inputs(source if test is None else test)
        if kind != "digits" and not found._judged_by_truth:
            found._measure(source, test)
        return found

    def _keep_inputs(self, pictures: Any) -> None:
        inputs = pictures.inputs if isinstance(pictures, data.Pairs) else pictures.x
        count = max(16, min(1000, 2**23 // inputs[0].numel()))
        self.arrays["inputs"] = inputs[:count].numpy()
        if isinstance(pictures, data.Pairs) and pictures.paired:
            self.arrays["targets"] = pictures.targets[:count].numpy()

    def _measure(self, source: data.Dataset | data.Pairs, test: data.Dataset | data.Pairs | None) -> None:
        parts = _splits(source, test, _features)
        if len(parts["test"]) < 2:
            return
        for split, seen in parts.items():
            mean, covariance = _fit(seen)
            named = {"count": np.array(len(seen)), "mean": mean, "covariance": covariance}
            self.arrays |= {f"{split}.{name}": value for name, value in named.items()}

    @property
    def measure(self) -> Callable[[Game], float] | None:
        """Of a game, the distance by which a run's best checkpoint is chosen; None where there is none."""
        if self.kind != "digits":
            return None
        return lambda game: metrics.frechet_digits(game.sample(1000, seed=1).clamp(-1, 1))  # as they are written

    @property
    def features(self) -> str | None:
        """The features that `judge` takes distances of images in, as `features.get` knows them; None of others."""
        return {"digits": "digits", "images": "pixels"}.get(self.kind)

    def sample(self, made: Generator, n: int, seed: int = 0) -> Tensor:
        """n samples (n, …), of classes as the data have them; of a generator that translates, of the kept inputs."""
        labels = None
        if self.shares:
            rng = compute.generator(seed, "evaluate", "labels")
            labels = torch.multinomial(torch.tensor(self.shares), n, replacement=True, generator=rng)
        if "inputs" not in made.takes:
            return made.sample(n, labels, seed=seed)
        return made.translate(self.inputs(n), labels, seed=seed)

    def inputs(self, n: int) -> Tensor:
        """n of the kept inputs in turn, (n, …) in [-1, 1].

        Raises:
            ValueError: none were kept.
        """
        if "inputs" not in self.arrays:
            raise ValueError("its folder keeps no images to translate: use translate(inputs) in Python")
        return self._kept("inputs", n)

    def shown(self, n: int) -> tuple[Tensor, Tensor | None]:
        """n of the kept inputs in turn, (n, …) in [-1, 1], and what they should become, likewise, where it is known.

        Raises:
            ValueError: none were kept.
        """
        return self.inputs(n), self._kept("targets", n) if self.paired else None

    @property
    def paired(self) -> bool:
        """Whether the kept inputs have their truth beside them."""
        return "targets" in self.arrays

    @property
    def _judged_by_truth(self) -> bool:
        return self.paired and self.held_out

    def _kept(self, name: str, n: int) -> Tensor:
        kept = torch.from_numpy(self.arrays[name])
        kept = kept[torch.arange(n) % len(kept)]
        return kept.float() / 127.5 - 1 if kept.dtype == torch.uint8 else kept

    def judge(self, made: Generator, split: str = "train") -> dict[str, float]:
        """The measures of a generator by name, each with that of real samples, "…_real", after it.

        With a Fréchet distance: "samples", how many were generated, and "reference", with how many they were compared.

        Args:
            made: the generator.
            split: "train", or "test" to compare with what was held out.

        Raises:
            ValueError: nothing was held out.
        """
        if split == "test" and not self.held_out:
            raise ValueError(f"of {self.name} nothing was held out: leave --split out")
        if self.kind == "density":
            return self._modes(made)
        found: dict[str, float] = {}
        if self._judged_by_truth:
            truth = torch.from_numpy(self.arrays["targets"]) / 255
            made_of = made.translate(self.inputs(len(truth)))
            found["pixel_error"] = ((made_of + 1) / 2 - truth).abs().mean().item()
            found["pixel_error_real"] = (truth - truth.roll(1, 0)).abs().mean().item()
        if self.kind == "digits":
            return found | self._digits(made, split)
        if "train.mean" not in self.arrays:
            return found
        other = "train" if split == "test" else "test"
        count = min(int(self.arrays[f"{other}.count"]), len(self.arrays.get("inputs", range(MOST))))
        found_at = [
            self._distance(split, *_fit(torch.cat([_features(part) for part in self._drawn(made, count, i)])))
            for i in range(max(1, min(10, 1000 // count)))
        ]
        real = self._distance(split, self.arrays[f"{other}.mean"], self.arrays[f"{other}.covariance"])
        name = "frechet_pixels" if self.kind == "images" else "frechet_points"
        found |= {name: float(np.mean(found_at)), f"{name}_real": real}
        return found | {"samples": count, "reference": int(self.arrays[f"{split}.count"])}

    def judge_in(
        self, name: str, made: Generator, settings: recipes.Settings, split: str = "train"
    ) -> dict[str, float]:
        """Distances of generated images in features of the reader's choice, from the data themselves.

        Args:
            name: of the features, as `features.get` knows them.
            made: the generator.
            settings: of the run, whose data are read again.
            split: "train", or "test" to compare with what was held out.

        Returns:
            "frechet_NAME" (left out, with a warning, where there are no more images than features: their covariance
            would be singular), "kid_NAME" and its standard error, NaN of fewer than 500 images, each with that of real
            images, "…_real"; "classifier_accuracy", for "classes": the share of held-out images that it tells rightly;
            "samples", how many were generated, as many as real ones; "reference", with how many they were compared.

        Raises:
            ValueError: the data are no images, nothing was held out, too few are there, or the features cannot be had
                or tell nothing.
            RuntimeError, OSError, ModuleNotFoundError: as `features.get` and `features.encode`.
        """
        if split == "test" and not self.held_out:
            raise ValueError(f"of {self.name} nothing was held out: leave --split out")
        if self.kind not in ("images", "digits"):
            raise ValueError(f"features={name!r} are of images, and {self.name} holds points")
        source, test = recipes.load_for(settings), held_out(settings)
        labelled = isinstance(source, data.Dataset) and source.y is not None
        encoder = features.get(name, source if labelled else None)
        parts, other = _splits(source, test, lambda x: x), "train" if split == "test" else "test"
        reals = parts[other][: len(self.arrays.get("inputs", range(MOST)))]
        if len(reals) < 2:
            raise ValueError(f"{self.name} holds too few images to compare with")
        samples = torch.cat(list(self._drawn(made, len(reals))))
        x, real, mine = (features.encode(encoder, some, name) for some in (parts[split], reals, samples))
        if x.var(0).sum() == 0:
            raise ValueError(f"features={name!r} are the same for all {len(x)} images of {self.name}")
        tag, few, size = name.rpartition(":")[2], min(len(x), len(real)), x.shape[1]
        found: dict[str, float] = {}
        if few > size:
            found[f"frechet_{tag}"] = metrics.frechet_distance(mine, x)
            found[f"frechet_{tag}_real"] = metrics.frechet_distance(real, x)
        else:
            warnings.warn(
                f"frechet_{tag} is left out: {few} images have a singular covariance in {size} features, which need "
                f"more than {size} images; kid_{tag} needs no covariance",
                stacklevel=2,
            )
        block = max(500, -(-2 * len(x) // len(real)))
        kid, kid_real = metrics.kid(mine, x, block), metrics.kid(real, x, block)
        found |= {f"kid_{tag}": kid.distance, f"kid_{tag}_error": kid.error, f"kid_{tag}_real": kid_real.distance}
        if name == "classes" and test is not None:
            found["classifier_accuracy"] = features.accuracy(features.classifier(source), test)
        return found | {"samples": len(mine), "reference": len(x)}

    def _drawn(self, made: Generator, count: int, seed: int = 0) -> Iterator[Tensor]:
        """So many generated samples, a few at a time."""
        if "inputs" in made.takes:
            yield self.sample(made, count, seed)
            return
        for i in range(0, count, 500):
            yield self.sample(made, min(500, count - i), seed * MOST + i)

    def _distance(self, split: str, mean: np.ndarray, covariance: np.ndarray) -> float:
        mine, spread = self.arrays[f"{split}.mean"], self.arrays[f"{split}.covariance"]
        if spread.ndim == 1:
            return float(((mine - mean) ** 2 + (np.sqrt(spread) - np.sqrt(covariance)) ** 2).sum())
        return metrics.frechet_gaussians(*map(torch.from_numpy, (mine, spread, mean, covariance)))

    def _digits(self, made: Generator, split: str) -> dict[str, float]:
        real = data.load("digits", "train" if split == "test" else "test")
        if "inputs" in made.takes:
            samples = self.sample(made, len(self.arrays["inputs"]))
        else:
            samples = made.sample(MOST)
        samples = samples.clamp(-1, 1)  # as they are written
        found = {"frechet": metrics.frechet_digits(samples, split)}
        found["frechet_real"] = metrics.frechet_digits(real.x, split)
        if self.asked:
            assert real.y is not None
            found["label_accuracy"] = metrics.class_accuracy(samples, torch.arange(MOST) % len(self.shares))
            found["label_accuracy_real"] = metrics.class_accuracy(real.x, real.y)
        return found | {"samples": len(samples), "reference": len(data.load("digits", split))}

    def _modes(self, made: Generator) -> dict[str, float]:
        mixture = toys.get(self.name)
        assert isinstance(mixture, toys.Mixture)
        mine = metrics.modes(made.sample(20_000), mixture)
        real = metrics.modes(mixture.sample(20_000, compute.generator(0, "evaluate")), mixture)
        found: dict[str, float] = {}
        for name in ("modes", "quality", "reverse_kl"):
            found |= {name: getattr(mine, name), f"{name}_real": getattr(real, name)}
        return found

    def to_bytes(self) -> bytes:
        """The reference as an .npz file."""
        facts = {name: getattr(self, name) for name in ("kind", "name", "held_out", "shares", "asked")}
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, facts=np.array(json.dumps(facts)), **self.arrays)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> Reference:
        """What `to_bytes` wrote to this file.

        Raises:
            ValueError: it is not there, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return cls(**json.loads(str(arrays.pop("facts"))), arrays=arrays)
        except FileNotFoundError:
            raise ValueError(f"{path} is missing: runs that `ganlib train` makes have it") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            why = "it is no archive" if "pickle" in str(error) else error  # numpy advises to unpickle it
            raise ValueError(f"{path} cannot be read: {why}") from None


def held_out(settings: recipes.Settings) -> Any:
    """Samples, or pairs, like those of these settings that no run on them sees; None where too few were kept."""
    try:
        test = recipes.load_for(settings, "test")
    except ValueError:  # too few for that
        return None
    return test if isinstance(test, data.Dataset | data.Pairs) and len(test) > 1 else None


def _splits(
    source: data.Dataset | data.Pairs, test: data.Dataset | data.Pairs | None, see: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """What `see` returns of real samples to compare with, by split; halves of the data where none were held out."""
    train = _some(source, see)
    return {"train": train[::2], "test": train[1::2]} if test is None else {"train": train, "test": _some(test, see)}


def _some(source: data.Dataset | data.Pairs, see: Callable[[Tensor], Tensor]) -> Tensor:
    """What `see` returns of up to `MOST` real samples, (n, …), in an order that is always the same."""
    x = source.targets if isinstance(source, data.Pairs) else source.x
    index = torch.randperm(len(x), generator=compute.generator(0, "reference"))[:MOST]
    first = see(x[:1])
    found = first.new_empty(len(index), *first.shape[1:])  # in one piece: small ones would hold large ones' memory
    for into, rows in zip(found.split(CHUNK), index.split(CHUNK), strict=True):
        into.copy_(see(data.taken(x, rows)))
    return found


def _fit(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Their mean (F,) and covariance (F, F), or variances (F,) where they are many."""
    x = features.double()
    spread = x.var(0) if x.shape[1] > FULL else x.T.cov().reshape(x.shape[1], -1)
    return x.mean(0).numpy(), spread.numpy()


def _features(x: Tensor) -> Tensor:
    """Points as they are, images (N, C, H, W) at 8×8 pixels: (N, F) float32."""
    return x if x.dim() == 2 else features.pixels(x)
