"""What a restored store must not do: the backup does not know what happened after it was made (safety AR-12, R-21, R-8).

notice, to be sent          abandoned: it may have left since, and nobody is answered twice
release, to be sent         unknown, its entry uncertain: it never repeats by itself, a person decides
relay, to be sent           stays due: we said 250 for it, and mail may rather come twice than never
transaction without a 250   entry uncertain, rows abandoned, as after a crash
held                        stays held, with a note that it may have been dealt with since
settlement in a spill file  into the register, without its notices
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, select, update

from gateway.ports import OutgoingKind
from gateway.quarantine.entry import State
from gateway.store import codec, keeping, settling
from gateway.store.audit import note_act
from gateway.store.backup.manifest import DATABASE, Manifest
from gateway.store.codec import micros
from gateway.store.engine import writing_engine
from gateway.store.migrate import LOCK, bring_up_to_date
from gateway.store.pause import PREFIX
from gateway.store.schema import OutState, entries, meta, outbox
from gateway.store.spill import Spill

_WAITING: Final = (OutState.DUE.value, OutState.LEASED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """Numbers of rows that were put right."""

    notices_given_up: int
    releases_unknown: int
    relays_due: int
    in_doubt: int
    held: int
    register_lines: int  # from spill files


def put_right(state: Path, told: Manifest, by: str, now: datetime) -> Aftermath:
    """Put the rows of a restored state right, in one transaction. Raises CannotStart, OSError, DBAPIError."""
    database = state / DATABASE
    engine = writing_engine(database)
    try:
        bring_up_to_date(engine, database)
        with engine.begin() as connection:
            connection.execute(delete(meta).where(meta.c.name.startswith(PREFIX)))
            lines = _settle_spilled(connection, state, now)
            aftermath = _rows(connection, told, now, lines)
            note_act(connection, now, by, "restored", "", f"backup of {told.created:%Y-%m-%dT%H:%M:%SZ}")
    finally:
        engine.dispose()
    for path in Spill(state).files():
        path.unlink()
    with contextlib.suppress(FileNotFoundError):
        (state / LOCK).unlink()
    return aftermath


def _rows(connection: Connection, told: Manifest, now: datetime, lines: int) -> Aftermath:
    said = f"restored from the backup of {told.created:%Y-%m-%d %H:%M} UTC; what was done with it since is not known"
    in_doubt = keeping.recover(connection, lambda _: True, now)
    notices = _end(connection, OutgoingKind.NOTICE, OutState.ABANDONED, said)
    releases = _end(connection, OutgoingKind.RELEASE, OutState.UNKNOWN, said)
    for entry_id in connection.scalars(select(entries.c.id).where(entries.c.state == State.RELEASING.value)).all():
        connection.execute(
            update(entries)
            .where(entries.c.id == entry_id)
            .values(state=State.UNCERTAIN.value, note=said, moved_at=micros(now))
        )
        note_act(connection, now, "gateway", State.UNCERTAIN.value, entry_id, said)
    relays = connection.execute(
        update(outbox)
        .where(outbox.c.kind == OutgoingKind.RELAY.value, outbox.c.state.in_(_WAITING))
        .values(state=OutState.DUE.value, lease_until=0)
    ).rowcount
    held = connection.execute(update(entries).where(entries.c.state == State.HELD.value).values(note=said)).rowcount
    return Aftermath(
        notices_given_up=notices,
        releases_unknown=releases,
        relays_due=relays,
        in_doubt=in_doubt,
        held=held,
        register_lines=lines,
    )


def _end(connection: Connection, kind: OutgoingKind, state: OutState, said: str) -> int:
    values: dict[str, object] = {"state": state.value, "lease_until": 0, "reply": said}
    if state is OutState.ABANDONED:
        values["content"] = b""  # not kept longer than it is needed (safety P-2)
    waiting = (outbox.c.kind == kind.value) & outbox.c.state.in_(_WAITING)
    return connection.execute(update(outbox).where(waiting).values(values)).rowcount


def _settle_spilled(connection: Connection, state: Path, now: datetime) -> int:
    spill = Spill(state)
    settled = 0
    for path in spill.files():
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.strip():
                continue
            try:
                settlement = codec.settlement(line.decode())
            except (ValueError, TypeError, KeyError, AttributeError):
                spill.set_aside(line)
                continue
            settling.job(replace(settlement, notices=()), now)(connection)
            settled += 1
    return settled
