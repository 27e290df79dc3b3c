"""Claims: when they hold, what their control must say, and what is shown in a terminal and in a notebook."""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import execute
import numpy as np
import pytest
import torch

import ganlib
from ganlib.book import claims
from ganlib.book.claims import claim


@pytest.fixture(autouse=True)
def full_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_QUICK", raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")


def test_it_is_ganlibs() -> None:
    assert ganlib.claim is claim


def above(threshold: float) -> Callable[[Any], Any]:
    return lambda x: x > threshold


def test_a_true_claim_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    claim("JS is symmetric", True, value=0.0)
    claim("all modes found", above(7), value=8, control=1)
    claim("in the table, too", above(7), value=8, stored=True)
    assert capsys.readouterr().out == (
        "✓ JS is symmetric · 0\n✓ all modes found · 8 · control: 1\n✓ in the table, too · 8 · from a stored table\n"
    )


def test_a_false_claim_is_shown_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    claim("all modes found", above(7), value=7, control=1)
    claim("1 + 1 = 3", 1 + 1 == 3)
    claim("in the table", above(7), value=7, stored=True)
    assert capsys.readouterr().out == (
        "✗ all modes found · 7 · control: 1 · does not hold in this run\n✗ 1 + 1 = 3\n"
        "✗ in the table · 7 · from a stored table\n"
    )


def test_a_claim_that_is_true_of_its_control_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    claim("it learns", above(0.5), value=0.9, control=0.6)
    assert capsys.readouterr().out == "✗ it learns · 0.9 · control: 0.6 · does not tell value and control apart\n"


def test_a_quick_run_does_not_judge_claims_about_training(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    claim("all modes found", above(7), value=1, control=1)
    claim("all modes found", above(7), value=8, control=1)
    assert capsys.readouterr().out == (
        "✗ all modes found · 1 · control: 1 · not judged in a quick run\n"
        "✓ all modes found · 8 · control: 1 · not judged in a quick run\n"
    )


def test_a_quick_run_still_evaluates_them(quick: None) -> None:
    with pytest.raises(ZeroDivisionError):
        claim("it runs", lambda x: 1 / x > 0, value=0, control=1)
    with pytest.raises(TypeError, match="holds must be True or False"):
        claim("it is a truth value", lambda x: x, value=0.3, control=0.0)


def test_a_control_asks_for_a_predicate_and_a_table_has_none() -> None:
    with pytest.raises(TypeError, match="with a control, holds must be a predicate of the value"):
        claim("it learns", True, value=0.9, control=0.5)
    with pytest.raises(ValueError, match="choose one"):
        claim("it learns", above(0.7), value=0.9, control=0.5, stored=True)


def test_a_predicate_is_given_the_value_and_the_control() -> None:
    seen: list[object] = []
    claim("called", lambda x: not seen.append(x) and x == "value", value="value", control="control")
    assert seen[:2] == ["value", "control"]


@pytest.mark.parametrize(
    ("holds", "value", "control", "margin"),
    [
        (lambda x: x > 0.75, 1.0, 0.0, 0.25),
        (lambda x: x < 3, 1, 5, 0.5),
        (lambda x: max(x) < 3, (1.0, 2.0), (5.0, 2.0), 0.5),
        (lambda x: x["ours"] < x["theirs"] / 2, {"ours": 1.0, "theirs": 4.0}, {"ours": 4.0, "theirs": 4.0}, 1 / 3),
        (lambda x: (x > 0.5).all(), torch.ones(2, 2), torch.zeros(2, 2), 0.5),
        (lambda x: x.min() > 0.5, np.ones(3), np.zeros(3), 0.5),
        (lambda x: [v > 1 for v in x] == [True], [2.0], [0.0], 0.5),
        (lambda x: x == "a", "a", "b", None),
        (lambda x: len(x) > 1, [1, 2], [1], None),
        (lambda x: x, True, False, None),
    ],
)
def test_the_margin_is_the_share_of_the_way_to_the_control(
    holds: Callable[[Any], Any], value: Any, control: Any, margin: float | None
) -> None:
    found = claims._margin(holds, value, control)
    assert found is None if margin is None else found == pytest.approx(margin, abs=1e-6)


@pytest.mark.parametrize(
    "kind", [bool, np.bool_, torch.tensor, np.array, lambda b: torch.tensor([b]), lambda b: lambda _: np.bool_(b)]
)
def test_truth_values_of_every_kind(kind: Callable[[bool], Any], capsys: pytest.CaptureFixture[str]) -> None:
    claim("true", kind(True))
    claim("false", kind(False))
    assert capsys.readouterr().out == "✓ true\n✗ false\n"


@pytest.mark.parametrize(
    "holds",
    [
        1,
        0,
        None,
        "yes",
        0.5,
        np.float64(1),
        torch.tensor(1.0),
        torch.tensor([True, True]),
        np.array([True, True]),
        [True],
        lambda _: None,
    ],
)
def test_what_is_no_truth_value_is_refused(holds: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError, match="holds must be True or False"):
        claim("words", holds)
    assert capsys.readouterr().out == ""


def test_words_must_be_text() -> None:
    with pytest.raises(TypeError, match="words must be text, got True"):
        claim(True, "JS is symmetric")


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (12345678, "12345678"),
        (0.123456, "0.1235"),
        (float("nan"), "nan"),
        (1e-9, "1e-09"),
        ("8 of 8", "8 of 8"),
        (True, "True"),
        (np.float32(0.25), "0.25"),
        (torch.tensor(0.69314), "0.6931"),
        ([0.11111, 2], "0.1111, 2"),
        (torch.tensor([0.5, 0.25], requires_grad=True), "0.5, 0.25"),
        ({"k = 1": 0.33333, "k = 5": 2}, "k = 1: 0.3333, k = 5: 2"),
    ],
)
def test_values_are_shown_in_a_few_characters(value: object, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    claim("words", True, value)
    assert capsys.readouterr().out == f"✓ words · {text}\n"


class Notebook:
    """Stands in for a kernel: IPython with a shell that has one, and a display that keeps what it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[dict[str, str]] = []
        module = types.ModuleType("IPython.display")
        module.display = lambda data, metadata, raw: self.shown.append(data) if raw else pytest.fail("not raw")
        package = types.ModuleType("IPython")
        package.get_ipython = lambda: types.SimpleNamespace(kernel=object())
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", module)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    return Notebook(monkeypatch)


class Classes(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.classes: list[str] = []
        self.open = 0
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open += 1
        self.classes.append(dict(attributes).get("class") or "")

    def handle_endtag(self, tag: str) -> None:
        self.open -= 1

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_notebook_shows_html_and_plain_text(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    claim("p < q & r", True, value="<b>")
    (shown,) = notebook.shown
    assert set(shown) == {"text/html", "text/plain"}
    assert shown["text/plain"] == "✓ p < q & r · <b>"
    parsed = Classes(shown["text/html"])
    assert parsed.classes == ["claim claim-true", "claim-mark", "claim-value"] and parsed.open == 0
    assert parsed.words == shown["text/plain"]
    assert capsys.readouterr().out == ""


def test_a_notebook_tells_true_false_and_untrained_apart(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    claim("a", above(1), value=2, control=0)
    claim("b", above(1), value=1, control=0)
    monkeypatch.setenv("GANLIB_QUICK", "1")
    claim("c", above(1), value=2, control=0)
    claim("d", above(1), value=1, control=0)
    classes = [Classes(shown["text/html"]).classes[0] for shown in notebook.shown]
    assert classes == ["claim claim-true", "claim claim-false", "claim claim-untrained", "claim claim-untrained"]
    assert [re.sub("[^✓✗]", "", shown["text/plain"]) for shown in notebook.shown] == ["✓", "✗", "✓", "✗"]


@pytest.mark.parametrize(
    "ipython",
    [
        None,
        types.SimpleNamespace(get_ipython=lambda: None),
        types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace()),
        types.SimpleNamespace(),
    ],
)
def test_without_a_kernel_it_prints(
    ipython: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    claim("words", True)
    assert capsys.readouterr().out == "✓ words\n"
    assert not claims._in_kernel()


def test_in_a_real_kernel_every_claim_is_judged_and_recorded() -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cell = nbformat.v4.new_code_cell(
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom ganlib import claim\n"
        "claim('x < y', False, value=0.5)\nclaim('better', lambda x: x > 1, value=2, control=0)"
    )
    book = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute(env={**os.environ, "GANLIB_QUICK": ""})
    first, second = book.cells[0].outputs
    assert first.data["text/plain"] == "✗ x < y · 0.5"
    assert 'class="claim claim-false"' in first.data["text/html"] and "x &lt; y" in first.data["text/html"]
    assert 'class="claim claim-true"' in second.data["text/html"]
    assert second.metadata[claims.KEY] == {
        "words": "better",
        "kind": "trained",
        "holds": True,
        "judged": True,
        "value": "2",
        "control": "0",
        "margin": pytest.approx(0.5, abs=1e-6),
    }
    assert execute.claims_of(book) == [dict(output.metadata[claims.KEY]) for output in book.cells[0].outputs]
    assert [one["kind"] for one in execute.claims_of(book)] == ["computed", "trained"]
