"""The surroundings of every notebook kernel that tests and builds start: no network, no settings of the user's own.

IPython runs the scripts of `profile_default/startup` when a kernel starts; `environment` points it at a folder with one
that lets sockets reach this machine only (kernels talk to their client over loopback) and refuses everything else. It
also notes after each cell the processor time the kernel has spent and the most memory it has held, in the file that
GANLIB_RUN_NOTE names, and gives every random draw another seed where GANLIB_SEED_SHIFT is a number.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Of pytest: two processes of one thread each, or one of one: never more threads than cores.
WORKERS = ["-n", str(min(2, os.cpu_count() or 1))]

STARTUP = '''
"""What every kernel of the book does first; nothing of it stays in the notebook's namespace."""


def _book():
    import ipaddress
    import json
    import os
    import socket
    import sys
    import time

    # Refuse every connection that leaves this machine: a chapter runs without a network.
    def refuse_elsewhere(host):
        if host in (None, "", "localhost", b"localhost"):
            return
        try:
            address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, f"the network is cut: no chapter may ask for {host!r}") from None
        if not (address.is_loopback or address.is_unspecified):
            raise ConnectionRefusedError(f"the network is cut: no chapter may connect to {host}")

    def guarded(name):
        original = getattr(socket.socket, name)

        def method(self, *args):
            address = args[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                refuse_elsewhere(address[0])
            return original(self, *args)

        setattr(socket.socket, name, method)

    for name in ("connect", "connect_ex", "sendto"):
        guarded(name)
    getaddrinfo = socket.getaddrinfo

    def local_getaddrinfo(host, *args, **kwargs):
        refuse_elsewhere(host)
        return getaddrinfo(host, *args, **kwargs)

    socket.getaddrinfo = local_getaddrinfo

    # Note this process's processor time and peak: VmHWM, which unlike ru_maxrss does not begin with the parent's.
    def note_run(*_):
        try:
            with open("/proc/self/status") as status:
                peak = 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            try:
                import resource
            except ImportError:  # Windows
                peak = None
            else:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        with open(os.environ["GANLIB_RUN_NOTE"], "w") as note:
            json.dump({"seconds": round(time.process_time(), 1), "memory": peak}, note)

    if os.environ.get("GANLIB_RUN_NOTE"):
        get_ipython().events.register("post_run_cell", note_run)

    # Other seeds for everything that a chapter draws, but for how data sets are split (tools/processors.py).
    def reseed(shift):
        import numpy
        import torch

        from ganlib import compute

        generator, manual_seed, default_rng = compute.generator, torch.manual_seed, numpy.random.default_rng

        def other_generator(*key):
            data = sys._getframe(1).f_globals.get("__name__", "").startswith("ganlib.data")
            return generator(*key) if data else generator(*key, "other seeds", shift)

        compute.generator = other_generator
        torch.manual_seed = lambda seed: manual_seed(int(seed) + 1000 * shift)
        numpy.random.default_rng = lambda seed=None: default_rng(seed + 1000 * shift if isinstance(seed, int) else seed)

    if os.environ.get("GANLIB_SEED_SHIFT"):
        reseed(int(os.environ["GANLIB_SEED_SHIFT"]))


_book()
del _book
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
