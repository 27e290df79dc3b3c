"""Write the book's address, and the bootstrap cell, wherever they stand.

    python tools/stamp.py https://github.com/someone/gan-book [branch]
    python tools/stamp.py                     writes the bootstrap cell of tools/bootstrap.py into every chapter again

The address is the placeholder https://github.com/OWNER/gan-book until an owner stamps one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ["_config.yml", "README.md", "CITATION.cff", "CONTRIBUTING.md", "tools/bootstrap.py"]


def address(root: Path = ROOT) -> str:
    """The address in force, as `_config.yml` has it."""
    found = re.search(r"^  url: (\S+)$", (root / "_config.yml").read_text(encoding="utf8"), re.M)
    if found is None:
        raise SystemExit("_config.yml names no repository")
    return found[1]


def write_address(url: str, branch: str | None, root: Path = ROOT) -> None:
    """Replace the address in force by `url` in every file that names it, and the branch where it is named."""
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", url) or url.endswith(".git"):
        raise SystemExit(f"url must look like https://github.com/someone/gan-book, got {url!r}")
    old = address(root)
    old_pages, pages = slug(old), slug(url)
    for name in FILES:
        path = root / name
        text = path.read_text(encoding="utf8").replace(old, url).replace(f"/github/{old_pages}/", f"/github/{pages}/")
        if branch and name == "_config.yml":
            text = re.sub(r"^  branch: \S+$", f"  branch: {branch}", text, flags=re.M)
        if branch and name == "tools/bootstrap.py":
            text = re.sub(r'^(REPOSITORY, BRANCH = "[^"]+", )"[^"]+"$', rf'\1"{branch}"', text, flags=re.M)
        path.write_text(text, encoding="utf8")


def slug(url: str) -> str:
    """someone/gan-book"""
    return "/".join(url.split("/")[-2:])


def write_bootstrap(root: Path = ROOT) -> None:
    """Put tools/bootstrap.py into the first code cell of every chapter."""
    source = (root / "tools" / "bootstrap.py").read_text(encoding="utf8").strip()
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf8"))
        cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        cell["source"] = source.splitlines(keepends=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


def main() -> None:
    if len(sys.argv) > 3:
        raise SystemExit("usage: python tools/stamp.py [URL [BRANCH]]")
    if len(sys.argv) > 1:
        write_address(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None)
    write_bootstrap()


if __name__ == "__main__":
    main()
