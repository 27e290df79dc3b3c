"""Other people's parts in a game: schedulers, optimizers, networks that draw, that look across samples or are frozen,
callbacks that fail. Whatever they do is either right or an error; nothing of theirs is undone in silence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib import (
    Batch,
    Game,
    NonFiniteLoss,
    Player,
    checkpoint,
    compute,
    games,
    history,
    load,
    nets,
    penalties,
    schedule,
)
from ganlib.data import source
from ganlib.engine import _parts

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data, tiny_game


class Noisy(nn.Module):
    """z -> points, with noise of its own, as StyleGAN's generator has it."""

    latent = 3

    def __init__(self) -> None:
        super().__init__()
        self.net, self.strength = nn.Linear(3, 2), nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        h = self.net(z)
        return h + self.strength * torch.randn_like(h)


class Spread(nn.Module):
    """Points -> logits that see how far the whole batch is spread."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.rows: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        return self.net(torch.cat([x, x.std(0, keepdim=True).expand_as(x)], 1)).squeeze(1)


def own_game(optimizer: type = torch.optim.Adam, generator: type = TinyGenerator, **player: object) -> Game:
    torch.manual_seed(0)
    g, d = generator(), TinyDiscriminator()
    softplus = nn.functional.softplus
    players = {
        "discriminator": Player(
            d,
            lambda b: softplus(-d(b.real)).mean() + softplus(d(g(b.z))).mean(),
            optimizer(d.parameters(), 1e-2),
        ),
        "generator": Player(g, lambda b: softplus(-d(g(b.z))).mean(), optimizer(g.parameters(), 1e-2), **player),
    }
    return Game(players, tiny_data(), batch=16)


def rates(game: Game, steps: int) -> list[float]:
    seen: list[float] = []
    game.play(
        steps, progress=False, watch=lambda g: seen.append(g.players["generator"].optimizer.param_groups[0]["lr"])
    )
    return seen


# ---- rates and optimizers ------------------------------------------------------------------------------------------


def test_a_scheduler_stepped_by_its_owner_is_not_undone():
    game = own_game()
    scheduler = torch.optim.lr_scheduler.StepLR(game.players["generator"].optimizer, 1, gamma=0.1)
    seen = []
    game.play(4, progress=False, watch=lambda g: (seen.append(scheduler.get_last_lr()[0]), scheduler.step())[1])
    assert seen == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5])
    assert game.players["generator"].optimizer.param_groups[0]["lr"] == pytest.approx(1e-6)


def test_rates_set_by_hand_and_a_swapped_optimizer_stay():
    game = own_game()
    game.players["generator"].optimizer.param_groups[0]["lr"] = 0.5
    assert rates(game, 2) == [0.5, 0.5]
    player = game.players["generator"]
    player.optimizer = torch.optim.RMSprop(player.net.parameters(), lr=5e-5)
    assert rates(game, 1) == [5e-5]
    assert game.settings["players"]["generator"]["optimizer"]["class"] == "RMSprop"


def warm_up(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [3])


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad])
def test_a_players_scheduler_steps_each_round_and_is_resumed(tmp_path: Path, optimizer: type):
    def game() -> Game:
        made = own_game(optimizer, clip=0.5)
        for player in made.players.values():
            player.scheduler = warm_up(player.optimizer)
        return made

    whole, half, other = game(), game(), game()
    seen = rates(whole, 10)
    assert seen[0] < seen[2] and seen[3] > seen[9] and len(set(seen)) > 5
    half.play(4, progress=False, save=tmp_path)
    assert rates(other.resume(tmp_path), 6) == seen[4:]
    assert same(everything(whole), everything(other))


def test_annealing_and_another_hand_on_the_rates_are_refused():
    game = own_game()
    with pytest.raises(ValueError, match="anneal=10 and a scheduler of player 'generator' would both set rates"):
        game.players["generator"].scheduler = warm_up(game.players["generator"].optimizer)
        Game(game.players, tiny_data(), anneal=10)
    game = tiny_game(anneal=10)
    with pytest.raises(
        ValueError, match="player 'generator': its learning rate is 0.5, which something else than anneal"
    ):
        game.play(3, progress=False, watch=lambda g: g.players["generator"].optimizer.param_groups[0].update(lr=0.5))
    with pytest.raises(ValueError, match="scheduler must be one of this player's optimizer"):
        own_game(scheduler=warm_up(torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)))


def test_a_run_goes_on_at_another_rate_with_a_word(tmp_path: Path):
    own_game().play(2, progress=False, save=tmp_path)
    game = own_game().resume(tmp_path, lr={"generator": 0.125})
    assert rates(game, 1) == [0.125] and game.players["discriminator"].optimizer.param_groups[0]["lr"] == 1e-2
    game.save(tmp_path)
    assert rates(own_game().resume(tmp_path), 1) == [0.125]
    annealed = tiny_game(anneal=10)
    annealed.play(5, progress=False, save=tmp_path / "a")
    assert rates(tiny_game(anneal=10).resume(tmp_path / "a", lr=1.0), 1) == pytest.approx([0.02 + 0.98 / 2])
    with pytest.raises(ValueError, match="lr names no player 'critic'; the players are: discriminator, generator"):
        own_game().resume(tmp_path, lr={"critic": 0.1})


def test_games_take_any_optimizer():
    game = tiny_game(optimizer=torch.optim.RMSprop, lr=5e-5)
    assert type(game.players["discriminator"].optimizer) is torch.optim.RMSprop
    assert rates(game, 2) == [5e-5, 5e-5]


def test_long_gradients_are_clipped():
    norms = []
    game = own_game(torch.optim.SGD, clip=1e-3)

    def note(net: nn.Module) -> None:
        norms.append(torch.cat([w.grad.flatten() for w in net.parameters()]).norm().item())  # type: ignore[union-attr]

    game.players["generator"].after = note
    game.play(3, progress=False)
    assert norms == pytest.approx([1e-3] * 3, rel=1e-3)
    with pytest.raises(ValueError, match="clip must be above 0, got 0"):
        own_game(clip=0.0)


def test_accumulated_parts_have_the_gradient_of_the_whole():
    def game(parts: int) -> Game:
        torch.manual_seed(0)
        g = nn.Linear(3, 2)
        player = Player(g, lambda b: g(b.z).square().mean(), torch.optim.SGD(g.parameters(), 0.1), accumulate=parts)
        return Game({"generator": player}, tiny_data(), latent=3, batch=16, averaging=None)

    one, four = game(1), game(4)
    one.play(3, progress=False)
    four.play(3, progress=False)
    assert all(
        torch.allclose(a, b, atol=1e-6)
        for a, b in zip(everything(one).values(), everything(four).values(), strict=True)
    )
    assert one.history["generator"] == pytest.approx(four.history["generator"], rel=1e-5)
    assert [len(part.real) for part in _parts(one.draw("generator"), 4)] == [4] * 4
    with pytest.raises(ValueError, match="batch must be a multiple of accumulate=3 of 'generator', got 16"):
        game(3)


def test_an_average_by_its_half_life():
    assert schedule.decay(640, 64) ** 10 == pytest.approx(0.5)
    with pytest.raises(ValueError, match="half_life and batch must be above 0"):
        schedule.decay(0, 64)


# ---- networks that draw, and that look across samples --------------------------------------------------------------


def test_a_network_that_draws_gives_the_same_numbers_for_the_same_seed(tmp_path: Path):
    whole, half = own_game(generator=Noisy), own_game(generator=Noisy)
    whole.play(6, progress=False)
    torch.manual_seed(77)
    half.play(3, progress=False, watch=lambda g: (g.sample(5), torch.rand(3))[:0] or None, save=tmp_path)
    other = own_game(generator=Noisy)
    torch.rand(5)
    other.resume(tmp_path).play(3, progress=False)
    for key, value in everything(whole).items():  # made with one seed, whatever was drawn between
        assert torch.equal(value, everything(other)[key]), key
    assert torch.equal(whole.sample(9, seed=3), whole.sample(9, seed=3))
    assert not torch.equal(whole.sample(9, seed=3), whole.sample(9, seed=4))


def test_sampling_leaves_torchs_generator_alone():
    game, state = tiny_game(), torch.get_rng_state()
    game.sample(3)
    assert torch.equal(state, torch.get_rng_state())


def test_a_strangers_discriminator_judges_reals_and_fakes_apart_unless_it_says_otherwise():
    judge = Spread()
    game = games.gan(TinyGenerator(), judge, tiny_data(), batch=16)
    judge.rows.clear()
    game.play(1, progress=False)
    assert judge.rows == [16, 16, 16]
    judge.mixes_samples = False  # type: ignore[assignment]
    game = games.gan(TinyGenerator(), judge, tiny_data(), batch=16)
    judge.rows.clear()
    game.play(1, progress=False)
    assert judge.rows == [32, 16]


def test_r1_and_r2_cost_no_further_forward_pass():
    calls: list[int] = []
    game = games.gan(nets.MLPGenerator(), nets.MLPDiscriminator(), tiny_data(), batch=16, penalty="r1_r2")
    game.discriminator.register_forward_pre_hook(lambda net, given: calls.append(len(given[0])))
    game.players["discriminator"].loss(game.draw("discriminator"))
    assert calls == [16, 16]


@pytest.mark.parametrize("name", ["r1", "r2", "r1_r2", "lecam", "gradient_penalty", "dragan"])
def test_a_penalty_in_a_game_is_the_penalty_by_itself(name: str):
    game = games.gan(nets.MLPGenerator(), nets.MLPDiscriminator(), tiny_data(), batch=16, penalty=name)
    batch = game.draw("discriminator")
    with torch.no_grad():
        fake = game.generator(batch.z)
    expected = penalties.PENALTIES[name]().function(game.discriminator, batch.real, fake, batch.rng)
    terms = game.players["discriminator"].loss(game.draw("discriminator"))
    assert isinstance(terms, dict) and terms[name].item() == pytest.approx(expected.item(), rel=1e-5)


# ---- frozen parts --------------------------------------------------------------------------------------------------


def test_a_layer_frozen_between_two_plays_stays_and_is_frozen_after_a_resume(tmp_path: Path):
    game = own_game()
    game.play(2, progress=False)
    layer = game.discriminator.net[0]  # type: ignore[index]
    layer.requires_grad_(False)
    before = layer.weight.clone()
    game.play(2, progress=False, save=tmp_path)
    assert torch.equal(layer.weight, before)
    other = own_game().resume(tmp_path)
    assert not other.discriminator.net[0].weight.requires_grad  # type: ignore[index]
    other.play(2, progress=False)
    game.play(2, progress=False)
    assert same(everything(game), everything(other))
    game.discriminator.requires_grad_(False)
    with pytest.raises(ValueError, match="player 'discriminator' has nothing to move: all parameters .* are frozen"):
        game.play(1, progress=False)


def test_a_frozen_backbone_in_evaluation_mode_keeps_its_statistics():
    backbone = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)).eval().requires_grad_(False)
    judge = nn.Sequential(backbone, nn.Linear(4, 1), nn.Flatten(0))
    game = games.gan(TinyGenerator(), judge, tiny_data(), batch=16)
    judge.eval()  # somebody looked at it in between
    game.play(3, progress=False)
    game.sample(3)
    assert backbone[1].running_mean.abs().max() == 0 and not backbone.training and judge.training


# ---- lazy and annealed penalties -----------------------------------------------------------------------------------


def test_a_lazy_penalty_counts_updates_not_rounds():
    calls: list[int] = []

    def function(d: object, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
        calls.append(1)
        return real.sum() * 0

    game = tiny_game(turns=5, penalty=penalties.Penalty("own", function, every=4))
    made = []
    game.play(4, progress=False, watch=lambda g: made.append(len(calls)))
    assert made == [2, 3, 4, 5]  # updates 0, 4 | 8 | 12 | 16


def test_only_zero_centred_penalties_fade_with_the_schedule():
    game = tiny_game(anneal=10)
    batch = game.draw("discriminator")
    late = Batch(**{**vars(batch), "progress": 1.0})
    for name, fades in (("r1", True), ("r1_r2", True), ("gradient_penalty", False), ("lecam", False)):
        judged = games.gan(TinyGenerator(), TinyDiscriminator(), tiny_data(), batch=16, penalty=name, anneal=10)
        terms = judged.players["discriminator"].loss(late)
        assert isinstance(terms, dict) and (terms[name].item() == 0) is fades, name


# ---- what goes wrong while it plays --------------------------------------------------------------------------------


def test_an_error_in_watch_loses_nothing(tmp_path: Path):
    def watch(game: Game) -> None:
        if game.step == 3:
            raise RuntimeError("a full disk, say")

    game = own_game()
    with pytest.raises(RuntimeError, match="a full disk"):
        game.play(10, progress=False, watch=watch, save=tmp_path)
    assert own_game().resume(tmp_path).step == 3


def test_stop_ends_the_play_after_the_round(tmp_path: Path):
    game = own_game()
    game.play(10, progress=False, watch=lambda g: g.stop() if g.step == 4 else None, save=tmp_path)
    assert game.step == 4 and own_game().resume(tmp_path).step == 4
    game.play(2, progress=False)
    assert game.step == 6


def test_after_a_loss_without_a_number_no_turn_is_played_twice(tmp_path: Path):
    def poisoned() -> Game:
        game = tiny_game(turns=2)
        inner = game.players["generator"].loss
        game.players["generator"].loss = lambda b: inner(b) * (math.nan if b.step == 2 and bad else 1.0)  # type: ignore[operator]
        return game

    bad, game = True, poisoned()
    with pytest.raises(NonFiniteLoss, match="step 2, player 'generator'"):
        game.play(5, progress=False, save=tmp_path)
    bad = False
    other, whole = poisoned().resume(tmp_path), tiny_game(turns=2)
    for each in (game, other):
        each.play(3, progress=False)
    whole.play(5, progress=False)
    assert same(everything(game), everything(whole)) and same(everything(other), everything(whole))
    assert game.history.losses == whole.history.losses == other.history.losses


def test_an_error_in_a_loss_leaves_the_turn_to_be_played(tmp_path: Path):
    game, whole, failing = own_game(), own_game(), [True]
    loss = game.players["generator"].loss

    def fails_once(batch: Batch) -> Tensor:
        if batch.step == 2 and failing:
            failing.clear()
            game.generator(batch.z)  # moves the statistics of BatchNorm
            raise RuntimeError("out of memory, say")
        return loss(batch)  # type: ignore[return-value]

    game.players["generator"].loss = fails_once
    with pytest.raises(RuntimeError, match="out of memory"):
        game.play(5, progress=False, save=tmp_path)
    other = own_game().resume(tmp_path)
    whole.play(5, progress=False)
    for each in (game, other):
        each.play(3, progress=False)
        assert same(everything(each), everything(whole)) and each.history.losses == whole.history.losses


@pytest.mark.parametrize("where", ["after", "step"])
@pytest.mark.parametrize("round_", [0, 2])  # before the optimizer remembers anything, and later
def test_an_error_in_the_middle_of_a_turn_leaves_the_turn_to_be_played(tmp_path: Path, where: str, round_: int):
    game, whole, failing = own_game(), own_game(), [True]
    player = game.players["discriminator"]

    def fails_once(*_: object) -> None:
        if game.step == round_ and failing:
            failing.clear()
            with torch.no_grad():
                next(player.net.parameters()).zero_()
            raise RuntimeError("a stranger's")

    if where == "after":
        player.after = fails_once
    else:
        player.optimizer.register_step_post_hook(fails_once)
    with pytest.raises(RuntimeError, match="a stranger's"):
        game.play(5, progress=False, save=tmp_path)
    game.save(tmp_path, "by_hand")
    last, by_hand = own_game().resume(tmp_path), own_game().resume(tmp_path, "by_hand")
    whole.play(5, progress=False)
    for each in (game, last, by_hand):
        each.play(5 - each.step, progress=False)
        assert same(everything(each), everything(whole)) and each.history.losses == whole.history.losses


def test_in_fp16_play_goes_on_after_a_loss_without_a_number():
    game, failing = tiny_game(precision="fp16"), [True]
    loss = game.players["generator"].loss
    game.players["generator"].loss = lambda b: (
        loss(b) * (math.nan if b.step == 1 and failing and failing.pop() else 1.0)
    )  # type: ignore[operator]
    with pytest.raises(NonFiniteLoss):
        game.play(3, progress=False)
    game.play(2, progress=False)
    whole = tiny_game(precision="fp16")
    whole.play(3, progress=False)
    assert same(everything(game), everything(whole))


def test_columns_of_the_history_stand_in_the_order_of_the_losses(tmp_path: Path):
    game = own_game()
    loss = game.players["discriminator"].loss
    game.players["discriminator"].loss = lambda b: {"loss": loss(b), "zeta": loss(b), "alpha": loss(b), "mu": loss(b)}
    game.play(2, progress=False)
    terms = ["discriminator", "generator", "discriminator.zeta", "discriminator.alpha", "discriminator.mu"]
    assert list(game.history.losses) == terms
    game.save(tmp_path)
    assert list(own_game().resume(tmp_path).history.losses) == terms


def test_a_batch_may_be_larger_than_the_data():
    few = tiny_data()[:5]
    game = games.gan(TinyGenerator(), TinyDiscriminator(), few, batch=16)
    game.play(2, progress=False)
    assert len(game.draw("generator").real) == 16


def test_a_sigmoid_under_a_loss_of_logits_is_warned_of():
    judge = nn.Sequential(TinyDiscriminator(), nn.Sigmoid())
    with pytest.warns(UserWarning, match="ends in a Sigmoid, and loss non_saturating takes logits"):
        games.gan(TinyGenerator(), judge, tiny_data(), batch=16)


# ---- elsewhere -----------------------------------------------------------------------------------------------------


def test_a_run_goes_on_elsewhere_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tiny_game().play(2, progress=False, save=tmp_path)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    with pytest.raises(
        checkpoint.CheckpointError, match=r"was made elsewhere: threads was \d+, now 77. .*elsewhere=True"
    ):
        tiny_game().resume(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="other settings: batch was 16, now 8"):
        tiny_game(batch=8).resume(tmp_path, elsewhere=True)
    with pytest.warns(
        UserWarning, match="going on elsewhere, not exactly: threads was .*, precision was 'fp32', now 'bf16'"
    ):
        game = tiny_game(precision="bf16").resume(tmp_path, elsewhere=True)
    game.play(1, progress=False)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_strangers_networks_get_the_games_precision(precision: str, tmp_path: Path):
    seen: set[torch.dtype] = set()

    class Watched(TinyDiscriminator):
        def forward(self, x: Tensor) -> Tensor:
            hidden = self.net[0](x)
            seen.add(hidden.dtype)
            return self.net[2](self.net[1](hidden)).squeeze(1)

    def game() -> Game:
        torch.manual_seed(0)
        g, judge = TinyGenerator(), Watched()
        logits: list[torch.dtype] = []

        def d_loss(b: Batch) -> Tensor:
            real, fake = judge(b.real), judge(g(b.z).detach())
            logits.append(real.dtype)
            assert set(logits) == {torch.float32}
            return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()

        players = {
            "discriminator": Player(judge, d_loss, torch.optim.Adam(judge.parameters(), 1e-3)),
            "generator": Player(
                g, lambda b: nn.functional.softplus(-judge(g(b.z))).mean(), torch.optim.Adam(g.parameters(), 1e-3)
            ),
        }
        return Game(players, tiny_data(), batch=16, precision=precision)

    whole, half = game(), game()
    whole.play(4, progress=False)
    assert seen == {compute._FORMATS[precision]}
    half.play(2, progress=False, save=tmp_path)
    other = game().resume(tmp_path)
    other.play(2, progress=False)
    assert same(everything(whole), everything(other))
    assert (precision == "fp16") == bool(whole.scalers)
    plain = games.gan(TinyGenerator(), TinyDiscriminator(), tiny_data(), batch=16, penalty="r1", precision=precision)
    plain.play(2, progress=False)
    assert all(v.isfinite().all() for v in everything(plain).values())


def test_in_fp16_a_step_that_overflows_is_left_out_and_the_next_is_scaled_by_less():
    game = tiny_game(precision="fp16")
    game.play(1, progress=False)
    scale = game.scalers["generator"]._scale
    assert scale is not None
    scale.fill_(1e38)  # too large for any gradient
    before = everything(game)
    game.play(1, progress=False)
    after = everything(game)
    assert all(torch.equal(v, after[k]) for k, v in before.items() if k.startswith("generator") and "weight" in k)
    assert not torch.equal(before["discriminator.net.0.weight"], after["discriminator.net.0.weight"])
    assert game.scalers["generator"].get_scale() == pytest.approx(5e37)


# ---- the generator by itself ---------------------------------------------------------------------------------------


def test_a_generator_of_ones_own_is_loaded_with_the_network_given(tmp_path: Path):
    game = own_game(generator=Noisy)
    game.play(3, progress=False, save=tmp_path)
    with pytest.raises(
        ValueError, match="net in .* is not of ganlib.nets: make it as for the run, and give it as net="
    ):
        load(tmp_path)
    assert torch.equal(load(tmp_path, net=Noisy()).sample(5, seed=2), game.sample(5, seed=2))
    assert torch.equal(load(tmp_path, net=Noisy(), averaged=False).sample(5), game.sample(5, averaged=False))
    with pytest.raises(checkpoint.CheckpointError, match="which this net"):
        load(tmp_path, net=TinyGenerator())


def test_a_generator_of_this_library_is_loaded_without_game_or_data(tmp_path: Path):
    torch.manual_seed(0)
    images = torch.rand(40, 1, 16, 16) * 2 - 1
    pair = nets.ShuffleGenerator(16, latent=4, width=4), nets.ShuffleDiscriminator(16, width=4)
    game = games.gan(*pair, images, batch=8)
    game.play(2, progress=False, save=tmp_path)
    made = load(tmp_path)
    assert torch.equal(made.sample(3, seed=1), game.sample(3, seed=1))
    path = made.save(tmp_path / "alone")
    assert path.stat().st_size < (tmp_path / "last.safetensors").stat().st_size / 2
    assert torch.equal(load(path).sample(3, seed=1), made.sample(3, seed=1))
    with pytest.raises(checkpoint.CheckpointError, match="is a generator alone, no game"):
        game.resume(tmp_path, "alone")


def test_the_history_as_csv_grows(tmp_path: Path):
    game = tiny_game(penalty=penalties.r1(0.1, every=2))
    game.play(3, progress=False)
    game.history.write_csv(tmp_path / "h.csv")
    game.play(2, progress=False)
    game.history.write_csv(tmp_path / "h.csv", after=3)
    lines = (tmp_path / "h.csv").read_text(encoding="utf8").splitlines()
    assert lines[0] == "step,discriminator,generator,discriminator.r1"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4", "5"]
    assert float(lines[2].split(",")[3]) == 0 and float(lines[3].split(",")[1]) == pytest.approx(
        game.history["discriminator"][2], rel=1e-5
    )


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="tensorboard is not installed: pip install tensorboard"):
        history.tensorboard(tmp_path)


# ---- what others of a stranger's parts do ---------------------------------------------------------------------------


def test_a_rate_that_a_scheduler_would_undo_is_refused(tmp_path: Path):
    def game() -> Game:
        made = own_game()
        made.players["generator"].scheduler = warm_up(made.players["generator"].optimizer)
        return made

    game().play(2, progress=False, save=tmp_path)
    with pytest.raises(ValueError, match="lr=0.1 of player 'generator' would be undone by its scheduler"):
        game().resume(tmp_path, lr=0.1)
    game().resume(tmp_path, lr={"discriminator": 0.1})


def test_a_scheduler_that_ends_leaves_a_whole_round():
    game = own_game()
    optimizer = game.players["generator"].optimizer
    game.players["generator"].scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=3)
    with pytest.raises(RuntimeError, match="step 4, player 'generator': its scheduler failed: Tried to step 4"):
        game.play(9, progress=False)
    assert game.step == 4 == len(game.history) and not game.unfinished
    before = everything(game)
    game.players["generator"].scheduler = None
    game.play(1, progress=False)
    assert game.step == 5 and not same(before, everything(game))


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_round_that_broke_before_reused_fakes_were_used_goes_on_exactly(tmp_path: Path, where: str, turns: int):
    def noisy(x: Tensor, rng: torch.Generator) -> Tensor:
        return x + 0.1 * torch.randn(x.shape, generator=rng)

    def game() -> Game:
        return tiny_game(reuse=True, turns=turns, augment=noisy, penalty=penalties.r1_r2(0.1))

    whole, broken = game(), game()
    whole.play(5, progress=False)
    player = broken.players["generator"]
    loss = player.loss

    def breaking(batch: Batch) -> Any:
        found = loss(batch)
        if broken.step == 2:
            raise ConnectionError("another process is gone")
        return found

    player.loss = breaking
    with pytest.raises(ConnectionError):
        broken.play(5, progress=False, save=tmp_path)
    assert broken.step == 2 and broken.unfinished["turns"] == turns  # D has moved, G has not
    player.loss = loss
    if where == "elsewhere":
        broken = game()
        broken.resume(tmp_path)
    broken.play(3, progress=False)
    assert same(everything(whole), everything(broken))


def test_a_loss_may_look_at_the_game_that_it_is_part_of():
    net, x = nn.Linear(2, 1), torch.ones(8, 2)

    def loss(batch: Batch) -> Tensor:
        return net(batch.real).square().mean() / (1 + game.step)

    game = Game({"generator": Player(net, loss, torch.optim.SGD(net.parameters(), 0.1))}, x, batch=4, latent=2)
    game.play(2, progress=False)
    assert game.step == 2


def test_evaluation_mode_is_kept_with_the_run(tmp_path: Path):
    def game() -> Game:
        torch.manual_seed(0)
        backbone = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
        return games.gan(
            TinyGenerator(), nn.Sequential(backbone, nn.Linear(4, 1), nn.Flatten(0)), tiny_data(), batch=16
        )

    whole = game()
    whole.play(2, progress=False)
    whole.discriminator[0].requires_grad_(False).eval()  # type: ignore[index]
    whole.play(2, progress=False, save=tmp_path)
    other = game().resume(tmp_path)
    for each in (whole, other):
        each.play(2, progress=False)
    assert same(everything(whole), everything(other))


def test_a_watch_that_leaves_a_network_at_rest_does_not_change_the_training():
    looked, plain = own_game(generator=Dropping), own_game(generator=Dropping)
    looked.play(4, progress=False, watch=lambda g: g.generator.eval() and None)
    plain.play(4, progress=False)
    assert same(everything(looked), everything(plain))


class Dropping(TinyGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.net.insert(3, nn.Dropout(0.5))


def test_a_best_that_is_not_watched_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="best='fid' is not what watch returned, which is: frechet"):
        own_game().play(2, progress=False, watch=lambda g: {"frechet": 1.0}, best="fid", save=tmp_path)


def test_what_no_play_could_use_is_refused_when_it_is_made():
    net = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="LBFGS calls the loss itself"):
        Player(net, lambda b: b.real.sum(), torch.optim.LBFGS(net.parameters()))
    sgd = torch.optim.SGD(net.parameters(), 0.1)
    with pytest.raises(ValueError, match="step ReduceLROnPlateau in a watch"):
        Player(net, lambda b: b.real.sum(), sgd, scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau(sgd))


def test_a_loss_of_somebody_elses_parameters_and_an_optimizer_of_few_are_seen():
    game = own_game()
    game.players["discriminator"].loss = lambda b: game.generator(b.z).mean()
    with pytest.raises(
        ValueError, match="player 'discriminator': its loss does not depend on any parameter that it moves"
    ):
        game.play(1, progress=False)
    g = TinyGenerator()
    player = Player(g, lambda b: g(b.z).mean(), torch.optim.SGD(g.net[0].parameters(), 0.1))
    with pytest.warns(UserWarning, match="4 of the 6 parameters that its net could learn are not its optimizer's"):
        Game({"generator": player}, tiny_data())


def test_latents_have_the_type_of_the_networks():
    g = nn.Linear(3, 2).double()
    player = Player(g, lambda b: (g(b.z) - b.real).square().mean(), torch.optim.SGD(g.parameters(), 0.1))
    game = Game({"generator": player}, tiny_data().double(), latent=3, batch=16)
    game.play(1, progress=False)
    assert game.draw("generator").z.dtype == torch.float64


def test_data_in_an_order_of_their_own_are_said_when_a_run_goes_on(tmp_path: Path):
    def game() -> Game:
        torch.manual_seed(0)
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(tiny_data()), batch_size=8)
        return games.gan(TinyGenerator(), TinyDiscriminator(), loader, batch=16)

    game().play(1, progress=False, save=tmp_path)
    with pytest.warns(UserWarning, match="draw in an order of their own: going on is not exact"):
        game().resume(tmp_path)


# ---- classes without names -------------------------------------------------------------------------------------------


class Labelled(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Points that are found one by one, with a label each."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return tiny_data()[i] + torch.rand(2), i % 3


class Draws:
    """A source of one's own, with labels."""

    name = "own"

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.rand(n, 2, generator=rng), torch.randint(3, (n,), generator=rng)


Y = torch.arange(100) % 3


@pytest.mark.parametrize(
    "data",
    [
        (tiny_data(), Y),
        (tiny_data().numpy(), Y.numpy()),
        torch.utils.data.TensorDataset(tiny_data(), Y),
        torch.utils.data.Subset(torch.utils.data.TensorDataset(tiny_data(), Y), range(50)),
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(tiny_data(), Y), batch_size=10),
        Labelled(),
        [(x, int(y)) for x, y in zip(tiny_data(), Y, strict=True)],
    ],
    ids=["tensors", "arrays", "TensorDataset", "Subset", "DataLoader", "Dataset", "list"],
)
def test_labelled_data_whose_classes_have_no_names_are_labelled(data: Any):
    state = torch.get_rng_state()
    assert source(data).count_classes() == 3
    assert torch.equal(torch.get_rng_state(), state) or isinstance(data, torch.utils.data.DataLoader)
    pair = nets.MLPGenerator(latent=2, width=8, classes=3), nets.MLPDiscriminator(width=8, classes=3)
    game = games.conditional_gan(*pair, data, batch=16)
    game.play(1, progress=False)
    assert game.snapshot().classes == ("0", "1", "2") and game.sample(4, labels="2").shape == (4, 2)
    heads = nets.TwoHeaded(nets.MLPDiscriminator(width=8), 3)
    games.ac_gan(nets.MLPGenerator(latent=2, width=8, classes=3), heads, data, batch=16).play(1, progress=False)


def test_labels_that_do_not_count_classes_are_refused_where_classes_are_asked_for():
    pair = nets.MLPGenerator(latent=2, width=8, classes=3), nets.MLPDiscriminator(width=8, classes=3)
    for data in ((tiny_data(), Y + 1), torch.utils.data.TensorDataset(tiny_data(), Y + 1)):
        with pytest.raises(ValueError, match="must count the classes from 0 without gaps, got 1, 2, 3: renumber them"):
            games.conditional_gan(*pair, data, batch=16)
        games.gan(TinyGenerator(), TinyDiscriminator(), data, batch=16).play(1, progress=False)
    with pytest.raises(ValueError, match="data own have labels, but nobody says of how many classes: give them an"):
        games.conditional_gan(*pair, Draws(), batch=16)
    named = Draws()
    named.classes = ("a", "b", "c")  # type: ignore[attr-defined]
    assert games.conditional_gan(*pair, named, batch=16).snapshot().classes == ("a", "b", "c")
    with pytest.raises(ValueError, match="data have no labels"):
        games.conditional_gan(*pair, torch.utils.data.TensorDataset(tiny_data()), batch=16)


# ---- what no argument of a game says -------------------------------------------------------------------------------


class Weighted(nn.Module):
    """A loss with a hyperparameter; it counts its calls."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight, self.calls = weight, 0

    def forward(self, logits: Tensor) -> Tensor:
        self.calls += 1
        return self.weight * nn.functional.softplus(-logits).mean()


def hiding(
    p: float = 0.5, t_max: int = 9, decay: float = 0.1, weight: float = 1.0, scale: float = 1.0, layer: type = nn.ReLU
) -> Game:
    """A game whose settings lie within its parts: a Dropout, a scheduler, the second group of an optimizer, a loss."""
    torch.manual_seed(0)
    g, d, rule = TinyGenerator(), TinyDiscriminator(), Weighted(weight)
    g.net[2] = layer()
    d.net.insert(2, nn.Dropout(p))
    groups = [{"params": [*d.net[0].parameters()]}, {"params": [*d.net[3].parameters()], "weight_decay": decay}]
    judge = torch.optim.AdamW(groups, 1e-2)
    players = {
        "discriminator": Player(d, lambda b: scale * (rule(d(b.real)) + rule(-d(g(b.z)))), judge),
        "generator": Player(g, lambda b: rule(d(g(b.z))), torch.optim.Adam(g.parameters(), 1e-2)),
    }
    players["discriminator"].scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(judge, t_max)
    return Game(players, tiny_data(), batch=16)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"p": 0.25}, r"discriminator\.net\.net\.2\.p was 0\.5, now 0\.25"),
        ({"t_max": 8}, r"discriminator\.scheduler\.T_max was 9, now 8"),
        ({"decay": 0.2}, r"players\.discriminator\.optimizer\.groups was .*0\.1.*, now .*0\.2"),
        ({"weight": 2.0}, r"discriminator\.loss\.rule\.weight was 1\.0, now 2\.0"),
        ({"scale": 2.0}, r"discriminator\.loss\.scale was 1\.0, now 2\.0"),
        ({"layer": nn.GELU}, r"generator\.net\.net\.2\.class was 'ReLU', now 'GELU'"),
    ],
    ids=["Dropout", "scheduler", "second group", "loss", "closure", "layer"],
)
def test_a_run_is_not_resumed_under_other_settings_within_its_parts(tmp_path: Path, other: dict[str, Any], words: str):
    hiding().play(3, progress=False, save=tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="was saved under other settings: " + words):
        hiding(**other).resume(tmp_path)


def test_what_moves_in_play_is_resumed_and_what_no_run_keeps_is_said(tmp_path: Path):
    whole, half = hiding(), hiding()
    whole.play(6, progress=False)
    half.play(3, progress=False, save=tmp_path)
    with pytest.warns(UserWarning, match=r"loss\.rule\.calls was 9, now 0: it changed .* and is not kept with a run"):
        other = hiding().resume(tmp_path)
    other.play(3, progress=False, save=tmp_path)
    assert same(everything(whole), everything(other))
    with pytest.warns(UserWarning, match=r"rule\.calls was 9, now 18"):  # of a game that has played
        whole.resume(tmp_path, "last").play(1, progress=False)


def test_a_checkpoint_that_says_nothing_of_parts_is_resumed(tmp_path: Path):
    hiding().play(2, progress=False, save=tmp_path)
    facts, tensors = checkpoint.load(tmp_path / "last.safetensors")
    for key in ("hidden", "moved"):
        del facts[key]
    del facts["settings"]["players"]["discriminator"]["optimizer"]["groups"]
    checkpoint.write(tmp_path / "last.safetensors", tensors, facts)
    assert hiding(p=0.3).resume(tmp_path).step == 2


# ---- networks that change while they are played --------------------------------------------------------------------


class Counting(TinyGenerator):
    """Counts its calls in a buffer: in place, or in a new tensor each time."""

    def __init__(self, in_place: bool, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()), persistent=persistent)
        self.net.in_place = in_place

    def forward(self, z: Tensor) -> Tensor:
        if self.net.in_place:
            self.count += 1
        else:
            self.count = self.count + 1
        return super().forward(z)


def test_buffers_follow_into_the_average_or_are_refused():
    game = own_game(generator=lambda: Counting(True))  # type: ignore[arg-type]
    game.play(3, progress=False)
    assert game.average is not None and game.average.count == game.generator.count == 6
    with pytest.raises(ValueError, match="'generator': its buffer 'count' is another tensor after a round: change it"):
        own_game(generator=lambda: Counting(False)).play(3, progress=False)  # type: ignore[arg-type]


def test_a_buffer_that_no_state_holds_is_said_to_be_lost(tmp_path: Path):
    own_game(generator=lambda: Counting(True, False)).play(3, progress=False, save=tmp_path)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="generator.net.count was 6.0, now 0.0: it changed while the game was played"):
        own_game(generator=lambda: Counting(True, False)).resume(tmp_path)  # type: ignore[arg-type]


def test_layers_exchanged_between_two_plays_are_not_left_behind_in_silence():
    for exchange in (
        lambda net: net.net.__setitem__(0, nn.Linear(3, 8)),
        lambda net: net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True),
    ):
        game = own_game()
        game.play(1, progress=False)
        exchange(game.generator)
        with pytest.raises(ValueError, match="'generator': . of the 6 parameters of its optimizer are not its net's"):
            game.play(1, progress=False)


def test_a_loss_that_leaves_a_network_at_rest_does_not_change_the_next_turn():
    game, seen = own_game(), []
    fool, judge = game.players["generator"].loss, game.players["discriminator"].loss
    game.players["generator"].loss = lambda b: (game.discriminator.eval(), fool(b))[1]  # type: ignore[return-value]
    game.players["discriminator"].loss = lambda b: (seen.append(game.discriminator.training), judge(b))[1]  # type: ignore[return-value,func-returns-value]
    game.play(3, progress=False)
    assert seen == [True] * 3


def test_parameters_that_two_players_move_are_warned_of():
    g, d = TinyGenerator(), TinyDiscriminator()
    d.extra = g.net[0]
    players = {
        "discriminator": Player(d, lambda b: d(b.real).mean(), torch.optim.SGD(d.parameters(), 0.1)),
        "generator": Player(g, lambda b: -d(g(b.z)).mean(), torch.optim.SGD(g.parameters(), 0.1)),
    }
    with pytest.warns(UserWarning, match="players 'discriminator' and 'generator' both move 2 parameters that their"):
        Game(players, tiny_data(), batch=16)
