"""Progressive growing: what both networks compute at whole levels and between two, and the game that raises them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import Game, data, games, nets, recipes

from .tiny import everything, same

SIZE, TOP = 16, 2


def pair(size: int = SIZE, level: float = 0.0) -> tuple[nets.ProgressiveGenerator, nets.ProgressiveDiscriminator]:
    """Both networks at this level, in float64, always with the same weights."""
    torch.manual_seed(0)
    generator = nets.ProgressiveGenerator(size, 1, latent=4, width=4).double()
    discriminator = nets.ProgressiveDiscriminator(size, 1, width=4).double()
    for net in (generator, discriminator):
        net.level.fill_(level)
        for name, w in net.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(w)  # 0 at first, which hides where they are added
    return generator, discriminator


def images(n: int = 8, size: int = SIZE) -> Tensor:
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def squares(x: Tensor, side: int) -> Tensor:
    """Means over squares of pixels, by reshaping."""
    k = x.shape[-1] // side
    return x.view(*x.shape[:2], side, k, side, k).mean((3, 5))


def enlarged(x: Tensor, side: int) -> Tensor:
    return x.repeat_interleave(side // x.shape[-1], 2).repeat_interleave(side // x.shape[-1], 3)


def tiny(stage: int = 2, size: int = 8, **options: object) -> Game:
    torch.manual_seed(0)
    networks = nets.ProgressiveGenerator(size, 1, latent=3, width=2), nets.ProgressiveDiscriminator(size, 1, width=2)
    return games.progressive_gan(
        *networks, images(20, size).float(), stage=stage, **{"batch": 8, "precision": "fp32", **options}
    )


# ---- the parts -----------------------------------------------------------------------------------


def test_equalised_weights_keep_the_variance() -> None:
    torch.manual_seed(0)
    x = torch.randn(500, 24, 6, 6)
    plain = nets.EqualisedConv2d(24, 64, 3, gain=1)
    assert plain.weight.std().item() == pytest.approx(1, abs=0.02)
    assert plain(x).var().item() == pytest.approx(1, abs=0.05)
    before = nets.EqualisedConv2d(24, 64, 3)  # E lrelu(y)² = (1 + 0.2²) / 2 · E y²
    assert F.leaky_relu(before(x), 0.2).square().mean().item() == pytest.approx(1.04, abs=0.05)
    w = before.weight * (2 / (24 * 9)) ** 0.5
    assert torch.allclose(before(x[:2]), F.conv2d(x[:2], w, before.bias), atol=1e-5)


def test_pixel_norm_is_the_root_mean_square_of_a_pixel() -> None:
    a = images(6).view(2, 3, 1, -1)
    b = nets.PixelNorm()(a)
    assert torch.allclose(b, a / ((a**2).sum(1, keepdim=True) / 3 + 1e-8) ** 0.5, rtol=1e-12)


def test_widths_double_downwards_up_to_512() -> None:
    assert nets.ProgressiveDiscriminator(32, width=16).widths == [128, 64, 32, 16]
    assert nets.ProgressiveGenerator(16, width=200).widths == [512, 400, 200]


# ---- levels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(TOP + 1))
def test_at_a_whole_level_both_are_plain_stacks(level: int) -> None:
    generator, discriminator = pair(level=level)
    z = torch.randn(8, 4, dtype=torch.float64)
    side = 4 * 2**level
    made = nn.Sequential(*generator.blocks[: level + 1], generator.to_image[level])(z[:, :, None, None])
    assert made.shape == (8, 1, side, side)
    assert torch.equal(generator(z), enlarged(made, SIZE))
    x = images()
    stack = nn.Sequential(discriminator.from_image[level], *discriminator.blocks[: level + 1][::-1])
    features = stack(squares(x, side))
    assert torch.allclose(discriminator.last_features(x), features, atol=1e-12)
    weight, bias = discriminator.out.weight.flatten() / len(features[0]) ** 0.5, discriminator.out.bias
    assert torch.allclose(discriminator(x), features @ weight + bias, atol=1e-12)


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_in_between_images_and_features_are_blends(share: float) -> None:
    generator, discriminator = pair(level=1 + share)
    z, x = torch.randn(8, 4, dtype=torch.float64), images()
    coarse, fine = (pair(level=level)[0](z) for level in (1, 2))
    assert torch.allclose(generator(z), (1 - share) * coarse + share * fine, atol=1e-12)
    h = (1 - share) * discriminator.from_image[1](squares(x, 8))
    h = h + share * discriminator.blocks[2](discriminator.from_image[2](x))
    expected = discriminator.blocks[0](discriminator.blocks[1](h))
    assert torch.allclose(discriminator.last_features(x), expected, atol=1e-12)
    blend = (1 - share) * enlarged(squares(x, 8), SIZE) + share * x
    assert torch.allclose(nets.at_level(x, 1 + share), blend, atol=1e-12)


@pytest.mark.parametrize(("level", "side"), [(0, 4), (0.5, 8), (1, 8), (1.5, 16), (2, 16)])
def test_the_discriminator_ignores_detail_above_its_resolution_and_only_that(level: float, side: int) -> None:
    discriminator, x = pair(level=level)[1], images()
    noise = images().flip(0)
    detail = noise - enlarged(squares(noise, side), SIZE)
    assert torch.allclose(discriminator(x + detail), discriminator(x), atol=1e-12)
    coarser = enlarged(squares(noise, side), SIZE)
    assert (discriminator(x + coarser) - discriminator(x)).abs().max() > 1e-3
    assert torch.allclose(nets.at_level(x + detail, level), nets.at_level(x, level), atol=1e-12)
    assert torch.allclose(discriminator(nets.at_level(x, level)), discriminator(x), atol=1e-12) == (level % 1 == 0)


@pytest.mark.parametrize("size", [4, 12, 28, 0])
def test_a_size_that_is_no_power_of_two_is_refused(size: int) -> None:
    for net in (nets.ProgressiveGenerator, nets.ProgressiveDiscriminator):
        with pytest.raises(ValueError, match=r"size must be a .* got " + str(size)):
            net(size)


def test_misfits_are_refused() -> None:
    generator, discriminator = pair()
    with pytest.raises(ValueError, match=r"images must have shape \(N, 1, 16, 16\), got \(8, 1, 8, 8\)"):
        discriminator(images(size=8))
    with pytest.raises(ValueError, match=r"z must have shape \(N, 4\)"):
        generator(torch.zeros(2, 3))
    with pytest.raises(TypeError, match=r"discriminator must be a nets\.ProgressiveDiscriminator, .* got Shuffle"):
        games.progressive_gan(generator, nets.ShuffleDiscriminator(16), images())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stage must be a whole number of at least 1, got 0"):
        games.progressive_gan(generator, discriminator, images(), stage=0)
    with pytest.raises(ValueError, match="option='conditional' is not known"):
        games.progressive_gan(generator, discriminator, images(), conditional=True)


# ---- the game ------------------------------------------------------------------------------------


def test_the_level_rises_with_the_rounds_and_the_average_follows() -> None:
    game, levels = tiny(stage=2, size=16), []
    assert game.generator.level == 0
    for _ in range(11):
        game.play(1, progress=False)
        assert game.average is not None and game.generator.level == game.discriminator.level == game.average.level
        levels.append(game.generator.level.item())
    assert levels == [0, 0, 0.5, 1, 1, 1, 1.5, 2, 2, 2, 2]
    assert game.settings["game"] == "progressive_gan" and game.settings["stage"] == 2
    assert game.settings["loss"] == "wasserstein" and game.settings["penalty"][0].startswith("gradient_penalty")


def test_the_losses_are_wassersteins_on_reals_that_are_blended() -> None:
    game = tiny(stage=4, size=16, penalty=())
    game.play(14, progress=False)  # the next round fades 16×16 in: level 1 + 3/4
    found = game.players["discriminator"].loss(game.draw("discriminator"))
    batch = game.draw("discriminator")
    assert game.generator.level == 1.75
    shown = 0.25 * enlarged(squares(batch.real, 8), 16) + 0.75 * batch.real
    judge, made = game.discriminator, game.generator(batch.z)
    assert isinstance(found, dict)
    assert found["loss"].item() == pytest.approx((judge(made).mean() - judge(shown).mean()).item(), abs=1e-6)
    batch = game.draw("generator")
    loss = game.players["generator"].loss(batch)
    assert isinstance(loss, Tensor)
    assert loss.item() == pytest.approx(-judge(game.generator(batch.z)).mean().item(), abs=1e-6)


def test_what_is_not_reached_takes_no_gradient_and_no_step_of_adam() -> None:
    game = tiny(stage=2, size=16)
    before = everything(game)
    game.play(4, progress=False)  # up to level 1
    after = everything(game)
    resolutions = {k: k.split(".")[2] for k in before if k.split(".")[1] in ("blocks", "to_image", "from_image")}
    assert {*resolutions.values()} == {"0", "1", "2"}
    for key, resolution in resolutions.items():
        assert torch.equal(before[key], after[key]) == (resolution == "2"), key
    for name in ("generator", "discriminator"):
        net, optimizer = game.players[name].net, game.players[name].optimizer
        untouched = {k for k, w in net.named_parameters() if w not in optimizer.state}
        assert untouched == {k for k, _ in net.named_parameters() if k.split(".")[1] == "2"}


@pytest.mark.parametrize("stop", [3, 5])
def test_a_run_that_is_stopped_in_a_fade_goes_on_exactly(tmp_path: Path, stop: int) -> None:
    whole, first, second = tiny(stage=3), tiny(stage=3), tiny(stage=3)
    whole.play(9, progress=False)
    first.play(stop, progress=False)
    first.save(tmp_path)
    second.play(8, progress=False)  # further than the checkpoint: its Adam remembers what is to be forgotten
    second.resume(tmp_path)
    assert same(everything(second), everything(first))
    second.play(9 - stop, progress=False)
    assert same(everything(whole), everything(second)) and whole.history.losses == second.history.losses
    assert torch.equal(whole.sample(5), second.sample(5))


def test_the_recipe_is_at_full_size_for_the_last_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    game = recipes.build(recipes.Settings("digits", game="progressive_gan", steps=800))
    assert game.settings["stage"] == 100 and game.draw("generator").real.shape == (32, 1, 32, 32)
    odd = data.Dataset("few", torch.zeros(30, 1, 16, 16, dtype=torch.uint8))
    monkeypatch.setattr(recipes, "load_for", lambda settings: odd)
    assert recipes.build(recipes.Settings("few", game="progressive_gan", steps=3)).batch == 28


def test_it_learns_where_the_ink_is() -> None:
    """Images that are dark but for a bright quarter, at either of two places."""
    torch.manual_seed(0)
    x = torch.full((64, 1, 8, 8), -1.0)
    x[:32, :, :4, :4] = x[32:, :, 4:, 4:] = 1.0
    networks = nets.ProgressiveGenerator(8, 1, latent=4, width=8), nets.ProgressiveDiscriminator(8, 1, width=8)
    game = games.progressive_gan(*networks, x, stage=20, batch=8, lr=1e-2, averaging=0.9, precision="fp32")
    game.play(160, progress=False)
    made = game.sample(200)
    distances = (made[:, None] - x[[0, 63]][None]).square().mean((2, 3, 4))
    assert distances.min(1).values.median() < 0.1  # the two are at a distance of 2
    assert 0.2 < (distances[:, 0] < distances[:, 1]).float().mean() < 0.8
