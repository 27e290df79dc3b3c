"""Small landscapes, each drawn from a vector of parameters, by day and by night, in summer and in winter.

The four pictures of one vector differ in nothing but the light and the season, so that the exact answer of a
translation between them is known. What shows at night can be told from the day: the moon stands where the sun stood,
every window is lit, and all scenes lie under the same stars; the same holds for summer and winter. Shapes are signed
distances, cut off over one pixel (so edges are smooth at any size) and laid over each other with numpy.

A drawing of a scene is a flat colour for each thing, a line drawing only where one thing ends and another begins.
Neither shows the weather, the light or the wall; in `plain` scenes only the wall is free, so that what a drawing can
mean is known exactly: a day with a cream wall, twice in three, or with a red one.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from .. import _check

TIMES = ("day", "night")
SEASONS = ("summer", "winter")
TREES = 6
PARAMETERS = (
    "sun_x", "sun_y", "warmth", "cloud_x", "cloud_y", "cloud_size", "far_cloud_x", "far_cloud_y",
    "horizon", "peak_x", "peak_height", "second_x", "second_height", "ridge", "hill", "hill_phase",
    "water", "shore", "slope", "green", "house", "house_x", "house_size", "wall",
    *(f"tree_{i}_{what}" for i in range(TREES) for what in ("x", "height", "kind")),
)  # fmt: skip
"""What a scene is drawn from, each in [0, 1]."""

BRUSHES = {
    "sky": (170, 205, 240),
    "sun": (255, 220, 60),
    "mountain": (130, 130, 150),
    "water": (60, 110, 190),
    "meadow": (140, 190, 90),
    "tree": (30, 90, 50),
    "house": (90, 60, 110),
}
"""What a drawing is made of, each with its colour: red, green and blue of 255."""
WALLS = {"cream": 0.0, "red": 1.0}
"""The two colours of a house's wall, and the parameter that gives it."""
_PLAIN = {
    **dict.fromkeys(("warmth", "cloud_size", "green"), 0.5),
    **{"cloud_x": 0.25, "cloud_y": 0.8, "far_cloud_x": 0.75, "far_cloud_y": 0.5},
}
COUNT = 2000
"""How many scenes the packaged set has; every fifth is for the test."""

_CHUNK = 32


def parameters(n: int, start: int = 0) -> np.ndarray:
    """The parameters of scenes `start` … `start + n − 1`: scene i is the same for ever.

    Returns:
        (n, len(PARAMETERS)) float32, uniform on [0, 1].

    Raises:
        TypeError, ValueError: n or start is not a whole number.
    """
    _check.positive_int("n", n)
    _check.positive_int("start", start, minimum=0)
    stream = np.random.RandomState(0)  # the one stream that numpy promises never to change (NEP 19)
    return stream.random_sample((start + n, len(PARAMETERS))).astype(np.float32)[start:]


def numbers(split: str) -> np.ndarray:
    """The numbers of the packaged set's scenes: of "train" (1600), "test" (400) or "all".

    Raises:
        ValueError: another split.
    """
    every = np.arange(COUNT)
    splits = {"train": every[every % 5 != 4], "test": every[every % 5 == 4], "all": every}
    _check.one_of("split", split, tuple(splits))
    return splits[split]


def plain(parameters: np.ndarray, wall: str | None = None) -> np.ndarray:
    """The same scenes in one weather and light, so that of all that a drawing does not show only the wall is free.

    Args:
        parameters: (N, len(PARAMETERS)) in [0, 1].
        wall: "cream" or "red"; None leaves it to the scene: red in a third, whatever else is in the picture.

    Returns:
        Parameters of the same shape.

    Raises:
        ValueError: an argument that is not as above.
    """
    if wall is not None:
        _check.one_of("wall", wall, tuple(WALLS))
    values = _checked(parameters).copy()
    for name, value in _PLAIN.items():
        values[:, PARAMETERS.index(name)] = value
    at = PARAMETERS.index("wall")
    values[:, at] = values[:, at] > 2 / 3 if wall is None else WALLS[wall]
    return values


def drawing(parameters: np.ndarray, size: int = 32) -> Tensor:
    """Scenes as somebody would paint them with seven brushes: each pixel has the colour of the thing it mostly shows.

    Returns:
        uint8 (N, 3, size, size), colours of `BRUSHES` only.

    Raises:
        TypeError, ValueError: an argument that is not as those of `render`.
    """
    colours = torch.tensor(list(BRUSHES.values()), dtype=torch.uint8)
    return colours[_things(parameters, size)].permute(0, 3, 1, 2).contiguous()


def lines(parameters: np.ndarray, size: int = 32) -> Tensor:
    """Scenes as line drawings: black where the pixel to the right or below shows another thing, else white.

    Returns:
        uint8 (N, 1, size, size), 0 and 255 only.

    Raises:
        TypeError, ValueError: an argument that is not as those of `render`.
    """
    things = _things(parameters, size)
    edge = torch.zeros(things.shape, dtype=torch.bool)
    edge[:, :, :-1] |= things[:, :, 1:] != things[:, :, :-1]
    edge[:, :-1] |= things[:, 1:] != things[:, :-1]
    return torch.where(edge, 0, 255).to(torch.uint8)[:, None]


def render(parameters: np.ndarray, time: str = "day", season: str = "summer", size: int = 32) -> Tensor:
    """Draw scenes.

    Args:
        parameters: (N, len(PARAMETERS)) in [0, 1], such as `parameters(100)`.
        time: "day" or "night".
        season: "summer" or "winter".
        size: side of the pictures in pixels.

    Returns:
        uint8 (N, 3, size, size), red, green and blue.

    Raises:
        TypeError, ValueError: an argument that is not as above.
    """
    _check.one_of("time", time, TIMES)
    _check.one_of("season", season, SEASONS)
    _check.positive_int("size", size, minimum=8)
    values = _checked(parameters)
    chunks = [
        _draw(values[i : i + _CHUNK], time == "night", season == "winter", size)[0]
        for i in range(0, len(values), _CHUNK)
    ]
    return torch.from_numpy(np.concatenate(chunks))


def _things(parameters: np.ndarray, size: int) -> Tensor:
    """Which of `BRUSHES` each pixel shows: (N, size, size), int64."""
    _check.positive_int("size", size, minimum=8)
    values = _checked(parameters)
    chunks = [_draw(values[i : i + _CHUNK], False, False, size)[1] for i in range(0, len(values), _CHUNK)]
    return torch.from_numpy(np.concatenate(chunks))


def _checked(parameters: np.ndarray) -> np.ndarray:
    values = np.asarray(parameters, np.float32)
    if values.ndim != 2 or values.shape[1] != len(PARAMETERS) or not len(values):
        raise ValueError(f"parameters must have shape (N, {len(PARAMETERS)}) with N ≥ 1, got {values.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("parameters must lie between 0 and 1")
    return values


def _draw(values: np.ndarray, night: bool, winter: bool, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures, uint8 (n, 3, size, size), and which thing each pixel shows, int64 (n, size, size)."""
    p = {name: values[:, i, None, None] for i, name in enumerate(PARAMETERS)}  # each (n, 1, 1)
    pixel = np.float32(1 / size)
    x = ((np.arange(size, dtype=np.float32) + 0.5) * pixel)[None, None, :]  # 0 left … 1 right
    y = (1 - (np.arange(size, dtype=np.float32) + 0.5) * pixel)[None, :, None]  # 0 bottom … 1 top
    n = len(values)
    picture = np.empty((n, 3, size, size), np.float32)
    thing = np.zeros((n, size, size), np.int64)

    def cover(distance: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """Share of each pixel inside a shape of this signed distance (negative inside)."""
        return np.clip(0.5 - distance / (pixel + soft), 0, 1)

    def lay(alpha: np.ndarray, colour: np.ndarray, brush: str = "") -> None:
        nonlocal picture
        picture += alpha[:, None] * (colour - picture)
        if brush:
            thing[np.broadcast_to(alpha > 0.5, thing.shape)] = list(BRUSHES).index(brush)

    def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Two colours (…, 3, 1, 1) mixed: share (n, 1, 1) or (n, h, w) of b."""
        return a + share[:, None] * (b - a)

    light = _rgb(0.30, 0.38, 0.62) if night else _rgb(1, 1, 1)

    # The sky, brighter towards the horizon and around the sun.
    horizon = 0.40 + 0.12 * p["horizon"]
    height = np.clip((y - horizon) / (1 - horizon), 0, 1)
    if night:
        low, high = mix(_rgb(0.20, 0.20, 0.42), _rgb(0.36, 0.22, 0.42), p["warmth"]), _rgb(0.02, 0.03, 0.13)
    elif winter:
        low, high = mix(_rgb(0.90, 0.93, 0.96), _rgb(0.99, 0.86, 0.78), p["warmth"]), _rgb(0.45, 0.62, 0.84)
    else:
        low, high = mix(_rgb(0.80, 0.92, 0.98), _rgb(1.00, 0.80, 0.55), p["warmth"]), _rgb(0.16, 0.46, 0.86)
    picture[:] = mix(low, high, height**0.7)
    sun_x, sun_y = 0.12 + 0.76 * p["sun_x"], 0.70 + 0.2 * p["sun_y"]
    from_sun = _length(x - sun_x, y - sun_y)
    if night:
        lay(_stars(size) * np.clip(4 * height, 0, 1) * (from_sun > 0.09), _rgb(1, 1, 0.92))
        lay(0.5 * np.exp(-from_sun / 0.10), _rgb(0.55, 0.60, 0.80))
        bitten = np.minimum(cover(from_sun - 0.075), 1 - cover(_length(x - sun_x - 0.04, y - sun_y - 0.02) - 0.065))
        lay(bitten, _rgb(0.98, 0.96, 0.85))
    else:
        lay(0.75 * np.exp(-from_sun / 0.14), mix(_rgb(1, 0.98, 0.85), _rgb(1, 0.85, 0.45), p["warmth"]))
        lay(cover(from_sun - 0.08), mix(_rgb(1, 0.98, 0.75), _rgb(1, 0.86, 0.40), p["warmth"]), "sun")

    # Two clouds of three puffs with a flat foot.
    for cloud_x, cloud_y, wide in (
        (1.2 * p["cloud_x"] - 0.1, 0.72 + 0.2 * p["cloud_y"], 0.6 + 0.7 * p["cloud_size"]),
        (1.2 * p["far_cloud_x"] - 0.1, 0.62 + 0.16 * p["far_cloud_y"], np.float32(0.5)),
    ):
        cloud = np.maximum.reduce([
            cover(_length((x - cloud_x - dx * wide) / 1.5, y - cloud_y) - r * wide, 0.03)
            for dx, r in ((-0.11, 0.045), (0.0, 0.075), (0.11, 0.055))
        ])  # fmt: skip
        cloud = np.minimum(cloud, cover(cloud_y - 0.02 - y, 0.02))
        lay((0.55 if night else 0.9) * cloud, _rgb(0.20, 0.22, 0.36) if night else _rgb(1, 1, 1))

    # Two peaks, lit from the side of the sun, white above the snow line.
    peaks = (
        (0.05 + 0.4 * p["second_x"], 0.10 + 0.16 * p["second_height"]),
        (0.55 + 0.4 * p["peak_x"], 0.14 + 0.20 * p["peak_height"]),
    )
    for centre, tall in peaks:
        jag = 0.012 * np.sin(38 * x + 20 * p["ridge"]) + 0.018 * np.sin(17 * x + 9 * p["ridge"])
        top = horizon + tall - 0.75 * np.abs(x - centre) + jag
        shade = np.clip(0.5 + (x - centre + 0.5 * jag) * np.sign(centre - sun_x) / 0.06, 0, 1)
        rock = mix(_rgb(0.50, 0.54, 0.66), _rgb(0.34, 0.38, 0.52), shade)
        snow = mix(_rgb(0.98, 0.98, 1.00), _rgb(0.76, 0.82, 0.92), shade)
        line = horizon + (0.02 if winter else 0.16) + 2.2 * jag
        lay(cover(y - top), light * mix(rock, snow, cover(line - y, 0.02)), "mountain")

    # Rolling hills behind the water, and the water: what stands above it, upside down.
    meadow = mix(_rgb(0.36, 0.62, 0.26), _rgb(0.56, 0.68, 0.24), p["green"])
    if winter:
        meadow = mix(_rgb(0.90, 0.94, 1.00), _rgb(0.97, 0.96, 0.96), p["green"])
    phase = p["hill_phase"]
    hills = horizon + 0.02 + 0.05 * p["hill"] * np.sin(7 * x + 6.3 * phase) + 0.02 * np.sin(15 * x + 9 * phase)
    lay(cover(y - hills), light * (0.72 if not winter else 0.86) * meadow, "meadow")
    wood = hills + 0.022 + 0.012 * np.sin(90 * x)
    firs = mix(_rgb(0.13, 0.36, 0.24), _rgb(0.20, 0.38, 0.16), p["green"])
    if winter:
        firs = 0.55 * firs + 0.45 * _rgb(0.85, 0.90, 0.96)
    lay(0.9 * cover(y - wood) * cover(hills - 0.02 - y), light * firs)
    bank = horizon - 0.03
    is_water = cover(y - bank) * (p["water"] > 0.25)
    rows = np.clip(((1 - (2 * bank - y)) * size).astype(np.int64), 0, size - 1)  # the row above, as far from the bank
    mirrored = np.take_along_axis(picture, rows[:, None], axis=2)
    water = _rgb(0.80, 0.90, 0.97) if winter else _rgb(0.20, 0.48, 0.66)
    ripple = 0.03 * np.sin(130 * y + 8 * np.sin(9 * x)) if not winter else 0.0
    lay(is_water, mirrored + (0.55 if winter else 0.35) * (light * water - mirrored) + ripple * light, "water")
    glitter = is_water * np.exp(-np.abs(x - sun_x) / 0.05) * (0.5 + 0.5 * np.sin(110 * y))
    lay((0.15 if winter else 0.5) * glitter, _rgb(0.80, 0.84, 0.95) if night else _rgb(1, 0.95, 0.75))

    # The near shore.
    def ground(at: np.ndarray) -> np.ndarray:
        level = 0.16 + 0.10 * p["shore"] + 0.24 * (p["slope"] - 0.5) * (at - 0.5)
        return level + 0.025 * np.sin(6 * at + 6.3 * p["shore"])

    near = ground(x)
    depth = np.clip((near - y) / 0.25, 0, 1)
    lay(cover(y - near), light * mix(1.06 * meadow, (0.72 if not winter else 0.84) * meadow, depth), "meadow")

    # A house with two windows, in two scenes of three.
    present = p["house"] < 0.67
    house_x, wide = 0.2 + 0.6 * p["house_x"], 0.085 + 0.035 * p["house_size"]
    foot = ground(house_x) - 0.05
    across, up = np.abs(x - house_x), y - foot
    wall = mix(_rgb(0.93, 0.87, 0.74), _rgb(0.80, 0.42, 0.34), (p["wall"] > 0.5).astype(np.float32))
    chimney = cover(np.maximum(np.abs(x - house_x - 0.55 * wide) - 0.016, np.abs(up - 2.0 * wide) - 0.45 * wide))
    lay(chimney * present, light * _rgb(0.45, 0.32, 0.30), "house")
    lay(cover(np.maximum(across - wide, np.abs(up - 0.6 * wide) - 0.6 * wide)) * present, light * wall, "house")
    roof = np.maximum(0.64 * (across - 1.2 * wide) + 0.77 * (up - 1.2 * wide), 1.2 * wide - up)
    lay(cover(roof) * present, light * (_rgb(0.95, 0.97, 1.00) if winter else _rgb(0.55, 0.20, 0.16)), "house")
    for side in (-0.48, 0.48):
        window = np.maximum(np.abs(x - house_x - side * wide) - 0.24 * wide, np.abs(up - 0.62 * wide) - 0.26 * wide)
        if night:
            lay(0.55 * np.exp(-np.maximum(window, 0) / 0.03) * present, _rgb(1.0, 0.72, 0.25))
        lay(cover(window) * present, _rgb(1.0, 0.88, 0.42) if night else _rgb(0.30, 0.38, 0.50))

    # Trees: firs keep their green, round ones lose their leaves.
    firs = mix(_rgb(0.10, 0.36, 0.22), _rgb(0.18, 0.42, 0.18), p["green"])
    leaves = mix(_rgb(0.26, 0.54, 0.18), _rgb(0.48, 0.62, 0.16), p["green"])
    for i in range(TREES):
        tree_x, tall = p[f"tree_{i}_x"], 0.14 + 0.20 * p[f"tree_{i}_height"]
        fir = p[f"tree_{i}_kind"] < 0.5
        here = np.abs(tree_x - house_x) > 1.25 * wide * present + 0.03  # none grows through the house
        up, across = (y - ground(tree_x) + 0.04 + 0.06 * p[f"tree_{i}_height"]) / tall, (x - tree_x) / tall
        trunk = cover(tall * np.maximum(np.abs(across) - 0.05, np.abs(up - 0.2) - 0.22))
        lay(trunk * here, light * _rgb(0.36, 0.25, 0.18), "tree")
        lit = np.clip(0.5 + across * np.sign(sun_x - tree_x) / 0.25, 0, 1)
        tiers = np.maximum.reduce([
            cover(tall * 0.85 * np.maximum(np.abs(across) - 0.5 * (top - up) - 0.02, foot - up))
            for foot, top in ((0.15, 0.65), (0.40, 0.85), (0.62, 1.0))
        ])  # fmt: skip
        lay(tiers * (here & fir), light * mix(0.75 * firs, 1.15 * firs, lit), "tree")
        if winter:
            caps = np.maximum.reduce([
                cover(tall * np.maximum(np.abs(across) - 0.5 * (top - up), foot + 0.14 - up), 0.01)
                for foot, top in ((0.15, 0.65), (0.40, 0.85), (0.62, 1.0))
            ])  # fmt: skip
            lay(0.85 * np.minimum(caps, tiers) * (here & fir), light * _rgb(0.94, 0.97, 1.0))
        crown = np.minimum(_length(across, up - 0.66) - 0.27, _length(across - 0.16, up - 0.54) - 0.18)
        crown = np.minimum(crown, _length(across + 0.16, up - 0.54) - 0.18)
        if winter:
            twigs = np.abs(np.sin(9 * np.arctan2(across, up - 0.25))) < 0.6
            lay(0.6 * cover(tall * crown) * twigs * (here & ~fir), light * _rgb(0.50, 0.42, 0.38))
        else:
            lay(cover(tall * crown) * (here & ~fir), light * mix(0.72 * leaves, 1.15 * leaves, lit), "tree")
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8), thing


@functools.cache
def _stars(size: int) -> np.ndarray:
    """The firmament, brightness (size, size): one pixel a star where pixels are large, and the same for all scenes."""
    sky = np.zeros((size, size), np.float32)
    for x, y, bright in np.random.RandomState(5).random_sample((36, 3)):
        column, row = x * size - 0.5, 0.65 * (1 - y) * size - 0.5
        far = np.hypot(np.arange(size) - column, (np.arange(size) - row)[:, None])
        sky = np.maximum(sky, (0.3 + 0.7 * bright) * np.clip(1 - far / max(0.8, size / 80), 0, 1))
    return sky.astype(np.float32)


def _length(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    return np.sqrt(across * across + up * up)  # twice as fast as np.hypot, which minds overflow


def _rgb(red: float, green: float, blue: float) -> np.ndarray:
    return np.array([red, green, blue], np.float32)[:, None, None]
