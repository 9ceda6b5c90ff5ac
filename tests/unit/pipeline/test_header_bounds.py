"""Where a forged field could hide from us and be read by others: such a header is refused, at both doors (S-13, S-27, S-28)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.envelope.header import FIELDS_MAX, HEADER_MAX
from tests.support.node import OFFICE, Gateway, gateway

GMAIL = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}
ALL = {"rules_first": [{"name": "all", "then": {"relay": {"tags": ["unit-headers"]}}}]}
CLIENT = {"helo": "mail-wr1.google.com", "address": "203.0.113.5"}
TEACHER = "nguyenthilan@gmail.com"
HEAD = (
    b"From: Nguyen Thi Lan <nguyenthilan@gmail.com>\r\nTo: <vanthu@longan.edu.vn>\r\nSubject: Bao cao\r\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0700\r\nMessage-ID: <rong@gmail.com>\r\n"
)
FORGED = b"X-Sending-Unit: so-gddt\r\nAuthentication-Results: mx.longan.edu.vn; dkim=pass header.d=moet.edu.vn\r\n"
FIELD = b"X-A: " + b"b" * 993 + b"\r\n"  # 1000 octets
HIDDEN = {
    "behind the last field that we read": HEAD + b"X-A: b\r\n" * FIELDS_MAX + FORGED,
    "behind the last octet that we read": HEAD + FIELD * (HEADER_MAX // len(FIELD)) + FORGED,
    "behind one large field": HEAD + b"X-A: b\r\n" + FIELD[:-2] + b"\r\n bbb" * (HEADER_MAX // 6) + b"\r\n" + FORGED,
}
READ = {
    "many": HEAD + b"X-A: b\r\n" * (FIELDS_MAX - 7) + FORGED,
    "large": HEAD + FIELD * ((HEADER_MAX - len(HEAD) - len(FORGED)) // len(FIELD)) + FORGED,
}
BODY = b"\r\nKinh gui quy So.\r\n"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, zone=GMAIL, overlay=ALL) as opened:
        yield opened


async def through_milter(gate: Gateway, raw: bytes, recipient: str = OFFICE) -> tuple[str, bytes]:
    """The reply, and the octets that are passed on."""
    client = await gate.milter(**CLIENT)
    verdict = await client.transact(raw, TEACHER, (recipient,))
    client.quit()
    assert verdict.answer is not None
    return verdict.answer.text or str(verdict.answer.code), verdict.applied(raw)[0]


@pytest.mark.parametrize("header", HIDDEN.values(), ids=HIDDEN)
async def test_a_header_beyond_what_we_read_is_refused(gate: Gateway, header: bytes) -> None:
    """S-13: no rule may relay it, since what is forged in it could not be taken out."""
    assert (await gate.send(header + BODY, TEACHER, **CLIENT)).startswith("552 5.3.4 ")
    reply, passed = await through_milter(gate, header + BODY)
    assert (reply[:10], passed) == ("552 5.3.4 ", b"")
    assert gate.sink.taken == []


@pytest.mark.parametrize("header", READ.values(), ids=READ)
async def test_up_to_the_bounds_all_that_is_forged_is_removed(gate: Gateway, header: bytes) -> None:
    assert (await gate.send(header + BODY, TEACHER, **CLIENT)).startswith("250 ")
    reply, passed = await through_milter(gate, header + BODY)
    assert reply == "250"
    [taken] = gate.sink.taken
    for octets in (passed, taken.content):
        assert octets.endswith(header[-len(FORGED) - 8 : -len(FORGED)] + BODY)
        assert b"moet.edu.vn" not in octets


async def test_a_bare_cr_in_the_header_is_refused(gate: Gateway) -> None:
    """S-28: some mail servers show it as it came. To many readers what follows is a field of its own, to us it is none."""
    raw = HEAD + b"X-Mailer: Zimbra\r" + FORGED.replace(b"\r\n", b"\r") + b"\r\n" + BODY
    assert (await gate.send(raw, TEACHER, **CLIENT)).startswith("550 5.5.2 ")
    reply, passed = await through_milter(gate, raw)
    assert (reply[:10], passed) == ("550 5.5.2 ", b"")


@pytest.mark.parametrize("header", [HIDDEN["behind the last field that we read"], HEAD + b"X-A: b\rc\r\n"])
async def test_mail_that_is_not_ours_is_not_refused_for_its_header(gate: Gateway, header: bytes) -> None:
    reply, passed = await through_milter(gate, header + BODY, "ban@example.org")
    assert (reply, passed) == ("250", header + BODY)
