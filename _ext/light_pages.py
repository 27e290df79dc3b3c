"""Pages without what they do not use.

The theme loads all of Font Awesome twice: as web fonts, which draw every icon of these pages, and as a script of
1.5 MB that would draw them again (and breaks the play button of ipywidgets). The script is left empty.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx


def empty_icon_script(app: Sphinx, exception: Exception | None) -> None:
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if script.exists():
        script.write_text("// The icons are drawn by the web fonts.\n", encoding="utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", empty_icon_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
