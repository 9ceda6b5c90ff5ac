"""Exceptions anywhere: 451 with an id that is also in the log, nothing of the cause, nothing left open (F-37, P-5)."""

from __future__ import annotations

import io
import json

import pytest

from gateway import metrics
from gateway.endpoint import smtp_receiving
from gateway.endpoint.smtp_data import Body
from gateway.envelope.reply import Reply
from tests.support.dialogue import open_door
from tests.support.reception import FakeIntake, FakeReception

BROKEN = RuntimeError("secret /etc/gateway/key")


def entries(log: io.BytesIO, event: str) -> list[dict[str, str]]:
    return [entry for entry in map(json.loads, log.getvalue().splitlines()) if entry["event"] == event]


def id_in(reply: bytes) -> str:
    return reply.decode().rpartition("[")[2].removesuffix("]\r\n")


async def test_fault_before_the_transaction_has_an_id(log: io.BytesIO) -> None:
    async with open_door(FakeReception(on_begin=BROKEN)) as opened:
        client = await opened.connect()
        await client.hello()
        reply = await client.ask("MAIL FROM:<>")
        assert reply.startswith(b"451 4.3.0 ")
        (fault,) = entries(log, "fault")
        assert fault["id"] == id_in(reply)
        assert "secret" in fault["error"]
        assert (await client.ask("RCPT TO:<a@longan.edu.vn>")).startswith(b"503 ")


async def test_fault_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    def features(self: FakeReception) -> None:
        raise BROKEN

    async with open_door() as opened:
        monkeypatch.setattr(FakeReception, "features", features)
        client = await opened.connect()
        assert (await client.hello()).startswith(b"451 4.3.0 ")
        assert (await client.ask("MAIL FROM:<>")).startswith(b"503 5.5.1 Send EHLO first")
        monkeypatch.undo()
        assert (await client.ask("EHLO mail.thcs-tanan.edu.vn")).startswith(b"250-")


async def test_fault_while_the_message_is_read(monkeypatch: pytest.MonkeyPatch, log: io.BytesIO) -> None:
    def message(octets: object) -> None:
        raise BROKEN

    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        monkeypatch.setattr(smtp_receiving, "Message", message)
        assert (await client.mail(b"x: y\r\n.\r\n")).endswith(b"[TEST-0001]\r\n")
        assert opened.reception.intakes[0].calls == ["mail", "rcpt", "abandon"]
        monkeypatch.undo()
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"250 ")


async def test_fault_in_the_middle_of_data_ends_the_session(monkeypatch: pytest.MonkeyPatch, log: io.BytesIO) -> None:
    """What follows would be the rest of the message; it must not be read as commands."""

    def feed(self: Body, chunk: bytes) -> None:
        raise BROKEN

    async with open_door() as opened:
        monkeypatch.setattr(Body, "feed", feed)
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        await client.send(b"x" * 100_000 + b"\r\nMAIL FROM:<a@x.example>\r\n")
        (line,) = await client.rest()
        assert line.startswith(b"421 4.3.0 ")
        assert entries(log, "fault")[0]["id"] == id_in(line)
        assert opened.reception.intakes[0].calls == ["mail", "rcpt", "abandon"]


async def test_fault_of_abandon_is_only_logged(monkeypatch: pytest.MonkeyPatch, log: io.BytesIO) -> None:
    async def abandon(self: FakeIntake) -> None:
        raise BROKEN

    monkeypatch.setattr(FakeIntake, "abandon", abandon)
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.ask("MAIL FROM:<>")
        assert (await client.ask("RSET")).startswith(b"250 ")
        assert [fault["id"] for fault in entries(log, "fault")] == ["TEST-0001"]


async def test_what_the_door_refuses_is_in_the_mail_log(log: io.BytesIO) -> None:
    """One line per recipient, with the id of the reply; what XFORWARD told stands beside it."""
    counted = metrics.messages.labels("5yz")
    before = counted._value.get()
    async with open_door(xclient_from=("127.0.0.0/8",)) as opened:
        client = await opened.connect()
        await client.hello()
        await client.ask("XFORWARD IDENT=4bXyz")
        await client.envelope("vanthu@longan.edu.vn", "ketoan@longan.edu.vn")
        await client.send(b" x\r\n.\r\n")
        reply = await client.reply()
        found = entries(log, "refused")
        assert [entry["recipient"] for entry in found] == ["vanthu@longan.edu.vn", "ketoan@longan.edu.vn"]
        assert {entry["id"] for entry in found} == {id_in(reply)} == {"TEST-0001"}
        assert found[0]["forwarded_ident"] == "4bXyz"
        assert counted._value.get() == before + 1


async def test_fault_of_the_pipeline_is_in_the_mail_log(log: io.BytesIO) -> None:
    """The recipients of a message that met our 451 are deferred, and the log says so."""
    async with open_door(FakeReception(on_data=BROKEN)) as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"451 4.3.0 ")
        assert [entry["recipient"] for entry in entries(log, "deferred")] == ["vanthu@longan.edu.vn"]


async def test_bare_newlines_that_are_let_through_are_logged(log: io.BytesIO) -> None:
    """S-2: the first weeks show who sends them."""
    async with open_door(bare_newlines="log") as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.mail(b"x: y\r\n\r\na\nb\r\n.\r\n")).startswith(b"250 ")
        assert entries(log, "bare-newline")[0]["id"] == "TEST-0001"


async def test_replies_of_the_pipeline_are_made_fit_for_the_wire() -> None:
    """R-18: controls, letters beyond ASCII and long lines never reach the client as they are."""
    reply = Reply(550, "5.7.1", "Công văn\x1b[31m 1077\r" + "x" * 600)
    async with open_door(FakeReception(on_data=reply)) as opened:
        client = await opened.connect()
        await client.hello()
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"550 5.7.1 C?ng v?n?[31m 1077?xxx")
