"""Fifty connections a second while the gateway is restarted again and again: none refused, none reset, no message lost or
doubled (safety O-1, O-2, F-39)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.dns import DnsServer
from tests.support.gateway_process import PATIENCE, GatewayProcess, environment, prepared
from tests.support.sink import Sink, running
from tests.support.steady import OVERLAY, Steady, check, coming

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RESTARTS = int(os.environ.get("RESTARTS", "5"))  # twenty take a minute and more for each way
RATE = 50.0
ACTIVATED = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
    "os.execv(sys.executable, [sys.executable, '-m', 'gateway', 'run'])"
)


@contextlib.asynccontextmanager
async def a_gateway(folder: Path) -> AsyncIterator[tuple[GatewayProcess, Sink]]:
    """Not started yet; in the end stopped."""
    async with running(Sink()) as sink, DnsServer({}) as dns:
        gate = prepared(folder, sink.port, dns.address, overlay=OVERLAY)
        try:
            yield gate, sink
        finally:
            await asyncio.to_thread(gate.stop)


async def until_logged(gate: GatewayProcess, event: str, count: int) -> None:
    needle = f'"event":"{event}"'
    async with asyncio.timeout(PATIENCE):
        while gate.log.count(needle) < count:
            await asyncio.sleep(0.02)


async def finished(gate: GatewayProcess, sink: Sink, steady: Steady) -> None:
    assert await asyncio.to_thread(gate.stop) == 0
    print(f"{len(steady.outcome)} connections, longest {steady.longest:.2f} s: {dict(steady.tally)}")
    assert set(steady.tally) == {"250"}, f"{steady.tally}\n{gate.log[-3000:]}"
    assert not gate.events("fault")
    assert {each["cut"] for each in gate.events("drained")} == {0}
    await asyncio.to_thread(check, steady, [taken.content for taken in sink.taken], gate.json)


async def test_handover_under_load_o2(tmp_path: Path) -> None:
    """SIGUSR2, each as soon as the one before is done."""
    async with a_gateway(tmp_path) as (gate, sink):
        await asyncio.to_thread(gate.start)
        assert gate.process is not None
        async with coming(gate.port, RATE) as steady:
            for count in range(1, RESTARTS + 1):
                gate.process.send_signal(signal.SIGUSR2)
                await until_logged(gate, "handed-over", count)
        await until_logged(gate, "handover-complete", 1)
        assert len(steady.outcome) > RESTARTS * 10
        await finished(gate, sink, steady)


async def test_socket_activation_under_load_o2(tmp_path: Path) -> None:
    """SIGTERM and start, while somebody else holds the sockets, as systemd does."""
    async with a_gateway(tmp_path) as (gate, sink):
        with socket.create_server(("127.0.0.1", gate.port), backlog=1024) as held:
            start(gate, held)
            async with coming(gate.port, RATE) as steady:
                for count in range(1, RESTARTS + 1):
                    await until_logged(gate, "ready", count)
                    await steady.caught_up()  # else they wait for longer with each restart
                    assert await asyncio.to_thread(gate.stop) == 0
                    start(gate, held)
                await until_logged(gate, "ready", RESTARTS + 1)
            assert len(steady.outcome) > RESTARTS * 10
            await finished(gate, sink, steady)


async def test_handover_of_sockets_that_systemd_passed_o2(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as (gate, sink):
        with socket.create_server(("127.0.0.1", gate.port), backlog=1024) as held:
            start(gate, held)
            await until_logged(gate, "ready", 1)
        async with coming(gate.port, RATE) as steady:  # nobody else holds the socket any more
            for count in (1, 2):
                gate.process.send_signal(signal.SIGUSR2)
                await until_logged(gate, "handed-over", count)
        doors = [each["doors"]["smtp"] for each in gate.events("starting")]
        assert doors == [[f"127.0.0.1:{gate.port}"]] * 3
        await finished(gate, sink, steady)


def start(gate: GatewayProcess, held: socket.socket) -> None:
    """As systemd starts it: the socket is descriptor 3 and has a name."""
    with (gate.folder / "log").open("ab") as log:
        gate.process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, str(held.fileno())],
            cwd=gate.folder,
            env={**environment(), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"},
            pass_fds=[held.fileno()],
            stdout=log,
            stderr=log,
        )


async def test_wrong_settings_and_policies_are_refused_and_mail_goes_on(tmp_path: Path) -> None:
    """O-4: what would not start does not take the place of what runs."""
    async with a_gateway(tmp_path) as (gate, sink):
        await asyncio.to_thread(gate.start)
        assert gate.process is not None
        good = (tmp_path / "gateway.toml").read_text()
        (tmp_path / "gateway.toml").write_text(good.replace("drain = 10", 'drain = "ten"\nworkrs = 2'))
        async with coming(gate.port, 20.0) as steady:
            gate.process.send_signal(signal.SIGUSR2)
            await until_logged(gate, "handover-refused", 1)
            (tmp_path / "gateway.toml").write_text(good)
            gate.process.send_signal(signal.SIGUSR2)
            await until_logged(gate, "handed-over", 1)
        said = json.dumps(gate.events("handover-refused")[0]["reasons"])
        assert "drain" in said
        assert "workrs" in said
        await finished(gate, sink, steady)


async def test_a_transaction_outlives_the_handover_o1(tmp_path: Path) -> None:
    """A client in the middle of its message is served by the old program to its end, and then hears 421."""
    async with a_gateway(tmp_path) as (gate, _):
        await asyncio.to_thread(gate.start)
        assert gate.process is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        for line in (
            "",
            "HELO mail.example.org",
            "MAIL FROM:<a@example.org>",
            "RCPT TO:<vanthu@longan.edu.vn>",
            "DATA",
        ):
            writer.write(f"{line}\r\n".encode() if line else b"")
            await reader.readuntil(b"\r\n")
        writer.write(b"Subject: token-1-\r\n")
        gate.process.send_signal(signal.SIGUSR2)
        await until_logged(gate, "handed-over", 1)
        async with coming(gate.port, 20.0) as steady:
            await steady.until(10)
        writer.write(b"\r\nKinh gui\r\n.\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"250 ")
        assert (await reader.readuntil(b"\r\n")).startswith(b"421 4.3.2")
        assert await reader.read() == b""
        writer.close()
        await until_logged(gate, "handover-complete", 1)
        assert sum(each["finished"] for each in gate.events("drained")) == 1
        assert set(steady.tally) == {"250"}
        assert os.path.exists(f"/proc/{gate.process.pid}")
