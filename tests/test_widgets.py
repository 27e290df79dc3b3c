"""The scrubber: one picture a label, joined by links that need no kernel, small, and described in words."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator

import ipywidgets
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets.embed import dependency_state
from matplotlib.figure import Figure
from PIL import Image

from ganlib import plot, widgets


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with matplotlib.rc_context():
        plot.use_style()
        yield
        plt.close("all")


def figures(n: int, size: tuple[float, float] = (7.0, 3.2)) -> list[Figure]:
    x = np.linspace(-4, 4, 400)
    made = []
    for i in range(n):
        ax = plot.states_1d(x, np.exp(-(x**2)), np.exp(-((x - i / n) ** 2)), 1 / (1 + np.exp(x)), title=f"step {i}")
        ax.set_ylim(0, 1.1)
        made.append(ax.get_figure(root=True))
        made[-1].set_size_inches(*size)
    return made


def picture(child: ipywidgets.HTML) -> bytes:
    found = re.search(r"base64,([^\"]+)\"", child.value)
    assert found
    return base64.b64decode(found[1])


def alt(child: ipywidgets.HTML) -> str:
    found = re.search(r'alt="([^"]*)"', child.value)
    assert found
    return html.unescape(found[1])


def test_parts_are_core_widgets_joined_without_python() -> None:
    box = widgets.scrubber(figures(3), ["0", "100", "200"], description="step", alt="Two densities")
    (play, slider), stack = box.children[0].children, box.children[1]
    assert isinstance(play, ipywidgets.Play) and (play.min, play.max) == (0, 2)
    assert isinstance(slider, ipywidgets.SelectionSlider) and slider.options == ("0", "100", "200")
    assert slider.description == "step"
    assert isinstance(stack, ipywidgets.Stack) and stack.selected_index == 0 and len(stack.children) == 3
    state = dependency_state([box])
    joined = {
        (s["state"]["source"][1], s["state"]["target"][1]) for s in state.values() if s["model_name"] == "LinkModel"
    }
    assert joined == {("value", "index"), ("index", "selected_index")}
    modules = {s["model_module"] for s in state.values()}
    assert modules == {"@jupyter-widgets/base", "@jupyter-widgets/controls"}


def test_with_ipywidgets_7_a_kernel_swaps_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ipywidgets, "Stack")
    box = widgets.scrubber(figures(3), ["0", "100", "200"], description="step", alt="Two densities")
    (play, slider), shown = box.children[0].children, box.children[1]
    seen = [picture(shown)]
    play.value = 1
    assert slider.index == 1 and alt(shown) == "Two densities (step 100)"
    seen.append(picture(shown))
    slider.index = 2
    assert play.value == 2 and alt(shown) == "Two densities (step 200)"
    assert len({*seen, picture(shown)}) == 3


def test_every_frame_has_its_own_picture_and_words() -> None:
    box = widgets.scrubber(figures(3), ["A", "B", "C"], description="state", alt='Data "and" model <b>')
    children = box.children[1].children
    assert len({picture(child) for child in children}) == 3
    assert [alt(child) for child in children] == [f'Data "and" model <b> (state {name})' for name in "ABC"]
    for child in children:
        assert Image.open(io.BytesIO(picture(child))).size == (700, 320)
    given = widgets.scrubber(figures(2), ["A", "B"], alt=["both untrained", "D at its optimum"])
    assert [alt(child) for child in given.children[1].children] == ["both untrained", "D at its optimum"]


def test_figures_are_closed_and_small() -> None:
    made = figures(10)
    box = widgets.scrubber(made, [str(i) for i in range(10)], alt="densities")
    assert not any(plt.fignum_exists(figure.number) for figure in made)
    assert box.frames_bytes == sum(len(picture(child)) for child in box.children[1].children)
    assert 40 / 10 * box.frames_bytes < widgets.LIMIT


def test_few_colours_keep_the_picture() -> None:
    figure = figures(1)[0]
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    before = np.asarray(Image.open(file).convert("RGB"), dtype=float)
    after = np.asarray(Image.open(io.BytesIO(widgets.png(figure))).convert("RGB"), dtype=float)
    assert np.abs(before - after).mean() < 1.0


@pytest.mark.parametrize("height", [0.05, 0.3, 1.0])
def test_colour_maps_leave_lines_text_and_bars_their_colours(height: float) -> None:
    side = np.linspace(-1.6, 1.6, 81)
    values = 0.5 + height * (np.exp(-((np.hypot(side[:, None], side) - 1) ** 2) / 0.1) - 0.5)
    figure, ax = plt.subplots(figsize=(4.4, 3.6))
    shown = ax.imshow(values, cmap="PiYG", vmin=0, vmax=1, extent=(-1.6, 1.6, -1.6, 1.6))
    ax.plot(np.cos(side), np.sin(side), "o", color="#0072B2", markersize=3)
    ax.plot(side, side, color="#D55E00")
    figure.colorbar(shown, ax=ax, label="D")
    figure.canvas.draw()
    figure.set_layout_engine("none")  # it moves things at every drawing
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    before = np.asarray(Image.open(file).convert("RGB"), dtype=float)
    after = np.asarray(Image.open(io.BytesIO(widgets.png(figure))).convert("RGB"), dtype=float)
    assert np.abs(before - after).max() < 20
    assert (after[(before == 255).all(-1)] == 255).all(), "white is the page's ground and stays white"


def test_png_bytes_pass_as_they_are() -> None:
    frame = widgets.png(figures(1)[0])
    box = widgets.scrubber([frame, frame], ["a", "b"], alt="twice the same")
    assert [picture(child) for child in box.children[1].children] == [frame, frame]


def test_heavy_frames_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widgets.frames, "LIMIT", 1000)
    with pytest.warns(UserWarning, match="take fewer or smaller"):
        widgets.scrubber(figures(1), ["0"], alt="densities")


def test_wrong_input_is_met_at_the_door() -> None:
    frame = widgets.png(figures(1)[0])
    with pytest.raises(ValueError, match="frames must hold at least one"):
        widgets.scrubber([], [], alt="x")
    with pytest.raises(ValueError, match="labels must be 2 different texts"):
        widgets.scrubber([frame, frame], ["a"], alt="x")
    with pytest.raises(ValueError, match="labels must be 2 different texts"):
        widgets.scrubber([frame, frame], ["a", "a"], alt="x")
    with pytest.raises(ValueError, match="alt must say in words"):
        widgets.scrubber([frame], ["a"])
    with pytest.raises(ValueError, match="alt must say in words"):
        widgets.scrubber([frame, frame], ["a", "b"], alt=["one"])
    with pytest.raises(TypeError, match="frames must be matplotlib figures or PNG bytes, got int"):
        widgets.scrubber([3], ["a"], alt="x")  # type: ignore[list-item]
    with pytest.raises(ValueError, match="PNG"):
        widgets.scrubber([b"GIF89a"], ["a"], alt="x")
    small = widgets.png(figures(1, size=(3.0, 2.0))[0])
    with pytest.raises(ValueError, match=r"one size in pixels, got 300×200 and 700×320"):
        widgets.scrubber([frame, small], ["a", "b"], alt="x")


def test_frames_keep_the_marks_of_pictures() -> None:
    images = torch.rand(12, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    figure = plot.sample_grid(images, columns=6, titles="abcdef").get_figure(root=True)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # it moves things at every drawing
    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=100)
    before = np.asarray(Image.open(whole).convert("RGBA")).astype(int)
    after = np.asarray(Image.open(io.BytesIO(widgets.png(figure))).convert("RGBA")).astype(int)
    assert (before[..., 3] == after[..., 3]).all() and (after[..., 3] == plot.PICTURE_ALPHA).mean() > 0.5
    assert np.abs(before - after)[..., :3].max() < 24, "few colours, and near the right ones"
