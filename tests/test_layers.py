"""The house: each module imports only what is below it, and nobody touches a private name of another module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ganlib

ROOT = Path(ganlib.__file__).parent
#: From the ground up; modules of one row may import each other.
LAYERS = [
    ("_check", "distributed", "compute", "toys", "divergences"),
    ("nets", "losses", "penalties", "augment", "data", "schedule", "features"),
    ("metrics", "compare"),
    ("checkpoint", "history", "generator"),
    ("engine", "plot", "export"),
    ("games", "doctor"),
    ("recipes", "reference", "run", "translate"),
    ("book", "cli", "__main__"),
    ("__init__",),
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in ROOT.rglob("*.py"))


def part(path: Path) -> str:
    """The name in LAYERS of what this file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, str]]:
    """(module of ganlib, name taken from it) of every import that is made when this file is read or run."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    package = ["ganlib", *path.relative_to(ROOT).with_suffix("").parts][:-1]
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or id(node) in for_types:
            continue
        base = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        if module.partition(".")[0] == "ganlib":
            found += [(module, alias.name) for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    mine = LEVEL[part(path)]
    for module, name in imports(path):
        target = module.split(".")[1] if "." in module else name
        if target in LEVEL:  # else a name of the package itself, such as __version__
            assert LEVEL[target] <= mine, f"{part(path)} imports {target}, which stands above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_takes_a_private_name_of_another_part(path: Path) -> None:
    for module, name in imports(path):
        parts = [*module.split(".")[1:], name]
        private = [p for p in parts if p.startswith("_") and p not in ("_check", "__version__")]
        assert not private or parts[0] == part(path), f"{private[0]} of {module} is private"


def test_every_module_has_its_layer() -> None:
    assert {part(path) for path in MODULES} <= LEVEL.keys()
