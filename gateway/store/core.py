"""What every part of the store stands on: the writer, the readers, the blobs, and the rules that bind them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.ports import StoreError
from gateway.store.blobs import Blobs
from gateway.store.engine import create_private, quick_connection, reading_engine, writing_engine
from gateway.store.faults import Health, Mark, fault_of, no_mark
from gateway.store.migrate import bring_up_to_date
from gateway.store.owner import Owner
from gateway.store.pause import is_paused
from gateway.store.queries import blob_needed
from gateway.store.spill import Spill
from gateway.store.writer import ANSWERS, Writer

T = TypeVar("T")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Core:
    """One open database with its blobs. Opening blocks, may migrate, and raises CannotStart or OSError."""

    def __init__(
        self,
        database: Path,
        state: Path,
        *,
        keys: Sequence[bytes] = (),
        clock: Clock = utc_now,
        mark: Mark = no_mark,
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.database = database
        self.state = state
        self.clock = clock
        self.health = Health()
        create_private(database)
        self.engine = writing_engine(database)
        bring_up_to_date(self.engine, database)
        self.owner = Owner(state / "owners")
        self.blobs = Blobs(state / "blobs", keys, mark)
        self.spill = Spill(state)
        self._readers = reading_engine(database)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="store")
        self._closed = False
        self._dropping: set[asyncio.Future[None]] = set()
        self._quick = quick_connection(database)
        self.writer = Writer(self.engine, self._quick, self.health, mark)

    async def close(self) -> None:
        """Finish what is queued and let go of the database. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*self._dropping, return_exceptions=True)
        self.writer.stop()
        await asyncio.to_thread(self.writer.close)
        self._threads.shutdown(wait=True)
        self._readers.dispose()
        self._quick.close()
        self.engine.dispose()
        self.owner.close()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writer; returns after the commit is durable. Raises StoreError and what `work` answers."""
        return await self.writer.submit(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one snapshot, in a thread. Raises StoreError and what `work` answers."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._read, work)
        except ANSWERS:
            raise
        except Exception as error:  # a read that fails leaves nothing in doubt, so nothing latches
            raise fault_of(error).error() from error

    def glance(self, query: str, key: bytes) -> tuple[Any, ...] | None:
        """One row by its key, at once, in the event loop: microseconds, and a WAL reader waits for nobody.

        On the connection that commits here, whose cache stays good over its own commits.
        """
        try:
            found = self._quick.execute(query, (key,)).fetchone()
        except sqlite3.Error as error:
            self.health.note(error)
            return None
        return tuple(found) if found else None

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._readers.connect() as connection:
            return work(connection)

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run file work that blocks, with its failures as StoreError."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except ANSWERS:
            raise
        except Exception as error:
            raise self.health.note(error) from error

    async def drop_blobs(self, digests: Iterable[str]) -> int:
        """Delete the blobs that no row needs; returns how many.

        Each in a transaction of its own: the write lock keeps other processes from adding a row meanwhile, and a row
        that is deleted in the same group could come back when that group's commit fails.
        """

        def drop(connection: Connection, digest: str) -> bool:
            if blob_needed(connection, digest) or not self.blobs.exists(digest):
                return False
            if is_paused(connection, self.clock()):  # a backup has yet to copy it: the next sweep takes it
                self.blobs.age(digest)
                return False
            self.blobs.remove(digest)
            return True

        dropped = 0
        for digest in digests:
            dropped += await self.writer.submit(partial(drop, digest=digest), alone=True)
        return dropped

    def drop_blobs_later(self, digests: Iterable[str]) -> None:
        """The same without waiting; what fails is left to the sweep."""
        if wanted := [digest for digest in digests if digest]:
            task = asyncio.ensure_future(self._drop_quietly(wanted))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def _drop_quietly(self, digests: Sequence[str]) -> None:
        try:
            await self.drop_blobs(digests)
        except StoreError:  # counted by the health; orphans are swept after 36 hours
            return
