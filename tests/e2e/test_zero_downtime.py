"""Fifty connections a second while the gateway is restarted again and again: none refused, none reset, no message lost or
doubled (safety O-1, O-2, F-39)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.dns import DnsServer
from tests.support.gateway_process import PATIENCE, GatewayProcess, environment, prepared
from tests.support.sink import Sink, running
from tests.support.steady import OVERLAY, Steady, check, coming

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RESTARTS = int(os.environ.get("RESTARTS", "3"))  # twenty take a minute and more for each way
RATE = 50.0
OFFER = b"\0\0\0\x0dO" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)  # a milter negotiation (SMFIC_OPTNEG)
WRONG = ("handover-refused", "handover-stuck", "handover-failed", "died", "hung", "fault", "crashed")
ACTIVATED = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
    "os.execv(sys.executable, [sys.executable, '-m', 'gateway', 'run'])"
)


@contextlib.asynccontextmanager
async def a_gateway(folder: Path) -> AsyncIterator[tuple[GatewayProcess, Sink]]:
    """Not started yet; in the end stopped."""
    async with running(Sink()) as sink, DnsServer({}) as dns:
        milter = f'[milter]\nlisten = ["unix:{folder}/milter.sock"]\n'
        gate = prepared(folder, sink.port, dns.address, overlay=OVERLAY, more=milter)
        try:
            yield gate, sink
        finally:
            await asyncio.to_thread(gate.stop)


@contextlib.asynccontextmanager
async def mail_server(path: Path) -> AsyncIterator[list[bool]]:
    """Within the block a mail server negotiates at the milter door again and again; whether it was heard each time."""
    heard: list[bool] = []

    async def again() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(path)
                writer.write(OFFER)
                async with asyncio.timeout(PATIENCE):
                    length = int.from_bytes(await reader.readexactly(4), "big")
                    heard.append((await reader.readexactly(length)).startswith(b"O"))
                writer.close()
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                heard.append(False)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(again())
    try:
        yield heard
    finally:
        task.cancel()


async def until_logged(gate: GatewayProcess, event: str, count: int) -> None:
    needle = f'"event":"{event}"'
    until = time.monotonic() + 2 * PATIENCE  # a hand-over reads the program twice, beside mail
    while gate.log.count(needle) < count:
        wrong = [line for line in gate.log.splitlines() if any(f'"event":"{each}"' in line for each in WRONG)]
        assert time.monotonic() < until, f"no {event} {count}: {wrong}\n{events(gate)}"
        await asyncio.sleep(0.02)


def events(gate: GatewayProcess) -> str:
    """The log without single messages."""
    return "\n".join(line for line in gate.log.splitlines() if '"recipient":' not in line)[-8000:]


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
        async with coming(gate.port, RATE) as steady, mail_server(tmp_path / "milter.sock") as heard:
            for count in range(1, RESTARTS + 1):
                gate.process.send_signal(signal.SIGUSR2)
                await until_logged(gate, "handed-over", count)
        assert len(heard) > RESTARTS * 10
        assert all(heard), f"not heard at the milter door: {heard.count(False)} of {len(heard)}"
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
    """And O-4: wrong settings do not take the place of what runs."""
    async with a_gateway(tmp_path) as (gate, sink):
        with socket.create_server(("127.0.0.1", gate.port), backlog=1024) as held:
            start(gate, held)
            await until_logged(gate, "ready", 1)
        async with coming(gate.port, RATE) as steady:  # nobody else holds the socket any more
            good = (tmp_path / "gateway.toml").read_text()
            (tmp_path / "gateway.toml").write_text(good.replace("drain = 10", 'drain = "ten"\nworkrs = 2'))
            gate.process.send_signal(signal.SIGUSR2)
            await until_logged(gate, "handover-refused", 1)
            (tmp_path / "gateway.toml").write_text(good)
            for count in (1, 2):  # the second by the program that was given them by a program
                gate.process.send_signal(signal.SIGUSR2)
                await until_logged(gate, "handed-over", count)
        doors = [each["doors"]["smtp"] for each in gate.events("starting")]
        assert doors == [[f"127.0.0.1:{gate.port}"]] * 3
        said = json.dumps(gate.events("handover-refused")[0]["reasons"])
        assert "drain" in said
        assert "workrs" in said
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
