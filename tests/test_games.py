"""Each game's losses equal the paper's formula on the same samples, and misfits are refused at the door."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import data, engine, games, losses, nets, penalties
from ganlib.engine import cosine

from .tiny import TinyDiscriminator, TinyGenerator, tiny_data, tiny_game


def logits(game: engine.Game, batch: engine.Batch) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return game.discriminator(batch.real), game.discriminator(game.generator(batch.z))


@pytest.mark.parametrize("name", sorted(name for name, loss in losses.LOSSES.items() if not loss.energies))
def test_losses_of_the_players_are_those_of_the_table(name: str):
    game = tiny_game(loss=name)
    rule = losses.get(name)
    for player, formula in (("discriminator", rule.discriminator), ("generator", rule.generator)):
        batch = game.draw(player)
        got = game.players[player].loss(batch)
        got = got["loss"] if isinstance(got, dict) else got
        assert got.item() == pytest.approx(formula(*logits(game, batch)).item(), abs=1e-6)


def test_the_formulas_written_out():
    game = tiny_game(loss="minimax")
    batch = game.draw("discriminator")
    real, fake = (torch.sigmoid(x.double()) for x in logits(game, batch))
    result = game.players["discriminator"].loss(batch)
    assert isinstance(result, dict)
    assert result["loss"].item() == pytest.approx(-(real.log().mean() + (1 - fake).log().mean()).item(), abs=1e-6)
    batch = game.draw("generator")
    _, fake = (torch.sigmoid(x.double()) for x in logits(game, batch))
    got = game.players["generator"].loss(batch)
    assert isinstance(got, Tensor)
    assert got.item() == pytest.approx((1 - fake).log().mean().item(), abs=1e-6)


def test_a_lazy_penalty_comes_when_due_and_counts_for_the_rounds_it_skips():
    game = tiny_game(penalty=penalties.r1(0.3, every=4), anneal=20)
    for step in range(8):
        game.step = step
        result = game.players["discriminator"].loss(game.draw("discriminator"))
        assert isinstance(result, dict)
        assert ("r1" in result) == (step % 4 == 0)
        if step % 4 == 0:
            x = game.draw("discriminator").real.requires_grad_()
            (gradient,) = torch.autograd.grad(game.discriminator(x).sum(), x)
            expected = 4 * cosine(step / 20) * 0.3 / 2 * gradient.square().sum(1).mean()
            assert result["r1"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_weight_clipping_holds_after_every_round():
    game = tiny_game(loss="wasserstein", penalty=penalties.weight_clipping(0.02), lr=0.1)
    game.play(3, progress=False)
    assert max(w.abs().max().item() for w in game.discriminator.parameters()) <= 0.02
    assert max(w.abs().max().item() for w in game.generator.parameters()) > 0.02


def test_several_penalties_add_up():
    game = tiny_game(penalty=[penalties.r1(0.1), penalties.gradient_penalty(1.0)])
    result = game.players["discriminator"].loss(game.draw("discriminator"))
    assert isinstance(result, dict) and list(result) == ["loss", "r1", "gradient_penalty"]
    game.play(2, progress=False)
    assert len(game.history["discriminator.r1"]) == 2


def test_batch_norm_in_the_discriminator_sees_real_and_fake_apart():
    class Critic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).squeeze(1)

    torch.manual_seed(0)
    game = games.gan(TinyGenerator(), Critic(), tiny_data(), batch=16)
    batch = game.draw("discriminator")
    result = game.players["discriminator"].loss(batch)
    assert isinstance(result, dict)
    with torch.no_grad():
        real, fake = game.discriminator(batch.real), game.discriminator(game.generator(batch.z))
    assert result["loss"].item() == pytest.approx((F.softplus(-real).mean() + F.softplus(fake).mean()).item(), abs=1e-6)


def conditional(**options: object) -> engine.Game:
    torch.manual_seed(0)
    arguments = {"size": 16, "width": 4, "classes": 10}
    digits = data.load("digits", size=16)
    generator, discriminator = nets.DCGANGenerator(latent=8, **arguments), nets.DCGANDiscriminator(**arguments)
    return games.conditional_gan(generator, discriminator, digits, batch=8, **options)


def test_conditional_players_see_the_labels_of_the_reals():
    game = conditional()
    batch = game.draw("generator")
    assert batch.labels is not None
    seen = []
    for net in (game.generator, game.discriminator):
        net.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[1]))
    game.players["generator"].loss(batch)
    assert len(seen) == 2 and all(torch.equal(labels, batch.labels) for labels in seen)
    game.play(2, progress=False)
    assert game.sample(4, labels=[3, 7]).shape == (4, 1, 16, 16)


def test_conditional_penalties_have_their_labels_bound():
    game = conditional(penalty=penalties.r1_r2(0.1))
    game.play(2, progress=False)
    assert all(v > 0 for v in game.history["discriminator.r1_r2"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "wassertein"}, "loss='wassertein' is not known; choose one of: wasserstein,"),
        ({"lr": 0.0}, "lr must be above 0, got 0.0"),
        ({"lr": -1e-3}, "lr must be above 0"),
        ({"betas": (0.5, 1.0)}, "betas must be two numbers of at least 0 and below 1"),
        ({"turns": 0}, "turns must be a whole number of at least 1, got 0"),
        ({"batch": 1000}, "batch must be at most the 100 samples of the data, got 1000"),
        ({"precision": "fp8"}, "precision='fp8' is not known"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        tiny_game(**options)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"the generator's samples have shape \(2,\), but those of the data \(3,\)"):
        games.gan(TinyGenerator(), TinyDiscriminator(), torch.zeros(100, 3))
    flat = nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"must return logits of shape \(64,\), got \(64, 1\)"):
        games.gan(TinyGenerator(), flat, tiny_data())
    with pytest.raises(ValueError, match="data have no labels"):
        games.conditional_gan(TinyGenerator(), TinyDiscriminator(), tiny_data())
    with pytest.raises(ValueError, match="generator.classes must be 10, as the data have, got None"):
        games.conditional_gan(TinyGenerator(), TinyDiscriminator(), data.load("digits"))
    with pytest.raises(ValueError, match="use games.conditional_gan"):
        games.gan(nets.MLPGenerator(classes=3), TinyDiscriminator(), tiny_data())
    with pytest.raises(ValueError, match="game='cycle' is not known; choose one of: .*conditional_gan"):
        games.get("cycle")
