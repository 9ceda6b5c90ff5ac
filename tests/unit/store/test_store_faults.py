"""Disk and database failures, with a real disk and a real database wherever they can be made to fail (F-22 ... F-28)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.ports import StoreError
from gateway.quarantine.entry import EntryFilter
from gateway.register.search import RecordFilter
from gateway.settings import Settings
from gateway.store import engine, migrate
from gateway.store.migrate import CannotStart
from gateway.store.sqlite import SqliteStore, open_store
from tests.support.store_samples import NOW, entry, held_record, message, record, settlement

ROOT = Path(__file__).parents[3]

NO_FSYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int broken(int fd) {
    char link[64], path[4096]; const char *flag = getenv("FAULT");
    if (!flag || access(flag, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strstr(path, getenv("FAULT_IN")) != NULL;
}
int fsync(int fd) {
    if (broken(fd)) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
    if (broken(fd)) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


@pytest.fixture
async def store(tmp_path):
    one = SqliteStore(tmp_path / "gateway.db", tmp_path)
    yield one
    await one.close()


async def hold(store):
    mail = message()
    held = entry(mail)
    await store.prepare(mail, held, ())
    await store.settle(settlement(held_record(held)))
    return held


def test_R5_pragmas(tmp_path):
    with engine.writing_engine(tmp_path / "gateway.db").connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode", "busy_timeout", "foreign_keys")
        }
    assert found == {"synchronous": 2, "journal_mode": "wal", "busy_timeout": 0, "foreign_keys": 1}, (
        "begin() waits for the write lock, nothing else waits"
    )


def test_F24_the_write_lock_is_waited_for_and_had_as_soon_as_it_is_free(tmp_path):
    """Not with SQLite's own back-off, by which the slower of two busy processes waits for half a second."""
    database = tmp_path / "gateway.db"
    with engine.writing_engine(database).connect():
        pass
    holder, waiter = (
        sqlite3.connect(database, isolation_level=None, timeout=0, check_same_thread=False) for _ in range(2)
    )
    holder.execute("BEGIN IMMEDIATE")
    looks: list[float] = []
    waiting = threading.Thread(target=engine.begin, args=(waiter,))
    waiter.set_trace_callback(lambda _: looks.append(time.monotonic()))
    waiting.start()
    while len(looks) < 200:  # far more looks than SQLite makes in five seconds
        assert waiting.is_alive()
        time.sleep(0.01)
    holder.execute("COMMIT")
    waiting.join()
    assert waiter.in_transaction


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler")
@pytest.mark.parametrize("where", ["gateway.db", "blobs"])
def test_R4_failed_fsync_is_final_until_reopened(tmp_path, where):
    source, library = tmp_path / "nofsync.c", tmp_path / "nofsync.so"
    source.write_text(NO_FSYNC)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    script = textwrap.dedent(
        """
        import asyncio, os, pathlib, sys
        from gateway.ports import StoreError
        from gateway.store.sqlite import SqliteStore
        from tests.support.store_samples import entry, message
        state = pathlib.Path(sys.argv[1])
        flag = pathlib.Path(os.environ["FAULT"])
        async def refused(store, text):
            mail = message(text)
            try:
                await store.prepare(mail, entry(mail), ())
            except StoreError as error:
                return str(error.reply).split(" ")[:2]
        async def main():
            store = SqliteStore(state / "gateway.db", state)
            assert await refused(store, "one") is None
            flag.touch()
            assert await refused(store, "two") == ["451", "4.3.0"]
            assert store.healthy()
            flag.unlink()
            assert await refused(store, "three") == ["451", "4.3.0"], "fsync must not be asked again"
            assert await store.probe() != ""
            await store.reopen()
            assert store.healthy() == "" == await store.probe()
            assert await refused(store, "three") is None
            await store.close()
        asyncio.run(main())
        """
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAULT": str(tmp_path / "flag"),
        "FAULT_IN": f"/{where}",
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "state")], check=True, env=environment, timeout=60)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_F23_disk_full_is_452_and_mail_flows_again_when_there_is_room(small_disk):
    store = SqliteStore(small_disk / "gateway.db", small_disk)
    mail = message(os.urandom(2_000_000).hex())
    with pytest.raises(StoreError) as full:
        await store.prepare(mail, entry(mail), ())
    assert (full.value.reply.code, full.value.reply.enhanced) == (452, "4.3.1")
    assert [p for p in (small_disk / "blobs").rglob("*") if p.is_file()] == []
    assert store.healthy() == ""
    assert store.room() < 1024 * 1024
    await hold(store)
    await store.close()


async def reply_of(store, mail):
    """What the client hears of one more held message; None when it is kept."""
    try:
        await store.prepare(mail, entry(mail, trace=["x" * 4000]), ())
    except StoreError as error:
        return error.reply
    return None


async def test_F23_database_full_is_452_or_spilled(small_disk):
    store = SqliteStore(small_disk / "gateway.db", small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(max(0, store.room() - 20_000)))
    small = message()
    while (reply := await reply_of(store, small)) is None:
        assert store.room() > 0
    assert (reply.code, reply.enhanced) == (452, "4.3.1")
    ballast.unlink()
    one = record()
    assert await store.settle(settlement(one)) == "done"
    assert store.healthy() == ""
    await store.close()


async def limit_pages(store, pages):
    """For both connections that write: the thread's and the event loop's."""
    await store._core.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    store._core._quick.execute(f"PRAGMA max_page_count={pages}")


async def test_database_full_inside_a_group_fails_all_and_loses_none(store):
    before = record()
    await store.settle(settlement(before))
    (pages,) = store._core._quick.execute("PRAGMA page_count").fetchone()
    await limit_pages(store, pages)
    big = record(subject="x" * 500_000)
    assert await store.settle(settlement(big)) == "spilled"
    await limit_pages(store, 1_000_000)
    assert await store.import_spill() == 1
    assert {r.id for r in await store.search(RecordFilter())} == {before.id, big.id}


async def test_F24_locked_database_is_451_and_does_not_latch(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 50)
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    mail = message()
    with pytest.raises(StoreError) as locked:
        await store.prepare(mail, entry(mail), ())
    assert (locked.value.reply.code, locked.value.reply.enhanced) == (451, "4.3.0")
    assert store.healthy() == ""
    assert store.unheard(b"k" * 32) is None  # a reader does not wait for the writer
    other.execute("ROLLBACK")
    other.close()
    await hold(store)
    await store.close()


async def test_spill_that_fails_too_is_an_error(store, tmp_path):
    store._core.health.reason = "the disk is gone"
    (tmp_path / f"spill-{os.getpid()}.jsonl").mkdir()
    with pytest.raises(StoreError):
        await store.settle(settlement(record()))


async def test_F25_damaged_database_is_not_started(tmp_path):
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    for _ in range(50):
        await store.settle(settlement(record()))
    await store.close()
    octets = bytearray((tmp_path / "gateway.db").read_bytes())
    octets[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    (tmp_path / "gateway.db").write_bytes(octets)
    with pytest.raises(CannotStart, match="restore a backup"):
        SqliteStore(tmp_path / "gateway.db", tmp_path)


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_F25_file_that_is_no_database_is_not_started(tmp_path, content):
    (tmp_path / "gateway.db").write_bytes(content)
    with pytest.raises(CannotStart, match="restore a backup"):
        SqliteStore(tmp_path / "gateway.db", tmp_path)


def test_O9_newer_schema_is_refused_and_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "gateway.db") as newer:
        newer.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        newer.execute("INSERT INTO schema_version VALUES (99)")
    newer.close()
    with pytest.raises(CannotStart, match="newer gateway"):
        SqliteStore(tmp_path / "gateway.db", tmp_path)
    with sqlite3.connect(tmp_path / "gateway.db") as newer:
        assert [name for (name,) in newer.execute("SELECT name FROM sqlite_master")] == ["schema_version"]
    newer.close()


async def test_O9_step_that_fails_leaves_the_old_schema_and_a_copy(tmp_path, monkeypatch):
    database = tmp_path / "gateway.db"
    store = SqliteStore(database, tmp_path)
    held = await hold(store)
    await store.close()

    def half(connection):
        connection.exec_driver_sql("ALTER TABLE entries ADD COLUMN credited VARCHAR")
        raise sqlite3.OperationalError("killed in the middle")

    def full(connection):
        connection.exec_driver_sql("ALTER TABLE entries ADD COLUMN credited VARCHAR")

    monkeypatch.setattr(migrate, "VERSION", 2)
    monkeypatch.setattr(migrate, "STEPS", {1: half})
    with pytest.raises(CannotStart):
        SqliteStore(database, tmp_path)
    assert columns(database).count("credited") == 0
    assert columns(tmp_path / "gateway.db.schema-1") == columns(database)
    monkeypatch.setattr(migrate, "STEPS", {1: full})
    store = SqliteStore(database, tmp_path)
    assert columns(database).count("credited") == 1
    assert (await store.entry(held.id)).subject == held.subject
    await store.close()


def columns(database):
    connection = sqlite3.connect(database)
    try:
        return [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
    finally:
        connection.close()


async def test_O10_backup_under_load_opens_elsewhere(store, tmp_path):
    held = await hold(store)
    await store.back_up(tmp_path / "copy.db")
    await hold(store)
    shutil.copytree(tmp_path / "blobs", tmp_path / "elsewhere" / "blobs")
    restored = SqliteStore(tmp_path / "copy.db", tmp_path / "elsewhere")
    assert await restored.verify() == []
    assert [e.id for e in await restored.list_entries(EntryFilter())] == [held.id]
    await restored.close()


async def test_sweep_removes_orphans_and_nothing_that_is_needed(store):
    held = await hold(store)
    blobs = store._core.blobs
    orphan = blobs.write(b"a crash came between the file and its row")
    for digest in (held.digest, orphan):
        os.utime(blobs.path(digest), (1, 1))
    assert await store.sweep(NOW + timedelta(days=2)) == 1
    assert not blobs.exists(orphan)
    assert blobs.exists(held.digest)


async def test_sweep_asks_the_writer_about_orphans_only(store, monkeypatch):
    """Held mail is nearly always older than 36 hours: a write transaction for each would stop the mail every hour."""
    held = [await hold(store) for _ in range(3)]
    blobs = store._core.blobs
    orphan = blobs.write(b"a crash came between the file and its row")
    for digest in (orphan, *(each.digest for each in held)):
        os.utime(blobs.path(digest), (1, 1))
    asked = []
    drop = store._core.drop_blobs

    async def counted(digests):
        asked.extend(digests)
        return await drop(digests)

    monkeypatch.setattr(store._core, "drop_blobs", counted)
    assert await store.sweep(NOW + timedelta(days=2)) == 1
    assert asked == [orphan]


async def test_blob_swept_between_file_and_row_is_written_again(tmp_path):
    removed = []

    def sweep_once(mark):
        if mark == "blob synced" and not removed:
            [path] = (tmp_path / "blobs").glob("??/*")
            removed.append(path.unlink())

    store = SqliteStore(tmp_path / "gateway.db", tmp_path, mark=sweep_once)
    held = await hold(store)
    assert removed
    assert store.open_blob(held.digest) == message().raw
    await store.close()


async def test_open_store_reads_settings(tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32 + "\n")
    settings = Settings.model_validate({"state": tmp_path / "var", "store": {"key_file": key}})
    store = open_store(settings)
    held = await hold(store)
    assert message().raw[:40] not in store._core.blobs.path(held.digest).read_bytes()
    await store.close()
    assert (tmp_path / "var" / "gateway.db").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"store": {"url": "mysql://db/gateway"}}, "must name a SQLite file"),
        ({"store": {"url": "sqlite://"}}, "must name a SQLite file"),
        ({"store": {"url": "no url"}}, "no database URL"),
        ({"store": {"key_file": "absent"}}, "cannot be read"),
    ],
)
def test_open_store_says_what_is_wrong(tmp_path, change, says):
    with pytest.raises(CannotStart, match=says):
        open_store(Settings.model_validate({"state": tmp_path, **change}))


async def test_closed_store_refuses(tmp_path):
    store = SqliteStore(tmp_path / "gateway.db", tmp_path)
    await store.close()
    with pytest.raises(StoreError):
        await store.withdraw("7K2M-0001-Q9XD")


async def test_what_names_people_is_readable_by_its_owner_only_unless_he_says_otherwise(tmp_path):
    database = tmp_path / "gateway.db"
    store = SqliteStore(database, tmp_path)
    await hold(store)
    await store.back_up(tmp_path / "copy.db")
    assert {p.name: oct(p.stat().st_mode & 0o077) for p in tmp_path.glob("*.db*")} == dict.fromkeys(
        ("gateway.db", "gateway.db-wal", "gateway.db-shm", "copy.db"), "0o0"
    )
    await store.close()
    database.chmod(0o660)
    await SqliteStore(database, tmp_path).close()
    assert database.stat().st_mode & 0o777 == 0o660
