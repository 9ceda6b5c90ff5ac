"""From an older schema to this one: forward only, each step in one transaction, one process at a time (safety O-9).

Rules for a step, so that nodes roll and an upgrade can be taken back:

- It leaves a store in which the program before it can go on: it adds tables, indexes, and columns that have a default or
  may be NULL. It renames and removes nothing, and adds no word to a CHECK; that is for the version after the next.
- One that cannot keep this is in BREAKING. The program before it then refuses the store, and so do its running workers
  when they open it anew: such an upgrade needs a stop.
- It speaks SQL of its own, for schema.py shows the newest state only; and it does no more than its own transaction takes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, update
from sqlalchemy.exc import DBAPIError

from gateway.store.blobs import sync_directory
from gateway.store.queries import insert_new
from gateway.store.schema import VERSION, meta, metadata, schema_version

QUICK_CHECK_MAX: Final = 64 * 1024 * 1024  # octets up to which the whole database is checked at each start
LOCK: Final = "schema.lock"  # beside the database
COPIES: Final = 3  # copies made before migrations that are kept: gateway.db.schema-N
BEARS: Final = "schema bears"  # row of `meta`: the oldest schema whose program can work with this store

# From version N to N + 1, and those N whose step the program of N cannot live with.
STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {}
BREAKING: Final[frozenset[int]] = frozenset()

_APPEND_ONLY: Final = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
)


class CannotStart(Exception):
    """The database cannot be used; str(error) says what to do, in a sentence for the operator (F-25, O-9)."""


def bring_up_to_date(engine: Engine, database: Path) -> None:
    """Create or migrate the schema. Raises CannotStart. Two processes may start at once: one does it, one waits."""
    try:
        if not _is_usable(engine, database):
            with _alone(database):
                _migrate(engine, database)
        _check(engine, database)
    except DBAPIError as error:
        raise CannotStart(_sentence(error, database)) from error
    except sqlite3.Error as error:
        raise CannotStart(f"{database} cannot be opened: {error}") from error


def refuse_breaking(database: Path) -> None:
    """Raises CannotStart when the store must be changed in a way that the program which is running on it could not bear."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            version = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0
    except sqlite3.Error:  # opening it says what is wrong, in better words
        return
    if 0 < version < VERSION and not BREAKING.isdisjoint(range(version, VERSION)):
        raise CannotStart(
            f"{database} has schema {version}, and the program that is running could not work with schema {VERSION}: this "
            "upgrade needs a stop; stop the gateway, then start it"
        )


def _is_usable(engine: Engine, database: Path) -> bool:
    """Whether there is nothing to do. A store of the next schema is usable when the steps up to it have kept the rules."""
    with engine.begin() as connection:
        version = _version(connection)
        if version > VERSION and (_bears(connection) or version) > VERSION:
            raise CannotStart(
                f"{database} was written by a newer gateway (schema {version}, this one knows {VERSION}): install that "
                "version again, or restore the backup that was made before it (docs/how-to: upgrade)"
            )
    return version >= VERSION


def _migrate(engine: Engine, database: Path) -> None:
    if 0 < version_of(engine) < VERSION:
        _back_up(engine, database)
    while True:
        with engine.begin() as connection:
            if _step(connection):
                return


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[None]:
    """The lock of those who migrate; the kernel drops it when its holder ends, however it ends."""
    try:
        lock = os.open(database.with_name(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(
            f"{database} cannot be migrated: {database.parent} cannot be written ({error.strerror}); "
            "give it to the gateway's user"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def version_of(engine: Engine) -> int:
    """The version of the schema in the database; 0 when it is empty."""
    with engine.begin() as connection:
        return _version(connection)


def _step(connection: Connection) -> bool:
    """One step, its version written with it; True when there is none to do."""
    version = _version(connection)
    if version >= VERSION:
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
    bears = {"value": str(version + 1 if version in BREAKING else version)}
    statement = insert_new(connection.dialect.name, meta).values(name=BEARS, **bears)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=bears))
    return False


def _bears(connection: Connection) -> int:
    """The oldest schema whose program can work with this store; 0 when it does not say."""
    if not inspect(connection).has_table(meta.name):
        return 0
    return int(connection.scalar(select(meta.c.value).where(meta.c.name == BEARS)) or 0)


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.scalar(select(schema_version.c.version)) or 0


def _back_up(engine: Engine, database: Path) -> None:
    """A copy beside the database before its schema changes, and no more than COPIES of them.

    One of the same version that is there already may be of long ago: it is replaced.
    """
    copy = database.with_name(f"{database.name}.schema-{version_of(engine)}")
    try:
        copy_to(database, copy)
        for old in sorted(database.parent.glob(f"{database.name}.schema-*"), key=_number)[:-COPIES]:
            if _number(old):
                old.unlink()
    except (sqlite3.Error, OSError) as error:
        copy.with_name(f".{copy.name}.part").unlink(missing_ok=True)
        size = database.stat().st_size // 1024 // 1024 + 1
        raise CannotStart(
            f"{database} is not migrated: the copy before it, {copy.name}, cannot be written ({error}); "
            f"make {size} MiB of room in {database.parent}, or see who owns it, and start again"
        ) from error


def _number(copy: Path) -> int:
    found = re.search(r"\.schema-(\d+)$", copy.name)
    return int(found[1]) if found else 0


def copy_to(database: Path, copy: Path) -> None:
    """A consistent, durable copy of a live database (O-10); the file itself never is one, its newest pages are in the WAL.

    Raises sqlite3.Error, OSError; then `copy` is not there, or is what it was.
    """
    temporary = copy.with_name(f".{copy.name}.part")
    temporary.unlink(missing_ok=True)  # of one who was killed
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
