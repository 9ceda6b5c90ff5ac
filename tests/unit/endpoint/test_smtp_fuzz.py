"""Whole sessions of nonsense: never a fault, never a wrong reply, never an address outside the grammar (S-7, R-18)."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import metrics
from gateway.envelope.address import Mailbox, parse_mailbox
from gateway.envelope.reply import Reply
from tests.support.dialogue import PATIENCE, open_door
from tests.support.reception import FakeReception

WORDS = [
    *(
        b"MAIL FROM:",
        b"RCPT TO:",
        b"<",
        b">",
        b"<>",
        b"@",
        b"a",
        b"longan.edu.vn",
        b"vanthu@longan.edu.vn",
        b'"',
        b"\\",
    ),
    *(b" ", b" SIZE=", b"9", b" BODY=8BITMIME", b" SMTPUTF8", b" RET=HDRS", b" ENVID=", b"+2B", b" NOTIFY=NEVER", b";"),
    *(
        b" ORCPT=rfc822;",
        b"=?utf-8?q?a=0d=0a?=",
        b"\xc4\x91",
        b"\xff",
        b"[192.0.2.1]",
        b"[IPv6:",
        b"::1]",
        b"xn--",
        b"%",
    ),
    *(b"\xe2\x80\xae", b"\xc2\x85", b"\xef\xbf\xbd", b"..", b"-", b"\0", b"\r", b"\n", b"\t", b"x" * 70),
]
VALID = [
    *(b"EHLO mail.thcs-tanan.edu.vn", b"HELO x", b"MAIL FROM:<a@thcs-tanan.edu.vn>", b"RCPT TO:<vanthu@longan.edu.vn>"),
    *(
        b"RSET",
        b"NOOP",
        b"VRFY a",
        b"DATA",
        b"QUIT",
        b"MAIL FROM:<> SMTPUTF8",
        b"RCPT TO:<b\xe1\xba\xa3o@longan.edu.vn>",
    ),
    *(b"XCLIENT ADDR=192.0.2.1", b"XFORWARD NAME=a", b"STARTTLS", b"RCPT TO:<loi@longan.edu.vn>", b"x: y\r\n.", b"."),
]
junk = st.lists(st.sampled_from(WORDS), max_size=8).map(b"".join)
near = st.builds(
    lambda verb, words: verb + words, st.sampled_from([b"MAIL FROM:<", b"RCPT TO:<", b"XCLIENT ", b"EHLO "]), junk
)

MAIL = st.sampled_from(
    [b"MAIL FROM:<a@thcs-tanan.edu.vn>", b"mail from: <> SIZE=9 BODY=8BITMIME", b"MAIL FROM:<c@x.vn> RET=FULL"]
)
RCPT = st.sampled_from(
    [b"RCPT TO:<vanthu@longan.edu.vn>", b"rcpt to:<b@longan.edu.vn> NOTIFY=NEVER", b"RCPT TO:<loi@longan.edu.vn>"]
)
TEXT = st.lists(
    st.sampled_from([b"Subject: x", b"", b".", b"..", b"\r", b"\n", b"\0", b" y", b"\xc4\x91", b"\r\n"]), max_size=6
)


def lines(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.tuples(*parts).map(lambda found: [octets + b"\r\n" for octets in found])


single = lines(st.one_of(st.sampled_from(VALID), near, junk))
grouped = st.builds(lambda group: [b"".join(group)], lines(MAIL, RCPT, RCPT))
alone = lines(MAIL, RCPT)
message = st.builds(lambda text: [b"DATA\r\n", b"".join(text) + b"\r\n.\r\n"], TEXT)
pushed = st.builds(
    lambda text, more: [b"DATA\r\n", b"\r\n".join(text) + b"\r\n.\r\n" + more], TEXT, st.sampled_from(VALID)
)
segments = st.lists(st.one_of(single, grouped, alone, message, pushed), max_size=8).map(lambda x: list(chain(*x)))


def faults() -> float:
    return float(metrics.faults.labels("smtp")._value.get())


async def converse(pieces: list[bytes], *, opening: bytes) -> FakeReception:
    """Send the pieces with a pause for replies after each; the client lints every line it reads."""
    broken: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: broken.append(context))
    reception = FakeReception()
    reception.on_rcpt["loi@longan.edu.vn"] = Reply(550, "5.1.1", "No such mailbox")
    async with open_door(reception, xclient_from=("127.0.0.0/8",), errors_per_session=1000) as opened:
        client = await opened.connect()
        await client.reply()
        reading = asyncio.create_task(client.rest())
        for piece in [opening, *pieces]:
            if reading.done():
                break
            client.writer.write(piece)
            for _ in range(8):  # turns of the loop, in which the door answers
                await asyncio.sleep(0)
        with contextlib.suppress(OSError):  # the door may have closed
            client.writer.write_eof()
        await asyncio.wait_for(reading, PATIENCE)
        for intake in reception.intakes:
            await asyncio.wait_for(intake.ended.wait(), PATIENCE)
    assert broken == []
    return reception


def check(reception: FakeReception) -> None:
    for intake in reception.intakes:
        assert intake.calls[0] == "mail"
        assert intake.calls.count("data") + intake.calls.count("abandon") == 1
        if "data" in intake.calls:
            assert any(path.mailbox.key != "loi@longan.edu.vn" for path in intake.asked)
        paths = [path.mailbox for path in intake.asked] + ([intake.reverse_path] if intake.reverse_path else [])
        for mailbox in paths:
            assert is_in_grammar(mailbox), mailbox


def is_in_grammar(mailbox: Mailbox) -> bool:
    if not mailbox.domain:
        return mailbox.local_part.lower() == "postmaster"
    text = str(mailbox)
    return parse_mailbox(text) == mailbox and not any(char < " " or "\x7f" <= char <= "\x9f" for char in text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(segments)
@pytest.mark.parametrize("opening", [b"", b"EHLO mail.thcs-tanan.edu.vn\r\n"])
def test_no_session_breaks_the_door(opening: bytes, pieces: list[bytes]) -> None:
    before = faults()
    check(asyncio.run(converse(pieces, opening=opening)))
    assert faults() == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_no_octets_break_the_door(pieces: list[bytes]) -> None:
    before = faults()
    check(asyncio.run(converse(pieces, opening=b"")))
    assert faults() == before
