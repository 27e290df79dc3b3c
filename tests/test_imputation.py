"""GAIN and AmbientGAN beyond their formulas (test_gallery.py): what they fill, what they are told, what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganlib
from ganlib import checkpoint, data, games, nets

NAN = math.nan


def table(n: int = 200) -> data.Incomplete:
    """Rows of three columns in odd units, linked to each other, a fifth of the entries missing."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(n, 1, generator=rng) * torch.tensor([1.0, 10.0, -0.1]) + torch.tensor([5.0, 0.0, 100.0])
    x = x + 0.01 * torch.randn(n, 3, generator=rng)
    return data.Incomplete(torch.where(torch.rand(n, 3, generator=rng) < 0.2, NAN, x))


def gain(held: data.Incomplete, noise: float = 0.01, **options: Any) -> Any:
    torch.manual_seed(0)
    return games.gain(nets.Imputer(3, 16, noise), nets.MaskDiscriminator(3, 16), held, **options)


def test_impute_keeps_what_is_known_and_fills_the_rest_in_its_units():
    held = table()
    game = gain(held)
    game.play(300, progress=False)
    filled = games.impute(game, held)
    assert torch.equal(filled[held.known], held.x[held.known]) and filled.isfinite().all()
    assert held.low is not None and held.high is not None
    assert (filled >= held.low - 1e-4).all() and (filled <= held.high + 1e-4).all()
    assert torch.equal(filled, games.impute(game.snapshot(), held))
    few = held.like([[NAN, NAN, 100.0]])
    assert games.impute(game, few).shape == (1, 3)


def test_rows_are_filled_in_the_scale_that_was_learned_whatever_their_table_has(tmp_path: Path):
    """A few rows alone have another least and largest value than the table that was learned from."""
    held = table()
    game = gain(held)
    game.play(20, progress=False)
    game.save(tmp_path)
    rows = held.x[:20]
    wanted = games.impute(game, held.like(rows))
    made = {
        "game": game,
        "snapshot": game.snapshot(),
        "run": ganlib.load(tmp_path, device=game.device),
        "file": ganlib.load(game.snapshot().save(tmp_path / "alone"), device=game.device),
    }
    for name, one in made.items():
        assert torch.equal(games.impute(one, data.Incomplete(rows)), wanted), name
    older = replace(made["file"], scale=None)
    with pytest.raises(ValueError, match="made must have learned from a table with holes"):
        games.impute(older, data.Incomplete(rows))


def test_a_run_does_not_go_on_in_another_scale(tmp_path: Path):
    gain(table()).save(tmp_path)
    other = gain(replace(table(), high=torch.tensor([10.0, 50.0, 200.0])))
    with pytest.raises(checkpoint.CheckpointError, match=r"saved under other settings: scale\.high was \["):
        other.resume(tmp_path, elsewhere=True)
    assert gain(table()).resume(tmp_path).step == 0


def test_how_much_draws_differ_is_decided_by_the_noise():
    held, apart = table(), {}
    for noise in (0.0, 0.01, 1.0):
        game = gain(held, noise, alpha=1.0)
        one, other = (games.impute(game, held, seed=seed) for seed in (0, 1))
        apart[noise] = (one - other)[~held.known].abs().mean()
    assert apart[0.0] == 0 < 10 * apart[0.01] < apart[1.0]


def test_without_adversary_the_discriminator_has_no_say():
    """α = ∞: whatever D is, G learns the same."""
    games_of = []
    for seed in (1, 2):
        torch.manual_seed(0)
        g = nets.Imputer(3, 8)
        torch.manual_seed(seed)
        games_of.append(games.gain(g, nets.MaskDiscriminator(3), table(), alpha=math.inf))
        games_of[-1].play(3, progress=False)
    first, second = (game.generator.state_dict() for game in games_of)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0}, "alpha must be a finite number of at least 0, got -1"),
        ({"alpha": NAN}, "alpha must be a finite number"),
        ({"hint": math.inf}, "hint must be a finite number"),
        ({"hint_rate": 1.5}, "hint_rate must lie between 0 and 1, or be None, got 1.5"),
        ({"hint_rate": 1.0, "unhinted": True}, "hint_rate must be below 1 where only entries without a hint count"),
        ({"data": torch.rand(5, 3)}, "data must be a table with holes, data.Incomplete"),
        ({"discriminator": nn.Sequential(nets.MaskDiscriminator(3))}, "takes 2 positional arguments but 3 were given"),
        ({"generator": nets.Imputer(4)}, r"inputs must have shape \(N, 8\), got \(1, 6\)"),
    ],
)
def test_what_gain_cannot_play_is_refused(options: dict[str, Any], words: str):
    given = {"generator": nets.Imputer(3), "discriminator": nets.MaskDiscriminator(3), "data": table(), **options}
    with pytest.raises((TypeError, ValueError), match=words):
        games.gain(**given)


def test_impute_refuses_what_is_no_table_and_other_games():
    game = gain(table())
    with pytest.raises(TypeError, match="table must be a data.Incomplete, got Tensor"):
        games.impute(game, torch.rand(2, 3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="table must have the 3 columns that were learned, got 2"):
        games.impute(game, data.Incomplete([[1.0, 2.0]]))
    with pytest.raises(TypeError, match="made must be a game of gain or its snapshot, got Imputer"):
        games.impute(game.generator, table())
    other = games.gan(nets.MLPGenerator(2, 3), nets.MLPDiscriminator(3), torch.rand(9, 3))
    with pytest.raises(ValueError, match=r"made must have learned from a table with holes, .*got <Generator MLPGen"):
        games.impute(other, table())
    named = gain(replace(table(), columns=("a", "b", "c")))
    assert games.impute(named, table()).isfinite().all()
    with pytest.raises(ValueError, match="the columns that were learned, in order: 'b', got 'c'"):
        games.impute(named, replace(table(), columns=("a", "c", "b")))


def test_ambient_gan_makes_whole_samples_of_damaged_ones():
    """A Gaussian of which one of two numbers is lost half of the time: its correlation is learned all the same."""

    def measure(x: Tensor, rng: torch.Generator) -> Tensor:
        return torch.where(torch.rand(x.shape, generator=rng) < 0.5, x, -9.0)

    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4000, generator=rng)
    held = measure(torch.stack([a, 0.8 * a + 0.6 * b], 1), rng)
    torch.manual_seed(0)
    pair = nets.MLPGenerator(2, 2, 32, 2), nets.MLPDiscriminator(2, 32, 2)
    options = {"loss": "rpgan", "penalty": "r1_r2", "lr": 2e-3, "betas": (0.0, 0.99), "batch": 256}
    game = games.ambient_gan(*pair, held, measure=measure, **options)
    assert torch.corrcoef(held.T)[0, 1] < 0.3
    game.play(1200, progress=False)
    made = game.sample(4000)
    assert 0.6 < torch.corrcoef(made.T)[0, 1] < 0.95 and made.min() > -6


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("blur", "measure must be a function"),
        (lambda x, rng: None, "measure must return damaged samples, a tensor, got NoneType"),
        (
            lambda x, rng: x[:, :1],
            r"the generator's samples, measured, have shape \(1,\), but those of the data \(2,\)",
        ),
    ],
)
def test_what_is_no_measurement_is_refused(measure: Any, words: str):
    with pytest.raises((TypeError, ValueError), match=words):
        games.ambient_gan(nets.MLPGenerator(), nets.MLPDiscriminator(), torch.rand(9, 2), measure=measure)
