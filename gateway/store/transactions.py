"""The store as the pipeline sees it: what is kept around one mail transaction (ports.Store)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import sqlite

from gateway import maillog
from gateway.envelope.message import Message
from gateway.envelope.reply import Reply
from gateway.ports import Outgoing, Settlement, StoreError
from gateway.quarantine.entry import Entry, State
from gateway.store import codec, keeping, settling
from gateway.store.blobs import BlobMissing
from gateway.store.codec import micros
from gateway.store.committing import RowRefused
from gateway.store.core import Core
from gateway.store.keeping import Kept
from gateway.store.queries import insert_new
from gateway.store.rows import entry_row, outgoing_row, spill_line
from gateway.store.schema import OutState, unheard

_UNHEARD = str(
    select(unheard.c.code, unheard.c.enhanced, unheard.c.text, unheard.c.until)
    .where(unheard.c.key == bindparam("key"))
    .compile(dialect=sqlite.dialect(paramstyle="qmark"))
)
_BLOB_TRIES = 3  # each time another process's sweep came between file and row


class TransactionDesk:
    """prepare, settle, withdraw, doubt and the ledger of unheard outcomes."""

    _core: Core

    async def prepare(self, message: Message, entry: Entry | None, outgoing: Sequence[Outgoing]) -> None:
        """Keep the octets, a pending entry and waiting outbox rows, before anything is relayed (safety R-3, R-8)."""
        if entry is None and not outgoing:
            return
        core = self._core
        core.health.check()
        for _ in range(_BLOB_TRIES):
            digest = await core.in_thread(core.blobs.write, message.raw)
            if entry is not None and entry.digest != digest:
                raise core.health.note(ValueError("the entry's digest is not that of the message"))
            kept = self._rows(entry, outgoing, digest)
            try:
                await core.write(partial(self._keep, kept=kept, digest=digest))
            except BlobMissing:
                continue
            return
        raise core.health.note(BlobMissing("the blob is removed as often as it is written"))

    def _rows(self, entry: Entry | None, outgoing: Sequence[Outgoing], digest: str) -> Kept:
        now, owner = self._core.clock(), self._core.owner.name
        if entry is not None and entry.state is not State.PENDING:
            entry = replace(entry, state=State.PENDING)
        return Kept(
            entry_row(entry, owner, digest) if entry else None,
            [outgoing_row(item, OutState.WAITING, now, owner) for item in outgoing],
        )

    def _keep(self, connection: Connection, kept: Kept, digest: str) -> None:
        core = self._core
        if not core.blobs.exists(digest):  # under the write lock: no sweep comes between this and the commit
            raise BlobMissing(digest)
        keeping.keep(connection, kept, core.owner.is_dead, core.clock())

    async def settle(self, settlement: Settlement) -> Literal["done", "known", "spilled"]:
        """Write the record and the notices, and make pending held and waiting due, in one group-committed write.

        Whether the key is known is not asked before the rows are written, but told by the index that holds it: so
        two processes that get the same message at once settle it once.
        """
        core = self._core
        try:
            if not settlement.notices:
                try:
                    await core.writer.submit_rows(settling.rows(settlement))
                except RowRefused:
                    if self.done_as(settlement.key):
                        return "known"
                else:
                    return "done"
            await core.writer.submit(settling.job(settlement, core.clock()))
        except StoreError:
            await core.in_thread(core.spill.append, spill_line(settlement))
            return "spilled"
        return "done"

    async def withdraw(self, transaction_id: str) -> None:
        """Forget what prepare() kept: the transaction was answered 4yz or 5yz (safety R-2)."""
        core = self._core
        digests = await core.write(lambda connection: keeping.withdraw(connection, transaction_id, core.clock()))
        core.drop_blobs_later(digests)

    async def doubt(self, transaction_id: str) -> None:
        """Mark what prepare() kept as uncertain: the downstream's answer is unknown."""
        core = self._core
        await core.write(lambda connection: keeping.doubt(connection, transaction_id, core.clock()))

    def unheard(self, key: bytes) -> Reply | None:
        """The outcome of an earlier identical transaction whose client never heard our 250 (safety R-12).

        One lookup by key, without waiting. A failure to read is no answer: the message is then processed again.
        """
        row = self._core.glance(_UNHEARD, key)
        if row is None:
            return None
        code, enhanced, text, until = row
        return Reply(code, enhanced, text) if until > micros(self._core.clock()) else None

    def done_as(self, key: bytes) -> str:
        """The id under which a message of this key has been settled, "" if it has not (safety R-23)."""
        known = self.unheard(key)  # one ledger: keys are hashes of different things, so they never meet
        return known.text if known else ""

    async def remember_unheard(self, key: bytes, reply: Reply, until: datetime) -> None:
        """Keep the outcome that the client did not hear, until it can be expected to have come again."""
        row = {"code": reply.code, "enhanced": reply.enhanced, "text": codec.clean(reply.text), "until": micros(until)}

        def remember(connection: Connection) -> None:
            statement = insert_new(connection.dialect.name, unheard).values(key=key, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row))

        await self._core.write(remember)

    async def recover(self, now: datetime) -> int:
        """Put right what crashed processes left; at start and every minute. Returns the number of entries in doubt.

        Spilled settlements come first: what they settle is not in doubt.
        """
        core = self._core
        await self.import_spill()
        found = await core.write(lambda connection: keeping.recover(connection, core.owner.is_dead, now))
        core.owner.sweep()
        return found

    async def import_spill(self) -> int:
        """Bring spilled settlements into the database; returns how many."""
        core = self._core
        imported = 0
        for path in await core.in_thread(core.spill.files):
            file = await core.in_thread(core.spill.open, path)
            try:
                for line in file.lines:
                    imported += await self._import_line(line)
                await core.in_thread(file.remove)
            finally:
                file.close()
        return imported

    async def _import_line(self, line: bytes) -> int:
        core = self._core
        try:
            settlement = codec.settlement(line.decode())
        except (ValueError, TypeError, KeyError, AttributeError):
            maillog.event("spill line unreadable", size=len(line))
            await core.in_thread(core.spill.set_aside, line)
            return 0
        await core.write(settling.job(settlement, core.clock()))
        return 1
