"""Sends what the outbox holds: leases due rows, makes one attempt for each, and writes down how it went.

What must not happen twice decides what an unknown outcome means: a notice is given up, a release waits for a person, and
relayed mail is tried again, because mail may rather come twice than never (DESIGN §5, safety R-21).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from gateway import maillog, metrics
from gateway.policy.route import Route
from gateway.ports import Downstream, Leased, OutboxStore, StoreError
from gateway.relay.attempt import Attempt, Outcome

IDLE_SECONDS = 15.0  # between looks at the outbox when nobody wakes us: retries, rows of a process that died
TROUBLE_SECONDS = 5.0  # after the store failed
LEASE = timedelta(hours=1)
ATTEMPT_SECONDS = 3000.0  # an attempt ends well within its lease, so no row is ever sent by two


def _now() -> datetime:
    return datetime.now(UTC)


class OutboxSender:
    """The sender loop of one process."""

    def __init__(
        self,
        store: OutboxStore,
        downstream: Downstream,
        routes: Callable[[], Mapping[str, Route]],
        *,
        at_once: int = 4,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._store = store
        self._downstream = downstream
        self._routes = routes
        self._at_once = at_once
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        self._done.set()

    def wake(self) -> None:
        """A row has become due: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Send until stop(). It ends when the attempts that are under way have ended."""
        self._done.clear()
        try:
            while not self._stopping:
                self._wake.clear()
                wait = await self._fill()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            while self._running:
                await asyncio.wait(self._running)
        finally:
            self._done.set()

    async def stop(self, seconds: float = 30.0) -> None:
        """Begin no more attempts, let those under way end, and cut them after `seconds` (their outcome is written too)."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                await self._done.wait()
        except TimeoutError:
            for task in list(self._running):
                task.cancel()
            await self._done.wait()

    async def _fill(self) -> float:
        """Start attempts for rows that are due, as many as there is room for; returns the seconds to wait."""
        room = self._at_once - len(self._running)
        if room <= 0:
            return IDLE_SECONDS
        now = self._clock()
        try:
            rows = await self._store.lease(room, now, now + LEASE)
        except StoreError as error:
            maillog.event("outbox-store-failed", detail=str(error))
            return TROUBLE_SECONDS
        for row in rows:
            task = asyncio.create_task(self._send(row))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return IDLE_SECONDS

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            metrics.child(metrics.faults, "outbox").inc()
            maillog.event("fault", place="outbox", detail=type(error).__name__)

    async def _send(self, row: Leased) -> None:
        attempt = Attempt(row, self._downstream, self._routes(), self._store.open_blob, self._clock)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                outcome = await attempt.make()
        except TimeoutError:
            outcome = attempt.cut_short()
        except asyncio.CancelledError:
            # The row is settled before we go; otherwise it would have to wait for its lease to end.
            await self._settle(row, attempt.cut_short())
            raise
        except Exception as error:
            metrics.child(metrics.faults, "outbox").inc()
            maillog.event("fault", place="outbox", detail=type(error).__name__)
            outcome = attempt.cut_short()
        await self._settle(row, outcome)

    async def _settle(self, row: Leased, outcome: Outcome) -> None:
        outgoing = row.outgoing
        metrics.child(metrics.outgoing, outgoing.kind.value, outcome.state).inc()
        for path in outgoing.recipients:
            maillog.fate(
                outcome.verb,
                outgoing.cause,
                outbox=outgoing.id,
                kind=outgoing.kind.value,
                recipient=str(path.mailbox),
                state=outcome.state,
                reply=outcome.reply,
            )
        try:
            await self._store.settle_outgoing(outgoing.id, outcome.state, outcome.reply, outcome.next_attempt)
        except StoreError as error:  # the lease will end, and then the store treats it as a crash
            maillog.event("outbox-store-failed", id=outgoing.id, state=outcome.state, detail=str(error))
