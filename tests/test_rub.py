"""Rubbing out: what Python is told and what is refused. How it plays stands in tests/page/test_further.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import traitlets
from torch import nn

from ganlib import features, nets, widgets

IMAGES = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


def sampler(channels: int = 2, out: int = 1, latent: int = 3) -> nn.Module:
    return nets.ResidualGenerator(channels, out, width=2, downs=1, blocks=1, latent=latent)


def classifier(classes: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 49, classes)
    )


def rub(**changed: Any) -> widgets.Rub:
    given = {"sampler": sampler(), "mean": sampler(latent=0), "classifier": classifier(), "images": IMAGES}
    return widgets.rub(**given | changed)


def test_known_pixels_stand_and_the_hole_is_filled() -> None:
    widget = rub(draws=5)
    picture, mask = widget.given()[0]
    kept = torch.arange(784).view(28, 28) < 392
    as_taken = ((127.5 * (IMAGES[0, 0] + 1)).round() / 127.5 - 1)[kept]
    assert torch.allclose(picture[kept], as_taken) and (picture[~kept] == 0).all() and torch.equal(mask > 0, kept)
    answers, fog = widget.answers(), widget.fog()
    assert answers.shape == (5, 1, 28, 28) and fog.shape == (1, 1, 28, 28) and widget.classes().shape == (5,)
    assert (answers[:, 0, kept] == as_taken).all() and (answers[0] != answers[1]).any() and answers.abs().max() <= 1
    assert (fog[0, 0, kept] == as_taken).all() and (fog[0, 0, ~kept] != 0).any()
    widget.mask = [0] * 784
    assert torch.equal(widget.answers(), widget.fog().expand(5, -1, -1, -1))


def test_what_python_returns_does_not_change_with_the_networks() -> None:
    net = sampler()
    widget = rub(sampler=net)
    before = widget.answers()
    with torch.no_grad():
        next(net.parameters()).fill_(1)
    assert torch.equal(widget.answers(), before)


def test_the_books_own_classifier_runs() -> None:
    widget = rub(classifier=features.digit_classifier(), names=None)
    assert widget.facts["names"] == list("0123456789") and len(widget.networks) == 3


def test_state_within_bounds() -> None:
    widget = rub(seed=1)
    assert widget.z != rub().z and [len(z) for z in widget.z] == [3] * 16
    widget.picture, widget.mask, widget.z = 1, [1] * 784, [[0.0] * 3] * 16
    for name, wrong in (
        ("picture", 2),
        ("mask", [0] * 9),
        ("mask", [2] * 784),
        ("z", [[0.0] * 3]),
        ("z", [[0.0]] * 16),
    ):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, wrong)


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: rub(sampler="G"), TypeError, "sampler must be a network, a game or a generator, got str"),
    (lambda: rub(sampler=sampler(1)), ValueError, r"sampler does not take images of shape \(2, 28, 28\)"),
    (lambda: rub(mean=sampler(2, 3, 0)), ValueError, r"mean must make images of shape .* got \(3, 28, 28\)"),
    (lambda: rub(sampler=sampler(latent=0)), ValueError, "sampler must take a z and mean none, got z of 0 and 0"),
    (lambda: rub(mean=sampler()), ValueError, "sampler must take a z and mean none, got z of 3 and 3"),
    (lambda: rub(mean=nn.Sequential(nn.Softplus())), TypeError, r"mean\.0: Softplus does not run"),
    (lambda: rub(classifier=len), TypeError, "classifier must be a network, got builtin_function"),
    (lambda: rub(classifier=nn.Flatten()), ValueError, r"classifier must make logits .* got \(N, \*\[784\]\)"),
    (lambda: rub(classifier=sampler(1, latent=0)), ValueError, "classifier must make logits"),
    (lambda: rub(classifier=nn.Sequential(nn.MaxPool2d(3, 2))), TypeError, r"classifier\.0: MaxPool2d with stride=2"),
    (lambda: rub(classifier=nn.AvgPool2d(2, padding=1)), TypeError, "AvgPool2d with padding=1"),
    (lambda: rub(classifier=nn.AdaptiveAvgPool2d((1, 2))), TypeError, r"AdaptiveAvgPool2d with output_size=\(1, 2\)"),
    (lambda: rub(names=["a"]), ValueError, "names must be 4 different texts"),
    (lambda: rub(draws=1), ValueError, "draws must lie between 2 and 64, got 1"),
    (lambda: rub(images=IMAGES.expand(-1, 3, -1, -1)), ValueError, r"images must have shape \(N, 1, H, W\)"),
    (lambda: rub(images=torch.zeros(1, 1, 40, 40)), ValueError, "sides of at most 32"),
    (lambda: rub(images=3 * IMAGES), ValueError, "images must be uint8 or floats in"),
    (lambda: rub(alt=""), ValueError, "alt must say in words"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_refused_by_name(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
