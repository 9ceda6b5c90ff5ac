"""What prepare, withdraw, doubt and recover do to the rows, each inside one job of the writer (safety R-8)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from gateway.quarantine.entry import SAME_WITHIN, State
from gateway.store.audit import SYSTEM, note_act
from gateway.store.codec import micros
from gateway.store.schema import OutState, aliases, entries, outbox

NO_250: Final = "the transaction did not end in 250: the client keeps the message and comes again"
CRASHED: Final = "the gateway stopped before it could answer the client"
NO_ANSWER: Final = "the receiving server's answer is not known"
STALLED: Final = 3600 * 1_000_000  # microseconds after which a transaction cannot be under way any more (R-10: 620 s)

# Built once: SQLAlchemy takes longer to build a statement than SQLite to execute it.
_INSERT_ENTRY: Final = insert(entries)
_MERGED_WITH: Final = (State.HELD.value, State.UNCERTAIN.value, State.PENDING.value)  # rather than the next
_SAME_MESSAGE: Final = (
    select(entries.c.id, entries.c.state, entries.c.owner, entries.c.held_at)
    .where(entries.c.merge_key == bindparam("same"), or_(*(entries.c.state == state for state in _MERGED_WITH)))
    .order_by(entries.c.held_at.desc())
)


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of one prepare()."""

    entry: dict[str, Any] | None
    outgoing: Sequence[dict[str, Any]]


def keep(connection: Connection, kept: Kept, is_dead: Callable[[str], bool], now: datetime) -> None:
    """Insert the pending entry and the waiting rows, or join the entry with an earlier one of the same message."""
    if kept.entry is not None:
        _keep_entry(connection, kept.entry, is_dead, now)
    if kept.outgoing:
        connection.execute(insert(outbox), list(kept.outgoing))


def _keep_entry(connection: Connection, row: dict[str, Any], is_dead: Callable[[str], bool], now: datetime) -> None:
    earlier = _same_message(connection, row["merge_key"], is_dead)
    if earlier is None:
        connection.execute(_INSERT_ENTRY, row)
    elif earlier.state == State.HELD:
        if abs(row["held_at"] - earlier.held_at) > SAME_WITHIN.total_seconds() * 1_000_000:
            connection.execute(_INSERT_ENTRY, row)
        else:  # the client never heard our 250: it is the same mail, which is held already
            connection.execute(insert(aliases), {"alias": row["id"], "entry_id": earlier.id})
    else:
        connection.execute(update(entries).where(entries.c.id == earlier.id).values(row))
        connection.execute(insert(aliases), {"alias": earlier.id, "entry_id": row["id"]})
        note_act(connection, now, SYSTEM, "merged", earlier.id, f"with the client's retry {row['id']}")


def _same_message(
    connection: Connection, merge_key: str, is_dead: Callable[[str], bool]
) -> Row[str, str, str, int] | None:
    """The earlier entry of the same message: held rather than in doubt. One that is pending elsewhere is not ours."""
    found = connection.execute(_SAME_MESSAGE, {"same": merge_key}).all()
    usable = [row for row in found if row.state != State.PENDING or is_dead(row.owner)]
    return min(usable, key=lambda row: _MERGED_WITH.index(row.state), default=None)


def withdraw(connection: Connection, transaction_id: str, now: datetime) -> list[str]:
    """Delete what is pending and waiting; returns the digests whose blobs may not be needed any more."""
    pending = (entries.c.id == transaction_id) & (entries.c.state == State.PENDING.value)
    waiting = (outbox.c.cause == transaction_id) & (outbox.c.state == OutState.WAITING.value)
    digests = set(connection.scalars(select(entries.c.digest).where(pending)))
    digests.update(connection.scalars(select(outbox.c.digest).where(waiting, outbox.c.digest != "")))
    merged = connection.scalars(select(aliases.c.alias).where(aliases.c.entry_id == transaction_id)).all()
    if connection.execute(delete(entries).where(pending)).rowcount:
        for alias in merged:  # people may have seen the uncertain entry that this retry had taken over
            note_act(connection, now, SYSTEM, "withdrawn", alias, f"its retry {transaction_id} was refused")
    connection.execute(delete(outbox).where(waiting))
    connection.execute(delete(aliases).where(aliases.c.alias == transaction_id))
    return sorted(digests)


def doubt(connection: Connection, transaction_id: str, now: datetime) -> None:
    """Pending becomes uncertain. What waits is given up: the client is told 451 and brings it again."""
    _doubt_entries(connection, [transaction_id], NO_ANSWER, now)
    connection.execute(
        update(outbox)
        .where(outbox.c.cause == transaction_id, outbox.c.state == OutState.WAITING.value)
        .values(state=OutState.ABANDONED.value, reply=NO_250, content=b"")
    )


def recover(connection: Connection, is_dead: Callable[[str], bool], now: datetime) -> int:
    """Find what crashed processes left, and what has stalled; returns the number of entries in doubt."""
    pending = connection.execute(
        select(entries.c.id, entries.c.owner, entries.c.moved_at).where(entries.c.state == State.PENDING.value)
    ).all()
    latest = micros(now) - STALLED
    lost = [row.id for row in pending if is_dead(row.owner) or row.moved_at < latest]
    _doubt_entries(connection, lost, CRASHED, now)
    owners = connection.scalars(select(outbox.c.owner).where(outbox.c.state == OutState.WAITING.value).distinct()).all()
    connection.execute(
        update(outbox)
        .where(outbox.c.state == OutState.WAITING.value, outbox.c.owner.in_([o for o in owners if is_dead(o)]))
        .values(state=OutState.ABANDONED.value, reply=NO_250, content=b"")
    )
    return len(lost)


def _doubt_entries(connection: Connection, ids: Collection[str], note: str, now: datetime) -> None:
    for entry_id in ids:
        moved = connection.execute(
            update(entries)
            .where(entries.c.id == entry_id, entries.c.state == State.PENDING.value)
            .values(state=State.UNCERTAIN.value, note=note, moved_at=micros(now))
        )
        if moved.rowcount:
            note_act(connection, now, SYSTEM, State.UNCERTAIN.value, entry_id, note)
