"""prepare, settle, withdraw, doubt, the ledger, recovery and the spill file (safety R-1 ... R-12)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.envelope.reply import Reply
from gateway.ports import OutgoingKind, StoreError
from gateway.quarantine.entry import EntryFilter, State, UnknownEntry
from gateway.register.search import RecordFilter
from tests.support.store_samples import (
    NOW,
    entry,
    held_record,
    message,
    new_id,
    notice,
    outgoing,
    record,
    settlement,
)

LEASE = timedelta(minutes=15)


async def hold(store, mail, **changes):
    held = entry(mail, **changes)
    await store.prepare(mail, held, ())
    assert await store.settle(settlement(held_record(held))) == "done"
    return held


async def leased(store, now=NOW, limit=10):
    return await store.lease(limit, now, now + LEASE)


async def crash(store):
    """The process is gone: its lock with it, its rows not."""
    await store.close()


async def test_R8_prepare_is_pending_until_settled(store):
    mail = message()
    held = entry(mail)
    await store.prepare(mail, held, ())
    assert (await store.entry(held.id)).state is State.PENDING
    await store.settle(settlement(held_record(held)))
    kept = await store.entry(held.id)
    assert kept.state is State.HELD
    assert kept.recipients == held.recipients
    assert kept.client == held.client
    assert kept.evidence == held.evidence
    assert kept.held_at == held.held_at
    assert store.open_blob(kept.digest) == mail.raw


async def test_R2_withdraw_leaves_nothing(store):
    mail = message()
    held = entry(mail)
    later = outgoing(OutgoingKind.RELAY, held.id, digest=held.digest, content=b"")
    await store.prepare(mail, held, [later])
    await store.withdraw(held.id)
    with pytest.raises(UnknownEntry):
        await store.entry(held.id)
    assert await leased(store) == []
    await asyncio.gather(*store._core._dropping)
    assert not store._core.blobs.exists(held.digest)


async def test_waiting_rows_are_due_only_after_settle(store):
    mail = message()
    cause = new_id()
    later = outgoing(
        OutgoingKind.RELAY, cause, digest=entry(mail).digest, content=b"X-Sending-Unit: a\r\n", drop=((0, 9),)
    )
    await store.prepare(mail, None, [later])
    assert await leased(store) == []
    await store.settle(settlement(record(cause)))
    [row] = await leased(store)
    assert row.outgoing == later
    assert (row.attempts, row.first_due) == (0, NOW)
    assert store.open_blob(row.outgoing.digest) == mail.raw


async def test_F10_doubt_makes_uncertain_and_gives_up_what_waits(store):
    mail = message()
    held = entry(mail)
    await store.prepare(mail, held, [outgoing(OutgoingKind.RELAY, held.id)])
    await store.doubt(held.id)
    assert (await store.entry(held.id)).state is State.UNCERTAIN
    assert await leased(store) == []
    assert (await store.counts())["outbox abandoned"] == 1


async def test_R8_retry_takes_over_an_uncertain_entry(store):
    mail = message()
    first, second = entry(mail), entry(mail)
    await store.prepare(mail, first, ())
    await store.doubt(first.id)
    await store.prepare(mail, second, ())
    await store.settle(settlement(held_record(second)))
    assert [e.id for e in await store.list_entries(EntryFilter(states=()))] == [second.id]
    assert (await store.entry(first.id)).id == second.id  # a clerk's old link still finds it
    assert (await store.entry(first.id)).state is State.HELD


async def test_R2_refused_retry_withdraws_the_entry_it_took_over(store):
    mail = message()
    first, second = entry(mail), entry(mail)
    await store.prepare(mail, first, ())
    await store.doubt(first.id)
    await store.prepare(mail, second, ())
    await store.withdraw(second.id)
    assert await store.list_entries(EntryFilter(states=())) == []
    assert [act.what for act in await store.acts(first.id)] == ["withdrawn", "merged", "uncertain"]


async def test_R8_crash_leaves_uncertain_which_the_retry_joins(open_store):
    dying, living = open_store(), open_store()
    mail = message()
    first = entry(mail)
    await dying.prepare(mail, first, [outgoing(OutgoingKind.RELAY, first.id)])
    assert await living.recover(NOW) == 0  # the other process lives: its transaction is under way
    assert (await living.entry(first.id)).state is State.PENDING
    await crash(dying)
    assert await living.recover(NOW) == 1
    assert (await living.entry(first.id)).state is State.UNCERTAIN
    assert (await living.counts())["outbox abandoned"] == 1
    second = await hold(living, mail)
    assert [e.id for e in await living.list_entries(EntryFilter(states=()))] == [second.id]


async def test_R8_retry_joins_even_before_recovery(open_store):
    dying, living = open_store(), open_store()
    mail = message()
    await dying.prepare(mail, entry(mail), ())
    await crash(dying)
    second = await hold(living, mail)
    assert [e.id for e in await living.list_entries(EntryFilter(states=()))] == [second.id]


async def test_pending_of_a_living_process_is_not_taken_over(open_store):
    one, two = open_store(), open_store()
    mail = message()
    first, second = entry(mail), entry(mail)
    await one.prepare(mail, first, ())
    await two.prepare(mail, second, ())
    await two.withdraw(second.id)
    await one.settle(settlement(held_record(first)))
    assert (await one.entry(first.id)).state is State.HELD


async def test_AR1_retry_after_a_lost_250_keeps_the_entry_and_answers_once(store):
    mail = message()
    first = entry(mail)
    await store.prepare(mail, first, ())
    await store.settle(settlement(held_record(first), notice(first.id)))
    again = entry(mail, held_at=NOW + timedelta(hours=47))
    await store.prepare(mail, again, ())
    await store.settle(settlement(held_record(again), notice(again.id, unit_id="another", directive="another")))
    assert [e.id for e in await store.list_entries(EntryFilter())] == [first.id]
    assert (await store.entry(again.id)).id == first.id
    assert len(await leased(store)) == 1
    assert (await store.show(again.id)).notice == "suppressed: duplicate"


async def test_same_message_after_48_hours_is_a_new_entry(store):
    mail = message()
    await hold(store, mail)
    await hold(store, mail, held_at=NOW + timedelta(hours=49))
    assert len(await store.list_entries(EntryFilter())) == 2


async def test_other_recipients_are_another_entry(store):
    mail = message()
    first = await hold(store, mail)
    await hold(store, mail, recipients=(*first.recipients, outgoing().recipients[0]))
    assert len(await store.list_entries(EntryFilter())) == 2


async def test_stalled_transaction_is_found_and_may_still_settle(store):
    mail = message()
    held = entry(mail)
    await store.prepare(mail, held, ())
    assert await store.recover(NOW + timedelta(minutes=59)) == 0
    assert await store.recover(NOW + timedelta(minutes=61)) == 1
    await store.settle(settlement(held_record(held)))
    assert (await store.entry(held.id)).state is State.HELD


async def test_R7_settling_twice_is_settling_once(store):
    one = record()
    with_notice = settlement(one, notice(one.id))
    await store.settle(with_notice)
    await store.settle(with_notice)
    await store.settle(settlement(one))
    assert len(await store.search(RecordFilter())) == 1
    assert len(await leased(store)) == 1


async def test_record_comes_back_as_it_was(store):
    one = record(author_name="Nguyễn \ud800 Thị\0 Đào", facts={"sâu": [1, None, {"a": "\udfff"}]})
    await store.settle(settlement(one))
    [back] = await store.search(RecordFilter())
    assert back.author_name.startswith("Nguyễn ? Thị")
    assert back.facts["sâu"][1] is None
    plain = record()
    await store.settle(settlement(plain))
    assert await store.show(plain.id) == plain


async def test_entry_digest_must_be_that_of_the_octets(store):
    mail = message()
    with pytest.raises(StoreError):
        await store.prepare(mail, entry(mail, digest="0" * 64), ())


async def test_R12_unheard_outcome_is_found_until_its_time_is_over(open_store, clock):
    one, two = open_store(), open_store()
    key, reply = b"\x01" * 32, Reply(250, "2.0.0", "Đã nhận [7K2M]")
    assert one.unheard(key) is None
    await one.remember_unheard(key, reply, NOW + timedelta(hours=48))
    await one.remember_unheard(key, reply, NOW + timedelta(hours=48))
    assert two.unheard(key) == reply
    clock.advance(hours=48)
    assert two.unheard(key) is None
    await two.sweep(clock())
    clock.now = NOW
    assert two.unheard(key) is None


@pytest.mark.parametrize("notices", [(), (notice("cause"),)], ids=["alone", "with-a-notice"])
async def test_R23_settled_message_is_known_again_until_its_time_is_over(open_store, clock, notices):
    one, two = open_store(), open_store()
    of, key = record(), b"\x02" * 32
    assert one.done_as(key) == ""
    await one.settle(replace(settlement(of, *notices), key=key, key_until=NOW + timedelta(hours=48)))
    assert two.done_as(key) == of.id
    clock.advance(hours=48)
    assert two.done_as(key) == ""
    later = record()
    await one.settle(replace(settlement(later), key=key, key_until=clock() + timedelta(hours=48)))
    assert two.done_as(key) == later.id, "it came again after all was forgotten"


async def test_R23_of_settlements_of_one_message_at_the_same_moment_only_one_is_written(open_store, clock):
    """In one process, and in two; what waits with them in the same commit is not hurt."""
    one, two = open_store(), open_store()
    key, until = b"\x04" * 32, NOW + timedelta(hours=48)
    twins, other = [record(), record(), record()], record()
    settled = await asyncio.gather(
        one.settle(replace(settlement(twins[0]), key=key, key_until=until)),
        one.settle(settlement(other)),
        one.settle(replace(settlement(twins[1]), key=key, key_until=until)),
        two.settle(replace(settlement(twins[2]), key=key, key_until=until)),
    )
    assert settled[1] == "done"
    assert sorted(settled) == ["done", "done", "known", "known"]
    [winner] = [of.id for of in twins if of.id == one.done_as(key)]
    assert {shown.id for shown in await one.search(RecordFilter())} == {winner, other.id}
    assert await two.settle(replace(settlement(record()), key=key, key_until=until)) == "known"
    assert not one._core.health.reason, "the store is well"


async def test_R23_spilled_settlement_is_known_again_when_it_is_back(open_store):
    failing = open_store()
    of, key = record(), b"\x03" * 32
    failing._core.health.reason = "the disk is gone"
    spilled = replace(settlement(of), key=key, key_until=NOW + timedelta(hours=48))
    assert await failing.settle(spilled) == "spilled"
    await failing.close()
    again = open_store()
    await again.recover(NOW)
    assert again.done_as(key) == of.id


async def test_spilled_settlements_come_back_once(open_store):
    failing, mail = open_store(), message()
    held = entry(mail)
    await failing.prepare(mail, held, ())
    failing._core.health.reason = "the disk is gone"
    one = settlement(held_record(held), notice(held.id))
    assert await failing.settle(one) == "spilled"
    assert await failing.settle(one) == "spilled"
    await crash(failing)
    store = open_store()
    assert await store.recover(NOW) == 0  # what the spill file settles is not in doubt
    assert (await store.entry(held.id)).state is State.HELD
    assert (await store.show(held.id)).notice == "due directive-1077"
    assert len(await leased(store)) == 1
    assert await store.import_spill() == 0


async def test_spill_line_cut_by_a_crash_is_set_aside(open_store, tmp_path):
    store = open_store()
    whole = record()
    store._core.health.reason = "the disk is gone"
    await store.settle(settlement(whole))
    store._core.health.reason = ""
    [path] = tmp_path.glob("spill-*.jsonl")
    path.write_bytes(b'{"record": {"id": "7K2M' + b"\n" + path.read_bytes() + b'{"record"')
    assert await store.import_spill() == 1
    assert (await store.show(whole.id)) == whole
    assert (tmp_path / "spill-unreadable.jsonl").read_bytes().count(b'{"record"') == 2
    assert await store.import_spill() == 0


async def test_one_failing_job_fails_alone(store):
    """Group commit: a settlement that the database refuses takes no other with it."""
    good = [settlement(record()) for _ in range(20)]
    bad = settlement(record(level=None))  # NOT NULL
    outcomes = await asyncio.gather(*map(store.settle, [*good[:10], bad, *good[10:]]))
    assert outcomes == ["done"] * 10 + ["spilled"] + ["done"] * 10
    assert len(await store.search(RecordFilter())) == 20
    assert store.healthy() == ""


async def test_cancelled_caller_does_not_cancel_the_write(store):
    """R-9: what was begun is recorded even if nobody is left to hear it."""
    one = record()
    task = asyncio.create_task(store.settle(settlement(one)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.probe()
    assert await store.show(one.id) == one


async def test_spilled_line_after_one_cut_by_a_crash_is_whole(open_store, tmp_path):
    store = open_store()
    (tmp_path / f"spill-{os.getpid()}.jsonl").write_bytes(b'{"record": {"id": "7K2M')
    one = record()
    store._core.health.reason = "the disk is gone"
    await store.settle(settlement(one))
    store._core.health.reason = ""
    assert await store.import_spill() == 1
    assert await store.show(one.id) == one


async def test_F37_writer_outlives_what_nobody_expected(open_store):
    faults = [SystemExit("nobody expected this")]

    def once(point):
        if point == "before commit" and faults:
            raise faults.pop()

    store = open_store(mark=once)
    lost, kept = record(), record()
    assert await store.settle(settlement(lost)) == "spilled"
    assert await store.settle(settlement(kept)) == "done"
    assert [r.id for r in await store.search(RecordFilter())] == [kept.id]
    assert await store.import_spill() == 1
