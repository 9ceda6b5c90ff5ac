"""The audit log: append-only, each row carrying the hash of the one before, so that no row is changed unseen (P-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from gateway.store.codec import clean, dumps, micros, moment
from gateway.store.schema import audit

SYSTEM: Final = "gateway"  # who acts when no person does
_START: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One row: who did what to which entry."""

    number: int
    at: datetime
    who: str
    what: str  # the state moved to, or "merged", "withdrawn", "deleted body"
    entry_id: str
    note: str
    hash: str


def note_act(connection: Connection, now: datetime, who: str, what: str, entry_id: str, note: str = "") -> None:
    """Append a row, in the transaction of the act itself."""
    last = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
    number, before = (last.number + 1, last.hash) if last else (1, _START)
    row = {"at": micros(now), "who": clean(who), "what": what, "entry_id": entry_id, "note": clean(note)}
    connection.execute(insert(audit), {"number": number, **row, "hash": _hash(before, number, row)})


def acts_on(connection: Connection, entry_id: str = "", limit: int = 1000) -> list[Act]:
    """The rows of one entry, or of all; newest first."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if entry_id:
        query = query.where(audit.c.entry_id == entry_id)
    return [Act(**{**row._mapping, "at": moment(row.at)}) for row in connection.execute(query)]


def broken_link(connection: Connection) -> int | None:
    """The number of the first row that was changed or removed; None when the chain is whole.

    Rows cut off at the end cannot be seen from within: keep the last hash elsewhere (a digest, a log).
    """
    rows = connection.execute(select(audit).order_by(audit.c.number))
    names = ("at", "who", "what", "entry_id", "note")
    return first_broken((row.number, {name: row._mapping[name] for name in names}, row.hash) for row in rows)


def first_broken(rows: Iterable[tuple[int, dict[str, object], str]]) -> int | None:
    """The same for rows in order: number, what it says, its hash."""
    before, expected = _START, 1
    for number, facts, told in rows:
        if number != expected or told != _hash(before, number, facts):
            return expected
        before, expected = told, expected + 1
    return None


def _hash(before: str, number: int, row: dict[str, object]) -> str:
    return hashlib.sha256(dumps([before, number, *row.values()]).encode()).hexdigest()
