"""The image GAN that trains in the page, in a real browser and in a bare page (see widgets.mjs)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import torch
from visit import browser, for_everybody, in_bare_pages

from ganlib import widgets
from tests.test_trainer import GAMES, REPLAY, job, node, trainer

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("trainer")
    given = job() | {"replay": REPLAY, "file": (folder / "trainer.html").as_uri()}
    (folder / "replay.json").write_text(json.dumps(given), encoding="utf8")
    return in_bare_pages({"trainer": trainer()}, folder)["trainer"]


def test_for_everybody(report: dict[str, Any]) -> None:
    for_everybody(report)


def test_twenty_rounds_in_the_browser_as_in_pytorch(report: dict[str, Any]) -> None:
    assert len(report["apart"]) == len(GAMES)
    for game, apart in zip(GAMES, report["apart"], strict=True):
        assert apart["losses"] < 1e-4 and apart["weights"] < 1e-4, game


def test_the_samples_shown_are_the_generators(report: dict[str, Any]) -> None:
    widget, z = trainer(), {}
    for seed in (0, 7):
        drawn = node("return new Random(given + 2e9).normals(256).map(Math.fround)", seed)
        z[seed] = torch.tensor(drawn).view(16, 16)
    for what in ("paused", "from Python", "again", "hidden"):
        look = report["looks"][what]
        widget.weights = base64.b64decode(look["weights"])
        with torch.no_grad():
            images = widget.generator()(z[7 if what in ("again", "hidden") else 0])
        width, height, shades = look["pixels"][0]
        shown = torch.tensor(shades).view(height, width, 4)[..., 0]
        assert (width, height) == (35, 35)
        for i, image in enumerate(images):
            top, left = i // 4 * 9, i % 4 * 9
            tile = shown[top : top + 8, left : left + 8]
            assert (tile - 127.5 * (image[0] + 1)).abs().max() <= 1, (what, i)


def test_start_pause_and_again(report: dict[str, Any]) -> None:
    looks = report["looks"]
    rounds = {what: look["state"]["progress"]["rounds"] for what, look in looks.items()}
    assert rounds["start"] == rounds["again"] == 0 < 30 <= rounds["paused"] == rounds["still"]
    assert rounds["from Python"] >= rounds["paused"] + 30 and report["running"] == "Pause"
    assert all(not look["state"]["playing"] for look in looks.values())
    first, then = (looks[what]["state"]["progress"] for what in ("start", "paused"))
    assert then["distance"] < 0.7 * first["distance"] and then["seconds"] > 0 and 0 < then["lossD"] < 3
    assert f"Round {rounds['paused']} after" in looks["paused"]["text"]
    assert f"Round {rounds['paused']}: median distance {then['distance']:.2f}." in looks["paused"]["text"]
    assert "(held-out digits: 2.04)" in looks["start"]["text"]
    named = looks["paused"]["named"]
    assert named[0] == f"Sixteen digits of the averaged generator after {rounds['paused']} rounds" and len(named) == 4
    assert rounds["hidden"] >= 10, "nobody looks, nothing trains"
    assert "The weights have overflowed" in looks["overflown"]["text"]
    assert looks["overflown"]["saved"] > 10, "the kernel is told"


def test_the_readers_own_settings(report: dict[str, Any]) -> None:
    looks = report["looks"]
    own = {"loss": "least_squares", "rateD": 0.003, "rateG": 0.001, "batch": 64, "r1": 0, "seed": 7}
    assert looks["seed"]["state"]["settings"] == own
    assert looks["again"]["state"]["settings"] == own | {"r1": 0.3, "batch": 32}
    assert report["chosen"] == ["least squares", "0.003", "0.001", "32", "0.3"]
    widget = trainer()
    widget.settings = looks["again"]["state"]["settings"]
    assert isinstance(widget, widgets.Trainer)


def test_where_no_worker_may_start_it_says_so(report: dict[str, Any]) -> None:
    assert len(report["refused"]) == 2
    for said, disabled, playing in report["refused"]:
        assert "may not start a worker" in said and disabled == "true" and playing is False


def test_in_a_page_opened_from_a_folder(report: dict[str, Any]) -> None:
    protocol, rounds = report["folder"]
    assert protocol == "file:" and rounds >= 5
