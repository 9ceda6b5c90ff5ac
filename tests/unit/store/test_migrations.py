"""Migrations: killed at every statement, by two at once, beside workers of the version before (O-9).

There is one schema so far, so the steps are made for the test; everything around them is the gateway's own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.quarantine.entry import State
from gateway.store import migrate
from gateway.store.migrate import CannotStart
from tests.support.store_samples import NOW
from tests.support.stores import CLERK, fill, hold, open_store
from tests.unit.store import migrating_store

ROOT = Path(__file__).parents[3]


def start(folder: Path, version: int, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.store.migrating_store", *map(str, (folder, version, *more))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def run(folder: Path, version: int, *more: object) -> tuple[int, str]:
    child = start(folder, version, *more)
    output, _ = child.communicate(timeout=100)
    return child.returncode, output


def ask(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def schema(database: Path) -> list[tuple[object, ...]]:
    return ask(database, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name")


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A store of the first schema with mail in it."""
    folder = tmp_path / "old"
    store = open_store(folder)
    await fill(store)
    await store.close()
    return folder


async def test_O9_killed_at_each_statement_it_starts_again(old, tmp_path, monkeypatch):
    """After every kill the store is of one version, whole, and the next start ends what was begun."""
    run(shutil.copytree(old, tmp_path / "goal"), 3)
    goal, before = schema(tmp_path / "goal" / "gateway.db"), schema(old / "gateway.db")
    code, output = run(old, 3, "--kill-at-each", tmp_path / "at")
    *killed, last = output.splitlines()
    assert (code, last) == (0, "open")
    monkeypatch.setattr(migrate, "VERSION", 3)
    monkeypatch.setattr(migrate, "STEPS", {1: migrating_store.credit, 2: migrating_store.obligations})
    versions = []
    for number in range(len(killed)):
        folder = tmp_path / "at" / str(number)
        database = folder / "gateway.db"
        [(version,)] = ask(database, "SELECT version FROM schema_version")
        versions.append(version)
        assert (schema(database) == before) == (version == 1)
        if version > 1:
            assert ask(folder / "gateway.db.schema-1", "SELECT version FROM schema_version") == [(1,)]
        await open_store(folder).close()
        assert schema(database) == goal
        assert ask(database, "PRAGMA integrity_check") == [("ok",)]
        assert ask(database, "SELECT count(*) FROM obligations") == ask(database, "SELECT count(*) FROM entries")
        assert not list(folder.glob(".*.part"))
    assert versions == sorted(versions)
    assert set(versions) == {1, 2, 3}
    words = [line.split()[1] for line in killed]
    assert sum(word.startswith("COMMIT") for word in words) >= 3
    assert sum(word.startswith(("ALTER", "CREATE", "UPDATE_entries", "INSERT_INTO_obl")) for word in words) == 6


def test_O9_of_many_that_start_at_once_one_migrates(old):
    children = [start(old, 3) for _ in range(4)]
    assert [child.communicate(timeout=60)[0] for child in children] == ["open\n"] * 4
    assert [child.returncode for child in children] == [0] * 4
    assert ask(old / "gateway.db", "SELECT version FROM schema_version") == [(3,)]
    assert ask(old / "gateway.db.schema-1", "SELECT version FROM schema_version") == [(1,)]


async def test_O9_old_worker_goes_on_beside_a_migrated_store(old):
    """Nodes roll: what is open stays open, and a worker of the version before can even be begun anew."""
    worker = open_store(old)
    earlier = await hold(worker, "trước")
    assert run(old, 2) == (0, "open\n")
    after = await hold(worker, "sau")
    await worker.release(earlier.id, CLERK, NOW)
    await worker.reopen()
    assert (await worker.entry(after.id)).state is State.HELD
    assert (await worker.entry(earlier.id)).state is State.RELEASING
    await hold(worker, "và sau nữa")
    assert await worker.verify() == []
    await worker.close()
    assert run(old, 2) == (0, "open\n")


async def test_O9_two_versions_back_or_a_step_that_breaks_is_refused(old, tmp_path):
    breaking = shutil.copytree(old, tmp_path / "breaking")
    worker = open_store(old)
    assert run(old, 3)[0] == run(breaking, 2, 1)[0] == 0
    for folder, version in ((old, 3), (breaking, 2)):
        before = schema(folder / "gateway.db")
        with pytest.raises(
            CannotStart, match=f"schema {version}, this one knows 1.*install that version again, or"
        ) as told:
            open_store(folder)
        assert "\n" not in str(told.value)
        assert schema(folder / "gateway.db") == before
    with pytest.raises(CannotStart):
        await worker.reopen()


def test_O9_refusal_is_one_sentence_and_its_exit_status_says_that_trying_again_is_of_no_use(old, tmp_path):
    assert run(old, 3)[0] == 0
    shutil.move(old, tmp_path / "var")
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78
    assert [line for line in done.stderr.splitlines() if "newer gateway" in line]
    assert "Traceback" not in done.stderr


async def test_copies_before_migrations_are_kept_and_not_for_ever(old, monkeypatch):
    for version in range(1, 6):
        monkeypatch.setattr(migrate, "VERSION", version + 1)
        add = f"CREATE TABLE new_{version} (id VARCHAR)"
        monkeypatch.setattr(migrate, "STEPS", {version: lambda c, add=add: c.exec_driver_sql(add)})
        await open_store(old).close()
    assert sorted(path.name for path in old.glob("gateway.db.schema-*")) == [
        f"gateway.db.schema-{n}" for n in (3, 4, 5)
    ]


async def test_copy_of_long_ago_is_replaced(old, monkeypatch):
    """Else who goes back after a second upgrade would find the store of the first."""
    (old / "gateway.db.schema-1").write_bytes(b"of last year")
    monkeypatch.setattr(migrate, "VERSION", 2)
    monkeypatch.setattr(migrate, "STEPS", {1: lambda c: c.exec_driver_sql("CREATE TABLE new (id VARCHAR)")})
    await open_store(old).close()
    assert ask(old / "gateway.db.schema-1", "SELECT count(*) FROM entries") == [(3,)]


async def test_without_room_for_the_copy_nothing_is_migrated(old, monkeypatch):
    """A folder stands where the copy is to be written, as the nearest thing to a disk that takes no more."""
    (old / "gateway.db.schema-1").mkdir()
    monkeypatch.setattr(migrate, "VERSION", 2)
    monkeypatch.setattr(migrate, "STEPS", {1: lambda c: c.exec_driver_sql("CREATE TABLE new (id VARCHAR)")})
    with pytest.raises(CannotStart, match=r"not migrated: the copy before it, gateway.db.schema-1, cannot be written"):
        open_store(old)
    assert ask(old / "gateway.db", "SELECT version FROM schema_version") == [(1,)]
    assert not list(old.glob(".*.part"))
