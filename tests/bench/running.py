"""The processes of the benchmark: started, waited for, their CPU time counted, ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes and of their living children."""
    total = 0
    for one in [*pids, *(child for pid in pids for child in children(pid))]:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def process(*command: str, cwd: Path, port: int) -> Iterator[int]:
    """Run a command until its port answers; the pid."""
    with (cwd / f"{port}.log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=cwd, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command} does not answer:\n{(cwd / f'{port}.log').read_text()}")
        yield running.pid
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)


def configure(folder: Path, door: int, milter: Path | None, sink: int, dns: str, workers: int) -> None:
    """The settings and policies of a gateway with an SMTP door at this port and, if there is one, a milter door."""
    shutil.copytree(ROOT / "policies", folder / "policies")
    policy = folder / "policies" / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    route = "  main: { protocol: smtp, host: 127.0.0.1, port: 10025 }"
    assert route in text
    policy.write_text(text.replace(route, route.replace("10025", str(sink))), encoding="utf-8")
    (folder / "gateway.toml").write_text(
        f'workers = {workers}\n[smtp]\nlisten = ["127.0.0.1:{door}"]\n'
        f'proxy_from = ["127.0.0.0/8"]\nexempt = ["127.0.0.0/8", "203.0.113.0/24"]\n'
        + (f'[milter]\nlisten = ["unix:{milter}"]\n' if milter else "")
        + f'[dns]\nnameservers = ["{dns}"]\n[http]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
