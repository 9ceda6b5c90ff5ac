"""The outbox: rows are leased, sent by someone else, and settled, each by compare-and-set (docs/states.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from gateway.ports import Leased, OutgoingKind
from gateway.quarantine.entry import State
from gateway.store import window
from gateway.store.audit import SYSTEM, note_act
from gateway.store.codec import clean, micros, moment, outgoing
from gateway.store.owner import Owner
from gateway.store.schema import OutState, entries, outbox
from gateway.store.undelivered import hold_undelivered

LEASE_ENDED: Final = "the sender stopped with this message in hand; whether it was delivered is not known"

# From which states each state may be reached by settle_outgoing(). A lease that has ended may still be answered for.
MOVES: Final[dict[OutState, frozenset[OutState]]] = {
    OutState.SENT: frozenset({OutState.LEASED, OutState.DUE, OutState.UNKNOWN, OutState.ABANDONED}),
    OutState.FAILED: frozenset({OutState.LEASED, OutState.UNKNOWN}),
    OutState.ABANDONED: frozenset({OutState.LEASED, OutState.UNKNOWN}),
    OutState.UNKNOWN: frozenset({OutState.LEASED}),
    OutState.DUE: frozenset({OutState.LEASED}),
}

# What a lease that ran out becomes, by kind: at most once, exactly once, at least once.
ENDED: Final = {
    OutgoingKind.NOTICE: OutState.ABANDONED,
    OutgoingKind.RELEASE: OutState.UNKNOWN,
    OutgoingKind.RELAY: OutState.DUE,
}

# What the outcome of a RELEASE makes of its entry.
_ENTRY_AFTER: Final = {
    OutState.SENT: State.RELEASED,
    OutState.FAILED: State.HELD,
    OutState.ABANDONED: State.HELD,
    OutState.UNKNOWN: State.UNCERTAIN,
}
_FINAL: Final = (OutState.SENT, OutState.FAILED, OutState.ABANDONED)


def lease(connection: Connection, limit: int, now: datetime, lease_until: datetime, owner: Owner) -> list[Leased]:
    """End leases that ran out or whose sender has died, then take what is due, oldest first."""
    _end_leases(connection, now, owner)
    query = (
        select(outbox)
        .where(outbox.c.state == OutState.DUE.value, outbox.c.next_attempt <= micros(now))
        .order_by(outbox.c.next_attempt, outbox.c.id)
        .limit(limit)
    )
    if connection.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    taken = []
    for row in connection.execute(query).all():
        moved = connection.execute(
            update(outbox)
            .where(outbox.c.id == row.id, outbox.c.state == OutState.DUE.value)
            .values(
                state=OutState.LEASED.value,
                lease_until=micros(lease_until),
                attempts=row.attempts + 1,
                owner=owner.name,
            )
        )
        if moved.rowcount:
            taken.append(Leased(outgoing(row.plain, row.content), row.attempts, moment(row.first_due)))
    return taken


def settle(
    connection: Connection, outgoing_id: str, state: OutState, reply: str, next_attempt: datetime | None, now: datetime
) -> str:
    """Write how an attempt ended; returns the digest of a blob that may not be needed any more, or "".

    A row that has gone another way meanwhile (a lease that ended) is left as it is.
    """
    row = connection.execute(select(outbox).where(outbox.c.id == outgoing_id)).first()
    if row is None or OutState(row.state) not in MOVES[state]:
        return ""
    values: dict[str, object] = {"state": state.value, "reply": clean(reply), "lease_until": 0}
    if next_attempt is not None:
        values["next_attempt"] = micros(next_attempt)
    if state in _FINAL:
        values["content"] = b""  # a notice is not kept longer than it is needed (safety P-2)
    connection.execute(update(outbox).where(outbox.c.id == outgoing_id, outbox.c.state == row.state).values(values))
    if row.kind == OutgoingKind.RELEASE and state in _ENTRY_AFTER:
        _move_entry(connection, row.cause, _ENTRY_AFTER[state], reply, now)
    if row.kind == OutgoingKind.RELAY and state is OutState.FAILED:
        hold_undelivered(connection, outgoing(row.plain, row.content), reply, now)
    if row.kind == OutgoingKind.NOTICE and state is OutState.FAILED and row.target:
        window.suppress(connection, row.target, reply, now)
    return str(row.digest) if state in _FINAL else ""


def _end_leases(connection: Connection, now: datetime, owner: Owner) -> None:
    columns = (outbox.c.id, outbox.c.kind, outbox.c.cause, outbox.c.owner, outbox.c.lease_until)
    leased = connection.execute(select(*columns).where(outbox.c.state == OutState.LEASED.value)).all()
    for row in leased:
        if row.lease_until > micros(now) and not owner.is_dead(row.owner):
            continue
        state = ENDED[OutgoingKind(row.kind)]
        values: dict[str, object] = {"state": state.value, "lease_until": 0, "reply": LEASE_ENDED}
        if state in _FINAL:
            values["content"] = b""
        connection.execute(
            update(outbox).where(outbox.c.id == row.id, outbox.c.state == OutState.LEASED.value).values(values)
        )
        if row.kind == OutgoingKind.RELEASE:
            _move_entry(connection, row.cause, State.UNCERTAIN, LEASE_ENDED, now)


def _move_entry(connection: Connection, entry_id: str, target: State, reply: str, now: datetime) -> None:
    """Move the entry that was being released; from uncertain only forward to released, for the rest is a person's."""
    sources = [State.RELEASING.value] + ([State.UNCERTAIN.value] if target is State.RELEASED else [])
    moved = connection.execute(
        update(entries)
        .where(entries.c.id == entry_id, entries.c.state.in_(sources))
        .values(state=target.value, note=clean(reply), moved_at=micros(now))
    )
    if moved.rowcount:
        note_act(connection, now, SYSTEM, target.value, entry_id, reply)
