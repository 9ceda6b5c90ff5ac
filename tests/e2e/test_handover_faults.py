"""Hand-overs that must not be, and those asked for too early (safety O-2, O-9)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, environment, prepared

NEWER = """\
#!{python}
import os
from gateway.__main__ import main
if os.path.exists("newer"):
    from gateway.store import migrate
    migrate.STEPS, migrate.BREAKING = {{migrate.VERSION: lambda connection: None}}, frozenset({{migrate.VERSION}})
    migrate.VERSION += 1
main()
"""


@pytest.fixture
def gate(tmp_path: Path) -> GatewayProcess:
    return prepared(tmp_path, 9, "127.0.0.1:9")


def start(gate: GatewayProcess, *program: str) -> subprocess.Popen[bytes]:
    with (gate.folder / "log").open("wb") as log:
        gate.process = subprocess.Popen(
            [*program, "run"], cwd=gate.folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    return gate.process


def schema(gate: GatewayProcess) -> int:
    connection = sqlite3.connect(gate.folder / "var" / "gateway.db")
    try:
        return int(connection.execute("SELECT version FROM schema_version").fetchone()[0])
    finally:
        connection.close()


def test_an_upgrade_that_old_workers_cannot_bear_is_refused_o9(gate: GatewayProcess) -> None:
    """The trial would else migrate the store under them. A stop and a start do it."""
    program = gate.folder / "gateway"
    program.write_text(NEWER.format(python=sys.executable))
    program.chmod(0o755)
    running = start(gate, str(program))
    try:
        gate.await_true(lambda: gate.events("ready"), "it does not start")
        before = schema(gate)
        (gate.folder / "newer").touch()
        running.send_signal(signal.SIGUSR2)
        gate.await_true(lambda: gate.events("handover-refused") or gate.events("handed-over"), "no outcome")
        (refusal,) = gate.events("handover-refused")
        assert "this upgrade needs a stop" in refusal["reasons"][0]
        assert schema(gate) == before
        assert gate.is_live()
        assert gate.stop() == 0
        start(gate, str(program))
        gate.await_true(lambda: gate.events("ready"), "it does not start after a stop")
        assert schema(gate) == before + 1
    finally:
        gate.stop()


def test_signals_before_the_processes_are_watched_are_heard_later(gate: GatewayProcess) -> None:
    """`systemctl kill -s USR2` a moment after the start must not end what starts."""
    late = gate.folder / "policies" / "late.txt"
    os.mkfifo(late)
    running = start(gate, sys.executable, "-m", "gateway")
    try:
        with late.open("wb"):  # the gateway has opened it too: it is reading its policies now
            late.unlink()
            running.send_signal(signal.SIGHUP)
            running.send_signal(signal.SIGUSR2)
        gate.await_true(lambda: running.poll() is not None or gate.events("handover-complete"), "no hand-over")
        assert running.poll() is None, f"ended with {running.poll()}\n{gate.log}"
        assert gate.is_live()
    finally:
        gate.stop()
