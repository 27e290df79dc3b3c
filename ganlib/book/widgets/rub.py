"""A digit to rub out in the reader's browser: many answers to what stood in the hole, and the mean of them all.

After context encoders (Pathak et al. 2016, https://arxiv.org/abs/1604.07379), which fill holes in photographs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, cast

import torch
import traitlets
from torch import Tensor, nn

from ganlib import _check, compute
from ganlib.book.widgets.network import script
from ganlib.book.widgets.translators import Translating, as_bytes, bounded, joined, network, worded, write_all

MOST_DRAWS, MOST_CLASSES, RUB_SIDE = 64, 16, 32


class Rub(Translating):
    """What `rub` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        picture: which one is rubbed at, from 0.
        mask: 1 for each pixel that is rubbed out and 0 for each that is kept, row by row.
        z: the codes of the answers, `draws` lists of `latent` numbers.
    """

    _esm = script("engine.js", "page.js", "translators.js", "easel.js", "rub.js")
    _css = script("translators.css", "rub.css")
    picture = traitlets.Int(0).tag(sync=True)
    mask: Any = traitlets.List().tag(sync=True)
    z: Any = traitlets.List().tag(sync=True)
    _makers: tuple[nn.Module, ...] = ()  # sampler, mean and classifier as they were given

    def given(self) -> Tensor:
        """(1, 2, H, W), what both networks get: the picture, 0 in the hole, and the mask, 1 kept and −1 rubbed out."""
        shape = tuple(self.facts["shape"])
        pixels = torch.frombuffer(bytearray(self.pictures), dtype=torch.uint8).view(-1, *shape)[self.picture]
        kept = 1 - torch.tensor(self.mask, dtype=torch.float32).view(shape)
        return torch.cat([(pixels / 127.5 - 1) * kept, 2 * kept - 1])[None]

    def answers(self) -> Tensor:
        """(draws, 1, H, W) in [-1, 1]: the picture with each answer in its hole, in the networks' full precision."""
        z = torch.tensor(self.z)
        return self._filled(self._makers[0], self.given().expand(len(z), -1, -1, -1), z)

    def fog(self) -> Tensor:
        """(1, 1, H, W) in [-1, 1]: the picture with the mean's answer in its hole."""
        return self._filled(self._makers[1], self.given())

    @torch.no_grad()
    def classes(self) -> Tensor:
        """(draws,) int64: the class that each answer is read as."""
        return cast(Tensor, self._makers[2](self.answers())).argmax(1)

    @staticmethod
    @torch.no_grad()
    def _filled(net: nn.Module, given: Tensor, *code: Tensor) -> Tensor:
        picture, mask = given.split(1, 1)
        return torch.where(mask > 0, picture, net(given, *code).float().clamp(-1, 1))

    @traitlets.validate("picture")
    def _known_picture(self, proposal: Any) -> int:
        return int(bounded("picture", proposal["value"], 0, self.facts["count"] - 1))

    @traitlets.validate("mask")
    def _whole_mask(self, proposal: Any) -> list[int]:
        mask, (_, height, width) = proposal["value"], self.facts["shape"]
        if len(mask) != height * width or not all(rubbed in (0, 1) for rubbed in mask):
            raise traitlets.TraitError(f"mask must be {height * width} numbers, each 0 or 1, got {len(mask)} numbers")
        return cast(list[int], mask)

    @traitlets.validate("z")
    def _whole_z(self, proposal: Any) -> list[list[float]]:
        z, draws, latent = proposal["value"], self.facts["draws"], self.facts["latent"]
        if [len(code) for code in z] != [latent] * draws or not all(math.isfinite(v) for code in z for v in code):
            raise traitlets.TraitError(f"z must be {draws} lists of {latent} finite numbers, got {z!r:.60}")
        return cast(list[list[float]], z)


def rub(
    sampler: Any,
    mean: Any,
    classifier: nn.Module,
    images: Tensor,
    *,
    names: Sequence[str] | None = None,
    draws: int = 16,
    alt: str = "digit",
    seed: int = 0,
) -> Rub:
    """A picture to rub out, beside many answers to what stood in the hole, their classes, and the mean's answer.

    First used in chapter 18.

    One rubs with finger, mouse or keys (arrows move, space rubs, u undoes), or takes away a whole half. What is known
    stands as it is; the networks' answers are shown in the hole alone, clipped to [-1, 1]. Each answer is read by the
    classifier, and a bar for each class shows how many are. All networks run in the page, in evaluation mode.

    Args:
        sampler: a translator of (N, 2, H, W) to (N, 1, H, W) that takes a z (N, latent), standard normal; see `pad` for
            what may run. The first channel that goes in is the picture, 0 in the hole, the second the mask, 1 where it
            is kept and −1 where it is rubbed out.
        mean: a translator of the same images without a z, such as one trained with a squared loss.
        classifier: (N, 1, H, W) -> (N, K) logits: `features.DigitClassifier`, or an `nn.Sequential` of layers that run
            in the page.
        images: (N, 1, H, W) with sides of at most 32, uint8 or floats in [-1, 1].
        names: one text a class; by default its number.
        draws: how many answers, 2 to 64.
        alt: what a picture shows, for those who cannot see it.
        seed: of the answers shown first.

    Returns:
        The widget. What its methods return comes from copies of the networks, in full precision.

    Raises:
        TypeError: a network is none, or has a layer that does not run in the page, which the message names.
        ValueError: networks that do not fit the images or one another, a sampler without a z, names that are not one a
            class, weights of all three above `WEIGHTS_LIMIT`.
    """
    pictures = as_bytes("images", images)
    count, channels, height, width = pictures.shape
    fits = channels == 1 and max(height, width) <= RUB_SIDE
    _check.shape("images", pictures, f"(N, 1, H, W) with sides of at most {RUB_SIDE}", fits)
    if not isinstance(classifier, nn.Module):
        raise TypeError(f"classifier must be a network, got {type(classifier).__name__}")
    shape = (2, height, width)
    networks, weights = write_all(
        {"sampler": (sampler, shape), "mean": (mean, shape)},
        code=True,
        others={"classifier": (classifier, (1, height, width))},
    )
    for name, made in zip(("sampler", "mean"), networks, strict=False):
        if made["shape"] != [1, height, width]:
            raise ValueError(f"{name} must make images of shape (1, {height}, {width}), got {tuple(made['shape'])}")
    if not networks[0]["code"] or networks[1]["code"]:
        raise ValueError(
            f"sampler must take a z and mean none, got z of {networks[0]['code']} and {networks[1]['code']} numbers"
        )
    logits = networks[2]["shape"]
    if len(logits) != 1 or not 2 <= logits[0] <= MOST_CLASSES:
        raise ValueError(f"classifier must make logits (N, K) of 2 to {MOST_CLASSES} classes, got (N, *{logits})")
    names = [str(name) for name in (range(logits[0]) if names is None else names)]
    if len(names) != logits[0] or len(set(names)) != len(names):
        raise ValueError(f"names must be {logits[0]} different texts, one a class, got {names}")
    if not 2 <= _check.positive_int("draws", draws) <= MOST_DRAWS:
        raise ValueError(f"draws must lie between 2 and {MOST_DRAWS}, got {draws}")
    facts = {
        "shape": [1, height, width],
        "count": count,
        "draws": draws,
        "latent": networks[0]["code"],
        "names": names,
        "alt": worded(alt),
    }
    half = height // 2 * width
    widget = Rub(
        networks=networks,
        weights=weights,
        pictures=joined(pictures),
        facts=facts,
        mask=[0] * half + [1] * (height * width - half),
        z=torch.randn(draws, facts["latent"], generator=compute.generator(seed, "rub")).tolist(),
    )
    makers = (network("sampler", sampler), network("mean", mean), classifier)
    widget._makers = tuple(copy.deepcopy(net).cpu().eval() for net in makers)
    return widget
