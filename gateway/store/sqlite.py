"""The store over SQLite: one file, one writer thread in each process, blobs beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from gateway.ports import StoreError
from gateway.settings import Settings
from gateway.store import audit, finding, moves
from gateway.store.backlog import Backlog, backlog
from gateway.store.core import Clock, Core, utc_now
from gateway.store.desks import OutboxDesk, QuarantineDesk, RegisterDesk
from gateway.store.faults import Mark, no_mark
from gateway.store.migrate import CannotStart, copy_to
from gateway.store.queries import blobs_needed, insert_new
from gateway.store.schema import meta
from gateway.store.seal import KEY_SIZE
from gateway.store.transactions import TransactionDesk

SWEPT: Final = 500  # blobs looked up at once
_KEY = re.compile(rf"[0-9A-Fa-f]{{{KEY_SIZE * 2}}}\Z")


class SqliteStore(TransactionDesk, OutboxDesk, QuarantineDesk, RegisterDesk):
    """Everything durable. Implements ports.Store and ports.OutboxStore; made by open() or open_store().

    Call `await recover(now)` once before mail is taken, then every minute; `await expire(now)` hourly and
    `await sweep(now)` daily.
    """

    def __init__(
        self,
        database: Path,
        state: Path,
        *,
        keys: Sequence[bytes] = (),
        clock: Clock = utc_now,
        mark: Mark = no_mark,
    ) -> None:
        self._open = partial(Core, database, state, keys=keys, clock=clock, mark=mark)
        self._core = self._open()

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
        await self._core.close()

    async def reopen(self) -> None:
        """Close and open anew: the only way out of a latched failure (safety R-4). Raises CannotStart."""
        await self._core.close()
        self._core = self._open()

    def healthy(self) -> str:
        """ "" or why nothing may be written."""
        return self._core.health.reason or ("" if self._core.writer.alive else "the writer thread has ended")

    async def probe(self) -> str:
        """Write something durable, for /readyz; "" or what went wrong."""
        now = self._core.clock().isoformat()

        def write(connection: Connection) -> None:
            statement = insert_new(connection.dialect.name, meta).values(name="probe", value=now)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": now}))

        try:
            await self._core.write(write)
        except StoreError as error:
            return str(error)
        return self.healthy()

    def room(self) -> int:
        """Octets that may still be written to the state directory (safety F-22)."""
        disk = os.statvfs(self._core.state)
        return disk.f_bavail * disk.f_frsize if disk.f_favail or not disk.f_files else 0

    async def counts(self) -> dict[str, int]:
        """Rows by state, for gauges: "entries held", "outbox due" ..."""
        return await self._core.read(finding.counts)

    async def backlog(self, now: datetime) -> Backlog:
        """What waits, and since when; by indexes, so it may be asked often."""
        return await self._core.read(lambda connection: backlog(connection, now))

    async def sweep(self, now: datetime) -> int:
        """Delete orphaned blobs older than 36 hours and rows whose time is over; returns the number of blobs.

        Held mail is old too, all of it: what a row needs is found by reading, and the writer is asked for the rest only.
        """
        core = self._core
        await core.write(lambda connection: moves.prune(connection, now))
        old = await core.in_thread(lambda: list(core.blobs.orphans()))
        dropped = 0
        for start in range(0, len(old), SWEPT):
            some = old[start : start + SWEPT]
            needed = await core.read(partial(blobs_needed, digests=some))
            dropped += await core.drop_blobs([digest for digest in some if digest not in needed])
        return dropped

    async def verify(self) -> list[str]:
        """Every kept entry has its blob, whole; the audit chain is whole (O-10). Returns sentences on what is not."""
        core = self._core
        problems = []
        for entry_id, digest in await core.read(finding.needed_blobs):
            try:
                await core.in_thread(self.open_blob, digest)
            except StoreError as error:
                problems.append(f"entry {entry_id}: blob {digest}: {error}")
        if (number := await core.read(audit.broken_link)) is not None:
            problems.append(f"audit log: row {number} was changed or removed")
        return problems

    async def back_up(self, copy: Path) -> None:
        """A consistent copy of the database (O-10); blobs are copied after it, and never change."""
        await self._core.in_thread(copy_to, self._core.database, copy)


def database_of(settings: Settings) -> Path:
    """The file of the database. Raises CannotStart."""
    try:
        url = make_url(settings.store.url.replace("{state}", str(settings.state)))
    except ArgumentError as error:
        raise CannotStart(f"store.url is no database URL: {settings.store.url}") from error
    if url.get_backend_name() != "sqlite" or not url.database:
        raise CannotStart(f"store.url must name a SQLite file, not {url.render_as_string(hide_password=True)}")
    return Path(url.database)


def open_store(settings: Settings, *, create: bool = True) -> SqliteStore:
    """The store that gateway.toml names. Blocks. Raises CannotStart with a sentence for the operator.

    Without `create` it must be there: who asks in the wrong folder is not told that nothing is held.
    """
    database = database_of(settings)
    if not create and not os.path.lexists(database):
        raise CannotStart(f"{database}: the gateway has not run here yet; name its gateway.toml with --config")
    try:
        return SqliteStore(database, settings.state, keys=keys_of(settings))
    except OSError as error:
        raise CannotStart(f"{settings.state} cannot be used: {error.strerror}") from error


def keys_of(settings: Settings) -> list[bytes]:
    """The site keys that gateway.toml names. Raises CannotStart."""
    return [_read_key(settings.store.key_file)] if settings.store.key_file else []


def _read_key(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"store.key_file {path} cannot be read: {error}") from error
    if not _KEY.match(text):
        raise CannotStart(f"store.key_file {path} must hold {KEY_SIZE} octets in hex")
    return bytes.fromhex(text)
