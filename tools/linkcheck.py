"""Ask every address that the book links to whether it is still there.

    python tools/linkcheck.py                    every external link of chapters, pages, docstrings and settings
    python tools/linkcheck.py chapters/03*       those of these files

Different hosts are asked at the same time, one host never twice within a second; a host that asks for patience (429,
503) gets what it asks for, and what fails for no stated reason is tried again. The report names each dead link with the
files that hold it, and each that nobody answers for, because its host is gone or this machine has no network; the exit
code is 1 if there is one of either. Links that have moved for good are listed, with where to. So are those that would
not answer a program (401, 403, 429 to the end): nobody can tell from here whether they live.
"""

from __future__ import annotations

import http.client
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path

import stamp

ROOT = stamp.ROOT
SOURCES = (
    "chapters/*.ipynb",
    "*.md",
    "reference/*.md",
    "ganlib/**/*.py",
    "benchmarks/*.py",
    "benchmarks/*.md",
    "_config.yml",
    "CITATION.cff",
    "NOTICE",
)
#: An address: to the first character that cannot be in one; a closing parenthesis belongs to it if it was opened in it.
ADDRESS = re.compile(r"https?://(?:[^\s<>\"'`\\|{}()\[\]]|\([^\s<>\"'`\\()]*\))+")
OK, MOVED, REFUSED, UNREACHED, DEAD = "fine", "moved", "refused", "unreached", "dead"
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; link check of a book)",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
}


@dataclass
class Verdict:
    """What became of one address: one of `OK`, `MOVED`, `REFUSED`, `UNREACHED`, `DEAD`, and why."""

    kind: str
    why: str = ""


@dataclass
class Checker:
    """Asks addresses, host by host.

    Args:
        gap: seconds between two requests to one host.
        timeout: seconds until a request that nobody answers has failed.
        tries: requests for one address, when they fail for no stated reason or ask for patience.
        patience: the longest wait, in seconds, that a host may ask for.
    """

    gap: float = 1.0
    timeout: float = 30.0
    tries: int = 3
    patience: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    last: dict[str, float] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)  # whether a host has ever answered

    def check_all(self, addresses: Iterable[str]) -> dict[str, Verdict]:
        """Every address with its verdict; hosts are asked at the same time, one host's addresses in turn."""
        hosts = defaultdict(list)
        for address in addresses:
            hosts[urllib.parse.urlsplit(address).netloc].append(address)

        def visit(host: str) -> dict[str, Verdict]:
            return {address: self.check(address) for address in hosts[host]}

        with ThreadPoolExecutor(16) as pool:
            return {address: verdict for answers in pool.map(visit, hosts) for address, verdict in answers.items()}

    def check(self, address: str) -> Verdict:
        """One address. HEAD first, for it costs the host least; GET where that is not taken for an answer."""
        host = urllib.parse.urlsplit(address).netloc
        if self.answers.get(host) is False:
            return Verdict(UNREACHED, "its host gave no answer before")
        verdict = Verdict(DEAD)
        for attempt in range(self.tries):
            for method in ("HEAD", "GET"):
                status, answer = self.ask(address, method)
                if status is None or status < 400 or status in (404, 410, 429, 503):
                    break  # the others (405, 403, 400, 501, …) may only mean that the host knows no HEAD
            if status is None:
                verdict = Verdict(UNREACHED, answer)
                wait = 2.0**attempt
            elif status < 400:
                return Verdict(MOVED, answer) if answer else Verdict(OK)
            elif status in (429, 503):
                verdict = Verdict(REFUSED, f"{status}: the host asks for patience")
                wait = min(float(answer or 10 * 2**attempt), self.patience)
            elif status in (401, 403):
                return Verdict(REFUSED, f"{status}: the host does not talk to programs")
            elif status >= 500:
                verdict = Verdict(DEAD, f"{status}: {answer}")
                wait = 2.0**attempt
            else:
                return Verdict(DEAD, f"{status}: {answer}")
            if attempt + 1 < self.tries:
                self.sleep(wait)
        self.answers.setdefault(host, verdict.kind != UNREACHED)
        return verdict

    def ask(self, address: str, method: str) -> tuple[int | None, str]:
        """One request: its status and, by status, where it moved for good, how many seconds to wait, or why it failed.

        The status is None if there was no answer at all.
        """
        host = urllib.parse.urlsplit(address).netloc
        wait = self.last.get(host, -self.gap) + self.gap - time.monotonic()
        if wait > 0:
            self.sleep(wait)
        trail = Trail()
        try:
            quoted = urllib.parse.quote(address.split("#")[0], safe=":/?&=%+,;@~!$'()*[]")
            request = urllib.request.Request(quoted, method=method, headers=HEADERS)
            with urllib.request.build_opener(trail).open(request, timeout=self.timeout) as response:
                self.answers[host] = True
                return response.status, trail.moved_to
        except urllib.error.HTTPError as error:
            self.answers[host] = True
            error.close()
            if error.code < 400:  # redirects without end: 508 is their code
                return 508, f"{error.code}: {str(error.reason).splitlines()[0]}"
            if error.code in (429, 503):
                return error.code, _seconds(error.headers.get("Retry-After", ""))
            return error.code, str(error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return None, str(getattr(error, "reason", "") or error) or type(error).__name__
        finally:
            self.last[host] = time.monotonic()


class Trail(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps where the first one led if it was for good (301, 308)."""

    moved_to = ""
    first = True

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if self.first and code in (301, 308):
            self.moved_to = newurl
        self.first = False
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _seconds(retry_after: str) -> str:
    """The header Retry-After, seconds or a date, as seconds; "" if it is neither."""
    if retry_after.strip().isdigit():
        return retry_after.strip()
    try:
        return str(max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time()))
    except (TypeError, ValueError):
        return ""


def addresses(text: str) -> list[str]:
    """Every external address in a text, without the full stop or comma of the sentence it stands in."""
    return [found.rstrip(".,;:!?*_") for found in ADDRESS.findall(text)]


def collect(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Address -> the files that hold it; those of this machine, of examples and the placeholder are left out."""
    found: dict[str, list[str]] = {}
    own = stamp.address()
    for path in paths:
        text = path.read_text(encoding="utf8")
        if path.suffix == ".ipynb":
            text = text.replace("\\n", "\n").replace('\\"', '"')
        for address in dict.fromkeys(addresses(text)):
            host = urllib.parse.urlsplit(address).hostname or ""
            placeholder = "/OWNER/" in own and f"/{stamp.slug(own)}" in address
            example = host in ("localhost", "127.0.0.1", "first-machine") or "github.com/someone/" in address
            if not placeholder and not example:
                found.setdefault(address, []).append(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))
    return found


def report(verdicts: dict[str, Verdict], where: dict[str, list[str]]) -> int:
    """Print what is not fine, the dead last; how many are dead or were not reached."""
    titles = {
        REFUSED: "would not answer a program",
        MOVED: "moved for good: write the new address",
        UNREACHED: "no answer at all",
        DEAD: "dead",
    }
    for kind, title in titles.items():
        these = {address: verdict for address, verdict in sorted(verdicts.items()) if verdict.kind == kind}
        if these:
            print(f"\n[links] {title} ({len(these)})")
        for address, verdict in these.items():
            print(f"  {address}\n    {verdict.why}\n    in {', '.join(where[address])}")
    counts = {
        kind: sum(verdict.kind == kind for verdict in verdicts.values())
        for kind in (OK, MOVED, REFUSED, UNREACHED, DEAD)
    }
    print(f"\n[links] {len(verdicts)} addresses: {', '.join(f'{n} {kind}' for kind, n in counts.items())}", flush=True)
    if verdicts and counts[UNREACHED] == len(verdicts):
        print("[links] no host answered: has this machine a network? Nothing is known about these links", flush=True)
    return counts[DEAD] + counts[UNREACHED]


def main() -> int:
    paths = [Path(name).resolve() for name in sys.argv[1:]] or sorted(
        {path for pattern in SOURCES for path in ROOT.glob(pattern)}
    )
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(f"no such file: {missing[0]}")
    where = collect(paths)
    hosts = {urllib.parse.urlsplit(address).netloc for address in where}
    print(f"[links] {len(where)} addresses at {len(hosts)} hosts, in {len(paths)} files", flush=True)
    return 1 if report(Checker().check_all(where), where) else 0


if __name__ == "__main__":
    sys.exit(main())
