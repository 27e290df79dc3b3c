"""The reference pages: docstrings of ganlib, read by autodoc, their plain style turned into reStructuredText.

The library writes `name` in single backticks, sections ("Args:", "Returns:", …) with indented items, and "First built
in chapter N". Here backticks become code, or a link where a public name is meant; sections become lists under their
name; and chapters become links, where the table of contents has them: of a chapter that is not written yet nothing is
said. Everything else is taken as it stands: characters that reStructuredText would read as markup are escaped.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

SECTIONS = {"Args:": "Arguments", "Attributes:": "Attributes", "Returns:": "Returns", "Raises:": "Raises"}
#: The sentence that says where the book builds something, which may end in words such as "(minimax)".
FIRST_BUILT = re.compile(r"\s*First\s+built\s+in\s+chapter\s+(\d+)[^.]*\.")
PAGES = Path(__file__).resolve().parent.parent / "reference"


@cache
def modules() -> tuple[str, ...]:
    """The modules that the reference pages document, in their order."""
    text = "".join(path.read_text(encoding="utf8") for path in sorted(PAGES.glob("*.md")))
    return tuple(re.findall(r"^\.\. automodule:: (\S+)", text, flags=re.MULTILINE))


@cache
def names() -> dict[str, str]:
    """Ways to write a documented public name -> its full name; a bare name only if it is one module's alone."""
    found: dict[str, str] = {}
    bare: dict[str, set[str]] = {}
    for module in modules():
        found[module] = found[module.removeprefix("ganlib.")] = module
        for name in members(importlib.import_module(module)):
            full = f"{module}.{name}"
            short = full.removeprefix("ganlib.")
            found[full] = found[short] = found[short.removeprefix("book.")] = full  # `ganlib.widgets` is `book.widgets`
            bare.setdefault(name, set()).add(full)
    return found | {name: full.pop() for name, full in bare.items() if len(full) == 1 and name not in found}


def members(module: Any) -> list[str]:
    """The public functions and classes of a module, and the public methods of the latter."""
    listed = getattr(module, "__all__", None)
    home = module.__name__
    own = listed or [name for name, thing in vars(module).items() if getattr(thing, "__module__", None) == home]
    found: list[str] = []
    for name in own:
        thing = getattr(module, name)
        if name.startswith("_") or not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        found.append(name)
        if inspect.isclass(thing):
            methods = [key for key, value in vars(thing).items() if not key.startswith("_") and shown(value)]
            found += [f"{name}.{method}" for method in methods]
    return found


def shown(member: Any) -> bool:
    """Whether a member of a class has words of its own."""
    doc = getattr(member, "__doc__", None) or ""
    kind = inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
    return kind and bool(doc) and not doc.startswith("Alias for field number")


def chapters(toc: Path) -> dict[int, str]:
    """Number -> document of the chapters that the table of contents holds."""
    found = re.findall(r"file: (chapters/(\d+)_\w+)", toc.read_text(encoding="utf8"))
    return {int(number): document for document, number in found}


def restructured(docstring: str, module: str, known: dict[int, str]) -> str:
    """A docstring of the library as reStructuredText.

    Args:
        docstring: without its indentation.
        module: the module it belongs to, whose names need no prefix.
        known: the chapters there are.
    """
    docstring = FIRST_BUILT.sub(lambda found: found[0] if int(found[1]) in known else "", docstring)
    pieces = re.split(r"(`+)(.+?)\1", docstring, flags=re.DOTALL)  # text, ticks, code, text, ticks, code, …
    text = "".join(
        (_escaped(piece, known) if i % 3 == 0 else _code(" ".join(piece.split()), module))
        for i, piece in enumerate(pieces)
        if i % 3 != 1
    )
    return _sections(text)


def _plain(line: str) -> str:
    line = re.sub(r"([\\*|])|(?<=\w)(_)(?!\w)", lambda found: "\\" + found[0], line)
    return re.sub(r'"([\w.,]+)"', r'\\ ``"\1"``\\ ', line)  # words to type keep their straight quotes


def _escaped(text: str, known: dict[int, str]) -> str:
    text = "\n".join(line if ">>>" in line else _plain(line) for line in text.split("\n"))

    def linked(found: re.Match[str]) -> str:
        link = f":doc:`chapter {found[1]} </{known[int(found[1])]}>`"
        return re.sub(r"chapter\s+\d+", link, found[0])

    return FIRST_BUILT.sub(linked, text)


def _code(code: str, module: str) -> str:
    full = names().get(f"{module}.{code}") or names().get(code)
    # A space that is none, so that letters may follow; it goes where a word does not touch the code.
    return f"\\ :py:obj:`{code} <{full}>`\\ " if full else f"\\ ``{code}``\\ "


def _sections(text: str) -> str:
    """Sections as fields, their items as lists."""
    lines: list[str] = []
    parts = re.split(rf"^({'|'.join(SECTIONS)})\n((?:    .*\n|\s*\n)*)", text + "\n", flags=re.MULTILINE)
    for i, part in enumerate(parts):
        if i % 3 == 0:
            lines.append(part)
        elif i % 3 == 2:
            body = textwrap.dedent(part).strip("\n")
            if parts[i - 1] != "Returns:":
                body = re.sub(r"^(\S[^:\n]*(?:\n {4,}[^:\n]*)*?): ", r"- **\1** – ", body, flags=re.MULTILINE)
                body = re.sub(r"^ {4}", "  ", body, flags=re.MULTILINE)
            lines.append(f"\n:{SECTIONS[parts[i - 1]]}:\n" + textwrap.indent(body, "    ") + "\n\n")
    return "".join(lines)


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    module = next((m for m in sorted(modules(), key=len, reverse=True) if (name + ".").startswith(m + ".")), "")
    known = chapters(Path(app.srcdir) / app.config.external_toc_path)
    lines[:] = restructured("\n".join(lines), module, known).split("\n")


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples: their classes' docstrings tell what they are."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
