"""What the quarantine and the outbox give back is the transaction as it came: envelope, parameters, octets (R-16, R-21)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import app
from gateway.quarantine.entry import State
from tests.support.node import Gateway, gateway, id_of, stuffed
from tests.support.sink import Sink, running

HOLD_ALL = {"rules": [{"name": "all", "then": {"hold": {"reason": "all"}}}]}
MESSAGE = "From: Nguyễn An <an@example.org>\r\nSubject: Hỏi\r\n\r\n.xin chào\r\n..\r\n".encode()


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, overlay=HOLD_ALL) as opened:
        yield opened


async def held(gate: Gateway, mail: str, *rcpts: str, raw: bytes = MESSAGE) -> str:
    client = await gate.connect()
    assert (await client.ask(f"MAIL FROM:{mail}")).startswith(b"250")
    for rcpt in rcpts:
        assert (await client.ask(f"RCPT TO:{rcpt}")).startswith(b"250")
    assert (await client.ask("DATA")).startswith(b"354")
    await client.send(stuffed(raw))
    return id_of((await client.reply()).decode())


async def released(gate: Gateway, entry_id: str) -> None:
    await gate.node.store.release(entry_id, "lan", app.utc_now())
    gate.node.outbox.wake()
    async with asyncio.timeout(15):
        while (await gate.node.store.entry(entry_id)).state is State.RELEASING:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("mail", "rcpts"),
    [
        ("<>", ("<vanthu@longan.edu.vn>",)),
        ("<an@example.org>", ("<postmaster>",)),
        ('<"an nguyen"@example.org>', ('<"van thu"@longan.edu.vn>', "<VanThu@longan.edu.vn>")),
        ("<nguyễn.an@example.org> SMTPUTF8", ("<văn.thư@longan.edu.vn>",)),
        ("<an@example.org> BODY=8BITMIME RET=FULL ENVID=Ab+2Bc", ("<vanthu@longan.edu.vn> NOTIFY=NEVER",)),
        ("<an@[192.0.2.7]>", ("<vanthu@longan.edu.vn> NOTIFY=FAILURE ORCPT=rfc822;Van+2BThu@longan.edu.vn",)),
    ],
)
async def test_release_gives_the_envelope_back(gate: Gateway, mail: str, rcpts: tuple[str, ...]) -> None:
    entry_id = await held(gate, mail, *rcpts)
    assert gate.sink.taken == []
    await released(gate, entry_id)
    entry = await gate.node.store.entry(entry_id)
    assert entry.state is State.RELEASED, entry.note
    [taken] = gate.sink.taken
    assert taken.content == MESSAGE
    assert taken.rcpts == [f"RCPT TO:{rcpt}" for rcpt in rcpts]
    assert taken.mail.startswith(f"MAIL FROM:{mail.split(' ')[0]}" if " " not in mail.split(">")[0] else "MAIL FROM:")
    for parameter in mail.partition("> ")[2].split():
        assert parameter in taken.mail.split(" ")


async def test_large_held_mail_comes_back_whole(gate: Gateway) -> None:
    """Spooled to disk on the way in, a blob in between."""
    raw = MESSAGE + b"".join(b"%d .dong\r\n.\r\n" % n for n in range(150_000))
    await released(gate, await held(gate, "<an@example.org>", "<vanthu@longan.edu.vn>", raw=raw))
    assert gate.sink.taken[0].content == raw


async def test_a_refused_release_is_held_again_or_told(tmp_path: Path) -> None:
    """R-21: the receiving server says no for good: a person decides what becomes of it, nothing is lost."""
    sink = Sink({".": b"550 5.7.1 No\r\n"})
    async with gateway(tmp_path, overlay=HOLD_ALL, sink=sink) as gate:
        entry_id = await held(gate, "<an@example.org>", "<vanthu@longan.edu.vn>")
        await released(gate, entry_id)
        entry = await gate.node.store.entry(entry_id)
        assert entry.state is State.HELD
        assert "550" in entry.note
        assert gate.node.store.open_blob(entry.digest) == MESSAGE


async def test_two_routes_keep_octets_and_forged_fields_stay_out(tmp_path: Path) -> None:
    """The outbox's copy of a mixed transaction is the live one's, octet for octet (S-28)."""
    forged = b"X-Sending-Unit: sgddt\r\n"
    async with running(Sink()) as second:
        overlay = {
            "routes": {"kho": {"host": "127.0.0.1", "port": second.port, "starttls": "never"}},
            "rules": [
                {"name": "kho", "when": {"recipient": ["ketoan@longan.edu.vn"]}, "then": {"relay": {"route": "kho"}}},
                {"name": "all", "then": {"relay": {}}},
            ],
        }
        async with gateway(tmp_path, overlay=overlay) as gate:
            await held(
                gate, "<an@example.org>", "<vanthu@longan.edu.vn>", "<ketoan@longan.edu.vn>", raw=forged + MESSAGE
            )
            async with asyncio.timeout(10):
                while not second.taken:
                    await asyncio.sleep(0.02)
            assert second.taken[0].content == gate.sink.taken[0].content
            assert second.taken[0].content.endswith(b"\r\n" + MESSAGE)
            assert b"X-Sending-Unit" not in second.taken[0].content


async def test_a_copy_that_is_refused_never_bounces_the_mail(tmp_path: Path) -> None:
    """A rule's mistake is ours: 4yz until it is mended, never the sender's 5yz (F-6)."""

    def rcpt(line: str) -> bytes:
        return b"550 5.1.1 No such mailbox\r\n" if "khong.co" in line else b"250 2.1.5 Ok\r\n"

    rule = {"name": "all", "then": {"relay": {"copy_to": ["khong.co@longan.edu.vn"]}}}
    async with gateway(tmp_path, overlay={"rules": [rule]}, sink=Sink({"RCPT": rcpt})) as gate:
        assert (await gate.send(MESSAGE, parameters="BODY=8BITMIME SMTPUTF8")).startswith("451 ")
        assert gate.sink.taken == []
        assert await gate.records() == []


async def test_what_a_second_route_refuses_for_good_is_not_lost(tmp_path: Path) -> None:
    """R-1, RFC 5321 §6.2: the sender has heard 250, so a later 5yz leaves the mail with us, for a person to see."""
    async with running(Sink({".": b"550 5.7.1 No\r\n"})) as second:
        overlay = {
            "routes": {"kho": {"host": "127.0.0.1", "port": second.port, "starttls": "never"}},
            "rules": [
                {"name": "kho", "when": {"recipient": ["ketoan@longan.edu.vn"]}, "then": {"relay": {"route": "kho"}}},
                {"name": "all", "then": {"relay": {}}},
            ],
        }
        async with gateway(tmp_path, overlay=overlay) as gate:
            await held(gate, "<an@example.org>", "<vanthu@longan.edu.vn>", "<ketoan@longan.edu.vn>")
            async with asyncio.timeout(10):
                while not (await gate.counts()).get("outbox failed"):
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)  # the blob would be dropped now
            entries = await gate.entries(State.HELD)
            assert [str(path.mailbox) for entry in entries for path in entry.recipients] == ["ketoan@longan.edu.vn"]
            assert gate.node.store.open_blob(entries[0].digest) == MESSAGE
            assert entries[0].reason == "undeliverable"
            assert "550 5.7.1 No" in entries[0].note
            second.script.clear()
            await released(gate, entries[0].id)
            assert second.taken[-1].content == MESSAGE
