"""`gateway run` as an operator runs it: a process with its own gateway.toml, state and copy of the policies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import ROOT, policy_folder
from tests.support.ports import free_port

PATIENCE = 30.0  # seconds; only for a test that would hang otherwise
SETTINGS = """\
hostname = "mx.longan.edu.vn"
policies = "policies"
state = "var"
workers = {workers}
drain = 10
[smtp]
listen = ["127.0.0.1:{port}"]
xclient_from = ["127.0.0.0/8"]
[dns]
nameservers = [{nameservers}]
timeout = 2.0
max_ttl = 2
negative_ttl = 0
error_ttl = 0
[relay]
connect_timeout = 5.0
command_timeout = 10.0
final_timeout = 10.0
[http]
listen = "127.0.0.1:{http}"
{more}"""


@dataclass
class GatewayProcess:
    """A folder with everything that `gateway` needs, and the running service where it was started."""

    folder: Path
    port: int
    http: int
    process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run another verb of `gateway` in the same folder, as an operator would beside the running service."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=self.folder,
            env={**environment(), **changes},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def json(self, *arguments: str) -> Any:
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run"], cwd=self.folder, env=environment(), stdout=log, stderr=log
            )
        self.await_true(self.is_live, "the gateway does not start")

    def stop(self) -> int:
        """Ask it to end, and wait; the exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def is_live(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the gateway has ended\n{self.log[-4000:]}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
            return client.recv(512).startswith(b"220 ")
        return False

    def get(self, path: str) -> tuple[int, str]:
        """A page of the health server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def await_true(self, condition: Any, complaint: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"{complaint}\n{self.log[-6000:]}"
            time.sleep(0.05)

    def children(self) -> list[int]:
        """Process ids of workers and services."""
        assert self.process is not None
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def workers(self) -> list[int]:
        """Those children that have the SMTP port open for listening."""
        return self.holders(_listening(self.port))

    def holders(self, sockets: set[str]) -> list[int]:
        """Those children that have one of the sockets open; names as /proc/PID/fd shows them."""
        found = []
        for pid in self.children():
            with contextlib.suppress(OSError):
                links = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
                if links & sockets:
                    found.append(pid)
        return found


def _listening(port: int) -> set[str]:
    """Socket names, as /proc/PID/fd shows them, that listen on a port of the loopback."""
    wanted = f"0100007F:{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"socket:[{row[9]}]" for row in rows if row[1] == wanted and row[3] == "0A"}


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "en_US.UTF-8", "COLUMNS": "200"}


def prepared(
    folder: Path,
    downstream: int,
    nameserver: str,
    *,
    overlay: Mapping[str, Any] | None = None,
    workers: int = 2,
    more: str = "",
) -> GatewayProcess:
    """The folder: gateway.toml and policies; nothing runs yet. `more` is put at the end of gateway.toml."""
    gate = GatewayProcess(folder, free_port(), free_port())
    text = SETTINGS.format(
        workers=workers, port=gate.port, http=gate.http, nameservers=f'"{nameserver}"' if nameserver else "", more=more
    )
    (folder / "gateway.toml").write_text(text)
    policy_folder(folder / "policies", downstream, overlay)
    return gate


@contextlib.contextmanager
def running_gateway(folder: Path, downstream: int, nameserver: str, **changes: Any) -> Iterator[GatewayProcess]:
    """A started gateway, stopped at the end; what its log says of faults of its own fails the test."""
    gate = prepared(folder, downstream, nameserver, **changes)
    try:
        gate.start()
        yield gate
    finally:
        gate.stop()
    if faults := gate.events("fault"):
        pytest.fail(f"the gateway has met faults of its own: {faults}")
