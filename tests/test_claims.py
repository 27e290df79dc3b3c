"""Claims: when they raise, when they are only shown, and what is shown in a terminal and in a notebook."""

from __future__ import annotations

import re
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

import ganlib
from ganlib import claims
from ganlib.claims import ClaimError, claim


@pytest.fixture(autouse=True)
def full_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_QUICK", raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_QUICK", "1")


def test_it_is_ganlibs() -> None:
    assert ganlib.claim is claim


@pytest.mark.parametrize("trained", [True, False])
def test_a_true_claim_is_shown(trained: bool, capsys: pytest.CaptureFixture[str]) -> None:
    claim("JS is symmetric", True, value=0.0, trained=trained)
    assert capsys.readouterr().out == "✓ JS is symmetric · 0\n"


@pytest.mark.parametrize("trained", [True, False])
def test_a_false_claim_is_shown_and_then_raises(trained: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClaimError, match=r"^all modes found · 7$"):
        claim("all modes found", False, value=7, trained=trained)
    assert capsys.readouterr().out == "✗ all modes found · 7\n"
    assert issubclass(ClaimError, AssertionError)


def test_a_quick_run_does_not_judge_claims_about_training(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    claim("all modes found", False, value=1, trained=True)
    claim("all modes found", True, value=8, trained=True)
    assert capsys.readouterr().out == (
        "✗ all modes found · 1 · not judged in a quick run\n✓ all modes found · 8 · not judged in a quick run\n"
    )


def test_a_quick_run_still_evaluates_them(quick: None) -> None:
    with pytest.raises(ZeroDivisionError):
        claim("it runs", lambda: 1 / 0 > 0, trained=True)
    with pytest.raises(TypeError, match="holds must be True or False"):
        claim("it is a truth value", 0.3, trained=True)


def test_a_quick_run_judges_claims_without_training(quick: None) -> None:
    claim("1 + 1 = 2", 1 + 1 == 2)
    with pytest.raises(ClaimError, match=r"^1 \+ 1 = 3$"):
        claim("1 + 1 = 3", 1 + 1 == 3)


def test_a_function_is_called_once() -> None:
    calls = []
    claim("called", lambda: not calls.append(1))
    assert calls == [1]
    with pytest.raises(ClaimError):
        claim("false", lambda: False)


@pytest.mark.parametrize(
    "kind", [bool, np.bool_, torch.tensor, np.array, lambda b: torch.tensor([b]), lambda b: lambda: np.bool_(b)]
)
def test_truth_values_of_every_kind(kind: object) -> None:
    claim("true", kind(True))
    with pytest.raises(ClaimError):
        claim("false", kind(False))


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
        lambda: None,
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
        module.display = lambda data, raw: self.shown.append(data) if raw else pytest.fail("not raw")
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
    claim("a", True, trained=True)
    with pytest.raises(ClaimError):
        claim("b", False, trained=True)
    monkeypatch.setenv("GANLIB_QUICK", "1")
    claim("c", True, trained=True)
    claim("d", False, trained=True)
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


def test_in_a_real_kernel() -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cell = nbformat.v4.new_code_cell(
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom ganlib import claim\n"
        "claim('x < y', True, value=0.5)\nclaim('worse', False, value=2)"
    )
    book = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute()
    first, second, error = book.cells[0].outputs
    assert first.data["text/plain"] == "✓ x < y · 0.5"
    assert 'class="claim claim-true"' in first.data["text/html"] and "x &lt; y" in first.data["text/html"]
    assert 'class="claim claim-false"' in second.data["text/html"]
    assert (error.output_type, error.ename, error.evalue) == ("error", "ClaimError", "worse · 2")
