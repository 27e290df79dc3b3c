"""Drawn landscapes: always the same, one change at a time, and pairs whose truth is known."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from ganlib import data
from ganlib.data import scenes

MEANS = [[112.5, 143.5, 114.5], [118.5, 149.8, 144.0], [113.0, 142.9, 115.5]]
ALL = [(time_of_day, season) for time_of_day in scenes.TIMES for season in scenes.SEASONS]


def test_a_scene_is_the_same_for_ever() -> None:
    vectors = scenes.parameters(10)
    assert vectors.shape == (10, len(scenes.PARAMETERS)) and vectors.dtype == np.float32
    assert np.array_equal(scenes.parameters(4, start=6), vectors[6:]) and len(set(scenes.PARAMETERS)) == 42
    assert vectors.min() >= 0 and vectors.max() <= 1
    picture = scenes.render(vectors)
    assert picture.shape == (10, 3, 32, 32) and picture.dtype == torch.uint8
    assert torch.equal(scenes.render(vectors[3:4])[0], picture[3])  # whatever it is drawn together with
    means = picture[[0, 5, 9]].double().mean((2, 3))  # to a tenth: the last bit may differ between processors
    assert means.tolist() == [pytest.approx(row, abs=0.1) for row in MEANS]


@pytest.mark.parametrize(("time_of_day", "season"), ALL)
@pytest.mark.parametrize("size", [16, 32, 64])
def test_every_size_shows_the_same_scene(time_of_day: str, season: str, size: int) -> None:
    vectors = scenes.parameters(20)
    small, large = (scenes.render(vectors, time_of_day, season, side).float() for side in (size, 2 * size))
    difference = (torch.nn.functional.avg_pool2d(large, 2) - small).abs().mean() / 255
    assert difference < 0.05
    assert small.std((2, 3)).min() > 3  # no empty picture


def test_night_is_dark_winter_is_pale_and_windows_are_lit() -> None:
    vectors = scenes.parameters(200)
    shown = {key: scenes.render(vectors, *key).float() / 255 for key in ALL}
    for season in scenes.SEASONS:
        assert (shown["night", season].mean((1, 2, 3)) < 0.7 * shown["day", season].mean((1, 2, 3))).all()
    ground = slice(24, 32)
    summer, winter = (shown["day", season][:, :, ground] for season in scenes.SEASONS)
    assert (winter.mean((1, 2, 3)) > summer.mean((1, 2, 3)) + 0.1).all()
    assert (summer[:, 1].mean((1, 2)) > summer[:, 2].mean((1, 2))).all()  # green
    house = np.flatnonzero(vectors[:, scenes.PARAMETERS.index("house")] < 0.6)
    red, _, blue = shown["night", "winter"][house][:, :, 12:].unbind(1)
    assert ((red - blue).amax((1, 2)) > 0.3).float().mean() > 0.95  # some hide behind a tree
    bare = np.flatnonzero(vectors[:, scenes.PARAMETERS.index("house")] > 0.7)
    red, _, blue = shown["night", "winter"][bare][:, :, 12:].unbind(1)
    assert ((red - blue).amax((1, 2)) < 0.3).all()


def test_one_parameter_moves_one_thing() -> None:
    vector = np.full((1, len(scenes.PARAMETERS)), 0.5, np.float32)
    changed = vector.copy()
    changed[0, scenes.PARAMETERS.index("sun_x")] = 0.9
    before, after = scenes.render(vector, size=64), scenes.render(changed, size=64)
    moved = (before != after).any(1)[0]
    assert moved[:26].float().mean() > 0.5  # the sky …
    assert moved[54:].float().mean() < 0.05  # … and on the meadow only the lit side of trees
    changed = vector.copy()
    changed[0, scenes.PARAMETERS.index("house")] = 0.9
    moved = (scenes.render(changed, size=64) != before).any(1)[0]
    assert moved.any() and not moved[:30].any()


@pytest.mark.parametrize("name", scenes.PARAMETERS)
def test_every_parameter_is_seen(name: str) -> None:
    index, vectors = scenes.PARAMETERS.index(name), scenes.parameters(30)
    low, high = vectors.copy(), vectors.copy()
    low[:, index], high[:, index] = 0.1, 0.9
    assert not torch.equal(scenes.render(low), scenes.render(high))


def test_scenes_are_cheap() -> None:
    vectors = scenes.parameters(2000)
    start = time.process_time()
    scenes.render(vectors, "night", "winter")
    assert time.process_time() - start < 6  # a third of it, in truth; machines differ


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"time": "dusk"}, ValueError, "time='dusk' is not known; choose one of: day, night"),
        ({"season": "autumn"}, ValueError, "season='autumn' is not known; choose one of: summer, winter"),
        ({"size": 4}, ValueError, "size must be a whole number of at least 8, got 4"),
        ({"parameters": np.zeros((3, 2))}, ValueError, r"parameters must have shape \(N, 42\) .*, got \(3, 2\)"),
        ({"parameters": np.full((1, 42), np.nan)}, ValueError, "parameters must lie between 0 and 1"),
        ({"parameters": np.full((1, 42), 1.5)}, ValueError, "parameters must lie between 0 and 1"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        scenes.render(**{"parameters": scenes.parameters(1), **arguments})
    with pytest.raises(ValueError, match="start must be a whole number of at least 0, got -1"):
        scenes.parameters(1, start=-1)


# As a data set.


def test_scenes_as_a_data_set() -> None:
    train, test = data.load("scenes"), data.load("scenes", split="test")
    assert train.classes == ("summer day", "summer night", "winter day", "winter night") and train.y is not None
    assert train.x.shape == (1600, 3, 32, 32) and test.x.shape == (400, 3, 32, 32) and test.y is not None
    assert train.y.bincount().tolist() == [400] * 4 and test.y.bincount().tolist() == [100] * 4
    vectors = scenes.parameters(2000)
    assert torch.equal(train.x[0], scenes.render(vectors[:1])[0])
    assert test.y[0] == 0 and torch.equal(test.x[0], scenes.render(vectors[4:5])[0])  # scene 4 = 0 mod 4
    assert test.y[3] == 3 and torch.equal(test.x[3], scenes.render(vectors[19:20], "night", "winter")[0])
    train.x.zero_()
    assert data.load("scenes").x.float().mean() > 50


# Pairs.


def test_paired_scenes_hold_the_truth() -> None:
    pairs = data.load_pairs("scenes", split="test")
    vectors = scenes.parameters(2000)[4::5]
    assert len(pairs) == 400 and pairs.paired and pairs.split == "test"
    assert torch.equal(pairs.inputs, scenes.render(vectors, "day", "summer"))
    assert torch.equal(pairs.targets, scenes.render(vectors, "night", "summer"))
    winter = data.load_pairs("scenes", split="test", task="summer_winter", size=16)
    assert torch.equal(winter.inputs, scenes.render(vectors, "day", "summer", 16))
    assert torch.equal(winter.targets, scenes.render(vectors, "day", "winter", 16))
    assert "summer_winter" in repr(winter) and winter.source and winter.licence


def test_unpaired_scenes_share_no_landscape() -> None:
    pairs = data.load_pairs("scenes", split="test", paired=False)
    vectors = scenes.parameters(2000)[4::5]
    assert len(pairs) == 200 and not pairs.paired
    assert torch.equal(pairs.inputs, scenes.render(vectors[::2], "day")), "even numbers"
    assert torch.equal(pairs.targets, scenes.render(vectors[1::2], "night")), "odd numbers"


def numbered(paired: bool) -> data.Pairs:
    """Pair i is of images whose every pixel is i."""
    x = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1)
    return data.Pairs("numbers", x.expand(-1, 3, 4, 4), x.expand(-1, 1, 8, 8), paired)


def test_draw_pair() -> None:
    rng = torch.Generator()
    real, inputs = numbered(True).draw_pair(64, rng.manual_seed(3))
    again, _ = numbered(True).draw_pair(64, rng.manual_seed(3))
    assert real.shape == (64, 1, 8, 8) and inputs.shape == (64, 3, 4, 4)
    assert real.dtype == inputs.dtype == torch.float32 and torch.equal(real, again)
    assert torch.equal(real[:, 0, 0, 0], inputs[:, 0, 0, 0]) and real.min() >= -1 and real.max() <= 1
    index = torch.randint(200, (64,), generator=rng.manual_seed(3))
    assert torch.equal(((real[:, 0, 0, 0] + 1) * 127.5).round().long(), index)
    real, inputs = numbered(False).draw_pair(64, rng.manual_seed(3))
    share = (real[:, 0, 0, 0] == inputs[:, 0, 0, 0]).float().mean()
    assert share < 0.1
    assert numbered(True).to("cpu").paired and len(numbered(True)) == 200


def test_wrong_pairs_are_refused() -> None:
    x = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="inputs and targets must be equally many, got 3 and 2"):
        data.Pairs("mine", x, x[:2], True)
    with pytest.raises(TypeError, match="targets must be uint8 images, got torch.float32"):
        data.Pairs("mine", x, x.float(), True)
    with pytest.raises(ValueError, match=r"inputs must have shape \(N, C, H, W\) with N ≥ 1, got \(3, 4\)"):
        data.Pairs("mine", x[:, 0, 0], x, True)
    pairs = data.Pairs("mine", x, x, True)
    assert len(pairs.draw_pair(4, torch.Generator())[0]) == 4, "with replacement"
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        pairs.draw_pair(2, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name='scene' is not known; choose one of: scenes"):
        data.load_pairs("scene")
    with pytest.raises(ValueError, match="task='night_day' is not known; choose one of: drawing_day, day_night, "):
        data.load_pairs("scenes", task="night_day")
    with pytest.raises(ValueError, match="split='val' is not known"):
        data.load_pairs("scenes", split="val")


# Super-resolution.


def test_shrunk() -> None:
    digits = data.load("digits", split="test")
    pairs = data.shrunk(digits, 4)
    assert pairs.paired and pairs.inputs.shape == (1000, 1, 7, 7) and torch.equal(pairs.targets, digits.x)
    block = digits.x[5, 0, 8:12, 12:16].double().mean()
    assert pairs.inputs[5, 0, 2, 3] == block.round() and pairs.name == "digits shrunk 4 times"
    assert pairs.licence == digits.licence and pairs.split == "test"


def test_shrunk_refuses() -> None:
    digits = data.load("digits", split="test")
    with pytest.raises(ValueError, match="factor must divide the sides of the images, 28 and 28, got 3"):
        data.shrunk(digits, 3)
    with pytest.raises(ValueError, match="factor must be a whole number of at least 2, got 1"):
        data.shrunk(digits, 1)
    with pytest.raises(TypeError, match="dataset must be a data.Dataset, got Tensor"):
        data.shrunk(digits.x, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"flowers holds points"):
        data.shrunk(data.load("flowers"), 2)


HIDDEN = ("warmth", "cloud_x", "cloud_y", "cloud_size", "far_cloud_x", "far_cloud_y", "green", "wall")


@pytest.mark.parametrize("name", scenes.PARAMETERS)
def test_a_drawing_shows_all_but_weather_light_and_wall(name: str) -> None:
    index, vectors = scenes.PARAMETERS.index(name), scenes.parameters(30)
    changed = vectors.copy()
    changed[:, index] = (vectors[:, index] + 0.5) % 1
    for view in (scenes.drawing, scenes.lines):
        assert torch.equal(view(vectors), view(changed)) == (name in HIDDEN)
    same = torch.equal(scenes.render(scenes.plain(vectors)), scenes.render(scenes.plain(changed)))
    assert same == (name in HIDDEN and name != "wall"), "plain scenes have one weather and light, and two walls"


def test_a_drawing_has_the_colours_of_its_brushes_and_lines_lie_where_they_meet() -> None:
    vectors = scenes.parameters(40)
    drawn, line = scenes.drawing(vectors), scenes.lines(vectors)
    assert drawn.shape == (40, 3, 32, 32) and line.shape == (40, 1, 32, 32) and drawn.dtype == line.dtype == torch.uint8
    seen = {tuple(colour) for colour in drawn.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}
    assert seen == set(scenes.BRUSHES.values()) and len(seen) == 7
    for row, column in ((0, 0), (10, 20), (25, 16), (31, 31)):
        here = drawn[:, :, row, column]
        others = [drawn[:, :, r, c] for r, c in ((row + 1, column), (row, column + 1)) if max(r, c) < 32]
        black = sum(((other != here).any(1) for other in others), torch.zeros(40, dtype=torch.bool))
        assert torch.equal(line[:, 0, row, column] == 0, black > 0)


def test_the_two_days_of_a_drawing_differ_in_the_wall_and_one_in_three_is_red() -> None:
    vectors = scenes.parameters(300)
    cream, red, drawn = (scenes.render(scenes.plain(vectors, wall)) for wall in ("cream", "red", None))
    house = torch.tensor(scenes.BRUSHES["house"], dtype=torch.uint8)[:, None, None]
    at_house = (scenes.drawing(vectors) == house).all(1)
    near = torch.nn.functional.max_pool2d(at_house[:, None].float(), 3, 1, 1)[:, 0] > 0  # smooth edges
    differ = (cream != red).any(1)
    assert differ.any() and not (differ & ~near).any()
    is_red = (drawn == red).flatten(1).all(1) & differ.flatten(1).any(1)
    is_cream = (drawn == cream).flatten(1).all(1) & differ.flatten(1).any(1)
    assert torch.equal(is_red | is_cream, differ.flatten(1).any(1))
    houses = scenes.parameters(scenes.COUNT)
    red_walls = scenes.plain(houses)[:, scenes.PARAMETERS.index("wall")] == 1
    assert abs(red_walls.mean() - 1 / 3) < 3 * (2 / 9 / scenes.COUNT) ** 0.5
    with pytest.raises(ValueError, match="wall='blue' is not known"):
        scenes.plain(vectors, "blue")
    with pytest.raises(ValueError, match="split='both' is not known"):
        scenes.numbers("both")


def test_pairs_of_drawings_and_days_are_of_the_same_scenes() -> None:
    pairs = data.load_pairs("scenes", "test", task="drawing_day")
    vectors = scenes.parameters(scenes.COUNT)[scenes.numbers("test")]
    assert torch.equal(pairs.inputs, scenes.drawing(vectors))
    assert torch.equal(pairs.targets, scenes.render(scenes.plain(vectors)))
