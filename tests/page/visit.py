"""What the page tests share: a folder of pages on a local server, a script that visits it, widgets in bare pages."""

from __future__ import annotations

import base64
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

import anywidget

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402
import environment  # noqa: E402

BARE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Widgets</title><link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="{name}.css"><main></main></html>"""


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


def in_bare_pages(widgets: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What widgets.mjs reports of these widgets, each alone in a page and without a kernel."""
    cases = []
    for name, widget in widgets.items():
        (folder / f"{name}.js").write_text(widget._esm, encoding="utf8")
        (folder / f"{name}.css").write_text(str(widget._css), encoding="utf8")
        (folder / f"{name}.html").write_text(BARE.format(name=name), encoding="utf8")
        cases.append({"name": name, "page": f"{name}.html", "script": f"{name}.js", "state": plain(widget)})
    with served(folder) as address:
        return play("widgets.mjs", {"url": address, "cases": cases}, timeout=400)


def plain(widget: Any) -> dict[str, Any]:
    """A widget's own state, as the page gets it."""
    shared = set(anywidget.AnyWidget().keys)
    values = {name: getattr(widget, name) for name in widget.keys if name not in shared and not name.startswith("_")}
    return {k: {"base64": base64.b64encode(v).decode()} if isinstance(v, bytes) else v for k, v in values.items()}


def for_everybody(report: dict[str, Any]) -> None:
    """What holds of every widget, for readers who do not see and for those with a phone."""
    assert report["troubles"] == [] and report["light"] == report["dark"] == [], "script errors, axe-core"
    assert report["wide"] == [] and report["small"] == 0, "at 360 px"
    assert report["unshielded"] == 0, "in JupyterLab the notebook takes keys from what does not carry its mark"
    assert report["listening"] == 0, "a widget that is taken away hears no more"
    assert all(all(look["named"]) for look in report["looks"].values()), "every picture has its words"
