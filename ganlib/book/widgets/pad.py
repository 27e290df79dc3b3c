"""A drawing pad in the reader's browser: what is painted with a few brushes, translated as one paints.

After edges2cats, the page that made pix2pix known (Hesse 2017, https://affinelayer.com/pixsrv/).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import traitlets
from torch import Tensor

from ganlib import _check, compute
from ganlib.book.widgets.network import script
from ganlib.book.widgets.translators import Translating, as_bytes, colour, joined, two_colours, worded, write_all

MOST_BRUSHES = 9
"""Brushes that a pad may have: each has a digit as its key."""


class Pad(Translating):
    """What `pad` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        drawing: which brush each pixel was painted with, row by row, from 0.
        z: the code of the translation shown, empty where the translators take none.
        translator: the name of the one that is at work.
    """

    _esm = script("engine.js", "page.js", "translators.js", "easel.js", "pad.js")
    _css = Path(__file__).with_name("translators.css")
    drawing: Any = traitlets.List().tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    translator = traitlets.Unicode().tag(sync=True)

    def picture(self) -> Tensor:
        """The present drawing as a network takes it: (1, 3, H, W) in [-1, 1]."""
        colours = torch.tensor([brush["colour"] for brush in self.facts["brushes"]]) / 127.5 - 1
        return colours[torch.tensor(self.drawing)].T.reshape(1, *self.facts["shape"]).contiguous()

    @traitlets.validate("drawing")
    def _whole_drawing(self, proposal: Any) -> list[int]:
        drawing, (_, height, width) = proposal["value"], self.facts["shape"]
        known = range(len(self.facts["brushes"]))
        if len(drawing) != height * width or not all(brush in known for brush in drawing):
            raise traitlets.TraitError(
                f"drawing must be {height * width} numbers of brushes from 0 to {known[-1]}, got {len(drawing)} numbers"
            )
        return cast(list[int], drawing)

    @traitlets.validate("z")
    def _whole_z(self, proposal: Any) -> list[float]:
        z, latent = proposal["value"], self.facts["latent"]
        if len(z) != latent or not all(map(math.isfinite, z)):
            raise traitlets.TraitError(f"z must be {latent} finite numbers, got {len(z)}: {z!r:.60}")
        return cast(list[float], z)

    @traitlets.validate("translator")
    def _known_translator(self, proposal: Any) -> str:
        name, names = proposal["value"], self.facts["names"]
        if name not in names:
            raise traitlets.TraitError(f"translator must be one of {', '.join(names)}, got {name!r}")
        return cast(str, name)


def pad(
    generator: Any,
    brushes: Mapping[str, Sequence[int]],
    examples: Tensor,
    *,
    counter: tuple[str, Sequence[int], str, Sequence[int]] | None = None,
    counted: str = "house",
    alt: str = "drawing",
    seed: int = 0,
) -> Pad:
    """A drawing pad beside what a translator makes of the drawing, in the page and without a kernel.

    First used in chapter 15.

    One paints with mouse, finger or keys (arrows move, space paints, digits choose the brush, u undoes); the
    translation follows. Where the translator takes a code, a die rolls another z, standard normal, and a counter
    translates the drawing with 64 of them. The network runs in evaluation mode: dropout is off.

    Args:
        generator: a translator of images (3, H, W) to images (3 or 1, H, W), both in [-1, 1]: a `nets.UNet`, a
            `nets.ResidualGenerator`, an `nn.Sequential` of layers that run in the page, or a game that translates,
            whose averaged generator is taken; or several, {name: translator}, for a switch.
        brushes: by name, 2 to 9 colours (red, green, blue) from 0 to 255, such as `data.scenes.BRUSHES`.
        examples: drawings to start from, (N, 3, H, W) in the brushes' colours and no others; uint8, or floats in
            [-1, 1]. The first is shown at the start.
        counter: (name, colour, other name, other colour): counted is how often the mean colour over the pixels that
            the brush `counted` painted is nearer to the first, by squared distance: "red 21 of 64". Such a mean takes
            in roof and windows: give the two means that true pictures have, not the colours of bare walls. Of several
            translators only the first is counted for.
        counted: a brush.
        alt: what the drawing is of, for those who cannot see it.
        seed: of the z shown first.

    Returns:
        The widget.

    Raises:
        TypeError: the generator is no translator, or has a layer that does not run in the page, which is named.
        ValueError: brushes or examples that are not as above; a translation of another size; translators with codes of
            different lengths, or that take labels; a counter without a code or colours; weights above `WEIGHTS_LIMIT`.
    """
    if not isinstance(brushes, Mapping) or not 2 <= len(brushes) <= MOST_BRUSHES:
        raise ValueError(f"brushes must be 2 to {MOST_BRUSHES} colours by name, got {brushes!r:.80}")
    painted = [{"name": str(name), "colour": colour(f"brushes[{name!r}]", rgb)} for name, rgb in brushes.items()]
    drawings = _drawings(examples, painted)
    _, height, width = drawings.shape
    makers = generator if isinstance(generator, Mapping) else {"translation": generator}
    if not makers:
        raise ValueError("generator must hold at least one translator, got none")
    named = isinstance(generator, Mapping)
    arguments = {f"generator[{name!r}]" if named else "generator": net for name, net in makers.items()}
    networks, weights = write_all({name: (net, (3, height, width)) for name, net in arguments.items()}, code=True)
    for name, network in zip(arguments, networks, strict=True):
        if network["shape"][1:] != [height, width]:
            raise ValueError(
                f"{name} must make images of {height}×{width} pixels like the drawings, got {network['shape']}"
            )
    codes = {network["code"] for network in networks}
    if len(codes) > 1:
        raise ValueError(f"generator must hold translators with codes of one length, got {sorted(codes)}")
    (latent,) = codes
    if counter is not None:
        _check.one_of("counted", counted, map(str, brushes))
        if not latent or any(network["shape"][0] != 3 for network in networks):
            raise ValueError("counter must be left out: without a code, or in grey, there is no colour to count")
    facts = {
        "names": [str(name) for name in makers],
        "brushes": painted,
        "shape": [3, height, width],
        "examples": len(drawings),
        "latent": latent,
        "counter": None if counter is None else two_colours("counter", counter),
        "counted": 0 if counter is None else list(brushes).index(counted),
        "alt": worded(alt),
    }
    z = torch.randn(latent, generator=compute.generator(seed, "pad")).tolist()
    return Pad(
        networks=networks,
        weights=weights,
        pictures=joined(drawings),
        facts=facts,
        drawing=drawings[0].flatten().tolist(),
        z=z,
        translator=facts["names"][0],
    )


def _drawings(examples: Tensor, brushes: list[dict[str, Any]]) -> Tensor:
    """Which brush painted each pixel: uint8 (N, H, W)."""
    images = as_bytes("examples", examples)
    _check.shape("examples", images, "(N, 3, H, W)", images.shape[1] == 3)
    pixels = images.permute(0, 2, 3, 1)[..., None, :]
    same = (pixels == torch.tensor([brush["colour"] for brush in brushes], dtype=torch.uint8)).all(-1)
    if not same.any(-1).all():
        n, row, column = (~same.any(-1)).nonzero()[0].tolist()
        raise ValueError(
            f"examples[{n}] has the colour {tuple(images[n, :, row, column].tolist())} in row {row}, column {column}, "
            f"which is no brush's: drawings are flat, without smooth edges"
        )
    return same.int().argmax(-1).to(torch.uint8)
