"""Chapter 24's stored answers: what was typed is what the tool types, and its table of names is the page's."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ellipk

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import libraries  # noqa: E402

KEPT: dict[str, Any] = json.loads((ROOT / "ganlib" / "assets" / "libraries.json").read_text(encoding="utf8"))


def test_each_trial_was_typed_as_the_tool_types_it_and_is_dated() -> None:
    assert KEPT["trials"].keys() == libraries.TRIALS.keys()
    for name, trial in KEPT["trials"].items():
        typed = [libraries.typed(command) for command in libraries.TRIALS[name]]
        steps = trial["steps"]
        assert [step["typed"] for step in steps] == typed[: len(steps)], name
        assert all(step["status"] == 0 for step in steps[:-1])
        assert len(steps) == len(typed) or steps[-1]["status"] != 0
        assert all(step["said"] for step in steps), "what it printed is what it is kept for"
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", trial["date"]) and trial["versions"]


def test_the_names_are_those_of_the_page_and_lead_to_pages() -> None:
    assert KEPT["names"] == libraries.names(), "run `python tools/libraries.py --names`"
    for row in KEPT["names"]:
        for text, to in row["here"]:
            assert (text == "not here") == (not to)
            page = to.split("#")[0].replace(".html", ".md")
            assert not to or (ROOT / page).is_file()
    rows = [(row["kind"], row["what"]) for row in KEPT["names"]]
    assert len(set(rows)) == len(rows), "each thing has one row"


def test_each_package_has_a_version_and_a_day() -> None:
    assert KEPT["releases"]["of"].keys() == set(libraries.PACKAGES)
    assert KEPT["unreleased"]["of"].keys() == libraries.UNRELEASED.keys()
    for one in [*KEPT["releases"]["of"].values(), *KEPT["unreleased"]["of"].values()]:
        assert one["version"] and re.fullmatch(r"20\d\d-\d\d-\d\d", one["date"])


def test_nothing_of_a_machine_is_kept() -> None:
    assert not re.search(r"/tmp|/home|/root|site-packages", json.dumps(KEPT))


def test_lines_of_a_notebook_are_counted_without_comments(tmp_path: Path) -> None:
    code = {"cell_type": "code", "source": ["# no\n", "\n", "x = 1\n", "print(x)  # yes"]}
    (tmp_path / "clone").mkdir()
    text = json.dumps({"cells": [code, {"cell_type": "markdown", "source": ["no"]}]})
    (tmp_path / "clone" / "a.ipynb").write_text(text)
    for words in (
        ["init", "-q"],
        ["add", "a.ipynb"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", "-C", str(tmp_path / "clone"), *words], check=True)
    assert libraries.counted(tmp_path, "clone", "HEAD", "a.ipynb")["lines"] == 2


def test_a_clone_tells_its_newest_commit_and_its_licences(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "LICENSE").write_text("The MIT License\n")
    (tmp_path / "LICENSE-PARTS").write_text("another\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a", "--date", "2020-02-02T12:00:00"]):
        subprocess.run([*git, *words], check=True)
    found = libraries.committed(tmp_path, ".", "MIT License")
    assert found["date"] == "2020-02-02" and found["licence"] == "MIT License, LICENSE-PARTS"
    assert re.fullmatch("[0-9a-f]{7,}", found["version"])
    with pytest.raises(ValueError, match="should say 'Apache'.*'The MIT License"):
        libraries.committed(tmp_path, ".", "Apache")


def test_what_ended_a_command_is_kept() -> None:
    long = "ERROR: " + "x" * 500
    done = subprocess.CompletedProcess(["pip"], 1, "Collecting a\n", f"{long}\nERROR: b\nhint: c\nERROR: b\n")
    assert libraries.said(done) == [long[:200], "ERROR: b"]
    done = subprocess.CompletedProcess(["bin/python"], 1, "", "Traceback\n  File x\nAttributeError: y\n")
    assert libraries.said(done) == ["AttributeError: y"]


def test_typed_hides_a_long_program() -> None:
    assert libraries.typed(["python", "-c", "import a"]) == 'python -c "import a"'
    assert libraries.typed(["python", "-c", "import a\nb"]) == 'python -c "…"'
    assert libraries.typed(["pip", "install", "a"]) == "pip install a"


@pytest.mark.parametrize("delta", [0.05, 0.2, 0.6])
def test_formula_two(delta: float) -> None:
    """Theorem 24.1 (b), against many draws."""
    a, b = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, 400_000))
    drawn = np.mean(np.abs(np.cos(a) ** 2 + np.cos(b) ** 2 - 1) < delta)
    share = 4 / math.pi**2 * quad(lambda w: ellipk(1 - w * w), 0, delta)[0]
    assert abs(drawn - share) < 4 * math.sqrt(share / 400_000)
