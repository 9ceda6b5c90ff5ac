"""The mail server of the milter tests: Postfix's way of cutting a message and of carrying out edits, against the dialogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.endpoint.milter_codec import (
    Command,
    MacroStage,
    add_recipient,
    change_header,
    delete_recipient,
    insert_header,
)
from gateway.endpoint.milter_dialogue import Content, Dialogue, EndOfMessage, Event
from gateway.envelope.reply import Reply
from tests.support.mail_server import Answer, Edit, Received, Verdict
from tests.support.milter_client import POSTFIX_STEPS, MilterClient

Decide = Callable[[Dialogue, Event], bytes]
MESSAGE = (
    b"Received: from mail.thcs-tanan.edu.vn (192.0.2.7)\r\n\tby mx.longan.edu.vn; Mon, 23 Nov 2026 08:00:00 +0700\r\n"
    b"From: =?utf-8?q?Tr=E1=BA=A7n_Lan?= <lan@thcs-tanan.edu.vn>\r\nX-Tag: forged\r\nSubject:  two spaces\r\n"
    b"x-tag:forged again\r\n\r\nK\xc3\xadnh g\xe1\xbb\xadi,\r\n.\r\n\r\n"
)
SENDER, RECIPIENTS = "lan@thcs-tanan.edu.vn", ("vanthu@longan.edu.vn", "hieutruong@longan.edu.vn")


class Filter:
    """A milter around the dialogue, on a unix socket."""

    def __init__(self, decide: Decide) -> None:
        self.decide = decide
        self.events: list[Event] = []
        self.macros: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogue = Dialogue(
            {MacroStage.CONNECT: "j {client_addr}", MacroStage.ENVFROM: "{auth_authen}", MacroStage.EOM: "i"}
        )
        while octets := await reader.read(65536):
            for event in dialogue.receive(octets):
                self.events.append(event)
                if isinstance(event, EndOfMessage):
                    self.macros = dict(dialogue.macros)
            writer.write(dialogue.outgoing())
            if dialogue.owed is not None:
                writer.write(self.decide(dialogue, self.events[-1]))
        writer.close()

    @property
    def message(self) -> bytes:
        return b"".join(event.octets for event in self.events if isinstance(event, Content))


@asynccontextmanager
async def filtering(
    path: Path, decide: Decide, steps: int = POSTFIX_STEPS
) -> AsyncIterator[tuple[Filter, MilterClient]]:
    """A filter that decides like this, and a mail server with a client at it."""
    one = Filter(decide)
    async with await asyncio.start_unix_server(one.serve, path / "milter"):
        client = await MilterClient.connect(str(path / "milter"))
        await client.negotiate(steps=steps)
        await client.session("192.0.2.7", "mail.thcs-tanan.edu.vn")
        yield one, client
        client.quit()
        await client.close()


def proceed(dialogue: Dialogue, event: Event) -> bytes:
    return dialogue.proceed()


def tagging(dialogue: Dialogue, event: Event) -> bytes:
    """What the gateway does: forged fields out, ours on top, one recipient redirected."""
    if dialogue.owed is not Command.BODYEOB:
        return dialogue.proceed()
    edits = [
        *(change_header(2, b"X-Tag"), change_header(1, b"X-Tag"), insert_header(0, b"X-Tag", b" ours")),
        *(insert_header(0, b"Authentication-Results", b" mx.longan.edu.vn;\n spf=pass"),),
        *(delete_recipient(b"<hieutruong@longan.edu.vn>"), add_recipient(b"<kiemduyet@longan.edu.vn>")),
    ]
    return dialogue.progress() + dialogue.edit(*edits) + dialogue.progress() + dialogue.proceed()


RCPT_ANSWERED = POSTFIX_STEPS & ~0x8000
NO_REPLIES = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000 | 0x40000 | 0x80000


@pytest.mark.parametrize("steps", [POSTFIX_STEPS, POSTFIX_STEPS & ~NO_REPLIES, 0x100000])
async def test_a_message_arrives_octet_for_octet_and_leaves_with_its_edits(tmp_path: Path, steps: int) -> None:
    async with filtering(tmp_path, tagging, steps) as (one, client):
        for _ in range(2):
            one.events.clear()
            verdict = await client.transact(MESSAGE, SENDER, RECIPIENTS, macros={"auth_authen": "lan"}, queue_id="4c8Z")
            assert one.message == MESSAGE
            assert verdict.answer == Answer("continue")
            assert verdict.progress == 2
            assert one.macros == {
                "j": "mx.longan.edu.vn",
                "client_addr": "192.0.2.7",
                "auth_authen": "lan",
                "i": "4c8Z",
            }
            octets, recipients = verdict.applied(MESSAGE)
            assert recipients == ("vanthu@longan.edu.vn", "kiemduyet@longan.edu.vn")
            ours = b"Authentication-Results: mx.longan.edu.vn;\r\n spf=pass\r\nX-Tag: ours\r\n"
            rest = MESSAGE.replace(b"X-Tag: forged\r\n", b"").replace(b"x-tag:forged again\r\n", b"")
            assert octets == ours + rest


async def test_a_large_body_comes_in_chunks(tmp_path: Path) -> None:
    message = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000
    async with filtering(tmp_path, proceed) as (one, client):
        verdict = await client.transact(message, SENDER, RECIPIENTS)
        assert one.message == message
        assert max(len(event.octets) for event in one.events if isinstance(event, Content)) == 65535
        assert verdict.applied(message) == (message, RECIPIENTS)


async def test_refused_recipients_and_messages(tmp_path: Path) -> None:
    def decide(dialogue: Dialogue, event: Event) -> bytes:
        if event == EndOfMessage():
            return dialogue.refuse(Reply(550, "5.7.1", "100% no"))
        return dialogue.defer() if b"vanthu" in getattr(event, "path", b"") else dialogue.proceed()

    async with filtering(tmp_path, decide, RCPT_ANSWERED) as (_, client):
        verdict = await client.transact(MESSAGE, SENDER, RECIPIENTS)
        assert [answer.code for answer in verdict.rcpt] == [451, 250]
        assert verdict.recipients == RECIPIENTS[1:]
        assert verdict.answer == Answer("replycode", "550 5.7.1 100% no")
        assert verdict.applied(MESSAGE) == (b"", ())
        nobody = await client.transact(MESSAGE, SENDER, RECIPIENTS[:1])
        assert nobody.answer is None
        assert nobody.applied(MESSAGE) == (b"", ())


async def test_an_accepted_recipient_ends_the_questions(tmp_path: Path) -> None:
    async with filtering(tmp_path, lambda dialogue, event: dialogue.accept(), RCPT_ANSWERED) as (one, client):
        verdict = await client.transact(MESSAGE, SENDER, RECIPIENTS)
        assert verdict.applied(MESSAGE) == (MESSAGE, RECIPIENTS)
        assert one.message == b""


async def test_a_discarded_message_goes_nowhere(tmp_path: Path) -> None:
    def decide(dialogue: Dialogue, event: Event) -> bytes:
        return dialogue.discard() if event == EndOfMessage() else dialogue.proceed()

    async with filtering(tmp_path, decide) as (_, client):
        verdict = await client.transact(MESSAGE, SENDER, RECIPIENTS)
        assert verdict.answer is not None
        assert verdict.answer.code == 250
        assert verdict.applied(MESSAGE) == (b"", ())


async def test_a_milter_that_goes_away_is_noticed(tmp_path: Path) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with await asyncio.start_unix_server(leave, tmp_path / "milter"):
        client = await MilterClient.connect(str(tmp_path / "milter"))
        with pytest.raises((asyncio.IncompleteReadError, OSError)):
            await client.negotiate()
        await client.close()


@pytest.mark.parametrize(
    ("message", "fields", "separator", "body"),
    [
        (b"A: b\r\n\r\nbody\r\n", [b"A: b"], b"\r\n", b"body\r\n"),
        (b"A: b\r\n", [b"A: b"], b"", b""),
        (b"A: b\r\n\r\n", [b"A: b"], b"\r\n", b""),
        (b"A: b\r\nno field\r\nC: d\r\n", [b"A: b"], b"\r\n", b"no field\r\nC: d\r\n"),
        (b" x\r\nA: b\r\n", [], b"\r\n", b" x\r\nA: b\r\n"),
        (b"\r\nA: b\r\n", [], b"\r\n", b"A: b\r\n"),
        (b"A: b\r\n c\r\nD :e\r\n\r\nx\n\ny", [b"A: b\n c", b"D :e"], b"\r\n", b"x\r\n\r\ny\r\n"),
        (b"", [], b"", b""),
    ],
)
def test_how_postfix_cuts_a_message(message: bytes, fields: list[bytes], separator: bytes, body: bytes) -> None:
    found = Received.of(message)
    assert ([one.text for one in found.fields], found.separator, found.body) == (fields, separator, body)


def test_what_a_milter_is_shown_of_a_field() -> None:
    one, two = Received.of(b"Subject \t:  a\0b\r\nX:\ty\r\n\r\n").fields
    assert (one.name, one.shown(leading=True), one.shown(leading=False)) == (b"Subject", b"  a", b" a")
    assert (two.name, two.shown(leading=True), two.shown(leading=False)) == (b"X", b"\ty", b"\ty")


@pytest.mark.parametrize(
    ("edits", "header"),
    [
        ([Edit("m", b"a", b"", 1), Edit("m", b"A", b"", 1)], b"B: 2\r\nA: 4\r\n"),
        ([Edit("m", b"A", b"", 2), Edit("m", b"A", b"", 1)], b"B: 2\r\nA: 4\r\n"),
        ([Edit("i", b"A", b" 0", 0), Edit("m", b"A", b"", 1)], b"A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n"),
        ([Edit("m", b"A", b"", 4), Edit("m", b"C", b"", 1)], b"A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n"),
        ([Edit("m", b"A", b" x", 2), Edit("m", b"C", b" y", 1)], b"A: 1\r\nB: 2\r\nA: x\r\nA: 4\r\nC: y\r\n"),
        (
            [Edit("i", b"C", b" 0\n 1", 1), Edit("h", b"D", b"5")],
            b"A: 1\r\nC: 0\r\n 1\r\nB: 2\r\na: 3\r\nA: 4\r\nD:5\r\n",
        ),
        ([Edit("i", b"C", b" 9", 99)], b"A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\nC: 9\r\n"),
    ],
)
def test_how_postfix_edits_a_header(edits: list[Edit], header: bytes) -> None:
    verdict = Verdict(Answer("continue"), edits=tuple(edits), answer=Answer("continue"))
    message = b"A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n\r\nbody\r\n"
    assert verdict.applied(message)[0] == header + b"\r\nbody\r\n"
