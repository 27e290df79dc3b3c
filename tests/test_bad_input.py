"""Bad input: each call here is met with an error of the right kind that names the argument and what would be right.

One row a mistake, over the whole library; a mistake worth a row is one that a reader makes.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganlib import (
    Game,
    Player,
    augment,
    checkpoint,
    cli,
    compute,
    data,
    divergences,
    features,
    games,
    generator,
    losses,
    metrics,
    nets,
    penalties,
    recipes,
    toys,
)
from ganlib.engine import Batch

from .tiny import TinyDiscriminator, TinyGenerator, tiny_data

g, d = TinyGenerator, TinyDiscriminator
ones, zeros = torch.ones, torch.zeros
NAN = float("nan")
DIGITS = tuple("0123456789")


def player(net: nn.Module, **options: Any) -> Player:
    return Player(net, lambda b: net(b.z).mean(), torch.optim.SGD(net.parameters(), 0.1), **options)


def game(**options: Any) -> Game:
    return Game({"generator": player(g())}, tiny_data(), **{"batch": 8, **options})


def played(loss: Callable[[Batch], Any]) -> Any:
    made = game()
    made.players["generator"].loss = loss
    return made.play(1, progress=False)


def gan(data: Any = None, **options: Any) -> Game:
    return games.gan(g(), d(), tiny_data() if data is None else data, **{"batch": 8, **options})


def points(n: int = 40, labels: bool = True) -> data.Dataset:
    y = torch.arange(n) % 3 if labels else None
    return data.Dataset("points", torch.randn(n, 2), y, ("a", "b", "c") if labels else ())


def asked() -> tuple[nn.Module, nn.Module]:
    """Networks that take the classes of `points`."""
    return nets.MLPGenerator(classes=3), nets.MLPDiscriminator(classes=3)


def heads(outputs: int) -> nn.Module:
    return nets.TwoHeaded(nets.MLPDiscriminator(), outputs)


def digits(n: int = 100) -> torch.Tensor:
    return zeros(n, 1, 28, 28)


#: (what is called, kind of error, words of the message)
BAD: dict[str, list[tuple[Callable[[], Any], type[Exception], str]]] = {
    "engine": [
        (lambda: game(batch=0), ValueError, "batch must be a whole number of at least 1, got 0"),
        (lambda: game(batch="many"), TypeError, "batch must be a whole number"),
        (lambda: game(batch=True), TypeError, "batch must be a whole number"),
        (lambda: game(seed=-1), ValueError, "seed must be a whole number of at least 0"),
        (lambda: game(averaging=1.0), ValueError, "averaging must be at least 0 and below 1"),
        (lambda: game(averaging=NAN), ValueError, "averaging must be a finite number"),
        (lambda: game(anneal=0), ValueError, "anneal must be a whole number of at least 1"),
        (lambda: game(latent=-1), ValueError, "latent must be a whole number of at least 0"),
        (
            lambda: game(generator="critic"),
            ValueError,
            "generator='critic' is not a player; the players are: generator",
        ),
        (lambda: game(device="tpu9"), ValueError, "device='tpu9' is no device; choose one of: cpu"),
        (lambda: game(device="meta"), ValueError, "device='meta' cannot be used here; choose one of: cpu"),
        (lambda: gan(device="meta"), ValueError, "device='meta' cannot be used here; choose one of: cpu"),
        (lambda: game(prior=lambda n, rng: zeros(n)), ValueError, "prior(n, rng) must return z of shape (n, latent)"),
        (lambda: game(settings={"x": zeros(1)}), TypeError, "settings must be words and numbers"),
        (lambda: Game({}, tiny_data()), TypeError, "players must be a mapping from names to at least one Player"),
        (lambda: Game({"generator": g()}, tiny_data()), TypeError, "players must be a mapping"),
        (lambda: Game([player(g())], tiny_data()), TypeError, "players must be a mapping"),
        (lambda: Game({"generator": player(nn.Linear(3, 2))}, tiny_data()), ValueError, "latent is missing"),
        (lambda: Game({"generator": player(g())}, "ring"), TypeError, "data must be a ganlib.data.Dataset"),
        (lambda: Game({"generator": player(g())}, None), TypeError, "got NoneType"),
        (lambda: Game({"generator": player(g())}, zeros(100)), ValueError, "data must be a float tensor (N, …)"),
        (lambda: Game({"generator": player(g())}, zeros(0, 2)), ValueError, "with N > 0"),
        (lambda: Game({"generator": player(g())}, ones(100, 2).long()), ValueError, "data must be a float tensor"),
        (lambda: Game({"generator": player(g())}, ones(100, 2) * NAN), ValueError, "data must be finite, got NaN"),
        (lambda: Game({"generator": player(g())}, ones(100, 2).double()), TypeError, "data must be torch.float32"),
        (
            lambda: Game({"generator": Player(g(), len, torch.optim.SGD(d().parameters(), 0.1))}, tiny_data()),
            ValueError,
            "player 'generator': 4 of the 4 parameters of its optimizer are not its net's",
        ),
        (lambda: player(g(), turns=0), ValueError, "turns must be a whole number of at least 1, got 0"),
        (lambda: Player(g(), "hinge", torch.optim.SGD(g().parameters())), TypeError, "loss must be a function"),
        (lambda: Player(g(), len, torch.optim.Adam), TypeError, "optimizer must be one that is made"),
        (lambda: game().play(), ValueError, "give either steps (a whole number) or seconds, got neither"),
        (lambda: game().play(1, seconds=1.0), ValueError, "got both"),
        (lambda: game().play(0), ValueError, "steps must be a whole number of at least 1, got 0"),
        (lambda: game().play(2.0), ValueError, "steps must be a whole number of at least 1, got 2.0"),
        (lambda: game().play("10"), TypeError, "steps must be a whole number"),
        (lambda: game().play(seconds=0), ValueError, "seconds must be above 0"),
        (lambda: game().play(seconds=NAN), ValueError, "seconds must be a finite number"),
        (lambda: game().play(seconds="1"), TypeError, "seconds must be a finite number"),
        (lambda: game().play(1, every=0), ValueError, "every must be a whole number of at least 1"),
        (lambda: game().play(1, every=2), ValueError, "every=2 needs a watch to call"),
        (lambda: game().play(1, save_every=0), ValueError, "save_every must be a whole number of at least 1"),
        (lambda: game().play(1, best="frechet"), ValueError, "best='frechet' needs a watch"),
        (lambda: game().play(1, watch=lambda g: 3.0, progress=False), TypeError, "watch must return a mapping or None"),
        (lambda: game(anneal=3).play(4), ValueError, "the learning rates' schedule ends at step 3: 3 steps are left"),
        (lambda: played(lambda b: 1.0), TypeError, "player 'generator': its loss must return a scalar tensor"),
        (lambda: played(lambda b: b.z), TypeError, "got shape (8, 3)"),
        (lambda: played(lambda b: {}), TypeError, "got an empty dict"),
        (lambda: game().sample(0), ValueError, "n must be a whole number of at least 1, got 0"),
        (lambda: game().sample(2.5), ValueError, "n must be a whole number"),
        (lambda: game().sample(3, labels=[1]), ValueError, "labels were given, but this generator is not conditional"),
        (lambda: game().sample(3, seed=-1), ValueError, "seed must be a whole number of at least 0"),
        (lambda: game().translate(zeros(2, 2)), ValueError, "from latents alone: use sample(n)"),
        (lambda: generator.spread_labels([10], 2, DIGITS), ValueError, "labels must lie in 0 … 9, got [10]"),
        (lambda: generator.spread_labels({}, 2, DIGITS), TypeError, "labels must be whole numbers from 0 to 9"),
        (
            lambda: generator.spread_labels("seven", 2, DIGITS),
            ValueError,
            "label='seven' is not known; choose one of: 0",
        ),
        (lambda: game().discriminator, AttributeError, "this game has no player 'discriminator'"),
        (lambda: game().history["critic"], KeyError, "no player 'critic' in this history; its players are: generator"),
    ],
    "games": [
        (lambda: gan(loss="hing"), ValueError, "loss='hing' is not known; choose one of: hinge"),
        (lambda: gan(loss=None), ValueError, "loss=None is not known"),
        (lambda: gan(penalty="r3"), ValueError, "penalty='r3' is not known; choose one of: r1"),
        (lambda: gan(penalty=0.1), TypeError, "penalty must be a name, a Penalty"),
        (lambda: gan(lr=0.0), ValueError, "lr must be above 0"),
        (lambda: gan(lr=(1e-3,)), ValueError, "lr must be one number, or a tuple of two"),
        (lambda: gan(lr="fast"), TypeError, "lr must be a finite number"),
        (lambda: gan(betas=(0.5, 1.0)), ValueError, "betas must be two numbers of at least 0 and below 1"),
        (lambda: gan(betas=0.5), ValueError, "betas must be two numbers"),
        (lambda: gan(precision="fp8"), ValueError, "precision='fp8' is not known; choose one of: fp32, bf16"),
        (lambda: gan(turns=0), ValueError, "turns must be a whole number of at least 1"),
        (lambda: gan(zeros(100, 3)), ValueError, "the generator's samples have shape (2,), but those of the data (3,)"),
        (lambda: games.gan(g, d(), tiny_data()), TypeError, "generator must be an nn.Module"),
        (lambda: games.gan(g(), None, tiny_data()), TypeError, "discriminator must be an nn.Module"),
        (
            lambda: games.gan(g(), nn.Linear(2, 1), tiny_data()),
            ValueError,
            "must return logits of shape (64,), got (64, 1)",
        ),
        (lambda: games.conditional_gan(g(), d(), points(labels=False)), ValueError, "data have no labels"),
        (
            lambda: games.conditional_gan(g(), d(), points()),
            ValueError,
            "generator.classes must be 3, as the data have",
        ),
        (lambda: games.gan(nets.MLPGenerator(classes=3), d(), points()), ValueError, "use games.conditional_gan"),
        (lambda: games.ac_gan(g(), d(), points(labels=False)), ValueError, "data have no labels"),
        (lambda: games.info_gan(g(), d(), tiny_data()), ValueError, "discriminator.outputs must be 10"),
        (lambda: games.Codes(categorical=(1,)), ValueError, "categorical must be a whole number of at least 2, got 1"),
        (lambda: games.Codes(categorical=()), ValueError, "must hold at least one code"),
        (lambda: games.vae(g(), d(), tiny_data()), ValueError, "generator.latent and encoder.latent must be the same"),
        (lambda: games.gan(g(), d(), data.load_pairs("scenes", size=16)), TypeError, "data are pairs"),
        (lambda: one_net_twice(), ValueError, "must be networks of their own"),
        (lambda: games.pix2pix(g(), d(), tiny_data()), TypeError, "data must be pairs of inputs and targets"),
        (lambda: games.star_gan(g(), d(), points(labels=False)), ValueError, "data have no labels"),
        (
            lambda: gan(augment="cutout"),
            ValueError,
            "augment='cutout' changes images (N, C, H, W); the data are of shape (8, 2)",
        ),
        (
            lambda: games.eb_gan(g(), d(), tiny_data(), loss="hinge"),
            TypeError,
            "loss must be left out: this game has its own",
        ),
        (
            lambda: games.star_gan(
                nets.ResidualGenerator(width=4, blocks=1, classes=4),
                nets.PatchDiscriminator(width=4),
                data.load("scenes", size=16),
                batch=2,
            ),
            TypeError,
            "the discriminator must return (logits, logits of the domains), such as nets.DomainDiscriminator",
        ),
        (
            lambda: games.bicycle_gan(
                nets.UNet(16, width=4, latent=2),
                nets.ShuffleEncoder(16, 3, latent=2, width=4, gaussian=False),
                nets.PatchDiscriminator(inputs=3, width=4),
                data.load_pairs("scenes", size=16),
                batch=2,
            ),
            TypeError,
            "the encoder must return (mean, log-variance), such as nets.ShuffleEncoder(gaussian=True)",
        ),
        (
            lambda: games.bicycle_gan(
                nets.UNet(16, width=4, latent=2),
                nets.ShuffleEncoder(16, 3, latent=3, width=4),
                nets.PatchDiscriminator(inputs=3, width=4),
                data.load_pairs("scenes", size=16),
                batch=2,
            ),
            ValueError,
            "mean and log-variance of the encoder must have shape (2, 2) like z, got (2, 3)",
        ),
        (
            lambda: games.pix2pix(
                nets.UNet(16, width=4),
                nets.PatchDiscriminator(width=4),
                data.load_pairs("scenes", size=16),
                batch=2,
            ),
            ValueError,
            "inputs must be left out: this network was made with inputs=0",
        ),
        (
            lambda: games.conditional_gan(*asked(), points(), bach=4),
            ValueError,
            "option='bach' is not known; choose one of: batch",
        ),
        (lambda: games.ac_gan(asked()[0], heads(3), points(), also=len), ValueError, "option='also' is not known"),
        (
            lambda: games.info_gan(nets.MLPGenerator(12), heads(10), points(), steps=4),
            ValueError,
            "option='steps' is not known",
        ),
        (lambda: games.eb_gan(g(), d(), points(), aug=4), ValueError, "option='aug' is not known"),
        (lambda: games.clustered_gan(*asked(), points(), x=4), ValueError, "option='x' is not known"),
        (
            lambda: games.lr_gan(g(), nets.MLPEncoder(3, gaussian=False), d(), points(), seeds=4),
            ValueError,
            "option='seeds' is not known",
        ),
        (lambda: games.get("pix2pik"), ValueError, "game='pix2pik' is not known; choose one of: pix2pix"),
    ],
    "nets": [
        (lambda: nets.MLPGenerator(latent=0), ValueError, "latent must be a whole number of at least 1, got 0"),
        (lambda: nets.MLPGenerator(prior="cauchy"), ValueError, "prior='cauchy' is not known; choose one of: normal"),
        (lambda: nets.MLPGenerator(classes=3, condition="telepathy"), ValueError, "condition='telepathy' is not known"),
        (lambda: nets.MLPGenerator()(zeros(4, 5)), ValueError, "(N, 2), got (4, 5)"),
        (lambda: nets.MLPGenerator()(zeros(4, 2).long()), TypeError, "must be a tensor of floats, got torch.int64"),
        (lambda: nets.MLPGenerator(classes=3)(zeros(4, 2)), ValueError, "labels must be given"),
        (lambda: nets.MLPGenerator()(zeros(1, 2), zeros(1).long()), ValueError, "labels must be left out"),
        (
            lambda: nets.MLPGenerator(classes=3)(zeros(1, 2), ones(1).long() * 3),
            ValueError,
            "labels must lie between 0 and 2",
        ),
        (lambda: nets.ShuffleGenerator(size=30), ValueError, "such as 28 or 32, got 30"),
        (lambda: nets.DCGANDiscriminator()(zeros(4, 28, 28)), ValueError, "(N, 1, 28, 28), got (4, 28, 28)"),
        (lambda: nets.UNet(28), ValueError, "size must be a power of two of at least 8, got 28"),
        (lambda: nets.MinibatchStd(1), ValueError, "group must be a whole number of at least 2, got 1"),
        (lambda: nets.MinibatchStd(4)(zeros(6, 3)), ValueError, "N, the batch, a multiple of group=4"),
        (lambda: nets.Packed(nets.MLPDiscriminator(classes=3)), ValueError, "net must be made without classes"),
    ],
    "losses and penalties": [
        (lambda: losses.get("wassertein"), ValueError, "choose one of: wasserstein"),
        (lambda: losses.get("rpgan").generator(None, zeros(3)), ValueError, "real_logits must pair with fake_logits"),
        (lambda: losses.weighted("minimax", 1.0), ValueError, "alpha must lie strictly between 0 and 1, got 1.0"),
        (lambda: losses.weighted("hinge", 0.5), ValueError, "loss='hinge' is not known"),
        (lambda: losses.energy_based(0.0), ValueError, "margin must"),
        (lambda: losses.f_gan("kl2"), ValueError, "divergence='kl2' is not known"),
        (lambda: penalties.r1(-1.0), ValueError, "weight must be a finite number of at least 0, got -1.0"),
        (lambda: penalties.r1(every=0), ValueError, "every must be a whole number of at least 1, got 0"),
        (lambda: penalties.gradient_penalty(target=NAN), ValueError, "target must be a finite number"),
        (lambda: penalties.weight_clipping(0.0), ValueError, "limit must be above 0"),
        (lambda: penalties.spectral_norm(nn.ReLU()), ValueError, "net must have a linear or convolutional layer"),
        (lambda: penalties.get("r0"), ValueError, "penalty='r0' is not known; choose one of: r1"),
        (lambda: augment.get("blur"), ValueError, "'blur' is not known"),
    ],
    "metrics and features": [
        (
            lambda: metrics.frechet_distance(zeros(5), zeros(5)),
            ValueError,
            "features_a must have shape (N, F), got (5,)",
        ),
        (
            lambda: metrics.frechet_distance(zeros(5, 8), zeros(9, 8)),
            ValueError,
            "features_a must hold more samples than",
        ),
        (lambda: metrics.frechet_distance(zeros(9, 2), zeros(9, 3)), ValueError, "features_b must have the 2 features"),
        (lambda: metrics.frechet_distance(zeros(9, 2) * NAN, zeros(9, 2)), ValueError, "features_a must be finite"),
        (lambda: metrics.frechet_digits(digits(10)), ValueError, "images must be more than the 64 features, got 10"),
        (lambda: metrics.frechet_digits(zeros(100, 28, 28)), ValueError, "images must have shape"),
        (lambda: metrics.frechet_digits(digits(), split="val"), ValueError, "split='val' is not known"),
        (lambda: metrics.class_accuracy(digits(3), torch.tensor([0, 1])), ValueError, "labels must have shape (3,)"),
        (
            lambda: metrics.class_accuracy(digits(1), torch.tensor([11])),
            ValueError,
            "labels must be integers from 0 to 9",
        ),
        (lambda: metrics.modes(zeros(10, 3), toys.ring()), ValueError, "samples must have shape"),
        (lambda: metrics.modes(zeros(10, 2), "ring"), TypeError, "mixture must be"),
        (
            lambda: metrics.frechet_digits(torch.linspace(0, 255, 784 * 70).view(70, 1, 28, 28)),
            ValueError,
            "images must be floats in [-1, 1] or uint8, got floats from 0 to 255",
        ),
        (lambda: features.digit_features(digits() - 1.1), ValueError, "got floats from -1.1 to -1.1"),
        (lambda: features.digit_logits(digits() / 0), ValueError, "images must be finite, got NaN or infinity"),
        (lambda: features.digit_features(zeros(2, 3, 28, 28)), ValueError, "images must have shape"),
        (lambda: metrics.kid(zeros(5, 2), zeros(5, 3)), ValueError, "features_b must"),
        (
            lambda: metrics.precision_recall(zeros(9, 2), zeros(9, 2), k=0),
            ValueError,
            "k must be a whole number of at least 1",
        ),
        (lambda: metrics.inception_score(zeros(5)), ValueError, "logits must have shape"),
    ],
    "data and densities": [
        (lambda: data.load("digit"), ValueError, "digits"),
        (lambda: data.load("digits", split="val"), ValueError, "split='val' is not known; choose one of: "),
        (lambda: data.load("digits", size=0), ValueError, "size must be a whole number of at least 1, got 0"),
        (lambda: data.load_pairs("scenes", task="dawn"), ValueError, "task='dawn' is not known"),
        (lambda: data.Dataset("x", zeros(3, 2).double()), TypeError, "x must be a tensor of uint8 images or float32"),
        (lambda: data.Dataset("x", zeros(0, 2)), ValueError, "x holds no samples"),
        (lambda: data.Dataset("x", zeros(3)), ValueError, "x must have shape (N, D) for float32 points, got (3,)"),
        (lambda: data.Dataset("x", zeros(3, 2), zeros(3), ("a",)), TypeError, "y must be whole numbers"),
        (lambda: data.Dataset("x", zeros(3, 2), zeros(2).long(), ("a",)), ValueError, "y must have shape (3,)"),
        (lambda: data.Dataset("x", zeros(3, 2), ones(3).long(), ("a",)), ValueError, "y must lie between 0 and 0"),
        (lambda: data.Dataset("x", zeros(3, 2) / 0), ValueError, "x must be finite, got NaN or infinity"),
        (lambda: data.Dataset("x", ones(3, 2) / 0), ValueError, "x must be finite, got NaN or infinity"),
        (lambda: points().draw(3, 0), TypeError, "generator must be a torch.Generator"),
        (lambda: points().image_shape, ValueError, "not images"),
        (lambda: data.clustered(toys.ring(), 3), TypeError, "dataset must be a data.Dataset, got Mixture"),
        (
            lambda: data.shrunk(data.load("digits"), 3),
            ValueError,
            "factor must divide the sides of the images, 28 and 28",
        ),
        (lambda: toys.get("rings"), ValueError, "'rings' is not known; choose one of: ring"),
        (lambda: toys.ring(modes=0), ValueError, "modes must be a whole number of at least 1, got 0"),
        (lambda: toys.ring(std=0.0), ValueError, "stds must be positive and finite, got 0.0"),
        (
            lambda: divergences.kl(ones(2), ones(3)),
            ValueError,
            "p must be probabilities, at least 0 and adding up to 1",
        ),
    ],
    "compute": [
        (lambda: compute.autocast("cpu", "half"), ValueError, "precision='half' is not known"),
        (lambda: compute.budget(0), ValueError, "cpu must be a whole number of at least 1, got 0"),
        (lambda: compute.generator(), TypeError, "key must have at least one"),
        (lambda: compute.generator(0.5), TypeError, "key must be whole numbers and text, got 0.5"),
    ],
    "checkpoint": [
        (
            lambda: game().resume("/nowhere"),
            checkpoint.CheckpointError,
            "there is no checkpoint /nowhere/last.safetensors",
        ),
        (lambda: checkpoint.load(np.__file__), checkpoint.CheckpointError, "is not a whole safetensors file"),
        (lambda: checkpoint.load(Path(__file__).parent), checkpoint.CheckpointError, "there is no checkpoint"),
    ],
    "recipes": [
        (lambda: recipes.Settings("ring", game="poker"), ValueError, "game='poker' is not known; choose one of"),
        (lambda: recipes.Settings("ring", steps=5, seconds=5), ValueError, "give either steps or seconds, not both"),
        (lambda: recipes.Settings("ring", steps=-5), ValueError, "steps must be a whole number of at least 1, got -5"),
        (lambda: recipes.Settings("ring", seconds=math.inf), ValueError, "seconds must be a finite number"),
        (lambda: recipes.load_data("cifar11"), ValueError, "data='cifar11' is not known; choose one of: cifar10"),
        (lambda: recipes.build(recipes.Settings("ring", game="pix2pix")), ValueError, "data 'ring' are no pairs"),
        (lambda: recipes.build(recipes.Settings("ring", game="esr_gan")), ValueError, "data 'ring' are no images"),
        (lambda: recipes.build(recipes.Settings("ring", game="star_gan")), ValueError, "data 'ring' are no images"),
    ],
}
ROWS = [(f"{layer} {i}", *row) for layer, rows in BAD.items() for i, row in enumerate(rows)]


def one_net_twice() -> Game:
    translator = nets.ResidualGenerator()
    judges = nets.PatchDiscriminator(), nets.PatchDiscriminator()
    return games.cycle_gan(translator, translator, *judges, data.load_pairs("scenes", size=16))


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_input_is_named(call: Callable[[], Any], error: type[Exception], words: str):
    with pytest.raises(error, match=re.escape(words)):
        call()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a driver")
def test_an_accelerator_that_is_not_there_is_refused_with_what_is():
    with pytest.raises(ValueError, match="^device='cuda' cannot be used here; choose one of: cpu"):
        gan(device="cuda")


def dcgan(batch_norm: bool, penalty: Any) -> Game:
    shape = {"size": 16, "channels": 1, "width": 2}
    pair = nets.DCGANGenerator(**shape), nets.DCGANDiscriminator(**shape, batch_norm=batch_norm)
    return games.gan(*pair, zeros(9, 1, 16, 16), penalty=penalty, batch=4)


@pytest.mark.parametrize("penalty", penalties.OF_SLOPES)
def test_a_slope_at_each_sample_beside_batch_norm_is_warned_of(penalty: str):
    with pytest.warns(
        UserWarning, match=rf"^penalty {penalty} is for a .* in its BatchNorm '\S+' samples meet"
    ) as said:
        dcgan(True, penalty)
    assert said[0].filename == __file__  # the reader's line


@pytest.mark.parametrize(("batch_norm", "penalty"), [(False, "r1"), (True, "weight_clipping"), (True, ())])
def test_what_batch_norm_does_not_disturb_is_not_warned_of(batch_norm: bool, penalty: Any):
    with warnings.catch_warnings(action="error"):
        dcgan(batch_norm, penalty)


def test_there_are_a_hundred_kinds():
    assert len({words for _, _, _, words in ROWS}) >= 100


# ---- generated -----------------------------------------------------------------------------------------------------

#: What is no whole number of at least 1, and what is no finite number of at least 0.
NO_COUNT = st.integers(max_value=0) | st.floats() | st.text() | st.none() | st.booleans() | st.lists(st.integers())
NO_WEIGHT = (
    st.floats(max_value=-1e-300)
    | st.sampled_from([math.nan, math.inf, -math.inf])
    | st.integers(max_value=-1)
    | st.text()
    | st.booleans()
    | st.lists(st.floats())
)

COUNTS: dict[str, Callable[[Any], Any]] = {
    "batch": lambda value: game(batch=value),
    "turns": lambda value: player(g(), turns=value),
    "every": lambda value: penalties.r1(every=value),
    "n": lambda value: points().draw(value, compute.generator(0)),
    "latent": lambda value: nets.MLPGenerator(latent=value),
    "width": lambda value: nets.MLPGenerator(width=value),
    "layers": lambda value: nets.MLPDiscriminator(layers=value),
    "modes": lambda value: toys.ring(modes=value),
    "k": lambda value: metrics.precision_recall(torch.randn(9, 2), torch.randn(9, 2), k=value),
    "cpu": lambda value: compute.budget(value),
    "save_every": lambda value: game().play(1, save_every=value),
}
WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "weight": lambda value: penalties.r1(value),
    "target": lambda value: penalties.gradient_penalty(target=value),
    "beta": lambda value: games.vae(nets.MLPGenerator(), nets.MLPEncoder(), tiny_data(), beta=value),
    "information": lambda value: games.info_gan(g(), d(), tiny_data(), information=value),
    "seconds": lambda value: recipes.Settings("ring", seconds=value),
    "seed": lambda value: game(seed=value),
}
NAMES: dict[str, Callable[[str], Any]] = {
    "loss": lambda value: gan(loss=value),
    "penalty": lambda value: gan(penalty=value),
    "precision": lambda value: gan(precision=value),
    "game": lambda value: games.get(value),
    "prior": lambda value: nets.MLPGenerator(prior=value),
    "split": lambda value: data.load("digits", split=value),
    "task": lambda value: data.load_pairs("scenes", task=value),
}


@settings(max_examples=25)
@given(value=NO_COUNT)
@pytest.mark.parametrize("name", COUNTS)
def test_what_is_no_count_is_refused_by_its_name(name: str, value: Any):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must be a whole number of at least 1, got "):
        COUNTS[name](value)


@settings(max_examples=25)
@given(value=NO_WEIGHT)
@pytest.mark.parametrize("name", WEIGHTS)
def test_what_is_no_weight_is_refused_by_its_name(name: str, value: Any):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must be (a finite number|a whole number|above 0)"):
        WEIGHTS[name](value)


@settings(max_examples=15)
@given(value=st.text(alphabet="abcxyz é\n", min_size=1, max_size=12))
@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str, value: str):
    with pytest.raises(ValueError, match=f"^{name}=.* is not known; choose one of: "):
        NAMES[name](value)


@settings(max_examples=25)
@given(value=st.integers(max_value=0) | st.floats(allow_nan=True))
@pytest.mark.parametrize("option", ["--steps", "--save-every", "--seed"])
def test_numbers_that_cannot_be_are_code_2_on_the_command_line(option: str, value: float):
    if option == "--seed" and value == 0 and isinstance(value, int):
        return
    assert cli.main(["train", "ring", f"{option}={value}", "--out", "never-made"]) == 2  # in the working directory
    assert not Path("never-made").exists()


@settings(max_examples=40)
@given(rows=st.integers(0, 5), columns=st.integers(0, 5), n=st.integers(0, 3))
def test_samples_of_any_wrong_shape_are_refused(rows: int, columns: int, n: int):
    shape = (n, 1, rows, columns)
    with pytest.raises(ValueError, match=r"images must (have shape|be more than)"):
        metrics.frechet_digits(zeros(shape))
