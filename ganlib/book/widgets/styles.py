"""Two pictures mixed in the reader's browser, style by style: each layer of a `nets.StyleGenerator` hears A or B.

Source: style mixing and truncation in w, StyleGAN (Karras et al. 2018, https://arxiv.org/abs/1812.04948, section 3.1
and appendix B).
"""

from __future__ import annotations

import base64
import copy
import io
import math
from typing import Any, cast

import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor, nn

from ganlib import _check, compute, nets
from ganlib.book.widgets.generator import maker
from ganlib.book.widgets.network import SIDE_LIMIT, Tape, packed, script, write_generator
from ganlib.book.widgets.translators import CHANNELS, Translating, bounded, worded
from ganlib.engine import Game
from ganlib.generator import Generator, at_rest
from ganlib.plot import PICTURE_ALPHA

_STATIC = 128  # pixels a side, at least, of each picture where no script runs


class Styles(Translating):
    """What `styles` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        z: the codes of A and of B, two lists of `latent` numbers.
        layers: 0 for each layer that has A's style and 1 for each that has B's, the coarsest first.
        psi: truncation, −1 to 1: styles are mean_w + psi (w − mean_w).
    """

    _esm = script("engine.js", "page.js", "translators.js", "styles.js")
    _css = script("translators.css", "styles.css")
    z: Any = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    layers: Any = traitlets.List(traitlets.Int()).tag(sync=True)
    psi = traitlets.Float(1.0).tag(sync=True)
    _net: nets.StyleGenerator

    def picture(self) -> Tensor:
        """(1, C, H, W): the mixture, in the generator's full precision."""
        return self._made(self.layers)

    @torch.no_grad()
    def _made(self, *layers: list[int]) -> Tensor:
        w = self._net.truncate(self._net.mapping(torch.tensor(self.z)), self.psi)
        return self._net.synthesis(w[torch.tensor(layers)], "fixed")

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Beside the widget A, the mixture and B as a picture, for a notebook that is read where no script runs."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        count = len(self.layers)
        tiles = self._made([0] * count, self.layers, [1] * count)
        tiles = (127.5 * (tiles.clamp(-1, 1) + 1)).round().to(torch.uint8).expand(-1, 3, -1, -1)
        marked = torch.cat([tiles, torch.full_like(tiles[:, :1], PICTURE_ALPHA)], 1)  # it keeps its colours in the dark
        factor = -(-_STATIC // marked.shape[-1])
        spaced = nn.functional.pad(marked.repeat_interleave(factor, 2).repeat_interleave(factor, 3), (0, 8))
        drawn = Image.fromarray(np.ascontiguousarray(torch.cat(list(spaced), 2)[..., :-8].permute(1, 2, 0).numpy()))
        file = io.BytesIO()
        drawn.save(file, format="png", optimize=True)
        bundle[0]["image/png"] = base64.b64encode(file.getvalue()).decode()
        bundle[0]["text/plain"] = f"{self.facts['alt']}: A, a mixture of A and B, and B"
        return bundle

    @traitlets.validate("z")
    def _whole_z(self, proposal: Any) -> list[list[float]]:
        z, latent = proposal["value"], self.networks[0]["code"]
        if [len(code) for code in z] != [latent] * 2 or not all(math.isfinite(v) for code in z for v in code):
            raise traitlets.TraitError(f"z must be 2 lists of {latent} finite numbers, got {z!r:.60}")
        return cast(list[list[float]], z)

    @traitlets.validate("layers")
    def _known_layers(self, proposal: Any) -> list[int]:
        layers, count = proposal["value"], len(self.facts["sides"])
        if len(layers) != count or not all(layer in (0, 1) for layer in layers):
            raise traitlets.TraitError(f"layers must be {count} numbers, each 0 (A) or 1 (B), got {layers!r:.60}")
        return [int(layer) for layer in layers]

    @traitlets.validate("psi")
    def _small_psi(self, proposal: Any) -> float:
        return bounded("psi", proposal["value"], -1, 1)


def styles(
    generator: nets.StyleGenerator | Game | Generator, *, psi: float = 1.0, alt: str = "picture", seed: int = 0
) -> Styles:
    """Two pictures A and B to mix: each layer of the generator takes its style from one or from the other.

    First used in chapter 14.

    In the page stand A, B and the mixture; a button draws a new A or B. All crossovers (coarse styles from A, fine ones
    from B) stand side by side above a slider, each layer has a switch of its own, and a slider truncates: it leads all
    styles towards the mean style. At the start half the layers, the coarse ones, have A's style. The generator runs in
    the page in evaluation mode, its noise a fixed pattern, from weights rounded to half precision. Where no script runs
    there is a picture of A, the mixture and B.

    Args:
        generator: a `nets.StyleGenerator` of at most `SIDE_LIMIT` pixels a side, or a game or a generator that holds
            one.
        psi: truncation at the start, −1 to 1; 1 leaves styles as they are.
        alt: what a picture shows, for those who cannot see it.
        seed: of A and B at the start.

    Returns:
        The widget. What its method returns comes from a copy of the generator, in full precision.

    Raises:
        TypeError: the generator is of another kind, or has a layer that does not run in the page, which the message
            names.
        ValueError: images of other channels than 1 or 3 or too large, a game with a prior of its own, a psi out of
            range, no words in `alt`, weights above `WEIGHTS_LIMIT` bytes or too large for half precision.
    """
    net = maker(generator)
    if type(net) is not nets.StyleGenerator:
        raise TypeError(f"generator must be a nets.StyleGenerator, whose layers take styles, got {type(net).__name__}")
    if net.channels not in CHANNELS or net.size > SIDE_LIMIT:
        raise ValueError(
            f"generator must make images (1 or 3, H, W) of at most {SIDE_LIMIT} pixels a side, "
            f"got {(net.channels, net.size, net.size)}"
        )
    if not -1 <= _check.finite("psi", psi, minimum=-1) <= 1:
        raise ValueError(f"psi must lie between -1 and 1, got {psi!r}")
    tape = Tape()
    with at_rest(net), torch.no_grad():
        latent = write_generator(tape, net)
    shape, half = [net.channels, net.size, net.size], net.layers // 2
    widget = Styles(
        networks=[{"layers": tape.layers, "code": latent, "shape": shape}],
        weights=packed("generator", tape.numbers),
        facts={"shape": shape, "sides": net.sides, "alt": worded(alt)},
        z=torch.randn(2, latent, generator=compute.generator(seed, "styles")).tolist(),
        layers=[0] * half + [1] * (net.layers - half),
        psi=float(psi),
    )
    widget._net = copy.deepcopy(net).cpu().eval()
    return widget
