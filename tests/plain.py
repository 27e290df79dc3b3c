"""What of a text only the book's pages understand: plain Jupyter, Colab and GitHub would show it as raw text."""

from __future__ import annotations

import re

FENCED = re.compile(r"^( {0,3}|> ?)(```+|~~~+)[^\n]*\n.*?^\1\2[ ]*$", re.S | re.M)
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
MATH = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$(?!\s)(?:\\.|[^$\\])+?(?<!\s)\$", re.S)
#: What is found in the whole text.
WRITTEN = {"a directive": r"^[> ]*(?:```+|~~~+)[ ]*\{.*"}
#: What is found when code is taken out.
OUTSIDE_CODE = {
    "a directive": r"^[> ]*:::.*",
    "a label of a formula": r"\$\$[ ]*\([\w:.-]+\)",
    "mathematics in \\( \\) or \\[ \\]": r"\\[(\[].{0,40}",
}
#: What is found when code and formulas are taken out.
PROSE = {
    "a target": r"^\([\w:.-]+\)=[ ]*$",
    "a comment": r"^%.*",
    "a break between blocks": r"^\+\+\+.*",
    "a substitution": r"\{\{.*?\}\}",
    "attributes": r"[)\]`]\{[^}\n]*\}|^\{[.#][^}\n]*\}[ ]*$",
    "a footnote": r"\[\^[^\]\n]+\]",
    "a definition list": r"^: +\S.*",
    "an alert": r"^> ?\[!.*",
    "a link without words": r"(?<!!)\[\]\([^)]*\)",
    "a link by a scheme of the book's own": r"(?:<|\]\()(?:project|path|inv|myst|doc):[^>)]*",
    "a heading without a space": r"^#{1,6}[^#\s].*",
    "a dollar that opens no formula": r"(?<!\\)\$.{0,40}",
    "an environment without dollars": r"\\begin\{.*",
}
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)|\b(?:href|src)=[\"']([^\"']+)", re.I)


def raw(text: str) -> list[str]:
    """What plain Jupyter would show as it is written, each with what it is."""
    found = _search(WRITTEN, text)
    text = FENCED.sub("", text)
    roles = [re.search(r"\{[\w:.+-]+\}$", text[: span.start()]) for span in CODE.finditer(text)]
    found += [f"a role: {role[0]}" for role in roles if role]
    text = CODE.sub("`code`", text)
    found += _search(OUTSIDE_CODE, MATH.sub(lambda m: "$$" if m[0].startswith("$$") else "formula", text))
    return found + _search(PROSE, MATH.sub("formula", text))


def _search(kinds: dict[str, str], text: str) -> list[str]:
    return [f"{kind}: {match[0][:60]}" for kind, form in kinds.items() for match in re.finditer(form, text, re.M)]


def links(text: str) -> list[str]:
    """Where the links and pictures of a text lead, code left out."""
    return [link or html for link, html in LINK.findall(CODE.sub("`code`", FENCED.sub("", text)))]


def broken_references(text: str) -> list[str]:
    """Links of the form [words][name] whose name is defined nowhere."""
    prose = MATH.sub("formula", CODE.sub("`code`", FENCED.sub("", text)))
    names = {name.casefold() for name in re.findall(r"^ {0,3}\[([^\]]+)\]:", prose, re.M)}
    return [name for name in re.findall(r"\]\[([^\]]+)\]", prose) if name.casefold() not in names]
