"""Every chapter reads well in plain Jupyter and in Colab: nothing raw, no link that leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from . import plain
from .notebooks import CHAPTERS, ROOT, Chapter

each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)
PAGES = [path for folder in (".", "reference", "practice") for path in sorted((ROOT / folder).glob("*.md"))]
BOOK = {"intro", "farewell", "bibliography", "glossary", "notation", "benchmarks", "checked"}


def exists(path: Path) -> bool:
    """Whether a path is there, letter by letter, also on a machine that takes capitals for small letters."""
    path = path.parent.resolve() / path.name
    return path.exists() and path.name in {other.name for other in path.parent.iterdir()}


@each
def test_nothing_shows_as_raw_text(chapter: Chapter) -> None:
    for source in chapter.markdown:
        assert plain.raw(source) == []


@each
def test_links_lead_somewhere(chapter: Chapter) -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    book = {contents["root"], *(entry["file"] for part in contents["parts"] for entry in part["chapters"])}
    assert plain.broken_references(chapter.text) == []
    for target in plain.links(chapter.text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        assert not anchor, f"{target}: pages, Jupyter and Colab name headings differently; link to the whole chapter"
        path = chapter.path.parent / file
        assert exists(path), f"dead link: {target}"
        if path.suffix in (".ipynb", ".md"):
            page = path.resolve().relative_to(ROOT).with_suffix("").as_posix()
            assert page in book, f"{target} is no page of the book (_toc.yml)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_pages_lead_somewhere(page: Path) -> None:
    for target in plain.links(page.read_text(encoding="utf8")):
        if page.parent != ROOT or page.stem in BOOK:
            assert not target.startswith("#"), f"{target}: headings of the book's pages have no names to link to"
        if not target.startswith(("https://", "http://", "mailto:", "#")):
            path = page.parent / target.partition("#")[0]
            # A card of the cover names its page as the book does, without .ipynb or .md.
            assert any(exists(path.with_name(path.name + end)) for end in ("", ".md", ".ipynb")), f"dead link: {target}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("```{note}\nwords\n```", "a directive"),
        ("words\n\n~~~{prf:theorem}\nwords\n~~~", "a directive"),
        (":::{admonition} words\n:::", "a directive"),
        ("see {numref}`figure`", "a role"),
        ("see {py:obj}`losses.get`", "a role"),
        ("$$x = 1$$ (eq-one)", "a label of a formula"),
        ("$$\nx = 1\n$$ (eq-one)", "a label of a formula"),
        ("where \\(x\\) is", "mathematics in"),
        ("(target)=\n# Title", "a target"),
        ("% nobody reads this", "a comment"),
        ("words\n\n+++\n\nwords", "a break between blocks"),
        ("by {{ author }}", "a substitution"),
        ("![a bird](bird.png){width=50%}", "attributes"),
        ("{#here .wide}\nwords", "attributes"),
        ("words[^1]\n\n[^1]: more words", "a footnote"),
        ("GAN\n: two networks", "a definition list"),
        ("> [!NOTE]\n> words", "an alert"),
        ("see [](03_adversarial_game.ipynb)", "a link without words"),
        ("see <project:#target>", "a link by a scheme"),
        ("see [this](inv:torch#Tensor)", "a link by a scheme"),
        ("#Title", "a heading without a space"),
        ("it costs 5$ a day", "a dollar"),
        ("with $x = 1", "a dollar"),
        ("\\begin{align}x\\end{align}", "an environment"),
    ],
)
def test_what_would_show_as_raw_text_is_found(text: str, kind: str) -> None:
    assert any(found.startswith(kind) for found in plain.raw(f"Words before.\n\n{text}\n\nWords after."))


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n\n**Bold**, *slanted*, `code`, [words](a.ipynb), ![a bird](bird.png)",
        "$x$, $\\{1, 2\\}$, $\\mathrm{KL}(p)$ and $$\\begin{aligned}x &= 1\\\\[2pt] y &= 2\\end{aligned} \\tag{1.2}$$",
        "```python\n% not a comment\nd = {{1}}\nprint(f'{x}`')\n```",
        "`{x}` and ``a`b`` and `$HOME`",
        "> **Theorem 4.1 (name).** Let $x$ be.\n>\n> - one",
        "<details><summary>Solution</summary>\n\nwords\n\n</details>",
        "| a | b |\n|:--|--:|\n| $p(x)$ | `|` |",
        "- [ ] to do: this\n- 5 % of them\n- it costs \\$5",
        "$x_1$ (the first) and $$y$$\n\n(the second)",
    ],
)
def test_plain_markdown_passes(text: str) -> None:
    assert plain.raw(text) == [] and plain.broken_references(text) == []


def test_links_are_found() -> None:
    text = "[a](x.md) ![b](<y.png> 'title') `[c](z.md)` <img src='w.png'> [d][e]\n\n```\n[f](v.md)\n```"
    assert plain.links(text) == ["x.md", "y.png", "w.png"]
    assert plain.broken_references(text) == ["e"] and plain.broken_references(text + "\n\n[E]: u.md") == []
