"""What JupyterLab shows, and the second build's settings: the quick parts of `make test-lab` and `make book-modern`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import lab
import nbformat
import pytest
import side
import yaml

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The second build's settings."""
    monkeypatch.setenv("GANLIB_NOTEBOOK_CACHE", "cache")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return runpy.run_path(str(ROOT / "tools" / "modern" / "conf.py"))


def test_the_second_build_has_the_settings_of_the_first(settings: dict[str, Any]) -> None:
    book = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    assert settings["html_title"] == book["title"] and settings["exclude_patterns"] == book["exclude_patterns"]
    theme = settings["html_theme_options"]
    assert (theme["repository_url"], theme["repository_branch"]) == (
        book["repository"]["url"],
        book["repository"]["branch"],
    )
    assert theme["launch_buttons"] == book["launch_buttons"] and "report-an-error" in theme["extra_footer"]
    apart = {"extensions", "html_static_path", "html_theme_options"}
    for name, value in book["sphinx"]["config"].items():
        assert name in apart or settings[name] == value, name
    assert settings["html_theme_options"].items() >= book["sphinx"]["config"]["html_theme_options"].items()
    wrapper = {"jupyter_book", "sphinx_comments", "sphinx_book_theme"}
    assert set(settings["extensions"]) == set(book["sphinx"]["config"]["extensions"]) - wrapper
    assert all(Path(folder).is_dir() for folder in settings["html_static_path"])


def seen(**changes: Any) -> dict[str, Any]:
    """What a notebook with one text cell shows when all is well."""
    nothing: dict[str, Any] = {name: [] for name in ("raw", "mathErrors", "brokenImages", "deadLinks", "troubles")}
    return nothing | {"rendered": 1, "details": 1, "formulas": 1, "opened": "02_b.ipynb"} | changes


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"raw": ["{eq}`"]}, "raw: {eq}`"),
        ({"mathErrors": ["Undefined control sequence"]}, "mathErrors: Undefined"),
        ({"deadLinks": ["/files/x.ipynb"]}, "deadLinks: /files/x.ipynb"),
        ({"brokenImages": ["x.png"]}, "brokenImages: x.png"),
        ({"troubles": ["TypeError"]}, "script error: TypeError"),
        ({"rendered": 0}, "0 of 1 text cells"),
        ({"details": 0}, "0 of 1 solutions"),
        ({"formulas": 0}, "no formula"),
        ({"opened": ""}, "opens nothing"),
        ({"crash": "no server"}, "no server"),
    ],
)
def test_what_is_wrong_in_jupyterlab_is_said(changes: dict[str, Any], fault: str | None) -> None:
    text = "# Title\n\n[b](02_b.ipynb) $x$\n\n<details><summary>Solution</summary>\n\n</details>"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    found = lab.faults(notebook, seen(**changes))
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0])


def used(**changes: Any) -> dict[str, Any]:
    """What the notebook of widgets shows when all is well."""
    well = {
        "drawn": {"live": True},
        "spilled": {"live": []},
        "keys": {"live, class": [True, True]},
        "set": lab.SET,
    }
    return well | {"used": ["0", "3"], "heard": "heard 0 3", "again": lab.SET, "troubles": [], "outside": []} | changes


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"drawn": {"live": True, "laboratory": False}}, "laboratory is not drawn"),
        ({"spilled": {"live": [], "laboratory": ["mean"]}}, "laboratory: no room for 'mean'"),
        ({"keys": {"live, slider": [False, True]}}, "live, slider: a key does not work"),
        ({"keys": {"live, slider": [True, False]}}, "live, slider: a key takes the focus away"),
        ({"set": ["0", "7"]}, "the widgets show 0 and 7"),
        ({"heard": "heard 0 7"}, "left the widgets at 0 3, Python heard 0 7"),
        ({"heard": ""}, "Python says nothing"),
        ({"again": ["200", "3"]}, "again, the widgets show 200 and 3"),
        ({"troubles": ["TypeError"]}, "script error: TypeError"),
        ({"outside": ["https://example.org/x.js"]}, "asked another host: https://example.org/x.js"),
        ({"crash": "no server"}, "no server"),
    ],
)
def test_what_is_wrong_with_live_widgets_is_said(changes: dict[str, Any], fault: str | None) -> None:
    found = lab.widget_faults(used(**changes))
    assert (found == []) if fault is None else (len(found) == 1 and fault in found[0])


def test_readers_of_jupyterlab_get_the_files_that_chapters_link_to(tmp_path: Path) -> None:
    book = lab.lay_out(tmp_path / "lab")
    assert {path.name for path in (book / "chapters").iterdir()} == {
        path.name for path in (ROOT / "chapters").glob("*.ipynb")
    }
    assert (book / "benchmarks.md").exists() and (book / "benchmarks" / "results" / "results.png").exists()
    for name, packages in lab.EXTENSIONS.items():
        chapter, widgets = (
            nbformat.read(path, as_version=4) for path in (min(book.glob("*/01*")), book / f"{name}.ipynb")
        )
        assert widgets.metadata == chapter.metadata, "else JupyterLab asks which kernel to start"
        assert {package.split("==")[0] for package in packages} >= {"ipywidgets", "anywidget"}


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(side, "ROOT", tmp_path)
    monkeypatch.setattr(side, "make", lambda folder: folder.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(side, "install", lambda python, *packages: made.append(packages))
    for packages in (["a==1"], ["a==1"], ["a==2"]):
        side.environment("name", packages)
    assert made == [("a==1",), ("a==2",)]
