"""Give a block quote that opens with a bold keyword ("> **Theorem 4.1 (name).** ...") a CSS class.

Plain Jupyter and Colab show such a quote as it is; the book shows a box (web/book.css).
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

KINDS = {
    "theorem": "theorem",
    "lemma": "theorem",
    "proposition": "theorem",
    "corollary": "theorem",
    "definition": "definition",
    "algorithm": "algorithm",
    "proof": "proof",
    "note": "note",
    "tip": "note",
    "remark": "note",
    "warning": "warning",
    "pitfall": "warning",
}


class Callouts(SphinxTransform):
    default_priority = 10  # before translation (20), so that the English keyword decides

    def apply(self, **_: Any) -> None:
        for quote in self.document.findall(nodes.block_quote):
            first = quote[0] if len(quote) else None
            if not isinstance(first, nodes.paragraph):
                continue
            lead = next((node for node in first if node.astext().strip()), None)  # MyST leaves an empty Text first
            word = re.match(r"\w+", lead.astext()) if isinstance(lead, nodes.strong) else None
            kind = KINDS.get(word.group().lower()) if word else None
            if kind:
                quote["classes"] += ["callout", f"callout-{kind}"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(Callouts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
