"""Augmentations: exact effects, ranges, gradients, one draw an image, and the same draw for the same generator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganlib import augment

CHANGES = pytest.mark.parametrize("name", augment.AUGMENTATIONS)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 6, channels: int = 3, height: int = 8, width: int = 16) -> Tensor:
    return torch.rand(n, channels, height, width, generator=rng(9), dtype=torch.float64) + 0.5  # nowhere 0


@CHANGES
def test_shape_dtype_and_the_same_generator_the_same_result(name: str) -> None:
    change = augment.AUGMENTATIONS[name]
    for x in (images(), images().float(), images(channels=1), images(height=28, width=28)):
        before = x.clone()
        y = change(x, rng(1))
        assert y.shape == x.shape and y.dtype == x.dtype and torch.equal(x, before)
        assert torch.equal(y, change(x, rng(1)))
    assert not torch.equal(change(images(), rng(1)), change(images(), rng(2)))


@pytest.mark.parametrize("name", [name for name in augment.AUGMENTATIONS if name != "flip"])  # of two outcomes
def test_each_image_draws_for_itself(name: str) -> None:
    x = images(1, height=32, width=32).expand(20, -1, -1, -1)
    y = augment.AUGMENTATIONS[name](x, rng())
    assert len(y.flatten(1).unique(dim=0)) > 10


@CHANGES
def test_gradients_flow(name: str) -> None:
    change = augment.AUGMENTATIONS[name]
    x = images(2, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: change(x, rng(3)), x)
    assert torch.autograd.gradgradcheck(lambda x: change(x, rng(3)).square(), x)
    (gradient,) = torch.autograd.grad(change(x, rng(3)).square().sum(), x)
    assert gradient.abs().max() > 0


def test_brightness_adds_one_number() -> None:
    x = images(500)
    added = (augment.brightness(x, rng()) - x).flatten(1)
    assert torch.allclose(added, added[:, :1].expand_as(added))
    assert -0.5 <= added.min() < -0.48 and 0.48 < added.max() <= 0.5 and abs(added.mean()) < 0.03


@pytest.mark.parametrize(
    ("change", "dims", "low", "high"), [(augment.saturation, (1,), 0, 2), (augment.contrast, (1, 2, 3), 0.5, 1.5)]
)
def test_distances_from_a_mean_are_stretched(
    change: Callable[[Tensor, torch.Generator], Tensor], dims: tuple[int, ...], low: float, high: float
) -> None:
    x = images(500)
    y = change(x, rng())
    mean = x.mean(dims, keepdim=True)
    assert torch.allclose(y.mean(dims, keepdim=True), mean)
    factor = ((y - mean).square().sum((1, 2, 3)) / (x - mean).square().sum((1, 2, 3))).sqrt()
    assert torch.allclose(y, mean + factor.view(-1, 1, 1, 1) * (x - mean))
    span = high - low
    assert low <= factor.min() < low + 0.03 * span and high - 0.03 * span < factor.max() <= high + 1e-9


def test_saturation_leaves_grey_images() -> None:
    x = images(channels=1)
    assert torch.allclose(augment.saturation(x, rng()), x)


def test_colour_is_the_three_in_turn() -> None:
    x, one, other = images(), rng(), rng()
    expected = augment.contrast(augment.saturation(augment.brightness(x, one), one), one)
    assert torch.equal(augment.colour(x, other), expected)


def test_translation_moves_by_whole_pixels_and_fills_with_zero() -> None:
    x = images(300)  # 8 × 16: up to 1 down or up, up to 2 right or left
    y = augment.translation(x, rng())
    found = set()
    for before, after in zip(x, y, strict=True):
        matches = []
        for down in range(-2, 3):
            for right in range(-3, 4):
                expected = torch.zeros_like(before)
                rows, columns = 8 - abs(down), 16 - abs(right)
                r, c, r0, c0 = max(down, 0), max(right, 0), max(-down, 0), max(-right, 0)
                expected[:, r : r + rows, c : c + columns] = before[:, r0 : r0 + rows, c0 : c0 + columns]
                if torch.equal(after, expected):
                    matches.append((down, right))
        assert len(matches) == 1
        found.add(matches[0])
    assert found == {(down, right) for down in range(-1, 2) for right in range(-2, 3)}


@pytest.mark.parametrize("name", augment.UNCOVERING)
def test_what_is_uncovered_takes_the_colour_of_the_ground(name: str) -> None:
    """Where grey was uncovered there is the fill now, and nothing else has changed."""
    x = images(300)
    grey, change = augment.AUGMENTATIONS[name](x, rng()), augment.get(name, fill=-1.0)
    assert change is not None and change.name == f"{name} on -1" and augment.get(change) is change
    black = change(x, rng())
    assert (grey == 0).any() and torch.equal(black, torch.where(grey == 0, -1.0, grey))
    assert torch.equal(augment.get(f"brightness,{name}", fill=-1.0).changes[1](x, rng()), black)  # type: ignore[union-attr]
    ground = torch.full_like(x, -1.0)
    assert torch.equal(change(ground, rng()), ground)  # an image of nothing but ground stays one


@pytest.mark.parametrize("name", ["brightness", "flip", None])
def test_a_fill_where_nothing_is_uncovered_is_refused(name: str | None) -> None:
    with pytest.raises(ValueError, match="fill=-1.0 is for the names translation and cutout, got augment="):
        augment.get(name, fill=-1.0)


def test_half_of_the_images_are_mirrored_each_for_itself() -> None:
    x = images(1000)
    y = augment.flip(x, rng())
    mirrored = (y == x.flip(3)).flatten(1).all(1)
    assert torch.equal(y[~mirrored], x[~mirrored]) and abs(mirrored.double().mean() - 0.5) < 0.06


def test_cutout_sets_one_rectangle_to_zero() -> None:
    x = images(400)
    y = augment.cutout(x, rng())
    cut = y == 0
    assert torch.equal(torch.where(cut, 0, x), y)
    assert (cut.all(1) == cut.any(1)).all()  # all channels or none
    rows, columns = cut[:, 0].any(2), cut[:, 0].any(1)
    assert torch.equal(cut[:, 0], rows[:, :, None] & columns[:, None])  # rectangles
    for lines, side in ((rows, 8), (columns, 16)):
        count = lines.sum(1)
        assert count.max() == side // 2 and count.min() >= side // 4
        first = lines.double().argmax(1)
        assert torch.equal(
            lines, (torch.arange(side) >= first[:, None]) & (torch.arange(side) < (first + count)[:, None])
        )


def test_cutout_takes_the_share_that_its_definition_gives() -> None:
    """Along a side of 8: windows of 4 that start at -2 … 6, less what falls outside, hold 30 of 9 × 8 pixels."""
    expected = sum(min(start + 4, 8) - max(start, 0) for start in range(-2, 7)) / 72
    assert expected == 30 / 72
    x = torch.ones(20000, 1, 8, 8)
    share = (augment.cutout(x, rng()) == 0).double().mean().item()
    assert share == pytest.approx(expected**2, abs=0.003)


def test_by_name() -> None:
    both = augment.get("translation, cutout")
    assert both is not None and both.name == "translation,cutout" and augment.get(both) is both
    x, one = images(), rng()
    assert torch.equal(both(x, rng()), augment.cutout(augment.translation(x, one), one))

    def flip(images: Tensor, rng: torch.Generator) -> Tensor:
        return images.flip(3)

    mine = augment.get(flip)
    assert mine is not None and mine.name == "flip" and torch.equal(mine(x, rng()), x.flip(3))
    assert augment.get(None) is None
    with pytest.raises(ValueError, match="augment='cutuot' is not known; choose one of: cutout, "):
        augment.get("translation,cutuot")
    with pytest.raises(TypeError, match="augment must be names such as 'translation,cutout' or a function, got 3"):
        augment.get(3)  # type: ignore[arg-type]


@CHANGES
def test_points_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(N, C, H, W\), got \(5, 2\)"):
        augment.AUGMENTATIONS[name](torch.zeros(5, 2), rng())
