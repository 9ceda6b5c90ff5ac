"""The order of a transaction, evidence within its time, and what the notices' switches do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Mapping
from email.utils import format_datetime
from pathlib import Path

import pytest

from gateway import app, gathering
from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.evidence.result import Evidence
from gateway.evidence.zone import NODATA, Answer, Question, found
from tests.support.node import OFFICE, SENDER, Gateway, gateway, id_of
from tests.support.sink import Sink
from tests.support.zones import transaction

MESSAGE = b"From: <nguyenvanan@lop12a.example.org>\r\nTo: <vanthu@longan.edu.vn>\r\nSubject: Hoi\r\n\r\nxin chao\r\n"
GMAIL = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, zone=GMAIL) as opened:
        yield opened


# ---- MAIL, RCPT, DATA are the receiving server's own (R-14, F-5, F-7) --------------------------------------------------


async def test_every_recipient_hears_the_receiving_servers_own_answer(tmp_path: Path) -> None:
    """R-14, F-7: one accepted, one unknown, one deferred; the message goes to the first only."""
    answers = {
        "khaothi": b"550 5.1.1 No such mailbox\r\n",
        "ketoan": b"451 4.2.1 Try later\r\n",
    }

    def rcpt(line: str) -> bytes:
        return next((answer for name, answer in answers.items() if name in line), b"250 2.1.5 Ok\r\n")

    async with gateway(tmp_path, sink=Sink({"RCPT": rcpt})) as gate:
        client = await gate.connect()
        assert (await client.command(f"MAIL FROM:<{SENDER}>")).startswith("250")
        assert await client.command("RCPT TO:<khaothi@longan.edu.vn>") == "550 5.1.1 No such mailbox"
        assert await client.command("RCPT TO:<ketoan@longan.edu.vn>") == "451 4.2.1 Try later"
        assert (await client.command("DATA")).startswith("554 5.5.1"), "no valid recipients"
        recipients = ("khaothi@longan.edu.vn", OFFICE, "ketoan@longan.edu.vn")
        assert (await client.command("RSET")).startswith("250")
        assert (await client.transact(MESSAGE, SENDER, recipients)).startswith("250 ")
        assert [taken.rcpts for taken in gate.sink.taken] == [[f"RCPT TO:<{OFFICE}>"]]


async def test_a_refused_sender_is_refused_in_the_servers_words(tmp_path: Path) -> None:
    """F-5."""
    async with gateway(tmp_path, sink=Sink({"MAIL": b"553 5.1.8 Sender domain unknown\r\n"})) as gate:
        assert await gate.send(MESSAGE) == "553 5.1.8 Sender domain unknown"


async def test_the_null_reverse_path_stays_null(gate: Gateway) -> None:
    """R-17, AR-3."""
    assert (await gate.send(MESSAGE, "")).startswith("250 ")
    [record] = await gate.records()
    assert (gate.sink.taken[0].mail, record.reverse_path) == ("MAIL FROM:<>", "")


async def test_delivery_report_wishes_are_passed_on(gate: Gateway) -> None:
    """RFC 3461: case of the values kept."""
    client = await gate.connect()
    assert (await client.command(f"MAIL FROM:<{SENDER}> RET=HDRS ENVID=QQ314159")).startswith("250")
    told = "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;VanThu@longan.edu.vn"
    assert (await client.command(f"RCPT TO:<{OFFICE}> {told}")).startswith("250")
    assert (await client.command("DATA")).startswith("354")
    await client.send(MESSAGE + b".\r\n")
    assert (await client.reply()).startswith(b"250 ")
    [taken] = gate.sink.taken
    assert {"RET=HDRS", "ENVID=QQ314159"} <= set(taken.mail.split(" "))
    assert taken.rcpts == [f"RCPT TO:<{OFFICE}> {told}"]


async def test_many_messages_in_one_session_have_each_their_own_envelope(gate: Gateway) -> None:
    """S-5: nothing of one transaction is left in the next, whatever came of it."""
    client = await gate.connect()
    ids = set()
    for name in ("vanthu", "ketoan", "khaothi"):
        reply = await client.transact(MESSAGE, SENDER, (f"{name}@longan.edu.vn",))
        ids.add(id_of(reply))
        assert (await client.command("DATA")).startswith("503 ")
        assert (await client.transact(MESSAGE, SENDER, ("ai@example.com",))).startswith("550 5.7.1")
        assert (await client.command("RSET")).startswith("250")
    assert len(ids) == 3
    assert [len(taken.rcpts) for taken in gate.sink.taken] == [1, 1, 1]
    assert gate.sink.connections <= 2, "the connection is used again"


async def test_the_reply_the_register_and_the_tag_name_one_id(gate: Gateway) -> None:
    reply = await gate.send(MESSAGE)
    [record] = await gate.records()
    assert record.id == id_of(reply)
    assert f"id={record.id};".encode() in gate.sink.taken[0].content


# ---- evidence within its time (R-10, F-19) -----------------------------------------------------------------------------


class Deaf:
    """A resolver that never answers, or that answers with what leads to a new question."""

    def __init__(self, answers: Mapping[Question, Answer] | None = None) -> None:
        self._answers = answers
        self.rounds = 0

    @property
    def cache(self) -> dict[Question, Answer]:
        return {}

    async def answer(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        self.rounds += 1
        if self._answers is None:
            await asyncio.Event().wait()
        return {question: self._answers.get(question, NODATA) for question in questions} if self._answers else {}


async def test_evidence_is_temperror_when_dns_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-10: the time of one message is bounded, whatever the resolver does."""
    monkeypatch.setattr(gathering, "EVIDENCE_SECONDS", 0.05)
    async with asyncio.timeout(10):
        evidence = await gathering.gather(Deaf(), transaction(MESSAGE), "mx.longan.edu.vn", {})
    assert isinstance(evidence, Evidence)
    assert evidence.spf_mailfrom.result == "temperror"
    assert evidence.dmarc.result == "temperror"


async def test_an_endless_chain_of_questions_ends() -> None:
    """F-21: SPF redirects that never end; the number of rounds is bounded."""
    names = [f"r{n}.longan.edu.vn" for n in range(60)]
    chain = {
        Question(name, "TXT"): found(f"v=spf1 redirect={after}".encode())
        for name, after in zip(["longan.edu.vn", *names], [*names, "longan.edu.vn"], strict=True)
    }
    resolver = Deaf(chain)
    evidence = await gathering.gather(resolver, transaction(MESSAGE), "mx.longan.edu.vn", {})
    assert evidence.spf_mailfrom.result == "permerror"
    assert resolver.rounds <= gathering.ROUNDS_MAX


async def test_large_messages_are_judged_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-38: the event loop stays free while a large message is hashed and read."""
    loop_thread = threading.current_thread()

    def where() -> bool:
        return threading.current_thread() is loop_thread

    small, large = Message(MESSAGE), Message(MESSAGE + b"x\r\n" * gathering.THREAD_ABOVE)
    assert await gathering.off_loop(small, where)
    assert not await gathering.off_loop(large, where)


# ---- notices: switches and reasons (AR-4, AR-11, AR-18) ------------------------------------------------------------------


def submission(to: str = "vanthu@longan.edu.vn", extra: str = "") -> bytes:
    date = format_datetime(app.utc_now())
    head = f"From: Le Thi Hoa <lethihoa@gmail.com>\r\nTo: <{to}>\r\nDate: {date}\r\nSubject: Bao cao so 1/BC-TH\r\n"
    return (head + extra + "\r\nxin gui\r\n").encode()


@pytest.mark.parametrize(
    ("settings", "sent", "word"),
    [
        ({}, submission(), "due directive-1077"),
        ({"enabled": False}, submission(), "suppressed: AR-18 switched off"),
        ({"dry_run": True}, submission(), "suppressed: AR-18 dry run"),
        ({}, submission(to="nhieu-nguoi@example.org"), "suppressed: AR-11"),
        ({}, submission(extra="Precedence: bulk\r\n"), "suppressed: AR-6"),
        ({}, submission(extra="X-Auto-Response-Suppress: OOF\r\n"), "suppressed: AR-7"),
    ],
)
async def test_why_a_notice_is_sent_or_not(tmp_path: Path, settings: dict[str, bool], sent: bytes, word: str) -> None:
    """AR-18: the register says for each message why its sender was told, or was not."""
    async with gateway(tmp_path, zone=GMAIL, notice=settings) as gate:
        assert (await gate.send(sent, "lethihoa@gmail.com", address="203.0.113.5")).startswith("250 ")
        [record] = await gate.records()
        assert record.notice.startswith(word)
        counts = await gate.counts()
        assert sum(n for name, n in counts.items() if name.startswith("outbox")) == (1 if word.startswith("due") else 0)


async def test_a_forged_submission_is_held_in_silence(gate: Gateway) -> None:
    """AR-4, S-25: SPF fails, so nobody who did not write is written to."""
    assert (await gate.send(submission(), "lethihoa@gmail.com", address="198.51.100.7")).startswith("250 ")
    [record] = await gate.records()
    assert record.notice.startswith("suppressed: AR-4")
    assert len(await gate.entries()) == 1
    assert gate.sink.taken == []


def test_official_mailbox_is_the_units_own(tmp_path: Path) -> None:
    from gateway.notices import official_mailbox
    from gateway.reloader import inspect
    from tests.support.node import POLICIES

    policy, _ = inspect(POLICIES, app.utc_now())
    assert policy
    assert official_mailbox(policy, "pgddt-ben-luc", app.utc_now()) == "pgdbenluc@longan.edu.vn"
    assert official_mailbox(policy, "khong-co", app.utc_now()) == ""
    assert policy.accepts(parse_mailbox("a@LONGAN.edu.vn"))
