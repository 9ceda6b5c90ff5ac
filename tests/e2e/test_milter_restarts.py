"""A crowd of senders before a real Postfix, while the gateway behind it is restarted, killed and given other policies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore
from tests.support.milter_house import House, MilterGateway, milter_house
from tests.support.milter_mail import UNIT, UNIT_HOST, VANTHU, ZONE, message
from tests.support.node import SmtpClient

pytestmark = [pytest.mark.postfix, pytest.mark.slow]

EXAMS, INSPECTORS = "khaothi@longan.edu.vn", "thanhtra.phong@longan.edu.vn"
OVERLAY = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}},
        {"name": "exams", "when": {"recipient": [EXAMS]}, "then": {"relay": {"route": "exams"}}},
    ],
    "routes": {"exams": {"protocol": "maildir", "path": "exams"}},
}
ENVELOPES = ((VANTHU,), (INSPECTORS,), (VANTHU, INSPECTORS, EXAMS))
CLIENTS = 20
BETWEEN = 20  # messages answered 250 between two troubles
PATIENCE = 60.0  # seconds; only for a test that would hang otherwise
_NUMBER = re.compile(rb"^Message-ID: <crowd-(\d+)@", re.MULTILINE)


@dataclass
class Crowd:
    """Clients that bring each message, as often as it takes, until they hear 250."""

    port: int
    over: bool = False
    answered: dict[int, tuple[str, ...]] = field(default_factory=dict)
    deferred: Counter[int] = field(default_factory=Counter)  # how often by message
    strange: list[str] = field(default_factory=list)  # replies that are neither 250 nor 4yz
    _begun: int = 0

    async def client(self) -> None:
        while not self.over:
            self._begun += 1
            await self._bring(self._begun)

    async def _bring(self, number: int) -> None:
        raw = message(UNIT, f"Bao cao so {number}/BC-PGDDT", f"crowd-{number}")
        recipients = ENVELOPES[number % len(ENVELOPES)]
        while not (reply := await self._try(raw, recipients)).startswith("250"):
            self.deferred[number] += 1
            if not reply.startswith("4"):
                self.strange.append(reply)
            await asyncio.sleep(0.1)
        self.answered[number] = recipients

    async def _try(self, raw: bytes, recipients: tuple[str, ...]) -> str:
        """One transaction with all its recipients or none."""
        async with asyncio.timeout(PATIENCE):
            client = SmtpClient(*await asyncio.open_connection("127.0.0.1", self.port))
            try:
                await client.introduce("pgdbenluc.longan.edu.vn", UNIT_HOST)
                lines = [f"MAIL FROM:<{UNIT}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
                for line in lines:
                    if not (reply := await client.command(line)).startswith("250"):
                        return reply
                return await client.content(raw)
            except (AssertionError, OSError, asyncio.IncompleteReadError) as gone:
                return f"421 {gone}"
            finally:
                client.close()

    async def until_answered(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.answered) < number:
                await asyncio.sleep(0.01)


Trouble = Callable[[MilterGateway, random.Random], None]


async def _troubles(house: House, crowd: Crowd, dice: random.Random, troubles: Sequence[Trouble]) -> None:
    """One after another, each while messages are under way."""
    for trouble in troubles:
        await crowd.until_answered(len(crowd.answered) + BETWEEN)
        await asyncio.sleep(dice.uniform(0, 0.05))
        await asyncio.to_thread(trouble, house.gate, dice)
    await crowd.until_answered(len(crowd.answered) + BETWEEN)


def _restart(gate: MilterGateway, dice: random.Random) -> None:
    assert gate.stop() == 0, "SIGTERM under load"
    gate.start()


def _hand_over(gate: MilterGateway, dice: random.Random) -> None:
    assert gate.process is not None
    before = len(gate.events("handed-over"))
    gate.process.send_signal(signal.SIGUSR2)
    gate.await_true(lambda: len(gate.events("handed-over")) > before, "no hand-over")


def _kill_worker(gate: MilterGateway, dice: random.Random) -> None:
    def one_is_killed() -> bool:
        workers = gate.workers()
        with contextlib.suppress(ProcessLookupError):
            if workers:
                os.kill(dice.choice(workers), signal.SIGKILL)
                return True
        return False

    gate.await_true(one_is_killed, "no worker lives")


def _change_policy(gate: MilterGateway, dice: random.Random) -> None:
    """Another generation with the same fates."""
    path = gate.folder / "policies" / "policy.yaml"
    text = path.read_text() + f"# {dice.random()}\n"
    fresh = path.with_name("policy.yaml.new")
    fresh.write_text(text)
    fresh.replace(path)
    assert gate.process is not None
    gate.process.send_signal(signal.SIGHUP)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    mailboxes = ("vanthu", "khaothi", "thanhtra.phong")
    with milter_house(tmp_path / "crowd", ZONE, overlay=OVERLAY, mailboxes=mailboxes) as opened:
        yield opened


async def test_whatever_got_250_is_there_exactly_once_r23(house: House) -> None:
    """R-1, R-2, R-23, F-33, O-1: SIGTERM and start, SIGKILL of workers, SIGHUP, five of each, before twenty clients."""
    crowd = Crowd(house.postfix.port)
    async with asyncio.timeout(5 * PATIENCE), asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(crowd.client())
        await _troubles(house, crowd, random.Random(1077), [_kill_worker, _change_policy, _restart] * 5)
        crowd.over = True
    assert crowd.strange == []
    assert crowd.deferred, "no trouble was felt: this proves nothing"
    await asyncio.to_thread(_check, house, crowd)


async def test_handovers_behind_a_mail_server_lose_nothing_o2(house: House) -> None:
    """SIGUSR2, five times: a milter connection that is cut may cost the client a 4yz, and never a message."""
    crowd = Crowd(house.postfix.port)
    async with asyncio.timeout(5 * PATIENCE), asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS // 2):
            clients.create_task(crowd.client())
        await _troubles(house, crowd, random.Random(1077), [_hand_over] * 5)
        crowd.over = True
    assert crowd.strange == []
    assert crowd.deferred.total() < len(crowd.answered) / 10
    assert not house.gate.events("fault")
    await asyncio.to_thread(_check, house, crowd)


def _check(house: House, crowd: Crowd) -> None:
    house.gate.restart()
    house.gate.await_true(lambda: not _open_rows(house), "rows stay open")
    house.gate.await_true(lambda: not house.postfix.queue(), "mail stays in the queue")
    once = {who: {n: 1 for n, paths in crowd.answered.items() if who in paths} for who in (VANTHU, EXAMS, INSPECTORS)}
    assert _numbers(house.postfix.messages("vanthu")) == once[VANTHU]
    assert house.postfix.messages("khaothi") == house.postfix.messages("thanhtra.phong") == []
    exams = house.gate.folder / "var" / "exams" / "new"
    assert _numbers(path.read_bytes() for path in exams.iterdir()) == once[EXAMS]
    entries = house.gate.json("quarantine", "list", "--all", "--limit", "100000")
    assert {entry["state"] for entry in entries} == {"held"}
    assert _numbers(_octets(house, [entry["digest"] for entry in entries])) == once[INSPECTORS]
    records = house.gate.json("register", "search", "--limit", "100000")
    told = Counter(record["message_id"] for record in records)
    assert told == {f"<crowd-{number}@longan.edu.vn>": 1 for number in crowd.answered}
    blobs = {path.name for path in (house.gate.folder / "var" / "blobs").glob("??/*")}
    assert blobs == {entry["digest"] for entry in entries}, "a blob without a row"
    assert list((house.gate.folder / "var" / "spool").iterdir()) == []


def _numbers(messages: Iterable[bytes]) -> Counter[int]:
    """How often each message is there."""
    found = [_NUMBER.search(octets.replace(b"\r\n", b"\n")) for octets in messages]
    return Counter(int(match[1]) for match in found if match)


def _octets(house: House, digests: list[str]) -> list[bytes]:
    async def work(store: SqliteStore, _: Settings) -> list[bytes]:
        return [bytes(store.open_blob(digest)) for digest in digests]

    return house.gate.in_store(work)


def _open_rows(house: House) -> set[str]:
    """States that nothing may stay in when all is done."""

    async def work(store: SqliteStore, _: Settings) -> dict[str, int]:
        return await store.counts()

    counts = house.gate.in_store(work)
    states = ("entries pending", "entries uncertain", "outbox waiting", "outbox due", "outbox leased", "outbox failed")
    return {state for state in states if counts.get(state)}
