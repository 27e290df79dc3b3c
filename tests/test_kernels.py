"""Kernels of notebooks reach this machine and nothing else."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def run(code: str) -> str:
    """What this code prints in a kernel started as the chapters' are."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return "".join(output.get("text", "") for output in notebook.cells[0].outputs)


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)",
        "import socket; socket.socket().connect_ex(('192.0.2.1', 80))",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
        "import urllib.request; urllib.request.urlopen('https://example.org', timeout=5)",
    ],
    ids=["tcp", "connect_ex", "udp", "https"],
)
def test_elsewhere_is_refused(attempt: str) -> None:
    with pytest.raises(CellExecutionError, match="the network is cut"):
        run(attempt)


def test_loopback_works() -> None:
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(("localhost", server.getsockname()[1]), timeout=5)
server.accept()[0].sendall(b"hello")
print(client.recv(5).decode())
"""
    assert run(code).strip() == "hello"
