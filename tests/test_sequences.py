"""Networks for series: stationary records of any length, a memory that ends, tails, and chapter 20's own classes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib import data, nets, recipes

from .notebooks import ROOT


def noise(*key: int) -> Tensor:
    return torch.randn(*key, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("volatility", [False, True])
def test_a_value_depends_on_its_memory_of_noise_and_on_nothing_else(volatility: bool) -> None:
    G = nets.SequenceGenerator(10, depth=2, channels=3, width=4, volatility=volatility)
    assert G.memory == 7 and G.latent == 3 * 16
    z = noise(1, 3, 16).requires_grad_()
    G(z.flatten(1))[0, 4].backward()
    assert z.grad is not None
    felt = z.grad[0].abs().sum(0) > 0
    assert felt.nonzero().flatten().tolist() == list(range(4, 11))  # up to its own moment: nothing of what comes later


def test_the_same_noise_later_gives_the_same_values_later() -> None:
    G, z = nets.SequenceGenerator(10, depth=2, channels=3, width=4), noise(2, 3, 16)
    moved = torch.cat([noise(2, 3, 5), z[..., :-5]], 2)
    assert torch.allclose(G(moved.flatten(1))[:, 5:], G(z.flatten(1))[:, :-5], atol=1e-6)


def test_records_of_any_length_in_the_units_of_the_data() -> None:
    G = nets.SequenceGenerator(10, depth=2, channels=3, width=4, scale=5.0, shift=-2.0)
    long = G.records(2, 50, torch.Generator().manual_seed(0))
    assert long.shape == (2, 50) and torch.equal(long, G.records(2, 50, torch.Generator().manual_seed(0)))
    G.scale, G.shift = 1.0, 0.0
    assert torch.allclose(5 * G.records(2, 50, torch.Generator().manual_seed(0)) - 2, long, atol=1e-5)
    z = torch.randn(1, G.latent, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(G(z), G.records(1, 10, torch.Generator().manual_seed(3)), atol=1e-6)


def test_the_judge_takes_windows_of_its_length_in_the_units_of_the_data() -> None:
    D = nets.SequenceDiscriminator(24, 6, scale=2.0, shift=3.0)
    x = noise(5, 24)
    assert D(x).shape == (5,) and D.last_features(x).shape == (5, 12)
    plain = nets.SequenceDiscriminator(24, 6)
    plain.load_state_dict(D.state_dict())
    assert torch.allclose(plain(x), D(2 * x + 3), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nets.SequenceGenerator(0), "length must be a whole number of at least 1, got 0"),
        (lambda: nets.SequenceGenerator(depth=0), "depth must be a whole number of at least 1, got 0"),
        (lambda: nets.SequenceGenerator(scale=0), "scale must be above 0, got 0"),
        (lambda: nets.SequenceDiscriminator(8), "length must be a whole number of at least 9, got 8"),
        (lambda: nets.SequenceGenerator(10, 2)(noise(1, 9)), r"z must have shape \(N, 128\), got \(1, 9\)"),
        (lambda: nets.SequenceDiscriminator(24)(noise(1, 9)), r"x must have shape \(N, 24\), got \(1, 9\)"),
        (lambda: nets.SequenceGenerator().records(1, 0, torch.Generator()), "length must be a whole number"),
    ],
)
def test_wrong_arguments_by_name(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_chapter_20_writes_out_the_same_networks() -> None:
    cells = json.loads((ROOT / "chapters" / "20_sequences.ipynb").read_text(encoding="utf8"))["cells"]
    (source,) = ["".join(cell["source"]) for cell in cells if cell["id"] == "c20-net"]
    own: dict[str, Any] = {"nn": nn}
    exec(source, own)
    for volatility in (False, True):
        theirs = nets.SequenceGenerator(30, volatility=volatility)
        ours = own["Generator"](30, volatility=volatility)
        ours.load_state_dict(theirs.state_dict())
        assert (ours.latent, ours.memory) == (theirs.latent, theirs.memory)
        assert torch.equal(ours(noise(3, ours.latent)), theirs(noise(3, ours.latent)))
    ours, judge = own["Discriminator"](48), nets.SequenceDiscriminator(48)
    with torch.no_grad():
        for weights, written in zip(judge.parameters(), ours.parameters(), strict=True):
            weights.copy_(written)
    assert torch.allclose(ours(noise(3, 48)), judge(noise(3, 48)), atol=1e-6)


def test_returns_are_trained_on_with_these_networks_and_seasons_are_not() -> None:
    game = recipes.build(recipes.Settings("returns", steps=1))
    assert isinstance(game.generator, nets.SequenceGenerator) and game.generator.volatility
    assert isinstance(game.discriminator, nets.SequenceDiscriminator)
    x = data.load("returns").x
    assert game.generator.length == x.shape[1] and abs(game.generator.scale - x.std().item()) < 1e-3
    game.play(1)
    assert game.sample(3).shape == (3, x.shape[1])
    assert isinstance(recipes.build(recipes.Settings("series", steps=1)).generator, nets.MLPGenerator)
