"""Every game, one round on an accelerator: on fake CUDA tensors, which know their device and shape and hold no numbers,
so that a tensor left on the CPU is found without a GPU; and on the real thing where there is one.

Without a driver, torch's autograd engine refuses CUDA ("hasPrimaryContext expects a valid device index"), also for fake
tensors: here gradients are zeros of the right shape and device, and forward passes, optimizers, averages and samples
are what is tried.
"""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganlib import Game, cli, compute, data, engine, games, generator, nets, recipes

NAMES = sorted(games.GAMES)


class Fake(FakeTensorMode):
    """Fake tensors that answer one where a number is asked for, and no to every question."""

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0 if args[0].is_floating_point() else 1 if args[0].dtype != torch.bool else False
        return super().dispatch(func, types, args, kwargs)


def source(name: str) -> Any:
    """Data that this game can be played for, on the CPU."""
    if name in ("pix2pix", "bicycle_gan", "cycle_gan"):
        return data.load_pairs("scenes", "test", size=16, paired=name != "cycle_gan")
    if name == "gain":
        return data.Incomplete(torch.tensor([[0.0, 1.0], [torch.nan, 2.0], [1.0, torch.nan]]).repeat(4, 1))
    scenes = data.load("scenes", "test", size=16)
    return data.shrunk(scenes, 2) if name in ("sr_gan", "esr_gan") else scenes


def networks(name: str, classes: int) -> tuple[list[nn.Module], dict[str, Any]]:
    parts = recipes._Parts((3, 16, 16), classes, 1.0)
    if name in recipes.LINEUPS:
        made, options = recipes.LINEUPS[name](parts)
        return made, options
    if name == "gain":
        return [nets.Imputer(2), nets.MaskDiscriminator(2)], {}
    if name == "ambient_gan":
        made, options = networks("gan", classes)
        return made, {**options, "measure": lambda x, rng: x * torch.rand(x.shape, generator=rng).to(x.device)}
    labelled = {"classes": None if name == "gan" else classes, "size": 16, "channels": 3, "width": 4}
    return [nets.ShuffleGenerator(latent=8, **labelled), nets.ShuffleDiscriminator(**labelled)], {"penalty": "r1_r2"}


def play(name: str, held: Any, place: str, made: list[nn.Module], options: dict[str, Any]) -> Game:
    played = games.get(name)(*made, held, batch=4, device=place, precision="fp32", **options)
    played.play(1, progress=False)
    return played


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fake tensors cannot do: parameters are made where they belong, gradients are zeros, nothing is seeded, an
    image pool keeps nothing, no labels are looked at, and no digest of the data is taken."""

    def backward(loss: torch.Tensor, inputs: list[torch.Tensor]) -> None:
        assert loss.device.type == "cuda" and loss.requires_grad
        for w in inputs:
            w.grad = torch.zeros_like(w)

    def grad(outputs: torch.Tensor, inputs: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        wanted = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
        return tuple(torch.zeros_like(x).requires_grad_() for x in wanted)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    monkeypatch.setattr(torch.autograd, "grad", grad)

    def to(net: nn.Module, device: Any = "cuda", **layout: Any) -> nn.Module:
        assert all(w.device.type == torch.device(device).type for w in net.parameters())
        for module in net.modules():
            module._buffers = {k: None if b is None else b.to(device) for k, b in module._buffers.items()}
        return net

    def deepcopy(net: nn.Module) -> nn.Module:
        """torch's own asks fake tensors for their memory, and writes to what is not there."""
        if not isinstance(net, nn.Module):
            return copy.deepcopy(net)
        tensors = [*net.parameters(), *net.buffers()]
        fresh = [nn.Parameter(torch.empty_like(w)) if w.requires_grad else torch.empty_like(w) for w in tensors]
        return copy.deepcopy(net, {id(old): new for old, new in zip(tensors, fresh, strict=True)})

    def unseeded(*key: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    monkeypatch.setattr(engine, "copy", SimpleNamespace(deepcopy=deepcopy))
    monkeypatch.setattr(nn.Module, "to", to)
    monkeypatch.setattr(nets.ImagePool, "exchange", lambda pool, fresh, rng: fresh)
    monkeypatch.setattr(compute, "seeded", unseeded)
    monkeypatch.setattr(engine, "fingerprint", lambda data: "")
    monkeypatch.setattr(
        generator, "spread_labels", lambda labels, n, classes: torch.zeros(n).long() if classes else None
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "clustered_gan"])  # which has to count clusters
def test_a_round_on_fake_cuda_tensors(fake_cuda: None, name: str):
    held = source(name)
    with Fake(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            made, options = networks(name, 4)
        game = play(name, held, "cuda", made, options)
        assert game.step == 1 and game.sample(2).device.type == "cpu"
    for player in game.players.values():
        assert all(w.device.type == "cuda" for w in player.net.parameters())
        moments = [v for state in player.optimizer.state.values() for v in state.values() if v.dim()]
        assert moments and all(v.device.type == "cuda" for v in moments)


def test_fake_tensors_find_what_was_left_on_the_cpu(fake_cuda: None):
    class Forgetful(nets.ShuffleGenerator):
        def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(z) + torch.zeros(3, 16, 16)

    held = source("gan")
    with Fake(allow_non_fake_inputs=True), pytest.raises(RuntimeError, match="same device.* cuda:0 and cpu"):
        with torch.device("cuda"):
            g, d = Forgetful(size=16, channels=3, latent=8, width=4), nets.ShuffleDiscriminator(16, 3, 4)
        games.gan(g, d, held, batch=4, device="cuda", precision="fp32").play(1, progress=False)


# ---- a real accelerator --------------------------------------------------------------------------------------------

REAL = torch.accelerator.is_available()


@pytest.mark.gpu
@pytest.mark.skipif(not REAL, reason="needs an accelerator (CUDA, MPS, XPU), and torch finds none here")
@pytest.mark.parametrize("name", NAMES)
def test_a_round_on_the_accelerator(name: str):
    game = play(name, source(name), str(compute.device()), *networks(name, 4))
    assert game.step == 1 and game.sample(2).isfinite().all()


@pytest.mark.gpu
@pytest.mark.skipif(not REAL, reason="needs an accelerator (CUDA, MPS, XPU), and torch finds none here")
def test_a_run_on_the_accelerator_is_sampled_there_and_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = str(tmp_path / "r")
    assert cli.main(["train", "ring", "--steps", "5", "--out", folder]) == 0
    for place in ("", "cpu"):
        monkeypatch.setenv("GANLIB_DEVICE", place)
        assert cli.main(["sample", folder, "-n", "9", "--out", str(tmp_path / f"s{place}.npz")]) == 0


@pytest.mark.gpu
@pytest.mark.skipif(not REAL, reason="needs an accelerator (CUDA, MPS, XPU), and torch finds none here")
def test_what_a_network_draws_there_is_keyed_and_the_callers_stream_is_put_back():
    place = compute.device()
    before = torch.get_device_module(place).get_rng_state()
    draws = []
    for _ in range(2):
        with compute.seeded(place, 7):
            draws.append(torch.rand(5, device=place))
    assert torch.equal(*draws) and torch.equal(before, torch.get_device_module(place).get_rng_state())


@pytest.mark.gpu
@pytest.mark.skipif(not REAL, reason="needs an accelerator (CUDA, MPS, XPU), and torch finds none here")
@pytest.mark.parametrize("penalty", ["r1_r2", "gradient_penalty"])
def test_the_slope_of_a_slope_there_is_that_of_the_cpu(penalty: str):
    found = []
    for place in ("cpu", str(compute.device())):
        torch.manual_seed(0)
        pair = nets.ShuffleGenerator(16, width=4), nets.ShuffleDiscriminator(16, width=4)
        images = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
        made = games.gan(*pair, images, batch=8, penalty=penalty, device=place, precision="fp32")
        made.play(2, progress=False)
        found.append({k: v.cpu() for k, v in made.discriminator.state_dict().items()})
    assert all(torch.allclose(v, found[1][k], atol=1e-3) for k, v in found[0].items())
