"""kill -9 at marked points, and several processes on one file (safety F-33, F-40; K4, K5, K8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.quarantine.entry import EntryFilter, State
from gateway.register.search import RecordFilter
from gateway.store.sqlite import SqliteStore
from tests.support.store_samples import NOW

ROOT = Path(__file__).parents[3]
ALL = EntryFilter(states=(), limit=1000)


def start(folder: Path, point: str = "never", after: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.store.crashing_store", str(folder), point, str(after)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def promises(output: str) -> dict[str, set[str]]:
    said: dict[str, set[str]] = {word: set() for word in ("begun", "prepared", "settled", "recorded", "finished")}
    for line in output.splitlines():
        word, *rest = line.split()
        said[word].add(rest[0] if rest else "")
    return said


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize("point", ["blob written", "blob synced", "before commit", "after commit"])
async def test_F33_killed_process_keeps_every_promise(tmp_path, point, after):
    child = start(tmp_path, point, after)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    said = promises(output)
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    await store.recover(NOW)
    entries = {entry.id: entry for entry in await store.list_entries(ALL)}
    records = {record.id: record for record in await store.search(RecordFilter(limit=1000))}
    counts = await store.counts()
    assert said["settled"] <= {e.id for e in entries.values() if e.state is State.HELD}
    assert said["prepared"] <= set(entries) <= said["begun"]
    assert said["settled"] | said["recorded"] <= records.keys()
    assert {e.state for e in entries.values()} <= {State.HELD, State.UNCERTAIN}
    # one commit: record, held, due and notice come together or not at all
    held = {e.id for e in entries.values() if e.state is State.HELD}
    assert held == {record for record in records if record.startswith("T-")}
    due = await store.lease(1000, NOW + timedelta(days=3650), NOW + timedelta(days=3651))
    noticed = [
        record for record in held if records[record].notice.startswith("due")
    ]  # the sixth of a day is one too many
    assert sorted(row.outgoing.cause for row in due) == sorted([*held, *noticed])
    assert len(noticed) == min(len(held), 5)
    assert counts.get("outbox waiting", 0) == 0
    assert await store.verify() == []
    # an orphan at most, and it goes in its time
    blobs = {path.name for path in (tmp_path / "blobs").glob("??/*")}
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))
    await store.sweep(NOW)
    assert {path.name for path in (tmp_path / "blobs").glob("??/*")} == {e.digest for e in entries.values()} <= blobs
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []
    await store.close()


async def test_two_processes_write_one_database(tmp_path):
    """They start at once on an empty folder: one makes the schema, and neither loses or doubles anything."""
    children = [start(tmp_path) for _ in range(2)]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    said = [promises(output) for output in outputs]
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    assert await store.recover(NOW) == 0
    entries = await store.list_entries(ALL)
    assert {e.id for e in entries if e.state is State.HELD} == said[0]["settled"] | said[1]["settled"]
    assert len(entries) == 80
    records = await store.search(RecordFilter(limit=1000))
    assert len(records) == 160
    notices = [record.notice for record in records if record.id.startswith("T-")]
    assert notices.count("due directive-1077") == 5  # per_sender_day, over both processes
    assert await store.verify() == []
    await store.close()
