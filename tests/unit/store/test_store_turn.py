"""Rows committed in the event loop: grouped by its turns, never waiting, and left to the thread where that is better."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.ports import StoreError
from gateway.store import turn as turning
from gateway.store.committing import Job, RowCommitter
from gateway.store.engine import quick_connection
from gateway.store.faults import Health, no_mark
from gateway.store.sqlite import SqliteStore
from gateway.store.turn import CHECKPOINT_AFTER, QUICK, REST, SLOW_MAX, STALL, TURN_MAX, Turn
from tests.support.store_samples import fails_while, record, settlement

INSERT = "INSERT INTO kept VALUES (?)"


class Clock:
    """Each commit takes as long as the test says."""

    def __init__(self) -> None:
        self.now, self.taken, self._begins = 0.0, 0.0, True

    def __call__(self) -> float:
        self.now += 0 if self._begins else self.taken
        self._begins = not self._begins
        return self.now

    def wait(self, seconds: float) -> None:
        """No commit is under way."""
        self.now, self._begins = self.now + seconds, True


class Bench:
    """A turn without a store: its connection, what it left to the thread, and its clock."""

    def __init__(self, database: Path) -> None:
        self.connection = quick_connection(database)
        self.connection.execute("CREATE TABLE IF NOT EXISTS kept (n PRIMARY KEY)")
        self.health, self.clock = Health(), Clock()
        self.thread: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.turn = Turn(RowCommitter(self.connection, self.health, no_mark), self.thread, self.clock)

    def add(self, number: int) -> Job:
        loop = asyncio.get_running_loop()
        job = Job(loop.create_future(), loop, rows=[(INSERT, (number,))])
        self.turn.add(job)
        return job

    def left(self) -> int:
        """Jobs that wait for the thread; they are taken away."""
        count = self.thread.qsize()
        while not self.thread.empty():
            self.thread.get()
        return count

    def kept(self) -> list[int]:
        return [number for (number,) in self.connection.execute("SELECT n FROM kept ORDER BY n")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "turn.db")
    with closing(made.connection):
        yield made


async def committed_here(bench: Bench, number: int) -> bool:
    job = bench.add(number)
    bench.clock.wait(0)
    await asyncio.sleep(0)
    if bench.left():
        return False
    await job.future
    return True


async def test_rows_of_one_turn_are_one_commit(bench: Bench) -> None:
    statements: list[str] = []
    bench.connection.set_trace_callback(statements.append)
    jobs = [bench.add(number) for number in range(5)]
    assert not statements  # nothing is written before the turn ends
    await asyncio.gather(*(job.future for job in jobs))
    assert [text for text in statements if text in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert bench.kept() == [0, 1, 2, 3, 4]


async def test_nobody_is_answered_before_the_commit(tmp_path: Path) -> None:
    """R-1: at the last point before the commit no caller has heard anything."""
    seen: list[bool] = []
    jobs: list[Job] = []
    bench = Bench(tmp_path / "turn.db")

    def mark(point: str) -> None:
        seen.append(any(job.future.done() for job in jobs))

    bench.turn = Turn(RowCommitter(bench.connection, bench.health, mark), bench.thread, bench.clock)
    with closing(bench.connection):
        jobs.append(bench.add(1))
        await jobs[0].future
    assert seen == [False, False]  # before the commit, and right behind it


async def test_a_taken_write_lock_is_not_waited_for(bench: Bench, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "turn.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not await committed_here(bench, 1)
        other.execute("COMMIT")
    assert bench.kept() == []
    assert await committed_here(bench, 1)


async def test_a_refused_row_writes_nothing_and_is_left_to_the_thread_with_its_group(bench: Bench) -> None:
    assert await committed_here(bench, 1)
    jobs = [bench.add(2), bench.add(1)]
    await asyncio.sleep(0)
    assert bench.left() == 2
    assert not any(job.future.done() for job in jobs)
    assert bench.kept() == [1]
    bench.health.check()  # the store is well: somebody gave it a row that is there


async def test_what_waits_for_the_thread_goes_first(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    bench.thread.put(Job(loop.create_future(), loop))
    bench.add(1)
    await asyncio.sleep(0)
    assert bench.left() == 2


async def test_a_large_turn_goes_to_the_thread(bench: Bench) -> None:
    for number in range(TURN_MAX + 1):
        bench.add(number)
    await asyncio.sleep(0)
    assert bench.left() == TURN_MAX + 1


async def test_the_thread_gets_a_commit_in_time_for_a_checkpoint(bench: Bench) -> None:
    here = [await committed_here(bench, number) for number in range(CHECKPOINT_AFTER + 2)]
    assert here.index(False) == CHECKPOINT_AFTER
    assert here.count(False) == 1


async def test_a_slow_disk_is_left_to_the_thread_for_a_while(bench: Bench) -> None:
    bench.clock.taken = QUICK * 2
    assert [await committed_here(bench, number) for number in range(SLOW_MAX)] == [True] * SLOW_MAX
    assert not await committed_here(bench, 100)
    bench.clock.wait(REST)
    bench.clock.taken = 0
    assert await committed_here(bench, 101)


async def test_a_slow_commit_now_and_then_is_nothing(bench: Bench) -> None:
    for number in range(20):
        bench.clock.taken = 0 if number % SLOW_MAX == 2 else QUICK * 2
        assert await committed_here(bench, number)


async def test_one_stall_is_enough(bench: Bench) -> None:
    bench.clock.taken = STALL * 2
    assert await committed_here(bench, 1)
    assert not await committed_here(bench, 2)


async def test_R4_a_failed_commit_is_told_to_all_and_not_tried_again(tmp_path: Path) -> None:
    failing = threading.Event()
    store = SqliteStore(tmp_path / "gateway.db", tmp_path, mark=fails_while(failing))
    try:
        await store.settle(settlement(record(id="7K2M-AAAA-0000")))
        failing.set()
        failures = await asyncio.gather(
            *(store._core.writer.submit_rows([("DELETE FROM records WHERE id = ?", ("x",))]) for _ in range(3)),
            return_exceptions=True,
        )
        failing.clear()
    finally:
        await store.close()
    assert [type(failure) for failure in failures] == [StoreError] * 3


async def test_close_commits_what_came_in_the_last_turn(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    settling = asyncio.create_task(store.settle(settlement(record(id="7K2M-ZZZZ-0001"))))
    await asyncio.sleep(0)  # it has begun, and its turn has not ended
    await store.close()
    assert await settling == "done"
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        assert database.execute("SELECT id FROM records").fetchall() == [("7K2M-ZZZZ-0001",)]


async def test_two_processes_commit_side_by_side(tmp_path: Path) -> None:
    """F-24: two stores, as in two workers, write at once; nothing is lost and nothing spilled."""
    first, second = (SqliteStore(tmp_path / "gateway.db", tmp_path) for _ in range(2))
    try:
        outcomes = await asyncio.gather(
            *(
                store.settle(settlement(record(id=f"7K2M-{name}-{number:04}")))
                for name, store in (("AAAA", first), ("BBBB", second))
                for number in range(100)
            )
        )
    finally:
        await first.close()
        await second.close()
    assert set(outcomes) == {"done"}
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        assert database.execute("SELECT count(*) FROM records").fetchone() == (200,)


def test_limits_fit_the_checkpoint() -> None:
    """A commit writes some nine pages: the thread's turn comes before the log is much larger than it was meant to be."""
    from gateway.store.engine import CHECKPOINT_PAGES

    assert 9 * turning.CHECKPOINT_AFTER <= CHECKPOINT_PAGES
