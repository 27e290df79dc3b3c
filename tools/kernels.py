"""The surroundings of every notebook kernel that tests and builds start: no network, no settings of the user's own.

IPython runs the scripts of `profile_default/startup` when a kernel starts; `environment` points it at a folder with one
that lets sockets reach this machine only (kernels talk to their client over loopback) and refuses everything else.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STARTUP = '''
"""Refuse every connection that leaves this machine: a chapter runs without a network."""
import ipaddress
import socket


def _refuse_elsewhere(host):
    if host in (None, "", "localhost", b"localhost"):
        return
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        raise socket.gaierror(socket.EAI_NONAME, f"the network is cut: no chapter may ask for {host!r}") from None
    if not (address.is_loopback or address.is_unspecified):
        raise ConnectionRefusedError(f"the network is cut: no chapter may connect to {host}")


def _guarded(name):
    original = getattr(socket.socket, name)

    def method(self, *args):
        address = args[-1]
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            _refuse_elsewhere(address[0])
        return original(self, *args)

    setattr(socket.socket, name, method)


for _name in ("connect", "connect_ex", "sendto"):
    _guarded(_name)
_getaddrinfo = socket.getaddrinfo


def _local_getaddrinfo(host, *args, **kwargs):
    _refuse_elsewhere(host)
    return _getaddrinfo(host, *args, **kwargs)


socket.getaddrinfo = _local_getaddrinfo
'''


def environment(quick: bool, threads: int | None = None) -> dict[str, str]:
    """The environment variables for kernels: network cut, own Jupyter and IPython folders, profile and thread count.

    Args:
        quick: the quick profile (`GANLIB_QUICK=1`) or the full one.
        threads: torch threads of each kernel; by default OMP_NUM_THREADS, else two, or one on a machine with one core.
    """
    own = ROOT / "_build" / "kernels"
    startup = own / "ipython" / "profile_default" / "startup" / "00-no-network.py"
    startup.parent.mkdir(parents=True, exist_ok=True)
    if not startup.exists() or startup.read_text(encoding="utf8") != STARTUP:
        startup.write_text(STARTUP, encoding="utf8")
    result = dict(os.environ)
    result.update(
        IPYTHONDIR=str(own / "ipython"),
        JUPYTER_CONFIG_DIR=str(own / "config"),
        JUPYTER_DATA_DIR=str(own / "data"),
        JUPYTER_RUNTIME_DIR=str(own / "runtime"),
        OMP_NUM_THREADS=str(threads or os.environ.get("OMP_NUM_THREADS") or min(2, os.cpu_count() or 1)),
        PYTHONHASHSEED="0",
    )
    result.pop("GANLIB_QUICK", None)
    if quick:
        result["GANLIB_QUICK"] = "1"
    return result
