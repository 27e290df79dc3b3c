"""A trained generator that runs in the reader's own browser: no kernel, no server, a few hundred kilobytes in the page.

The generator is written down by `network.py` and computed by `engine.js`. Sliders and the map move along directions of
latent space, those first that change the picture most: the eigenvectors of E[JᵀJ], where J is the Jacobian of the
generator, for a small step ε changes the picture by |Jε|² = εᵀJᵀJε. They are orthonormal, so that a normal z is as
normal in them as in its own coordinates.

Source of the directions: Ramesh et al. 2018, https://arxiv.org/abs/1812.01161, who take the singular vectors of J at
one z; here JᵀJ is averaged over several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import anywidget
import torch
import traitlets
from torch import Tensor, nn

from ganlib import compute, nets
from ganlib.book.widgets.network import SIDE_LIMIT, Tape, packed, script, write_generator
from ganlib.engine import Game
from ganlib.generator import Generator, Prior, at_rest


class Live(anywidget.AnyWidget):
    """What `live` returns: a widget whose state Python can read and set wherever a kernel runs.

    Attributes:
        z: the latent vector of the picture shown, a list of `latent` numbers.
        label: its class, from 0; 0 where the generator has none.
        network: the generator as plain layers: `latent`, `prior`, `classes`, `shape` and the `layers`.
        weights: the layers' numbers in half precision, one layer behind the other, then the directions.
        names: one text a class.
        alt: what a picture shows, in words.
    """

    _esm = script("engine.js", "page.js", "generator.js")
    _css = Path(__file__).with_name("generator.css")
    network = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    z = traitlets.List(traitlets.Float()).tag(sync=True)
    label = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("z")
    def _whole_z(self, proposal: Any) -> list[float]:
        z, latent = proposal["value"], self.network["latent"]
        if len(z) != latent or not all(map(math.isfinite, z)):
            raise traitlets.TraitError(f"z must be {latent} finite numbers, got {len(z)}: {z!r:.60}")
        return cast(list[float], z)

    @traitlets.validate("label")
    def _known_label(self, proposal: Any) -> int:
        label, classes = proposal["value"], self.network["classes"] or 1
        if not 0 <= label < classes:
            raise traitlets.TraitError(f"label must lie between 0 and {classes - 1}, got {label}")
        return cast(int, label)


def live(
    generator: nn.Module | Game | Generator,
    *,
    shape: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    alt: str = "generated image",
    seed: int = 0,
) -> Live:
    """A generator to play with: class buttons, latent sliders, a map to drag across, and a way between two samples.

    First used in chapter 9.

    It computes what the generator computes in evaluation mode, from weights rounded to half precision. Between the
    pinned samples z moves on a great circle: normal vectors of n numbers are all about √n long, and a straight line
    would pass through shorter ones, which the generator hardly met (a uniform z moves straight). Without a kernel
    everything works but reading `z` and `label` in Python.

    Args:
        generator: z (N, latent) -> images (N, 1 or 3, H, W) in [-1, 1], with labels (N,) if it is conditional: a
            network of `nets`, an `nn.Sequential` that begins with a linear layer, or a game, whose averaged generator
            is taken. It may be built from linear layers, convolutions, transposed convolutions, pixel shuffles,
            enlargement, normalisation (with running statistics, of groups, channels or pixels, by class) and
            ReLU, LeakyReLU, ELU, SiLU, sigmoid and tanh.
        shape: (channels, height, width) of the images where the generator makes vectors, such as (1, 8, 8).
        names: one text a class for the buttons; by default its number.
        alt: what a picture shows, for those who cannot see it; the class is added.
        seed: of the picture shown first.

    Returns:
        The widget.

    Raises:
        TypeError: the generator is none, or has a layer of another kind, which the message names.
        ValueError: a game with a prior of its own (InfoGAN's codes), samples that are no images of at most `SIDE_LIMIT`
            pixels a side, weights above `WEIGHTS_LIMIT` bytes or too large for half precision, names that are not one a
            class, no words in `alt`.
    """
    generator = maker(generator)
    if not alt.strip():
        raise ValueError("alt must say in words what a picture shows")
    tape = Tape()
    with at_rest(generator):
        latent = write_generator(tape, generator)
        classes = getattr(generator, "classes", None)
        prior = getattr(generator, "prior", "normal")
        z, shape = _first(generator, latent, classes, prior, shape, seed)
        directions = _directions(generator, latent, classes, prior)
    if classes is None and names is not None:
        raise ValueError("names must be left out: the generator has no classes")
    names = [str(name) for name in (range(classes or 0) if names is None else names)]
    if len(names) != (classes or 0):
        raise ValueError(f"names must be one text for each of {classes} classes, got {len(names)}")
    weights = packed("generator", [*tape.numbers, directions])
    network = {"latent": latent, "prior": prior, "classes": classes, "shape": shape, "layers": tape.layers}
    return Live(network=network, weights=weights, names=names, alt=alt, z=z, label=0)


def maker(given: Any) -> nn.Module:
    """The network that makes images of z; of a game the averaged one.

    Raises:
        TypeError: it is neither network nor game.
        ValueError: a game with a prior of its own.
    """
    if isinstance(given, Game | Generator):
        made = given.snapshot() if isinstance(given, Game) else given
        if not isinstance(made.prior, Prior) or made.prior.free != made.latent:
            raise ValueError("generator is of a game with a prior of its own: the page draws a normal or a uniform z")
        given = made.maker
    if isinstance(given, nets.Autoencoder):
        given = given.generator
    if not isinstance(given, nn.Module):
        raise TypeError(f"generator must be a network or a game, got {type(given).__name__}")
    return given


def _first(
    net: nn.Module, latent: int, classes: int | None, prior: str, shape: Sequence[int] | None, seed: int
) -> tuple[list[float], list[int]]:
    """The z shown first, and the shape of an image; what is no image is refused here."""
    z = _draw(1, latent, prior, compute.generator(seed, "live"))
    made = tuple(_images(net, z, classes).shape[1:])
    wanted = tuple(made if shape is None else shape)
    fits = len(wanted) == 3 and wanted[0] in (1, 3) and 1 <= min(wanted[1:]) and max(wanted[1:]) <= SIDE_LIMIT
    if not fits or math.prod(wanted) != math.prod(made) or (len(made) == 3 and wanted != made):
        raise ValueError(
            f"samples must be images (1 or 3, H, W) of at most {SIDE_LIMIT} pixels a side, or vectors with shape=… "
            f"to say which; got samples {made} and shape={shape}"
        )
    return z[0].tolist(), list(wanted)


def _draw(n: int, latent: int, prior: str, rng: torch.Generator) -> Tensor:
    return torch.rand(n, latent, generator=rng) * 2 - 1 if prior == "uniform" else torch.randn(n, latent, generator=rng)


@torch.no_grad()
def _images(net: nn.Module, z: Tensor, classes: int | None) -> Tensor:
    """Samples of all classes in turn, on the CPU."""
    device = next(net.parameters()).device
    labels = [] if classes is None else [(torch.arange(len(z)) % classes).to(device)]
    return cast(Tensor, net(z.to(device), *labels)).float().cpu()


def _directions(net: nn.Module, latent: int, classes: int | None, prior: str, points: int = 16) -> Tensor:
    """(latent, latent): orthonormal rows, by falling effect on the picture; coordinates only where z is uniform."""
    gram = torch.zeros(latent, latent, dtype=torch.float64)
    step = 0.25 * torch.eye(latent)
    for z in _draw(points, latent, prior, compute.generator(0, "directions")):
        ahead, behind = (_images(net, z + sign * step, None if classes is None else 1) for sign in (1, -1))
        jacobian = ((ahead - behind) / 0.5).flatten(1).double()  # (latent, numbers in a picture)
        gram += jacobian @ jacobian.T
    if prior == "uniform":
        return torch.eye(latent)[gram.diagonal().argsort(descending=True)]
    return torch.linalg.eigh(gram).eigenvectors.flip(1).T.float()
