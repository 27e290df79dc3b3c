"""The GAN that trains in the page: its script, run by node, plays as PyTorch does; what it measures is what it says."""

from __future__ import annotations

import base64
import functools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib import compute, divergences, losses, nets, toys, widgets

from .in_torch import InTorch, numbers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import environment  # noqa: E402

SCRIPT = widgets.Laboratory._esm
ROUNDS, BATCH = 20, 64
RATES = {"rateD": 0.01, "rateG": 0.001}  # the widget's own


def node(program: str, given: object = None) -> Any:
    """What a program returns that sees the script's parts as `lab` and the job as `given`."""
    address = "data:text/javascript;base64," + base64.b64encode(SCRIPT.encode()).decode()
    code = f"""
        import * as lab from "{address}";
        const given = {json.dumps(given)};
        const result = (() => {{ {program} }})();
        process.stdout.write(JSON.stringify(result, (_, v) => v instanceof Float64Array ? [...v] : v));
    """
    command = [environment.find_node()[0], "--input-type=module", "-"]
    result = subprocess.run(command, input=code, capture_output=True, text=True, encoding="utf8")
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


# The same game as in PyTorch.

GAMES = [
    (loss, r1, k, dim) for loss in widgets.LABORATORY_LOSSES for r1 in (0.0, 0.7) for k in (1, 2) for dim in (1, 2)
]
NAMES = [f"{loss}-r1={r1:g}-k={k}-dim={dim}" for loss, r1, k, dim in GAMES]
PLAY = """
const put = (net, weights) => net.parameters().forEach(([values], p) => values.set(weights[p]));
const take = net => net.parameters().map(([values]) => values);
return given.games.map(([loss, r1, k, dim]) => {
  const settings = { loss, r1, k, rateD: given.rateD, rateG: given.rateG, adam: given.adam };
  const game = new lab.Game(new lab.Mixture({ dim }), settings, 0);
  put(game.G, given.weights[dim][0]);
  put(game.D, given.weights[dim][1]);
  const batches = given.batches[dim][Symbol.iterator]();
  const next = () => {
    const [x, z] = batches.next().value.map(values => Float64Array.from(values));
    return { x, z };
  };
  const seen = [], first = [];
  for (let round = 0; round < given.rounds; round++) {
    for (let turn = 0; turn < k; turn++) { game.stepD(next()); seen.push(game.lossD); }
    game.stepG(next());
    seen.push(game.lossG);
    if (round === 0) first.push(...structuredClone([...take(game.G), ...take(game.D)]));
  }
  return { losses: seen, first, last: [...take(game.G), ...take(game.D)] };
});
"""


def networks(dim: int) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(dim)
    return nets.MLPGenerator(dim, dim, width=32, layers=2), nets.MLPDiscriminator(dim, width=32, layers=2)


def batches(dim: int) -> list[tuple[Tensor, Tensor]]:
    rng, data = compute.generator("laboratory", dim), toys.two_bumps() if dim == 1 else toys.ring(std=0.1)
    return [(data.sample(BATCH, rng), torch.randn(BATCH, dim, generator=rng)) for _ in range(3 * ROUNDS)]


@functools.cache
def in_node(adam: bool) -> list[Any]:
    job = {
        "games": GAMES,
        "rounds": ROUNDS,
        "adam": adam,
        **RATES,
        "weights": {dim: [numbers(net.parameters()) for net in networks(dim)] for dim in (1, 2)},
        "batches": {dim: [numbers(batch) for batch in batches(dim)] for dim in (1, 2)},
    }
    return node(PLAY, job)


def in_torch(loss: str, r1: float, k: int, dim: int, adam: bool, dtype: torch.dtype) -> dict[str, Any]:
    kind = functools.partial(torch.optim.Adam, betas=(0.5, 0.999)) if adam else torch.optim.SGD
    game = InTorch(*(net.to(dtype) for net in networks(dim)), loss, r1, kind, **RATES)
    drawn = iter([(x.to(dtype), z.to(dtype)) for x, z in batches(dim)])
    first: list[list[float]] = []
    for _ in range(ROUNDS):
        for _ in range(k):
            game.step_d(*next(drawn))
        game.step_g(*next(drawn))
        first = first or game.weights()
    return {"losses": game.seen, "first": first, "last": game.weights()}


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The largest difference between two games' losses and weights."""
    assert all(len(ours[part]) == len(theirs[part]) for part in ("losses", "first", "last"))
    both = zip(*([game["losses"], *game["first"], *game["last"]] for game in (ours, theirs)), strict=True)
    return max(float((torch.tensor(a) - torch.tensor(b)).abs().max()) for a, b in both)


@pytest.mark.parametrize("place", range(len(GAMES)), ids=NAMES)
def test_twenty_rounds_as_in_pytorch(place: int) -> None:
    assert apart(in_node(True)[place], in_torch(*GAMES[place], adam=True, dtype=torch.float64)) < 1e-9
    assert apart(in_node(True)[place], in_torch(*GAMES[place], adam=True, dtype=torch.float32)) < 1e-4


@pytest.mark.parametrize("place", range(0, len(GAMES), 5))
def test_gradient_descent_as_in_pytorch(place: int) -> None:
    assert apart(in_node(False)[place], in_torch(*GAMES[place], adam=False, dtype=torch.float64)) < 1e-11


def test_games_differ() -> None:
    """The comparison above could not fail if every setting played the same game."""
    games = in_node(True)
    for i, j in ((0, 4), (0, 2), (0, 8), (8, 16), (16, 24)):  # another penalty, another k, another loss
        one, other = (torch.tensor(games[place]["last"][0]) for place in (i, j))
        assert (one - other).abs().max() > 1e-3, f"{NAMES[i]} and {NAMES[j]}"


# Its random numbers and its data.


def test_random_numbers() -> None:
    uniform, normal, again, other = node(
        """
        const source = new lab.Random(3), uniform = Array.from({ length: 20000 }, () => source.uniform());
        return [uniform, ...[3, 3, 4].map(seed => new lab.Random(seed).normals(20001))];
        """
    )
    assert normal == again and normal != other
    flat = torch.distributions.Uniform(0, 1)
    bell = torch.distributions.Normal(0, 1)
    for drawn, law in ((uniform, flat), (normal, bell), (other, bell)):
        x = torch.tensor(drawn).sort().values
        ranks = (torch.arange(len(x)) + 0.5) / len(x)
        assert (law.cdf(x.clamp(1e-9) if law is flat else x) - ranks).abs().max() < 1.63 / len(x) ** 0.5  # 1 % level
    assert abs(torch.corrcoef(torch.tensor([normal[:-1], normal[1:]]))[0, 1]) < 0.03


def test_quantiles() -> None:
    below, quantiles = node("return [[-9, -3, -1, 0, 0.5, 2, 9].map(lab.normalBelow), lab.quantiles(200)];")
    law = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    at = torch.tensor([-9, -3, -1, 0, 0.5, 2, 9], dtype=torch.float64)
    assert (torch.tensor(below) - law.cdf(at)).abs().max() < 1e-7
    wanted = law.icdf((torch.arange(200, dtype=torch.float64) + 0.5) / 200)
    assert (torch.tensor(quantiles) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["gaussians", "gaussian", "ring", "grid", "spiral"])
def test_data_are_the_books(name: str) -> None:
    """Samples from the script are where the mixture's probabilities say, and these are the density's integrals."""
    preset = widgets.laboratory(name).presets[name]
    samples, masses, counts = node(
        """
        const data = new lab.Mixture(given), ruler = new lab.Ruler(given.dim, given.extent);
        const samples = data.sample(40000, new lab.Random(1));
        return [samples, ruler.masses(data), ruler.counts(samples).counts];
        """,
        preset,
    )
    mixture = toys.Mixture(preset["weights"], preset["centres"], preset["stds"])
    side, extent = (100, preset["extent"]) if preset["dim"] == 1 else (40, preset["extent"])
    fine = 20  # a midpoint rule within each bin
    axis = ((torch.arange(side * fine, dtype=torch.float64) + 0.5) / (side * fine) * 2 - 1) * extent
    if preset["dim"] == 1:
        density = mixture.log_prob(axis).exp().reshape(side, fine).sum(1)
    else:  # rows are y, columns x
        rows = [mixture.log_prob(torch.stack([axis, y.expand_as(axis)], 1)).exp() for y in axis]
        density = torch.stack(rows).reshape(side, fine, side, fine).sum((1, 3)).flatten()
    wanted = density * (2 * extent / side / fine) ** preset["dim"]
    p, q = torch.tensor(masses, dtype=torch.float64), torch.tensor(counts, dtype=torch.float64)
    assert abs(p.sum() - 1) < 1e-6 and (p - wanted).abs().max() < 1e-5
    assert divergences.total_variation(p / p.sum(), q / q.sum()) < 0.05
    x = torch.tensor(samples).reshape(-1, preset["dim"])
    assert (x.abs() < extent).all(1).float().mean() > 0.999, "the picture shows nearly all of the data"


# What it measures.

MEASURE = """
const game = new lab.Game(new lab.Mixture(given.preset), given.settings, 5);
for (let i = 0; i < 40; i++) game.stepBoth();
const ruler = new lab.Ruler(given.preset.dim, given.preset.extent);
const seen = lab.measure(game, ruler, ruler.masses(game.data)), n = ruler.latents.length / game.data.dim;
return { ...seen, samples: game.G.forward(ruler.latents, n), outputs: game.D.forward(ruler.centres, ruler.bins) };
"""


def settings(loss: str, **more: object) -> dict[str, object]:
    return {"loss": loss, "k": 1, "r1": 0.0, "adam": True, **RATES, **more}


@pytest.mark.parametrize("loss", widgets.LABORATORY_LOSSES)
@pytest.mark.parametrize("name", ["gaussians", "ring"])
def test_value_and_divergence(name: str, loss: str) -> None:
    preset = widgets.laboratory().presets[name]
    seen = node(MEASURE, {"preset": preset, "settings": settings(loss)})
    p, q, d = (torch.tensor(seen[part], dtype=torch.float64) for part in "pqd")
    p, q = p / p.sum(), q / q.sum()
    assert abs(seen["js"] - divergences.js(p, q)) < 1e-6
    assert abs(seen["value"] - (p * d.log() + q * (1 - d).log()).sum()) < 1e-6
    assert seen["bound"] == 2 * seen["js"] - math.log(4) and seen["value"] <= seen["bound"] + 1e-9
    best = torch.where(p + q > 0, p / (p + q).clamp(min=1e-300), 0.5)
    assert abs(seen["off"] - ((p + q) / 2 * (d - best).abs()).sum()) < 1e-6
    outputs = torch.tensor(seen["outputs"], dtype=torch.float64)
    if loss == "least_squares":
        assert torch.allclose(d, outputs.clamp(0.001, 0.999))
    elif loss == "rpgan":  # no other constant gives a larger V
        for constant in torch.linspace(-3, 3, 61, dtype=torch.float64):
            other = torch.sigmoid(outputs - constant)
            assert (p * other.log() + q * (1 - other).log()).sum() <= seen["value"] + 1e-9
    else:
        assert torch.allclose(d, outputs.sigmoid())
    if preset["dim"] == 1:
        extent = preset["extent"]
        inside = torch.tensor(seen["samples"], dtype=torch.float64).clamp(-0.999 * extent, 0.999 * extent)
        counts = torch.histc(inside, 100, -extent, extent) / 4000
        assert abs(counts - q).max() < 1e-3


def test_an_optimal_discriminator_meets_the_bound() -> None:
    """With the logit log p/q in every bin V is −log 4 + 2 JS, also where RpGAN adds a constant to it."""
    for loss, shift in (("minimax", 0.0), ("rpgan", 3.0)):
        found = node(
            """
            const p = [0.5, 0.3, 0.2], q = [0.1, 0.3, 0.6];
            const ruler = { latents: [0], centres: [0], dim: 1, bins: 3, counts: () => ({ counts: q, outside: 0 }) };
            const D = { forward: () => p.map((share, b) => Math.log(share / q[b]) + given.shift) };
            return lab.measure({ G: { forward: () => [] }, D, settings: { loss: given.loss } }, ruler, p);
            """,
            {"loss": loss, "shift": shift},
        )
        assert abs(found["value"] - found["bound"]) < 1e-9 and found["js"] > 0.1 and found["off"] < 1e-9


@pytest.mark.parametrize("loss", widgets.LABORATORY_LOSSES)
def test_arrows_are_minus_the_gradient_of_the_generators_loss(loss: str) -> None:
    preset = widgets.laboratory().presets["ring"]
    found = node(
        """
        const game = new lab.Game(new lab.Mixture(given.preset), given.settings, 2);
        for (let i = 0; i < 20; i++) game.stepBoth();
        const fake = game.G.forward(new lab.Random(1).normals(12), 6), real = game.data.sample(5, new lab.Random(2));
        return [game.pushes(fake, real), fake, real, game.D.parameters().map(([values]) => values)];
        """,
        {"preset": preset, "settings": settings(loss)},
    )
    pushes, fake, real = (torch.tensor(part, dtype=torch.float64).reshape(-1, 2) for part in found[:3])
    D = nets.MLPDiscriminator(2, width=32, layers=2).double()
    for parameter, values in zip(D.parameters(), found[3], strict=True):
        parameter.data = torch.tensor(values, dtype=torch.float64).reshape(parameter.shape)
    fake.requires_grad_()
    pairs_real, pairs_fake = D(real).repeat(6), D(fake).repeat_interleave(5)
    loss_g = losses.get(loss).generator(pairs_real, pairs_fake) * 6  # a mean over the reals, a sum over the samples
    (gradient,) = torch.autograd.grad(loss_g, fake)
    assert (pushes + gradient).abs().max() < 1e-9 and gradient.abs().max() > 1e-3


def test_a_seed_repeats_the_game() -> None:
    games = node(
        """
        return [7, 7, 8].map(seed => {
          const game = new lab.Game(new lab.Mixture(given.preset), given.settings, seed);
          for (let i = 0; i < 10; i++) game.stepBoth();
          return game.G.forward(new lab.Random(1).normals(20), 20);
        });
        """,
        {"preset": widgets.laboratory().presets["gaussians"], "settings": settings("minimax", k=2)},
    )
    assert games[0] == games[1] and games[0] != games[2]


# What chapter 3 says of it.

CHAPTER = ROOT / "chapters" / "03_adversarial_game.ipynb"
TOLD = """
const { preset, start } = given, extent = preset.extent, data = new lab.Mixture(preset);
const ruler = new lab.Ruler(preset.dim, extent), p = ruler.masses(data);
const mean = values => values.reduce((a, b) => a + b) / values.length;
const [rateG, rateD] = start.lr, { loss, turns: k, r1 } = start;
const settings = more => ({ loss, k, rateG, rateD, r1, adam: true, ...more });
const times = (n, step) => { for (let i = 0; i < n; i++) step(i); };
return [0, 1, 2, 3, 4].map(seed => {
  const seen = game => lab.measure(game, ruler, p), found = {};

  const first = new lab.Game(data, settings({}), seed), before = seen(first).bound;
  times(200, () => first.stepD());
  found.settled = seen(first);
  found.moved = found.settled.bound - before;
  times(50, () => first.stepG());
  found.fooled = seen(first).value;

  found.gaps = [1, 5].map(k => {
    const game = new lab.Game(data, settings({ k }), seed), gaps = [];
    times(300, i => {
      game.stepBoth();
      if (i % 3 !== 1) return; // every third round will do
      const { bound, value } = seen(game);
      gaps.push(bound - value);
    });
    return mean(gaps);
  });

  found.far = ["minimax", "non_saturating"].map(loss => {
    const game = new lab.Game(data, settings({ loss }), seed, 0.85 * extent);
    times(200, () => game.stepD());
    const z = new lab.Random(seed + 2e9).normals(150), real = data.sample(150, new lab.Random(seed + 1e9));
    const start = game.G.forward(z, 150).slice(), push = mean(game.pushes(start, real).map(Math.abs));
    Object.assign(game.settings, { adam: false, rateG: 0.02 });
    times(100, () => game.stepBoth());
    const end = game.G.forward(z, 150);
    return { push, move: mean(end.map((x, i) => Math.abs(x - start[i]))), end: mean(end) };
  });
  return found;
});
"""


def test_what_chapter_3_says_of_it() -> None:
    """The four experiments beside the laboratory of chapter 3, with the settings that it starts with, seeds 0 to 4."""
    assert 'widgets.laboratory(loss="minimax")' in CHAPTER.read_text(encoding="utf8").replace('\\"', '"')
    lab = widgets.laboratory(loss="minimax")
    for found in node(TOLD, {"preset": lab.presets[lab.start["data"]], "start": lab.start}):
        # 1: less than 0.1 below a bound that does not move
        assert 0 < found["settled"]["bound"] - found["settled"]["value"] < 0.1 and found["moved"] == 0
        # 2: V is far below the picture, which ends at −2.4
        assert found["fooled"] < -10
        # 3: the gap to the bound is 0.05 to 0.09 on average with k = 1, 0.01 to 0.03 with k = 5
        once, five = found["gaps"]
        assert 0.05 < once < 0.09 and 0.01 < five < 0.03
        # 4: with minimax the samples do not move by 0.1 on average; with the other loss the pushes are over 100 times
        # as strong, and carry the samples by more than 3 units, to between the outermost bumps
        minimax, other = found["far"]
        assert minimax["move"] < 0.1 and other["push"] > 100 * minimax["push"]
        assert other["move"] > 3 and -2 < other["end"] < 2


# The Python side.


def test_what_it_starts_with() -> None:
    lab = widgets.laboratory("ring", "rpgan", turns=2, lr=0.01, r1=0.1, seed=3)
    assert lab.start == {"data": "ring", "loss": "rpgan", "turns": 2, "lr": [0.01, 0.01], "r1": 0.1, "seed": 3}
    assert len(lab.presets["ring"]["centres"]) == 8 and len(json.dumps(lab.presets)) < 10_000
    own = widgets.laboratory(toys.mixture_1d((0.0, 3.0), 0.5))
    assert own.start["data"] == "given" and own.presets["given"]["dim"] == 1
    assert own.presets["given"]["centres"] == [[0.0], [3.0]] and own.presets["given"]["extent"] == 7.0
    assert "export default" in lab._esm and ".ganlib-laboratory" in lab._css


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "rnig"}, "data='rnig' is not known; choose one of: ring"),
        ({"data": 3}, "data must be a name or a toys.Mixture, got int"),
        ({"data": toys.Mixture([1.0], [[0.0, 0.0, 0.0]], 1.0)}, "data must lie on the line or in the plane, got 3"),
        ({"loss": "hinge"}, "loss='hinge' is not known; choose one of: minimax, non_saturating, least_squares, rpgan"),
        ({"turns": 0}, "turns must be a whole number of at least 1, got 0"),
        ({"lr": (0.1, 0.1, 0.1)}, "lr must be one number, or two"),
        ({"lr": -1.0}, "lr must be a finite number of at least 0"),
        ({"r1": -0.1}, "r1 must be a finite number of at least 0"),
        ({"seed": 0.5}, "seed must be a whole number"),
    ],
)
def test_wrong_input_is_met_at_the_door(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message.replace("(", r"\(").replace(")", r"\)")):
        widgets.laboratory(**arguments)


def test_losses_are_those_of_the_library() -> None:
    titles = node("return Object.keys(lab.LOSSES);")
    assert tuple(titles) == widgets.LABORATORY_LOSSES and set(titles) <= losses.LOSSES.keys()


# Settings to send.

SENT = {"data": "ring", "loss": "rpgan", "k": 2, "r1": 0.1, "rateD": 0.01, "rateG": 0.001, "adam": True, "far": False}
SENT |= {"speed": 5, "seed": 3, "bumps": None}
DRAWN = SENT | {"data": "own_plane", "bumps": [[0.5, -1.25], [2, 0]]}


def test_settings_come_back_as_they_were_sent() -> None:
    presets, sent = widgets.laboratory().presets, [SENT, DRAWN, DRAWN | {"bumps": []}]
    codes, back = node(
        """
        const codes = given.sent.map(lab.encode);
        return [codes, codes.map(code => lab.decode(code, given.presets))];
        """,
        {"presets": presets, "sent": sent},
    )
    assert back == sent
    assert all(code.replace("-", "").replace("_", "").isalnum() for code in codes), "a name that any page takes"


WRONG: list[Any] = [
    None,
    3,
    [],
    {},
    SENT | {"data": "toString"},
    SENT | {"loss": "hinge"},
    SENT | {"k": 0},
    SENT | {"k": 1.5},
    SENT | {"r1": -1},
    SENT | {"rateD": "0.1"},
    SENT | {"adam": 1},
    SENT | {"speed": 1e9},
    SENT | {"seed": None},
    DRAWN | {"bumps": None},
    DRAWN | {"bumps": [[1]]},
    DRAWN | {"bumps": [[1, 1e9]]},
    DRAWN | {"bumps": [[1, "2"]]},
    DRAWN | {"bumps": [[0, 0]] * 301},
]


def test_settings_that_are_none_are_not_read() -> None:
    read = node(
        """
        const texts = [...given.wrong.map(lab.encode), "", "x", "!!", "aGVsbG8"];
        return texts.map(text => lab.decode(text, given.presets));
        """,
        {"presets": widgets.laboratory().presets, "wrong": WRONG},
    )
    assert read == [None] * (len(WRONG) + 4)
