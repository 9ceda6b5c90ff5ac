"""SQLite engines: one for the writer thread, one for readers (safety R-5)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT: Final = 5_000  # milliseconds another process may keep the write lock before we answer 451 (F-24)
BUSY_LOOK: Final = 0.0005  # seconds between two looks at the write lock: about what a commit takes
CHECKPOINT_PAGES: Final = 4_000
BEGIN: Final = "BEGIN IMMEDIATE"  # a read that becomes a write could fail half-way
WAL_KEPT: Final = 64 * 1024 * 1024  # octets of a write-ahead log that are not given back


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock, or raise OperationalError after BUSY_TIMEOUT.

    SQLite's own waiting looks ever more seldom, up to ten times a second, so that the one of two busy processes that
    came too late could wait for half a second.
    """
    end = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute(BEGIN)
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= end:
                raise
        time.sleep(BUSY_LOOK)


def begin_at_once(connection: sqlite3.Connection) -> bool:
    """Take the write lock if nobody has it. Raises OperationalError for other failures."""
    try:
        connection.execute(BEGIN)
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        return False
    return True


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_BUSY


def create_private(database: Path) -> None:
    """An empty database that only its owner reads: it names people. One that is there keeps the mode it was given.

    What stands in the way is left for SQLite to tell. The write-ahead log takes its mode from the database.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def writing_engine(database: Path) -> Engine:
    """WAL with synchronous=FULL: NORMAL may lose a commit that was answered 250 when the power fails."""
    engine = _engine(database, connections=1)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _: object) -> None:
        _make_durable(connection, CHECKPOINT_PAGES)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        begin(driver)

    return engine


def quick_connection(database: Path) -> sqlite3.Connection:
    """The event loop's own connection, which waits for nobody: short commits, and single rows by their key.

    Checkpoints are left to the writing engine.
    """
    connection = sqlite3.connect(database, timeout=0, isolation_level=None, check_same_thread=False)
    _make_durable(connection, 0)
    return connection


def _make_durable(connection: sqlite3.Connection, checkpoint: int) -> None:
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={checkpoint}",
        f"journal_size_limit={WAL_KEPT}",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA busy_timeout=0")  # begin() waits, and what follows it waits for nobody


def reading_engine(database: Path) -> Engine:
    """Connections that cannot write, each read in one snapshot."""
    engine = _engine(database, connections=2)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
        connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _engine(database: Path, connections: int) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(database)),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT / 1000},
    )

    @event.listens_for(engine, "connect")
    def _no_implicit_transactions(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours

    return engine
