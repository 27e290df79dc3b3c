"""Notation, glossary and bibliography: what they say of the chapters is so, and the links that the build adds."""

from __future__ import annotations

import json
import re
import sys

import pytest
from sphinx.application import Sphinx

from .notebooks import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "_ext"))
import api
import links

LISTED = api.chapters(ROOT / "_toc.yml")
TEXTS = {chapter.number: chapter.text.replace("**", "") for chapter in CHAPTERS if chapter.number in LISTED}
ROWS = [
    (symbol, int(number))
    for symbol, number in re.findall(
        r"^\| (.+?) \| .+ \| chapter (\d+) \| .*\|$", (ROOT / "notation.md").read_text(encoding="utf8"), re.M
    )
]
GLOSSARY = (ROOT / "glossary.md").read_text(encoding="utf8")
ENTRIES = [
    (lines[:-1], lines[-1].strip())
    for entry in GLOSSARY.split("```{glossary}\n")[1].split("\n```")[0].split("\n\n")
    if (lines := entry.splitlines())
]


def formulas(number: int) -> str:
    return " ".join("".join(found) for found in re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", TEXTS[number], re.S))


def written(symbol: str) -> str:
    """A pattern for a symbol in formulas: no part of a longer name, spaces and bars as one likes."""
    tokens = re.findall(r"\\[A-Za-z]+|\\.|[^\s]", symbol)
    parts = [r"(?:\\\||\\Vert|\\mid|\|)" if token == r"\|" else re.escape(token) for token in tokens]
    return r"(?<![\\A-Za-z])" + r"\s*".join(parts) + r"(?![A-Za-z])"


@pytest.mark.parametrize(("symbol", "number"), ROWS)
def test_the_chapter_uses_the_symbol(symbol: str, number: int) -> None:
    if number not in LISTED:
        pytest.skip(f"chapter {number} is not in the contents yet")
    if symbol.startswith("$"):
        assert re.search(written(symbol.strip("$")), formulas(number))
    else:
        assert symbol in TEXTS[number]


def test_every_row_of_the_notation_names_a_chapter() -> None:
    table = [line for line in (ROOT / "notation.md").read_text(encoding="utf8").splitlines() if line.startswith("| ")]
    assert len([line for line in table if not line.startswith("| Symbol")]) == len(ROWS) > 35
    assert len({symbol for symbol, _ in ROWS}) == len(ROWS)


def japanese(name: str) -> bool:
    return re.search("[\u3040-\u30ff\u4e00-\u9fff]", name) is not None


@pytest.mark.parametrize(("names", "definition"), ENTRIES, ids=[names[0] for names, _ in ENTRIES])
def test_an_entry_has_both_languages_one_sentence_and_a_chapter(names: list[str], definition: str) -> None:
    assert not japanese(names[0]) and japanese(names[-1]), "English first, Japanese last"
    assert names == sorted(names, key=japanese), "English names together, Japanese ones together"
    sentence = re.fullmatch(r"(.+)\. Chapter (\d+)\.", definition)
    assert sentence and ". " not in sentence[1], "one sentence, then its chapter"
    number = int(sentence[2])
    if number in LISTED:
        found = links.pattern([name for name in names if not japanese(name)]).search(TEXTS[number].replace("'", "’"))
        assert found, f"chapter {number} does not use the word"


def test_the_glossary_is_sorted_and_names_nothing_twice() -> None:
    first = [names[0].casefold().replace("é", "e") for names, _ in ENTRIES]
    every = [name.casefold() for names, _ in ENTRIES for name in names]
    assert first == sorted(first) and len(set(every)) == len(every) > 200


# The links that the build adds.

PAGE = """# Title

A generator in the opening.

## Section

The [latent space](https://example.org), `generator`, $generator$ and

- a generator in a list

| a generator in a table |
|---|

**Generators** and then a generator, an AC-GAN, a Latent-space, re-generators and a gan.
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A book of a chapter and two pages of the back matter."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "chapters").mkdir()
    (folder / "_toc.yml").write_text("root: index\nchapters:\n  - file: chapters/03_game\n")
    (folder / "chapters" / "03_game.md").write_text(PAGE)
    (folder / "notation.md").write_text("# Notation\n\n| of chapter 3 | of chapter 99 |\n|---|---|\n| | |\n")
    (folder / "index.md").write_text(
        "# Book\n\nA generator.\n\n```{toctree}\nchapters/03_game\nnotation\nglossary\n```\n"
    )
    words = "generator\n生成器\n均衡\n    G. Chapter 3.\n\nlatent space\n    Z. Chapter 99.\n\n"
    words += "AC-GAN\n    It.\n\nGAN\n    It.\n"
    (folder / "glossary.md").write_text(f"# Glossary\n\nA generator.\n\n```{{glossary}}\n{words}```\n", encoding="utf8")
    settings = {
        "extensions": ["myst_parser", "links"],
        "myst_enable_extensions": ["dollarmath"],
        "root_doc": "index",
        "external_toc_path": "_toc.yml",
    }
    source, out = str(folder), folder / "out"
    app = Sphinx(source, None, str(out), str(folder / "trees"), "html", settings, status=None, warning=None)
    app.add_config_value("external_toc_path", "_toc.yml", "env")
    app.build()
    assert app.statuscode == 0
    written = [path for path in out.rglob("*.*") if path.suffix in (".html", ".js")]
    return {path.relative_to(out).as_posix(): path.read_text(encoding="utf8") for path in written}


def added(page: str) -> list[tuple[str, str]]:
    """(target, words) of the links that the build added."""
    return re.findall(r'href="([^"]+)"><span class="std">([^<]+)</span></a>', page)


def test_the_first_use_in_running_text_becomes_a_link(pages: dict[str, str]) -> None:
    assert added(pages["chapters/03_game.html"]) == [
        ("../glossary.html#term-generator", "Generators"),
        ("../glossary.html#term-AC-GAN", "AC-GAN"),
        ("../glossary.html#term-latent-space", "Latent-space"),
    ]
    assert added(pages["index.html"]) == [("glossary.html#term-generator", "generator")]


def test_the_back_matter_links_the_chapters_there_are(pages: dict[str, str]) -> None:
    assert added(pages["notation.html"]) == [("chapters/03_game.html", "chapter 3")]
    assert added(pages["glossary.html"]) == [("chapters/03_game.html", "Chapter 3")]
    assert '<dt id="term-0" lang="ja">生成器' in pages["glossary.html"]


def test_japanese_words_are_in_the_search_index(pages: dict[str, str]) -> None:
    index = json.loads(pages["searchindex.js"].removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"生成器", "均衡", "gener"} <= set(index["terms"]), "each as one word, short ones too"
