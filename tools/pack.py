"""The book to take away.

    python tools/pack.py site        the pages of the last full build as a zip that opens from any folder   (`make zip`)
    python tools/pack.py teachers    the notebooks without their solutions, as a folder and as a zip   (`make teachers`)

Both lie in `_build` afterwards, with the licences of text, code, data and pictures.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browser
import environment
import nbformat
import stamp

ROOT = stamp.ROOT
BUILT = ROOT / "_build" / "full" / "_build" / "html"
LICENCES = ("LICENSE", "NOTICE", "CITATION.cff")
SOLUTION = re.compile(r"\n*^<details><summary>Solution</summary>.*?^</details>[ ]*$\n*", re.S | re.M)
#: What a build leaves beside its pages: notes to itself, reports of failures, the theme's own building material.
LEFT_OUT = {".buildinfo", ".buildinfo.bak", ".doctrees", "reports", "webpack-macros.html", "sbt-webpack-macros.html"}
LINK = re.compile(r"\]\(([^)\s#]+)")


def name() -> str:
    """What the repository is called: gan-book."""
    return stamp.address().split("/")[-1]


# ---- the pages -------------------------------------------------------------------------------------


class Links(HTMLParser):
    """Where a page leads, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value for key, value in attrs if value}
        loaded = tag != "a" and values.get("rel") not in ("canonical", "author", "license", "search", "next", "prev")
        for key in ("href", "src", "action", "poster", "data"):
            if key in values and not (tag == "form" or (key == "data" and tag != "object")):
                (self.loads if loaded else self.links).add(values[key])


def faults(folder: Path) -> list[str]:
    """What would not work when these pages are opened from a folder, without a server and without a network."""
    found = [] if (folder / "index.html").exists() else ["there is no index.html"]
    for page in sorted(folder.rglob("*.html")):
        parser = Links()
        parser.feed(page.read_text(encoding="utf8"))
        place = page.relative_to(folder).as_posix()
        for target in sorted(parser.links | parser.loads):
            parts = urllib.parse.urlsplit(target)
            if parts.scheme in ("http", "https") or target.startswith("//"):
                if target in parser.loads:
                    found.append(f"{place} asks another host: {target[:100]}")
            elif parts.scheme == "file" or parts.path.startswith("/"):
                found.append(f"{place} has an absolute link: {target[:100]}")
            elif not parts.scheme and parts.path:
                path = (page.parent / urllib.parse.unquote(parts.path)).resolve()
                if not path.is_relative_to(folder.resolve()) or not path.exists():
                    found.append(f"{place} leads nowhere: {target[:100]}")
    for style in sorted(folder.rglob("*.css")):
        for target in re.findall(r"url\(\s*[\"']?((?:https?:)?/[^)\"']*)", style.read_text(encoding="utf8")):
            found.append(f"{style.relative_to(folder).as_posix()} has an absolute link: {target[:100]}")
    return found


def opens(folder: Path) -> list[str]:
    """What goes wrong when a browser without a network opens pages of this folder from disk."""
    pages = [
        "index.html",
        *(path.relative_to(folder).as_posix() for path in sorted(folder.glob("chapters/*.html"))[:2]),
    ]
    visits: list[dict[str, Any]] = [{"name": page, "url": (folder / page).as_uri()} for page in pages]
    forward = re.search(
        r'(?i)http-equiv="refresh" content="\d+; ?url=([^"]+)"', (folder / "index.html").read_text("utf8")
    )
    if forward:
        visits[0]["lands"] = (folder / forward[1]).as_uri()
    search = folder / "search.html"
    if search.exists():
        visits.append({"name": "search", "url": f"{search.as_uri()}?q=discriminator", "search": True})
    axe = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    job = {"browser": browser.find_or_install(), "axe": str(axe), "visits": visits}
    node, _ = environment.find_node()
    probe = [node, str(ROOT / "tests" / "page" / "probe.mjs")]
    result = subprocess.run(
        probe, input=json.dumps(job), capture_output=True, text=True, encoding="utf8", cwd=ROOT, timeout=300
    )
    if result.returncode:
        return [f"the browser did not finish: {result.stderr}"]
    found = []
    for page, seen in json.loads(result.stdout).items():
        if "crash" in seen:
            found.append(f"{page}: {seen['crash']}")
            continue
        found += [f"{page}: {trouble}" for trouble in [*seen["troubles"], *seen["outside"], *seen["rawMath"]]]
        if not seen["title"]:
            found.append(f"{page}: an empty page")
        if page == "search" and not seen["found"]:
            found.append("search: finds nothing")
    return found


def pack_site(built: Path = BUILT) -> Path:
    """Zip the pages of a build, unpack them elsewhere, and look whether they open there.

    Raises:
        SystemExit: there is no build, or the unpacked pages do not work; the message says what does not.
    """
    if not (built / "index.html").exists():
        raise SystemExit(f"[zip] there are no pages in {built} yet: `make book` builds them first")
    changed = [path for path in (*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("*.md")) if newer(path, built)]
    if changed:
        print(f"[zip] note: {len(changed)} sources changed after this build, such as {changed[0].name}", flush=True)
    target = ROOT / "_build" / f"{name()}.zip"
    parts = ((path, set(path.relative_to(built).parts)) for path in sorted(built.rglob("*")))
    files = [path for path, names in parts if not names & LEFT_OUT]
    write(target, built, files)
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(target) as archive:
            archive.extractall(place)
        folder = Path(place) / name()
        found = faults(folder)
        if not found and browser.unwanted():
            print("[zip] GANLIB_NO_BROWSER=1: no browser opened the pages", flush=True)
        elif not found:
            found = opens(folder)
    if found:
        shown = "\n  ".join(found[:20])
        raise SystemExit(f"[zip] the pages in {target} do not work from a folder ({len(found)} faults):\n  {shown}")
    print(f"[zip] {target}: {target.stat().st_size / 1e6:.1f} MB; unpack it and open {name()}/index.html", flush=True)
    return target


def newer(path: Path, built: Path) -> bool:
    return path.stat().st_mtime > (built / "index.html").stat().st_mtime


def write(target: Path, folder: Path, files: Iterable[Path]) -> None:
    """A zip of these files of a folder, in a folder of the book's name, with the licences."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in (path for path in files if path.is_file()):
            archive.write(path, f"{name()}/{path.relative_to(folder).as_posix()}")
        for licence in LICENCES:
            if f"{name()}/{licence}" not in archive.namelist():
                archive.write(ROOT / licence, f"{name()}/{licence}")


# ---- the teachers' edition -------------------------------------------------------------------------

ABOUT = """\
# {title}: notebooks without solutions

The chapters of the book with all their exercises, and with no solution: to hand out in a class. The solutions stand in
the book's own notebooks, {address}.

Each notebook runs by itself: in Colab, or wherever `ganlib` is installed:
`pip install "ganlib @ git+{address}@{branch}"`.
The text is under CC BY 4.0, the code under the MIT licence (LICENSE); data and pictures: NOTICE.

Made on {date}.
"""


def without_solutions(text: str) -> str:
    """A Markdown cell with its exercises, less the folded solutions."""
    return SOLUTION.sub("\n\n", text).strip("\n")


def linked(path: Path) -> list[Path]:
    """Files of the repository that a notebook or page links to."""
    text = path.read_text(encoding="utf8")
    targets = (path.parent / target for target in LINK.findall(text) if not target.startswith(("http", "mailto:")))
    return [target.resolve() for target in targets if target.is_file() and target.resolve().is_relative_to(ROOT)]


def pack_teachers(folder: Path | None = None) -> Path:
    """Write the edition without solutions into a folder and beside it as a zip; the folder."""
    folder = folder or ROOT / "_build" / "teachers"
    shutil.rmtree(folder, ignore_errors=True)
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    removed = 0
    for path in chapters:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                removed += len(SOLUTION.findall(cell.source))
                cell.source = without_solutions(cell.source)
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(nbformat.writes(notebook) + "\n", encoding="utf8")
    todo, along = [target for path in chapters for target in linked(path)], set[Path]()
    while todo:
        path = todo.pop()
        if path not in along and path not in chapters:
            along.add(path)
            todo += linked(path) if path.suffix == ".md" else []
    for path in [*along, *(ROOT / licence for licence in LICENCES)]:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    title = re.search(r"^title: (.+)$", (ROOT / "_config.yml").read_text(encoding="utf8"), re.M)
    about = ABOUT.format(
        title=title[1] if title else name(),
        address=stamp.address(),
        branch=stamp.setting("branch"),
        date=time.strftime("%Y-%m-%d"),
    )
    (folder / "README.md").write_text(about, encoding="utf8")
    target = folder.with_name(f"{name()}-{folder.name}.zip")
    write(target, folder, sorted(folder.rglob("*")))
    print(f"[teachers] {len(chapters)} notebooks less {removed} solutions: {folder} and {target}", flush=True)
    return folder


def main() -> int:
    what = sys.argv[1:]
    if what == ["site"]:
        pack_site()
    elif what == ["teachers"]:
        pack_teachers()
    else:
        raise SystemExit("usage: python tools/pack.py site|teachers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
