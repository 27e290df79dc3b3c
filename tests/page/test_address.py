"""Data drawn in the laboratory, and its settings sent through the address, in bare pages (see address.mjs)."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from visit import browser, plain, play, served

from ganlib import toys, widgets

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")

#: The second and the third start alike.
LABORATORIES = [widgets.laboratory(loss="minimax"), *[widgets.laboratory("ring", seed=2) for _ in range(2)]]
PAGE = """<!doctype html>
<html lang="en"{book}><meta charset="utf-8"><title>Laboratories</title><link rel="icon" href="data:,">
<style>{style}</style><main></main><script>
(async () => {{
  const lib = await import(URL.createObjectURL(new Blob([{code}], {{ type: "text/javascript" }})));
  for (const state of {states}) {{
    const el = document.createElement("div");
    document.querySelector("main").append(el);
    lib.default.render({{ model: {{ get: name => state[name] }}, el }});
  }}
}})();
</script></html>"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("address")
    code = json.dumps(widgets.Laboratory._esm).replace("</", "<\\/")
    states = json.dumps([plain(one) for one in LABORATORIES])
    for name, book in (("book", ' data-content_root="../"'), ("jupyter", "")):
        page = PAGE.format(book=book, style=widgets.Laboratory._css, code=code, states=states)
        (folder / f"{name}.html").write_text(page, encoding="utf8")
    with served(folder) as address:
        urls = {"book": f"{address}book.html", "folder": (folder / "book.html").as_uri()}
        return play("address.mjs", {"urls": urls | {"jupyter": f"{address}jupyter.html"}}, timeout=400)


@pytest.fixture(params=["book", "folder", "jupyter"])
def report(reports: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    return reports[request.param]


def test_for_everybody(report: dict[str, Any]) -> None:
    assert report["troubles"] == [] and report["axe"] == []
    assert report["wide"] == [] and report["unshielded"] == 0


def test_data_drawn_by_keys_mouse_and_finger(report: dict[str, Any]) -> None:
    assert report["role"] == ["application", "img"], "keys are taken only where one draws"
    assert report["said"] == ["x 0.40, y 0.20", "a bump more: 1", "a bump less: 1"]
    assert report["seen"] == 5, "the cross, a bump, a stroke, another by finger, one taken back"


def test_the_settings_are_copied_or_shown(reports: dict[str, Any]) -> None:
    assert reports["book"]["copied"] == ["Copied.", True]
    for name in ("folder", "jupyter"):
        said, selected = reports[name]["copied"]
        assert said.startswith("This browser keeps the clipboard closed") and selected
    assert [reports[name]["button"] for name in ("book", "folder", "jupyter")] == [*["Copy link"] * 2, "Copy settings"]


@pytest.mark.parametrize("name", ["book", "folder"])
def test_who_opens_the_link_has_the_same_game(reports: dict[str, Any], name: str) -> None:
    report = reports[name]
    sent, before, opened = report["sent"], report["before"], report["opened"]
    assert sent != before[1] and sent[6:10] == ["drawn by you (plane)", "RpGAN (best with R1)", "2", "0.01"]
    assert opened == [before[0], sent, before[2]], (
        "the other laboratories are left alone, also the one that starts alike"
    )
    assert report["alike"], "pixel by pixel, with the data as drawn"


@pytest.mark.parametrize("name", ["book", "folder"])
def test_a_broken_link_is_ignored_with_a_word(reports: dict[str, Any], name: str) -> None:
    report = reports[name]
    facts, said, elsewhere = report["broken"]
    assert facts == report["before"][1] and not elsewhere
    assert said == "The address holds settings that this laboratory does not know; it starts with its own."
    assert report["twin"] == [report["before"][0], report["before"][1], report["sent"]]
    assert report["heading"] == report["sent"], "other addresses are none of its business"


def test_in_jupyter_the_settings_are_a_line_of_python(reports: dict[str, Any]) -> None:
    line, more = reports["jupyter"]["link"].split("  # ")
    assert more == "gradient descent, G starts far to the right"
    assert ast.parse(line) and line.startswith("widgets.laboratory(toys.Mixture([1 / ")
    start = eval(line, {"widgets": widgets, "toys": toys}).start
    assert (start["loss"], start["turns"], start["r1"], start["seed"]) == ("rpgan", 2, 0.01, 5)
    assert start["lr"] == [0.001, 0.02]
