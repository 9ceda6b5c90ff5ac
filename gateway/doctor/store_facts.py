"""What the database says, read without leaving anything behind: no lock file, no write-ahead log, no migration."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from gateway.settings import Settings
from gateway.store.migrate import CannotStart
from gateway.store.sqlite import database_of

CHECK_SECONDS: Final = 6.0  # for the look through the whole database
_STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Times are aware; None where there is no such row."""

    version: int  # of the schema; 0: none
    newest: datetime | None = None  # record of the register
    oldest_due: datetime | None = None  # outbox row that waits to be sent
    due: int = 0
    unknown: int = 0  # outbox rows that may have been sent
    held: int = 0
    first_expiry: datetime | None = None  # of held entries
    expiring: int = 0  # held entries that end within EXPIRY_SECONDS


EXPIRY_SECONDS: Final = 3 * 86_400


def read_facts(settings: Settings) -> StoreFacts | None:
    """None when there is no database yet. Raises sqlite3.Error, CannotStart."""
    path = database_of(settings)
    if not path.exists():
        return None
    with opened(path) as database:
        return _facts(database)


def newest_record(settings: Settings) -> datetime | None:
    """The time of the newest record, None where there is none or the database cannot be read."""
    with contextlib.suppress(sqlite3.Error, CannotStart):
        facts = read_facts(settings)
        return facts.newest if facts else None
    return None


def integrity(settings: Settings) -> str:
    """SQLite's own quick check: "ok", what is damaged, or "" when it took too long. Raises sqlite3.Error, CannotStart."""
    with opened(database_of(settings)) as database:
        until = time.monotonic() + CHECK_SECONDS
        database.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
        try:
            return str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return ""
            raise


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Read-only. Where no process has the database open there is no write-ahead log, and none must be made."""
    way = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    database = sqlite3.connect(f"file:{quote(str(path))}?{way}", uri=True, timeout=2, isolation_level=None)
    try:
        database.execute("PRAGMA query_only=ON")
        yield database
    finally:
        database.close()


def _facts(database: sqlite3.Connection) -> StoreFacts:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "schema_version" not in tables:
        return StoreFacts(version=0)
    version = int(_one(database, "SELECT version FROM schema_version") or 0)
    if not {"records", "outbox", "entries"} <= tables:
        return StoreFacts(version=version)
    soon = int((time.time() + EXPIRY_SECONDS) * 1_000_000)
    held = "FROM entries WHERE state = 'held'"
    return StoreFacts(
        version=version,
        newest=_moment(_one(database, "SELECT max(received_at) FROM records")),
        oldest_due=_moment(_one(database, "SELECT min(first_due) FROM outbox WHERE state IN ('due', 'leased')")),
        due=int(_one(database, "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased')")),
        unknown=int(_one(database, "SELECT count(*) FROM outbox WHERE state = 'unknown'")),
        held=int(_one(database, f"SELECT count(*) {held}")),
        first_expiry=_moment(_one(database, f"SELECT min(retain_until) {held}")),
        expiring=int(_one(database, f"SELECT count(*) {held} AND retain_until < {soon}")),
    )


def _one(database: sqlite3.Connection, statement: str) -> Any:
    row = database.execute(statement).fetchone()
    return row[0] if row else None


def _moment(microseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC) if microseconds else None
