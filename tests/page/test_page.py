"""The published pages, opened in a real browser with the network cut (see probe.mjs).

`python tools/build.py` runs this after each build; by hand: `pytest tests/page` takes the full build, or the quick one
where there is no full one, and `GANLIB_BOOK=FOLDER pytest tests/page` any folder of pages. `GANLIB_SCREENSHOTS=FOLDER`
keeps a picture of every visit.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402
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
def visits(server: str) -> dict[str, Any]:
    """Every visit's report; one browser makes them all."""
    missing = [page for page in PAGES if not (BOOK / page).exists()]
    assert not missing, f"{BOOK} lacks {missing}: build the book first (make book, or python tools/build.py quick)"
    wanted: list[dict[str, Any]] = [
        {"name": f"{mode} {page}", "url": server + page, "dark": mode == "dark", "scrub": mode == "light"}
        for page in READ
        for mode in MODES
    ]
    wanted += [{"name": f"file {page}", "url": (BOOK / page).as_uri(), "scrub": True} for page in PAGES]
    wanted += [
        {"name": "search", "url": server + "search.html?q=discriminator", "search": True},
        {"name": "Japanese search", "url": server + "search.html?q=生成器", "search": True},
        {"name": "index", "url": server + "index.html", "lands": server + "intro.html"},
    ]
    if "GANLIB_SCREENSHOTS" in os.environ:
        folder = Path(os.environ["GANLIB_SCREENSHOTS"]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for one in wanted:
            one["screenshot"] = str(folder / re.sub(r"\W+", "-", one["name"].removesuffix(".html")))
    job = {
        "browser": browser.find_or_install(),
        "axe": str(ROOT / "node_modules" / "axe-core" / "axe.min.js"),
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


@pytest.mark.parametrize("how", ["light", "dark", "file"])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_fails_and_nobody_else_is_asked(visits: dict[str, Any], page: str, how: str) -> None:
    report = seen(visits, f"{how} {page}")
    assert report["outside"] == [], "requests to other hosts"
    assert report["troubles"] == [], "failed requests, console errors or script errors"


@pytest.mark.parametrize("page", READ)
def test_pages_without_failure(visits: dict[str, Any], page: str) -> None:
    for mode in MODES:
        report = seen(visits, f"{mode} {page}")
        assert report["troubles"] == [] and report["outside"] == []
        assert report["theme"] == mode, "the page follows the reader's light or dark setting"
        assert report["searchButton"] and report["searchFields"] <= (page == "search.html"), (
            "one search button, no second field"
        )


@pytest.mark.parametrize("page", PAGES)
def test_mathematics_is_typeset(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, f"light {page}")
    assert report["mathErrors"] == []
    assert report["rawMath"] == [], "TeX shown as text"
    if page in CHAPTERS:
        assert report["formulas"] > 10


@pytest.mark.parametrize("page", PAGES)
def test_pictures(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, f"light {page}")
    assert report["unnamedImages"] == [], "every picture has alternative text"
    assert report["brokenImages"] == []
    if page in CHAPTERS:
        assert report["images"] >= 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("page", READ)
def test_accessible(visits: dict[str, Any], page: str, mode: str) -> None:
    assert seen(visits, f"{mode} {page}")["axe"] == [], "serious or critical violations found by axe-core"


@pytest.mark.parametrize("page", PAGES)
def test_phone(visits: dict[str, Any], page: str) -> None:
    assert seen(visits, f"light {page}")["overflow"] is None, "at 390 px the page scrolls sideways"


@pytest.mark.parametrize("page", PAGES)
def test_ways_on(visits: dict[str, Any], page: str) -> None:
    report, place = seen(visits, f"light {page}"), PAGES.index(page)
    assert report["icon"].endswith("favicon.svg")
    assert report["report"], 'a "Report an error" link'
    assert bool(report["previous"]) == (place > 0) and bool(report["next"]) == (place < len(PAGES) - 1)
    notebook = stamp.colab(Path(page).with_suffix(".ipynb").as_posix())
    assert set(report["colab"]) == ({notebook} if page in CHAPTERS else set()), "launch button and link, to one branch"


@pytest.mark.parametrize("page", CHAPTERS)
def test_run_line(visits: dict[str, Any], page: str) -> None:
    line = seen(visits, f"light {page}")["runInfo"]
    found = re.match(
        r"(Quick run|Last full run)\D*: ([\d.]+) s on .+, torch \d.+, Python 3\.\d+\S*, \d+ \w+ \d{4}", line
    )
    assert found, f"how long the page took and on what, got {line!r}"
    assert float(found[2]) > 0
    assert (found[1] == "Quick run") == QUICK


@pytest.mark.parametrize("page", CHAPTERS)
def test_outputs(visits: dict[str, Any], page: str) -> None:
    report = seen(visits, f"light {page}")
    held, failed, unjudged = report["claims"]
    assert report["errorsInOutput"] == []
    assert failed == 0 and held + unjudged > 0, "the chapter's claims are listed and none is false"
    assert QUICK or unjudged == 0, "a full run judges every claim"
    assert not report["bootstrap"], "the bootstrap cell is hidden in the page"


def test_sliders_move_a_figure_without_a_kernel(visits: dict[str, Any]) -> None:
    moved = [name for name, report in visits.items() if report.get("sliders") and not name.startswith("dark")]
    assert {name.split()[0] for name in moved} == {"light", "file"}, (
        "a page with a slider, served and from a plain folder"
    )
    for name in moved:
        report = seen(visits, name)
        assert len(report["before"]) == len(report["after"]) == 1, f"{name}: one frame is shown at a time"
        assert report["before"] != report["after"], f"{name}: the figure changes with the slider"


@pytest.mark.parametrize("page", PAGES)
def test_widgets_are_drawn(visits: dict[str, Any], page: str) -> None:
    for how in ("light", "file"):
        assert not seen(visits, f"{how} {page}")["widgetsUnrendered"]


@pytest.mark.parametrize("words", ["search", "Japanese search"])
def test_search_finds(visits: dict[str, Any], words: str) -> None:
    assert seen(visits, words)["results"] > 0


def test_index_leads_to_the_cover(visits: dict[str, Any]) -> None:
    assert seen(visits, "index")["heading"].startswith(seen(visits, "light intro.html")["heading"])


def test_nothing_private_is_published() -> None:
    published = {path.name for path in BOOK.rglob("*") if path.is_file()}
    assert "README.html" not in published and "pyproject.toml" not in published
