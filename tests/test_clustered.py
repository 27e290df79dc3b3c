"""Clusters as hidden classes: the labels that k-means gives, the generator that draws them, and the game."""

from __future__ import annotations

import pytest
import torch

from ganlib import compute, data, games, nets, recipes


def two_heaps(n: int = 60) -> data.Dataset:
    """Points around (-5, -5) and (5, 5), two thirds of them around the first."""
    rng = compute.generator(0, "heaps")
    side = torch.where(torch.arange(n) % 3 < 2, -5.0, 5.0)
    return data.Dataset("heaps", side[:, None] + torch.randn(n, 2, generator=rng))


def test_clusters_are_the_heaps() -> None:
    found = data.clustered(two_heaps(), 2)
    assert found.y is not None and found.classes == ("cluster 0", "cluster 1")
    first = found.x[:, 0] < 0
    assert len(found.y[first].unique()) == len(found.y[~first].unique()) == 1
    assert found.y[first][0] != found.y[~first][0]


def test_clusters_are_the_same_each_time_and_differ_with_the_seed() -> None:
    digits = data.load("digits8")
    first, again, other = (data.clustered(digits, 10, seed=seed).y for seed in (0, 0, 1))
    assert first is not None and again is not None and other is not None
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first.unique(), torch.arange(10))


def test_clusters_of_digits_know_more_about_digits_than_chance() -> None:
    digits = data.load("digits8")
    found = data.clustered(digits, 20).y
    assert found is not None and digits.y is not None
    table = torch.zeros(20, 10).index_put_((found, digits.y), torch.ones(len(found)), accumulate=True)
    assert table.amax(1).sum() / len(found) > 0.7  # chance: about 0.1


@pytest.mark.parametrize(
    ("clusters", "error"), [(0, ValueError), (61, ValueError), (2.5, ValueError), ("2", TypeError)]
)
def test_a_wrong_number_of_clusters_is_refused(clusters: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="clusters must be"):
        data.clustered(two_heaps(), clusters)  # type: ignore[arg-type]


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_classes_are_drawn_with_their_shares(prior: str) -> None:
    shares = torch.tensor([3.0, 0.0, 1.0])
    net = nets.Clustered(nets.MLPGenerator(latent=2, classes=3, prior=prior), shares)
    assert net.latent == 3 and net.classes is None and net.prior == prior
    rng = compute.generator(0, "shares")
    z = torch.rand(20_000, 3, generator=rng) * 2 - 1 if prior == "uniform" else torch.randn(20_000, 3, generator=rng)
    found = torch.bincount(net.choose(z), minlength=3) / 20_000
    assert found[1] == 0
    assert abs(found[0] - 0.75) < 4 * (0.75 * 0.25 / 20_000) ** 0.5


def test_a_drawn_class_is_an_asked_one() -> None:
    net = nets.Clustered(nets.MLPGenerator(latent=2, classes=4), torch.ones(4))
    z = torch.randn(50, 3, generator=compute.generator(0, "asked"))
    assert torch.equal(net(z), net.generator(z[:, :2], net.choose(z)))
    other = (net.choose(z) + 1) % 4
    assert torch.equal(net(z, other), net.generator(z[:, :2], other))


@pytest.mark.parametrize(
    ("generator", "shares", "message"),
    [
        (nets.MLPGenerator(), torch.ones(2), "generator must be conditional"),
        (nets.MLPGenerator(classes=3), torch.ones(2), r"shares must have shape \(3,\)"),
        (nets.MLPGenerator(classes=2), torch.tensor([1.0, -1.0]), "shares must be at least 0"),
        (nets.MLPGenerator(classes=2), torch.zeros(2), "shares must be at least 0, and some above"),
    ],
)
def test_shares_that_do_not_fit_are_refused(generator: torch.nn.Module, shares: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nets.Clustered(generator, shares)


def test_the_game_finds_both_heaps_in_their_proportion() -> None:
    torch.manual_seed(0)
    generator = nets.MLPGenerator(width=32, layers=2, classes=2, scale=5.0)
    discriminator = nets.MLPDiscriminator(width=32, layers=2, classes=2, scale=5.0)
    game = games.clustered_gan(generator, discriminator, two_heaps(), penalty="r1", lr=2e-3, batch=32)
    assert game.settings["game"] == "clustered_gan" and game.generator.classes is None
    game.play(150)
    samples = game.sample(2000)
    assert abs((samples[:, 0] < 0).double().mean() - 2 / 3) < 0.05
    assert (samples.abs().mean(1) - 5).abs().mean() < 2  # near a heap's centre, not between the two


def test_networks_or_data_that_do_not_fit_are_refused() -> None:
    conditional = nets.MLPGenerator(classes=2), nets.MLPDiscriminator(classes=2)
    with pytest.raises(TypeError, match=r"data must be a data\.Dataset"):
        games.clustered_gan(*conditional, torch.randn(100, 2))
    with pytest.raises(ValueError, match="must be one number of clusters, got 2 and 3"):
        games.clustered_gan(conditional[0], nets.MLPDiscriminator(classes=3), two_heaps())
    with pytest.raises(ValueError, match="must be one number of clusters, got None and None"):
        games.clustered_gan(nets.MLPGenerator(), nets.MLPDiscriminator(), two_heaps())


def test_images_play_it_by_default_and_points_do_not() -> None:
    images, points = recipes.Settings("digits"), recipes.Settings("ring")
    recipes.build(images)
    recipes.build(points)
    assert (images.game, points.game) == ("clustered_gan", "gan")
    with pytest.raises(ValueError, match="are not at least 40 images: game='clustered_gan' needs them"):
        recipes.build(recipes.Settings("flowers", game="clustered_gan"))
