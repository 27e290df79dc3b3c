"""The generators in the published pages, played by keyboard: served, and from a plain folder."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from test_page import BOOK, ROOT, Quiet

from ganlib import widgets

sys.path.insert(0, str(ROOT / "tools"))
import browser
import cover_generator
import environment

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")
PLAYED = ["intro.html", "chapters/09_dcgan.html", "chapters/12_conditional.html"]
HOW = ("http", "file")


@pytest.fixture(scope="module")
def visits() -> dict[str, Any]:
    handler = functools.partial(Quiet, directory=str(BOOK))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        server = f"http://127.0.0.1:{service.server_port}/"
        wanted = [{"name": f"http {page}", "url": server + page} for page in PLAYED]
        wanted += [{"name": f"file {page}", "url": (BOOK / page).as_uri()} for page in PLAYED]
        if "GANLIB_SCREENSHOTS" in os.environ:
            folder = Path(os.environ["GANLIB_SCREENSHOTS"]).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            for one in wanted[: len(PLAYED)]:
                one["screenshot"] = str(folder / re.sub(r"\W+", "-", one["name"].removesuffix(".html")))
        job = {"browser": browser.find_or_install(), "visits": wanted}
        node, _ = environment.find_node()
        command = [node, str(Path(__file__).with_name("live.mjs"))]
        result = subprocess.run(
            command, input=json.dumps(job), capture_output=True, text=True, encoding="utf8", cwd=ROOT
        )
        service.shutdown()
    assert result.returncode == 0, f"the browser did not finish:\n{result.stderr}"
    return json.loads(result.stdout)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("page", PLAYED)
def test_every_control_of_the_generator_reacts_to_a_key(visits: dict[str, Any], page: str, how: str) -> None:
    report = visits[f"{how} {page}"]
    assert "crash" not in report, report.get("crash")
    assert report["troubles"] == [] and report["outside"] == []
    expected = {
        "slider": ["picture"],
        "class": ["picture", "pressed"],
        "map": ["picture"],
        "surprise": ["picture"],
        "pin A": ["pins"],
        "way": ["picture"],
        "pin B": ["pins"],
        "more": ["open"],
    }
    conditional = page != "chapters/09_dcgan.html"
    assert ("class" in report["steps"]) == conditional
    for what, changed in report["steps"].items():
        assert set(expected[what]) <= set(changed), f"{what} changed {changed}"
    assert report["unshielded"] == [], "in JupyterLab the notebook takes arrow keys from what does not carry its mark"


@pytest.mark.parametrize("how", HOW)
def test_the_cover_shows_what_pytorch_makes(visits: dict[str, Any], how: str) -> None:
    generator, _ = cover_generator.read()
    z = torch.tensor([widgets.live(generator, alt="handwritten digit").z])
    with torch.no_grad():
        image = (127.5 * (generator(z, torch.tensor([0]))[0, 0] + 1)).round()
    shown = torch.tensor(visits[f"{how} intro.html"]["picture"], dtype=torch.float32).view(28, 28, 4)
    assert image.std() > 30 and shown[..., 3].min() == 255
    for channel in range(3):
        assert (shown[..., channel] - image).abs().max() <= 2, "levels of 256"
