"""The doctor: each way to break a game is called by its name, its healthy twin gives nothing, and what cannot be judged
is named."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganlib
from ganlib import Game, cli, data, doctor, games, losses, nets, penalties, toys

from .tiny import everything, same, tiny_game

ROUNDS = doctor.gauges.EARLY
DIGITS, HELD_OUT = (data.load("digits8", split) for split in ("train", "test"))
PIXELS, UNSEEN = ((d.floats.flatten(1), d.y) for d in (DIGITS, HELD_OUT))


def pair(dim: int, latent: int = 8, **options: Any) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    size = {"width": 24, "layers": 2, **options}
    return nets.MLPGenerator(latent=latent, out=dim, **size), nets.MLPDiscriminator(inputs=dim, **size)


def points(**options: Any) -> Game:
    """A grid of Gaussians in a line: 4 modes, far apart."""
    x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)) * 0.2
    x[:, 0] += torch.arange(2000) % 4 - 1.5
    return play_for(pair(2), x, **options)


def digits(**options: Any) -> Game:
    return play_for(pair(64), PIXELS[0], **options)


def classes(generator: nn.Module | None = None, labels: Tensor = PIXELS[1]) -> Game:
    G, D = pair(64, classes=10)
    return play_for((generator or G, D), (PIXELS[0], labels), make=games.conditional_gan)


class Images:
    """A source of one's own, with images in any range."""

    name = "images"

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.x[torch.randint(len(self.x), (n,), generator=rng)]


def images(x: Tensor = DIGITS.floats, **norm: Any) -> Game:
    torch.manual_seed(0)
    first = [nn.Linear(8, 128), nn.Unflatten(1, (32, 2, 2)), nn.ConvTranspose2d(32, 16, 4, 2, 1)]
    G = nn.Sequential(*first, nn.BatchNorm2d(16, **norm), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Tanh())
    G.latent = 8  # type: ignore[assignment]
    D = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0))
    return play_for((G, D), Images(x))


def play_for(nets_: tuple[nn.Module, nn.Module], source: Any, make: Any = games.gan, **options: Any) -> Game:
    usual = {"penalty": penalties.r1(0.1), "lr": 4e-3, "betas": (0.0, 0.99), "batch": 32, "averaging": 0.9}
    return make(*nets_, source, **usual | options)


def names(game: Game, held_out: Any = None, rounds: int = ROUNDS) -> list[str]:
    if rounds:
        game.play(rounds, progress=False)
    return list(dict.fromkeys(finding.name for finding in ganlib.diagnose(game, held_out)))


def turned(loss: str = "non_saturating", **sides: Any) -> losses.Loss:
    return dataclasses.replace(losses.get(loss), **sides)


class Wrapped(nn.Module):
    """A generator whose latents, labels or samples are changed."""

    def __init__(self, net: nn.Module, change: Callable[..., Any]) -> None:
        super().__init__()
        self.net, self.change, self.latent, self.classes = net, change, net.latent, net.classes

    def forward(self, *given: Tensor) -> Tensor:
        made: Tensor = self.change(self.net, *given)
        return made


HEALTHY: dict[str, Callable[[], tuple[Game, Any]]] = {
    "points": lambda: (points(), None),
    "ring": lambda: (play_for(pair(2, scale=0.7), toys.get("ring")), None),
    "digits": lambda: (digits(), UNSEEN[0]),
    "classes": lambda: (classes(), UNSEEN),
    "images": lambda: (images(), HELD_OUT.floats),
    **{name: lambda name=name: (points(loss=name, seed=1), None) for name in ("hinge", "least_squares", "rpgan", "kl")},
    "wasserstein": lambda: (points(loss="wasserstein", penalty=penalties.gradient_penalty(1.0), turns=3), None),
}
"""Games of this book's kinds."""


@pytest.mark.parametrize("kind", HEALTHY)
def test_nothing_is_found_in_a_healthy_game(kind: str) -> None:
    game, held_out = HEALTHY[kind]()
    assert names(game, held_out) == []
    report = doctor.examine(game, held_out)
    assert str(report).startswith("nothing found\nnot_finite") and all(map(math.isfinite, report.gauges.values()))
    assert {name.partition(".")[0] for name in report.gauges} <= doctor.GAUGES.keys()


def swapped() -> Game:
    right = losses.get("non_saturating").discriminator
    return digits(loss=turned(discriminator=lambda real, fake: right(fake, real)))


def squashed() -> Game:
    G, D = pair(64)
    with pytest.warns(UserWarning, match="Sigmoid"):
        return play_for((G, nn.Sequential(D, nn.Sigmoid())), PIXELS[0])


class Hidden(nn.Module):
    """A discriminator that ends in a sigmoid that is no layer, of logits around `bias`."""

    def __init__(self, net: nn.Module, bias: float) -> None:
        super().__init__()
        self.net, self.bias = net, bias

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.net(x) + self.bias
        return said.sigmoid()


def squashed_at(bias: float, loss: str) -> Game:
    G, D = pair(64)
    return play_for((G, Hidden(D, bias)), PIXELS[0], loss=loss, lr=(4e-3, 1e-5))


def dead() -> Game:
    G, _ = pair(64)
    D = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    D[0].bias.data.fill_(-100.0)
    return play_for((G, D), PIXELS[0], penalty=())


def half(net: nn.Module, z: Tensor) -> Tensor:
    """Two of the four modes."""
    return 0.2 * z[:, :2] + torch.stack([(z[:, 2] > 0).float() - 1.5, 0 * z[:, 2]], 1) + 1e-3 * net(z)


def falling(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(fake).mean()


def few() -> Game:
    G, _ = pair(64)
    return play_for((G, pair(64, width=64)[1]), PIXELS[0][:40], penalty=(), lr=(4e-3, 2e-3))


def copying() -> Game:
    few = PIXELS[0][:300]
    nearby = Wrapped(pair(64)[0], lambda net, z: few[(z[:, 0].sigmoid() * 299).long()] + 1e-3 * net(z))
    return play_for((nearby, pair(64)[1]), few, lr=1e-5)


def jagged() -> Game:
    """Every second pixel brighter."""
    comb = torch.ones(8).index_fill(0, torch.arange(1, 8, 2), -1.0)
    game = images()
    game.generator[-1] = nn.Sequential(nn.Tanh(), Plus(0.5 * comb))
    return play_for((game.generator, game.discriminator), Images(DIGITS.floats), lr=(1e-5, 1e-3))


class Plus(nn.Module):
    def __init__(self, what: Tensor) -> None:
        super().__init__()
        self.register_buffer("what", what)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.what


class Noise(nn.Module):
    latent = 64

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        return (self.scale * z).tanh().view(-1, 1, 8, 8)


def telling() -> Game:
    """Reals are whole numbers in all columns but one, and what is generated is not."""
    x = F.one_hot(PIXELS[1], 10).float()
    G, D = pair(10)
    near = Wrapped(G, lambda net, z: F.one_hot((z[:, 0].sigmoid() * 10).long().clamp(0, 9), 10) + 0.3 * net(z).tanh())
    return play_for((near, D), x, penalty=(), lr=(1e-5, 5e-3))


def deaf(to: int) -> Game:
    """A conditional game whose generator hears either no label (1) or no latent (0)."""
    return classes(
        Wrapped(
            pair(64, classes=10)[0], lambda net, *given: net(*(0 * x if i == to else x for i, x in enumerate(given)))
        )
    )


def in_place_of(net: Callable[..., Tensor], dim: int, x: Tensor, **options: Any) -> Game:
    """A game whose generator is this function of a network and z."""
    G, D = pair(dim)
    return play_for((Wrapped(G, net), D), x, **options)


SOON = 40
"""Rounds for what is seen before samples are looked at."""
#: What is done to a game, what the doctor is to call it, and after how many rounds; D is shown what was held out.
BROKEN: dict[str, tuple[str, Callable[[], Game], int]] = {
    "0 to 255": ("data out of range", lambda: images((DIGITS.floats + 1) * 127.5), SOON),
    "0 to 1": ("data out of range", lambda: images((DIGITS.floats + 1) / 2), SOON),
    "no learning rate": ("nobody moves", lambda: digits(lr=(4e-3, 1e-12)), SOON),
    "dead ReLUs": ("nobody moves", dead, SOON),
    "the generator's sign": ("reversed players", lambda: digits(loss=turned(generator=falling)), SOON),
    "labels exchanged": ("reversed players", swapped, ROUNDS),
    "a sigmoid twice": ("sigmoid twice", squashed, SOON),
    "a sigmoid that died": ("sigmoid twice", lambda: squashed_at(-30.0, "non_saturating"), SOON),
    "a sigmoid around 0": ("sigmoid twice", lambda: squashed_at(-4.0, "hinge"), SOON),
    "a slow D": ("discriminator sees nothing", lambda: digits(lr=(2e-2, 1e-5), penalty=()), ROUNDS),
    "whole numbers": ("trivial tell", telling, ROUNDS),
    "no bound": ("unbounded critic", lambda: points(loss="wasserstein", penalty=(), lr=(1e-4, 1e-2)), ROUNDS),
    "few samples": ("discriminator memorises", few, ROUNDS),
    "a slow G": ("discriminator wins", lambda: digits(lr=(1e-6, 4e-3), penalty=()), ROUNDS),
    "one latent": ("mode collapse", lambda: in_place_of(lambda net, z: net(0 * z), 64, PIXELS[0]), ROUNDS),
    "half a line": ("missing modes", lambda: in_place_of(half, 2, points().data, lr=1e-5), ROUNDS),
    "a table of reals": ("copies the training data", copying, ROUNDS),
    "no label": ("label ignored", lambda: deaf(1), ROUNDS),
    "no noise": ("noise ignored", lambda: deaf(0), ROUNDS),
    "no running statistics": ("batch statistics", lambda: images(track_running_stats=False), SOON),
    "statistics that stay": ("batch statistics", lambda: images(momentum=0.0), SOON),
    "a comb": ("checkerboard", jagged, ROUNDS),
    "pixels of z": ("only noise", lambda: play_for((Noise(), images().discriminator), Images(DIGITS.floats)), ROUNDS),
}


@pytest.mark.parametrize("sabotage", BROKEN)
def test_what_is_broken_is_named(sabotage: str) -> None:
    name, make, rounds = BROKEN[sabotage]
    game = make()
    shown = game.source.draw(1, torch.Generator()).real.shape[1:]
    held_out = next((x for x in (*UNSEEN[:1], HELD_OUT.floats) if x.shape[1:] == shown), None)
    assert name in names(game, UNSEEN if game.settings["game"] == "conditional_gan" else held_out, rounds)


def played() -> Game:
    game = digits()
    game.play(20, progress=False)
    return game


def test_a_lost_optimizer_is_named() -> None:
    game = played()
    game.players["discriminator"].optimizer.state.clear()
    assert names(game, rounds=0) == ["optimizer reset"]


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_weights_that_are_no_numbers_are_named(player: str) -> None:
    game = played()
    next(game.players[player].net.parameters()).data[0, 0] = math.nan
    report = doctor.examine(game)
    assert [finding.name for finding in report.findings] == ["not a number"]
    assert f"first in the weights of the {player}" in str(report) and "the rest" in report.unjudged


def test_a_loss_that_is_none_is_named() -> None:
    game = digits(loss=turned(generator=lambda real, fake: (fake - fake).log().mean()))
    with pytest.raises(ganlib.NonFiniteLoss):
        game.play(1, progress=False)
    (finding,) = ganlib.diagnose(game)
    assert finding.name == "not a number" and "the coming turn of the generator" in finding.says


@pytest.mark.parametrize(("level", "means"), [(100.0, "BCELoss clips"), (0.6931472, "log 2"), (2.5, "stands at 2.5")])
def test_a_loss_that_stands_still_is_named(level: float, means: str) -> None:
    game = played()
    game.history.losses["generator"] = [level] * 50
    (finding,) = ganlib.diagnose(game)
    assert finding.name == "stuck loss" and finding.gauge == "swing.generator" and means in finding.says


def test_good_then_bad_is_named() -> None:
    game = played()
    game.history.watched += [{"frechet": value, "step": step} for step, value in enumerate((9.0, 3.0, 4.0, 5.0))]
    assert ganlib.diagnose(game) == []
    game.history.watched.append({"frechet": 7.5, "step": 4})
    (finding,) = ganlib.diagnose(game)
    assert finding.name == "good, then bad" and finding.value == 2.5 and "2.5 times" in finding.says


def test_a_finding_is_one_sentence_with_its_number_and_what_to_try() -> None:
    game = played()
    game.players["generator"].optimizer.param_groups[0]["lr"] = 0.0
    (finding,) = ganlib.diagnose(game)
    assert str(finding) == (
        "nobody moves: the learning rate of the generator is 0. Try 2e-4, or what the recipe says (chapter 5)"
    )
    assert (finding.gauge, finding.value, finding.limit) == ("rate.generator", 0.0, 1e-9)


def test_causes_come_before_consequences() -> None:
    order = list(dict.fromkeys(rule.name for rule in doctor.rules.RULES))
    game = images((DIGITS.floats + 1) * 127.5)
    found = names(game)
    assert found[0] == "data out of range" and "mode collapse" in found
    assert found == sorted(found, key=order.index)


def test_a_game_is_left_as_it_was() -> None:
    games_ = [tiny_game() for _ in range(2)]
    for game in games_:
        game.play(5, progress=False)
    before = everything(games_[0])
    ganlib.diagnose(games_[0], torch.randn(50, 2))
    assert same(before, everything(games_[0]))
    for game in games_:
        game.play(5, progress=False)
    assert same(*map(everything, games_)) and games_[0].history.losses == games_[1].history.losses


def test_what_cannot_be_judged_is_named() -> None:
    report = doctor.examine(tiny_game())
    assert report.findings == []
    assert set(report.unjudged) == {"range", "good, then bad", "memorising and copying", "samples"}
    assert f"0 rounds are too few, {ROUNDS} are needed" in str(report)
    with_labels = doctor.examine(classes(), UNSEEN[0])
    assert with_labels.unjudged["discriminator"] == "it is shown labels, and the held-out samples have none"


def test_games_that_translate_and_those_without_a_judge_are_looked_at_as_far_as_can_be() -> None:
    pairs = data.load_pairs("scenes", size=16)
    translating = games.pix2pix(
        nets.UNet(16, 3, 3, width=4), nets.PatchDiscriminator(3, inputs=3, width=4), pairs, batch=2
    )
    report = doctor.examine(translating, samples=64)
    assert "translates" in report.unjudged["samples"] and "gradient.generator" in report.gauges
    generator, encoder = pair(2)[0], nets.MLPEncoder(latent=8, inputs=2, gaussian=True, width=8, layers=1)
    report = doctor.examine(games.vae(generator, encoder, points().data))
    assert report.unjudged["discriminator"] == "none of vae judges single samples"
    assert report.findings == []


def test_bad_input_is_refused() -> None:
    game = tiny_game()
    with pytest.raises(ValueError, match="samples must be a whole number of at least 64, got 10"):
        ganlib.diagnose(game, samples=10)
    with pytest.raises(ValueError, match=r"held_out must be samples of shape \(2,\), like .* got \(3,\)"):
        ganlib.diagnose(game, torch.randn(50, 3))
    with pytest.raises(TypeError, match="data must be"):
        ganlib.diagnose(game, "digits")


# ---- ganlib doctor RUN -----------------------------------------------------------------------------------------------


def doctored(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    capsys.readouterr()
    assert cli.main(["doctor", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def trained(folder: Path, x: Tensor) -> list[str]:
    path = folder / "points.npz"
    np.savez(path, points=x.numpy())
    out = folder / "run"
    command = ["train", str(path), "--out", str(out), "--steps", str(ROUNDS), "--batch", "32"]
    assert cli.main(command) == 0
    return [str(out)]


def test_three_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = trained(tmp_path, points().data)
    kept = {path.name: path.read_bytes() for path in Path(run).iterdir()}
    said = doctored(capsys, run)
    assert said[0].endswith(f"points.npz, round {ROUNDS}") and said[1] == "nothing found"
    assert any(line.startswith("memorising ") for line in said)  # the file's own held-out samples
    assert {path.name: path.read_bytes() for path in Path(run).iterdir()} == kept

    settings = ganlib.run.Run(Path(run)).settings()
    game = ganlib.recipes.build(settings).resume(run)
    for net in (game.generator, game.average):
        next(net.parameters()).data.zero_()  # no latent comes through
    game.save(run)
    assert doctored(capsys, run)[1].startswith("mode collapse: two samples lie 0")

    (tmp_path / "few").mkdir()
    (run,) = trained(tmp_path / "few", torch.randn(60, 8, generator=torch.Generator().manual_seed(0)))
    assert any(line.startswith("discriminator memorises: ") for line in doctored(capsys, run))


def test_runs_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    np.savez(tmp_path / "points.npz", points=x)
    assert cli.main(["train", str(tmp_path / "points.npz"), "--out", str(tmp_path / "run"), "--steps", "2"]) == 0
    assert cli.main(["doctor", str(tmp_path / "none")]) == 2
    np.savez(tmp_path / "other.npz", points=x + 1)
    assert cli.main(["doctor", str(tmp_path / "run"), "--data", str(tmp_path / "other.npz")]) == 2
    (tmp_path / "run" / "last.safetensors").unlink()
    assert cli.main(["doctor", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"ganlib doctor: there is no run {tmp_path / 'none'}",
        f"ganlib doctor: {tmp_path / 'run'} was made with other data: {tmp_path / 'points.npz'}, or its files have "
        "changed since",
        f"ganlib doctor: {tmp_path / 'run'} holds no checkpoint yet: train it first",
    ]
