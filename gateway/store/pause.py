"""While a backup copies blobs, none is deleted: a row of `meta` says so, and until when (safety O-10).

A backup that was killed stops the purge for LIMIT at most. Who deletes a blob looks here inside the transaction in which
it has the write lock, so that no deletion slips in between the pause and the snapshot that follows it.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from gateway.store.codec import micros
from gateway.store.engine import begin
from gateway.store.schema import meta

LIMIT: Final = timedelta(minutes=10)
RENEW: Final = 60.0  # seconds
PREFIX: Final = "purge paused by "
LAST: Final = "last backup"  # the time of the newest one, ISO 8601, for whoever watches
_PUT: Final = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def is_paused(connection: Connection, now: datetime) -> bool:
    """Whether a backup is under way. A time too far ahead is that of a clock which has jumped since, and counts not."""
    times = connection.scalars(select(meta.c.value).where(meta.c.name.startswith(PREFIX)))
    return any(micros(now) < int(until) <= micros(now + LIMIT) for until in times)


class Pause:
    """The pause of one backup. `begin()` before the snapshot, `renew()` often, `end()` in any case."""

    def __init__(self, database: Path, clock: Callable[[], datetime]) -> None:
        self._connection = sqlite3.connect(database.absolute().as_uri() + "?mode=rw", uri=True, isolation_level=None)
        self._name = PREFIX + secrets.token_hex(8)
        self._clock = clock
        self._renewed = 0.0

    def begin(self) -> None:
        """Durable on return. Raises sqlite3.Error."""
        now = self._clock()
        begin(self._connection)
        try:
            old = self._connection.execute("SELECT name, value FROM meta WHERE name LIKE ?", (PREFIX + "%",)).fetchall()
            for name, until in old:  # of backups that were killed
                if not micros(now) < int(until) <= micros(now + LIMIT):
                    self._connection.execute("DELETE FROM meta WHERE name = ?", (name,))
            self._put(self._name, str(micros(now + LIMIT)))
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """Put the end off when that is due; a store that is too busy just now is asked again the next time."""
        if time.monotonic() - self._renewed < RENEW:
            return
        with contextlib.suppress(sqlite3.OperationalError):
            self._put(self._name, str(micros(self._clock() + LIMIT)))
            self._renewed = time.monotonic()

    def end(self, made: datetime | None) -> None:
        """Let the purge go on; `made`: the time of the backup, when it was made. What fails here ends by LIMIT."""
        with contextlib.closing(self._connection), contextlib.suppress(sqlite3.Error):
            begin(self._connection)
            self._connection.execute("DELETE FROM meta WHERE name = ?", (self._name,))
            if made is not None:
                self._put(LAST, made.isoformat())
            self._connection.execute("COMMIT")

    def _put(self, name: str, value: str) -> None:
        self._connection.execute(_PUT, (name, value))
