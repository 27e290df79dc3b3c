"""Write the book's address wherever it stands, and into every chapter its bootstrap cell and its link to Colab.

    python tools/stamp.py https://github.com/someone/gan-book [branch]      (`make address URL=… [BRANCH=…]`)
    python tools/stamp.py                     writes cell and link into every chapter again: after adding a chapter, or
                                              after a change of tools/bootstrap.py

The address is a placeholder, with OWNER for somebody's name, until an owner stamps one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ["_config.yml", "README.md", "CITATION.cff", "CONTRIBUTING.md", "tools/bootstrap.py"]


def setting(name: str, root: Path = ROOT) -> str:
    """What `_config.yml` says about the repository: its `url` or its `branch`."""
    found = re.search(rf"^  {name}: (\S+)$", (root / "_config.yml").read_text(encoding="utf8"), re.M)
    if found is None:
        raise SystemExit(f"_config.yml names no {name} of the repository")
    return found[1]


def address(root: Path = ROOT) -> str:
    """The address in force, as `_config.yml` has it."""
    return setting("url", root)


def slug(url: str) -> str:
    """someone/gan-book"""
    return "/".join(url.split("/")[-2:])


def colab(path: str, root: Path = ROOT) -> str:
    """Where Colab opens a notebook of the repository; with an empty path, what all such addresses begin with."""
    site = "https://colab.research.google.com/github"
    return f"{site}/{slug(address(root))}/blob/{setting('branch', root)}/{path}"


def write_address(url: str, branch: str | None = None, root: Path = ROOT) -> None:
    """Replace the address in force by `url`, and the branch if one is given, in every file that names them."""
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", url) or url.endswith(".git"):
        raise SystemExit(f"url must look like https://github.com/someone/gan-book, got {url!r}")
    if branch and not re.fullmatch(r"[\w./-]+", branch):
        raise SystemExit(f"branch must be the name of a branch, such as main, got {branch!r}")
    old, old_colab = address(root), colab("", root)
    config, bootstrap = "_config.yml", "tools/bootstrap.py"  # the first is read for what the others get
    for name in [config, *(name for name in FILES if name != config)]:
        path = root / name
        text = path.read_text(encoding="utf8").replace(old, url)
        if branch and name == config:
            text = re.sub(r"^  branch: \S+$", f"  branch: {branch}", text, flags=re.M)
        if branch and name == bootstrap:
            text = re.sub(r'^(REPOSITORY, BRANCH = "[^"]+", )"[^"]+"$', rf'\1"{branch}"', text, flags=re.M)
        path.write_text(text if name == config else text.replace(old_colab, colab("", root)), encoding="utf8")


def write_chapters(root: Path = ROOT) -> None:
    """Put tools/bootstrap.py into the first code cell of every chapter, and a link to Colab under its opening."""
    bootstrap = (root / "tools" / "bootstrap.py").read_text(encoding="utf8").strip()
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf8"))
        opening = notebook["cells"][0]
        words = re.sub(r"\n\n\[Open in Colab\]\(\S+\)$", "", "".join(opening["source"]))
        link = f"[Open in Colab]({colab(f'chapters/{path.name}', root)})"
        opening["source"] = f"{words}\n\n{link}".splitlines(keepends=True)
        cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        cell["source"] = bootstrap.splitlines(keepends=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


def main() -> None:
    if len(sys.argv) > 3:
        raise SystemExit("usage: python tools/stamp.py [URL [BRANCH]]")
    if len(sys.argv) > 1:
        write_address(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None)
    write_chapters()


if __name__ == "__main__":
    main()
