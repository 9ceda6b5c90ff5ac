"""One thread that writes: jobs that wait together are committed together, with one fsync (group commit).

Each job runs in a savepoint of its own, so that one that fails takes no other with it. A caller hears of its job only
after the commit. Rows that are the same in many jobs are tried in the event loop first (turn.py).
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from gateway.store.committing import ANSWERS, Committer, Job, Row, RowCommitter, Rows, wake
from gateway.store.faults import Health, Mark
from gateway.store.turn import Turn

__all__ = ["ANSWERS", "Row", "Rows", "Writer"]

GROUP_MAX: Final = 256  # jobs in one transaction

T = TypeVar("T")


class Writer:
    """The only writer of this process. Methods are called in the event loop; work is run in the thread."""

    def __init__(self, engine: Engine, quick: sqlite3.Connection, health: Health, mark: Mark) -> None:
        self._engine = engine
        self._health = health
        self._mark = mark
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._next: Job | None = None
        self._turn = Turn(RowCommitter(quick, health, mark), self._queue)
        self._stopping = False
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
        self._turn.add(job)
        return job.future

    def stop(self) -> None:
        """Take no more jobs; what has come is committed."""
        self._stopping = True
        self._turn.end()

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

    # ---- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._engine.connect() as connection:
            committer = Committer(connection, self._health, self._mark)
            while group := self._collect():
                committer.commit(group)
                _answer(group)

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
            loop.call_soon_threadsafe(wake, jobs)
        except RuntimeError:  # the loop is closed: what was written stays written, and nobody waits to hear it
            continue
