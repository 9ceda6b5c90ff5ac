"""Reading: the list of entries, the register, the counts. Each function is one snapshot of a reader."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from gateway.envelope.folding import fold
from gateway.identity.identity import Provider
from gateway.quarantine.entry import Entry, EntryFilter
from gateway.register.record import Record
from gateway.register.search import RecordFilter, UnitTally, needles
from gateway.store import codec
from gateway.store.codec import clean, micros, moment
from gateway.store.moves import entry_of
from gateway.store.schema import entries, outbox, records


def list_entries(connection: Connection, wanted: EntryFilter) -> list[Entry]:
    """Entries that fit, newest first."""
    query = select(entries).order_by(entries.c.held_at.desc(), entries.c.id).limit(wanted.limit)
    if wanted.states:
        query = query.where(entries.c.state.in_([state.value for state in wanted.states]))
    if wanted.unit_ids is not None:
        query = query.where(entries.c.unit_id.in_([clean(unit) for unit in wanted.unit_ids]))
    query = _equal(query, entries.c.reason, wanted.reason)
    query = _equal(query, entries.c.rule, wanted.rule)
    query = _equal(query, entries.c.author, wanted.author.lower())
    query = _between(query, entries.c.held_at, wanted.since, wanted.until)
    query = _words(query, entries.c.folded, wanted.words)
    return [entry_of(row) for row in connection.execute(query)]


def search(connection: Connection, wanted: RecordFilter) -> list[Record]:
    """Records that fit, newest first."""
    query = (
        select(records.c.plain, records.c.notice)
        .order_by(records.c.received_at.desc(), records.c.id)
        .limit(wanted.limit)
    )
    query = _equal(query, records.c.unit_id, wanted.unit_id)
    query = _equal(query, records.c.level, wanted.level)
    query = _equal(query, records.c.provider, wanted.provider)
    query = _equal(query, records.c.document_kind, wanted.document_kind)
    query = _equal(query, records.c.author, wanted.author.lower())
    query = _between(query, records.c.received_at, wanted.since, wanted.until)
    query = _words(query, records.c.folded, wanted.words)
    if wanted.administrative is not None:
        query = query.where(records.c.administrative == int(wanted.administrative))
    if wanted.document_number:  # the space before it is the beginning of a word: 12/BC is not 112/BC
        query = query.where(records.c.document_numbers.contains(f" {fold(wanted.document_number)}", autoescape=True))
    return [codec.record(row.plain, row.notice) for row in connection.execute(query)]


def record(connection: Connection, record_id: str) -> Record | None:
    """The record of one transaction."""
    row = connection.execute(select(records.c.plain, records.c.notice).where(records.c.id == record_id)).first()
    return codec.record(row.plain, row.notice) if row else None


def tallies(
    connection: Connection, since: datetime, until: datetime, administrative: bool | None
) -> dict[str, UnitTally]:
    """What each unit that has sent has sent, by unit id."""

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    query = select(
        records.c.unit_id,
        number(records.c.provider == Provider.OFFICIAL.value).label("official"),
        number(records.c.provider == Provider.FREE.value).label("free"),
        number(records.c.held == 1).label("held"),
        func.count().label("total"),
        func.max(records.c.received_at).label("last"),
    ).group_by(records.c.unit_id)
    query = _between(query, records.c.received_at, since, until)
    if administrative is not None:
        query = query.where(records.c.administrative == int(administrative))
    return {
        row.unit_id: UnitTally(
            unit_id=row.unit_id,
            official=row.official,
            free=row.free,
            held=row.held,
            total=row.total,
            last=moment(row.last),
        )
        for row in connection.execute(query)
    }


def counts(connection: Connection) -> dict[str, int]:
    """Rows by state, for gauges: "entries held", "outbox due" ..."""
    counted = {}
    for table in (entries, outbox):
        for state, number in connection.execute(select(table.c.state, func.count()).group_by(table.c.state)):
            counted[f"{table.name} {state}"] = number
    return counted


def needed_blobs(connection: Connection) -> list[tuple[str, str]]:
    """(entry id, digest) of every entry whose octets are kept."""
    rows = connection.execute(select(entries.c.id, entries.c.digest).where(entries.c.has_body == 1))
    return [(row.id, row.digest) for row in rows]


def _equal(query: Select[*tuple[Any, ...]], column: ColumnElement[str], value: str) -> Select[*tuple[Any, ...]]:
    return query.where(column == clean(value)) if value else query


def _between(
    query: Select[*tuple[Any, ...]], column: ColumnElement[int], since: datetime | None, until: datetime | None
) -> Select[*tuple[Any, ...]]:
    if since is not None:
        query = query.where(column >= micros(since))
    return query.where(column < micros(until)) if until is not None else query


def _words(query: Select[*tuple[Any, ...]], column: ColumnElement[str], words: str) -> Select[*tuple[Any, ...]]:
    for word in needles(words):
        query = query.where(column.contains(word, autoescape=True))
    return query
