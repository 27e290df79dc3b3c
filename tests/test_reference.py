"""The reference pages: everything public is on one of them, and the table of names holds what it says."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import ganlib
from ganlib import augment, games, losses, metrics, penalties

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_ext"))
import api  # noqa: E402

KNOWN = api.chapters(ROOT / "_toc.yml")


# The table "in TF-GAN, in vegans, here".

TABLE = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "reference" / "coverage.md").read_text(encoding="utf8").splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]
HERE = {row[0].strip("| "): re.findall(r"\{py:obj\}`([^`<]+?)(?: <([\w.]+)>)?`", row[3]) for row in TABLE}
ENTRIES = [(entry, target) for found in HERE.values() for entry, target in found]


def thing(node: ast.expr) -> Any:
    """What an expression of the last column names; a call's arguments are looked at, and only `get` is called."""
    if isinstance(node, ast.Name):
        return getattr(ganlib, node.id)
    if isinstance(node, ast.Attribute):
        return getattr(thing(node.value), node.attr)
    assert isinstance(node, ast.Call), ast.dump(node)
    function = thing(node.func)
    values = [ast.literal_eval(argument) for argument in node.args]
    if function.__name__ == "get":
        return function(*values)
    accepted = inspect.signature(function).parameters
    assert not values and {keyword.arg for keyword in node.keywords} <= accepted.keys()
    return function


@pytest.mark.parametrize(("entry", "target"), ENTRIES)
def test_what_the_table_names_is_there(entry: str, target: str) -> None:
    assert thing(ast.parse(entry, mode="eval").body) is not None
    if target:
        assert entry.startswith(target) or target.split(".")[0] == entry.split(".")[0]
        assert thing(ast.parse(target, mode="eval").body) is not None


def test_every_row_has_four_columns_and_says_what_is_here() -> None:
    assert len(TABLE) > 70
    for row in TABLE:
        assert len(row) == 4, row
        assert HERE[row[0].strip("| ")] or row[3] in ("not here", "each metric takes features or logits"), row


def test_every_game_loss_penalty_and_metric_is_in_the_table() -> None:
    named = " ".join(entry for entry, _ in ENTRIES)
    wanted = [f"games.{name}" for name in games.GAMES]
    wanted += [f'losses.get("{name}")' for name in losses.LOSSES]
    wanted += [f'penalties.get("{name}")' for name in penalties.PENALTIES]
    wanted += [f'augment.get("{name}")' for name in augment.AUGMENTATIONS]
    wanted += [f"metrics.{name}" for name in api.members(metrics) if inspect.isfunction(getattr(metrics, name, None))]
    assert [name for name in wanted if not re.search(re.escape(name) + r"(?!\w)", named)] == []


# The pages.


def test_every_module_is_on_one_page() -> None:
    found = {m.name for m in pkgutil.walk_packages(ganlib.__path__, "ganlib.")}
    public = {name for name in found if not any(part.startswith("_") for part in name.split("."))}
    packages = {name.rpartition(".")[0] for name in public}
    inner = {name for name in public if name.rpartition(".")[0] in set(api.modules())}  # their names are its own
    assert public - inner - packages - {"ganlib.cli"} <= set(api.modules()) and len(set(api.modules())) == len(
        api.modules()
    )
    assert set(api.modules()) <= public


@pytest.mark.parametrize("module", api.modules())
def test_everything_public_is_documented(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__ and api.members(loaded)
    for name in api.members(loaded):
        if "." not in name:
            assert (inspect.getdoc(getattr(loaded, name)) or "").strip(), f"{module}.{name} has no docstring"


def test_pages_are_in_the_contents() -> None:
    contents = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf8"))
    assert {f"reference/{page.stem}" for page in (ROOT / "reference").glob("*.md")} <= set(contents)


# Docstrings.


def restructured(docstring: str) -> str:
    return re.sub(r"\\ ", "", api.restructured(docstring, "ganlib.metrics", KNOWN))


def test_code_becomes_links_where_it_names_something_public() -> None:
    assert restructured("Like `kid`.") == "Like :py:obj:`kid <ganlib.metrics.kid>`.\n"
    assert restructured("See `games.gan` and `data.load`.") == (
        "See :py:obj:`games.gan <ganlib.games.gan>` and :py:obj:`data.load <ganlib.data.load>`.\n"
    )
    assert restructured("`Game.play` and `n`,\n`data.load(\n'digits')`") == (
        ":py:obj:`Game.play <ganlib.engine.Game.play>` and ``n``,\n``data.load( 'digits')``\n"
    )
    assert restructured("`load`") == "``load``\n"  # of several modules: whose?
    assert restructured('"full" or "say so"') == '``"full"`` or "say so"\n'


def test_nothing_else_is_markup() -> None:
    assert restructured("|a − b|², x* of p_ and x_i, **kw, a\\b `a|b*`") == (
        "\\|a − b\\|², x\\* of p\\_ and x_i, \\*\\*kw, a\\\\b ``a|b*``\n"
    )


def test_examples_stay_as_they_are() -> None:
    assert restructured("So:\n\n>>> f(2 * 3, x_)\n6\n") == "So:\n\n>>> f(2 * 3, x_)\n6\n\n"


def test_chapters_are_links_where_there_are_any() -> None:
    document = KNOWN[5]
    assert document.startswith("chapters/05_")
    assert restructured("First built in\nchapter 5.") == f"First built in\n:doc:`chapter 5 </{document}>`.\n"
    assert restructured("First built in chapter 5 (this). As in chapter 5.") == (
        f"First built in :doc:`chapter 5 </{document}>` (this). As in chapter 5.\n"
    )


def test_of_a_chapter_that_is_not_there_nothing_is_said() -> None:
    assert restructured("Like `kid`. First built in\nchapter 99. As in chapter 99.") == (
        "Like :py:obj:`kid <ganlib.metrics.kid>`. As in chapter 99.\n"
    )
    assert restructured("One. First built in chapter 5 (this). First built in chapter 99 (that).") == (
        f"One. First built in :doc:`chapter 5 </{KNOWN[5]}>` (this).\n"
    )
    assert restructured("One.\n\nFirst built in chapter 99.\n\nTwo.") == "One.\n\nTwo.\n"


def claims() -> list[tuple[str, int]]:
    """(name, chapter) for all that says where it was first built, chapters that are not written yet included."""
    found = [("minimax", 5), ("non_saturating", 5)]  # said in the words above LOSSES
    for module in api.modules():
        for name in api.members(loaded := importlib.import_module(module)):
            said = inspect.getdoc(attrgetter(name)(loaded)) or ""
            found += [(name, int(chapter[1])) for chapter in api.FIRST_BUILT.finditer(said)]
    return found


@pytest.mark.parametrize(("number", "document"), KNOWN.items())
def test_what_a_chapter_is_said_to_build_is_in_it(number: int, document: str) -> None:
    cells = json.loads((ROOT / f"{document}.ipynb").read_text(encoding="utf8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    named = [name for name, chapter in claims() if chapter == number]
    as_written = {name: rf"(?<!\w){name.replace('_', '[ _-]')}(?!\w)" for name in named}  # f_gan, or f-GAN in words
    assert [name for name in named if not re.search(as_written[name], text, flags=re.IGNORECASE)] == []


def test_a_good_part_of_the_library_says_where_it_is_built() -> None:
    assert len(claims()) > 80 and {chapter for _, chapter in claims()} <= set(range(1, 24))


def test_sections() -> None:
    found = restructured(
        "Text.\n\nArgs:\n    a, b: (N,), with\n        more: of it.\n    c: last.\n\nReturns:\n    One: two.\n"
    )
    assert found.split() == (
        "Text. :Arguments: - **a, b** – (N,), with more: of it. - **c** – last. :Returns: One: two.".split()
    )
    assert "\n    - **a, b** – (N,), with\n      more: of it.\n    - **c** – last.\n" in found
    assert restructured("Args: are no section within a line.") == "Args: are no section within a line.\n"
