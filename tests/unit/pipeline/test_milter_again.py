"""A mail server may bring a message again after our verdict, and may relay for others too (safety R-2, R-9, R-23)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.demo.dns import Script
from gateway.envelope.reply import STORAGE_ERROR
from gateway.ports import StoreError
from gateway.quarantine.entry import State
from gateway.store.sqlite import SqliteStore
from tests.support.mail_server import Verdict
from tests.support.node import OFFICE, Gateway, gateway

GMAIL = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}
SENDER = "thcsnguyendu.tanan@gmail.com"
EXAMS = "khaothi@longan.edu.vn"
REPORT = (
    "From: Trường THCS Nguyễn Du <thcsnguyendu.tanan@gmail.com>\r\nTo: <vanthu@longan.edu.vn>\r\n"
    f"Subject: Báo cáo tổng kết năm học\r\nDate: {format_datetime(datetime.now(UTC))}\r\nMessage-ID: <again@gmail.com>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nKính gửi Sở: báo cáo số 12/BC-THCS.\r\n"
).encode()
HOLD = {
    "name": "under-test",
    "when": {"recipient": [OFFICE]},
    "then": {"hold": {"reason": "free-provider", "retain": "30d"}, "notice": "directive-1077"},
}
OTHER = {"name": "under-test-2", "when": {"recipient": [EXAMS]}, "then": {"relay": {"route": "exams"}}}
MIXED = {"rules_first": [HOLD, OTHER], "routes": {"exams": {"protocol": "maildir", "path": "exams"}}}


async def send(gate: Gateway, recipients: tuple[str, ...] = (OFFICE,), message: bytes = REPORT) -> Verdict:
    client = await gate.milter(helo="mail.gmail.com", address="203.0.113.5")
    verdict = await client.transact(message, SENDER, recipients)
    client.quit()
    return verdict


async def quiet(gate: Gateway) -> dict[str, int]:
    """Rows by state when the outbox has nothing to do."""
    async with asyncio.timeout(20):
        while True:
            counts = await gate.counts()
            if not counts.keys() & {"outbox due", "outbox leased", "outbox waiting"}:
                return counts
            await asyncio.sleep(0.02)


def kind(verdict: Verdict) -> str:
    assert verdict.answer is not None
    return verdict.answer.kind


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, zone=GMAIL, overlay=MIXED) as opened:
        yield opened


async def test_everything_happens_once_however_often_the_mail_server_comes(gate: Gateway) -> None:
    """R-23: one entry, one notice, one copy by the second route, one record; and the same edits each time."""
    recipients = (OFFICE, EXAMS, "hieutruong@longan.edu.vn")
    verdicts = [await send(gate, recipients) for _ in range(3)]
    passed = {verdict.applied(REPORT) for verdict in verdicts}
    assert [kind(verdict) for verdict in verdicts] == ["continue"] * 3
    assert len(passed) == 1
    octets, left = passed.pop()
    assert left == ("hieutruong@longan.edu.vn",)
    assert octets.endswith(REPORT)
    assert await quiet(gate) == {"entries held": 1, "outbox sent": 2}
    [record] = await gate.records()
    assert record.id.encode() in octets.partition(b"X-Gateway-Decision: ")[2], "the tag names the id of the first time"
    assert len(list((gate.node.settings.state / "exams" / "new").iterdir())) == 1
    assert [taken.mail for taken in gate.sink.taken] == ["MAIL FROM:<>"], "the notice"


async def test_at_the_same_moment_too(gate: Gateway) -> None:
    """Two copies of one message in two connections: nothing is lost, whatever the order."""
    verdicts = await asyncio.gather(*(send(gate) for _ in range(4)))
    assert {kind(verdict) for verdict in verdicts} == {"discard"}
    counts = await quiet(gate)
    assert counts["entries held"] >= 1
    assert len(gate.sink.taken) == 1, "one notice"


PLAIN = "hieutruong@longan.edu.vn"


async def test_what_is_only_passed_on_is_told_again_under_its_first_id(gate: Gateway) -> None:
    """R-23: nothing is asked beforehand; the write that finds it known leaves nothing, and the edits are made anew."""
    first, *others = [await send(gate, (PLAIN,)) for _ in range(3)]
    assert [kind(verdict) for verdict in (first, *others)] == ["continue"] * 3
    assert {verdict.applied(REPORT) for verdict in others} == {first.applied(REPORT)}
    [record] = await gate.records()
    assert record.id.encode() in first.applied(REPORT)[0].partition(b"X-Gateway-Decision: ")[2]


async def test_what_is_only_passed_on_comes_twice_at_the_same_moment(gate: Gateway) -> None:
    verdicts = await asyncio.gather(*(send(gate, (PLAIN,)) for _ in range(6)))
    assert [kind(verdict) for verdict in verdicts] == ["continue"] * 6
    assert len({verdict.applied(REPORT) for verdict in verdicts}) == 1, "all name the id of the one record"
    assert len(await gate.records()) == 1


async def test_two_at_the_same_moment_with_a_copy_by_another_route(gate: Gateway) -> None:
    """R-23: each prepares its copy before it can know; only the one that is settled keeps it."""
    verdicts = await asyncio.gather(*(send(gate, (PLAIN, EXAMS)) for _ in range(4)))
    assert {verdict.applied(REPORT)[1] for verdict in verdicts} == {(PLAIN,)}
    assert await quiet(gate) == {"outbox sent": 1}
    assert len(list((gate.node.settings.state / "exams" / "new").iterdir())) == 1
    assert len(await gate.records()) == 1


async def test_another_message_or_another_envelope_is_another_mail(gate: Gateway) -> None:
    await send(gate)
    await send(gate, message=REPORT.replace(b"<again@", b"<other@"))
    await send(gate, (OFFICE, "hieutruong@longan.edu.vn"))
    assert len(await gate.records()) == 3


async def test_after_a_change_of_policy_it_is_decided_anew_and_never_lost(gate: Gateway) -> None:
    """R-23: relayed by the mail server at first, held now: the copy must be made before it is discarded."""
    path = gate.folder / "policies" / "policy.yaml"
    policy: dict[str, Any] = yaml.safe_load(path.read_text())
    rules = policy["rules"]
    path.write_text(yaml.safe_dump(policy | {"rules": [{"name": "all", "then": {"relay": {}}}]}, allow_unicode=True))
    gate.node.reloader.reload()
    assert kind(await send(gate)) == "continue"
    assert await gate.entries() == []
    path.write_text(yaml.safe_dump(policy | {"rules": rules}, allow_unicode=True))
    gate.node.reloader.reload()
    assert kind(await send(gate)) == "discard"
    [entry] = await gate.entries(State.HELD)
    assert gate.node.store.open_blob(entry.digest) == REPORT


async def test_released_in_the_meantime_it_is_not_held_again(gate: Gateway) -> None:
    await send(gate)
    [entry] = await gate.entries(State.HELD)
    await gate.node.store.release(entry.id, "vanthu", gate.node.store._core.clock())
    gate.node.outbox.wake()
    await gate.taken(2)
    assert kind(await send(gate)) == "discard"
    assert await gate.entries(State.HELD) == []


async def test_recipients_of_other_domains_are_the_mail_servers_affair(gate: Gateway) -> None:
    """Not refused, not judged, not in the register; and never lost because ours are held."""
    other = "ban@example.org"
    verdict = await send(gate, (other,))
    assert (kind(verdict), verdict.edits, verdict.recipients) == ("continue", (), (other,))
    assert await gate.records() == []
    verdict = await send(gate, (other, OFFICE))
    octets, left = verdict.applied(REPORT)
    assert (kind(verdict), octets, left) == ("continue", REPORT, (other,))
    [record] = await gate.records()
    assert record.recipients == (OFFICE,)


async def test_a_recipient_is_taken_off_by_the_letters_that_the_mail_server_knows(gate: Gateway) -> None:
    verdict = await send(gate, ("VanThu@LongAn.edu.vn", "vanthu@longan.edu.vn", "hieutruong@longan.edu.vn"))
    assert verdict.applied(REPORT)[1] == ("hieutruong@longan.edu.vn",)


async def test_a_held_recipient_is_taken_off_though_a_source_route_was_written_before_it(gate: Gateway) -> None:
    """S-7: the mail server tells the path with its route and keeps it without, so the path as told names nobody."""
    held = ("@a.example,@b.example:vanthu@longan.edu.vn", "@a.example:VanThu@longan.edu.vn")
    for written in held:
        assert (await send(gate, (written, "hieutruong@longan.edu.vn"))).applied(REPORT)[1] == (
            "hieutruong@longan.edu.vn",
        )
    assert [str(entry.recipients[0].mailbox).lower() for entry in await gate.entries(State.HELD)] == [OFFICE]


@pytest.mark.parametrize("domain", ["localhost", "localhost.longan.edu.vn", "mx.longan.edu.vn", "[192.0.2.25]", "MX"])
async def test_a_recipient_at_the_mail_servers_own_name_is_judged(gate: Gateway, domain: str) -> None:
    """S-28: the mailbox of vanthu@longan.edu.vn by another name, which no policy lists and a mail server delivers to."""
    forged = b"X-Sending-Unit: so-gddt\r\n" + REPORT
    verdict = await send(gate, (f"hieutruong@{domain}",), forged)
    octets, left = verdict.applied(forged)
    assert b"X-Sending-Unit: so-gddt" not in octets
    assert left in ((), (f"hieutruong@{domain}",))
    [record] = await gate.records()
    assert record.recipients == (f"hieutruong@{domain.lower()}",)


@pytest.mark.parametrize("recipients", [(OFFICE, EXAMS, "hieutruong@longan.edu.vn"), (OFFICE,)], ids=["mixed", "held"])
@pytest.mark.parametrize("leave", ["lost", "abort", "quit"])
async def test_a_mail_server_that_left_before_the_verdict_gets_nothing_done(
    tmp_path: Path, leave: str, recipients: tuple[str, ...]
) -> None:
    """R-2, R-9: it defers, so what was prepared is withdrawn and the message comes again as a new one."""
    slow = {"gmail.com": {"TXT": Script(records=[b"v=spf1 ip4:203.0.113.5 -all"], delay=0.5)}}
    async with gateway(tmp_path, zone=slow, overlay=MIXED) as gate:
        client = await gate.milter(helo="mail.gmail.com", address="203.0.113.5")
        sending = asyncio.create_task(client.transact(REPORT, SENDER, recipients))
        async with asyncio.timeout(20):
            while not gate.dns.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # the rest of the message is on its way; DNS is still silent
            {"lost": client.writer.transport.abort, "abort": client.abort, "quit": client.quit}[leave]()
            if leave == "abort":
                client.quit()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await sending
            while gate.milter_door.connections:
                await asyncio.sleep(0.01)
        assert (await gate.counts(), await gate.records()) == ({}, [])
        assert gate.sink.taken == []
        verdict = await send(gate, recipients)
        assert verdict.applied(REPORT)[1] == recipients[2:]
        assert len(await gate.records()) == 1


async def test_the_order_of_the_recipients_changes_nothing(tmp_path: Path) -> None:
    """R-23: the copy that was left to the mail server is left to it again, and not the other one, which is in the outbox."""
    marked = {
        "name": "marked",
        "when": {"recipient": [OFFICE]},
        "then": {"relay": {"redirect": ["luutru@longan.edu.vn"], "subject_prefix": "[Văn thư] "}},
    }
    async with gateway(tmp_path, zone=GMAIL, overlay={"rules_first": [marked]}) as gate:
        recipients = (OFFICE, "hieutruong@longan.edu.vn")
        first = await send(gate, recipients)
        again = await send(gate, recipients[::-1])
        assert again.applied(REPORT) == first.applied(REPORT)
        await quiet(gate)
        left = first.applied(REPORT)[1]
        sent = [path for taken in gate.sink.taken for path in taken.rcpts]
        wanted = {"luutru@longan.edu.vn", "hieutruong@longan.edu.vn"} - set(left)
        assert sent == [f"RCPT TO:<{path}>" for path in wanted]
        assert len(await gate.records()) == 1


async def test_nothing_is_left_to_the_mail_server_that_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-1, R-2, R-23: neither database nor spill file takes the record. Nothing has left us yet, so all of it is deferred."""
    settle = SqliteStore.settle

    async def fail(self: SqliteStore, settlement: object) -> str:
        raise StoreError("disk full", STORAGE_ERROR)

    async with gateway(tmp_path, zone=GMAIL, overlay=MIXED) as gate:
        monkeypatch.setattr(SqliteStore, "settle", fail)
        recipients = (OFFICE, EXAMS, "hieutruong@longan.edu.vn")
        verdict = await send(gate, recipients)
        assert verdict.answer is not None
        assert (verdict.answer.kind, verdict.answer.text[:9]) == ("replycode", "452 4.3.1")
        assert (await gate.counts(), await gate.entries()) == ({}, [])
        monkeypatch.setattr(SqliteStore, "settle", settle)
        assert (await send(gate, recipients)).applied(REPORT)[1] == ("hieutruong@longan.edu.vn",)
        assert await quiet(gate) == {"entries held": 1, "outbox sent": 2}
