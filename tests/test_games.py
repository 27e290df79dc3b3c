"""Each game's losses equal the paper's formula on the same samples, and misfits are refused at the door."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import Game, data, games, losses, nets, penalties
from ganlib.engine import Batch, cosine

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data, tiny_game


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formulas are compared to more digits than bfloat16 has, which some machines would choose."""
    monkeypatch.setenv("GANLIB_PRECISION", "fp32")


def logits(game: Game, batch: Batch) -> tuple[Tensor, Tensor]:
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


def conditional(**options: object) -> Game:
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


# ---- GANs by other names -------------------------------------------------------------------------

OTHER_NAMES: dict[str, dict[str, Any]] = {
    "LSGAN": {"loss": "least_squares"},
    "KLGAN": {"loss": "kl"},
    "hinge GAN": {"loss": "hinge"},
    "f-GAN": {"loss": "f_pearson"},
    "relativistic GAN": {"loss": "rpgan"},
    "relativistic average GAN": {"loss": "ragan"},
    "WGAN": {"loss": "wasserstein", "penalty": "weight_clipping", "turns": 5},
    "WGAN-GP": {"loss": "wasserstein", "penalty": "gradient_penalty", "turns": 5},
    "DRAGAN": {"penalty": "dragan"},
    "feature matching": {"penalty": "feature_matching"},
    "unrolled GAN": {"unrolled": 5},
}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_gans_by_other_names_are_what_the_package_says(name: str):
    for key, value in OTHER_NAMES[name].items():
        assert f"{key}={value!r}".replace("'", '"') in str(games.__doc__)
    points = three_classes()
    torch.manual_seed(0)
    plain = games.gan(nets.MLPGenerator(width=8), nets.MLPDiscriminator(width=8), points, batch=16, **OTHER_NAMES[name])
    labelled = nets.MLPGenerator(width=8, classes=3), nets.MLPDiscriminator(width=8, classes=3)
    for game in (plain, games.conditional_gan(*labelled, points, batch=16, **OTHER_NAMES[name])):
        game.play(2, progress=False)
        assert game.sample(6).isfinite().all()


# ---- encoders, codes and energies ----------------------------------------------------------------


def autoencoder(**options: Any) -> Game:
    """A small VAE of points."""
    torch.manual_seed(0)
    return games.vae(nets.MLPGenerator(width=8), nets.MLPEncoder(width=8), tiny_data(), **{"batch": 16, **options})


def test_encode_and_rebuild_ask_the_averaged_networks_in_evaluation_mode():
    game = autoencoder(lr=0.1)
    game.play(5, progress=False)
    x = tiny_data()
    assert game.average is not None and isinstance(game.generator, nets.Autoencoder)
    with torch.no_grad():
        mean, _ = game.average.encoder(x)
        now, _ = game.generator.encoder(x)
    assert torch.equal(games.encode(game, x), mean) and not torch.allclose(mean, now)
    assert torch.equal(games.rebuild(game, x), game.average.generator(mean))
    assert game.generator.encoder.training and not game.average.training  # as they were
    plain = autoencoder(averaging=None)
    with torch.no_grad():
        assert torch.equal(games.encode(plain, x), plain.generator.encoder(x)[0])
    with pytest.raises(
        TypeError, match="this generator has no encoder: games.vae, aae, vae_gan, bigan and lr_gan train one"
    ):
        games.encode(tiny_game(), x)


def test_encode_takes_labels():
    points = three_classes()
    made = nets.MLPGenerator(width=8, classes=3), nets.MLPEncoder(width=8, classes=3), nets.MLPDiscriminator(classes=3)
    game = games.vae_gan(*made, points, batch=16)
    z = games.encode(game, points.x, points.y)
    assert z.shape == (100, 2) and not torch.equal(z, games.encode(game, points.x, points.y.flip(0)))
    assert games.rebuild(game, points.x, points.y).shape == (100, 2)


def test_images_can_be_rebuilt_pixel_by_pixel():
    torch.manual_seed(0)
    digits = data.load("digits", size=16)
    made = nets.ShuffleGenerator(16, latent=4, width=2), nets.ShuffleEncoder(16, latent=4, width=2)
    game = games.vae(*made, digits, likelihood="bernoulli", batch=8)
    result = game.players["autoencoder"].loss(game.draw("autoencoder"))
    batch = game.draw("autoencoder")
    mean, log_variance = game.generator.encoder(batch.real)
    z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=batch.rng)
    white, p = (batch.real.double() + 1) / 2, (game.generator(z).double() + 1) / 2
    expected = -(white * p.log() + (1 - white) * (1 - p).log())
    assert isinstance(result, dict)
    assert result["loss"].item() == pytest.approx(expected.sum((1, 2, 3)).mean().item(), rel=1e-4)


def test_codes_are_drawn_as_they_say():
    codes = games.Codes((3, 2), continuous=2)
    c = codes.draw(6000, torch.Generator().manual_seed(0))
    assert c.shape == (6000, 7) and (codes.width, codes.outputs) == (7, 7)
    for one_hot, k in ((c[:, :3], 3), (c[:, 3:5], 2)):
        assert torch.equal(one_hot.sum(1), torch.ones(6000)) and ((one_hot == 0) | (one_hot == 1)).all()
        assert (one_hot.mean(0) - 1 / k).abs().max() < 0.03
    assert c[:, 5:].abs().max() <= 1 and c[:, 5:].mean().abs() < 0.03 and abs(c[:, 5:].var().item() - 1 / 3) < 0.02


def test_information_is_log_k_where_q_is_sure_and_0_where_it_guesses():
    codes = games.Codes((4,))
    c = codes.draw(50, torch.Generator().manual_seed(0))
    assert codes.information(100 * c, c).item() == pytest.approx(math.log(4), abs=1e-6)
    assert codes.information(torch.zeros(50, 4), c).item() == pytest.approx(0, abs=1e-6)
    assert codes.information(-5 * c, c).item() < 0


def test_the_prior_of_an_info_gan_ends_in_its_codes():
    codes = games.Codes((3,), continuous=1)
    for prior in ("normal", "uniform"):
        torch.manual_seed(0)
        made = nets.MLPGenerator(7, width=8, prior=prior), nets.TwoHeaded(nets.MLPDiscriminator(width=8), codes.outputs)
        game = games.info_gan(*made, tiny_data(), codes=codes, batch=16)
        z = game.draw_latent(2000, torch.Generator().manual_seed(0))
        assert z.shape == (2000, 7) and torch.equal(z[:, 3:6].sum(1), torch.ones(2000))
        assert abs(z[:, :3].var().item() - (1 if prior == "normal" else 1 / 3)) < 0.1


def test_pulling_away_is_1_for_codes_of_one_direction_and_0_for_right_angles():
    from ganlib.games.heads import _pulling_away

    assert _pulling_away(torch.tensor([[1.0, 2.0], [-2.0, -4.0], [0.5, 1.0]])).item() == pytest.approx(1)
    assert _pulling_away(2 * torch.eye(5)).item() == pytest.approx(0)


class Energy(nn.Module):
    """An energy, and nothing beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1).square()


def three_classes() -> data.Dataset:
    return data.Dataset("points", tiny_data(), torch.arange(100) % 3, ("a", "b", "c"))


MISFITS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an encoder of another latent": (
        lambda: games.vae(nets.MLPGenerator(3), nets.MLPEncoder(2), tiny_data()),
        ValueError,
        "generator.latent and encoder.latent must be the same length of z, got 3 and 2",
    ),
    "a VAE without a variance": (
        lambda: games.vae(nets.MLPGenerator(), nets.MLPEncoder(gaussian=False), tiny_data()),
        TypeError,
        r"the encoder must return \(mean, log-variance\)",
    ),
    "a VAE with a uniform prior": (
        lambda: games.vae(nets.MLPGenerator(prior="uniform"), nets.MLPEncoder(), tiny_data()),
        ValueError,
        "generator.prior must be 'normal', .* got 'uniform'",
    ),
    "a likelihood of no name": (
        lambda: games.vae(nets.MLPGenerator(), nets.MLPEncoder(), tiny_data(), likelihood="gauss"),
        ValueError,
        "likelihood='gauss' is not known; choose one of: gaussian",
    ),
    "points as shades": (
        lambda: games.vae(nets.MLPGenerator(), nets.MLPEncoder(), tiny_data(), likelihood="bernoulli"),
        ValueError,
        r"likelihood='bernoulli' needs data and a generator within \[-1, 1\]",
    ),
    "a spread of 0": (
        lambda: games.vae(nets.MLPGenerator(), nets.MLPEncoder(), tiny_data(), std=0.0),
        ValueError,
        "std must be above 0, and is for a gaussian likelihood only, got 0.0",
    ),
    "an option of no name": (
        lambda: games.vae(nets.MLPGenerator(), nets.MLPEncoder(), tiny_data(), lrate=1e-3),  # type: ignore[call-arg]
        ValueError,
        "option='lrate' is not known; choose one of: .*lr",
    ),
    "an encoder of other data": (
        lambda: games.aae(nets.MLPGenerator(), nets.MLPEncoder(inputs=3), nets.MLPDiscriminator(), tiny_data()),
        ValueError,
        r"x must have shape \(N, 3\), got \(64, 2\)",
    ),
    "a decoder of other data": (
        lambda: games.aae(nets.MLPGenerator(out=3), nets.MLPEncoder(), nets.MLPDiscriminator(), tiny_data()),
        ValueError,
        r"the generator's samples have shape \(3,\), but those of the data \(2,\)",
    ),
    "a discriminator without known features": (
        lambda: games.vae_gan(nets.MLPGenerator(), nets.MLPEncoder(), TinyDiscriminator(), tiny_data()),
        TypeError,
        "discriminator must be one of ganlib.nets, whose last features are known, got TinyDiscriminator",
    ),
    "a loss that VAE-GAN does not have": (
        lambda: games.vae_gan(
            nets.MLPGenerator(), nets.MLPEncoder(), nets.MLPDiscriminator(), tiny_data(), loss="hinge"
        ),
        ValueError,
        "loss='hinge' is not known; choose one of: non_saturating, minimax",
    ),
    "labels for some": (
        lambda: games.bigan(
            nets.MLPGenerator(classes=3), nets.MLPEncoder(), nets.MLPJointDiscriminator(classes=3), three_classes()
        ),
        ValueError,
        "encoder.classes must be 3, as the data have, got None",
    ),
    "labels that the data lack": (
        lambda: games.lr_gan(nets.MLPGenerator(classes=3), nets.MLPEncoder(), nets.MLPDiscriminator(), tiny_data()),
        ValueError,
        "data have no labels, but generator would take some",
    ),
    "a classifier of other classes": (
        lambda: games.ac_gan(nets.MLPGenerator(classes=3), nets.TwoHeaded(nets.MLPDiscriminator(), 4), three_classes()),
        ValueError,
        "discriminator.outputs must be 3, as many classes as the data have .* got 4",
    ),
    "a classifier that is told the class": (
        lambda: games.ac_gan(
            nets.MLPGenerator(classes=3), nets.TwoHeaded(nets.MLPDiscriminator(classes=3), 3), three_classes()
        ),
        ValueError,
        "discriminator must not be shown the class that it is to name",
    ),
    "a generator that is not asked for a class": (
        lambda: games.ac_gan(nets.MLPGenerator(), nets.TwoHeaded(nets.MLPDiscriminator(), 3), three_classes()),
        ValueError,
        "generator.classes must be 3, as the data have, got None",
    ),
    "nothing labelled": (
        lambda: games.semi_supervised(
            nets.MLPGenerator(), nets.TwoHeaded(nets.MLPDiscriminator(), 3), tiny_data(), labelled=tiny_data()
        ),
        ValueError,
        "labelled have no labels; games.semi_supervised learns from some",
    ),
    "a classifier of other classes than the labelled": (
        lambda: games.semi_supervised(
            nets.MLPGenerator(), nets.TwoHeaded(nets.MLPDiscriminator(), 4), tiny_data(), labelled=three_classes()
        ),
        ValueError,
        "discriminator.outputs must be 3, as many classes as labelled have, got 4",
    ),
    "a discriminator that names no class": (
        lambda: games.semi_supervised(nets.MLPGenerator(), nets.MLPDiscriminator(), three_classes()),
        TypeError,
        "the discriminator must return .logits .N,., class logits .N, K.., got a tensor",
    ),
    "a generator told the label where D is to find it": (
        lambda: games.semi_supervised(
            nets.MLPGenerator(classes=3), nets.TwoHeaded(nets.MLPDiscriminator(), 3), three_classes()
        ),
        ValueError,
        "must be made without classes: no player is told the label here",
    ),
    "labelled samples of another shape": (
        lambda: games.semi_supervised(
            nets.MLPGenerator(),
            nets.TwoHeaded(nets.MLPDiscriminator(), 2),
            tiny_data(),
            labelled=(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])),
        ),
        ValueError,
        "labelled samples have shape .3,., but those of the data .2,.",
    ),
    "codes longer than z": (
        lambda: games.info_gan(nets.MLPGenerator(5), nets.TwoHeaded(nets.MLPDiscriminator(), 10), tiny_data()),
        ValueError,
        "generator.latent must be at least codes.width = 10, got 5",
    ),
    "codes that are none": (lambda: games.Codes(()), ValueError, "must hold at least one code, got none"),
    "a code of one category": (
        lambda: games.Codes((1,)),
        ValueError,
        "categorical must be a whole number of at least 2",
    ),
    "codes as a number": (
        lambda: games.info_gan(
            nets.MLPGenerator(5),
            nets.TwoHeaded(nets.MLPDiscriminator(), 10),
            tiny_data(),
            codes=10,  # type: ignore[arg-type]
        ),
        TypeError,
        "codes must be a games.Codes, got 10",
    ),
    "energies without codes": (
        lambda: games.eb_gan(nets.MLPGenerator(), Energy(), tiny_data(), pulling_away=0.1).play(1, progress=False),
        TypeError,
        r"discriminator must return \(energies, codes\), such as nets.AutoencoderDiscriminator",
    ),
    "two logits a code": (
        lambda: games.aae(nets.MLPGenerator(), nets.MLPEncoder(), nn.Linear(2, 2), tiny_data()),
        ValueError,
        r"the discriminator must return logits of shape \(64,\), got \(64, 2\)",
    ),
    "a discriminator of samples for pairs": (
        lambda: games.bigan(nets.MLPGenerator(), nets.MLPEncoder(), nets.MLPDiscriminator(), tiny_data()),
        ValueError,
        "labels must be left out: this network was made without classes",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_misfits_of_games_with_codes_are_refused(name: str):
    make, error, message = MISFITS[name]
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("loss", ["non_saturating", "rpgan"])
def test_with_reuse_a_round_is_that_of_the_textbook_loop(loss: str):
    def doubled(**options: Any) -> Game:  # in float32, Adam follows the noise of gradients that are 0
        torch.manual_seed(0)
        pair = TinyGenerator().double(), TinyDiscriminator().double()
        prior = lambda n, rng: torch.randn(n, 3, generator=rng, dtype=torch.float64)  # noqa: E731
        return games.gan(*pair, tiny_data().double(), batch=16, averaging=None, prior=prior, **options)

    game, other = doubled(reuse=True, loss=loss, turns=2), doubled()
    rule = losses.get(loss)
    generator, discriminator = other.generator.train(), other.discriminator.train()
    of_g, of_d = (other.players[name].optimizer for name in ("generator", "discriminator"))
    for step in range(3):
        other.step = step
        for turn in range(2):
            batch = other.draw("discriminator", turn)
            fake = generator(batch.z)
            of_d.zero_grad()
            rule.discriminator(discriminator(batch.real), discriminator(fake.detach())).backward()
            of_d.step()
        of_g.zero_grad()
        rule.generator(discriminator(batch.real), discriminator(fake)).backward()
        of_g.step()
    game.play(3, progress=False)
    for mine, theirs in zip(game.generator.state_dict().values(), generator.state_dict().values(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-9)
    assert game.settings["reuse"] and "reuse" not in other.settings


def test_with_reuse_a_stopped_game_goes_on_as_if_it_had_not(tmp_path: Any):
    whole, first, second = (tiny_game(reuse=True) for _ in range(3))
    whole.play(5, progress=False)
    first.play(2, progress=False)
    first.save(tmp_path)
    second.resume(tmp_path).play(3, progress=False)
    assert same(everything(whole), everything(second))


class Viewing(nn.Module):
    """A discriminator of one's own that needs the usual layout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 8, 4, 2, 1), nn.Linear(8 * 8 * 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.conv(x).view(len(x), -1)).squeeze(1)


def test_convolutions_of_known_networks_are_laid_out_for_the_cpu_and_those_of_others_are_left_alone() -> None:
    def seeing(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return images.view(len(images), -1).view(images.shape)

    images = torch.rand(16, 3, 16, 16) * 2 - 1
    known = nets.DCGANDiscriminator(16, 3, 4, minibatch_std=True)
    for discriminator, changes in ((known, True), (Viewing(), False)):
        generator = nets.DCGANGenerator(16, 3, width=4)
        before = {k: w.detach().clone() for k, w in generator.state_dict().items()}
        game = games.gan(generator, discriminator, images, batch=8, augment=seeing, device="cpu")
        weights = [m.weight for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        assert all(w.is_contiguous(memory_format=torch.channels_last) is changes for w in weights)
        assert all(w.equal(before[k]) for k, w in generator.state_dict().items())
        game.play(2, progress=False)
        assert game.sample(4).is_contiguous()
