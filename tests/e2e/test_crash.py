"""Workers killed under load: whatever got 250 is with the receiving server or in the quarantine, and in the register
(safety R-1, R-2, F-33 K1 … K8, F-39)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
from pathlib import Path

import pytest

from gateway.demo.dns import DnsServer
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.node import SmtpClient
from tests.support.sink import Sink, running

pytestmark = pytest.mark.slow

INSPECTORS, OFFICE = "thanhtra.phong@longan.edu.vn", "vanthu@longan.edu.vn"
OVERLAY = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
SECONDS = 7.0
KILLS = 7
_TOKEN = re.compile(rb"token-(\d+)-")


class Load:
    """Clients that send without end; `answered` are the tokens that got 250, with their recipients."""

    def __init__(self, gate: GatewayProcess) -> None:
        self.gate = gate
        self.answered: dict[int, tuple[str, ...]] = {}
        self.refused: set[int] = set()
        self._next = 0

    async def client(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            with contextlib.suppress(OSError, AssertionError, asyncio.IncompleteReadError):
                await self._session(until)
            await asyncio.sleep(0.01)

    async def _session(self, until: float) -> None:
        client = SmtpClient(*await asyncio.open_connection("127.0.0.1", self.gate.port))
        try:
            await client.introduce("mail.example.org", "192.0.2.99")
            while asyncio.get_running_loop().time() < until:
                self._next += 1
                token = self._next
                recipients = ((OFFICE,), (INSPECTORS,), (INSPECTORS, OFFICE))[token % 3]
                body = b"Subject: token-%d-\r\n\r\n" % token + b"dong\r\n" * 50
                reply = await client.transact(b"From: <a@example.org>\r\n" + body, "a@example.org", recipients)
                if reply.startswith("250"):
                    self.answered[token] = recipients
                elif reply:
                    self.refused.add(token)
        finally:
            client.close()


async def _kill_workers(gate: GatewayProcess, dice: random.Random) -> int:
    """SIGKILL to one worker after another, at odd moments; how many died."""
    killed = 0
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.4, 0.9))
        if workers := await asyncio.to_thread(gate.workers):
            os.kill(dice.choice(workers), signal.SIGKILL)
            killed += 1
    return killed


async def test_nothing_that_got_250_is_lost(tmp_path: Path) -> None:
    async with running(Sink()) as sink, DnsServer({}) as dns:
        gate = prepared(tmp_path, sink.port, dns.address, overlay=OVERLAY)
        try:
            await asyncio.to_thread(gate.start)
            load = Load(gate)
            until = asyncio.get_running_loop().time() + SECONDS
            clients = asyncio.gather(*(load.client(until) for _ in range(8)))
            killed = await _kill_workers(gate, random.Random(1077))
            assert killed >= KILLS - 2
            assert await asyncio.to_thread(gate.stop) == 0, "F-39: SIGTERM under load"
            await clients
            delivered = [int(found[1]) for taken in sink.taken if (found := _TOKEN.search(taken.content))]
            held = await asyncio.to_thread(gate.json, "quarantine", "list", "--all", "--limit", "100000")
            records = await asyncio.to_thread(gate.json, "register", "search", "--limit", "100000")
        finally:
            await asyncio.to_thread(gate.stop)
    check(load, delivered, held, records)


def check(load: Load, delivered: list[int], held: list[dict[str, object]], records: list[dict[str, object]]) -> None:
    """The oracle of safety §8."""
    kept = {int(str(entry["subject"]).split("-")[1]) for entry in held if entry["state"] == "held"}
    registered = {int(str(record["subject"]).split("-")[1]) for record in records}
    assert len(load.answered) > 300, "hardly any load: the test shows nothing"
    for token, recipients in load.answered.items():
        assert token in registered, f"{token} got 250 and is not in the register"
        if OFFICE in recipients:
            assert token in delivered, f"{token} got 250 and was not delivered"
        if INSPECTORS in recipients:
            assert token in kept, f"{token} got 250 and is not held"
    assert not load.refused & kept, "R-2: refused with 4yz or 5yz, and held all the same"
    twice = {token for token in delivered if delivered.count(token) > 1}
    assert not twice, "no client repeated anything, so nothing may arrive twice"
