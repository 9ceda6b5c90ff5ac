"""From an older schema to this one: forward only, each step in one transaction (safety O-9)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, update
from sqlalchemy.exc import DBAPIError

from gateway.store.blobs import sync_directory
from gateway.store.schema import VERSION, metadata, schema_version

QUICK_CHECK_MAX: Final = 64 * 1024 * 1024  # octets up to which the whole database is checked at each start

# From version N to N + 1. A step speaks SQL of its own: schema.py shows only the newest state.
STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {}

_APPEND_ONLY: Final = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
)


class CannotStart(Exception):
    """The database cannot be used; str(error) says what to do, in a sentence for the operator (F-25, O-9)."""


def bring_up_to_date(engine: Engine, database: Path) -> None:
    """Create or migrate the schema. Raises CannotStart. Two processes may start at once: one does it, one waits."""
    try:
        if version_of(engine) not in (0, VERSION):
            _back_up(engine, database)
        while True:
            with engine.begin() as connection:
                if _step(connection, database):
                    break
        _check(engine, database)
    except DBAPIError as error:
        raise CannotStart(_sentence(error, database)) from error
    except sqlite3.Error as error:
        raise CannotStart(f"{database} cannot be opened: {error}") from error


def version_of(engine: Engine) -> int:
    """The version of the schema in the database; 0 when it is empty."""
    with engine.begin() as connection:
        return _version(connection)


def _step(connection: Connection, database: Path) -> bool:
    """One step, its version written with it; True when there is none to do."""
    version = _version(connection)
    if version > VERSION:
        raise CannotStart(
            f"{database} was written by a newer gateway (schema {version}, this one knows {VERSION}): "
            "install that version again, or restore the backup that was made before it"
        )
    if version == VERSION:
        return True
    if version == 0:
        metadata.create_all(connection)
        if connection.dialect.name == "sqlite":
            for trigger in _APPEND_ONLY:
                connection.exec_driver_sql(trigger)
        connection.execute(schema_version.insert(), {"version": VERSION})
        return False
    STEPS[version](connection)
    connection.execute(update(schema_version).values(version=version + 1))
    return False


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.scalar(select(schema_version.c.version)) or 0


def _back_up(engine: Engine, database: Path) -> None:
    """A copy beside the database before its schema changes; one that is there already is from a start that failed."""
    version = version_of(engine)
    copy = database.with_name(f"{database.name}.schema-{version}")
    if version < VERSION and not copy.exists():
        copy_to(database, copy)


def copy_to(database: Path, copy: Path) -> None:
    """A consistent, durable copy of a live database (O-10); the file itself never is one, its newest pages are in the WAL.

    Raises sqlite3.Error, OSError; then `copy` is not there, or is what it was.
    """
    temporary = copy.with_name(f".{copy.name}.part")
    temporary.unlink(missing_ok=True)
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(temporary),))
    finally:
        connection.close()
    temporary.chmod(database.stat().st_mode & 0o777)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.rename(copy)
    sync_directory(copy.parent)


def _check(engine: Engine, database: Path) -> None:
    if engine.dialect.name != "sqlite" or database.stat().st_size > QUICK_CHECK_MAX:
        return
    with engine.begin() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise CannotStart(f"{database} is damaged ({found}): restore a backup, or repair it with sqlite3 .recover")


def _sentence(error: DBAPIError, database: Path) -> str:
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    advice = {
        sqlite3.SQLITE_NOTADB: "is not a database or is damaged: restore a backup",
        sqlite3.SQLITE_CORRUPT: "is damaged: restore a backup, or repair it with sqlite3 .recover",
        sqlite3.SQLITE_READONLY: "is read-only: give it and its directory to the gateway's user",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its directory must exist and belong to the gateway's user",
        sqlite3.SQLITE_BUSY: "is locked by another process",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk is full or failing",
    }.get(code, "cannot be used")
    return f"{database} {advice} ({error.orig})"
