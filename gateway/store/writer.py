"""One thread that writes: jobs that wait together are committed together, with one fsync (group commit).

Each job runs in a savepoint of its own, so that one that fails takes no other with it. A caller hears of its job only
after the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from gateway.ports import StoreError
from gateway.quarantine.entry import MoveRefused, UnknownEntry
from gateway.store.blobs import BlobMissing
from gateway.store.engine import begin
from gateway.store.faults import Health, Mark, fails_group

GROUP_MAX: Final = 256  # jobs in one transaction
ANSWERS: Final = (StoreError, MoveRefused, UnknownEntry, BlobMissing)  # a job says no: the store is well

T = TypeVar("T")
Values = Sequence[object] | Mapping[str, object]
Row = tuple[str, Values]  # a statement's text and its parameters
Rows = Sequence[Row]  # statements that are the same in many jobs


@dataclass(slots=True, eq=False)
class _Job:
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    work: Callable[[Connection], Any] | None = None
    rows: Rows = ()
    alone: bool = False
    result: Any = None
    error: BaseException | None = None


_rows_of: Callable[[_Job], Rows] = attrgetter("rows")


class Writer:
    """The only writer of this process. Methods are called in the event loop; statements run in the thread."""

    def __init__(self, engine: Engine, health: Health, mark: Mark) -> None:
        self._engine = engine
        self._health = health
        self._mark = mark
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._next: _Job | None = None
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
        return self._put(work, (), alone)

    def submit_rows(self, rows: Rows) -> asyncio.Future[None]:
        """Execute these statements; those of many jobs are executed as one, which is most of the speed."""
        return self._put(None, rows, False)

    def close(self) -> None:
        """Finish what is queued, then end the thread. Blocks."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()

    def _put(self, work: Callable[[Connection], Any] | None, rows: Rows, alone: bool) -> asyncio.Future[Any]:
        if self._stopping:
            raise self._health.note(RuntimeError("the store is closed"))
        self._health.check()
        loop = asyncio.get_running_loop()
        job = _Job(loop.create_future(), loop, work, rows, alone)
        self._queue.put(job)
        return job.future

    # ---- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while group := self._collect():
                try:
                    self._commit(connection, group)
                except BaseException as error:  # whatever it is, the callers must hear of it, and the thread go on
                    failure = self._health.note(error)
                    failure.__cause__ = error
                    for job in group:
                        job.error = failure
                _answer(group)

    def _collect(self) -> list[_Job]:
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

    def _commit(self, connection: Connection, group: list[_Job]) -> None:
        self._health.check()
        if all(map(_rows_of, group)) and self._commit_rows(connection, group):
            return
        with connection.begin():
            self._rows_together(connection, [job for job in group if job.rows])
            for job in group:
                if job.work is not None:
                    _attempt(connection, job, job.work, self._health)
            self._mark("before commit")
        self._mark("after commit")

    def _commit_rows(self, connection: Connection, group: list[_Job]) -> bool:
        """A group of nothing but rows, as most are: False, and nothing is written, when one of the rows is refused."""
        driver: Any = connection.connection.driver_connection
        begin(driver)
        try:
            try:
                _execute(driver, chain.from_iterable(map(_rows_of, group)))
            except Exception as error:
                if fails_group(error):
                    raise
                driver.execute("ROLLBACK")
                return False
            self._mark("before commit")
            driver.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # there may be none left to roll back; the first error counts
                driver.execute("ROLLBACK")
            raise
        self._mark("after commit")
        return True

    def _rows_together(self, connection: Connection, jobs: list[_Job]) -> None:
        """All rows of all jobs at once; when any is refused, job by job to find out whose it was."""
        if not jobs:
            return
        together = _Job(jobs[0].future, jobs[0].loop)
        _attempt(connection, together, partial(_execute_in, rows=[row for job in jobs for row in job.rows]))
        if together.error is not None:
            for job in jobs:
                _attempt(connection, job, partial(_execute_in, rows=job.rows), self._health)


def _execute_in(connection: Connection, rows: Rows) -> None:
    """Straight through the driver: SQLAlchemy's own way costs more than SQLite's work on these statements."""
    _execute(connection.connection.driver_connection, rows)


def _execute(driver: Any, rows: Iterable[Row]) -> None:
    many: dict[str, list[Values]] = {}
    for text, values in rows:
        many.setdefault(text, []).append(values)
    for text, values_of_all in many.items():
        driver.executemany(text, values_of_all)


def _attempt(
    connection: Connection, job: _Job, work: Callable[[Connection], Any], health: Health | None = None
) -> None:
    try:
        with connection.begin_nested():
            job.result = work(connection)
    except Exception as error:
        if fails_group(error):
            raise
        if health is None or isinstance(error, ANSWERS):
            job.error = error
        else:
            job.error = health.note(error)
            job.error.__cause__ = error


def _answer(group: list[_Job]) -> None:
    """Wake the callers: one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake, jobs)
        except RuntimeError:  # the loop is closed: what was written stays written, and nobody waits to hear it
            continue


def _wake(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled meanwhile; its write stands
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
