"""Generated mail through both doors: the same octets to the same mailboxes, the same held, the same record (S-27, S-28)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.register.record import Record
from tests.support.doors import comparable, same, settled
from tests.support.node import Gateway, gateway

SENDER = "nguyenthilan@gmail.com"
CLIENT = {"helo": "mail-wr1.google.com", "address": "203.0.113.5"}
ZONE = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}
NUMBERS = itertools.count()


def rule(name: str, **then: object) -> dict[str, object]:
    return {"name": name, "when": {"recipient": [f"{name}@longan.edu.vn"]}, "then": then}


RULES = [
    rule("giulai", hold={"reason": "under-test"}),
    rule("tochuc", relay={"redirect": ["ketoan@longan.edu.vn"], "tags": ["unit-headers"]}),
    rule("hieutruong", relay={"copy_to": ["khaothi@longan.edu.vn", "ketoan@longan.edu.vn"], "tags": ["unit-headers"]}),
    rule("luutru", relay={"plus_address": "baocao", "subject_prefix": "[Lưu trữ]"}),
    rule("kho", relay={"route": "kho"}),
    {"name": "others", "then": {"relay": {"tags": ["unit-headers"]}}},
]
OVERLAY = {"rules_first": RULES, "routes": {"kho": {"protocol": "maildir", "path": "kho"}}}
NAMES = ["giulai", "tochuc", "hieutruong", "luutru", "kho", "vanthu", "khaothi", "ketoan"]
SPELLINGS = ["{}@longan.edu.vn", "{}@LongAn.edu.vn", "@a.example,@b.example:{}@longan.edu.vn", '"{}"@longan.edu.vn']
FIELDS = [
    b"Subject: Bao cao tuan 40",
    b"SUBJECT:\r\n =?utf-8?B?QsOhbyBjw6Fv?=\r\n\tso 12",
    b"Authentication-Results: mx.longan.edu.vn; dkim=pass",
    b"authentication-results:\r\n\t(x (y)) MX.LongAn.edu.vn/1 ;\r\n spf=pass",
    b"Authentication-Results:",
    b"Authentication-Results: mail.phongbenluc.example; dkim=fail",
    b"AUTHENTICATION-RESULTS: relay.example.net; spf=pass smtp.mailfrom=mx.longan.edu.vn",
    b"ARC-Authentication-Results: i=1; mx.longan.edu.vn; spf=pass",
    b"X-Sending-Unit: so-gddt",
    b"x-sending-unit-level:signed",
    b"X-Sending-Program: Thunderbird",
    b"X-Gateway-Decision:\r\n \r\n id=1",
    b"X_-Sending.-Unit: so-gddt",
    b"Received: from a.example by mail.example.org with ESMTP; Sun, 22 Nov 2026 08:00:00 +0700",
    b"Resent-From: <lan@example.org>",
    b"Comments: \t ",
    b"X-Raw: \xff\xfe\xe1\xba",
    "To: Văn thư <vanthu@longan.edu.vn>,\r\n\t<khaothi@longan.edu.vn>".encode(),
    b"Date: Sun, 22 Nov 2026 08:00:00 +0700",
    b"From: <nguyenthilan@gmail.com>",
]
BODIES = [b"", b"Kinh gui quy So.\r\n", b".\r\n..\r\n\r\nFrom \r\nX-Sending-Unit: a\r\n", b"\r\n\r\n"]

headers = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=25)
mailboxes = st.builds(lambda spelling, name: spelling.format(name), st.sampled_from(SPELLINGS), st.sampled_from(NAMES))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, Gateway]]:
    """A gateway in a loop of its own, so that many examples can share it."""
    with asyncio.Runner() as runner:
        opened = gateway(tmp_path, zone=ZONE, overlay=OVERLAY)
        gate = runner.run(opened.__aenter__())
        try:
            yield runner, gate
        finally:
            runner.run(opened.__aexit__(None, None, None))


def test_generated_mail_is_the_same_through_both_doors(world: tuple[asyncio.Runner, Gateway]) -> None:
    runner, gate = world

    @settings(max_examples=60, deadline=None)
    @given(headers, st.sampled_from(BODIES), st.lists(mailboxes, min_size=1, max_size=6))
    def is_same(fields: list[bytes], body: bytes, recipients: list[str]) -> None:
        raw = b"".join(field + b"\r\n" for field in fields) + b"Message-ID: <%s@gmail.com>\r\n\r\n" + body
        one = runner.run(sent(gate, raw, recipients, milter=False))
        two = runner.run(sent(gate, raw, recipients, milter=True))
        assert one == two

    is_same()


async def sent(
    gate: Gateway, raw: bytes, recipients: list[str], *, milter: bool
) -> tuple[list[tuple[str, bytes]], list[set[str]], Record]:
    """Who got what, who is held, and the record; each sending with a number of its own, since a message is known again."""
    number = b"%012d" % next(NUMBERS)
    raw = raw.replace(b"<%s@", b"<%b@" % number)
    known = {record.id for record in await gate.records()}
    gate.sink.taken.clear()
    passed: list[tuple[str, bytes]] = []
    if milter:
        passed += await _through_milter(gate, raw, recipients)
    else:
        assert (await gate.send(raw, SENDER, tuple(recipients), **CLIENT)).startswith("250 ")
    for taken in await settled(gate):
        passed += [(rcpt.partition("<")[2].rstrip(">"), taken.content) for rcpt in taken.rcpts]
    for file in (gate.node.settings.state / "kho" / "new").glob("*"):
        passed.append(("kho", comparable(file.read_bytes())))
        file.unlink()
    [record] = [record for record in await gate.records() if record.id not in known]
    record = replace(same(record), digest="", message_id=record.message_id.replace(number.decode(), ""))
    held = [{path.mailbox.key for path in entry.recipients} for entry in await gate.entries() if entry.id == record.id]
    copies = {(_mailbox(rcpt), comparable(octets).replace(number, b"")) for rcpt, octets in passed}
    return sorted(copies), held, record


async def _through_milter(gate: Gateway, raw: bytes, recipients: list[str]) -> list[tuple[str, bytes]]:
    client = await gate.milter(**CLIENT)
    verdict = await client.transact(raw, SENDER, recipients)
    client.quit()
    await client.close()
    assert verdict.answer is not None
    assert verdict.answer.code == 250
    octets, left = verdict.applied(raw)
    return [(recipient, octets) for recipient in left]


def _mailbox(path: str) -> str:
    """One spelling of a mailbox, as a mail server takes it."""
    return path.replace('"', "").lower()
