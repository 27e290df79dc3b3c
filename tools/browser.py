"""Find a Chrome or Chromium for the page tests, or say what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
MISSING = (
    "The page tests need Chrome or Chromium and found none: install one (Debian and Ubuntu: apt install chromium; "
    "macOS: brew install --cask chromium; Windows: winget install Google.Chrome), or name it in the variable CHROME, "
    "or set GANLIB_NO_BROWSER=1 to leave these tests out."
)


def unwanted() -> bool:
    """Whether the page tests are to be left out."""
    return os.environ.get("GANLIB_NO_BROWSER") == "1"


def find() -> str | None:
    """The path of a Chrome or Chromium on this machine."""
    named = os.environ.get("CHROME")
    if named:
        path = shutil.which(named)
        if path is None:
            raise SystemExit(f"CHROME={named} is not a program")
        return path
    places = [shutil.which(name) for name in NAMES] + [str(Path(place)) for place in PLACES if Path(place).exists()]
    return next((place for place in places if place), None)


def find_or_install() -> str:
    """As `find`; on Debian, as root, installs the package `chromium` first where there is none.

    Raises:
        SystemExit: there is none; the message says what to install.
    """
    path = find()
    if path is None and sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        print("[browser] installing Debian's package chromium", flush=True)
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *command], env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        path = find()
    if path is None:
        raise SystemExit(MISSING)
    return path
