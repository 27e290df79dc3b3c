"""Commands: what CI calls exists, and CONTRIBUTING lists what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf8"), re.M))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: The actions that CI may use, with their major versions: GitHub's own.
ACTIONS = {
    "actions/checkout": 4,
    "actions/setup-python": 5,
    "actions/cache": 4,
    "actions/upload-artifact": 4,
    "actions/upload-pages-artifact": 3,
    "actions/deploy-pages": 4,
}


def jobs(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf8"))["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_what_exists(path: Path) -> None:
    assert all(job["runs-on"] and job["timeout-minutes"] for name, job in jobs(path).items() if name != "publish")
    for step in steps(path):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            name, version = step["uses"].split("@")
            assert version == f"v{ACTIONS[name]}"
        for target in re.findall(r"\bmake (?!address)([\w-]+)", step.get("run", "")):
            assert target in TARGETS, f"{path.name}: make {target}"
        for file in re.findall(r"\b(?:tools|benchmarks)[/\\][\w/\\]+\.py", step.get("run", "")):
            assert (ROOT / file.replace("\\", "/")).exists(), f"{path.name}: {file}"


def test_what_the_world_can_break_is_tried_every_week() -> None:
    weekly = ROOT / ".github" / "workflows" / "weekly.yml"
    called = {target for step in steps(weekly) for target in re.findall(r"make ([\w-]+)", step.get("run", ""))}
    assert called == {"test-colab", "test-lab", "links", "book-modern"}
    assert [name for name, job in jobs(weekly).items() if job.get("continue-on-error")] == ["modern"]


def test_contributing_lists_every_command() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    listed = set(re.findall(r"^\| `make ([\w-]+)", text, re.M))
    assert listed == TARGETS - {"environment"}
    for file in re.findall(r"(?:tools|benchmarks)/[\w/]+\.py", text):
        assert (ROOT / file).exists(), file
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf8"), re.M)
    assert phony and set(phony[1].split()) == TARGETS
