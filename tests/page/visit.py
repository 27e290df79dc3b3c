"""A folder of pages on a local server, and a script that visits it in a real browser: what the page tests share."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402
import environment  # noqa: E402


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of this folder while it is served, with a slash at its end."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def play(script: str, job: dict[str, Any], timeout: float) -> dict[str, Any]:
    """What a script beside this file reports of a job, to which the browser and axe are added."""
    tools = {"browser": browser.find_or_install(), "axe": str(ROOT / "node_modules" / "axe-core" / "axe.min.js")}
    command = [environment.find_node()[0], str(Path(__file__).with_name(script))]
    result = subprocess.run(
        command,
        input=json.dumps(tools | job),
        capture_output=True,
        text=True,
        encoding="utf8",
        cwd=ROOT,
        timeout=timeout,
    )
    assert result.returncode == 0, f"the browser did not finish:\n{result.stderr}"
    return json.loads(result.stdout)
