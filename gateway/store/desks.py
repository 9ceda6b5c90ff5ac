"""The store as people and the outbox see it: quarantine, register, outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Literal

from sqlalchemy import Connection

from gateway.ports import Leased
from gateway.quarantine.entry import Entry, EntryFilter, State
from gateway.register.record import Record
from gateway.register.search import RecordFilter, UnitTally, tally
from gateway.store import audit, finding, moves, outbox
from gateway.store.audit import Act
from gateway.store.core import Core
from gateway.store.faults import fault_of
from gateway.store.schema import OutState
from gateway.store.seal import Unreadable

EXPIRED_AT_ONCE = 500  # entries in one transaction


class QuarantineDesk:
    """Held mail. Methods raise UnknownEntry, MoveRefused and StoreError."""

    _core: Core
    _expired_at: float | None = None  # monotonic time of the last expire()

    async def list_entries(self, wanted: EntryFilter) -> list[Entry]:
        """Entries that fit, newest first."""
        return await self._core.read(lambda connection: finding.list_entries(connection, wanted))

    async def entry(self, entry_id: str) -> Entry:
        """One entry, also by the id of an attempt or a retry that it was merged with."""
        return await self._core.read(lambda connection: moves.find(connection, entry_id))

    async def release(self, entry_id: str, by: str, now: datetime) -> Entry:
        """Start the delivery to those it was held for; the outbox's outcome moves the entry on (safety R-21)."""
        return await self._core.write(lambda connection: moves.release(connection, entry_id, by, now))

    async def reject(self, entry_id: str, by: str, reason: str, now: datetime) -> Entry:
        """Decide that it is not to be delivered; its octets are kept to the end of its time."""
        return await self._move(entry_id, State.REJECTED, by, reason, now)

    async def delete(self, entry_id: str, by: str, reason: str, now: datetime) -> Entry:
        """Delete the octets at once; who, when and why stays."""
        entry = await self._move(entry_id, State.DELETED, by, reason, now)
        await self._core.drop_blobs([entry.digest])
        return entry

    async def keep(self, entry_id: str, by: str, now: datetime) -> Entry:
        """A person has looked at an uncertain entry: it was not delivered, and is held."""
        return await self._move(entry_id, State.HELD, by, "", now, only_from=State.UNCERTAIN)

    async def delivered(self, entry_id: str, by: str, now: datetime) -> Entry:
        """A person has found an uncertain entry delivered already."""
        return await self._move(entry_id, State.RELEASED, by, "", now, only_from=State.UNCERTAIN)

    async def expire(self, now: datetime) -> list[Entry]:
        """End the time of entries past their retention; call it about hourly. Octets go, the tombstone stays (P-2)."""
        since, self._expired_at = self._expired_at, monotonic()
        elapsed = timedelta(seconds=self._expired_at - since if since is not None else 0)
        expired, digests = await self._core.write(
            lambda connection: moves.expire(connection, now, elapsed, EXPIRED_AT_ONCE)
        )
        await self._core.drop_blobs(set(digests))
        return expired

    async def acts(self, entry_id: str = "", limit: int = 1000) -> list[Act]:
        """The audit log of one entry, or of all; newest first."""
        return await self._core.read(lambda connection: audit.acts_on(connection, entry_id, limit))

    async def _move(
        self, entry_id: str, target: State, by: str, note: str, now: datetime, only_from: State | None = None
    ) -> Entry:
        return await self._core.write(
            lambda connection: moves.move(connection, entry_id, target, by, note, now, only_from=only_from)
        )


class RegisterDesk:
    """What was sent."""

    _core: Core

    async def search(self, wanted: RecordFilter) -> list[Record]:
        """Records that fit, newest first."""
        return await self._core.read(lambda connection: finding.search(connection, wanted))

    async def show(self, record_id: str) -> Record | None:
        """The record of one transaction."""
        return await self._core.read(lambda connection: finding.record(connection, record_id))

    async def who_has_sent(
        self, units: Sequence[str], since: datetime, until: datetime, *, administrative: bool | None = None
    ) -> list[UnitTally]:
        """One line per unit in the order given, those that sent nothing included; since ≤ received_at < until."""
        counted = await self._core.read(lambda connection: finding.tallies(connection, since, until, administrative))
        return tally(units, counted)


class OutboxDesk:
    """The outbox as the sender sees it (ports.OutboxStore)."""

    _core: Core

    async def lease(self, limit: int, now: datetime, lease_until: datetime) -> list[Leased]:
        """Take up to `limit` rows that are due, oldest first; leases that ran out, or whose sender has died, end first."""
        return await self._core.write(
            lambda connection: outbox.lease(connection, limit, now, lease_until, self._core.owner)
        )

    async def settle_outgoing(
        self,
        id: str,  # noqa: A002 -- the word of ports.OutboxStore
        state: Literal["sent", "failed", "abandoned", "unknown", "due"],
        reply: str,
        next_attempt: datetime | None,
    ) -> None:
        """End the lease, and move the entry on whose release this was."""
        core = self._core

        def settle(connection: Connection) -> str:
            return outbox.settle(connection, id, OutState(state), reply, next_attempt, core.clock())

        core.drop_blobs_later([await core.write(settle)])

    def open_blob(self, digest: str) -> bytes:
        """The octets as received, with their hash proven. Blocking. Raises StoreError."""
        try:
            return self._core.blobs.read(digest)
        except (OSError, Unreadable, ValueError) as error:
            raise fault_of(error).error() from error
