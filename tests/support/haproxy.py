"""A real HAProxy, set up from deploy/haproxy; tests that use it are skipped where it is not installed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port

PATIENCE = 20.0  # seconds; only for a test that would hang otherwise
DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "haproxy"


def configuration(gateways: tuple[int, int], port: int) -> str:
    """The shipped file with other addresses and quicker checks, and nothing else changed."""
    text = (DEPLOY / "haproxy.cfg").read_text()
    changes = {
        "bind :25": f"bind 127.0.0.1:{port}",
        "192.0.2.11:2525": f"127.0.0.1:{gateways[0]}",
        "192.0.2.12:2525": f"127.0.0.1:{gateways[1]}",
        "inter 10s": "inter 200ms",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def running_haproxy(folder: Path, gateways: tuple[int, int]) -> Iterator[int]:
    """Its port."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("haproxy is not installed (Debian package haproxy)")
    port, file, log = free_port(), folder / "haproxy.cfg", folder / "haproxy.log"
    file.write_text(configuration(gateways, port))
    with log.open("wb") as output:
        process = subprocess.Popen([program, "-db", "-f", str(file)], stdout=output, stderr=output)
    try:
        _await_greeting(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await_greeting(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            if client.recv(512).startswith(b"220 "):
                return
        time.sleep(0.05)
    pytest.fail(f"HAProxy brings nobody to a gateway: {log.read_text()}")
