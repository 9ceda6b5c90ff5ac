"""One process, both doors, the same messages: neither door's memory of what was answered is taken for the other's."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.dns import Script
from gateway.quarantine.entry import State
from tests.support.mail_server import Verdict
from tests.support.node import OFFICE, SENDER, Gateway, gateway, stuffed

INSPECTORS = "thanhtra.phong@longan.edu.vn"
HOLD = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
BOTH = (INSPECTORS, OFFICE)
PATIENCE = 20.0  # seconds; only for a test that would hang otherwise


def message(number: int) -> bytes:
    return (
        f"From: <{SENDER}>\r\nTo: <{OFFICE}>\r\nSubject: Hoi\r\nMessage-ID: <{number}@x>\r\n\r\nxin chao\r\n".encode()
    )


async def by_milter(gate: Gateway, raw: bytes) -> Verdict:
    client = await gate.milter()
    verdict = await client.transact(raw, SENDER, BOTH)
    client.quit()
    await client.close()
    return verdict


async def leave_after_dot(gate: Gateway, raw: bytes) -> None:
    """An SMTP client that never hears our 250."""
    client = await gate.connect()
    for line in (f"MAIL FROM:<{SENDER}>", *(f"RCPT TO:<{path}>" for path in BOTH), "DATA"):
        assert (await client.command(line))[:1] in "23"
    await client.send(stuffed(raw))
    client.reset()
    async with asyncio.timeout(PATIENCE):
        while not remembered(gate):
            await asyncio.sleep(0.02)


def remembered(gate: Gateway) -> int:
    """Rows of the ledger in which both doors write."""
    with contextlib.closing(sqlite3.connect(gate.node.settings.state / "gateway.db")) as database:
        number: int = database.execute("SELECT count(*) FROM unheard").fetchone()[0]
        return number


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    slow = {"lop12a.example.org": {"TXT": Script(records=["v=spf1 -all"], delay=0.2)}}
    async with gateway(tmp_path, zone=slow, overlay=HOLD) as opened:
        yield opened


async def test_the_same_messages_through_both_doors_at_once(gate: Gateway) -> None:
    """R-1, R-23: the mail server is told its edits, the receiving server behind us gets its copy; one entry each."""
    numbers = range(8)
    replies, verdicts = await asyncio.gather(
        asyncio.gather(*(gate.send(message(n), recipients=BOTH) for n in numbers)),
        asyncio.gather(*(by_milter(gate, message(n)) for n in numbers)),
    )
    assert all(reply.startswith("250 ") for reply in replies)
    assert {verdict.applied(message(n))[1] for n, verdict in zip(numbers, verdicts, strict=True)} == {(OFFICE,)}
    assert sorted(taken.content[-len(message(0)) :] for taken in gate.sink.taken) == [message(n) for n in numbers]
    assert len(await gate.records()) == 2 * len(numbers)
    held = [gate.node.store.open_blob(entry.digest) for entry in await gate.entries(State.HELD)]
    assert set(held) == {message(n) for n in numbers}


async def test_what_an_smtp_client_did_not_hear_is_no_answer_to_a_mail_server(gate: Gateway) -> None:
    """R-12, R-23: and what the mail server was told is no answer to the client, who is owed the first one."""
    await leave_after_dot(gate, message(1))
    [unheard] = await gate.records()
    for _ in range(2):
        assert (await by_milter(gate, message(1))).applied(message(1))[1] == (OFFICE,)
    assert len(await gate.records()) == 2
    assert unheard.id in await gate.send(message(1), recipients=BOTH), "the client hears the id of the first time"
    assert len(gate.sink.taken) == 1
    assert len(await gate.records()) == 2
