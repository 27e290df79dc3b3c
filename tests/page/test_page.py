"""The published pages, opened in a real browser with the network cut (see probe.mjs).

`python tools/build.py` runs this after each build; by hand: `pytest tests/page` takes the full build, or the quick one
where there is no full one, and `GANLIB_BOOK=FOLDER pytest tests/page` any folder of pages. `GANLIB_SCREENSHOTS=FOLDER`
keeps a picture of every visit, and of every widget before and after its keys were pressed.

Each page is visited once: light, then dark, then as narrow as a phone. Tests marked `run` ask what depends on what the
notebooks printed; after a full build they are all (`-m run`): the rest is the same in the quick one.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html.parser
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "_ext")]
import browser  # noqa: E402
import dark_figures  # noqa: E402
import environment  # noqa: E402
import stamp  # noqa: E402

pytestmark = pytest.mark.skipif(browser.unwanted(), reason="GANLIB_NO_BROWSER=1 leaves the browser out")


def book() -> Path:
    """The folder of built pages."""
    if "GANLIB_BOOK" in os.environ:
        return Path(os.environ["GANLIB_BOOK"]).resolve()
    builds = [ROOT / "_build" / profile / "_build" / "html" for profile in ("full", "quick")]
    return next((build for build in builds if (build / "intro.html").exists()), builds[0])


BOOK = book()
QUICK = "quick" in BOOK.parts
CHAPTERS = sorted(f"chapters/{path.stem}.html" for path in (ROOT / "chapters").glob("*.ipynb"))
CONTENTS = (ROOT / "_toc.yml").read_text(encoding="utf8")
PAGES = [f"{page}.html" for page in re.findall(r"(?:root|file): (\S+)", CONTENTS)]  # in reading order
READ = [*PAGES, "search.html", "genindex.html"]
MODES = ("light", "dark")
run = pytest.mark.run
#: Words to search for, in both languages, and a page that they must lead to.
SEARCHES = {
    "discriminator": "chapters/03_adversarial_game.html",
    "mode collapse": "chapters/07_mode_collapse.html",
    "Wasserstein": "chapters/02_distances.html",
    "生成器": "glossary.html",
    "識別器": "glossary.html",
    "モード崩壊": "glossary.html",
}
#: Pages also opened from a plain folder, one for each kind: the cover, a slider, the laboratory, a page of text.
FROM_DISK = [PAGES[0], CHAPTERS[1], CHAPTERS[2], "glossary.html"]
#: document -> its claims in this build (tools/execute.py).
CLAIMS: dict[str, list[dict[str, Any]]] = (
    json.loads((BOOK.parent / "claims.json").read_text(encoding="utf8"))
    if (BOOK.parent / "claims.json").exists()
    else {}
)
MB = 1_000_000
MATRIX = np.array(dark_figures.COLORS)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(BOOK))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}/"
        service.shutdown()


@pytest.fixture(scope="session")
def visits(server: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every visit's report; one browser makes them all."""
    missing = [page for page in PAGES if not (BOOK / page).exists()]
    assert not missing, f"{BOOK} lacks {missing}: build the book first (make book, or python tools/build.py quick)"
    all_of_it = any("run" not in item.keywords for item in request.session.items if item.path == Path(__file__))
    wanted: list[dict[str, Any]] = [{"name": page, "url": server + page, "scrub": True} for page in READ]
    if all_of_it:
        for one in wanted:
            one |= {"keys": True, "look": True, "figures": one["name"] in PAGES}
        wanted += [{"name": f"file {page}", "url": (BOOK / page).as_uri(), "scrub": True} for page in FROM_DISK]
        wanted += [
            {"name": f"search {words}", "url": f"{server}search.html?q={words}", "search": True} for words in SEARCHES
        ]
        wanted += [
            {"name": "paper", "url": server + CHAPTERS[-1], "print": True},
            {"name": "index", "url": server + "index.html", "lands": server + "intro.html"},
        ]
    if "GANLIB_SCREENSHOTS" in os.environ:
        folder = Path(os.environ["GANLIB_SCREENSHOTS"]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for one in wanted:
            one["screenshot"] = str(folder / re.sub(r"\W+", "-", one["name"].removesuffix(".html")))
    wanted.sort(key=lambda one: "chapters/" not in one["name"])  # what takes longest first
    job = {
        "browser": browser.find_or_install(),
        "axe": str(ROOT / "node_modules" / "axe-core" / "axe.min.js"),
        "folder": str(tmp_path_factory.mktemp("figures")),
        "cover": server + PAGES[0],
        "visits": wanted,
    }
    node, _ = environment.find_node()
    probe = [node, str(Path(__file__).with_name("probe.mjs"))]
    result = subprocess.run(
        probe, input=json.dumps(job), capture_output=True, text=True, encoding="utf8", cwd=ROOT, timeout=900
    )
    assert result.returncode == 0, f"the browser did not finish:\n{result.stderr}"
    return json.loads(result.stdout)


def seen(visits: dict[str, Any], name: str) -> dict[str, Any]:
    report = visits[name]
    assert "crash" not in report, report["crash"]
    return report


@run
@pytest.mark.parametrize("page", READ)
def test_nothing_fails_and_nobody_else_is_asked(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, page)
    assert report["outside"] == [], "requests to other hosts"
    assert report["troubles"] == [], "failed requests, console errors or script errors"
    assert report["searchButton"] and report["searchFields"] <= (page == "search.html"), (
        "one search button, no second field"
    )


@pytest.mark.parametrize("page", FROM_DISK)
def test_nothing_fails_from_a_plain_folder(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, f"file {page}")
    assert report["outside"] == [] and report["troubles"] == [] and not report["widgetsUnrendered"]


@pytest.mark.parametrize("page", READ)
def test_the_page_follows_the_readers_setting(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, page)
    assert (report["theme"], report["dark"]) == MODES


@run
@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_typeset(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, page)
    assert report["mathErrors"] == []
    assert report["rawMath"] == [], "TeX shown as text"
    if page in CHAPTERS:
        assert report["formulas"] > 10


@run
@pytest.mark.parametrize("page", PAGES)
def test_pictures(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, page)
    assert report["unnamedImages"] == [], "every picture has alternative text"
    assert report["brokenImages"] == []
    if page in CHAPTERS:
        assert report["images"] >= 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("page", READ)
def test_accessible(visits: dict[str, Any], page: str, mode: str) -> None:
    assert seen(visits, page)["axe"][mode] == [], "violations found by axe-core"


@pytest.mark.parametrize("page", READ)
def test_phone(visits: dict[str, Any], page: str) -> None:
    assert seen(visits, page)["overflow"] is None, "at 390 px the page scrolls sideways"


@pytest.mark.parametrize("page", PAGES)
def test_ways_on(visits: dict[str, Any], page: str) -> None:
    report, place = seen(visits, page), PAGES.index(page)
    assert report["icon"].endswith("favicon.svg")
    assert report["report"], 'a "Report an error" link'
    assert bool(report["previous"]) == (place > 0) and bool(report["next"]) == (place < len(PAGES) - 1)
    notebook = stamp.colab(Path(page).with_suffix(".ipynb").as_posix())
    assert set(report["colab"]) == ({notebook} if page in CHAPTERS else set()), "launch button and link, to one branch"


@run
@pytest.mark.parametrize("page", CHAPTERS)
def test_run_line(visits: dict[str, Any], page: str) -> None:
    line = seen(visits, page)["runInfo"]
    found = re.match(
        r"(Quick run|Last verified by a full run)\D*: ([\d.]+) s of processor time on .+, torch \d.+, "
        r"Python 3\.\d+\S*, \d+ \w+ \d{4}",
        line,
    )
    assert found, f"how long the page took and on what, got {line!r}"
    assert float(found[2]) > 0
    assert (found[1] == "Quick run") == QUICK


@run
@pytest.mark.parametrize("page", CHAPTERS)
def test_outputs(visits: dict[str, Any], page: str) -> None:
    report, stated = seen(visits, page), CLAIMS[page.removesuffix(".html")]
    assert report["errorsInOutput"] == []
    judged = [one["holds"] for one in stated if one["judged"]]
    assert report["claims"] == [judged.count(True), judged.count(False), len(stated) - len(judged)], (
        "each claim is listed, and marked where it does not hold"
    )
    assert judged and (QUICK or len(judged) == len(stated)), "a full run judges every claim"
    assert not report["bootstrap"], "the bootstrap cell is hidden in the page"


@run
def test_the_book_lists_all_claims(visits: dict[str, Any]) -> None:
    every = [one for found in CLAIMS.values() for one in found]
    judged = [one["holds"] for one in every if one["judged"]]
    report = seen(visits, "checked.html")
    assert report["claims"] == [judged.count(True), judged.count(False), len(every) - len(judged)]
    text = (BOOK / "checked.html").read_text(encoding="utf8")
    assert f"{judged.count(True)} of {len(every)} claims held in this build" in text


@run
def test_sliders_move_a_figure_without_a_kernel(visits: dict[str, Any]) -> None:
    moved = [name for name, report in visits.items() if report.get("sliders") and "before" in report]
    assert moved, "a page with a slider"
    for name in moved:
        report = seen(visits, name)
        assert len(report["before"]) == len(report["after"]) == 1, f"{name}: one frame is shown at a time"
        assert report["before"] != report["after"], f"{name}: the figure changes with the slider"


@run
@pytest.mark.parametrize("page", PAGES)
def test_widgets_are_drawn(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, page)
    assert not report["widgetsUnrendered"]
    assert report["clipped"] == [], "labels that are shown in part only"


@pytest.mark.parametrize("page", READ)
def test_every_control_answers_to_a_key(visits: dict[str, Any], page: str) -> None:
    keys = seen(visits, page)["keys"]
    assert keys["silent"] == [], "controls that no key moves"
    if seen(visits, page)["sliders"]:
        assert keys["tried"] >= 2, "a slider and its play button"


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds(visits: dict[str, Any], words: str) -> None:
    found = [urllib.parse.urlsplit(link).path for link in seen(visits, f"search {words}")["found"]]
    assert any(path.endswith(SEARCHES[words]) for path in found), f"found were {found}"
    assert any(path.endswith("glossary.html") for path in found[:3]), "the entry of the glossary is among the first"


@pytest.mark.parametrize("page", [page for page in PAGES if page in CHAPTERS or page == PAGES[0]])
def test_figures_are_recoloured_in_dark_mode(visits: dict[str, Any], page: str) -> None:
    """What the browser shows is what the filter should make: white the ground, pictures as they are."""
    figures = seen(visits, page)["figures"]
    assert figures, "a figure to look at"
    for figure in figures:
        source = urllib.parse.unquote(figure["src"])
        name = figure["src"][:60]
        data = (
            base64.b64decode(source.split(",", 1)[1]) if source.startswith("data:") else (BOOK / page).parent / source
        )
        original = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data).convert("RGBA")
        shown = np.asarray(Image.open(figure["file"]).convert("RGB")).astype(float)
        pixels = np.asarray(original).astype(float) / 255
        turned = np.clip(np.concatenate([pixels[..., :3], np.ones_like(pixels[..., :1])], -1) @ MATRIX.T, 0, 1)
        picture = np.asarray(original)[..., 3:] == 254
        expected = Image.fromarray((np.where(picture, pixels[..., :3], turned) * 255).round().astype(np.uint8))
        size = shown.shape[1], shown.shape[0]
        difference = np.abs(shown - np.asarray(expected.resize(size, Image.Resampling.BILINEAR))).max(axis=-1)
        marked = np.asarray(Image.fromarray(picture[..., 0]).resize(size, Image.Resampling.NEAREST))
        for part in (difference[marked], difference[~marked]):
            assert part.size == 0 or (np.median(part) <= 6 and (part > 60).mean() < 0.1), f"{name} is not recoloured"


def test_paper(visits: dict[str, Any]) -> None:
    paper = seen(visits, "paper")["onPaper"]
    assert paper["beside"] == [], "nothing but the text is printed"
    assert paper["filters"] == [] and paper["theme"] == "light", "in light colours"
    assert paper["after"] == "dark", "and back to the reader's own"
    assert paper["wide"] <= 1 and paper["bytes"] > 50_000


class Links(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {given[name] or "" for name in ("id", "name") if name in given}
        self.links |= {given[name] or "" for name in ("href", "src") if name in given}


@functools.cache
def links(path: Path) -> Links:
    return Links(path.read_text(encoding="utf8"))


@run
@pytest.mark.parametrize("page", sorted(path.relative_to(BOOK).as_posix() for path in BOOK.rglob("*.html")))
def test_internal_links_are_alive(page: str) -> None:
    here, dead = BOOK / page, []
    if "_static" in here.parts:
        pytest.skip("a part of the theme, not a page")
    for link in links(here).links:
        place = urllib.parse.urlsplit(link)
        if place.scheme or place.netloc:
            continue
        target = (here.parent / urllib.parse.unquote(place.path)).resolve() if place.path else here
        anchor = urllib.parse.unquote(place.fragment)
        if not target.exists() or (anchor and target.suffix == ".html" and anchor not in links(target).anchors):
            dead.append(link)
    assert not dead, f"links to nowhere: {sorted(dead)}"


@functools.cache
def weight(path: Path) -> int:
    """Bytes on the way: text is compressed by any server, pictures and fonts are already."""
    data = path.read_bytes()
    return min(len(data), len(gzip.compress(data, 6))) if path.suffix in (".html", ".js", ".css", ".svg") else len(data)


@run
def test_weight(visits: dict[str, Any], server: str, record_property: Callable[[str, object], None]) -> None:
    shared: set[Path] = set()
    own: dict[str, int] = {}
    frames: dict[str, int] = {}
    for page in READ:
        asked = [urllib.parse.unquote(url.removeprefix(server)) for url in seen(visits, page)["asked"]]
        files = {BOOK / name for name in asked if not name.startswith(("data:", "blob:", "http")) and name}
        mine = {path for path in files if path.suffix in (".html", ".png", ".jpg", ".gif")}
        shared |= files - mine
        own[page] = sum(map(weight, mine))
        drawn = re.findall(r"data:image/png;base64,([\w+/=]+)", (BOOK / page).read_text(encoding="utf8"))
        frames[page] = sum(len(code) * 3 // 4 for code in drawn)
    once = sum(map(weight, shared))
    heaviest = ", ".join(f"{p.name} {weight(p) / 1000:.0f}" for p in sorted(shared, key=weight, reverse=True)[:6])
    time = visits["cover time"]
    lines = [f"{'page':44} own kB  frames kB  axe: light  dark  keys tried"]
    for page in READ:
        report = seen(visits, page)
        asked = f"{len(report['axe']['light']):12} {len(report['axe']['dark']):5}" if "axe" in report else ""
        tried = f"{report['keys']['tried']:11}" if "keys" in report else ""
        lines.append(f"{page:44} {own[page] / 1000:6.0f} {frames[page] / 1000:10.0f} {asked} {tried}".rstrip())
    lines += [f"shared by all pages: {once / 1000:.0f} kB ({heaviest})"]
    lines += [f"cover, nothing cached: laid out after {time['shown']} ms, to be used after {time['usable']} ms"]
    record_property("page_report", "\n".join(lines))
    assert once <= 2.5 * MB, "scripts, styles and fonts, compressed, once for the whole site"
    assert {page: size for page, size in own.items() if size > 2 * MB} == {}, "a page with its pictures, compressed"
    assert {page: size for page, size in frames.items() if size > 1.5 * MB} == {}, "the frames of a page's sliders"


@run
def test_frames_have_alternative_text() -> None:
    for page in PAGES:
        tags = re.findall(r"<img src=\\\"data:image[^>]*>", (BOOK / page).read_text(encoding="utf8"))
        assert [tag[-200:] for tag in tags if not re.search(r'alt=\\"[^"]{10,}\\"', tag)] == [], page


def test_index_leads_to_the_cover(visits: dict[str, Any]) -> None:
    assert seen(visits, "index")["heading"].startswith(seen(visits, "intro.html")["heading"])


def test_nothing_private_is_published() -> None:
    published = {path.name for path in BOOK.rglob("*") if path.is_file()}
    assert "README.html" not in published and "pyproject.toml" not in published
