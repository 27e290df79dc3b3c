"""What a machine can check about how the chapters are written; how a chapter looks is described in CONTRIBUTING.md.

How it reads in plain Jupyter: test_plain.py.
"""

from __future__ import annotations

import ast
import itertools
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from .notebooks import CHAPTERS, ROOT, Chapter, tags

BOOTSTRAP = (ROOT / "tools" / "bootstrap.py").read_text(encoding="utf8").strip()
#: A link to arXiv or DOI; a DOI may hold parentheses.
PAPER = re.compile(r"https?://(?:dx\.)?(arxiv\.org|doi\.org)/(?:abs/|pdf/)?(\d(?:[^\s()>\]\"\\]|\([^\s()]*\))+)", re.I)
TIMES = ("a minute", "ten minutes", "half an hour", "an hour", "an afternoon")
LINK = re.compile(r"\]\(([^)\s]+)\)")
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)

FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def lines(cell: Any) -> list[str]:
    return [line for line in cell.source.splitlines() if line.strip()]


def written(chapter: Chapter) -> list[Any]:
    """The code cells that teach: all but the bootstrap and the claims."""
    return chapter.code[1:-1]


def first(cell: Any) -> str:
    return cell.source.strip().split("\n")[0][:60]


def papers(text: str) -> set[str]:
    return {f"{site.lower()}/{name.rstrip('.,;').lower()}" for site, name in PAPER.findall(text)}


def test_there_are_chapters() -> None:
    assert CHAPTERS


def test_contents_list_every_chapter_in_order() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    listed = [entry["file"] for part in contents["parts"] for entry in part["chapters"]]
    assert [name for name in listed if name.startswith("chapters/")] == [f"chapters/{c.path.stem}" for c in CHAPTERS]


@each
def test_size(chapter: Chapter) -> None:
    """The cells that are shown count, 18 at most (below); the folded ones are for the curious."""
    cells = written(chapter)
    read = [cell for cell in cells if cell in shown(chapter)]
    lengths = [len(lines(cell)) for cell in read]
    words = len(re.findall(r"[\w’'-]+", LINK.sub("]", chapter.prose)))  # nobody reads where a link goes
    longest = [f"{len(lines(c))} lines: {first(c)}" for c in cells if len(lines(c)) > 30]
    assert len(cells) >= 15, f"{len(cells)} code cells; 15 at least make a chapter"
    assert statistics.median(lengths) <= 8, f"the median cell has {statistics.median(lengths)} lines; at most 8"
    assert len(longest) <= 1, f"only one cell (a model) may pass 30 lines: {longest}"
    assert 1500 <= words <= 2500, f"{words} words outside the solutions; 1500 to 2500 make a chapter"


def shown(chapter: Chapter) -> list[Any]:
    """The code cells that a reader of the page sees unfolded."""
    return [cell for cell in chapter.code if not (FOLDED | {"claims"}) & set(tags(cell))]


@each
def test_what_is_shown_can_be_read(chapter: Chapter) -> None:
    cells = shown(chapter)
    tall = [f"{len(lines(cell))} lines: {first(cell)}" for cell in cells if len(lines(cell)) > 20]
    wide = [line for cell in cells for line in cell.source.splitlines() if len(line) > 88]
    assert len(cells) <= 18, f"{len(cells)} code cells are shown; 18 at most"
    assert len(tall) <= 1 and all(int(one.split()[0]) <= 35 for one in tall), f"20 lines, one cell 35: {tall}"
    assert wide == [], "the page shows 88 characters of a line"


@each
def test_pictures_keep_their_colours_in_dark_mode(chapter: Chapter) -> None:
    """What `imshow` draws is turned dark with its figure: right for a heat map (`cmap`), not for a picture."""
    shows = [line.strip() for cell in chapter.code for line in lines(cell) if ".imshow(" in line]
    drawn = [line for line in shows if "cmap=" not in line]
    assert drawn == [], "draw pictures with plot.sample_grid(images, ax=ax)"


@each
def test_a_result_comes_soon(chapter: Chapter) -> None:
    """A picture, a table or a number within the first three cells that are shown after the imports."""
    sources = " ".join(cell.source for cell in shown(chapter)[1:4])
    assert re.search(r"plot\.|plt\.|print\(|widgets\.|display\(|DataFrame", sources), "nothing is seen in three cells"


@each
def test_fifteen_claims_at_most(chapter: Chapter) -> None:
    assert len(calls(chapter)) <= 15, "what the reader should remember; identities are tests"


@each
def test_opening(chapter: Chapter) -> None:
    opening = chapter.notebook.cells[0]
    assert opening.cell_type == "markdown"
    assert re.match(rf"# {chapter.number} · \S", opening.source), f"the title begins '# {chapter.number} · '"
    for words in ("**After this chapter you can**", "**Builds on**", "**Time**"):
        assert words in opening.source, f"the opening says {words}"
    kinds = [cell.cell_type for cell in chapter.notebook.cells[1:3]]
    assert kinds == ["code", "code"], "after the opening: the bootstrap cell, then the imports"
    assert "plot.use_style()" in chapter.code[1].source and "compute.describe()" in chapter.code[1].source


@each
def test_sections(chapter: Chapter) -> None:
    headings = re.findall(r"^## (.+)$", chapter.text, re.M)
    closing = ["Summary", "Checked in this chapter", "Exercises", "Further reading"]
    assert headings[-4:] == closing, f"a chapter closes with {closing}; found {headings[-4:]}"
    assert len(re.findall(r"^# ", chapter.prose, re.M)) == 1, "one title"


@each
def test_bootstrap(chapter: Chapter) -> None:
    assert chapter.code[0].source.strip() == BOOTSTRAP, "the first code cell is tools/bootstrap.py, letter by letter"
    assert "remove-cell" in tags(chapter.code[0])


@each
def test_metadata(chapter: Chapter) -> None:
    metadata = chapter.notebook.metadata
    assert metadata["kernelspec"]["name"] == "python3"
    assert metadata.get("accelerator") == "GPU", "Colab is asked for a GPU"
    names = [cell["id"] for cell in chapter.notebook.cells]
    assert len(set(names)) == len(names)


@each
def test_stored_outputs(chapter: Chapter) -> None:
    for cell in chapter.code:
        if "nbval-check-output" in tags(cell):
            assert cell.outputs and cell.execution_count, f"its output is compared, so it must be stored: {first(cell)}"
            assert all("image/png" not in output.get("data", {}) for output in cell.outputs)
        else:
            assert not cell.outputs and cell.execution_count is None, (
                f"no stored output (tools/strip.py): {first(cell)}"
            )


def calls(chapter: Chapter) -> list[ast.Call]:
    """The claims of a chapter, from its last code cell."""
    cell, found = chapter.code[-1], []
    assert "claims" in tags(cell), "the last code cell is tagged 'claims'"
    for statement in ast.parse(cell.source).body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        assert isinstance(call, ast.Call) and ast.unparse(call.func) == "claim", (
            f"claims only: {ast.unparse(statement)}"
        )
        found.append(call)
    return found


@each
def test_claims(chapter: Chapter) -> None:
    assert sum("claims" in tags(other) for other in chapter.code) == 1
    words = [ast.literal_eval(call.args[0]) for call in calls(chapter)]
    assert len(set(words)) == len(words), "each says something else"


@each
def test_a_claim_about_training_has_a_predicate_that_reads_its_value(chapter: Chapter) -> None:
    """What it says is decided by the value and the control, not by what a lambda finds elsewhere."""
    for call in calls(chapter):
        given = {word.arg for word in call.keywords}
        assert given <= {"value", "control", "stored"}, ast.unparse(call)
        predicate = call.args[1]
        if "control" in given:
            assert isinstance(predicate, ast.Lambda) and len(predicate.args.args) == 1, (
                f"with a control: a lambda of the value: {ast.unparse(call.args[0])}"
            )
        if isinstance(predicate, ast.Lambda):
            used = {node.id for node in ast.walk(predicate.body) if isinstance(node, ast.Name)}
            assert predicate.args.args[0].arg in used, f"the predicate ignores its value: {ast.unparse(call.args[0])}"


@each
def test_seconds_are_processor_time(chapter: Chapter) -> None:
    for cell in written(chapter):
        found = re.findall(r"perf_counter|time\.time\(|time\.monotonic|history\.seconds", cell.source)
        assert not found, f"time.process_time(), which other work on the machine leaves alone: {found} in {first(cell)}"


@each
def test_exercises(chapter: Chapter) -> None:
    section = chapter.text.split("\n## Exercises", 1)[1].split("\n## Further reading", 1)[0]
    found = re.findall(r"\*\*Exercise (\d+\.\d+) \((.+), ([^,]+)\)\.\*\*", section)
    numbers, names, times = zip(*found, strict=True)
    assert len(found) == len(re.findall(r"\*\*Exercise ", section)), "each is '**Exercise N.1 (name, how long).**'"
    assert list(numbers) == [f"{chapter.number}.{place}" for place in range(1, len(found) + 1)]
    assert 4 <= len(found) <= 6, f"{len(found)} exercises; 4 to 6 make a chapter"
    assert set(times) <= set(TIMES), f"how long: {TIMES}"
    assert "an afternoon" in times and len(set(times)) > 1, "from a minute to an afternoon"
    assert any("find the error" in name.lower() for name in names), "one is a 'find the error'"
    assert section.count("<details><summary>Solution</summary>\n\n") == len(found), (
        "a folded solution each, a blank line after"
    )
    assert chapter.solutions, "at least one solution has Python to run"


@each
def test_no_device_is_named(chapter: Chapter) -> None:
    for cell in written(chapter):
        assert not re.findall(r"""["'](?:cuda|mps|cpu)(?::\d)?["']|\.cuda\(|torch\.(?:cuda|mps)\b""", cell.source), (
            first(cell)
        )


@each
def test_alternative_text_is_a_sentence(chapter: Chapter) -> None:
    for cell in chapter.code:
        image = cell.metadata.get("mystnb", {}).get("image")
        if image is not None:
            assert len(image.get("alt", "").split()) >= 5, f"say what the figure shows: {first(cell)}"


@each
def test_a_figure_is_followed_by_words(chapter: Chapter) -> None:
    cells = chapter.notebook.cells
    for cell, after in itertools.pairwise(cells):
        if "mystnb" in cell.metadata and "image" in cell.metadata["mystnb"]:
            assert after.cell_type == "markdown" and not after.source.startswith("#"), (
                f"a paragraph reads it: {first(cell)}"
            )


# The bibliography.

BIBLIOGRAPHY = ROOT / "bibliography.md"
REFERENCES = re.findall(r"^- .+$", BIBLIOGRAPHY.read_text(encoding="utf8"), re.M)
#: Authors (year). *Title*, part of it. Venue. [name](link), and a star where introductions recommend it.
FORM = re.compile(
    r"- [^*()]+\. \(\d{4}\)\. \*[^*]+(?:\*\.|[?!]\*|\*, [\w ]+\.) [^\[*]+\. \[([^\]]+)\]\((https://\S+)\)( ★)?"
)
#: What may cite: every page, every notebook, every docstring.
SOURCES = [
    *(chapter.path for chapter in CHAPTERS),
    *sorted(set(ROOT.glob("*.md")) - {BIBLIOGRAPHY}),
    *sorted((ROOT / "reference").glob("*.md")),
    *sorted((ROOT / "ganlib").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
]


def source_text(path: Path) -> str:
    text = path.read_text(encoding="utf8")
    return text.replace("\\n", "\n") if path.suffix == ".ipynb" else text


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_cited_papers_are_on_the_bibliography_page(source: Path) -> None:
    missing = papers(source_text(source)) - papers("\n".join(REFERENCES))
    assert not missing, f"add to bibliography.md: {sorted(missing)}"


def test_every_reference_is_cited_or_recommended() -> None:
    texts = "\n".join(source_text(path) for path in SOURCES)
    cited = papers(texts)
    idle = [entry for entry in REFERENCES if not (papers(entry) & cited or entry.endswith(" ★"))]
    idle = [entry for entry in idle if (link := FORM.match(entry)) is None or link[2].split("//www.")[-1] not in texts]
    assert not idle, f"nothing cites: {idle}"
    assert sum(entry.endswith(" ★") for entry in REFERENCES) == 10


@pytest.mark.parametrize("entry", REFERENCES, ids=lambda entry: entry[2:30])
def test_a_reference_has_authors_year_title_venue_and_link(entry: str) -> None:
    found = FORM.fullmatch(entry)
    assert found, "Authors (year). *Title*. Venue. [arXiv:… | doi:… | site](https://…)"
    name, link = found[1], found[2]
    wanted = {"arxiv.org": "arXiv:" + link.split("/")[-1], "doi.org": "doi:" + link.split("doi.org/")[-1]}
    assert name == wanted.get(link.split("/")[2], link.split("/")[2].removeprefix("www."))


def test_bibliography_is_sorted_and_has_no_double() -> None:
    links = [link for entry in REFERENCES for link in re.findall(r"\]\((\S+)\)", entry)]
    assert REFERENCES == sorted(REFERENCES, key=str.casefold)
    assert len({link.casefold() for link in links}) == len(links) == len(REFERENCES)


# How it is written.

#: American spellings of words that introductions like, and what British English writes; `optimizer` is torch's name.
AMERICAN = re.compile(
    r"\b(colou?r(?<!colour)\w*|behavior\w*|favor\w*|neighbor\w*|center(?:s|ed|ing)?|gray\w*|fiber|labeled|labeling|modeled"
    r"|modeling|traveled|artifact\w*|analyz\w+|(?:optim|minim|maxim|normal|regular|general|memor|visual|parametr|recogn"
    r"|initial|summar|standard|stabil|penal|real|discret|symmetr|organ)iz(?!er\b)\w+)\b",
    re.I,
)
HYPE = re.compile(
    r"\b(amazing\w*|exciting|powerful|groundbreaking|revolutionary|stunning|incredibl[ey]|obvious(?:ly)?|trivially|basically"
    r"|of course|state-of-the-art|cutting-edge|beautiful\w*|magic\w*|note that|it is important to)\b",
    re.I,
)
WRITTEN = [*(chapter.path for chapter in CHAPTERS), *sorted(set(ROOT.glob("*.md")) - {BIBLIOGRAPHY})]
by_source = pytest.mark.parametrize("source", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())


def spoken(source: Path) -> str:
    """The words of a chapter or page, without code, formulas, drawings, titles of papers and links' targets."""
    chapter = next((chapter for chapter in CHAPTERS if chapter.path == source), None)
    text = source.read_text(encoding="utf8") if chapter is None else chapter.text
    text = re.sub(r"^```.*?^```|\$\$.*?\$\$|<svg.*?</svg>", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`]*`|\[[^\]]*\]\(https?:[^)]*\)|\$[^$]*\$|\]\([^)]*\)|<[^>]*>", "", text)


@by_source
def test_spelling_is_british(source: Path) -> None:
    found = [words[0] for words in AMERICAN.finditer(spoken(source))]
    assert not found, f"British spelling, please (-ise, colour, centre, neighbour, grey): {found}"


@by_source
def test_no_hype(source: Path) -> None:
    found = [words[0] for words in HYPE.finditer(spoken(source))]
    assert not found, f"say what it does instead: {found}"


@each
def test_sentences_are_short(chapter: Chapter) -> None:
    for paragraph in re.split(r"\n\s*\n|\n *(?:[-|>]|\d+\.) ", spoken(chapter.path)):
        for sentence in re.split(r"(?<=[.!?:;])\s+", paragraph):
            length = len(re.findall(r"[\w’'-]+", sentence))
            assert length <= 45, f"{length} words in one go; make two sentences of: {sentence[:90]} …"


DRAWS = re.compile(
    r"plt\.(subplots|figure|plot)|plot\.(sample_grid|curves|states_1d|density_1d|samples_2d|latent_walk)"
)


def draws(cell: Any) -> bool:
    """Whether running the cell draws, other than frames for a slider and inside the functions it defines."""
    code = "\n".join(line for line in cell.source.splitlines() if not line.startswith(("%", "!")))
    found = []
    for statement in ast.parse(code).body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found += [ast.unparse(call.func) for call in ast.walk(statement) if isinstance(call, ast.Call)]
    return any(DRAWS.fullmatch(name) for name in found) and not any(name.endswith("scrubber") for name in found)


@each
def test_every_figure_has_alternative_text(chapter: Chapter) -> None:
    for cell in written(chapter):
        if draws(cell) and "remove-output" not in tags(cell):
            assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), (
                f"the cell's metadata lack mystnb.image.alt, a sentence that says what the figure shows: {first(cell)}"
            )


@each
def test_chance_has_a_seed(chapter: Chapter) -> None:
    """NumPy's and Python's hidden generators are not used, and a seed is always given."""
    for cell in written(chapter):
        hidden = re.findall(
            r"np\.random\.(?!default_rng|Generator)\w+|\brandom\.(?:random|seed|choice|shuffle)\(", cell.source
        )
        bare = re.findall(r"(?:default_rng|manual_seed)\(\)|\btorch\.seed\(", cell.source)
        assert not hidden and not bare, f"pass a seeded generator instead of {hidden + bare}: {first(cell)}"
