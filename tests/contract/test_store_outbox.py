"""The outbox: at most, at least, exactly once (safety R-21, AR-12, AR-16, F-30, F-40)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import ForwardPath
from gateway.ports import OutgoingKind
from gateway.store.codec import micros
from tests.support.store_samples import NOW, message, notice, outgoing, record, settlement

LEASE = timedelta(minutes=15)


async def put(store, kind, number=1):
    """Due rows of this kind."""
    cause = record()
    rows = [outgoing(kind, cause.id) for _ in range(number)]
    await store.prepare(message(), None, rows)
    await store.settle(settlement(cause))
    return rows


async def leased(store, now=NOW, limit=10):
    return await store.lease(limit, now, now + LEASE)


async def send_notice(store, sender="thptlehongphong.la@gmail.com", **changes):
    """One message whose notice is asked for; returns what the register says of it."""
    one = record()
    local, _, domain = sender.rpartition("@")
    await store.settle(settlement(one, notice(one.id, Mailbox(local, domain), **changes)))
    return (await store.show(one.id)).notice


async def test_two_senders_never_get_the_same_row(open_store):
    one, two = open_store(), open_store()
    rows = await put(one, OutgoingKind.RELAY, 40)
    taken = await asyncio.gather(*(leased(s, limit=7) for s in (one, two) for _ in range(4)))
    ids = [row.outgoing.id for some in taken for row in some]
    assert sorted(ids) == sorted(row.id for row in rows)


async def test_F40_what_a_dead_sender_had_in_hand_does_not_wait_for_its_lease(open_store):
    """A relay is sent again at once, a notice never, and a release waits for a person; the living keep theirs."""
    dying, living, next_one = open_store(), open_store(), open_store()
    [relay] = await put(dying, OutgoingKind.RELAY)
    await send_notice(dying)
    assert len(await leased(dying)) == 2
    [other] = await put(living, OutgoingKind.RELAY)
    assert [row.outgoing.id for row in await leased(living)] == [other.id]
    assert await leased(next_one) == []
    dying._core.owner._path.unlink()  # as the sweep does with the lock that the kernel dropped
    assert [row.outgoing.id for row in await leased(next_one)] == [relay.id]
    counts = {name: number for name, number in (await next_one.counts()).items() if number}
    assert counts == {"outbox leased": 2, "outbox abandoned": 1}


async def test_retry_is_due_at_its_time_and_counts_attempts(store):
    [row] = await put(store, OutgoingKind.RELAY)
    await leased(store)
    await store.settle_outgoing(row.id, "due", "451 4.4.1 later", NOW + timedelta(minutes=5))
    assert await leased(store, NOW + timedelta(minutes=4)) == []
    [again] = await leased(store, NOW + timedelta(minutes=5))
    assert (again.attempts, again.first_due) == (1, NOW)
    await store.settle_outgoing(row.id, "sent", "250 2.0.0 ok", None)
    assert await leased(store, NOW + timedelta(days=9)) == []
    assert (await store.counts())["outbox sent"] == 1


@pytest.mark.parametrize(
    ("kind", "state"),
    [(OutgoingKind.NOTICE, "abandoned"), (OutgoingKind.RELAY, "leased"), (OutgoingKind.RELEASE, "unknown")],
)
async def test_lease_that_ran_out(store, kind, state):
    await put(store, kind)
    await leased(store)
    assert await leased(store, NOW + LEASE - timedelta(seconds=1)) == []
    again = await leased(store, NOW + LEASE)
    assert len(again) == (kind is OutgoingKind.RELAY)
    assert (await store.counts())[f"outbox {state}"] == 1


async def test_late_answer_of_a_lease_that_ran_out_is_heard(store):
    [row] = await put(store, OutgoingKind.RELEASE)
    await leased(store)
    await leased(store, NOW + LEASE)
    await store.settle_outgoing(row.id, "due", "451", NOW)  # never repeated by itself
    assert (await store.counts())["outbox unknown"] == 1
    await store.settle_outgoing(row.id, "sent", "250", None)
    assert (await store.counts())["outbox sent"] == 1
    await store.settle_outgoing(row.id, "failed", "550", None)  # and final is final
    assert (await store.counts())["outbox sent"] == 1


async def test_P2_content_and_blob_go_when_it_is_sent(store):
    [row] = await put(store, OutgoingKind.RELAY)
    mail = message("thư chuyển tiếp")
    cause = record()
    with_blob = outgoing(OutgoingKind.RELAY, cause.id, digest=record().digest, content=b"")
    with_blob = outgoing(OutgoingKind.RELAY, cause.id, digest=store._core.blobs.write(mail.raw), content=b"")
    await store.prepare(mail, None, [with_blob])
    await store.settle(settlement(cause))
    await leased(store)
    for one in (row, with_blob):
        await store.settle_outgoing(one.id, "sent", "250", None)
    await asyncio.gather(*store._core._dropping)
    assert not store._core.blobs.exists(with_blob.digest)


async def test_AR12_once_per_window_across_processes_and_restart(open_store, clock):
    one, two = open_store(), open_store()
    both = await asyncio.gather(*(send_notice(s) for s in (one, two) for _ in range(10)))
    assert sorted(both) == ["due directive-1077"] + ["suppressed: window"] * 19
    await one.close()
    await two.close()
    three = open_store()
    clock.advance(days=1)
    assert await send_notice(three) == "suppressed: window"
    clock.advance(days=-30)  # a clock that jumps back opens no window
    assert await send_notice(three) == "suppressed: window"
    clock.now = NOW + timedelta(days=7)
    await three.sweep(clock())
    assert await send_notice(three, not_again_before=clock() + timedelta(days=7)) == "due directive-1077"


async def test_AR12_another_unit_or_directive_is_another_window(store):
    assert await send_notice(store) == "due directive-1077"
    assert await send_notice(store, unit_id="thcs-ben-luc") == "due directive-1077"
    assert await send_notice(store, directive="cv-3429") == "due cv-3429"


async def test_AR12_sender_day(store, clock):
    said = [await send_notice(store, unit_id=f"mn-{n}", per_sender_day=3) for n in range(4)]
    assert said[2:] == ["due directive-1077", "suppressed: sender-day"]
    clock.advance(days=-3)
    assert await send_notice(store, unit_id="mn-9", per_sender_day=3) == "suppressed: sender-day"
    clock.now = NOW + timedelta(hours=25)
    assert await send_notice(store, unit_id="mn-9", per_sender_day=3) == "due directive-1077"


async def test_AR12_domain_hour_and_global_hour(store, clock):
    for n in range(3):
        assert await send_notice(store, f"gv{n}@gmail.com", per_domain_hour=3, per_hour=5) == "due directive-1077"
    assert await send_notice(store, "gv4@gmail.com", per_domain_hour=3, per_hour=5) == "suppressed: domain-hour"
    for n in range(2):
        assert await send_notice(store, f"gv{n}@yahoo.com", per_domain_hour=3, per_hour=5) == "due directive-1077"
    assert await send_notice(store, "gv@outlook.com", per_domain_hour=3, per_hour=5) == "suppressed: hour"
    clock.advance(hours=1, seconds=1)
    assert await send_notice(store, "gv@outlook.com", per_domain_hour=3, per_hour=5) == "due directive-1077"
    assert await send_notice(store, "gv9@outlook.com", per_hour=0) == "suppressed: hour"


async def test_AR16_failed_notice_leaves_its_target_alone_for_30_days(store, clock):
    await send_notice(store)
    [row] = await leased(store)
    assert row.outgoing.recipients == (ForwardPath(Mailbox("thptlehongphong.la", "gmail.com")),)
    await store.settle_outgoing(row.outgoing.id, "failed", "550 5.1.1 no such user", None)
    later = clock.advance(days=29)
    assert await send_notice(store, not_again_before=later + timedelta(days=7)) == "suppressed: failed-before"
    later = clock.advance(days=1)
    await store.sweep(later)
    assert await send_notice(store, not_again_before=later + timedelta(days=7)) == "due directive-1077"


def test_times_keep_their_microseconds():
    assert micros(NOW) % 1_000_000 == 123_456
