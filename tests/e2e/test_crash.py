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
from tests.support.gateway_process import PATIENCE, GatewayProcess, prepared
from tests.support.node import SmtpClient
from tests.support.sink import Sink, running

pytestmark = pytest.mark.slow

INSPECTORS, OFFICE = "thanhtra.phong@longan.edu.vn", "vanthu@longan.edu.vn"
OVERLAY = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
KILLS = 7
BETWEEN = 40  # messages answered 250 between two kills
_TOKEN = re.compile(rb"token-(\d+)-")


class Load:
    """Clients that send without end; `answered` are the tokens that got 250, with their recipients."""

    def __init__(self, gate: GatewayProcess) -> None:
        self.gate = gate
        self.answered: dict[int, tuple[str, ...]] = {}
        self.refused: set[int] = set()
        self.over = False
        self._next = 0

    async def client(self) -> None:
        while not self.over:
            with contextlib.suppress(OSError, AssertionError, asyncio.IncompleteReadError):
                await self._session()
            await asyncio.sleep(0.01)

    async def until_answered(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.answered) < number:
                await asyncio.sleep(0.01)

    async def _session(self) -> None:
        client = SmtpClient(*await asyncio.open_connection("127.0.0.1", self.gate.port))
        try:
            await client.introduce("mail.example.org", "192.0.2.99")
            while not self.over:
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


async def _kill_workers(gate: GatewayProcess, load: Load, dice: random.Random) -> None:
    """SIGKILL to one worker after another, each while messages are under way."""
    for _ in range(KILLS):
        await load.until_answered(len(load.answered) + BETWEEN)
        await asyncio.sleep(dice.uniform(0, 0.05))
        await _kill_one(gate, dice)
    await load.until_answered(len(load.answered) + BETWEEN)


async def _kill_one(gate: GatewayProcess, dice: random.Random) -> None:
    """Kill a worker; when all of them are just being begun anew, the first that lives."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ProcessLookupError):
                if workers := await asyncio.to_thread(gate.workers):
                    os.kill(dice.choice(workers), signal.SIGKILL)
                    return
            await asyncio.sleep(0.02)


async def test_nothing_that_got_250_is_lost(tmp_path: Path) -> None:
    async with running(Sink()) as sink, DnsServer({}) as dns:
        gate = prepared(tmp_path, sink.port, dns.address, overlay=OVERLAY)
        try:
            await asyncio.to_thread(gate.start)
            load = Load(gate)
            clients = asyncio.gather(*(load.client() for _ in range(8)))
            await _kill_workers(gate, load, random.Random(1077))
            assert await asyncio.to_thread(gate.stop) == 0, "F-39: SIGTERM under load"
            load.over = True
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
    assert len(load.answered) >= (KILLS + 1) * BETWEEN
    for token, recipients in load.answered.items():
        assert token in registered, f"{token} got 250 and is not in the register"
        if OFFICE in recipients:
            assert token in delivered, f"{token} got 250 and was not delivered"
        if INSPECTORS in recipients:
            assert token in kept, f"{token} got 250 and is not held"
    assert not load.refused & kept, "R-2: refused with 4yz or 5yz, and held all the same"
    twice = {token for token in delivered if delivered.count(token) > 1}
    assert not twice, "no client repeated anything, so nothing may arrive twice"
