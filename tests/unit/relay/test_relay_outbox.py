"""The outbox sender: what is sent how often, and what is written down about it (R-2, R-21, AR-1, AR-16, F-41)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.envelope.reply import LOCAL_ERROR
from gateway.ports import Leased, Outgoing, OutgoingKind, StoreError
from gateway.relay.outbox import OutboxSender
from tests.support.relaying import CONTENT, EXAMS, OFFICE, downstream, route
from tests.support.sink import Act, Script, Sink, running

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
NOTICE, RELEASE, RELAY = OutgoingKind.NOTICE, OutgoingKind.RELEASE, OutgoingKind.RELAY


@dataclass
class Rows:
    """An outbox in memory, by the contract of `ports.OutboxStore`."""

    due: list[Leased] = field(default_factory=list)
    settled: list[tuple[str, str, str, datetime | None]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    leases: list[tuple[int, timedelta]] = field(default_factory=list)
    broken: int = 0  # times that lease() fails

    async def lease(self, limit: int, now: datetime, lease_until: datetime) -> list[Leased]:
        if self.broken:
            self.broken -= 1
            raise StoreError("disk full", LOCAL_ERROR)
        self.leases.append((limit, lease_until - now))
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken

    async def settle_outgoing(self, id: str, state: str, reply: str, next_attempt: datetime | None) -> None:  # noqa: A002
        self.settled.append((id, state, reply, next_attempt))

    def open_blob(self, digest: str) -> bytes:
        if digest not in self.blobs:
            raise FileNotFoundError(digest)
        return self.blobs[digest]

    async def all_settled(self, count: int) -> list[tuple[str, str, str, datetime | None]]:
        while len(self.settled) < count:
            await asyncio.sleep(0.005)
        return sorted(self.settled)


def row(
    kind: OutgoingKind, *, name: str = "1", attempts: int = 0, age: timedelta = timedelta(0), **fields: object
) -> Leased:
    given: dict[str, object] = {
        "recipients": (OFFICE,),
        "content": CONTENT,
        "route": "main",
        "reverse_path": None,
    } | fields
    return Leased(Outgoing(id=name, kind=kind, cause="01H-TEST", **given), attempts, NOW - age)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def sending(rows: Rows, sink: Sink, tmp_path: Path, **changes: float) -> AsyncIterator[OutboxSender]:
    async with running(sink):
        behind = downstream(tmp_path, **changes)
        routes = {"main": route(sink.port, protocol="lmtp" if sink.lmtp else "smtp")}
        sender = OutboxSender(rows, behind, lambda: routes, clock=lambda: NOW)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            await sender.stop()
            await task
            await behind.close()


async def outcome(tmp_path: Path, leased: Leased, script: dict[str, Script] | None = None, **changes: object) -> tuple:
    rows = Rows([leased])
    sink = Sink(script or {}, **changes)  # type: ignore[arg-type]
    async with sending(rows, sink, tmp_path, final_timeout=0.3):
        (found,) = await rows.all_settled(1)
    return (*found[1:], len(sink.taken))


@pytest.mark.parametrize("kind", [NOTICE, RELEASE, RELAY])
async def test_sent(tmp_path: Path, kind: OutgoingKind) -> None:
    assert await outcome(tmp_path, row(kind)) == ("sent", "250 2.0.0 Ok: queued", None, 1)


@pytest.mark.parametrize("kind", [NOTICE, RELEASE, RELAY])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_temporary_refusal_is_due_again(tmp_path: Path, kind: OutgoingKind, verb: str) -> None:
    state, reply, again, _ = await outcome(tmp_path, row(kind, attempts=2), {verb: b"451 4.7.1 Greylisted\r\n"})
    assert (state, reply, again) == ("due", "451 4.7.1 Greylisted", NOW + timedelta(minutes=4))


@pytest.mark.parametrize("kind", [NOTICE, RELEASE, RELAY])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_ar16_permanent_refusal_is_final(tmp_path: Path, kind: OutgoingKind, verb: str) -> None:
    assert (await outcome(tmp_path, row(kind), {verb: b"550 5.1.1 No such user\r\n"}))[:3] == (
        "failed",
        "550 5.1.1 No such user",
        None,
    )


@pytest.mark.parametrize(("kind", "state"), [(NOTICE, "abandoned"), (RELEASE, "unknown"), (RELAY, "due")])
async def test_r21_unknown_outcome(tmp_path: Path, kind: OutgoingKind, state: str) -> None:
    """At most once, exactly once, at least once."""
    found, reply, again, taken = await outcome(tmp_path, row(kind), {".": Act.CLOSE})
    assert found == state
    assert "451 4.4.2" in reply
    assert (again is not None) == (kind is RELAY)
    assert taken == 1


@pytest.mark.parametrize(
    ("kind", "age", "state"),
    [(NOTICE, 25, "abandoned"), (RELAY, 121, "failed"), (RELAY, 119, "due"), (RELEASE, 9999, "due")],
)
async def test_f41_giving_up(tmp_path: Path, kind: OutgoingKind, age: int, state: str) -> None:
    leased = row(kind, age=timedelta(hours=age))
    assert (await outcome(tmp_path, leased, {"connect": b"421 4.3.2 Busy\r\n"}))[0] == state


async def test_one_recipient_deferred_defers_all_until_the_last_attempt(tmp_path: Path) -> None:
    script: dict[str, Script] = {"RCPT": [b"250 Ok\r\n", b"452 4.2.2 Full\r\n"]}
    both = {"recipients": (OFFICE, EXAMS)}
    assert (await outcome(tmp_path, row(RELAY, **both), dict(script)))[::3] == ("due", 0)
    script = {"RCPT": [b"250 Ok\r\n", b"452 4.2.2 Full\r\n"]}
    state, reply, _, taken = await outcome(tmp_path, row(RELAY, age=timedelta(days=6), **both), script)
    assert (state, taken) == ("failed", 1)  # whoever can have it has it
    assert reply == "not delivered to all: khaothi@longan.edu.vn: 452 4.2.2 Full"


async def test_one_recipient_refused_does_not_stop_the_other(tmp_path: Path) -> None:
    script: dict[str, Script] = {"RCPT": [b"550 5.1.1 No\r\n", b"250 Ok\r\n"]}
    state, reply, _, taken = await outcome(tmp_path, row(RELEASE, recipients=(OFFICE, EXAMS)), script)
    assert (state, reply, taken) == ("failed", "not delivered to all: vanthu@longan.edu.vn: 550 5.1.1 No", 1)


@pytest.mark.parametrize(("kind", "state"), [(RELEASE, "failed"), (RELAY, "due")])
async def test_lmtp_that_delivers_to_some(tmp_path: Path, kind: OutgoingKind, state: str) -> None:
    script: dict[str, Script] = {".": [b"250 Ok\r\n", b"452 4.2.2 Full\r\n"]}
    assert (await outcome(tmp_path, row(kind, recipients=(OFFICE, EXAMS)), script, lmtp=True))[0] == state


async def test_own_fields_come_before_the_blob_and_forged_ones_are_left_out(tmp_path: Path) -> None:
    blob = b"X-Sending-Unit: forged\r\nSubject: Bao cao\r\nX-Forged: 2\r\n\r\nNoi dung\r\n"
    drop = ((blob.index(b"X-Forged"), blob.index(b"\r\n\r\n") + 2), (0, blob.index(b"Subject")))
    rows = Rows([row(RELEASE, content=b"X-Released: yes\r\n", digest="d1", drop=drop)], blobs={"d1": blob})
    sink = Sink()
    async with sending(rows, sink, tmp_path):
        await rows.all_settled(1)
    assert sink.taken[0].content == b"X-Released: yes\r\nSubject: Bao cao\r\n\r\nNoi dung\r\n"


@pytest.mark.parametrize("fields", [{"route": "gone"}, {"digest": "lost"}])
async def test_trouble_of_our_own_is_tried_again(tmp_path: Path, fields: dict[str, str]) -> None:
    state, reply, again, taken = await outcome(tmp_path, row(RELAY, **fields))
    assert (state, taken) == ("due", 0)
    assert reply.startswith("451")
    assert again is not None


async def test_own_fault_before_the_content_is_due_again(tmp_path: Path) -> None:
    """A parameter that must not reach the wire is a fault of ours; nothing was sent, so nothing is unknown."""
    state, reply, _, taken = await outcome(tmp_path, row(RELEASE, parameters=(("ENVID", "a\r\nDATA"),)))
    assert (state, taken) == ("due", 0)
    assert reply.startswith("451 4.3.0")


async def test_wake_sends_at_once_and_leases_are_long_enough(tmp_path: Path) -> None:
    rows = Rows()
    async with sending(rows, Sink(), tmp_path) as sender:
        while not rows.leases:
            await asyncio.sleep(0.005)
        rows.due += [row(NOTICE, name=f"{n:02}") for n in range(20)]
        sender.wake()
        assert len(await rows.all_settled(20)) == 20
    assert max(limit for limit, _ in rows.leases) == 4
    assert {length for _, length in rows.leases} == {timedelta(hours=1)}


async def test_a_store_in_trouble_does_not_end_the_sender(tmp_path: Path) -> None:
    rows = Rows([row(NOTICE)], broken=1)
    async with sending(rows, Sink(), tmp_path) as sender:
        while rows.broken:
            await asyncio.sleep(0.005)
        sender.wake()
        assert (await rows.all_settled(1))[0][1] == "sent"


@pytest.mark.parametrize(
    ("verb", "kind", "state"),
    [("RCPT", RELEASE, "due"), (".", RELEASE, "unknown"), (".", NOTICE, "abandoned"), (".", RELAY, "due")],
)
async def test_stop_writes_down_what_it_cuts_short(tmp_path: Path, verb: str, kind: OutgoingKind, state: str) -> None:
    rows = Rows([row(kind)])
    async with running(Sink({verb: Act.HANG})) as sink:
        behind = downstream(tmp_path, command_timeout=60, final_timeout=60)
        sender = OutboxSender(rows, behind, lambda: {"main": route(sink.port)}, clock=lambda: NOW)
        task = asyncio.create_task(sender.run())
        while (verb == "." and not sink.taken) or (verb != "." and verb not in sink.verbs()):
            await asyncio.sleep(0.005)
        await sender.stop(seconds=0.01)
        await task
    assert [settled[1] for settled in rows.settled] == [state]


async def test_stop_lets_what_has_begun_end(tmp_path: Path) -> None:
    rows = Rows([row(RELEASE)])
    async with sending(rows, Sink(), tmp_path):
        while not rows.leases:
            await asyncio.sleep(0)
    assert [settled[1] for settled in rows.settled] == ["sent"]
