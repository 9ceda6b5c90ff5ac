"""The database and the spill files as they are at one moment, while the gateway goes on writing (safety O-10, R-5)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from gateway.store.backup.files import PRIVATE_FILE, opened
from gateway.store.engine import BUSY_TIMEOUT
from gateway.store.spill import Spill

PAGES: Final = 2_000  # copied between two looks at the clock

SpillFiles = dict[str, bytes]  # by file name


def reading(database: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that cannot write. `immutable`: nobody writes the file, and no file is made beside it.

    Raises sqlite3.Error, also when there is no such file.
    """
    mode = "mode=ro&immutable=1" if immutable else "mode=rw"
    connection = sqlite3.connect(
        f"{database.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT / 1000
    )
    connection.execute("PRAGMA query_only=ON")
    connection.text_factory = _text
    return connection


def schema_of(connection: sqlite3.Connection) -> int:
    """The schema's version; 0 when it is not a gateway's. Raises sqlite3.Error for a file that is no database."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone():
        return 0
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(row[0]) if row else 0


@contextlib.contextmanager
def moment_of(connection: sqlite3.Connection, state: Path) -> Iterator[SpillFiles]:
    """A read transaction for the block, and what was in the spill files when it began.

    A line is brought into the database before its file is removed, and under the file's lock: with every lock in hand
    while the transaction begins, each line is in the file, in the snapshot, or in both, which is as good as once.
    """
    spill = Spill(state)
    with ExitStack() as locks:
        held = {path: lock for path in spill.all_files() if (lock := _locked(path, locks)) is not None}
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # only now it sees a state, and keeps it
        for path in spill.all_files():  # one that was made meanwhile
            if path not in held and (lock := _locked(path, locks)) is not None:
                held[path] = lock
        lines = {path.name: os.pread(lock, os.fstat(lock).st_size, 0) for path, lock in held.items()}
    try:
        yield {name: content for name, content in lines.items() if content}
    finally:
        connection.execute("ROLLBACK")


def copy_database(source: sqlite3.Connection, copy: Path, look: Callable[[int, int], None]) -> None:
    """Write what the source's transaction sees into a new file; durable on return. Raises sqlite3.Error, OSError.

    `look(done, of)` is called between groups of pages. The copy is one file that needs no write-ahead log to be read.
    """
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode=OFF")
        target.execute("PRAGMA synchronous=OFF")
        source.backup(target, pages=PAGES, progress=lambda _, left, of: look(of - left, of))
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode=DELETE")
    with copy.open("rb+") as file:
        os.fsync(file.fileno())


def _locked(path: Path, locks: ExitStack) -> int | None:
    """Lock the file for reading and leave it as it is; None when it has been brought in and removed, or is no file."""
    try:
        descriptor = opened(path)
    except FileNotFoundError:
        return None
    locks.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor if os.fstat(descriptor).st_nlink else None


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
