"""The writer's short way for groups of rows: what is refused falls alone, and a failure at the commit is final (R-4)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from gateway.ports import StoreError
from gateway.store.settling import rows
from gateway.store.sqlite import SqliteStore
from gateway.store.writer import Rows
from tests.support.store_samples import record, settlement


async def settled_together(store: SqliteStore, *ids: str | None) -> list[str]:
    """Settle these records in one group: the writer is kept busy until all of them wait."""
    gate = threading.Event()
    held_up = store._core.writer.submit(lambda _: gate.wait(10))
    await asyncio.sleep(0.05)
    work = [asyncio.create_task(store.settle(settlement(record(id=one)))) for one in ids]
    await asyncio.sleep(0)
    gate.set()
    await held_up
    return list(await asyncio.gather(*work))


async def test_a_refused_row_takes_no_other_with_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    try:
        outcomes = await settled_together(store, "7K2M-AAAA-0001", None, "7K2M-AAAA-0003")
        assert outcomes == ["done", "spilled", "done"]
        assert store.healthy() == ""
    finally:
        await store.close()
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        kept = database.execute("SELECT id FROM records ORDER BY id").fetchall()
    assert kept == [("7K2M-AAAA-0001",), ("7K2M-AAAA-0003",)]


async def test_the_same_record_twice_in_one_group_is_one_row(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    try:
        assert await settled_together(store, "7K2M-BBBB-0001", "7K2M-BBBB-0001") == ["done", "done"]
    finally:
        await store.close()
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        assert database.execute("SELECT count(*) FROM records").fetchone() == (1,)


async def test_R4_a_failure_before_the_commit_is_rolled_back_and_told(tmp_path: Path) -> None:
    failing = threading.Event()

    def mark(point: str) -> None:
        if point == "before commit" and failing.is_set():
            raise sqlite3.OperationalError("disk I/O error")

    store = SqliteStore(tmp_path / "gateway.db", tmp_path, mark=mark)
    try:
        failing.set()
        with pytest.raises(StoreError):
            await store._core.writer.submit_rows(_rows("7K2M-CCCC-0001", store))
        failing.clear()
        await store._core.writer.submit_rows(_rows("7K2M-CCCC-0002", store))
    finally:
        await store.close()
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        assert database.execute("SELECT id FROM records").fetchall() == [("7K2M-CCCC-0002",)]


def _rows(record_id: str, store: SqliteStore) -> Rows:
    return rows(settlement(record(id=record_id)), store._core.dialect)
