"""What can be wrong inside the database: its pages, its references, its rows, its audit log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from gateway.store import audit, codec
from gateway.store.backup.files import Progress
from gateway.store.backup.snapshot import schema_of
from gateway.store.schema import VERSION

HOPELESS: Final = frozenset({"database-damaged", "schema-newer", "no-state"})  # nothing more can be asked of it
_REFUSED: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}
)

# Every table whose rows hold a value as JSON: how a row is read again.
_ROWS: Final[Mapping[str, tuple[str, Callable[..., object]]]] = {
    "entries": ("id, plain, state, note, has_body", codec.entry),
    "records": ("id, plain, notice", codec.record),
    "outbox": ("id, plain, content", codec.outgoing),
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong, as in verify.Finding."""

    word: str
    values: Mapping[str, object] = field(default_factory=dict)
    level: Literal["error", "note"] = "error"


def is_refused(error: sqlite3.Error) -> bool:
    """Whether the file could not be opened at all, which is no damage."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _REFUSED


def check(connection: sqlite3.Connection, database: Path, progress: Progress) -> Iterator[Flaw]:
    """Look at everything, in the connection's transaction. Raises sqlite3.DatabaseError for a file that is no database."""
    if not (found := schema_of(connection)):
        yield Flaw("no-state")
        return
    if found > VERSION:
        yield Flaw("schema-newer", {"found": found, "known": VERSION})
        return
    if found < VERSION:
        yield Flaw("schema-older", {"found": found, "known": VERSION}, "note")
    progress("database", 0, 1)
    damaged = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    if damaged:
        yield Flaw("database-damaged", {"reason": "; ".join(damaged)[:500]})
        return
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield Flaw("foreign-key", {"table": table, "row": row, "parent": parent})
    yield from _rows(connection, progress)
    if (number := _broken_link(connection)) is not None:
        yield Flaw("audit-broken", {"row": number})


def _rows(connection: sqlite3.Connection, progress: Progress) -> Iterator[Flaw]:
    total = sum(int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in _ROWS)  # noqa: S608
    done = 0
    for table, (columns, read) in _ROWS.items():
        for name, *values in connection.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608 -- names of our own
            if done % 1000 == 0:
                progress("rows", done, total)
            done += 1
            if reason := _unreadable(read, values):
                yield Flaw("row-unreadable", {"table": table, "row": name, "reason": reason})


def _unreadable(read: Callable[..., object], values: list[Any]) -> str:
    try:
        read(*values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def _broken_link(connection: sqlite3.Connection) -> int | None:
    rows = connection.execute("SELECT number, at, who, what, entry_id, note, hash FROM audit ORDER BY number")
    return audit.first_broken(
        (number, {"at": at, "who": who, "what": what, "entry_id": entry_id, "note": said}, told)
        for number, at, who, what, entry_id, said, told in rows
    )
