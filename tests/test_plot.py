"""Figures: what is drawn is what was given, in the book's colours, and wrong input is met at the door."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image
from torch import Tensor, nn

from ganlib import plot, toys
from ganlib.generator import Generator, Prior


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with matplotlib.rc_context():
        plot.use_style()
        yield
        plt.close("all")


def drawn(ax: plt.Axes) -> bytes:
    """The figure as a PNG: everything on it can be drawn."""
    file = io.BytesIO()
    ax.get_figure(root=True).savefig(file, format="png")
    return file.getvalue()


def texts(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def contrast(color: str) -> float:
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)


COLOURS = [plot.DATA, plot.MODEL, plot.DISCRIMINATOR, plot.NEUTRAL, *plot.OTHER]
#: What red, green and blue (linear) are to readers with normal vision, protanopia, deuteranopia: Machado et al. (2009),
#: https://doi.org/10.1109/TVCG.2009.113.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deuteranopia": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9690]],
}


def lab(color: str, vision: str) -> np.ndarray:
    """CIE L*a*b* (D65) of the colour as it is seen."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = to_xyz @ seen / to_xyz.sum(1)
    f = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_lines_are_seen_on_white_and_labels_can_be_read() -> None:
    assert min(contrast(colour) for colour in COLOURS) >= 3
    assert min(contrast(plot._readable(colour)) for colour in COLOURS) >= 4.5


@pytest.mark.parametrize("vision", VISION)
def test_colours_are_told_apart(vision: str) -> None:
    for one, other in combinations(COLOURS, 2):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 15, f"{one} and {other}"


def test_grid_shows_every_image_where_it_belongs() -> None:
    values = torch.linspace(-1, 1, 6)
    ax = plot.sample_grid(values.view(6, 1, 1, 1).expand(6, 1, 28, 28), columns=3)
    canvas = np.asarray(ax.images[0].get_array())
    assert canvas.shape == (28 + 2 + 28, 3 * 28 + 2 * 2, 4)
    tops, lefts = (0, 30), (0, 30, 60)
    found = [canvas[top : top + 28, left : left + 28] for top in tops for left in lefts]
    for tile, value in zip(found, values, strict=True):
        assert (tile[..., :3] == round((value.item() + 1) * 127.5)).all() and (tile[..., 3] == 255).all()
    assert (canvas[28:30, :, 3] == 0).all(), "between the tiles is nothing"
    drawn(ax)


def test_pixels_of_pictures_are_marked_and_nothing_else() -> None:
    ax = plot.sample_grid(torch.full((6, 1, 28, 28), -1.0), columns=3, titles="abc", rows=[1, 2])
    pixels = np.asarray(Image.open(io.BytesIO(drawn(ax))).convert("RGBA")).astype(int)
    marked = pixels[..., 3] == plot.PICTURE_ALPHA
    assert set(np.unique(pixels[..., 3])) == {plot.PICTURE_ALPHA, 255}, "the figure is opaque but for its marks"
    assert (pixels[marked][:, :3] == 0).all(), "the black tiles"
    black = (pixels[..., :3] == 0).all(axis=-1)
    assert (black == marked).all(), "all of them: text is not quite black"
    left, right = ax.transData.transform([(0, 0), (28, 0)])[:, 0]
    assert marked.sum() == pytest.approx(6 * (right - left) ** 2, rel=0.05)


def test_grid_takes_bytes_and_floats_alike_and_clips() -> None:
    images = torch.randint(0, 256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    first, second = plot.sample_grid(images), plot.sample_grid(images.float() / 127.5 - 1)
    assert (np.asarray(first.images[0].get_array()) == np.asarray(second.images[0].get_array())).all()
    wild = plot.sample_grid(torch.tensor([-5.0, 5.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4))
    canvas = np.asarray(wild.images[0].get_array())
    assert canvas.min() == 0 and canvas.max() == 255


def test_grid_titles_and_rows() -> None:
    images = torch.zeros(6, 1, 28, 28)
    assert texts(plot.sample_grid(images, 3, titles="abc", rows=[1, 2])) == ["a", "b", "c", "1", "2"]
    assert texts(plot.sample_grid(images, 3, titles="abcdef")) == list("abcdef")
    with pytest.raises(ValueError, match=r"titles must hold 3 texts .* or 6 .*, got 2"):
        plot.sample_grid(images, 3, titles="ab")
    with pytest.raises(ValueError, match=r"rows must hold 2 texts .*, got 3"):
        plot.sample_grid(images, 3, rows="abc")


@pytest.mark.parametrize("shape", [(28, 28), (4, 28, 28), (4, 2, 28, 28), (0, 1, 28, 28)])
def test_grid_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(N, C, H, W\)"):
        plot.sample_grid(torch.zeros(shape))


def test_curves_have_their_colours_names_and_constants() -> None:
    series = {"generator": [1.0, 2.0, 3.0], "discriminator": [3.0, 2.0, 1.0], "other": [2.0, 2.0, 2.5]}
    ax = plot.curves(series, constants={"log 2": 0.6931}, steps=[10, 20, 30])
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["generator"].get_color() == plot.MODEL and lines["discriminator"].get_color() == plot.DISCRIMINATOR
    assert lines["other"].get_color() == plot.OTHER[0]
    assert lines["generator"].get_xdata().tolist() == [10, 20, 30]
    assert lines["generator"].get_ydata().tolist() == [1, 2, 3]
    constant = next(line for line in ax.lines if set(line.get_ydata()) == {0.6931})
    assert constant.get_linestyle() == "--"
    assert set(texts(ax)) == {"generator", "discriminator", "other", "log 2"}
    assert ax.get_ylim()[0] < 0.6931
    drawn(ax)


def test_curves_take_a_games_history() -> None:
    history = SimpleNamespace(losses={"generator": [0.7] * 10})

    class History:
        losses = history.losses

        def __getitem__(self, name: str) -> list[float]:
            return self.losses[name]

    ax = plot.curves(History())
    assert ax.lines[0].get_xdata().tolist() == list(range(1, 11))
    with pytest.raises(TypeError, match="history must be a game's history"):
        plot.curves([1.0, 2.0])


def test_curves_of_several_seeds_are_a_median_in_a_band() -> None:
    values = np.array([[1.0, 5.0], [2.0, 6.0], [9.0, 7.0]])
    ax = plot.curves({"k = 1": values})
    assert ax.lines[0].get_ydata().tolist() == [2.0, 6.0]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 1.0 and band[:, 1].max() == 9.0


def test_moving_average_is_a_mean_of_what_is_there() -> None:
    values = np.array([1.0, 2.0, 6.0, 3.0])
    assert np.allclose(plot._moving_average(values, 3), [1.5, 3.0, 11 / 3, 4.5])
    assert (plot._moving_average(values, 1) == values).all()
    assert np.allclose(plot._moving_average(np.full(50, 2.0), 7), 2.0)


def test_labels_of_close_lines_do_not_lie_on_each_other() -> None:
    ax = plot.curves({f"series {i}": [1.0, 1.0 + 1e-3 * i] for i in range(4)} | {"far": [0.0, 3.0]})
    places = sorted(text.get_position()[1] for text in ax.texts)
    assert min(b - a for a, b in pairwise(places)) > 0.05


def test_curves_refuse_nothing_and_steps_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="no values"):
        plot.curves({})
    with pytest.raises(ValueError, match="no values"):
        plot.curves({"generator": []})
    with pytest.raises(ValueError, match=r"steps must be as many as the values of 'a': 3, got 2"):
        plot.curves({"a": [1, 2, 3]}, steps=[1, 2])


def test_curves_survive_nan() -> None:
    ax = plot.curves({"generator": [1.0, float("nan"), 2.0, float("nan")]}, constants={"c": 1.0})
    drawn(ax)
    assert any(math.isnan(y) for line in ax.lines for y in line.get_ydata())  # a gap, not an invented value


def test_states_draw_densities_and_discriminator_on_its_own_scale() -> None:
    x = torch.linspace(-3, 3, 50)
    p_d, p_g = torch.exp(-x.square()), torch.exp(-(x - 1).square())
    ax = plot.states_1d(x, p_d, p_g, p_d / (p_d + p_g), title="(B)", d_star=p_d / (p_d + p_g))
    right = next(other for other in ax.figure.axes if other is not ax)
    assert [line.get_color() for line in ax.lines] == [plot.DATA, plot.MODEL]
    assert right.get_ylim()[0] == 0 and right.get_ylim()[1] >= 1
    assert [line.get_label() for line in right.lines[1:]] == ["$D$", "$D^*$"]
    assert ax.get_title(loc="left") == "(B)"
    drawn(ax)
    assert len(plot.states_1d(x, p_d, p_g).figure.axes) == 1


def test_histograms_have_the_area_of_the_samples_shown() -> None:
    x = torch.linspace(-2, 2, 100)
    samples = torch.cat([torch.linspace(-1.9, 1.9, 900), torch.full((100,), 7.0)])  # a tenth lies outside
    ax = plot.density_1d(x, {"p_d": torch.full_like(x, 0.25)}, samples={"p_g": samples})
    heights, edges, _ = ax.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(0.9)
    assert ax.patches[0].get_facecolor()[:3] == pytest.approx(to_rgb(plot.MODEL))
    drawn(ax)


def test_samples_2d_counts_what_it_does_not_show() -> None:
    ring = toys.get("ring")
    samples = ring.sample(500, torch.Generator().manual_seed(0))
    inside = plot.samples_2d(samples, ring, title="ring")
    assert texts(inside) == [] and len(inside.images) == 1
    assert inside.get_xlim() == inside.get_ylim()
    samples[:3] = 50.0
    assert texts(plot.samples_2d(samples, ring)) == ["3 outside"]
    assert texts(plot.samples_2d(samples)) == []
    assert plot.samples_2d(samples, limits=(-2, 2)).get_xlim() == (-2, 2)
    drawn(inside)
    with pytest.raises(ValueError, match=r"samples must have shape \(N, 2\), got \(5, 3\)"):
        plot.samples_2d(torch.zeros(5, 3))


class Painter(nn.Module):
    """Paints the first latent coordinate, or the label."""

    def __init__(self, prior: str = "normal", classes: int | None = None) -> None:
        super().__init__()
        self.latent, self.prior, self.classes = 8, prior, classes
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        assert not self.training
        self.seen.append(z)
        value = z[:, 0] if labels is None else labels / 10
        return (self.scale * value).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)


def test_walk_on_the_circle_keeps_the_norm_between_its_ends() -> None:
    net = Painter().train()
    plot.latent_walk(net, n_rows=3, steps=5, seed=1)
    assert net.training
    z = net.seen[0].view(3, 5, 8)
    norms = z.norm(dim=-1)
    low, high = norms[:, [0, -1]].min(1).values, norms[:, [0, -1]].max(1).values
    straight = (z[:, 0] + z[:, -1]).norm(dim=-1) / 2
    assert (norms.max(1).values <= high + 1e-4).all() and (norms[:, 2] > straight).all()
    assert (norms[:, 2] > 0.9 * low).all()
    again = Painter()
    plot.latent_walk(again, n_rows=3, steps=5, seed=1)
    assert torch.equal(net.seen[0], again.seen[0])


def test_walk_of_a_uniform_prior_is_straight_and_stays_inside() -> None:
    net = Painter(prior="uniform")
    plot.latent_walk(net, n_rows=2, steps=3)
    z = net.seen[0].view(2, 3, 8)
    assert z.abs().max() <= 1 and torch.allclose(z[:, 1], (z[:, 0] + z[:, 2]) / 2)


def test_walk_of_a_game_takes_the_averaged_generator_and_labels() -> None:
    average, current = Painter(classes=10), Painter(classes=10)
    ax = plot.latent_walk(
        SimpleNamespace(snapshot=lambda: Generator(average, Prior(8))), n_rows=2, steps=3, labels=[3, 7]
    )
    assert average.seen and not current.seen
    assert texts(ax) == ["3", "7"]
    canvas = np.asarray(ax.images[0].get_array())
    assert canvas[0, 0, 0] == round(1.3 * 127.5) and canvas[-1, 0, 0] == round(1.7 * 127.5)
    bare = Painter()
    plot.latent_walk(Generator(bare, Prior(8)), n_rows=1, steps=2)
    assert bare.seen


def test_on_a_walk_codes_stay_codes() -> None:
    net = Painter()
    plot.latent_walk(Generator(net, Prior(3, "normal", (4,), 1)), n_rows=3, steps=5)
    codes = net.seen[0].view(3, 5, 8)[:, :, 3:7]
    assert torch.equal(codes, codes[:, :1].expand_as(codes)) and set(codes.flatten().tolist()) == {0.0, 1.0}


def test_walk_refuses_what_cannot_walk() -> None:
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        plot.latent_walk(Painter(), steps=1)
    with pytest.raises(ValueError, match="labels must hold 2 classes"):
        plot.latent_walk(Painter(classes=10), n_rows=2, labels=[1])
    with pytest.raises(TypeError, match="generator must be a generator"):
        plot.latent_walk("digits")


def test_figures_are_small() -> None:
    noise = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(0)).mul(0.3)
    x = np.linspace(0, 1, 3000)
    busy = {"generator": x + np.random.default_rng(0).normal(size=3000), "discriminator": 1 - x}
    for ax in (plot.sample_grid(noise), plot.curves(busy)):
        assert len(drawn(ax)) < 150_000
