"""Links that the build adds, so that the notebooks keep plain words.

In a chapter (and in the introduction) the first use of a glossary term becomes a link to its entry: in paragraphs of
running text, not in a chapter's opening, headings, lists, tables, links, code or formulas. On the pages of the back
matter "chapter 7" becomes a link once the table of contents has that chapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from api import chapters
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

GLOSSARY = "glossary"
BACK_MATTER = (GLOSSARY, "notation")
NOT_RUNNING = (nodes.list_item, nodes.table, nodes.definition_list)
NOT_WORDS = (nodes.reference, nodes.literal, nodes.math, nodes.raw)


def entries(glossary: nodes.document) -> dict[str, str]:
    """Each name in the glossary -> the anchor of its entry."""
    found = {}
    for entry in glossary.findall(nodes.definition_list_item):
        terms = list(entry.findall(nodes.term))
        found.update({term.astext(): terms[0]["ids"][0] for term in terms})
    return found


def pattern(names: list[str]) -> re.Pattern[str]:
    """Any of the names, the longest first, also in the plural; lower-case names also with a capital."""

    def one(name: str) -> str:
        words = r"[\s-]+".join(re.escape(word) for word in name.replace("'", "’").split())  # as the page sets it
        return f"(?P<n{names.index(name)}>{f'(?i:{words})' if name.islower() else words})"

    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?<![A-Za-z]-)(?:{'|'.join(map(one, longest_first))})s?(?![\w-])")


def inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    while (node := node.parent) is not None:
        if isinstance(node, kinds):
            return True
    return False


def running_text(document: nodes.document, chapter: bool) -> Iterator[nodes.Text]:
    """The words of paragraphs; of a chapter's, those after its opening."""
    for paragraph in document.findall(nodes.paragraph):
        opening = chapter and isinstance(paragraph.parent, nodes.section) and paragraph.parent.parent is document
        if not opening and not inside(paragraph, NOT_RUNNING):
            yield from (text for text in list(paragraph.findall(nodes.Text)) if not inside(text, NOT_WORDS))


def link(text: nodes.Text, found: re.Pattern[str], target: Callable[[re.Match[str]], str | None]) -> None:
    """Turn what the pattern finds into links, where there is a target."""
    words, pieces, at = text.astext(), [], 0
    for match in found.finditer(words):
        if uri := target(match):
            shown = nodes.inline("", match[0], classes=["std"])
            pieces += [nodes.Text(words[at : match.start()]), nodes.reference("", "", shown, internal=True, refuri=uri)]
            at = match.end()
    if pieces:
        text.parent.replace(text, [*pieces, nodes.Text(words[at:])])


class Links(SphinxPostTransform):
    default_priority = 900  # when all other links stand

    def run(self, **_: Any) -> None:
        page, chapter = self.env.docname, self.env.docname.startswith("chapters/")
        if (chapter or page == self.config.root_doc) and GLOSSARY in self.env.found_docs:
            self.link_terms(page, chapter)
        elif page in BACK_MATTER:
            self.link_chapters(page)
            for term in self.document.findall(nodes.term):
                if not term.astext().isascii() and not re.search("[a-z]{3}", term.astext()):
                    term["classes"].append("language-ja")  # docutils makes it lang="ja"

    def link_terms(self, page: str, chapter: bool) -> None:
        anchors = entries(self.env.get_doctree(GLOSSARY))
        names, seen = list(anchors), set[str]()
        words = pattern(names)

        def target(match: re.Match[str]) -> str | None:
            anchor = anchors[names[int((match.lastgroup or "")[1:])]]
            if anchor in seen:
                return None
            seen.add(anchor)
            return f"{self.app.builder.get_relative_uri(page, GLOSSARY)}#{anchor}"

        for text in running_text(self.document, chapter):
            link(text, words, target)

    def link_chapters(self, page: str) -> None:
        known = chapters(Path(self.app.srcdir) / self.config.external_toc_path)

        def target(match: re.Match[str]) -> str | None:
            document = known.get(int(match[1]))
            return document and self.app.builder.get_relative_uri(page, document)

        for text in list(self.document.findall(nodes.Text)):
            if not inside(text, NOT_WORDS):
                link(text, re.compile(r"[Cc]hapter (\d+)"), target)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(Links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
