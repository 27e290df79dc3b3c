"""The check of external links, against a server on this machine."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import linkcheck
import pytest


class Pages(http.server.BaseHTTPRequestHandler):
    """Good, dead, moved and moody pages; counts what it is asked."""

    asked: ClassVar[Counter[str]] = Counter()

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        name = self.path.strip("/")
        self.asked[f"{self.command} {name}"] += 1
        first = self.asked[f"{self.command} {name}"] == 1
        if name == "mute":
            self.close_connection = True
            return
        heads_only = {"no-head": 405, "shy": 403}
        codes = {"gone": 410, "dead": 404, "closed": 403, "broken": 500, "busy": 429}
        moved = {
            "moved": (301, "good"),
            "elsewhere": (302, "good"),
            "moved-and-dead": (301, "dead"),
            "loop": (302, "loop"),
        }
        status = codes.get(name, 200)
        if self.command == "HEAD":
            status = heads_only.get(name, status)
        if name in ("tired", "shaky") and first:
            status = 429 if name == "tired" else 500
        target = None
        if name in moved:
            status, target = moved[name]
        self.send_response(status)
        if target:
            self.send_header("Location", f"/{target}")
        if name == "tired":
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


@pytest.fixture
def slept() -> list[float]:
    Pages.asked.clear()
    return []


@pytest.fixture
def checker(slept: list[float]) -> linkcheck.Checker:
    return linkcheck.Checker(gap=0.0, timeout=2.0, sleep=slept.append)


@pytest.mark.parametrize(
    ("page", "kind", "why"),
    [
        ("good", linkcheck.OK, ""),
        ("good#part", linkcheck.OK, ""),
        ("gute Bücher", linkcheck.OK, ""),
        ("elsewhere", linkcheck.OK, ""),
        ("moved", linkcheck.MOVED, "/good"),
        ("no-head", linkcheck.OK, ""),
        ("shy", linkcheck.OK, ""),
        ("shaky", linkcheck.OK, ""),
        ("tired", linkcheck.OK, ""),
        ("dead", linkcheck.DEAD, "404"),
        ("gone", linkcheck.DEAD, "410"),
        ("broken", linkcheck.DEAD, "500"),
        ("moved-and-dead", linkcheck.DEAD, "404"),
        ("loop", linkcheck.DEAD, "302"),
        ("closed", linkcheck.REFUSED, "403"),
        ("busy", linkcheck.REFUSED, "429"),
    ],
)
def test_verdicts(checker: linkcheck.Checker, server: str, page: str, kind: str, why: str) -> None:
    verdict = checker.check(f"{server}/{page}")
    assert verdict.kind == kind and why in verdict.why


def test_nobody_answers(checker: linkcheck.Checker, slept: list[float]) -> None:
    for address in ("http://127.0.0.1:1/x", "http://no-such-host.invalid/"):
        assert checker.check(address).kind == linkcheck.UNREACHED
    assert slept == [1.0, 2.0] * 2
    assert checker.check("http://127.0.0.1:1/y") == linkcheck.Verdict(
        linkcheck.UNREACHED, "its host gave no answer before"
    )
    assert len(slept) == 4, "a host that never answers is not asked for each of its pages"


def test_a_host_that_has_answered_is_asked_again(checker: linkcheck.Checker, server: str, slept: list[float]) -> None:
    checker.check(f"{server}/good")
    assert checker.check(f"{server}/mute").kind == linkcheck.UNREACHED and slept == [1.0, 2.0]
    assert checker.check(f"{server}/good").kind == linkcheck.OK


def test_without_a_network_every_link_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = {f"https://a.org/{n}": linkcheck.Verdict(linkcheck.UNREACHED, "no such host") for n in range(2)}
    assert linkcheck.report(verdicts, {key: ["b.md"] for key in verdicts}) == 2
    told = capsys.readouterr().out
    assert all(address in told for address in verdicts) and "no host answered" in told and "0 dead" in told
    verdicts["https://c.org/"] = linkcheck.Verdict(linkcheck.OK)
    assert linkcheck.report(verdicts, {key: ["b.md"] for key in verdicts}) == 2
    assert "no host answered" not in capsys.readouterr().out


def test_a_host_gets_the_patience_it_asks_for(checker: linkcheck.Checker, server: str, slept: list[float]) -> None:
    checker.check(f"{server}/tired")
    assert slept == [7.0] and Pages.asked == {"HEAD tired": 2}


def test_a_page_that_fails_for_no_reason_is_tried_three_times(
    checker: linkcheck.Checker, server: str, slept: list[float]
) -> None:
    checker.check(f"{server}/broken")
    assert Pages.asked["HEAD broken"] == 3 and slept == [1.0, 2.0]


def test_a_dead_page_is_asked_once(checker: linkcheck.Checker, server: str, slept: list[float]) -> None:
    checker.check(f"{server}/dead")
    assert Pages.asked == {"HEAD dead": 1} and slept == []


def test_one_host_is_not_asked_twice_at_once(server: str) -> None:
    start = time.monotonic()
    verdicts = linkcheck.Checker(gap=0.2).check_all([f"{server}/good?{n}" for n in range(4)])
    assert time.monotonic() - start >= 0.6
    assert {verdict.kind for verdict in verdicts.values()} == {linkcheck.OK}


def test_the_report_names_page_and_link(
    checker: linkcheck.Checker, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = [f"{server}/{name}" for name in ("good", "moved", "dead", "closed")]
    where = {address: ["chapters/a.ipynb", "b.md"] for address in addresses}
    assert linkcheck.report(checker.check_all(addresses), where) == 1
    told = capsys.readouterr().out
    assert f"{server}/dead\n    404: Not Found\n    in chapters/a.ipynb, b.md" in told
    assert f"{server}/moved\n    {server}/good\n    in" in told and f"  {server}/good\n    \n" not in told
    assert "4 addresses: 1 fine, 1 moved, 1 refused, 0 unreached, 1 dead" in told


def test_addresses_are_read_out_of_sentences() -> None:
    text = (
        "See [a](https://arxiv.org/abs/1406.2661), <https://b.org/x>, https://doi.org/10.1016/S0893-6080(05)80023-1. "
        'And {"url": "https://c.org/y"}; (https://d.org/z).'
    )
    assert linkcheck.addresses(text) == [
        "https://arxiv.org/abs/1406.2661",
        "https://b.org/x",
        "https://doi.org/10.1016/S0893-6080(05)80023-1",
        "https://c.org/y",
        "https://d.org/z",
    ]


def test_the_placeholder_is_no_link(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{linkcheck.stamp.address()}/issues https://a.org/ http://localhost:8888/", encoding="utf8")
    found = linkcheck.collect([page])
    assert "https://a.org/" in found and "http://localhost:8888/" not in found
    assert ("/OWNER/" in linkcheck.stamp.address()) == (len(found) == 1)
