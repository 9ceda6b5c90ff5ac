"""A group of jobs becomes one transaction: what is refused falls alone, and a failure at the commit is final (R-4)."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from gateway.ports import StoreError
from gateway.quarantine.entry import MoveRefused, UnknownEntry
from gateway.store.blobs import BlobMissing
from gateway.store.engine import begin, begin_at_once
from gateway.store.faults import Health, Mark, fails_group


class RowRefused(Exception):
    """One of a job's rows breaks a rule of the database; nothing of the job is written."""


ANSWERS: Final = (StoreError, MoveRefused, UnknownEntry, BlobMissing, RowRefused)  # a job says no: the store is well

Row = tuple[str, Sequence[object] | Mapping[str, object]]  # a statement's text and its parameters
Rows = Sequence[Row]  # statements that are the same in many jobs


@dataclass(slots=True, eq=False)
class Job:
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    work: Callable[[Connection], Any] | None = None
    rows: Rows = ()
    alone: bool = False
    result: Any = None
    error: BaseException | None = None


class RowCommitter:
    """Commits rows on a connection of the driver. One thread at a time may use it."""

    def __init__(self, driver: Any, health: Health, mark: Mark) -> None:
        self._driver = driver
        self._health = health
        self._mark = mark

    def commit_at_once(self, group: Sequence[Job]) -> bool:
        """Commit rows without waiting for another connection; each job has its error then, if there was one.

        False, with nothing written, where the write lock is taken or a row is refused: then `Committer.commit` it.
        """
        try:
            self._health.check()
            return begin_at_once(self._driver) and self._commit_rows(group)
        except BaseException as error:  # whatever it is, the callers must hear of it
            self._fail(group, error)
            return True

    def _fail(self, group: Sequence[Job], error: BaseException) -> None:
        failure = self._health.note(error)
        failure.__cause__ = error
        for job in group:
            job.error = failure

    def _commit_rows(self, group: Sequence[Job]) -> bool:
        """The transaction has begun. False, and nothing is written, when one of the rows is refused."""
        driver = self._driver
        try:
            try:
                self._execute(group[0].rows if len(group) == 1 else [row for job in group for row in job.rows])
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

    def _execute(self, rows: Rows) -> None:
        """Straight through the driver: SQLAlchemy's own way costs more than SQLite's work on these statements."""
        execute = self._driver.execute
        if len(dict(rows)) == len(rows):  # those of one message: each statement once
            for text, values in rows:
                execute(text, values)
            return
        many: dict[str, list[Sequence[object] | Mapping[str, object]]] = {}
        for text, values in rows:
            many.setdefault(text, []).append(values)
        for text, values_of_all in many.items():
            if len(values_of_all) == 1:
                execute(text, values_of_all[0])
            else:
                self._driver.executemany(text, values_of_all)


class Committer(RowCommitter):
    """Commits all kinds of jobs, and waits for its turn to write."""

    def __init__(self, connection: Connection, health: Health, mark: Mark) -> None:
        super().__init__(connection.connection.driver_connection, health, mark)
        self._connection = connection

    def commit(self, group: Sequence[Job]) -> None:
        """Commit. Each job has its result or error then; raises nothing."""
        try:
            self._health.check()
            if all(job.rows for job in group):
                begin(self._driver)
                if self._commit_rows(group):
                    return
            self._commit_each(group)
        except BaseException as error:  # and the thread must go on
            self._fail(group, error)

    def _commit_each(self, group: Sequence[Job]) -> None:
        with self._connection.begin():
            self._rows_together([job for job in group if job.rows])
            for job in group:
                if job.work is not None:
                    self._attempt(job, job.work, self._health)
            self._mark("before commit")
        self._mark("after commit")

    def _rows_together(self, jobs: Sequence[Job]) -> None:
        """All rows of all jobs at once; when any is refused, job by job to find out whose it was."""
        if not jobs:
            return
        together = Job(jobs[0].future, jobs[0].loop)
        self._attempt(together, partial(self._work_of, [row for job in jobs for row in job.rows]))
        if together.error is not None:
            for job in jobs:
                self._attempt(job, partial(self._work_of, job.rows), self._health)

    def _work_of(self, rows: Rows, _: Connection) -> None:
        try:
            self._execute(rows)
        except sqlite3.IntegrityError as error:
            raise RowRefused(str(error)) from error

    def _attempt(self, job: Job, work: Callable[[Connection], Any], health: Health | None = None) -> None:
        try:
            with self._connection.begin_nested():
                job.result = work(self._connection)
        except Exception as error:
            if fails_group(error):
                raise
            if health is None or isinstance(error, ANSWERS):
                job.error = error
            else:
                job.error = health.note(error)
                job.error.__cause__ = error


def wake(jobs: Sequence[Job]) -> None:
    """Tell the callers, in their event loop."""
    for job in jobs:
        if job.future.done():  # the caller was cancelled meanwhile; its write stands
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
