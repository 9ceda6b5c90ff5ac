"""Held mail in people's hands (safety R-21, R-22, P-2, P-3, S-37, F-30)."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from gateway.ports import OutgoingKind, StoreError
from gateway.quarantine.entry import MOVES, EntryFilter, MoveRefused, State, UnknownEntry
from gateway.store.schema import audit, entries
from tests.support.store_samples import CLERK, NOW, entry, held_record, message, settlement

LEASE = timedelta(minutes=15)
numbers = itertools.count()


async def hold(store, **changes):
    mail = message(f"Báo cáo số {next(numbers)}")
    held = entry(mail, **changes)
    await store.prepare(mail, held, ())
    await store.settle(settlement(held_record(held)))
    return held


async def state(store, held):
    return (await store.entry(held.id)).state


async def end_release(store, held, outcome, reply):
    await store.release(held.id, CLERK, NOW)
    [row] = await store.lease(10, NOW, NOW + LEASE)
    await store.settle_outgoing(row.outgoing.id, outcome, reply, None)
    return row.outgoing


async def test_R21_release_sends_the_original_to_the_held_recipients(store):
    held = await hold(store)
    sent = await end_release(store, held, "sent", "250 2.0.0 ok")
    assert sent.kind is OutgoingKind.RELEASE
    assert (sent.reverse_path, sent.parameters, sent.recipients) == (
        held.reverse_path,
        held.parameters,
        held.recipients,
    )
    assert (sent.digest, sent.content, sent.drop) == (held.digest, b"", ())
    assert await state(store, held) is State.RELEASED
    assert [(a.who, a.what) for a in await store.acts(held.id)] == [("gateway", "released"), (CLERK, "releasing")]


@pytest.mark.parametrize(
    ("outcome", "then"), [("failed", State.HELD), ("abandoned", State.HELD), ("unknown", State.UNCERTAIN)]
)
async def test_R21_release_that_did_not_end_well(store, outcome, then):
    held = await hold(store)
    await end_release(store, held, outcome, "550 5.1.1 Người nhận không tồn tại")
    after = await store.entry(held.id)
    assert (after.state, after.note) == (then, "550 5.1.1 Người nhận không tồn tại")
    assert await store.lease(10, NOW + timedelta(days=3), NOW + timedelta(days=4)) == []  # never by itself
    assert (await store.release(held.id, CLERK, NOW)).state is State.RELEASING
    assert len(await store.lease(10, NOW, NOW + LEASE)) == 1


async def test_R21_sender_that_died_leaves_uncertain_and_its_late_answer_counts(store):
    held = await hold(store)
    await store.release(held.id, CLERK, NOW)
    [row] = await store.lease(10, NOW, NOW + LEASE)
    assert await store.lease(10, NOW + LEASE, NOW + 2 * LEASE) == []
    assert await state(store, held) is State.UNCERTAIN
    await store.settle_outgoing(row.outgoing.id, "sent", "250", None)
    assert await state(store, held) is State.RELEASED


async def test_R21_double_click_on_two_nodes_has_one_winner(open_store):
    one, two = open_store(), open_store()
    held = await hold(one)
    outcomes = await asyncio.gather(
        *(s.release(held.id, CLERK, NOW) for s in (one, two) for _ in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert {type(o) for o in outcomes if isinstance(o, Exception)} == {MoveRefused}
    assert len(await one.lease(10, NOW, NOW + LEASE)) == 1


async def force(store, held, target):
    body = int(target not in (State.DELETED, State.EXPIRED))
    await store._core.write(
        lambda c: c.execute(update(entries).where(entries.c.id == held.id).values(state=target.value, has_body=body))
    )


@pytest.mark.parametrize("source", list(State))
async def test_every_cell_of_moves(store, source):
    acts = {
        State.RELEASING: lambda e: store.release(e, CLERK, NOW),
        State.REJECTED: lambda e: store.reject(e, CLERK, "không phải văn bản", NOW),
        State.DELETED: lambda e: store.delete(e, CLERK, "thư rác", NOW),
    }
    for target, act in acts.items():
        held = await hold(store)
        await force(store, held, source)
        if target in MOVES[source]:
            assert (await act(held.id)).state is target
            assert await state(store, held) is target
        else:
            with pytest.raises(MoveRefused) as refused:
                await act(held.id)
            assert refused.value.state is source
            assert await state(store, held) is source
    for act in (store.keep, store.delivered):
        held = await hold(store)
        await force(store, held, source)
        if source is State.UNCERTAIN:
            await act(held.id, CLERK, NOW)
        else:
            with pytest.raises(MoveRefused):
                await act(held.id, CLERK, NOW)


async def test_P2_delete_removes_the_octets_and_keeps_the_tombstone(store):
    held = await hold(store)
    await store.delete(held.id, CLERK, "gửi nhầm", NOW)
    after = await store.entry(held.id)
    assert (after.state, after.has_body, after.note, after.subject) == (State.DELETED, False, "gửi nhầm", held.subject)
    with pytest.raises(StoreError):
        store.open_blob(held.digest)


async def test_blob_of_two_entries_stays_until_both_are_deleted(store):
    mail = message("một thư, hai giao dịch")
    one = entry(mail)
    two = entry(mail, recipients=(*one.recipients, *one.recipients))
    for held in (one, two):
        await store.prepare(mail, held, ())
        await store.settle(settlement(held_record(held)))
    await store.delete(one.id, CLERK, "", NOW)
    assert store.open_blob(one.digest) == mail.raw
    await store.delete(two.id, CLERK, "", NOW)
    assert not store._core.blobs.exists(one.digest)


async def test_R22_expires_only_after_its_time(store):
    held = await hold(store)
    rejected = await hold(store)
    releasing = await hold(store)
    await store.reject(rejected.id, CLERK, "không phải văn bản", NOW)
    await store.release(releasing.id, CLERK, NOW)
    assert await store.expire(held.retain_until - timedelta(microseconds=1)) == []
    assert [e.id for e in await store.expire(held.retain_until)] == [held.id]
    assert await state(store, held) is State.EXPIRED
    assert (await store.entry(rejected.id)).has_body is False
    assert await state(store, rejected) is State.REJECTED
    assert await state(store, releasing) is State.RELEASING
    assert store._core.blobs.exists(releasing.digest)
    assert not store._core.blobs.exists(held.digest)


async def test_F30_clock_that_jumps_does_not_empty_the_quarantine(store):
    held = await hold(store)
    assert await store.expire(NOW) == []
    assert await store.expire(NOW + timedelta(days=400)) == []
    assert await store.expire(NOW) == []
    assert await state(store, held) is State.HELD


async def test_list_filters(store):
    one = await hold(store, held_at=NOW)
    two = await hold(
        store,
        held_at=NOW + timedelta(hours=1),
        unit_id="mn-hoa-sen",
        unit_name="Trường Mầm non Hoa Sen",
        subject="Kế hoạch năm học",
        reason="unproven-official",
    )

    async def ids(**wanted):
        return [e.id for e in await store.list_entries(EntryFilter(**wanted))]

    assert await ids() == [two.id, one.id]
    assert await ids(unit_ids=("mn-hoa-sen",)) == [two.id]
    assert await ids(unit_ids=()) == []  # P-4: a clerk of no unit sees nothing
    assert await ids(words="MAM NON ke hoach") == [two.id]
    assert await ids(words="%") == [two.id, one.id]
    assert await ids(words="bao_cao 12") == [one.id]
    assert await ids(reason="unproven-official") == [two.id]
    assert await ids(author=one.author.upper()) == [two.id, one.id]
    assert await ids(until=NOW + timedelta(minutes=1)) == [one.id]
    assert await ids(limit=1) == [two.id]
    await store.reject(two.id, CLERK, "", NOW)
    assert await ids() == [one.id]
    assert await ids(states=(State.REJECTED,)) == [two.id]


@pytest.mark.parametrize(
    "bad", ["", "../../gateway.db", "a/b", "%2e%2e", "7K2M\0", "x" * 65, "7K2M-0000-NONE", "'; --"]
)
async def test_S37_ids_are_looked_up_and_never_become_paths(store, bad):
    await hold(store)
    with pytest.raises(UnknownEntry):
        await store.entry(bad)
    with pytest.raises(UnknownEntry):
        await store.release(bad, CLERK, NOW)
    with pytest.raises(StoreError):
        store.open_blob(bad)


async def test_P3_audit_log_refuses_change_and_shows_tampering(store):
    held = await hold(store)
    await store.reject(held.id, CLERK, "một", NOW)
    await store.delete((await hold(store)).id, CLERK, "hai", NOW)
    assert await store.verify() == []
    for statement in ("UPDATE audit SET who = 'ai đó'", "DELETE FROM audit"):
        with pytest.raises(StoreError):
            await store._core.write(lambda c, s=statement: c.execute(text(s)))
    assert len(await store.acts()) == 2

    def tamper(connection):
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(update(audit).where(audit.c.number == 1).values(note="khác"))

    await store._core.write(tamper)
    assert await store.verify() == ["audit log: row 1 was changed or removed"]


async def test_O10_verify_names_the_entry_whose_octets_are_damaged(store):
    held = await hold(store)
    assert await store.verify() == []
    store._core.blobs.path(held.digest).write_bytes(b"MGB1 bit rot")
    [problem] = await store.verify()
    assert held.id in problem


async def test_states_of_the_database_are_those_of_the_code(store):
    held = await hold(store)
    with pytest.raises(StoreError):
        await store._core.write(
            lambda c: c.execute(update(entries).where(entries.c.id == held.id).values(state="spam"))
        )
    assert store.healthy() == ""
