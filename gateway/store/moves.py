"""What people and time do to entries: every move by compare-and-set through MOVES, and audited (safety R-21, P-3)."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.ports import Outgoing, OutgoingKind
from gateway.quarantine.entry import MOVES, OPEN, Entry, MoveRefused, State, UnknownEntry, is_id
from gateway.quarantine.release import reinjection
from gateway.store import codec
from gateway.store.audit import SYSTEM, note_act
from gateway.store.codec import clean, micros, moment
from gateway.store.queries import insert_new
from gateway.store.rows import outgoing_row
from gateway.store.schema import OutState, aliases, entries, meta, notices, outbox, suppressions, unheard
from gateway.store.window import KEPT_FOR

_CLOCK: Final = "expiry clock"
_STEP: Final = timedelta(hours=2)
_ON_ITS_WAY: Final = (State.PENDING.value, State.RELEASING.value)  # their time is over when that has ended
EXPIRED_NOTE: Final = "kept to the end of its time"


def find(connection: Connection, entry_id: str) -> Entry:
    """The entry of this id, or the one that it was merged with. Raises UnknownEntry."""
    row = None
    if is_id(entry_id):
        row = connection.execute(select(entries).where(entries.c.id == entry_id)).first()
        if row is None:
            merged = select(aliases.c.entry_id).where(aliases.c.alias == entry_id).scalar_subquery()
            row = connection.execute(select(entries).where(entries.c.id == merged)).first()
    if row is None:
        raise UnknownEntry(entry_id)
    return entry_of(row)


def entry_of(row: Row[Any]) -> Entry:
    """The entry that a row of the table holds."""
    return codec.entry(row.plain, row.state, row.note, row.has_body)


def move(
    connection: Connection,
    entry_id: str,
    target: State,
    who: str,
    note: str,
    now: datetime,
    *,
    only_from: State | None = None,
) -> Entry:
    """Move an entry; of two who try at once, one wins. Raises UnknownEntry, MoveRefused."""
    entry = find(connection, entry_id)
    if only_from not in (None, entry.state):
        raise MoveRefused(entry.id, entry.state, target)
    keeps_body = entry.has_body and target not in (State.DELETED, State.EXPIRED)
    if target not in MOVES[entry.state] or (target in OPEN and not entry.has_body):
        raise MoveRefused(entry.id, entry.state, target)
    moved = connection.execute(
        update(entries)
        .where(entries.c.id == entry.id, entries.c.state == entry.state.value)
        .values(state=target.value, note=clean(note), moved_at=micros(now), has_body=int(keeps_body))
    )
    if not moved.rowcount:
        raise MoveRefused(entry.id, entry.state, target)
    note_act(connection, now, who, target.value, entry.id, note)
    return replace(entry, state=target, note=note, has_body=keeps_body)


def release(connection: Connection, entry_id: str, who: str, now: datetime) -> Entry:
    """Start a release: the move and the outbox row that will deliver it, in one commit."""
    again = reinjection(find(connection, entry_id))
    entry = move(connection, entry_id, State.RELEASING, who, "", now)
    outgoing = Outgoing(
        id=secrets.token_hex(16),
        kind=OutgoingKind.RELEASE,
        cause=entry.id,
        route=again.route,
        reverse_path=again.reverse_path,
        parameters=again.parameters,
        recipients=again.recipients,
        digest=again.digest,
        drop=again.drop,
    )
    connection.execute(insert(outbox), outgoing_row(outgoing, OutState.DUE, now))
    return entry


def expire(connection: Connection, now: datetime, elapsed: timedelta, limit: int) -> tuple[list[Entry], list[str]]:
    """End the time of entries, and delete the octets of those that ended otherwise.

    Returns the entries that became expired, and the digests whose blobs may not be needed any more.
    """
    proven = _proven_time(connection, now, elapsed)
    over = (
        select(entries)
        .where(entries.c.has_body == 1, entries.c.retain_until <= micros(proven), entries.c.state.not_in(_ON_ITS_WAY))
        .order_by(entries.c.retain_until)
        .limit(limit)
    )
    expired, digests = [], []
    for row in connection.execute(over).all():
        if State.EXPIRED in MOVES[State(row.state)]:
            expired.append(move(connection, row.id, State.EXPIRED, SYSTEM, EXPIRED_NOTE, now))
        else:
            connection.execute(update(entries).where(entries.c.id == row.id).values(has_body=0))
            note_act(connection, now, SYSTEM, "octets deleted", row.id, EXPIRED_NOTE)
        digests.append(row.digest)
    return expired, digests


def prune(connection: Connection, now: datetime) -> None:
    """Forget outcomes, windows and suppressions whose time is over."""
    connection.execute(delete(unheard).where(unheard.c.until <= micros(now)))
    connection.execute(delete(suppressions).where(suppressions.c.until < micros(now)))
    oldest = micros(now - KEPT_FOR)
    connection.execute(delete(notices).where(notices.c.not_again_before < oldest, notices.c.at < oldest))


def _proven_time(connection: Connection, now: datetime, elapsed: timedelta) -> datetime:
    """The time up to which entries may expire.

    It follows the clock, but no faster than twice the time that has passed by the monotonic clock since the last call,
    and two hours: a clock that jumps by a year must not empty the quarantine (safety F-30).
    """
    value = connection.scalar(select(meta.c.value).where(meta.c.name == _CLOCK))
    proven = now if value is None else min(now, moment(int(value)) + 2 * elapsed + _STEP)
    if value is None or micros(proven) > int(value):
        row = {"name": _CLOCK, "value": str(micros(proven))}
        statement = insert_new(connection.dialect.name, meta).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": row["value"]}))
    return proven
