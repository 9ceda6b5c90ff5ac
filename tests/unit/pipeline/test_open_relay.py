"""Nothing but our own domains ever reaches the receiving server, however the path is written (safety S-7, S-8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.node import Gateway, SmtpClient, gateway

REFUSED = [
    "<victim@example.com>",
    "<victim@EXAMPLE.com>",
    "<victim@longan.edu.vn.example.com>",
    "<victim@xlongan.edu.vn>",
    "<victim@daihoclongan.edu.vn>",
    "<victim@sub.longan.edu.vn>",
    "<victim@edu.vn>",
    "<victim@longan.edu.vn.>",
    "<victim@longan.edu.vn..>",
    "<victim@longan.edu..vn>",
    "<victim@.longan.edu.vn>",
    "<victim@localhost>",
    "<victim>",
    "<victim@>",
    "<@longan.edu.vn>",
    "<>",
    "<victim@[127.0.0.1]>",
    "<victim@[192.0.2.25]>",
    "<victim@[IPv6:::1]>",
    "<victim@127.0.0.1>",
    "<victim%example.com@longan.edu.vn>",
    "<example.com!victim@longan.edu.vn>",
    '<"victim@example.com"@longan.edu.vn>',
    '<"victim%example.com"@longan.edu.vn>',
    "<victim@example.com@longan.edu.vn>",
    "<@longan.edu.vn:victim@example.com>",
    "<@longan.edu.vn,@longan.edu.vn:victim@example.com>",
    "<victim@example.com>,<vanthu@longan.edu.vn>",
    "<victim@example.com> <vanthu@longan.edu.vn>",
    "<vanthu@longan.edu.vn><victim@example.com>",
    "<vanthu@longan.edu.vn> ORCPT=rfc822;a@b RCPT",
    "<vanthu@longan.edu.vn\\0@example.com>",
    "<vanthu@longan.edu.vn\\r\\nRCPT TO:<victim@example.com>>",
    "<=?utf-8?q?a=0d=0aRCPT_TO=3a=3cvictim=40example.com=3e?=@longan.edu.vn> X",
    "<vanthu@longan.edu.vn\t@example.com>",
    "victim@example.com",
    "<victim@longan.edu.vn@example.com>",
    "<victim@ｌｏｎｇａｎ.edu.vn>",
    "<victim@longan．edu．vn>",
    "<vanthu@longan.edu.vn",
]
ACCEPTED = {
    "<vanthu@LONGAN.edu.VN>": "vanthu@longan.edu.vn",
    "<VanThu@longan.edu.vn>": "VanThu@longan.edu.vn",
    "<vanthu+ho-so@longan.edu.vn>": "vanthu+ho-so@longan.edu.vn",
    "<@example.com:vanthu@longan.edu.vn>": "vanthu@longan.edu.vn",
    '<"van thu"@longan.edu.vn>': '"van thu"@longan.edu.vn',
    "<postmaster>": "postmaster",
    "<Postmaster>": "Postmaster",
}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, outbox=False) as opened:
        yield opened


async def begin(gate: Gateway) -> SmtpClient:
    client = await gate.connect()
    assert (await client.command("MAIL FROM:<nguyenvanan@example.org>")).startswith("250 ")
    return client


def at_the_sink(gate: Gateway) -> list[str]:
    return [line for line in gate.sink.lines if line.upper().startswith("RCPT")]


def test_forty_ways_are_tried() -> None:
    assert len(set(REFUSED)) >= 40


@pytest.mark.parametrize("path", REFUSED)
async def test_refused_and_never_seen_downstream(gate: Gateway, path: str) -> None:
    client = await begin(gate)
    octets = path.encode().replace(b"\\r", b"\r").replace(b"\\n", b"\n").replace(b"\\0", b"\0")
    replies = [(await client.ask(b"RCPT TO:" + octets)).decode()]
    if b"\n" in octets:  # two lines: the second has a reply of its own
        replies.append((await client.reply()).decode())
    assert all(reply.startswith("5") or not reply for reply in replies), replies
    assert at_the_sink(gate) == []


@pytest.mark.parametrize(("path", "wire"), ACCEPTED.items())
async def test_accepted_in_one_canonical_form(gate: Gateway, path: str, wire: str) -> None:
    client = await begin(gate)
    assert (await client.command(f"RCPT TO:{path}")).startswith("250 ")
    assert at_the_sink(gate) == [f"RCPT TO:<{wire}>"]


async def test_a_refused_recipient_does_not_spoil_the_others(gate: Gateway) -> None:
    message = b"From: <nguyenvanan@example.org>\r\n\r\nxin chao\r\n"
    recipients = ("victim@example.com", "vanthu@longan.edu.vn", "victim@[192.0.2.1]")
    assert (await gate.send(message, recipients=recipients)).startswith("250 ")
    assert [taken.rcpts for taken in gate.sink.taken] == [["RCPT TO:<vanthu@longan.edu.vn>"]]
    [record] = await gate.records()
    assert record.recipients == ("vanthu@longan.edu.vn",)
