"""Stopping changes nothing: a resumed game equals one that never stopped, and a bad file is refused with the reason."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ganlib import Game, Player, checkpoint, games, nets, penalties
from ganlib.checkpoint import CheckpointError
from ganlib.engine import Batch

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data, tiny_game

OPTIONS = {"turns": 2, "penalty": penalties.r1(0.1, every=4), "anneal": 30, "loss": "rpgan"}


@pytest.mark.parametrize("stop", [1, 13, 29])
def test_resume_is_exact(tmp_path: Path, stop: int):
    whole, first, second = (tiny_game(**OPTIONS) for _ in range(3))
    whole.play(30, every=5, watch=lambda g: {"half": g.step / 2}, progress=False)
    first.play(stop, every=5, watch=lambda g: {"half": g.step / 2}, progress=False)
    first.save(tmp_path)
    torch.rand(7)  # torch's own generator has moved on: it must not matter
    second.resume(tmp_path)
    assert second.step == stop
    second.play(30 - stop, every=5, watch=lambda g: {"half": g.step / 2}, progress=False)
    assert same(everything(whole), everything(second))
    assert whole.history.losses == second.history.losses and whole.history.watched == second.history.watched
    assert torch.equal(whole.sample(9), second.sample(9))


def test_a_game_before_its_first_round_can_be_saved_and_resumed(tmp_path: Path):
    tiny_game().save(tmp_path)
    resumed = tiny_game(weights=5).resume(tmp_path)
    resumed.play(3, progress=False)
    reference = tiny_game()
    reference.play(3, progress=False)
    assert same(everything(resumed), everything(reference))


def test_sgd_with_momentum_resumes_too(tmp_path: Path):
    def game():
        made = tiny_game(averaging=None)
        for player in made.players.values():
            player.optimizer = torch.optim.SGD(player.net.parameters(), 0.01, momentum=0.9)
        return made

    whole, first = game(), game()
    whole.play(10, progress=False)
    first.play(4, progress=False)
    first.save(tmp_path)
    second = game().resume(tmp_path)
    second.play(6, progress=False)
    assert same(everything(whole), everything(second))


def test_weights_in_another_order_of_storage_resume_exactly(tmp_path: Path):
    """Fused Adam goes through storage, so its memory has to lie there as the weights do (channels last in Shuffle…)."""

    def game() -> Game:
        torch.manual_seed(0)
        images = torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
        return games.gan(nets.ShuffleGenerator(16, width=4), nets.ShuffleDiscriminator(16, width=4), images, batch=4)

    whole, first = game(), game()
    whole.play(4, progress=False)
    first.play(2, progress=False)
    first.save(tmp_path)
    second = game().resume(tmp_path)
    for player in second.players.values():
        for weight, memory in player.optimizer.state.items():
            assert memory["exp_avg"].stride() == memory["exp_avg_sq"].stride() == weight.stride()
    second.play(2, progress=False)
    assert same(everything(whole), everything(second)) and whole.history.losses == second.history.losses


class Pool(nn.Module):
    """The mean of all fakes seen, and their number: memory beside the networks."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))


def forgetful_game(weights: int = 0, drop: float = 0.5) -> Game:
    """Dropout in both networks, and a discriminator that remembers its fakes."""
    torch.manual_seed(weights)
    g, d, pool = TinyGenerator(), TinyDiscriminator(), Pool()
    g.net.insert(3, nn.Dropout(drop))
    d.net.insert(2, nn.Dropout(drop))

    def judge(b: Batch) -> torch.Tensor:
        fake = g(b.z).detach()
        pool.count += 1
        pool.mean.lerp_(fake.mean(0), 1 / pool.count)
        return d(fake + pool.mean).mean() - d(b.real).mean() + d(b.real).square().mean()

    players = {
        "discriminator": Player(d, judge, torch.optim.Adam(d.parameters(), 1e-3), turns=2),
        "generator": Player(g, lambda b: -d(g(b.z)).mean(), torch.optim.Adam(g.parameters(), 1e-3)),
    }
    return Game(players, tiny_data(), batch=16, memory={"pool": pool})


def test_dropout_and_further_memory_resume_exactly(tmp_path: Path):
    whole, first = forgetful_game(), forgetful_game()
    whole.play(9, progress=False)
    first.play(4, progress=False)
    first.save(tmp_path)
    second = forgetful_game(weights=7)
    torch.rand(7)  # torch's own generator, from which Dropout draws, has moved on
    second.resume(tmp_path).play(5, progress=False)
    assert same(everything(whole), everything(second)) and whole.history.losses == second.history.losses
    assert same(whole.memory["pool"].state_dict(), second.memory["pool"].state_dict())
    assert second.memory["pool"].count == 18


def test_dropout_draws_afresh_each_turn_and_leaves_torchs_generator_alone():
    game, draws = forgetful_game(), []
    for player in game.players.values():
        loss = player.loss
        player.loss = lambda b, loss=loss: draws.append(torch.rand(3)) or loss(b)  # type: ignore[func-returns-value]
    state = torch.get_rng_state()
    game.play(2, progress=False)
    assert torch.equal(state, torch.get_rng_state()) and len(draws) == 6
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"batch": 8}, "batch was 16, now 8"),
        ({"lr": 2e-3}, "optimizer.lr was .0.001., now .0.002."),
        ({"averaging": None}, "averaging was 0.995, now None"),
        ({"turns": 1}, "players.discriminator.turns was 2, now 1"),
        ({"loss": "hinge"}, "loss was 'rpgan', now 'hinge'"),
        ({"penalty": penalties.r1(0.2, every=4)}, "penalty was"),
        ({"anneal": None}, "anneal was 30, now None"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, options: dict[str, object], message: str):
    tiny_game(**OPTIONS).save(tmp_path)
    game = tiny_game(**{**OPTIONS, **options})
    before = everything(game)
    with pytest.raises(CheckpointError, match=f"other settings: .*{message}"):
        game.resume(tmp_path)
    assert same(before, everything(game)) and game.step == 0


def _truncate(raw: bytes) -> bytes:
    return raw[:-100]


def _flip(raw: bytes) -> bytes:
    return raw[:-50] + bytes([raw[-50] ^ 1]) + raw[-49:]


def _edit_header(raw: bytes) -> bytes:
    return raw.replace(b'\\"step\\": 2', b'\\"step\\": 3', 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "not a whole safetensors file"),
        (_flip, "digest does not match"),
        (_edit_header, "digest does not match"),
        (lambda raw: b"", "not a whole safetensors file"),
        (lambda raw: b"\x80\x04K\x01.", "not a whole safetensors file"),
        (lambda raw: struct.pack("<Q", 2**60) + b"{}", "not a whole safetensors file"),
        (lambda raw: b"PK\x03\x04" + raw, "not a whole safetensors file"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str):
    game = tiny_game()
    game.play(2, progress=False)
    path = game.save(tmp_path)
    raw = path.read_bytes()
    assert damage(raw) != raw
    path.write_bytes(damage(raw))
    other = tiny_game(weights=3)
    before = everything(other)
    with pytest.raises(CheckpointError, match=message):
        other.resume(tmp_path)
    assert same(before, everything(other))


def test_foreign_and_mismatched_files_are_refused(tmp_path: Path):
    game = tiny_game()
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*last.safetensors"):
        game.resume(tmp_path)
    save_file({"a": torch.zeros(2)}, tmp_path / "last.safetensors")
    with pytest.raises(CheckpointError, match="not a checkpoint of ganlib"):
        game.resume(tmp_path)
    (tmp_path / "last.safetensors").unlink()
    path = game.save(tmp_path)
    facts, tensors = checkpoint.load(path)

    def write(changed: dict[str, torch.Tensor], **more: object) -> None:
        checkpoint.write(path, changed, {**facts, **more})

    key = "net.generator.net.0.weight"
    write({**tensors, key: torch.zeros(9, 9)})
    with pytest.raises(CheckpointError, match=f"'{key}' is torch.float32 of shape .9, 9., in this game .* .8, 3."):
        game.resume(tmp_path)
    write({k: v for k, v in tensors.items() if k != key})
    with pytest.raises(CheckpointError, match=f"lacks '{key}'"):
        game.resume(tmp_path)
    write({**tensors, "net.extra": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="holds 'net.extra'"):
        game.resume(tmp_path)
    write({**tensors, "optimizer.generator.99.exp_avg": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="optimizer memory"):
        game.resume(tmp_path)
    write(tensors, format="ganlib checkpoint 99")
    with pytest.raises(CheckpointError, match="format 'ganlib checkpoint 99'"):
        game.resume(tmp_path)


def test_a_failed_write_keeps_the_last_checkpoint_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    game = tiny_game()
    path = game.save(tmp_path)
    good = path.read_bytes()
    game.play(1, progress=False)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        game.save(tmp_path)
    assert path.read_bytes() == good and [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


def test_an_unwritable_folder_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        tiny_game().save(tmp_path / "file")


def test_the_header_is_a_digest_and_plain_json_and_equal_games_write_equal_bytes(tmp_path: Path):
    game = tiny_game()
    game.play(2, progress=False)
    raw = game.save(tmp_path).read_bytes()
    assert all(game.save(tmp_path).read_bytes() == raw for _ in range(5))
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    digest, text = header["__metadata__"]["ganlib"].split(" ", 1)
    facts = json.loads(text)
    assert len(digest) == 64
    assert facts["step"] == 2 and facts["settings"]["game"] == "gan"
