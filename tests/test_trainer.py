"""The image GAN that trains in the page: as PyTorch does, fast enough, and what is refused. In a page: tests/page/."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import torch
import traitlets
from torch import Tensor, nn

from ganlib import compute, data, widgets
from tests.in_torch import InTorch, numbers
from tests.test_laboratory import environment

TRAINING, HELD_OUT = (data.load("digits8", split).x for split in ("train", "test"))
ROUNDS, BATCH, RATES = 20, 64, {"rateG": 0.002, "rateD": 0.001}
GAMES = [(loss, r1) for loss in widgets.LABORATORY_LOSSES for r1 in (0.0, 0.2)]


def trainer(images: Any = TRAINING, held_out: Any = HELD_OUT, **options: Any) -> widgets.Trainer:
    return widgets.trainer(images, held_out, **options)


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    sizes = ((16, 128), (128, 128), (128, 64)), ((64, 128), (128, 128), (128, 1))
    G, D = ([layer for pair in net for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2))][:-1] for net in sizes)
    return nn.Sequential(*G, nn.Tanh()), nn.Sequential(*D, nn.Flatten(0))


@functools.cache
def batches() -> list[tuple[Tensor, Tensor]]:
    """(images, z) of each step in turn, first of D, then of G."""
    rng, x = compute.generator("trainer", 0), TRAINING.flatten(1).float() / 127.5 - 1
    picks = [torch.randint(len(x), (BATCH,), generator=rng) for _ in range(2 * ROUNDS)]
    return [(x[pick], torch.randn(BATCH, 16, generator=rng)) for pick in picks]


def in_torch(loss: str, r1: float, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Losses of all steps, and the weights of G, D and the averaged G after them."""
    adam = functools.partial(torch.optim.Adam, betas=(0.0, 0.99))
    game = InTorch(*(net.to(dtype) for net in networks()), loss, r1, adam, **RATES)
    average = [parameter.detach().clone() for parameter in game.G.parameters()]
    drawn = iter([(x.to(dtype), z.to(dtype)) for x, z in batches()])
    for step in range(1, ROUNDS + 1):
        game.step_d(*next(drawn))
        game.step_g(*next(drawn))
        for mean, now in zip(average, game.G.parameters(), strict=True):
            mean.lerp_(now.detach(), 1 - min(0.995, step / (step + 9)))
    return {"losses": game.seen, "weights": [*game.weights(), *numbers(average)]}


def job() -> dict[str, Any]:
    """What a script needs to play the games of `GAMES`, and how PyTorch played them."""
    return {
        "games": [{"loss": loss, "r1": r1, **RATES} for loss, r1 in GAMES],
        "first": [numbers(net.parameters()) for net in networks()],
        "batches": [numbers(batch) for batch in batches()],
        "played": [in_torch(*game) for game in GAMES],
    }


REPLAY = """
function replay({ games, first, batches, played }, ImageGame) {
  const steps = batches.map(([x, z]) => ({ x: Float32Array.from(x), z: Float32Array.from(z) }));
  return games.map((settings, g) => {
    const facts = { images: new Uint8Array(64), size: 64, settings: { ...settings, batch: 64, seed: 0 } };
    const game = new ImageGame(facts), losses = [], { G, D, average } = game;
    [G, D].forEach((net, n) => net.parameters().forEach(([values], p) => values.set(first[n][p])));
    game.follow(0);
    for (let s = 0; s < steps.length; s += 2) {
      game.round(steps[s], steps[s + 1]);
      losses.push(game.lossD, game.lossG);
    }
    const all = [G, D, average].flatMap(net => net.parameters().map(([values]) => values));
    const far = (a, b) => Array.from(a, (v, i) => Math.abs(v - b[i])).reduce((most, v) => Math.max(most, v), 0);
    const numbers = all.reduce((n, values) => n + values.length, 0), { weights } = played[g];
    return { numbers, losses: far(losses, played[g].losses),
      weights: far(all.map((v, p) => far(v, weights[p])), all.map(() => 0)) };
  });
}
"""


def node(program: str, given: object = None) -> Any:
    """What a program returns that sees the worker's parts by their names and the job as `given`."""
    code = f"{trainer().engine}\n{REPLAY}\nconst given = {json.dumps(given)};\n(async () => {{ {program} }})().then("
    code += (
        "found => process.stdout.write(JSON.stringify(found, (_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v)));"
    )
    command = [environment.find_node()[0], "--input-type=module", "-"]
    result = subprocess.run(command, input=code, capture_output=True, text=True, encoding="utf8")
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def test_twenty_rounds_as_in_pytorch() -> None:
    for game, apart in zip(GAMES, node("return replay(given, ImageGame)", job()), strict=True):
        assert apart["losses"] < 1e-4 and apart["weights"] < 1e-4, game
        assert apart["numbers"] == 2 * 26_944 + 24_961, game


def test_games_differ() -> None:
    """The comparison above could not fail if every setting played the same game."""
    played = [in_torch(*game)["losses"][-1] for game in GAMES]
    assert min(abs(a - b) for i, a in enumerate(played) for b in played[:i]) > 1e-3


BLOCKS = """
const random = new Random(0), draw = n => Float64Array.from({ length: n }, () => random.normal());
return [[4, 4, 3], [5, 7, 2], [8, 1, 9], [3, 3, 3], [64, 6, 5]].map(([m, n, depth]) => {
  const A = draw(m * depth), B = draw(n * depth), C = draw(m * n), all = [A, B, C.slice()];
  addProduct(C, m, n, depth, A, [depth, 1], B, [depth, 1]);
  const D = C.slice();
  addProduct(D, m, n, depth, A, [1, m], B, [1, n]);
  return { m, n, depth, all, C, D };
});
"""


def test_products_in_blocks() -> None:
    for found in node(BLOCKS):
        m, n, depth = found["m"], found["n"], found["depth"]
        A, B, before, C, D = (
            torch.tensor(values, dtype=torch.float64) for values in [*found["all"], found["C"], found["D"]]
        )
        once = before.view(m, n) + A.view(m, depth) @ B.view(n, depth).T
        assert (C.view(m, n) - once).abs().max() < 1e-12
        assert (D.view(m, n) - once - A.view(depth, m).T @ B.view(depth, n)).abs().max() < 1e-12


LEARNS = """
const [{ images, size, settings }, turns] = given;
const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
const game = new ImageGame({ images: Uint8Array.from(images), size, settings }), before = game.distance(), times = [];
for (let i = 0; i < turns; i++) {
  const begun = spent();
  for (let k = 0; k < 20; k++) game.round();
  times.push((spent() - begun) / 20);
}
const median = times.sort((a, b) => a - b)[turns >> 1], { judged, shown } = game;
return { before, after: game.distance(), median, weights: game.weights(), judged, samples: game.samples(), shown };
"""


@pytest.fixture(scope="module")
def learnt() -> dict[str, Any]:
    widget = trainer()
    facts = {"images": list(widget.images), "size": 64, "settings": widget.settings}
    return node(LEARNS, [facts, 25])


def test_from_nothing_to_readable_digits_in_half_a_minute(learnt: dict[str, Any]) -> None:
    """500 rounds; readable digits take some 1200, the reader has 30 seconds of a processor."""
    held = trainer().facts["held"]
    assert 2.0 < held < 2.1 and learnt["before"] > 3 * held and learnt["after"] < 1.3 * held
    assert 1200 * learnt["median"] < 30, "seconds"


def with_weights(widget: widgets.Trainer, weights: Any) -> widgets.Trainer:
    widget.weights = torch.tensor(weights, dtype=torch.float32).numpy().tobytes()
    return widget


def test_the_generator_comes_to_python(learnt: dict[str, Any]) -> None:
    G = with_weights(trainer(), learnt["weights"]).generator()
    z, judged = (torch.tensor(learnt[name]).view(-1, 16) for name in ("shown", "judged"))
    with torch.no_grad():
        images, others = G(z), G(judged)
    assert images.shape == (16, 1, 8, 8) and (images.flatten() - torch.tensor(learnt["samples"])).abs().max() < 1e-5
    distances = torch.cdist(others.flatten(1), TRAINING.flatten(1).float() / 127.5 - 1).amin(1)
    assert abs(distances.quantile(0.5).item() - learnt["after"]) < 1e-3
    with pytest.raises(RuntimeError, match="nothing has trained yet"):
        trainer().generator()
    arrived, numbers = trainer(), torch.tensor(learnt["weights"], dtype=torch.float32).numpy().tobytes()
    arrived.set_state({"weights": memoryview(numbers)})  # as the page sends it
    assert arrived.weights == numbers
    with pytest.raises(traitlets.TraitError, match="weights must hold 107776 bytes or none, got 8"):
        arrived.weights = numbers[:8]


def test_what_it_starts_with() -> None:
    widget = trainer(loss="rpgan", lr=(0.001, 0.004), batch=32, r1=0.1, seed=3)
    assert widget.settings == {"loss": "rpgan", "rateD": 0.004, "rateG": 0.001, "batch": 32, "r1": 0.1, "seed": 3}
    assert not widget.playing and len(widget.images) == TRAINING.numel() and widget.facts["shape"] == [8, 8]
    assert set(widget.facts["losses"]) == set(widgets.LABORATORY_LOSSES)
    assert "export" not in widget.engine.split() and "class ImageGame" in widget.engine
    floats = TRAINING.float() / 127.5 - 1
    assert trainer(floats).images == widget.images
    for name, wrong in (("loss", "hinge"), ("rateD", 0.2), ("batch", 0), ("batch", 1.5), ("r1", -1.0), ("seed", "x")):
        with pytest.raises(traitlets.TraitError, match="settings: "):
            widget.settings = widget.settings | {name: wrong}
    with pytest.raises(traitlets.TraitError, match=r"settings: must hold \['loss', 'rateD'"):
        widget.settings = {"loss": "rpgan"}


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: trainer("digits"), TypeError, "images must be a tensor"),
    (
        lambda: trainer(TRAINING[:8]),
        ValueError,
        r"images must have shape \(N, 1, H, W\) with N ≥ 16 and sides of at most 16",
    ),
    (lambda: trainer(torch.zeros(20, 1, 20, 20)), ValueError, "sides of at most 16"),
    (lambda: trainer(torch.zeros(20, 3, 8, 8)), ValueError, r"images must have shape \(N, 1, H, W\)"),
    (lambda: trainer(torch.zeros(20, 1, 7, 8)), ValueError, r"held_out must have shape \(M, 1, 7, 8\)"),
    (lambda: trainer(torch.zeros(10_000, 1, 8, 8)), ValueError, "the pictures take 640 kB of the page"),
    (lambda: trainer(loss="hinge"), ValueError, "loss='hinge' is not known; choose one of: minimax, non_sat"),
    (lambda: trainer(lr=(1, 2, 3)), ValueError, "lr must be one number, or two: of G and of D"),
    (lambda: trainer(lr=(0.01, 0.5)), ValueError, "lr of D must lie between 0 and 0.1, got 0.5"),
    (lambda: trainer(batch=300), ValueError, "batch must lie between 1 and 256, got 300"),
    (lambda: trainer(r1=-1), ValueError, "r1 must lie between 0 and 10, got -1"),
    (lambda: trainer(seed=1.5), ValueError, "seed must be a whole number"),
    (lambda: trainer(alt=" "), ValueError, "alt must say in words"),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_refusals(make: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
