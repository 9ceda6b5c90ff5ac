"""One connection that writes: jobs that wait together are committed together, with one fsync (group commit).

Each job runs in a savepoint of its own, so that one that fails takes no other with it. A caller hears of its job only
after the commit. Jobs run in a thread. What is only rows is committed in the event loop itself, at the end of the turn
in which it came, while disk and database are quick and nobody else is writing: waking a thread, and being woken by it,
takes longer than such a commit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from gateway.store.committing import ANSWERS, Committer, Job, Row, Rows
from gateway.store.faults import Health, Mark

__all__ = ["ANSWERS", "Row", "Rows", "Writer"]

GROUP_MAX: Final = 256  # jobs in one transaction
TURN_MAX: Final = 32  # jobs in one transaction in the event loop
QUICK: Final = 0.002  # seconds that the event loop may be held up by a commit ...
SLOW_FOR: Final = 10.0  # ... and seconds for which all commits go to the thread after one took longer

T = TypeVar("T")


class Writer:
    """The only writer of this process. Methods are called in the event loop; work is run in the thread."""

    def __init__(self, engine: Engine, health: Health, mark: Mark) -> None:
        self._engine = engine
        self._health = health
        self._mark = mark
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._next: Job | None = None
        self._turn: list[Job] = []  # rows that came in this turn of the event loop
        self._stopping = False
        self._slow_until = 0.0  # monotonic time
        self._committer: Committer | None = None
        self._use = threading.Lock()  # of the committer
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, work: Callable[[Connection], T], *, alone: bool = False) -> asyncio.Future[T]:
        """Run `work` in a savepoint; the future ends after the commit. `alone`: in a transaction of its own.

        Raises StoreError, at once or in the future.
        """
        job = self._job(work, (), alone=alone)
        self._queue.put(job)
        return job.future

    def submit_rows(self, rows: Rows) -> asyncio.Future[None]:
        """Execute these statements; those of many jobs are executed as one, which is most of the speed."""
        job = self._job(None, rows)
        turn = self._turn
        if turn and turn[0].loop is not job.loop:
            self._queue.put(job)
            return job.future
        turn.append(job)
        if len(turn) == 1:
            job.loop.call_soon(self.end_turn)
        return job.future

    def end_turn(self) -> None:
        """Commit the rows that came in this turn of the event loop, or leave them to the thread."""
        group, self._turn = self._turn, []
        if not group:
            return
        if self._commits_here(group):
            _wake(group)
        else:
            for job in group:
                self._queue.put(job)

    def stop(self) -> None:
        """Take no more jobs; what has come is committed."""
        self._stopping = True
        self.end_turn()

    def close(self) -> None:
        """After stop(): finish what is queued, then end the thread. Blocks."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()

    def _job(self, work: Callable[[Connection], Any] | None, rows: Rows, *, alone: bool = False) -> Job:
        if self._stopping:
            raise self._health.note(RuntimeError("the store is closed"))
        self._health.check()
        loop = asyncio.get_running_loop()
        return Job(loop.create_future(), loop, work, rows, alone)

    def _commits_here(self, group: Sequence[Job]) -> bool:
        """Whether they were committed, or failed. Nobody is waited for: neither the thread nor another process."""
        begun = time.monotonic()
        if begun < self._slow_until or len(group) > TURN_MAX or not self._use.acquire(blocking=False):
            return False
        try:
            if self._committer is None or not self._queue.empty():
                return False
            done = self._committer.commit_at_once(group)
        finally:
            self._use.release()
        ended = time.monotonic()
        if ended - begun > QUICK:
            self._slow_until = ended + SLOW_FOR
        return done

    # ---- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._engine.connect() as connection:
            self._committer = committer = Committer(connection, self._health, self._mark)
            while group := self._collect():
                with self._use:
                    committer.commit(group)
                _answer(group)
            with self._use:
                self._committer = None

    def _collect(self) -> list[Job]:
        """What waits now, up to GROUP_MAX; empty at the end."""
        first, self._next = self._next or self._queue.get(), None
        if first is None or first.alone:
            return [first] if first else []
        group = [first]
        while len(group) < GROUP_MAX and not self._queue.empty():  # nobody else takes from it
            job = self._queue.get_nowait()
            if job is None:
                self._queue.put(None)
                break
            if job.alone:
                self._next = job
                break
            group.append(job)
        return group


def _answer(group: Sequence[Job]) -> None:
    """Wake the callers: one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake, jobs)
        except RuntimeError:  # the loop is closed: what was written stays written, and nobody waits to hear it
            continue


def _wake(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled meanwhile; its write stands
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
