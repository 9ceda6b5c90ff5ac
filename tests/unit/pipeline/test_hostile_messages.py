"""Messages made to break what reads them go the whole path: answered, kept, shown, never 451 for ever (R-24, S-13, S-29)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import format_datetime
from pathlib import Path

import pytest

from gateway import app
from gateway.quarantine.entry import State
from tests.support.node import Gateway, gateway

GMAIL = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}
OVERLAY = {
    "rules_first": [
        {"name": "all", "when": {"recipient": ["ketoan@longan.edu.vn"]}, "then": {"relay": {"subject_prefix": "[KT]"}}},
        {"name": "inspect", "when": {"recipient": ["thanhtra.phong@longan.edu.vn"]}, "then": {"hold": {"reason": "x"}}},
    ]
}
SUBJECTS = {
    "lone surrogate": b"Bao cao =?utf-7?Q?+2AA-?= so 1/BC-TH",
    "utf-16 without end": b"Bao cao =?utf-16?B?2AA=?= so 2/BC-TH",
    "not utf-8": b"Bao cao \xff\xfe\xed\xa0\x80 so 3/BC-TH",
    "controls": b"Bao cao =?utf-8?Q?=00=0D=0ABcc:=20x=7F=1B[31m?= so 4/BC-TH",
    "direction": "Báo cáo \u202e\u2066 số 5/BC-TH".encode(),
    "codec of Python": b"Bao cao =?idna?Q?xn--a?= =?rot13?Q?onb?= =?zlib?B?eJw=?= so 6/BC-TH",
    "template": b"Bao cao {{7*7}} {% include 'x' %} {0.__class__} %n so 7/BC-TH",
    "long word": b"Bao cao " + b"x" * 20_000 + b" so 8/BC-TH",
    "thousand words": b"Bao cao " + b"=?utf-8?Q?=E1=BA=A1?= " * 1000 + b" so 9/BC-TH",
    "nothing": b"",
}
FROMS = {
    "surrogate name": b"=?utf-7?Q?+2AA-?= <lan@gmail.com>",
    "bytes": b"\xff\xfe <lan@gmail.com>",
    "no address": b"Lan",
    "group": b"undisclosed-recipients:;",
    "parentheses": b"(" * 2000 + b"<lan@gmail.com>",
    "quoted": b'"' + b"\\" * 999 + b'" <lan@gmail.com>',
    "very long": b"a" * 5000 + b"@gmail.com",
    "idn": "lan@gmailً.com".encode(),
}
BODIES = {
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(400)),
    "parameters": b"Content-Type: text/plain;"
    + b";".join(b"\r\n name*%d*=%%41" % n for n in range(2000))
    + b"\r\n\r\nx\r\n",
    "surrogate name": b'Content-Type: application/pdf; name="=?utf-7?Q?+2AA-?=.pdf"\r\n\r\nx\r\n',
    "percent": b"Content-Disposition: attachment; filename*=utf-7''%2B2AA-.pdf\r\n\r\nx\r\n",
    "path": b'Content-Disposition: attachment; filename="../../etc/passwd\\"\x01.pdf"\r\n\r\nx\r\n',
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--\r\n--\r\n",
    "bad base64": b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n====A\r\n\xff\r\n",
    "header only": b"",
    "field without colon": b"day khong phai truong\r\n\r\nx\r\n",
    "many fields": b"X-A: b\r\n" * 990 + b"\r\nx\r\n",
    "big field": b"X-A: " + b"b" * 30_000 + (b"\r\n " + b"c" * 30_000) * 7 + b"\r\n\r\nx\r\n",
}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, zone=GMAIL, overlay=OVERLAY) as opened:
        yield opened


def message(
    *, sender: bytes = b"Lan <lan@gmail.com>", subject: bytes = b"Bao cao so 1/BC-TH", rest: bytes = b""
) -> bytes:
    date = format_datetime(app.utc_now()).encode()
    head = (
        b"From: " + sender + b"\r\nTo: <vanthu@longan.edu.vn>\r\nDate: " + date + b"\r\nSubject: " + subject + b"\r\n"
    )
    return head + (rest or b"\r\nxin gui\r\n")


async def goes_all_ways(gate: Gateway, raw: bytes) -> None:
    """As a submission, as mail whose subject is changed, and as held mail: a 250 each, and everything can be read back."""
    for recipient in ("vanthu@longan.edu.vn", "ketoan@longan.edu.vn", "thanhtra.phong@longan.edu.vn"):
        reply = await gate.send(raw, "lan@gmail.com", (recipient,), address="203.0.113.5")
        assert reply.startswith("250 "), (recipient, reply)
    records = await gate.records()
    assert len(records) == 3
    entries = await gate.entries()
    assert {entry.state for entry in entries} == {State.HELD}
    for entry in entries:
        assert (await gate.node.store.entry(entry.id)).digest == entry.digest
        assert gate.node.store.open_blob(entry.digest) == raw
        await gate.node.store.release(entry.id, "lan", app.utc_now())
    gate.node.outbox.wake()
    async with asyncio.timeout(20):
        while any(entry.state is State.RELEASING for entry in await gate.entries()):
            await asyncio.sleep(0.02)
    assert {entry.state for entry in await gate.entries()} == {State.RELEASED}
    assert "outbox failed" not in await gate.counts()
    for taken in gate.sink.taken:
        assert b"\r\nBcc:" not in taken.content


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
async def test_subjects(gate: Gateway, subject: bytes) -> None:
    await goes_all_ways(gate, message(subject=subject))


@pytest.mark.parametrize("sender", FROMS.values(), ids=FROMS)
async def test_senders(gate: Gateway, sender: bytes) -> None:
    await goes_all_ways(gate, message(sender=sender))


@pytest.mark.parametrize("rest", BODIES.values(), ids=BODIES)
async def test_bodies(gate: Gateway, rest: bytes) -> None:
    await goes_all_ways(gate, message(rest=rest))
