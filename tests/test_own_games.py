"""What a researcher with networks, losses and data of their own runs into: a forgotten word is refused by name, and no
run is lost or continued wrongly in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganlib import Batch, Game, NonFiniteLoss, Player, checkpoint, games, metrics, nets
from ganlib.checkpoint import CheckpointError
from ganlib.data import Dataset, source

from .tiny import TinyDiscriminator, TinyGenerator, everything, same, tiny_data


def own_game(data: Any = None, **generator: Any) -> Game:
    torch.manual_seed(0)
    g, d = TinyGenerator(), TinyDiscriminator()
    softplus = nn.functional.softplus

    def judge(b: Batch) -> Tensor:
        return softplus(-d(b.real)).mean() + softplus(d(g(b.z))).mean()

    def fool(b: Batch) -> Tensor:
        return softplus(-d(g(b.z))).mean()

    players = {
        "discriminator": Player(d, judge, torch.optim.Adam(d.parameters(), 1e-2)),
        "generator": Player(g, fool, torch.optim.Adam(g.parameters(), 1e-2), **generator),
    }
    return Game(players, tiny_data() if data is None else data, batch=16)


# ---- another run's checkpoint --------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["play", "save", "best"])
def test_a_checkpoint_of_another_run_is_not_replaced(tmp_path: Path, write: str):
    own_game().play(3, progress=False, save=tmp_path / "a")
    if write == "best":
        (tmp_path / "a" / "last.safetensors").rename(tmp_path / "a" / "best.safetensors")
    game = own_game()
    with pytest.raises(FileExistsError, match="is of another run, .*: go on with it by game.resume.*, save to another"):
        if write == "save":
            game.save(tmp_path / "a")
        elif write == "play":
            game.play(2, progress=False, save=tmp_path / "a")
        else:
            game.play(2, progress=False, save=tmp_path / "a", watch=lambda g: {"x": 1.0}, best="x")
    assert game.step == 0
    kept = next((tmp_path / "a").glob("*.safetensors"))
    assert checkpoint.load(kept)[0]["step"] == 3
    game.play(2, progress=False, save=tmp_path / "b")
    game.play(2, progress=False, save=tmp_path / "b")
    game.save(tmp_path / "b")


def test_a_run_that_was_resumed_is_saved_where_it_lies(tmp_path: Path):
    own_game().play(3, progress=False, save=tmp_path)
    game = own_game().resume(tmp_path)
    game.play(2, progress=False, save=tmp_path)
    assert own_game().resume(tmp_path).step == 5


# ---- what a watch returns ------------------------------------------------------------------------------------------


def test_numbers_that_a_watch_returns_are_kept_whatever_holds_them(tmp_path: Path):
    seen = {
        "a": torch.tensor(1.5),
        "b": np.float32(2.5),
        "c": np.int64(3),
        "d": torch.ones(1),
        "e": "text",
        "f": [1, 2],
    }
    game = own_game()
    game.play(1, progress=False, save=tmp_path, watch=lambda g: seen)
    wanted = {"a": 1.5, "b": 2.5, "c": 3, "d": 1.0, "e": "text", "f": [1, 2], "step": 1}
    assert game.history.watched == own_game().resume(tmp_path).history.watched == [wanted]


@pytest.mark.parametrize(
    ("seen", "error", "message"),
    [
        ({"map": torch.zeros(2, 3)}, TypeError, r"numbers and text.*got 'map': Tensor of shape \(2, 3\)"),
        ({"figure": object()}, TypeError, "got 'figure': object"),
        ({3: 1.0}, ValueError, "names other than 'step', which the game adds, got 3"),
        ({"step": 7}, ValueError, "names other than 'step', which the game adds, got 'step'"),
    ],
)
def test_what_no_checkpoint_can_keep_is_refused_at_the_call(
    tmp_path: Path, seen: dict[Any, Any], error: type[Exception], message: str
):
    game = own_game()
    with pytest.raises(error, match=message):
        game.play(5, progress=False, save=tmp_path, save_every=5, watch=lambda g: seen)
    assert game.step == 1 == own_game().resume(tmp_path).step


def test_without_a_folder_a_watch_may_return_pictures():
    game = own_game()
    game.play(1, progress=False, watch=lambda g: {"images": torch.zeros(2, 3)})
    assert game.history.watched[0]["images"].shape == (2, 3)


# ---- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loss_that_goes_backward_itself_is_refused(parts: int):
    game = own_game(accumulate=parts)
    fool = game.players["generator"].loss

    def loss(batch: Batch) -> Tensor:
        value = fool(batch)
        assert isinstance(value, Tensor)
        value.backward(retain_graph=True)
        return value

    game.players["generator"].loss = loss
    with pytest.raises(ValueError, match=r"player 'generator': its loss has called backward\(\), which the game does"):
        game.play(1, progress=False)


def test_parts_that_their_owner_has_put_at_rest_stay_there(tmp_path: Path):
    def resting() -> Game:
        game = own_game()
        game.generator.net[1].eval()  # type: ignore[index]
        return game

    game = resting()
    game.play(2, progress=False, watch=lambda g: (g.sample(3), None)[1], save=tmp_path)
    norm = game.generator.net[1]  # type: ignore[index]
    assert game.generator.training and not norm.training and norm.running_mean.abs().max() == 0
    other = own_game().resume(tmp_path)
    assert not other.generator.net[1].training  # type: ignore[index]
    for each in (game, other):
        each.play(2, progress=False)
    assert same(everything(game), everything(other))
    game.generator.eval()  # somebody looked at it: all of it learns again
    game.play(1, progress=False)
    assert norm.training


def test_parameters_that_no_loss_reaches_are_warned_of():
    game = own_game()
    game.generator.spare = nn.Linear(2, 2)
    game.players["generator"].optimizer.add_param_group({"params": list(game.generator.spare.parameters())})
    game.average.spare = nn.Linear(2, 2)  # type: ignore[union-attr]
    with pytest.warns(UserWarning, match="'generator': its loss does not reach 2 of .*, 'spare.weight' first") as seen:
        game.play(3, progress=False)
    assert len(seen) == 1 and seen[0].filename == __file__


def test_a_game_whose_players_share_on_purpose_warns_of_nothing(recwarn: pytest.WarningsRecorder):
    game = games.aae(
        nets.MLPGenerator(), nets.MLPEncoder(gaussian=False), nets.MLPDiscriminator(), tiny_data(), batch=16
    )
    game.play(2, progress=False)
    assert not [str(w.message) for w in recwarn if "player" in str(w.message)]


def test_a_network_of_another_type_is_named():
    g, d = TinyGenerator(), TinyDiscriminator().double()
    players = {
        "discriminator": Player(d, lambda b: d(b.real).mean(), torch.optim.SGD(d.parameters(), 0.1)),
        "generator": Player(g, lambda b: -d(g(b.z)).mean(), torch.optim.SGD(g.parameters(), 0.1)),
    }
    with pytest.raises(TypeError, match="'discriminator': its net must have parameters of torch.float32, .*float64"):
        Game(players, tiny_data())


def test_groups_keep_the_ratio_of_their_rates_at_another_rate(tmp_path: Path):
    def grouped() -> Game:
        game = own_game()
        first, *others = game.generator.parameters()
        groups = [{"params": [first]}, {"params": others, "lr": 1e-3}]
        game.players["generator"].optimizer = torch.optim.Adam(groups, 1e-2)
        return game

    grouped().play(2, progress=False, save=tmp_path)
    game = grouped().resume(tmp_path, lr=5e-3)
    rates = [group["lr"] for group in game.players["generator"].optimizer.param_groups]
    assert rates == pytest.approx([5e-3, 5e-4])


# ---- data ----------------------------------------------------------------------------------------------------------


def shifted(kind: str, shift: float) -> Any:
    x = tiny_data() + shift
    y = torch.arange(100) % 2
    return {
        "tensor": x,
        "array": x.numpy(),
        "labelled": (tiny_data(), y if shift == 0 else 1 - y),
        "dataset": Dataset("mine", x),
        "labels of a data set": Dataset("mine", tiny_data(), y if shift == 0 else 1 - y, ("a", "b")),
    }[kind]


@pytest.mark.parametrize("kind", ["tensor", "array", "labelled", "dataset", "labels of a data set"])
def test_other_data_of_the_same_shape_are_refused_without_a_word(tmp_path: Path, kind: str):
    own_game(shifted(kind, 0)).play(2, progress=False, save=tmp_path)
    own_game(shifted(kind, 0)).resume(tmp_path)
    game = own_game(shifted(kind, 0.5))
    with pytest.raises(CheckpointError, match="other data: .* of other numbers than .*elsewhere=True"):
        game.resume(tmp_path)
    with pytest.warns(UserWarning, match="going on elsewhere, not exactly: other data"):
        assert game.resume(tmp_path, elsewhere=True).step == 2


def test_a_checkpoint_from_before_data_were_compared_is_resumed(tmp_path: Path):
    game = own_game()
    path = game.save(tmp_path)
    facts, tensors = checkpoint.load(path)
    del facts["settings"]["data_digest"]
    checkpoint.write(path, tensors, facts)
    assert own_game().resume(tmp_path).step == 0


class Broken(torch.utils.data.Dataset[Tensor]):
    """Points, of which the last is not a number."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Tensor:
        return torch.full((2,), float("nan") if i == 3 else 1.0)


def test_data_that_hold_no_number_are_named():
    with pytest.raises(NonFiniteLoss, match=r"The real samples that Broken \(4\) drew hold NaN or infinity: mend"):
        own_game(Broken()).play(3, progress=False)


def test_pictures_a_little_beyond_are_no_bytes_and_the_warning_points_here(recwarn: pytest.WarningsRecorder):
    source(torch.linspace(-1.04, 1.06, 64).view(4, 1, 4, 4))
    assert not recwarn
    source(torch.linspace(0, 255, 64).view(4, 1, 4, 4))
    assert recwarn[0].filename == __file__ and "these go from 0 to 255" in str(recwarn[0].message)


# ---- measures ------------------------------------------------------------------------------------------------------


def test_bytes_are_pictures_to_every_measure_or_refused():
    bytes_ = torch.randint(256, (40, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    floats = bytes_ / 127.5 - 1
    assert metrics.sliced_wasserstein(bytes_, floats) == pytest.approx(0, abs=1e-6)
    assert metrics.nearest(bytes_, floats)[0].max() == 0
    a, b = bytes_.flatten(1), floats.flatten(1)
    measures = (metrics.frechet_distance, metrics.kid, metrics.precision_recall, metrics.density_coverage)
    for measure in measures:
        for given in ((a, b), (b, a)):
            with pytest.raises(TypeError, match="must be floats, got torch.uint8: scale pictures as"):
                measure(*given)
