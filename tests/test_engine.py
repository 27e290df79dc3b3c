"""The loop: turns are really taken, only the mover moves, the same seed gives the same numbers, and nothing is lost."""

from __future__ import annotations

import math
import os
import signal
import threading
import time

import pytest
import torch
from torch import nn

from ganlib import Game, NonFiniteLoss, Player, compute, generator, toys
from ganlib.engine import Batch
from ganlib.schedule import cosine

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data, tiny_game


def own_game(**options: object) -> Game:
    """A least-squares game put together by hand."""
    torch.manual_seed(0)
    g, d = TinyGenerator(), TinyDiscriminator()
    players = {
        "discriminator": Player(
            d,
            lambda b: (d(b.real) - 1).square().mean() + d(g(b.z)).square().mean(),
            torch.optim.SGD(d.parameters(), 0.1),
        ),
        "generator": Player(g, lambda b: (d(g(b.z)) - 1).square().mean(), torch.optim.SGD(g.parameters(), 0.1)),
    }
    return Game(players, tiny_data(), **{"batch": 16, **options})


def test_each_player_takes_its_turns_and_moves_only_its_own_parameters():
    game = tiny_game(turns=3, averaging=None)
    calls: list[tuple[str, int]] = []
    for name, player in game.players.items():
        inner = player.optimizer.step

        def step(name=name, inner=inner, player=player):
            others = [p.net for n, p in game.players.items() if n != name]
            assert all(w.grad is not None for w in player.net.parameters())
            before = [w.detach().clone() for net in others for w in net.parameters()]
            inner()
            after = [w.detach() for net in others for w in net.parameters()]
            assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
            calls.append((name, len(calls)))

        player.optimizer.step = step  # type: ignore[method-assign]
    game.play(5, progress=False)
    assert [n for n, _ in calls] == (["discriminator"] * 3 + ["generator"]) * 5


def test_the_waiting_player_gets_no_gradient():
    game = own_game()
    game.play(1, progress=False)
    waiting = [w.grad for w in game.discriminator.parameters()]
    kept = [None if g is None else g.clone() for g in waiting]
    batch = game.draw("generator")
    game.players["generator"].loss(batch).backward(inputs=list(game.generator.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(kept, (w.grad for w in game.discriminator.parameters()), strict=True))


def test_fresh_reals_and_latents_every_turn_and_the_same_ones_for_the_same_key():
    game = tiny_game()
    a, b, c = game.draw("discriminator", 0), game.draw("discriminator", 1), game.draw("generator", 0)
    assert not torch.equal(a.real, b.real) and not torch.equal(a.z, b.z) and not torch.equal(a.z, c.z)
    assert torch.equal(a.real, game.draw("discriminator", 0).real)
    game.step += 1
    assert not torch.equal(a.z, game.draw("discriminator", 0).z)


def test_same_seed_same_numbers_other_seed_other_numbers():
    runs = [tiny_game(seed=s) for s in (0, 0, 1)]
    for game in runs:
        game.play(4, progress=False)
    first, second, other = (everything(g) for g in runs)
    assert same(first, second) and not same(first, other)
    assert runs[0].history.losses == runs[1].history.losses


def test_sgd_by_hand_gives_the_same_weights():
    """One round of the engine against the same two updates written out, up to rounding."""
    game, by_hand = own_game(averaging=None), own_game(averaging=None)
    game.play(1, progress=False)
    for name, player in by_hand.players.items():
        loss = player.loss(by_hand.draw(name))
        assert isinstance(loss, torch.Tensor)
        gradients = torch.autograd.grad(loss, list(player.net.parameters()))
        with torch.no_grad():
            for w, g in zip(player.net.parameters(), gradients, strict=True):
                w -= 0.1 * g
    mine, theirs = everything(game), everything(by_hand)
    assert all(torch.allclose(mine[k].double(), theirs[k].double(), rtol=0, atol=1e-6) for k in mine)


def test_history_lists_frame_and_named_terms():
    game = own_game()
    loss = game.players["discriminator"].loss
    game.players["discriminator"].loss = lambda b: (
        {"loss": loss(b), "extra": loss(b) * 0 + 2.0} if b.step % 2 else {"loss": loss(b)}
    )
    history = game.play(4, progress=False)
    assert history.losses["discriminator.extra"] == [0.0, 2.0, 0.0, 2.0]
    assert len(history) == 4 and all(isinstance(v, float) for v in history["generator"])
    frame = history.frame()
    assert list(frame.index) == [1, 2, 3, 4] and frame["generator"].tolist() == history["generator"]
    with pytest.raises(KeyError, match=r"no player 'critic'.*discriminator"):
        history["critic"]


def test_average_follows_its_formula_and_copies_buffers():
    game = tiny_game(averaging=0.5)
    weights, expected = game.generator.net[0].weight, torch.zeros(8, 3)  # type: ignore[index]
    for step in range(12):
        game.play(1, progress=False)
        beta = min(0.5, step / (step + 9))
        expected = beta * expected + (1 - beta) * weights.detach()
    assert game.average is not None
    assert torch.allclose(game.average.net[0].weight, expected, atol=1e-6)  # type: ignore[index]
    assert not torch.equal(game.average.net[0].weight, weights)  # type: ignore[index]
    assert torch.equal(game.average.net[1].running_mean, game.generator.net[1].running_mean)  # type: ignore[index]


def test_anneal_lowers_rates_along_a_cosine_and_ends_the_game():
    game = tiny_game(lr=(1e-3, 4e-3), anneal=10)
    rates = []
    game.play(
        10, progress=False, watch=lambda g: rates.append(g.players["discriminator"].optimizer.param_groups[0]["lr"])
    )
    assert rates == pytest.approx([4e-3 * (0.02 + 0.98 * (1 + math.cos(math.pi * k / 10)) / 2) for k in range(10)])
    with pytest.raises(ValueError, match="schedule ends at step 10: 0 steps are left, got steps=1"):
        game.play(1)


def test_cosine_ends():
    assert cosine(0.0) == 1.0 and cosine(1.0, end=0.02) == pytest.approx(0.02) and cosine(0.5) == pytest.approx(0.5)


def test_watch_is_called_and_kept():
    game = tiny_game()
    game.play(6, every=2, watch=lambda g: {"steps_seen": g.step}, progress=False)
    assert game.history.watched == [{"step": s, "steps_seen": s} for s in (2, 4, 6)]


def test_seconds_limit_the_play():
    game = tiny_game()
    start = time.perf_counter()
    game.play(seconds=0.3, progress=False)
    assert game.step > 0 and 0.3 <= time.perf_counter() - start < 10
    assert game.history.seconds >= 0.25


def test_a_schedule_by_the_clock_follows_the_seconds_and_a_constant_rate_does_not():
    def rates(game: Game, seconds: float) -> list[float]:
        seen = lambda g: {"lr": g.players["generator"].optimizer.param_groups[0]["lr"]}  # noqa: E731
        game.play(seconds=seconds, watch=seen, progress=False)
        return [w["lr"] for w in game.history.watched]

    game = tiny_game(lr=1e-3, anneal="seconds")
    first = rates(game, 0.3)
    assert first[0] > 0.9e-3 and first[-1] < 0.1e-3 and first == sorted(first, reverse=True)
    again = rates(game, 0.3)[len(first) :]
    assert 0.4e-3 < again[0] < 0.6e-3 and again[-1] < 0.1e-3  # half of the 0.6 seconds are over
    assert set(rates(tiny_game(lr=1e-3), 0.2)) == {1e-3}
    with pytest.raises(ValueError, match=r"follows the clock: play\(seconds=…\), got steps=3"):
        game.play(3, progress=False)


def test_a_schedule_of_rounds_ends_a_play_of_seconds():
    game = tiny_game(lr=1e-3, anneal=5)
    game.play(seconds=60, progress=False)
    assert game.step == 5


def test_interrupt_leaves_a_whole_round_and_a_usable_game():
    game, reference, before = tiny_game(), tiny_game(), signal.getsignal(signal.SIGINT)
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        game.play(1000, progress=False, watch=lambda g: os.kill(os.getpid(), signal.SIGINT) if g.step == 7 else None)
    assert game.step == 7 == len(game.history)
    reference.play(7, progress=False)
    assert same(everything(game), everything(reference))
    game.play(3, progress=False)
    reference.play(3, progress=False)
    assert same(everything(game), everything(reference)) and game.sample(5).shape == (5, 2)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_non_finite_loss_stops_with_step_and_player_and_keeps_good_weights(player: str):
    game, inner = tiny_game(), None
    inner = game.players[player].loss

    def poisoned(batch: Batch):
        result = inner(batch)
        loss = result["loss"] if isinstance(result, dict) else result
        return loss * float("nan") if batch.step == 3 else loss

    game.players[player].loss = poisoned
    with pytest.raises(NonFiniteLoss, match=f"step 3, player '{player}': the loss is nan"):
        game.play(10, progress=False)
    assert game.step == 3 == len(game.history)
    assert all(v.isfinite().all() for v in everything(game).values())
    assert game.sample(4).isfinite().all()


def test_non_finite_data_cannot_poison_batch_statistics():
    """A NaN that goes through BatchNorm in the forward pass is undone with the round."""
    game = tiny_game()
    game.play(2, progress=False)
    draw = game.draw_latent
    game.draw_latent = lambda n, rng: draw(n, rng) * float("inf")  # type: ignore[method-assign]
    with pytest.raises(NonFiniteLoss):
        game.play(1, progress=False)
    assert all(v.isfinite().all() for v in everything(game).values())


def test_a_non_finite_gradient_is_caught_before_it_is_used():
    game = own_game()
    d = game.discriminator
    before = everything(game)
    # sqrt at 0: the loss is finite, its gradient is not
    game.players["discriminator"].loss = lambda b: (d(b.real) * 0).square().sum().sqrt()
    with pytest.raises(NonFiniteLoss, match="step 0, player 'discriminator': the gradient is nan"):
        game.play(1, progress=False)
    assert same(before, everything(game))


def test_sample_is_seeded_averaged_and_in_evaluation_mode():
    game = tiny_game()
    game.play(5, progress=False)
    a, b = game.sample(700), game.sample(700)
    assert torch.equal(a, b) and a.shape == (700, 2) and not a.requires_grad
    assert not torch.equal(a, game.sample(700, seed=1)) and not torch.equal(a, game.sample(700, averaged=False))
    assert game.generator.training
    assert game.average is not None
    z = game.draw_latent(3, compute.generator(0, "sample"))
    assert torch.equal(game.sample(3), game.average(z))


def test_uniform_prior_and_density_data():
    torch.manual_seed(0)
    g, d = TinyGenerator(), TinyDiscriminator()
    g.prior = "uniform"  # type: ignore[assignment]
    player = Player(g, lambda b: -d(g(b.z)).mean(), torch.optim.SGD(g.parameters(), 0.1))
    game = Game({"generator": player}, toys.ring(), batch=2000)
    batch = game.draw("generator")
    assert batch.real.shape == (2000, 2) and batch.labels is None
    assert batch.z.min() >= -1 and batch.z.max() <= 1 and abs(batch.z.std().item() - 3**-0.5) < 0.02


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch": 0}, ValueError, "batch must be a whole number of at least 1, got 0"),
        ({"precision": "half"}, ValueError, "precision='half' is not known"),
        ({"batch": 2.5}, ValueError, "batch must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be a whole number of at least 0, got -1"),
        ({"averaging": 1.0}, ValueError, "averaging must be at least 0 and below 1, got 1.0"),
        ({"anneal": 0}, ValueError, "anneal must be"),
        ({"generator": "forger"}, ValueError, "generator='forger' is not a player"),
        ({"latent": "three"}, TypeError, "latent must be"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        own_game(**change)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (torch.zeros(0, 2), ValueError, "data must be a float tensor"),
        (torch.zeros(10, 2, dtype=torch.long), ValueError, "data must be a float tensor"),
        (
            {"x": 1.0},
            TypeError,
            "data must be a ganlib.data.Dataset or Pairs, a density of ganlib.toys, a float tensor .*, got dict",
        ),
    ],
)
def test_bad_data_are_refused(data: object, error: type[Exception], message: str):
    player = own_game().players["generator"]
    with pytest.raises(error, match=message):
        Game({"generator": player}, data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either steps"),
        ({"steps": 1, "seconds": 1.0}, "either steps"),
        ({"steps": -1}, "steps must be a whole number of at least 1, got -1"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"seconds": 0.0}, "seconds must be above 0"),
        ({"seconds": float("nan")}, "seconds must be a finite number"),
        ({"steps": 1, "every": 0}, "every must be"),
    ],
)
def test_bad_plays_are_refused(arguments: dict[str, object], message: str):
    game = tiny_game()
    with pytest.raises(ValueError, match=message):
        game.play(**arguments)  # type: ignore[arg-type]
    assert game.step == 0


def test_players_must_be_players_and_turns_whole():
    with pytest.raises(TypeError, match="players must be a mapping"):
        Game({}, tiny_data())
    with pytest.raises(ValueError, match="turns must be a whole number of at least 1, got 0"):
        Player(nn.Linear(1, 1), lambda b: b.real.sum(), torch.optim.SGD([torch.zeros(1)], 0.1), turns=0)


class TinyPairs:
    """Targets twice as large as their inputs, as `data.Pairs` hands them out."""

    name = "doubles"
    paired = True

    def __init__(self) -> None:
        self.x = tiny_data()

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device) -> TinyPairs:
        return self

    def draw_pair(self, n: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.randint(len(self), (n,), generator=rng)
        return 2 * self.x[index], self.x[index]


def translating(**options: object) -> Game:
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    player = Player(net, lambda b: (net(b.inputs) - b.real).square().mean(), torch.optim.SGD(net.parameters(), 0.2))
    return Game(
        {"generator": player},
        TinyPairs(),
        **{"batch": 16, "latent": 0, "averaging": None, "takes": ["inputs"], **options},
    )


def test_pairs_are_drawn_together_and_a_translation_is_learned():
    game = translating()
    batch = game.draw("generator")
    assert batch.inputs is not None and torch.equal(batch.real, 2 * batch.inputs) and batch.z.shape == (16, 0)
    game.play(200, progress=False)
    x = torch.randn(600, 2)
    assert torch.allclose(game.translate(x), 2 * x, atol=1e-3)
    samples = game.sample(150)
    data = TinyPairs().x
    assert torch.cdist(samples, 2 * data).min(1).values.max() < 1e-2  # each of them a translated input
    assert torch.equal(samples, game.sample(150)) and not torch.equal(samples, game.sample(150, seed=1))
    with pytest.raises(TypeError, match="inputs must be a float tensor .*, got torch.uint8"):
        game.translate(torch.zeros(2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"from latents alone: use sample\(n\)"):
        tiny_game().translate(x)


def test_a_prior_of_the_game_is_used():
    def prior(n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randint(2, (n, 3), generator=rng).float()

    game = own_game(prior=prior)
    assert game.latent == 3 and set(game.draw("generator").z.flatten().tolist()) == {0.0, 1.0}
    assert game.average is not None
    z = prior(5, compute.generator(0, "sample"))
    assert torch.equal(game.sample(5), game.average(z))
    with pytest.raises(ValueError, match=r"prior\(n, rng\) must return z of shape \(n, 4\), got \(2, 3\) for n = 2"):
        own_game(prior=prior, latent=4)
    with pytest.raises(ValueError, match=r"prior\(n, rng\) must return z of shape \(n, latent\), got \(2,\)"):
        own_game(prior=lambda n, rng: torch.zeros(n))


def test_an_optimizer_of_other_parameters_is_refused():
    g, d = TinyGenerator(), TinyDiscriminator()
    with pytest.raises(
        ValueError, match=r"player 'generator': 4 of the 4 parameters of its optimizer are not its net's"
    ):
        Game({"generator": Player(g, lambda b: d(g(b.z)).mean(), torch.optim.SGD(d.parameters(), 0.1))}, tiny_data())


def test_data_of_another_type_than_the_networks_are_refused():
    player = own_game().players["generator"]
    with pytest.raises(
        TypeError, match="data must be torch.float32 like the generator's parameters, got torch.float64"
    ):
        Game({"generator": player}, tiny_data().double())


DIGITS = tuple(map(str, range(10)))


def test_labels_are_spread_and_checked():
    assert generator.spread_labels(None, 3, ()) is None
    assert generator.spread_labels(None, 5, DIGITS[:3]).tolist() == [0, 1, 2, 0, 1]  # type: ignore[union-attr]
    assert generator.spread_labels([7, 2], 3, DIGITS).tolist() == [7, 2, 7]  # type: ignore[union-attr]
    named = generator.spread_labels(["dog", 0], 3, ("cat", "dog"))
    assert named is not None and named.tolist() == [1, 0, 1]
    for labels, message in (
        ([10], "must lie in 0 … 9"),
        ([-1], "must lie in"),
        ([0.5], "whole numbers"),
        ([], "at least one"),
        ("ten", "label='ten' is not known; choose one of: 0, 1"),
    ):
        with pytest.raises(ValueError, match=message):
            generator.spread_labels(labels, 2, DIGITS)
    with pytest.raises(ValueError, match="not conditional"):
        generator.spread_labels([1], 2, ())


def test_no_bar_where_nobody_watches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    tiny_game().play(3)
    assert capsys.readouterr() == ("", "")
