"""Two pictures mixed in the page: the state and what is refused. tests/page/test_styles.py plays it in a browser."""

from __future__ import annotations

import base64
import io
import json
import math
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

from ganlib import data, games, nets, widgets

from .test_live import Mine, environment, restyled, rounded, trained


def small(**options: Any) -> nets.StyleGenerator:
    return nets.StyleGenerator(**{"size": 16, "latent": 6, "width": 3, "depth": 1} | options)


@torch.no_grad()
def test_the_mixture_is_the_generators_own() -> None:
    net = trained(small())
    assert isinstance(net, nets.StyleGenerator)
    widget = widgets.styles(net, psi=0.5, seed=3)
    assert widget.layers == [0, 0, 1, 1, 1] and widget.psi == 0.5 and [len(z) for z in widget.z] == [6, 6]
    assert widget.z != widgets.styles(net).z, "the seed decides"
    for crossover in range(6):
        widget.layers = [0] * crossover + [1] * (5 - crossover)
        first, second = (net.truncate(net.mapping(torch.tensor([z])), 0.5) for z in widget.z)
        assert torch.allclose(widget.picture(), net.synthesis(net.mix(first, second, crossover)), atol=1e-6)
    widget.layers, widget.psi = [1] * 5, 1
    assert torch.allclose(widget.picture(), net(torch.tensor(widget.z[1:])), atol=1e-6)
    net.constant.zero_()
    assert widget.picture().std() > 0.02, "a copy, as the page has one"


MIXED = """
const { networks, weights, z, layers, psi } = given, bytes = Buffer.from(weights, "base64");
const [net] = prepareAll(networks, new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
const { w, made } = halves(net);
const styles = z.map(code => w(code, psi));
process.stdout.write(JSON.stringify(Array.from(made(layers.map(k => styles[k])).data)));
"""


@pytest.mark.parametrize("options", [{}, {"size": 32, "channels": 1, "depth": 3}])
def test_the_script_mixes_as_pytorch_does(options: dict[str, Any]) -> None:
    net = trained(small(**options))
    widget, halved = (widgets.styles(one, psi=-0.6) for one in (net, rounded(net)))  # type: ignore[arg-type]
    for one in (widget, halved):
        one.layers = [k % 2 for k in range(len(one.layers))]
    given = {name: getattr(widget, name) for name in ("networks", "z", "layers", "psi")}
    given["weights"] = base64.b64encode(widget.weights).decode()
    code = f"{widget._esm}\nconst given = {json.dumps(given)};{MIXED}"
    command = [environment.find_node()[0], "--input-type=module", "-"]
    found = subprocess.run(command, input=code, capture_output=True, text=True, encoding="utf8")
    assert found.returncode == 0, found.stderr[-2000:]
    here = torch.tensor(json.loads(found.stdout)).view_as(widget.picture())
    assert (here - halved.picture()).abs().max() < 2e-5 and widget.picture().std() > 0.05
    assert 0 < (here - widget.picture()).abs().max() < 0.02, "and the full network's to half precision"


def test_state_within_bounds() -> None:
    widget = widgets.styles(small())
    widget.z, widget.layers, widget.psi = [[0.5] * 6, [0] * 6], [True, 0, 1, 0, 0], -1
    assert widget.layers == [1, 0, 1, 0, 0] and all(type(v) is int for v in widget.layers)
    wrong: list[tuple[str, Any]] = [("z", [[0.0] * 6]), ("z", [[0.0] * 6, [0.0] * 5]), ("z", [[0.0] * 6, ["a"] * 6])]
    wrong += [("z", [[0.0] * 6, [math.nan] * 6]), ("layers", [0] * 4), ("layers", [0, 0, 0, 0, 2])]
    wrong += [("layers", "AABBB"), ("psi", 1.01), ("psi", -2), ("psi", math.nan), ("psi", "half")]
    for name, value in wrong:
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, value)
    assert (widget.layers, widget.psi) == ([1, 0, 1, 0, 0], -1)


def test_where_no_script_runs_there_is_a_picture() -> None:
    widget = widgets.styles(trained(small(channels=1)), alt="landscape")
    bundle = widget._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in bundle and bundle["text/plain"].startswith("landscape: A,")
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))
    assert drawn.shape == (128, 3 * 128 + 2 * 8, 4) and set(np.unique(drawn[..., 3])) == {0, 254}
    assert (drawn[4::8, 4::8, 3][:, :16] == 254).all(), "its pixels keep their colours in the dark"
    seen = torch.tensor(drawn[4::8, 140:264:8, 0].copy()).float() / 127.5 - 1
    assert (seen - widget.picture()[0, 0].clamp(-1, 1)).abs().max() < 0.01


def test_a_game_hands_over_its_average() -> None:
    torch.manual_seed(0)
    pair = small(size=32, width=2), nets.ShuffleDiscriminator(32, 3, width=2)
    game = games.gan(*pair, data.load("scenes"), batch=4)
    game.play(2)
    assert game.average is not None
    averaged = widgets.styles(game.average).weights
    assert widgets.styles(game).weights == widgets.styles(game.snapshot()).weights == averaged
    assert averaged != widgets.styles(pair[0]).weights and pair[0].training, "left as it was found"


REFUSED: list[tuple[Callable[[], Any], dict[str, Any], type[Exception], str]] = [
    (lambda: "G", {}, TypeError, "generator must be a network or a game, got str"),
    (lambda: nets.ShuffleGenerator(latent=4), {}, TypeError, r"nets\.StyleGenerator, .* got ShuffleGenerator"),
    (lambda: type("Own", (nets.StyleGenerator,), {})(), {}, TypeError, "got Own"),
    (lambda: restyled("to_image.0", nn.Identity()), {}, TypeError, r"to_image\.0: Identity"),
    (lambda: restyled("mapping.1", Mine(4, 4)), {}, TypeError, r"mapping\.1: Mine"),
    (lambda: small(channels=2), {}, ValueError, r"generator must make images .* got \(2, 16, 16\)"),
    (lambda: small(size=256, width=1), {}, ValueError, "at most 128 pixels a side"),
    (lambda: nets.StyleGenerator(32, width=16), {}, ValueError, "generator has weights of 7.. kB"),
    (small, {"psi": 1.5}, ValueError, "psi must lie between -1 and 1, got 1.5"),
    (small, {"psi": math.nan}, ValueError, "psi must be a finite number"),
    (small, {"alt": " "}, ValueError, "alt must say in words"),
]


@pytest.mark.parametrize(("make", "options", "error", "words"), REFUSED)
def test_refused_by_name(make: Callable[[], Any], options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        widgets.styles(make(), **options)
