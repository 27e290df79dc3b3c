"""The directive `live`: a trained generator in a page that is no notebook.

    ```{live} tools/cover_generator.safetensors
    :alt: handwritten digit
    ```

It is the widget of `ganlib.widgets.live`, with the same script and style; but they stand in the page as they are, with
a few lines in the place of a widget manager, so that the page waits for no other script.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

PAGE = """<div id="{name}"></div>
<style>{style}</style>
<script type="module">
{script}
const state = {state}, heard = {{}};
state.weights = new DataView(Uint8Array.from(atob(state.weights), c => c.charCodeAt(0)).buffer);
render({{
  el: document.getElementById("{name}"),
  model: {{
    get: name => state[name],
    set(name, value) {{ state[name] = value; (heard["change:" + name] || []).forEach(f => f()); }},
    on(name, f) {{ (heard[name] ||= []).push(f); }},
    off() {{}},
    save_changes() {{}},
  }},
}});
</script>
"""


class LiveDirective(SphinxDirective):
    """Puts the generator of a file into the page."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        from cover_generator import read  # heavy, and needed on one page only

        from ganlib import widgets

        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        generator, _ = read(path)
        widget = widgets.live(generator, alt=self.options["alt"])
        state: dict[str, Any] = {name: getattr(widget, name) for name in ("network", "names", "alt", "z", "label")}
        state["weights"] = base64.b64encode(widget.weights).decode()
        page = PAGE.format(
            name=f"live-{self.env.new_serialno('live')}",
            style=widget._css,
            script=widget._esm,
            state=json.dumps(state).replace("</", "<\\/"),
        )
        return [nodes.raw("", page, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("live", LiveDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
