"""Two pictures mixed by their styles, in a real browser and in a bare page (see widgets.mjs)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from visit import browser, for_everybody, in_bare_pages

from ganlib import nets, widgets
from tests.test_live import rounded, trained

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

NET = trained(nets.StyleGenerator(32, 3, latent=64, width=14))  # about the largest that a page carries


def styles(net: nn.Module) -> Any:
    return widgets.styles(net, psi=0.7, alt="blot", seed=1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return in_bare_pages({"styles": styles(NET)}, tmp_path_factory.mktemp("styles"))["styles"]


def shown(look: dict[str, Any], i: int) -> Tensor:
    """(3, H, W), of 255: a canvas in the order of the page."""
    width, height, data = look["pixels"][i]
    return torch.tensor(data, dtype=torch.float32).view(height, width, 4).permute(2, 0, 1)[:3]


def close(seen: Tensor, image: Tensor) -> bool:
    return bool((seen - (127.5 * (image + 1)).round().clamp(0, 255)).abs().max() <= 1)


def test_for_everybody(report: dict[str, Any]) -> None:
    for_everybody(report)


def test_every_picture_is_what_pytorch_makes(report: dict[str, Any]) -> None:
    halved, crossovers = styles(rounded(NET)), [[0] * (7 - n) + [1] * n for n in range(8)]
    for what, look in report["looks"].items():
        halved.z, halved.layers, halved.psi = (look["state"][name] for name in ("z", "layers", "psi"))
        images = halved._made(*crossovers)
        assert images[0].std() > 0.1
        assert close(shown(look, 1), halved.picture()[0]), what
        assert close(shown(look, 0), images[0]) and close(shown(look, 2), images[7]), what
        assert close(shown(look, 3), torch.cat(list(images), 2)), what


def test_every_way_of_mixing(report: dict[str, Any]) -> None:
    looks = report["looks"]
    layers = {what: look["state"]["layers"] for what, look in looks.items()}
    assert layers["start"] == [0, 0, 0, 1, 1, 1, 1] and layers["right"] == [0, 0, 1, 1, 1, 1, 1]
    assert layers["end"] == [1] * 7 and layers["home"] == [0] * 7
    assert layers["switch"] == [0, 1, 0, 0, 0, 0, 0] and layers["two"] == [0, 1, 0, 1, 0, 0, 0]
    assert layers["tap"] == [0, 0, 0, 0, 0, 1, 1]
    assert report["one"] == "styles 1 to 7 from A"
    assert report["two"] == "styles 1, 3 and 5 to 7 from A, styles 2 and 4 from B"
    assert "Styles 1, 3 and 5 to 7 from A, styles 2 and 4 from B" in looks["two"]["text"]
    assert looks["two"]["named"][1] == f"blot, {report['two']}" and report["named"] == "style 4, 16×16 B"
    codes = {what: look["state"]["z"] for what, look in looks.items()}
    assert codes["new A"][0] != codes["tap"][0] and codes["new A"][1] == codes["tap"][1]
    assert codes["new B"][0] == codes["new A"][0] and codes["new B"][1] != codes["tap"][1]
    assert codes["swap"] == codes["new B"][::-1]
    assert looks["psi"]["state"]["psi"] == pytest.approx(0.2) and "0.20" in looks["psi"]["text"]
    assert looks["psi"]["saved"] >= 15, "the kernel is told"


def test_a_redraw_takes_at_most_60_ms(report: dict[str, Any]) -> None:
    times = sorted(int(text.removesuffix(" ms")) for text in report["times"])
    assert 0 < times[0] <= 60
