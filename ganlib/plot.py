"""Every figure of the book in one style: sample grids, training curves with their constants, the states of a 1-D game,
2-D samples over the density, latent walks. Colours are those of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/),
but for two of theirs that are too pale for lines on white; they are told apart with protanopia and deuteranopia, have a
contrast of 3 to 1 or more on white (WCAG 2.2, 1.4.11), and the same thing has the same colour in every chapter.

The page's dark mode turns the lightness of figures round and keeps their hues (web/book.css). Pictures that stand for
themselves, such as generated digits, must not become negatives: `Picture` marks their pixels for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ._check import positive_int
from .generator import Generator, Prior, at_rest

DATA = "#0072B2"
"""The data distribution p_d and whatever is drawn from it: blue."""
MODEL = "#D55E00"
"""The model distribution p_g, the generator and its samples: vermilion."""
DISCRIMINATOR = "#009E73"
"""The discriminator D: green."""
NEUTRAL = "#666666"
"""Constants, reference lines and whatever is neither data nor model: grey."""
OTHER = ["#CC79A7", "#883300", "#6688FF", "#333333"]
"""Further series, in this order: pink, brown, light blue, near black."""

PICTURE_ALPHA = 254
"""The opacity, of 255, that marks a pixel as part of a picture: what else a figure holds is opaque."""

_INK = "#222222"
_SHADES = LinearSegmentedColormap.from_list("shades", ["white", DATA])
_STYLE: dict[Any, Any] = {
    "figure.figsize": (7.0, 3.2),
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.max_open_warning": 100,  # the frames of a scrubber are open together
    "savefig.dpi": 100,
    "savefig.facecolor": "white",
    "font.size": 11,
    "mathtext.fontset": "cm",
    "text.color": _INK,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 11,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#999999",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.prop_cycle": plt.cycler(color=[DATA, MODEL, DISCRIMINATOR, *OTHER]),
    "xtick.color": "#999999",
    "ytick.color": "#999999",
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "image.cmap": "gray",
}


def use_style() -> None:
    """Make every figure that follows look like the book: called once at the top of a chapter."""
    plt.rcParams.update(_STYLE)


def sample_grid(
    images: Tensor | NDArray[Any],
    columns: int = 8,
    ax: Axes | None = None,
    titles: Sequence[object] | None = None,
    rows: Sequence[object] | None = None,
) -> Axes:
    """Draw images as tiles, row by row.

    Args:
        images: (N, C, H, W) with C = 1 or 3, floats in [-1, 1] (clipped) or uint8.
        columns: tiles per row.
        ax: where to draw; a new figure of the right shape by default.
        titles: `columns` headings for the columns, or N short texts, one above each tile.
        rows: one label per row, written to its left.

    Returns:
        The axes.

    Raises:
        ValueError: images of another shape, or a number of titles or rows that does not fit.
    """
    tiles = _tiles(images)
    n, height, width, _ = tiles.shape
    columns = min(positive_int("columns", columns), n)
    lines = -(-n // columns)
    if titles is not None and len(titles) not in (columns, n):
        raise ValueError(f"titles must hold {columns} texts (one a column) or {n} (one an image), got {len(titles)}")
    if rows is not None and len(rows) != lines:
        raise ValueError(f"rows must hold {lines} texts (one a row), got {len(rows)}")
    each = titles is not None and len(titles) == n and lines > 1
    gap = max(1, round(width / 14))
    above = round(0.34 * height) if each else gap
    step_y, step_x = height + above, width + gap
    canvas = np.full((lines * step_y - (0 if each else gap), columns * step_x - gap, 4), 255, dtype=np.uint8)
    canvas[..., 3] = 0  # between the tiles the ground shows
    corners = [(i // columns * step_y + (above if each else 0), i % columns * step_x) for i in range(n)]
    for tile, (top, left) in zip(tiles, corners, strict=True):
        canvas[top : top + height, left : left + width, :3] = tile
        canvas[top : top + height, left : left + width, 3] = 255
    if ax is None:
        across = min(7.0, 0.78 * columns)
        _, ax = plt.subplots(figsize=(across, across * canvas.shape[0] / canvas.shape[1] + (0.3 if titles else 0.0)))
    ax.add_image(Picture(ax, canvas))
    ax.set(xlim=(0, canvas.shape[1]), ylim=(canvas.shape[0], 0), aspect="equal")
    ax.set_axis_off()
    for text, (top, left) in zip(titles or (), corners, strict=False):
        ax.text(left + width / 2, top - 0.04 * height, str(text), ha="center", va="bottom", fontsize=10)
    for line, text in enumerate(rows or ()):
        ax.text(-gap, corners[line * columns][0] + height / 2, str(text), ha="right", va="center", fontsize=10)
    return ax


class Picture(AxesImage):
    """An image on axes whose pixels keep their colours in dark mode: they are drawn with `PICTURE_ALPHA`.

    Args:
        ax: the axes it lies on; `ax.add_image` puts it there.
        pixels: (H, W, 4) uint8, one unit of the axes a pixel; where its fourth part is 0 the ground shows.

    Raises:
        ValueError: pixels of another shape or type.
    """

    def __init__(self, ax: Axes, pixels: NDArray[np.uint8]) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 of shape (H, W, 4), got {pixels.dtype} of shape {pixels.shape}")
        height, width = pixels.shape[:2]
        super().__init__(ax, interpolation="nearest", extent=(0, width, height, 0))
        self.set_data(pixels)
        self.set_clip_path(ax.patch)

    def draw(self, renderer: Any) -> None:
        """Draw, and mark the pixels that were drawn."""
        if not hasattr(renderer, "buffer_rgba"):  # vector graphics
            super().draw(renderer)
            return
        drawn = np.asarray(renderer.buffer_rgba())
        ground = drawn.copy()
        drawn[...] = 0
        super().draw(renderer)
        shown = drawn[..., 3] > 127
        drawn[shown, 3] = PICTURE_ALPHA
        drawn[~shown] = ground[~shown]


def curves(
    history: Any,
    constants: Mapping[str, float] | None = None,
    smooth: int | None = None,
    ax: Axes | None = None,
    steps: ArrayLike | None = None,
    label: str = "loss",
) -> Axes:
    """Draw named series against training steps, with the constants they should meet as dashed lines.

    Args:
        history: what `game.play` returned, or a mapping from names to values: (T,) numbers, or (seeds, T), drawn as
            the median with a band from the lowest to the highest.
        constants: label -> value, drawn dashed across the figure.
        smooth: width of the moving average in steps (the raw values stay visible, faint); 1 for none; by default a
            fiftieth of the series.
        ax: where to draw; a new figure by default.
        steps: the x positions, where they are not the history's own or 1, 2, 3, ….
        label: the label of the y axis.

    Returns:
        The axes. The y range follows the smoothed series and the constants: single wild steps may leave it.
    """
    series = {name: np.atleast_2d(_array(history[name])) for name in _names(history)}
    if not series or not all(values.size for values in series.values()):
        raise ValueError("history holds no values to draw")
    if steps is None:
        steps = getattr(history, "steps", None)
    if ax is None:
        _, ax = plt.subplots()
    ends: list[tuple[float, str, str]] = []
    seen: list[NDArray[np.float64]] = []
    for (name, values), color in zip(series.items(), _colors(series), strict=True):
        x = np.arange(1, values.shape[1] + 1) if steps is None else _array(steps)
        if len(x) != values.shape[1]:
            raise ValueError(f"steps must be as many as the values of {name!r}: {values.shape[1]}, got {len(x)}")
        window = max(1, values.shape[1] // 50) if smooth is None else smooth
        line = _moving_average(np.median(values, axis=0), window)
        if len(values) > 1:
            ax.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
            seen.append(values.ravel())
        elif window > 1:
            ax.plot(x, values[0], color=color, alpha=0.22, linewidth=0.8)
        ax.plot(x, line, color=color, label=_math(name))
        seen.append(line)
        ends.append((float(line[-1]), _math(name), color))
    for text, value in (constants or {}).items():
        ax.axhline(value, color=NEUTRAL, linestyle=(0, (5, 3)), linewidth=1.2, zorder=2.5)
        seen.append(np.array([float(value)]))
        ends.append((float(value), text, NEUTRAL))
    inside = np.concatenate(seen)
    inside = inside[np.isfinite(inside)]
    if inside.size:
        low, high = float(inside.min()), float(inside.max())
        margin = 0.08 * (high - low) or 0.1
        ax.set_ylim(low - margin, high + margin)
    ax.margins(x=0.01)
    ax.set_xlabel("step")
    ax.set_ylabel(label)
    _label_ends(ax, ends)
    return ax


def states_1d(
    x: ArrayLike,
    p_d: ArrayLike,
    p_g: ArrayLike,
    d: ArrayLike | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    d_star: ArrayLike | None = None,
) -> Axes:
    """Draw one state of a 1-D game: both densities, and the discriminator on its own scale from 0 to 1.

    Args:
        x: (N,) positions.
        p_d: (N,) density of the data at x.
        p_g: (N,) density of the model at x.
        d: (N,) D(x), a probability; left out if None.
        ax: where to draw; a new figure by default.
        title: short title.
        d_star: (N,) the optimal D*(x), dashed; left out if None.

    Returns:
        The axes of the densities (set its y limits to keep the frames of a series comparable).
    """
    if ax is None:
        _, ax = plt.subplots()
    x = _array(x)
    lines = []
    for values, name, color in ((p_d, "p_d", DATA), (p_g, "p_g", MODEL)):
        values = _array(values)
        ax.fill_between(x, values, color=color, alpha=0.15, linewidth=0)
        lines += ax.plot(x, values, color=color, label=_math(name))
    ax.set_xlabel("$x$")
    ax.set_ylabel("density")
    ax.set_xlim(float(x.min()), float(x.max()))
    ax.set_ylim(bottom=0.0)
    if d is not None or d_star is not None:
        right = ax.twinx()
        right.axhline(0.5, color=NEUTRAL, linestyle=(0, (5, 3)), linewidth=1.0)
        if d is not None:
            lines += right.plot(x, _array(d), color=DISCRIMINATOR, label="$D$")
        if d_star is not None:
            lines += right.plot(x, _array(d_star), color=_INK, linestyle=":", linewidth=1.8, label="$D^*$")
        right.set_ylim(0.0, 1.02)
        right.set_yticks([0.0, 0.5, 1.0])
        right.set_ylabel("$D(x)$")
    ax.legend(
        handles=lines,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=4,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.0,
    )
    if title:
        ax.set_title(title)
    return ax


def density_1d(
    x: ArrayLike,
    densities: Mapping[str, ArrayLike],
    samples: Mapping[str, ArrayLike] | None = None,
    ax: Axes | None = None,
    bins: int = 60,
) -> Axes:
    """Draw 1-D densities as curves, and samples as histograms of the same area.

    Args:
        x: (N,) positions.
        densities: name -> (N,) density at x. `p_d` and `p_g` get the colours of data and model.
        samples: name -> samples of any shape, drawn as a histogram; a name also in `densities` shares its colour.
        ax: where to draw; a new figure by default.
        bins: bins of the histograms between the first and the last position.

    Returns:
        The axes.
    """
    if ax is None:
        _, ax = plt.subplots()
    x = _array(x)
    names = list(dict.fromkeys([*densities, *(samples or {})]))
    colors = dict(zip(names, _colors(names), strict=True))
    for name, draws in (samples or {}).items():
        edges = np.linspace(x.min(), x.max(), bins + 1)
        counts, _ = np.histogram(_array(draws).ravel(), edges)
        heights = counts / (_array(draws).size * np.diff(edges))
        label = None if name in densities else _math(name)
        ax.stairs(heights, edges, fill=True, color=colors[name], alpha=0.28, label=label)
    for name, values in densities.items():
        ax.plot(x, _array(values), color=colors[name], label=_math(name))
    ax.set_xlabel("$x$")
    ax.set_ylabel("density")
    ax.set_xlim(float(x.min()), float(x.max()))
    ax.set_ylim(bottom=0.0)
    ax.legend(handlelength=1.4)
    return ax


def samples_2d(
    samples: Tensor | NDArray[Any],
    density: Any | None = None,
    ax: Axes | None = None,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw 2-D samples as points over the density they should follow.

    Args:
        samples: (N, 2) points, in the data's own units.
        density: an object with `log_prob` and `sample` (see `ganlib.toys`), shaded; None for points alone.
        ax: where to draw; a new square figure by default.
        limits: (lowest, highest) coordinate shown on both axes; by default the density's own range, or the samples'.
        title: short title.

    Returns:
        The axes. Points outside the limits are counted in the lower right corner.
    """
    points = _array(samples)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"samples must have shape (N, 2), got {tuple(points.shape)}")
    needed = ("log_prob", "sample") if limits is None else ("log_prob",)
    if density is not None and not all(hasattr(density, name) for name in needed):
        raise TypeError(f"density must have log_prob and sample, as those of ganlib.toys have, got {density!r}")
    if limits is None:
        rng = torch.Generator().manual_seed(0)
        spread = points if density is None else _array(density.sample(4000, rng))
        low, high = float(np.nanmin(spread)), float(np.nanmax(spread))
        limits = (low - 0.12 * (high - low), high + 0.12 * (high - low))
    if ax is None:
        _, ax = plt.subplots(figsize=(3.6, 3.6))
    low, high = limits
    if density is not None:
        axis = torch.linspace(low, high, 300)
        where = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
        # The fifth root lets narrow modes show beyond the points that lie on them.
        log_density = torch.as_tensor(density.log_prob(where)).double().reshape(300, 300)
        shade = (0.2 * (log_density - log_density.max())).exp() * 0.75
        box = (low, high, low, high)
        ax.imshow(shade.numpy(), extent=box, origin="lower", cmap=_SHADES, vmin=0, vmax=1, interpolation="bilinear")
    size = float(np.clip(4000 / max(len(points), 1), 1.0, 9.0))
    ax.scatter(points[:, 0], points[:, 1], s=size, color=MODEL, alpha=0.55, linewidths=0)
    outside = int((~((points >= low) & (points <= high)).all(axis=1)).sum())
    if outside:
        corner = ax.transAxes
        ax.text(0.98, 0.02, f"{outside} outside", transform=corner, ha="right", va="bottom", fontsize=9, color=NEUTRAL)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    if title:
        ax.set_title(title)
    return ax


def latent_walk(
    generator: Any,
    n_rows: int = 4,
    steps: int = 10,
    seed: int = 0,
    spherical: bool | None = None,
    labels: Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the generator makes on the way from one latent vector to another, one walk a row.

    First used in chapter 10.

    Args:
        generator: an image generator of `ganlib.nets`, a `Generator`, or a game (its averaged generator walks). The
            codes of InfoGAN stay on the way.
        n_rows: walks, each between two draws from the prior.
        steps: images a walk, both ends included.
        seed: chooses the ends.
        spherical: walk on the great circle, so that every stop is as long as a draw from a Gaussian prior (White 2016,
            https://arxiv.org/abs/1609.04468), or in a straight line; by default the circle for a normal prior.
        labels: for a conditional generator, one class a row.
        ax: where to draw; a new figure by default.

    Returns:
        The axes.
    """
    net, prior = _network(generator)
    positive_int("n_rows", n_rows)
    positive_int("steps", steps, minimum=2)
    if labels is not None and len(labels) != n_rows:
        raise ValueError(f"labels must hold {n_rows} classes (one a row), got {len(labels)}")
    ends = prior(2 * n_rows, torch.Generator().manual_seed(seed)).unflatten(0, (2, n_rows))
    spherical = getattr(prior, "kind", "normal") == "normal" if spherical is None else spherical
    free = getattr(prior, "free", ends.shape[2])
    walk = _walk(ends[0, :, :free], ends[1, :, :free], steps, spherical)
    codes = ends[0, :, None, free:].expand(-1, steps, -1)  # InfoGAN's, which have no points between, stay
    z = torch.cat([walk, codes], 2).flatten(0, 1)
    device = next(net.parameters()).device
    arguments = [z.to(device)]
    if labels is not None:
        arguments.append(torch.as_tensor(labels).repeat_interleave(steps).to(device))
    with torch.no_grad(), at_rest(net):
        images = net(*arguments).float().cpu()
    return sample_grid(images, columns=steps, ax=ax, rows=None if labels is None else [str(label) for label in labels])


def _array(values: Any) -> NDArray[np.float64]:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _tiles(images: Any) -> NDArray[np.uint8]:
    """(N, C, H, W) floats in [-1, 1] or uint8 -> (N, H, W, 3) uint8."""
    if hasattr(images, "floats"):
        raise TypeError(
            f"images must be a tensor or an array, such as the .x of a Dataset, got {type(images).__name__}"
        )
    images = torch.as_tensor(images).detach().cpu()
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(f"images must have shape (N, C, H, W) with N ≥ 1 and C = 1 or 3, got {tuple(images.shape)}")
    if images.dtype != torch.uint8:
        images = images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return images.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()


def _names(history: Any) -> list[str]:
    losses = getattr(history, "losses", history)
    if not isinstance(losses, Mapping):
        raise TypeError(f"history must be a game's history or map names to values, got {type(history).__name__}")
    return list(losses)


def _colors(names: Any) -> list[str]:
    """One colour a name: what the book knows has its own, the rest takes OTHER in turn."""
    known = {"p_d": DATA, "data": DATA, "real": DATA, "p_g": MODEL, "model": MODEL, "generator": MODEL, "G": MODEL}
    known |= {"fake": MODEL, "discriminator": DISCRIMINATOR, "D": DISCRIMINATOR}
    turn = count()
    chosen = []
    for name in names:
        color = known.get(name) or known.get(name.split()[0] if name.split() else name)
        if color is None or color in chosen:
            color = OTHER[next(turn) % len(OTHER)]
        chosen.append(color)
    return chosen


def _math(name: str) -> str:
    return {"p_d": "$p_d$", "p_g": "$p_g$", "D": "$D$", "G": "$G$", "V": "$V$", "D*": "$D^*$"}.get(name, name)


def _moving_average(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Centred; at both ends the mean of what there is."""
    window = min(window, len(values))
    if window <= 1:
        return values
    box = np.ones(window)
    return np.convolve(values, box, "same") / np.convolve(np.ones(len(values)), box, "same")


def _label_ends(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write each series' name at the right end of its line, apart enough to be read."""
    low, high = ax.get_ylim()
    figure = ax.get_figure(root=True)
    inches = ax.get_position().height * (figure.get_size_inches()[1] if figure is not None else 3.2)
    room = 0.2 / inches
    ends = sorted((end for end in ends if np.isfinite(end[0])), key=lambda end: end[0])
    places = [(value - low) / (high - low) for value, _, _ in ends]
    for _ in range(100):  # neighbours that are too close push each other apart
        for i in range(1, len(places)):
            push = max(0.0, room - (places[i] - places[i - 1])) / 2
            places[i - 1] -= push
            places[i] += push
    for place, (_, text, color) in zip(places, ends, strict=True):
        ax.text(1.015, place, text, transform=ax.transAxes, color=_readable(color), va="center", ha="left")


def _readable(color: str) -> str:
    """The colour, darkened until text in it has a contrast of 4.5 to 1 on white (WCAG 2.2, 1.4.3)."""
    rgb = np.array(to_rgb(color))
    while True:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05) >= 4.5:
            return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
        rgb = rgb * 0.95


def _network(generator: Any) -> tuple[nn.Module, Callable[[int, torch.Generator], Tensor]]:
    """The network, and the prior of its z."""
    if isinstance(generator, nn.Module) and hasattr(generator, "latent"):
        return generator, Prior(int(generator.latent), getattr(generator, "prior", "normal"))  # type: ignore[arg-type]
    found = generator.snapshot() if hasattr(generator, "snapshot") else generator
    if not isinstance(found, Generator):
        raise TypeError(f"generator must be a generator of ganlib.nets or a game, got {type(generator).__name__}")
    return found.maker, found.prior


def _walk(start: Tensor, end: Tensor, steps: int, spherical: bool) -> Tensor:
    """(rows, latent) twice -> (rows, steps, latent)."""
    t = torch.linspace(0, 1, steps).view(1, -1, 1)
    start, end = start[:, None], end[:, None]
    if not spherical:
        return (1 - t) * start + t * end
    cosine = nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.arccos(cosine)[..., None]
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
