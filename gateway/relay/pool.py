"""Connections to one route, kept for the next transaction, and never more of them than agreed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from gateway import maillog, metrics
from gateway.envelope.reply import DOWNSTREAM_BUSY
from gateway.relay.connection import Connection
from gateway.relay.verdict import Refused

Opener = Callable[[], Awaitable[Connection]]
Fits = Callable[[Connection], bool]


# Under pressure a client may be silent for this long before another gets its connection (safety R-19, S-22).
PRESSED_SECONDS = 10.0
LOOK_SECONDS = 1.0  # between two looks for a connection that nobody uses


class Borrower(Protocol):
    """Who holds a connection of the pool."""

    def surrender(self, unused_for: float) -> bool:
        """Give the connection back now, if it has not been used for so many seconds. Whether it was given back."""


class _Idle(NamedTuple):
    connection: Connection
    since: float  # monotonic seconds


class Pool:
    """At most `limit` connections; who waits is served in order, and not for longer than `patience` seconds."""

    def __init__(self, opener: Opener, *, limit: int, idle: float, patience: float) -> None:
        self._open = opener
        self._limit = limit
        self._idle_seconds = idle
        self._patience = patience
        self._turns = asyncio.Semaphore(limit)  # FIFO
        self._idle: deque[_Idle] = deque()  # oldest first
        self._busy = 0
        self._borrowers: dict[Borrower, None] = {}  # who borrowed first, first
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, fits: Fits) -> tuple[Connection, bool]:
        """A connection, and whether it was used before. Raises Refused."""
        await self._begin_turn()
        self._busy += 1
        try:
            if connection := self._reuse(fits):
                return connection, True
            return await self._open(), False
        except BaseException:
            self._end_turn()
            raise

    async def renew(self, dead: Connection) -> Connection:
        """A fresh connection in the place of a taken one that proved dead. Raises Refused, and the place is given back."""
        dead.abort()
        try:
            return await self._open()
        except BaseException:
            self._end_turn()
            raise

    def give(self, connection: Connection) -> None:
        """Back from a transaction; kept only when both sides agree that nothing is owed and nothing has begun."""
        self._end_turn()
        if not connection.usable:
            connection.abort()
        elif self._closed or not self._idle_seconds:
            connection.quit()
        else:
            self._idle.append(_Idle(connection, time.monotonic()))
            self._tidy()

    async def close(self) -> None:
        """Close what is idle; what is busy is closed when it comes back."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            self._idle.popleft().connection.quit()

    def lent_to(self, borrower: Borrower) -> None:
        """`borrower` holds a connection, until forget()."""
        self._borrowers[borrower] = None

    def forget(self, borrower: Borrower) -> None:
        self._borrowers.pop(borrower, None)

    def _reclaim(self) -> bool:
        """Take a connection from a transaction whose client is silent: it is rebuilt when the client goes on (R-15).

        Without this, clients that say MAIL and then nothing would keep everybody else out.
        """
        return any(borrower.surrender(PRESSED_SECONDS) for borrower in tuple(self._borrowers))

    async def _begin_turn(self) -> None:
        """Raises Refused."""
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._wait_for_turn()
        except TimeoutError:
            metrics.child(metrics.downstream_faults, "pool exhausted").inc()
            maillog.event("downstream-pool-exhausted", limit=self._limit)
            raise Refused(DOWNSTREAM_BUSY, "all connections are busy") from None

    async def _wait_for_turn(self) -> None:
        turn = asyncio.ensure_future(self._turns.acquire())
        try:
            done: set[asyncio.Future[Any]] = set()
            while not done:
                self._reclaim()
                done, _ = await asyncio.wait([turn], timeout=LOOK_SECONDS)
        except BaseException:
            if not turn.cancel():
                self._turns.release()  # it had come, and nobody takes it
            raise

    def _end_turn(self) -> None:
        self._busy -= 1
        self._turns.release()

    def _reuse(self, fits: Fits) -> Connection | None:
        """The connection used last that fits; the server is least likely to have lost patience with it."""
        self._tidy()
        for place in reversed(self._idle):
            if fits(place.connection):
                self._idle.remove(place)
                return place.connection
        if self._busy + len(self._idle) > self._limit:
            self._idle.popleft().connection.quit()  # none fits, and there is no room for one more
        return None

    def _tidy(self) -> None:
        """Drop what is dead or has been idle for too long, and come back when the next one is due, or sooner."""
        now = time.monotonic()
        over = [p for p in self._idle if not p.connection.usable or now - p.since >= self._idle_seconds]
        for place in over:
            self._idle.remove(place)
            place.connection.quit()
        if self._idle and self._timer is None:
            due = self._idle[0].since + self._idle_seconds - now
            self._timer = asyncio.get_running_loop().call_later(due + 0.01, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._tidy()
