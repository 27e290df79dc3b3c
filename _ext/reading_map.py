"""The reading map and the table of the chapters, both read from the chapters' own openings.

A chapter's first cell has its title ("# 5 · Training"), a sentence that promises something, and the chapters it "Builds
on". The directive `reading-map` draws which chapter needs which: below each chapter those that lean on it, an arrow
left out where a longer way says the same. `chapter-table` lists title, promise, needs, and what the last run took.
"""

from __future__ import annotations

import html
import json
import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from api import chapters
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH, HEIGHT = 120, 58  # of a box, in units that are pixels where there is room
GAP, ROW, MARGIN = 12, 92, 12  # between boxes, from row to row, and left and right of them
ACROSS = 3  # boxes in a row: what a phone can show
FULL = MARGIN * 2 + ACROSS * WIDTH + (ACROSS - 1) * GAP


@dataclass(frozen=True)
class Opening:
    """What a chapter says of itself."""

    number: int
    document: str
    title: str
    promise: str
    needs: tuple[int, ...]


def opening(folder: Path, document: str) -> Opening:
    """Read a chapter's first cell.

    Raises:
        ValueError: it has no title, promise or "Builds on" where the map looks for them.
    """
    source = nbformat.read(folder / f"{document}.ipynb", as_version=4).cells[0].source
    found = re.match(r"# (\d+) · (.+)\n\n(.+)\n\n[\s\S]*?\*\*Builds on\*\*([\s\S]*?)(?=\*\*Time\*\*|\Z)", source)
    if found is None:
        raise ValueError(f"{document}: the opening is '# 5 · Title', a sentence, '**Builds on** …', '**Time** …'")
    number, named = int(found[1]), {int(name) for name in re.findall(r"\]\((\d+)_\w+\.ipynb", found[4])}
    needs = sorted(name for name in named if name < number)  # those to come lend a part, and are read later
    return Opening(number, document, found[2].strip(), found[3].strip(), tuple(needs))


def openings(folder: Path, toc: Path) -> dict[int, Opening]:
    """Number -> opening of every chapter of the book."""
    return {number: opening(folder, document) for number, document in sorted(chapters(toc).items())}


def arrows(needs: dict[int, tuple[int, ...]]) -> list[tuple[int, int]]:
    """(needed, chapter) pairs, without those that follow from others."""

    def below(number: int) -> set[int]:
        """All that a chapter needs, directly or not."""
        return set().union(*({need} | below(need) for need in needs[number]))

    return [
        (need, number)
        for number in needs
        for need in needs[number]
        if not any(need in below(other) for other in needs[number])
    ]


def rows(needs: dict[int, tuple[int, ...]]) -> list[list[int]]:
    """Chapters row by row, each below all that it needs, at most `ACROSS` a row."""
    depth: dict[int, int] = {}
    for number in sorted(needs):
        depth[number] = 1 + max((depth[need] for need in needs[number]), default=-1)
    needed = {need for need, _ in arrows(needs)}
    result = []
    for level in range(1 + max(depth.values(), default=-1)):
        inside = sorted((n for n in needs if depth[n] == level), key=lambda n: (n in needed, n))
        result += [sorted(inside[start : start + ACROSS]) for start in range(0, len(inside), ACROSS)]
    return result


def drawing(known: dict[int, Opening], links: dict[int, str]) -> str:
    """The map as SVG; its colours are the page's own (web/book.css)."""
    needs = {number: one.needs for number, one in known.items()}
    order = rows(needs)
    place: dict[int, tuple[int, float]] = {}  # row, and centre from the left
    for line, row in enumerate(order):
        start = (FULL - len(row) * WIDTH - (len(row) - 1) * GAP) / 2
        place |= {number: (line, start + i * (WIDTH + GAP) + WIDTH / 2) for i, number in enumerate(row)}

    def free(line: int, wish: float) -> float:
        """The way through a row, between its boxes or beside them, that is nearest to a wish."""
        edges = [place[number][1] for number in order[line]]
        ways = [x - (WIDTH + GAP) / 2 for x in edges] + [edges[-1] + (WIDTH + GAP) / 2]
        return min(ways, key=lambda x: abs(x - wish))

    parts = []
    for need, number in arrows(needs):
        (top, x), (bottom, end) = place[need], place[number]
        y = top * ROW + HEIGHT + 4.0
        path = f"M{x:g} {y - 2:g}"
        for line in range(top + 1, bottom):
            way = free(line, x + (end - x) * (line - top) / (bottom - top))
            down = line * ROW + 4.0
            path += f"C{x:g} {(y + down) / 2:g} {way:g} {(y + down) / 2:g} {way:g} {down:g}V{down + HEIGHT:g}"
            x, y = way, down + HEIGHT
        down = bottom * ROW - 1.0
        path += f"C{x:g} {(y + down) / 2:g} {end:g} {(y + down) / 2:g} {end:g} {down:g}"
        parts.append(f'<path d="{path}" marker-end="url(#map-arrow)"/>')
    for number, one in known.items():
        line, x = place[number]
        words = textwrap.wrap(f"{number} · {one.title}", 19)
        first = line * ROW + 4 + HEIGHT / 2 - 7.5 * (len(words) - 1)
        lines = [f'<tspan x="{x:g}" y="{first + 15 * i:g}">{html.escape(w)} </tspan>' for i, w in enumerate(words)]
        parts.append(
            f'<a href="{links[number]}"><rect x="{x - WIDTH / 2:g}" y="{line * ROW + 4}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="6"/><text>' + "".join(lines) + "</text></a>"
        )
    arrow = '<marker id="map-arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    arrow += '<path d="M0 0L8 4L0 8z"/></marker>'
    height = (len(order) - 1) * ROW + HEIGHT + 8
    return (
        f'<nav class="reading-map" aria-label="Reading map"><svg viewBox="0 0 {FULL} {height}"><defs>{arrow}</defs>'
        f"{''.join(parts)}</svg></nav>"
    )


class ReadingMap(SphinxDirective):
    """Which chapter needs which."""

    def run(self) -> list[nodes.Node]:
        known = read(self)
        page, builder = self.env.docname, self.env.app.builder
        links = {number: builder.get_relative_uri(page, one.document) for number, one in known.items()}
        return [nodes.raw("", drawing(known, links), format="html")]


class Run(nodes.inline):
    """Stands for what a chapter's last run took, known when all chapters have been read."""


class ChapterTable(SphinxDirective):
    """Number, title and promise, needs, and what the last run took."""

    def run(self) -> list[nodes.Node]:
        known = read(self)

        def link(number: int, text: str) -> str:
            return f"[{text}](/{known[number].document}.ipynb)"

        lines = ["| Chapter | Builds on | Run |", "|---|---|---|"]
        for number, one in known.items():
            needs = ", ".join(link(need, str(need)) for need in one.needs) or "–"
            lines.append(f"| {link(number, f'{number} · {one.title}')}<br>{one.promise} | {needs} | |")
        box = nodes.container(classes=["chapter-table"])
        self.state.nested_parse(StringList(lines, source=self.env.docname), self.content_offset, box)
        for row, one in zip(list(box.findall(nodes.row))[1:], known.values(), strict=True):
            row[-1] += nodes.paragraph("", "", Run(document=one.document))
        box += nodes.paragraph("", "", Run(document=""), classes=["run-info"])
        return [box]


def read(directive: SphinxDirective) -> dict[int, Opening]:
    folder = Path(directive.env.srcdir)
    known = openings(folder, folder / directive.config.external_toc_path)
    for one in known.values():
        directive.env.note_dependency(str(folder / f"{one.document}.ipynb"))
    return known


def cost(run: dict[str, Any] | None) -> str:
    """Processor time, and peak memory where it was measured."""
    if run is None:
        return "–"
    seconds, memory = run["seconds"], run.get("memory")
    took = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
    return f"{took}, {memory / 1e9:.1f} GB" if memory else took


def fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    places = list(doctree.findall(Run))
    path = Path(app.outdir).parent / "runs.json"
    if not places:
        return
    runs = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    kind = "a quick run, which trains almost nothing" if os.environ.get("GANLIB_QUICK") == "1" else "the last full run"
    machines = sorted({run["machine"] for name, run in runs.items() if name.startswith("chapters/")})
    note = f"Processor time and peak memory are those of {kind}, measured on {'; '.join(machines)}." if machines else ""
    for one in places:
        words = cost(runs.get(one["document"])) if one["document"] else note
        one.parent.replace(one, nodes.Text(words))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(Run)
    app.add_directive("reading-map", ReadingMap)
    app.add_directive("chapter-table", ChapterTable)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
