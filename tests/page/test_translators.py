"""The widgets that translate pictures in a real browser, each in a bare page (see widgets.mjs)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from visit import browser, for_everybody, in_bare_pages

from ganlib import nets
from ganlib.book import widgets
from tests.test_live import rounded, trained
from tests.test_translators import BRUSHES, WALLS, drawings

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

NETS: dict[str, nn.Module] = {
    "pad": trained(nets.UNet(32, 3, width=12, latent=4)),
    "coded": trained(nets.UNet(32, 3, width=3, latent=1)),
    "by day": trained(nets.UNet(32, 3, width=3)),
    "by night": trained(nets.UNet(32, 3, 1, width=3)),
    "there": trained(nets.UNet(32, 3, 1, width=4)),
    "back": trained(nets.UNet(32, 1, 3, width=4)),
    "first": trained(nets.ResidualUpsampler(2, 3, width=8, depth=3)),
    "second": trained(nets.ResidualUpsampler(2, 3, width=8, depth=3)),
}
with torch.no_grad():
    for weight in NETS["second"].parameters():
        weight.mul_(0.6).add_(0.03)
HALVED = {name: rounded(net) for name, net in NETS.items()}
PICTURES = (torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
MASK = torch.zeros(4, 32, 32, dtype=torch.bool)
MASK[:3, 8:20, 8:20] = True
LARGE = torch.nn.functional.interpolate(PICTURES[:3, :, :10, :9].float(), scale_factor=2.0).to(torch.uint8)
BORDER = 2


def widgets_by_name() -> dict[str, Any]:
    truth = torch.where(PICTURES[:, :1] > 127, 255, 0).to(torch.uint8)
    return {
        "pad": widgets.pad(NETS["pad"], BRUSHES, drawings(3), counter=WALLS, alt="drawing of a house"),
        "switch": widgets.pad({name: NETS[name] for name in ("by day", "by night")}, BRUSHES, drawings(1)),
        "tally": widgets.pad(dict.fromkeys(("by day", "by night"), NETS["coded"]), BRUSHES, drawings(1), counter=WALLS),
        "lamp": widgets.lamp(NETS["there"], NETS["back"], PICTURES, truth=truth, colours=WALLS, mask=MASK, gain=1),
        "bare": widgets.lamp(NETS["there"], NETS["back"], PICTURES[:1], gain=3),
        "mix": widgets.mix(NETS["first"], NETS["second"], PICTURES[:3, :, :10, :9], LARGE, border=BORDER),
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return in_bare_pages(widgets_by_name(), tmp_path_factory.mktemp("translators"))


def canvas(look: dict[str, Any], i: int) -> Tensor:
    """(3, H, W), of 255: a canvas in the order of the page."""
    width, height, data = look["pixels"][i]
    return torch.tensor(data, dtype=torch.float32).view(height, width, 4).permute(2, 0, 1)[:3]


@torch.no_grad()
def made(name: str, x: Tensor, *code: Tensor) -> Tensor:
    return HALVED[name](x, *code)


def as_shown(images: Tensor) -> Tensor:
    return (127.5 * (images[0].expand(3, -1, -1) + 1)).round().clamp(0, 255)


def close(shown: Tensor, images: Tensor) -> bool:
    return bool((shown - as_shown(images)).abs().max() <= 1)


def floats(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def verdict(image: Tensor, mask: Tensor) -> str:
    mean = (127.5 * (image.clamp(-1, 1) + 1))[:, mask].mean(1)
    far = [(mean - torch.tensor(WALLS[i])).square().sum().item() for i in (1, 3)]
    return str(WALLS[0] if far[0] < far[1] else WALLS[2])


@pytest.mark.parametrize("name", ["pad", "switch", "lamp", "bare", "mix"])
def test_for_everybody(reports: dict[str, Any], name: str) -> None:
    for_everybody(reports[name])


# The pad.


def painted(look: dict[str, Any]) -> Tensor:
    """The drawing of the state that Python is told, as a network takes it."""
    colours = torch.tensor(list(BRUSHES.values()))[torch.tensor(look["state"]["drawing"])]
    return floats(colours.T.reshape(1, 3, 32, 32))


def test_a_pad_shows_the_translation_of_what_is_drawn(reports: dict[str, Any]) -> None:
    for what, look in reports["pad"]["looks"].items():
        x, z = painted(look), torch.tensor([look["state"]["z"]])
        assert close(canvas(look, 0), x), what
        assert close(canvas(look, 1), made("pad", x, z)), what


def test_every_way_of_painting(reports: dict[str, Any]) -> None:
    report = reports["pad"]
    looks = {what: torch.tensor(look["state"]["drawing"]).view(32, 32) for what, look in report["looks"].items()}
    start = looks["start"]
    dabbed = (looks["space"] != start).nonzero()
    assert (looks["space"][14, 15], len(dabbed)) == (2, 21) and dabbed.float().mean(0).tolist() == [14, 15]
    assert report["told"] == "row 15, column 16: house" and report["outside"] == 0, "the pad keeps the keys it uses"
    assert torch.equal(looks["undo"], start)
    assert (looks["enter"] != start).nonzero().tolist() == [[14, 15]], "a small dab is a pixel"
    assert torch.equal(looks["undone"], start)
    line = looks["stroke"] != start
    assert all(line[y, x] for x, y in ((4, 4), (8, 7), (12, 10))) and not line[20:].any()
    assert torch.equal(looks["stroke undone"], start), "a stroke is one step"
    assert looks["tap"][20, 20] == 2 and (looks["tap"] != start).any()
    assert (looks["fill"] == 2).all()
    colours = torch.tensor(list(BRUSHES.values()), dtype=torch.uint8)
    assert torch.equal(colours[looks["example"]].permute(2, 0, 1), drawings(3)[1])
    saved = [look["saved"] for look in report["looks"].values()]
    assert saved == sorted(saved) and saved[-1] > 9, "the kernel is told"


def test_a_redraw_takes_at_most_60_ms(reports: dict[str, Any]) -> None:
    times = sorted(int(text.removesuffix(" ms")) for text in reports["pad"]["times"])
    assert 0 < times[0] <= 60


def test_the_die_and_the_count(reports: dict[str, Any]) -> None:
    report = reports["pad"]
    assert report["looks"]["die"]["state"]["z"] != report["looks"]["start"]["state"]["z"]
    x = painted(report["looks"]["count"])
    mask = torch.tensor(report["looks"]["count"]["state"]["drawing"]).view(32, 32) == 2
    codes = torch.tensor(report["codes"])
    verdicts = [verdict(image, mask) for image in made("pad", x.expand(64, -1, -1, -1), codes)]
    assert report["score"] == f"red {verdicts.count('red')} of 64" and 0 < verdicts.count("red")
    assert report["steps"] > 5, "in slices, between which the page answers"
    assert report["cleared"] == "", "the count is of one drawing"


def test_several_translators_are_a_switch(reports: dict[str, Any]) -> None:
    looks = reports["switch"]["looks"]
    assert looks["night"]["state"]["translator"] == "by night" and looks["start"]["state"]["translator"] == "by day"
    for what, name in (("start", "by day"), ("night", "by night")):
        assert close(canvas(looks[what], 1), made(name, painted(looks[what])))
        assert looks[what]["named"] == [f"{name}: the translation of the drawing"]
    assert "Roll" not in looks["start"]["text"] and "Next" not in looks["start"]["text"], "no z, one example"


def test_the_count_is_of_the_first_translator_whose_colours_it_has(reports: dict[str, Any]) -> None:
    looks = reports["tally"]["looks"]
    counted = {what: "Count over" in look["text"] for what, look in looks.items()}
    assert counted == {"start": True, "night": False, "day": True}


# The lamp.


def test_the_lamp_shows_what_pytorch_makes(reports: dict[str, Any]) -> None:
    for what, look in reports["lamp"]["looks"].items():
        state, x = look["state"], floats(PICTURES[look["state"]["picture"]])[None]
        y = made("there", x)
        clean = torch.where(x[:, :1] > 0, 1.0, -1.0)
        assert close(canvas(look, 0), x) and close(canvas(look, 1), y), what
        assert (canvas(look, 2) - as_shown(state["gain"] * (y - clean))).abs().max() <= 2, what
        given = torch.where(y < 0, -1.0, 1.0) if state["two_levels"] else y
        if not state["sigma"]:
            assert close(canvas(look, 3), given) and close(canvas(look, 4), made("back", given)), what


def test_without_the_truth_clean_is_rounded(reports: dict[str, Any]) -> None:
    look = reports["bare"]["looks"]["start"]
    y = made("there", floats(PICTURES[:1]))
    assert (canvas(look, 2) - as_shown(3 * (y - torch.where(y < 0, -1.0, 1.0)))).abs().max() <= 2
    assert "F says" not in look["text"] and "F is right" not in look["text"] and "Next" not in look["text"]


def test_noise_is_normal_and_of_the_size_asked_for(reports: dict[str, Any]) -> None:
    looks = reports["lamp"]["looks"]
    one, other = (canvas(looks[what], 3)[0] - canvas(looks[what], 1)[0] for what in ("noise", "other noise"))
    assert looks["noise"]["state"]["sigma"] == 0.02
    inner = (canvas(looks["noise"], 1)[0] - 127.5).abs() < 110  # elsewhere it is cut off
    assert inner.sum() > 200 and one[inner].std() / 127.5 == pytest.approx(0.02, rel=0.2)
    assert (one - other)[inner].std() > 1


def test_the_verdict_and_how_often_it_is_right(reports: dict[str, Any]) -> None:
    looks = reports["lamp"]["looks"]
    for what, two_levels in (("start", False), ("two levels", True), ("from Python", False)):
        y = made("there", floats(PICTURES))
        back = made("back", torch.where(y < 0, -1.0, 1.0) if two_levels else y)
        pairs = [(verdict(floats(PICTURES)[i], MASK[i]), verdict(back[i], MASK[i])) for i in range(3)]
        now = looks[what]["state"]["picture"]
        assert f"In the picture: {pairs[now][0]}. F says {pairs[now][1]}." in looks[what]["text"]
        assert f"F is right on {sum(a == b for a, b in pairs)} of 3 pictures." in looks[what]["text"]


# The mixture.


def between(alpha: float) -> nn.Module:
    net = nets.ResidualUpsampler(2, 3, width=8, depth=3)
    first, second = HALVED["first"].state_dict(), HALVED["second"].state_dict()
    net.load_state_dict({name: (1 - alpha) * first[name] + alpha * second[name] for name in first})
    return net


@pytest.mark.parametrize(("what", "alpha"), [("start", 0.0), ("half", 0.5), ("end", 1.0), ("from Python", 0.25)])
@torch.no_grad()
def test_the_mixture_is_that_of_the_weights(reports: dict[str, Any], what: str, alpha: float) -> None:
    look = reports["mix"]["looks"][what]
    assert look["state"] == {"alpha": alpha, "picture": int(what == "from Python")}
    small, goal = floats(PICTURES[:3, :, :10, :9]), floats(LARGE)
    out, i = between(alpha)(small), look["state"]["picture"]
    assert close(canvas(look, 0), small[i : i + 1]) and close(canvas(look, 2), goal[i : i + 1])
    assert close(canvas(look, 1), out[i : i + 1])
    if "numbers" in look:
        cut = lambda x: x[..., BORDER:-BORDER, BORDER:-BORDER]  # noqa: E731
        out, goal = cut(out.clamp(-1, 1)), cut(goal)
        psnr = 10 * math.log10(4 / (out - goal).square().mean())
        energy = [x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean() for x in (out, goal)]
        assert look["numbers"] == pytest.approx([psnr, float(energy[0] / energy[1])], abs=0.006)
