"""The widgets of chapters 18, 19 and 21 in a real browser, each in a bare page (see widgets.mjs)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from visit import browser, for_everybody, in_bare_pages

from ganlib import nets
from ganlib.book import widgets
from tests.test_budget import PRICES, TABLE
from tests.test_canvas import texture
from tests.test_live import rounded, trained
from tests.test_rub import IMAGES, classifier

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

SAMPLER = trained(nets.ResidualGenerator(2, 1, width=8, downs=1, blocks=1, latent=4))
MEAN = trained(nets.ResidualGenerator(2, 1, width=4, downs=1, blocks=1))
CLASSIFIER = trained(classifier(4))
TEXTURES = {"brick": trained(texture(4, 8)), "grass": trained(texture(4, 16, out=3, padding=1))}
SIZE = (40, 56)


def rub(*networks: nn.Module) -> widgets.Rub:
    return widgets.rub(*networks, IMAGES, names=list("abcd"), draws=16)


def canvas(textures: dict[str, nn.Module]) -> widgets.Canvas:
    return widgets.canvas(textures, size=SIZE, seed=3)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    seen = {
        "rub": rub(SAMPLER, MEAN, CLASSIFIER),
        "budget": widgets.budget(TABLE, PRICES, 100, names={"shifts": "shifted copies"}),
        "canvas": canvas(TEXTURES),
    }
    return in_bare_pages(seen, tmp_path_factory.mktemp("further"))


def shown(look: dict[str, Any], i: int) -> Tensor:
    """(3, H, W), of 255: a canvas in the order of the page."""
    width, height, data = look["pixels"][i]
    return torch.tensor(data, dtype=torch.float32).view(height, width, 4).permute(2, 0, 1)[:3]


def close(seen: Tensor, image: Tensor) -> bool:
    return bool((seen - (127.5 * (image.expand(3, -1, -1) + 1)).round().clamp(0, 255)).abs().max() <= 1)


@pytest.mark.parametrize("name", ["rub", "budget", "canvas"])
def test_for_everybody(reports: dict[str, Any], name: str) -> None:
    for_everybody(reports[name])


# Rubbing out.


def test_answers_and_fog_are_what_pytorch_makes(reports: dict[str, Any]) -> None:
    halved = rub(*map(rounded, (SAMPLER, MEAN, CLASSIFIER)))
    for what, look in reports["rub"]["looks"].items():
        halved.picture, halved.mask, halved.z = (look["state"][name] for name in ("picture", "mask", "z"))
        answers, classes = halved.answers(), halved.classes().tolist()
        assert close(shown(look, 0), halved.given()[0, :1]), what
        assert all(close(shown(look, 1 + i), answers[i]) for i in range(16)), what
        assert close(shown(look, 17), halved.fog()[0]), what
        assert look["classes"] == ["abcd"[k] for k in classes] and look["bars"] == [classes.count(k) for k in range(4)]
        assert f"of {len(classes)}." in look["text"]


def test_every_way_of_rubbing(reports: dict[str, Any]) -> None:
    report = reports["rub"]
    masks = {what: torch.tensor(look["state"]["mask"]).view(28, 28) for what, look in report["looks"].items()}
    assert masks["start"].sum() == 14 * 28 and masks["nothing"].sum() == masks["undo"].sum() == 0
    dabbed = masks["space"].nonzero()
    assert len(dabbed) == 25 and dabbed.float().mean(0).tolist() == [13, 13]
    assert report["told"] == "row 14, column 14: rubbed out" and report["outside"] == 0
    assert masks["stroke"][4:9, 3:23].all() and masks["stroke"].sum() == 5 * 20
    assert masks["tap"][24:, 24:].all() and masks["tap"].sum() == 5 * 20 + 16, "at the border less is rubbed out"
    for what, part in (("upper", masks["upper"][:14]), ("left", masks["left"][:, :14])):
        assert part.all() and masks[what].sum() == 14 * 28
    assert torch.equal(masks["lower"], 1 - masks["upper"]) and torch.equal(masks["right"], 1 - masks["left"])
    looks = report["looks"]
    assert (looks["next"]["state"]["picture"], looks["start"]["state"]["picture"]) == (1, 0)
    assert looks["other"]["state"]["z"] != looks["next"]["state"]["z"] and looks["other"]["saved"] > 9


def test_sixteen_answers_take_at_most_150_ms(reports: dict[str, Any]) -> None:
    assert 0 < reports["rub"]["ms"] <= 150 and reports["rub"]["differs"] < 5e-5


# The budget.


def test_a_purchase_is_looked_up(reports: dict[str, Any]) -> None:
    looks = reports["budget"]["looks"]
    assert "Nothing bought yet." in looks["start"]["text"] and "20 of 100 coins, 80 left" in looks["start"]["text"]
    assert (
        looks["bought"]["state"]["bought"] == [[0, 0]]
        and "Bought: 80.0\u202f% (79.0 to 81.0)." in looks["bought"]["text"]
    )
    assert looks["dear"]["state"]["choice"] == [2, 1] and "110 coins, 10 more than you have" in looks["dear"]["text"]
    assert reports["budget"]["dear"] == "true" and looks["refused"]["state"]["bought"] == [[0, 0]]
    assert looks["chosen"]["state"]["choice"] == [1, 1]
    assert looks["second"]["state"]["bought"] == [[0, 0], [1, 1]]
    assert "labels 200, shifted copies yes" in looks["second"]["text"] and "The best" not in looks["second"]["text"]
    assert looks["second"]["saved"] >= 5, "the kernel is told"


def test_the_best_purchase_is_shown_on_demand(reports: dict[str, Any]) -> None:
    looks = reports["budget"]["looks"]
    best = "The best that 100 coins buy: 88.0\u202f% (86.9 to 89.0); 1 of the other 4 purchases has an interval"
    assert best in looks["best"]["text"] and looks["best"]["state"]["best_shown"]
    assert "The best: labels 400, shifted copies no" in looks["best"]["text"]
    assert "Bought: 84.0\u202f% (83.0 to 85.0)." in looks["from Python"]["text"]
    assert looks["again"]["state"]["bought"] == [] and "Nothing bought yet." in looks["again"]["text"]
    assert best in looks["best again"]["text"]


# The endless canvas.


def test_a_window_shows_what_pytorch_makes_there(reports: dict[str, Any]) -> None:
    halved = canvas({name: rounded(net) for name, net in TEXTURES.items()})
    for what, look in reports["canvas"]["looks"].items():
        halved.x, halved.y, halved.texture = (look["state"][name] for name in ("x", "y", "texture"))
        assert close(shown(look, 0), halved.picture()[0]), what
        assert f"column {halved.x}, row {halved.y}" in look["text"]
    assert len({str(look["pixels"]) for look in reports["canvas"]["looks"].values()}) == 9, "home is the start"


def test_every_way_of_moving(reports: dict[str, Any]) -> None:
    looks = reports["canvas"]["looks"]
    places = {what: (look["state"]["x"], look["state"]["y"]) for what, look in looks.items()}
    assert places["right"] == (16, 0) and places["window"] == (16, -40)
    assert places["drag"] == (16 - 28, -40 - 10), "what is held comes along"
    assert places["home"] == places["back"] == (0, 0) and places["finger"] == (14, 0)
    assert max(map(abs, places["far"])) > 100
    assert looks["switch"]["state"]["texture"] == "grass" and looks["back"]["saved"] >= 7
    assert reports["canvas"]["anew"] == 0, "what has been seen is not computed again"
    assert reports["canvas"]["outside"] == 1, "the canvas keeps the keys it uses; Shift is the page's"


def test_noise_is_the_same_in_python_and_in_the_page(reports: dict[str, Any]) -> None:
    asked = ((0, -3, -2), (2**32 - 1, 2147483640, -(2**31)), (7, 123456, -98765432))
    for (seed, top, left), seen in zip(asked, reports["canvas"]["noise"], strict=True):
        here = widgets.hashed_noise(seed, 3, range(top, top + 5), range(left, left + 4))
        assert (torch.tensor(seen).view(1, 3, 5, 4) - here).abs().max() <= 1e-6


def test_a_tile_takes_at_most_60_ms(reports: dict[str, Any]) -> None:
    assert 0 < reports["canvas"]["ms"] <= 60
