"""The writer's short way for groups of rows: what is refused falls alone, and a failure at the commit is final (R-4)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.ports import OutgoingKind, StoreError
from gateway.store.settling import job, rows
from gateway.store.sqlite import SqliteStore
from gateway.store.writer import Rows
from tests.support.store_samples import NOW, entry, fails_while, held_record, message, outgoing, record, settlement


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
    store = SqliteStore(tmp_path / "gateway.db", tmp_path, mark=fails_while(failing))
    try:
        failing.set()
        with pytest.raises(StoreError):
            await store._core.writer.submit_rows(_rows("7K2M-CCCC-0001"))
        failing.clear()
        await store._core.writer.submit_rows(_rows("7K2M-CCCC-0002"))
    finally:
        await store.close()
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        assert database.execute("SELECT id FROM records").fetchall() == [("7K2M-CCCC-0002",)]


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("key", [b"", b"k" * 32])
async def test_the_short_way_writes_what_the_long_way_writes(tmp_path: Path, prepared: bool, key: bytes) -> None:
    """Rows by position against rows by name: the columns of every table are the same."""
    one = settlement(record(id="7K2M-DDDD-0001", fates=(("vanthu@longan.edu.vn", "held", "r"),), notice="due d"))
    one = replace(one, prepared=prepared, key=key, key_until=NOW + timedelta(hours=48) if key else None)
    for name in ("short", "long"):
        store = SqliteStore(tmp_path / name, tmp_path / f"{name}-state")
        try:
            if name == "short":
                await store.settle(one)
            else:
                await store._core.write(job(one, NOW))
        finally:
            await store.close()
    assert _tables(tmp_path / "short") == _tables(tmp_path / "long")
    assert len(_tables(tmp_path / "short")["records"]) == 1
    assert len(_tables(tmp_path / "short")["unheard"]) == bool(key)


async def test_r8_both_ways_confirm_what_was_prepared(tmp_path: Path) -> None:
    mail = message()
    for name in ("short", "long"):
        store = SqliteStore(tmp_path / name, tmp_path / f"{name}-state", clock=lambda: NOW)
        try:
            kept = entry(mail, "7K2M-EEEE-0001")
            await store.prepare(mail, kept, [outgoing(OutgoingKind.RELAY, kept.id)])
            one = settlement(held_record(kept))
            if name == "short":
                await store.settle(one)
            else:
                await store._core.write(job(one, NOW))
            assert await store.counts() == {"entries held": 1, "outbox due": 1}
        finally:
            await store.close()


def _tables(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(database) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("records", "unheard")}


def _rows(record_id: str) -> Rows:
    return rows(settlement(record(id=record_id)))
