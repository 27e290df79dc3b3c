"""What a game can take beside its loss: penalties of both players, augmentation, packs, a look ahead; each resumed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganlib import Game, augment, games, losses, nets, penalties
from ganlib.games.gan import unroll

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data, tiny_game


@pytest.fixture(autouse=True)
def seed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formulas are compared to more digits than bfloat16 has, which some machines would choose."""
    monkeypatch.setenv("GANLIB_PRECISION", "fp32")
    torch.manual_seed(0)


def point_game(weights: int = 0, discriminator: nn.Module | None = None, **options: object) -> Game:
    torch.manual_seed(weights)
    judge = nets.MLPDiscriminator(width=8) if discriminator is None else discriminator
    return games.gan(TinyGenerator(), judge, tiny_data(), **{"batch": 16, "lr": 1e-3, **options})


def image_game(weights: int = 0, **options: object) -> Game:
    torch.manual_seed(weights)
    images = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    pair = nets.DCGANGenerator(16, 1, 4, 2), nets.DCGANDiscriminator(16, 1, 2, batch_norm=False)
    return games.gan(*pair, images, **{"batch": 8, "lr": 1e-3, **options})


# Penalties.


def test_each_penalty_joins_the_loss_of_its_player() -> None:
    game = point_game(penalty=["r1", penalties.feature_matching(2.0, every=2)])
    game.play(3, progress=False)
    assert set(game.history.losses) == {
        "discriminator", "discriminator.r1", "generator", "generator.feature_matching",
    }  # fmt: skip
    matching = game.history["generator.feature_matching"]
    assert matching[0] > 0 and matching[1] == 0 and matching[2] > 0


def test_feature_matching_in_a_game_is_the_formula() -> None:
    game = point_game(penalty=penalties.feature_matching(2.0))
    batch = game.draw("generator")
    terms = game.players["generator"].loss(game.draw("generator"))
    assert isinstance(terms, dict)
    d = game.discriminator
    fake = game.generator(batch.z)
    expected = 2 * (d.last_features(batch.real).mean(0) - d.last_features(fake).mean(0)).square().sum()  # type: ignore[operator]
    assert terms["feature_matching"].item() == pytest.approx(expected.item(), rel=1e-5)
    (gradient, *_) = torch.autograd.grad(terms["feature_matching"], list(game.generator.parameters()))
    assert gradient.abs().max() > 0


def test_two_penalties_of_one_name_add_up() -> None:
    both = point_game(penalty=[penalties.r1(0.1), penalties.r1(0.2)])
    once = point_game(penalty=penalties.r1(0.3))
    terms = [game.players["discriminator"].loss(game.draw("discriminator")) for game in (both, once)]
    assert terms[0]["r1"].item() == pytest.approx(terms[1]["r1"].item(), rel=1e-6)  # type: ignore[index]


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_every_penalty_plays_and_moves_its_player_alone(name: str) -> None:
    game = point_game(penalty=name)
    player = penalties.PENALTIES[name]().player
    batch = game.draw(player)
    terms = game.players[player].loss(batch)
    if name != "weight_clipping":
        assert isinstance(terms, dict) and terms[name].item() > 0
    game.play(2, progress=False)
    assert all(w.isfinite().all() for p in game.players.values() for w in p.net.parameters())


def test_a_penalty_of_the_generator_is_refused_where_there_is_no_place_for_it() -> None:
    encoder = nn.Linear(2, 2)
    encoder.latent = 2  # type: ignore[assignment]
    with pytest.raises(
        ValueError, match="feature_matching is one of the generator's loss, and .* takes only those of: disc"
    ):
        games.aae(nets.MLPGenerator(), encoder, nets.MLPDiscriminator(), tiny_data(), penalty="feature_matching")
    with pytest.raises(TypeError, match=r"must have a method last_features\(x\), such as those of .*TinyDiscriminator"):
        tiny_game(penalty="feature_matching").play(1, progress=False)


def test_what_a_penalty_remembers_is_resumed_and_not_shared(tmp_path: Path) -> None:
    given = penalties.lecam()
    whole, half, other = (point_game(weights, penalty=given) for weights in (0, 0, 5))
    whole.play(6, progress=False)
    half.play(3, progress=False)
    half.save(tmp_path)
    resumed = other.resume(tmp_path)
    memory = resumed.memory["penalty0"].state_dict()
    assert memory["seen"] == 1 and memory["mean_real"] != whole.memory["penalty0"].state_dict()["mean_real"]
    resumed.play(3, progress=False)
    assert same(everything(whole), everything(resumed))
    assert all(torch.equal(v, whole.memory["penalty0"].state_dict()[k]) for k, v in memory.items())
    assert whole.history.losses == resumed.history.losses


# Energies.


def test_energies_are_taken_and_other_logits_refused() -> None:
    logits = TinyDiscriminator()
    nn.init.constant_(logits.net[2].bias, -3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="loss ebgan takes a discriminator of energies of at least 0, .* returned -"):
        point_game(discriminator=logits, loss="ebgan")
    far = nn.Sequential(TinyDiscriminator(), nn.Softplus())
    game = point_game(discriminator=far, loss="ebgan")
    batch = game.draw("discriminator")
    with torch.no_grad():
        real, fake = far(batch.real), far(game.generator(batch.z))
    terms = game.players["discriminator"].loss(batch)
    assert isinstance(terms, dict)
    assert terms["loss"].item() == pytest.approx((real.mean() + (1 - fake).relu().mean()).item(), abs=1e-6)


# Layers in which samples meet.


def test_packs_are_judged_together(tmp_path: Path) -> None:
    game = point_game(discriminator=nets.Packed(nets.MLPDiscriminator(4, width=8), 2), penalty="r1", loss="rpgan")
    batch = game.draw("discriminator")
    terms = game.players["discriminator"].loss(batch)
    with torch.no_grad():
        real, fake = game.discriminator(batch.real), game.discriminator(game.generator(batch.z))
    assert real.shape == (8,) and isinstance(terms, dict)
    assert terms["loss"].item() == pytest.approx(losses.get("rpgan").discriminator(real, fake).item(), abs=1e-6)
    game.play(2, progress=False)
    with pytest.raises(ValueError, match="N, the batch, a multiple of pack=3"):
        point_game(discriminator=nets.Packed(nets.MLPDiscriminator(6), 3))


def test_minibatch_std_never_mixes_real_and_generated_samples() -> None:
    game = point_game(discriminator=nets.MLPDiscriminator(width=8, minibatch_std=True), batch=6 * 4)
    seen: list[int] = []
    game.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    game.players["discriminator"].loss(game.draw("discriminator"))
    assert seen == [24, 24]


# Augmentation.


def test_the_discriminator_sees_nothing_but_augmented_images() -> None:
    shown: list[Tensor] = []

    def blank(images: Tensor, rng: torch.Generator) -> Tensor:
        assert isinstance(rng, torch.Generator)
        return images * 0 + 7

    game = image_game(augment=blank, loss="rpgan", penalty="r1")
    game.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    for player in game.players:
        game.players[player].loss(game.draw(player))
    assert len(shown) == 4 and all((x == 7).all() for x in shown)  # both at once, the penalty, fake, real
    assert game.settings["augment"] == "blank" and game.sample(2).abs().max() <= 1


def test_augmentation_is_drawn_from_the_turn() -> None:
    game = image_game(augment="translation,cutout")
    change = augment.get("translation,cutout")
    assert change is not None
    batch = game.draw("discriminator")
    with torch.no_grad():
        fake = game.generator(batch.z)
        real_logits, fake_logits = (game.discriminator(change(x, batch.rng)) for x in (batch.real, fake))
    terms = game.players["discriminator"].loss(game.draw("discriminator"))
    expected = losses.get("non_saturating").discriminator(real_logits, fake_logits).item()
    assert isinstance(terms, dict) and terms["loss"].item() == pytest.approx(expected, abs=1e-6)


def test_augmented_games_resume_exactly(tmp_path: Path) -> None:
    whole, half, other = (image_game(w, augment="colour,translation,cutout") for w in (0, 0, 5))
    whole.play(4, progress=False)
    half.play(2, progress=False)
    half.save(tmp_path)
    other.resume(tmp_path).play(2, progress=False)
    assert same(everything(whole), everything(other))
    with pytest.raises(ValueError, match="augment"):
        image_game().resume(tmp_path)
    with pytest.raises(ValueError, match="augment='blur' is not known"):
        image_game(augment="blur")
    with pytest.raises(ValueError, match=r"augment='cutout' changes images \(N, C, H, W\); the data are of shape"):
        point_game(augment="cutout")


# The look ahead.


class Point(nn.Module):
    """A generator that makes one point."""

    latent = 1

    def __init__(self, x: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([x]))

    def forward(self, z: Tensor) -> Tensor:
        return self.x.expand(len(z), 1)


class Slope(nn.Module):
    """A discriminator D(x) = ψ x."""

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi))

    def forward(self, x: Tensor) -> Tensor:
        return self.psi * x[:, 0]


def farthest(rounds: int, unrolled: int) -> float:
    """How far the one point of the generator is from the data, all at 0, at most in its last 70 rounds."""
    points = Point(1.0), Slope(0.5)
    game = games.gan(
        *points, torch.zeros(8, 1), loss="wasserstein", batch=8, lr=0.1, unrolled=unrolled, unrolled_lr=0.5
    )
    for player in game.players.values():
        player.optimizer = torch.optim.SGD(player.net.parameters(), 0.1)
    distances = []
    game.play(rounds, progress=False, watch=lambda _: distances.append(points[0].x.abs().item()))
    return max(distances[-70:])


def test_a_look_ahead_ends_the_circles_of_the_simplest_game() -> None:
    """On D(x) = ψx against one point θ (Mescheder et al. 2018, definition 2.1) alternating steps circle for ever. After
    k steps ahead ψ is ψ - kηθ, so the generator's slope -ψ + 2kηθ is damped, and it comes to rest on the data."""
    assert farthest(300, unrolled=0) > 0.9
    assert farthest(300, unrolled=2) < 1e-3


@pytest.mark.parametrize("steps", [1, 3])
def test_the_slope_of_the_unrolled_loss_is_exact(steps: int) -> None:
    """Of D(x) = ψx under the minimax loss, with ψ after k steps written out by hand and differentiated by torch."""
    d, lr = Slope(0.3).double(), 0.4
    rule = losses.get("minimax")
    real, x = torch.tensor([[0.5], [-2.0]]).double(), torch.tensor([[1.5], [0.2]], dtype=torch.float64)
    theta = x.clone().requires_grad_()
    ahead = unroll(d, lambda net: rule.discriminator(net(real), net(theta)), steps, lr)
    (got,) = torch.autograd.grad(rule.generator(None, ahead(theta)), theta)

    other = x.clone().requires_grad_()
    psi = d.psi.detach()
    for _ in range(steps):  # ∂/∂ψ of E softplus(-ψx) + E softplus(ψG)
        psi = psi - lr * ((torch.sigmoid(psi * other) * other).mean() - (torch.sigmoid(-psi * real) * real).mean())
    (expected,) = torch.autograd.grad(-nn.functional.softplus(psi * other).mean(), other)
    assert torch.allclose(got, expected)
    assert d.psi.item() == pytest.approx(0.3) and torch.equal(ahead(x), (psi * x[:, 0]).detach())


def test_no_steps_ahead_is_the_plain_game() -> None:
    plain, still = point_game(loss="ragan"), point_game(loss="ragan", unrolled=2, unrolled_lr=0.0)
    for game in (plain, still):
        game.play(3, progress=False)
    assert plain.history["generator"] == pytest.approx(still.history["generator"], abs=1e-6)
    assert "unrolled" not in plain.settings and still.settings["unrolled"] == 2
    for name, value in (("unrolled", -1), ("unrolled_lr", math.nan)):
        with pytest.raises(ValueError, match=f"{name} must be"):
            point_game(**{name: value})


def test_looking_ahead_works_with_images_and_batch_norm() -> None:
    images = torch.rand(40, 1, 16, 16) - 0.5
    game = games.gan(
        nets.DCGANGenerator(16, 1, 4, 2),
        nets.DCGANDiscriminator(16, 1, 2),
        images,
        batch=8,
        unrolled=2,
        penalty="dragan",
    )
    before = everything(game)
    game.play(2, progress=False)
    after = everything(game)
    assert all(v.isfinite().all() for v in after.values()) and not same(before, after)
