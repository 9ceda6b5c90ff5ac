"""What waits in the store, and since when: for the gauges, by indexes alone, so that it may be asked often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.quarantine.entry import OPEN, State
from gateway.store.codec import micros
from gateway.store.queries import BODY_STATES
from gateway.store.schema import entries, outbox

SOON: Final = timedelta(days=3)  # before the end of an entry's time


@dataclass(frozen=True, slots=True)
class Heap:
    """So many rows of one kind."""

    number: int
    oldest: float  # age in seconds


@dataclass(frozen=True, slots=True)
class Backlog:
    """Only what there is: a state without rows has no heap."""

    held: Mapping[str, Heap]  # by state
    expiring: int  # entries that nobody has decided and whose time ends SOON
    outgoing: Mapping[tuple[str, str], Heap]  # by kind and state


def backlog(connection: Connection, now: datetime) -> Backlog:
    """All rows that still wait for something or somebody; `now` is aware."""
    at = micros(now)

    def heap(number: int, since: int) -> Heap:
        return Heap(number, max(0.0, (at - since) / 1_000_000))

    held = (
        select(entries.c.state, func.count(), func.min(entries.c.held_at))
        .where(entries.c.state.in_([state.value for state in OPEN]))
        .group_by(entries.c.state)
    )
    expiring = (
        select(func.count())
        .select_from(entries)
        .where(
            entries.c.has_body == 1,
            entries.c.retain_until <= micros(now + SOON),
            entries.c.state.in_([State.HELD.value, State.UNCERTAIN.value]),
        )
    )
    outgoing = (
        select(outbox.c.kind, outbox.c.state, func.count(), func.min(outbox.c.first_due))
        .where(outbox.c.state.in_(BODY_STATES))
        .group_by(outbox.c.kind, outbox.c.state)
    )
    return Backlog(
        {state: heap(number, since) for state, number, since in connection.execute(held)},
        connection.scalar(expiring) or 0,
        {(kind, state): heap(number, since) for kind, state, number, since in connection.execute(outgoing)},
    )
