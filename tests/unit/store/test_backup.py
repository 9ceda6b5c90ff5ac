"""Backups: whole, cheap, made beside a store at work, and nothing half left behind (O-10)."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.quarantine.entry import EntryFilter
from gateway.register.search import RecordFilter
from gateway.store.backup import copying, create, manifest
from gateway.store.backup.restore import Wish, restore
from gateway.store.backup.snapshot import moment_of, reading
from gateway.store.backup.verify import verify_backup, verify_state
from gateway.store.backup.words import Trouble
from gateway.store.pause import LIMIT, Pause
from gateway.store.rows import spill_line
from tests.support.store_samples import NOW, Clock, message, record, settlement
from tests.support.stores import CLERK, KEY, backed_up, fill, hold, open_store, source


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_O10_backup_holds_what_is_needed_and_nothing_of_the_living_process(tmp_path):
    state = tmp_path / "var"
    store = open_store(state)
    await fill(store)
    gone = await hold(store, "đã xoá")
    await store.delete(gone.id, CLERK, "gửi nhầm", NOW)
    for made in ("metrics", "spool", "maildir/new", "policies/generation-4/templates", "policies/.draft-x"):
        (state / made).mkdir(parents=True)
    (state / "policies" / "generation-4" / "templates" / "notice.vi.j2").write_text("Kính gửi")
    (state / "gateway.db.schema-0").write_bytes(b"a copy of before")
    made = backed_up(state, tmp_path / "backups")
    folders = {name.split("/")[0] for name in names(made.folder)}
    assert folders == {"manifest.json", "gateway.db", "blobs", "policies"}
    assert (made.folder / "policies/generation-4/templates/notice.vi.j2").read_text() == "Kính gửi"
    assert made.manifest.left_out == ("maildir",)
    assert len(list((made.folder / "blobs").glob("??/*"))) == 4
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "backups").rglob("*")} == {0}
    assert verify_backup(made.folder) == []
    await store.close()


async def test_second_backup_links_what_the_first_has_and_stands_without_it(tmp_path):
    store = open_store(tmp_path / "var")
    held = await hold(store)
    first = backed_up(tmp_path / "var", tmp_path / "backups")
    new = await hold(store, "mới")
    second = backed_up(tmp_path / "var", tmp_path / "backups", keep=1)
    blob = second.folder / copying.blob_name(held.digest)
    assert second.linked == blob.stat().st_size
    assert second.pruned == [first.folder.name]
    assert not first.folder.exists()
    assert verify_backup(second.folder) == []
    full = backed_up(tmp_path / "var", tmp_path / "backups", full=True)
    assert full.linked == 0
    assert (full.folder / copying.blob_name(new.digest)).stat().st_nlink == 1
    await store.close()


async def test_blob_sealed_anew_is_copied_and_not_linked(tmp_path):
    """The same mail under another key has the same name and size: the earlier copy would need the earlier key."""
    store = open_store(tmp_path / "var", keys=[KEY])
    held = await hold(store)
    backed_up(tmp_path / "var", tmp_path / "backups", keys=[KEY])
    store._core.blobs.remove(held.digest)
    await store.close()
    other = bytes(reversed(KEY))
    store = open_store(tmp_path / "var", keys=[other])
    store._core.blobs.write(message("Báo cáo tháng 11").raw)
    second = backed_up(tmp_path / "var", tmp_path / "backups", keys=[other])
    assert second.linked == 0
    assert verify_backup(second.folder, [other]) == []
    assert [one.word for one in verify_backup(second.folder, [KEY])] == ["blob-locked"]
    await store.close()


async def test_O10_nothing_is_purged_while_a_backup_runs_and_all_of_it_after(tmp_path):
    """A mail deleted between snapshot and copy is in the backup, and gone from the store with the next sweep."""
    state = tmp_path / "var"
    clock = Clock(datetime.now(UTC))
    store = open_store(state, clock=clock)
    held = await hold(store)
    loop = asyncio.get_running_loop()
    deleted = []

    def meanwhile(step: str, done: int, of: int) -> None:
        if step == "files" and not deleted:
            deleted.append(True)
            asyncio.run_coroutine_threadsafe(store.delete(held.id, CLERK, "gửi nhầm", clock.now), loop).result(20)

    order = create.Order(source=source(state), target=tmp_path / "backups", clock=clock)
    made = await asyncio.to_thread(create.back_up, order, meanwhile)
    assert deleted
    assert verify_backup(made.folder) == []
    assert store._core.blobs.exists(held.digest)
    assert await store.sweep(clock.now) == 1, "aged by the delete: it does not wait for 36 hours"
    assert not store._core.blobs.exists(held.digest)
    await store.close()


async def test_pause_of_a_killed_backup_ends_by_itself(tmp_path):
    clock = Clock()
    store = open_store(tmp_path / "var", clock=clock)
    held = await hold(store)
    killed = Pause(tmp_path / "var" / "gateway.db", clock)
    killed.begin()
    await store.delete(held.id, CLERK, "gửi nhầm", NOW)
    assert await store.sweep(NOW) == 0
    clock.now = NOW - timedelta(days=365)
    assert await store.sweep(NOW) == 1, "a clock that jumped back does not stop the purge for a year (F-30)"
    again = await hold(store, "khác")
    clock.now = NOW + LIMIT + timedelta(seconds=1)
    await store.delete(again.id, CLERK, "gửi nhầm", clock.now)
    assert not store._core.blobs.exists(again.digest)
    other = Pause(tmp_path / "var" / "gateway.db", clock)
    other.begin()
    other.end(NOW)
    left = await store._core.read(lambda c: dict(c.exec_driver_sql("SELECT name, value FROM meta").all()))
    assert left == {"last backup": NOW.isoformat()}, "rows of killed backups are cleared away"
    await store.close()


async def test_spilled_line_is_in_the_backup_wherever_the_import_was(tmp_path):
    """R-8: the line is in the file, or in the snapshot; taken at one moment, never in neither."""
    state = tmp_path / "var"
    store = open_store(state)
    lines = [settlement(record()) for _ in range(20)]
    for line in lines:
        store._core.spill.append(spill_line(line))
    importing = asyncio.create_task(store.import_spill())
    made = await asyncio.to_thread(backed_up, state, tmp_path / "backups")
    await importing
    restore(Wish(backup=made.folder, state=tmp_path / "new", by=CLERK))
    restored = open_store(tmp_path / "new")
    found = {one.id for one in await restored.search(RecordFilter(limit=100))}
    assert found == {line.record.id for line in lines}
    await restored.close()
    await store.close()


async def test_snapshot_waits_for_an_import_under_way_and_sees_its_rows(tmp_path):
    """The import holds the file's lock until its rows are committed: a snapshot begun meanwhile would miss them."""
    state = tmp_path / "var"
    store = open_store(state)
    line = settlement(record())
    store._core.spill.append(spill_line(line))
    [path] = store._core.spill.files()
    file = store._core.spill.open(path)

    def snapshot() -> tuple[int, dict[str, bytes]]:
        connection = reading(state / "gateway.db")
        with moment_of(connection, state) as spill:
            return connection.execute("SELECT count(*) FROM records").fetchone()[0], spill

    waiting = asyncio.create_task(asyncio.to_thread(snapshot))
    await store.settle(line)
    assert not waiting.done()
    file.remove()
    file.close()
    assert await waiting == (1, {})
    await store.close()


async def test_store_that_lacks_a_message_is_backed_up_and_says_so(tmp_path):
    store = open_store(tmp_path / "var")
    lost, rotten, whole = await hold(store, "mất"), await hold(store, "hỏng"), await hold(store, "tốt")
    store._core.blobs.remove(lost.digest)
    store._core.blobs.path(rotten.digest).write_bytes(b"MGB1 bit rot")
    made = backed_up(tmp_path / "var", tmp_path / "backups")
    assert made.manifest.missing == (lost.digest,)
    assert made.damaged == [rotten.digest]
    assert {(one.word, Path(one.place).name) for one in verify_backup(made.folder)} == {
        ("blob-missing", lost.digest),
        ("blob-damaged", rotten.digest),
    }
    assert (made.folder / copying.blob_name(whole.digest)).exists()
    await store.close()


def test_where_a_backup_cannot_be_written_nothing_is(tmp_path):
    state = tmp_path / "var"
    with pytest.raises(Trouble, match="no gateway database"):
        backed_up(state, tmp_path / "backups")
    asyncio.run(open_store(state).close())
    for target, word in ((state / "backups", "target-inside"), (tmp_path / "no" / "disk", "target-missing")):
        with pytest.raises(Trouble) as caught:
            backed_up(state, target)
        assert caught.value.word == word
        assert not target.exists()
        assert caught.value.text("vi") != caught.value.text("en")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(Trouble, match="cannot be written"):
        backed_up(state, tmp_path / "file")


async def test_two_backups_into_one_target_are_told_apart_and_a_killed_one_is_cleared_away(tmp_path):
    state, target = tmp_path / "var", tmp_path / "backups"
    await open_store(state).close()
    with create._only_one(target), pytest.raises(Trouble, match="another backup"):
        backed_up(state, target)
    (target / ".partial-77" / "blobs").mkdir(parents=True)
    one = backed_up(state, target)
    two = backed_up(state, target, clock=lambda: one.manifest.created)
    assert {path.name for path in target.iterdir()} == {".lock", one.folder.name, two.folder.name}
    assert manifest.choose(target) == two.folder


async def test_newer_schema_is_left_to_its_program(tmp_path):
    await open_store(tmp_path / "var").close()
    with sqlite3.connect(tmp_path / "var" / "gateway.db") as newer:
        newer.execute("UPDATE schema_version SET version = 99")
    newer.close()
    with pytest.raises(Trouble, match="newer gateway"):
        backed_up(tmp_path / "var", tmp_path / "backups")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("what", ["database", "messages"])
async def test_F23_full_disk_is_told_and_leaves_nothing(tmp_path, small_disk, what):
    store = open_store(tmp_path / "var")
    if what == "messages":
        await hold(store, os.urandom(3_000_000).hex())
    else:
        for _ in range(40):
            await store.settle(settlement(record(subject="Báo cáo " + os.urandom(20_000).hex())))
    with pytest.raises(Trouble) as caught:
        backed_up(tmp_path / "var", small_disk / "backups")
    assert caught.value.word == "no-room"
    assert "disk is full" in str(caught.value)
    assert names(small_disk) == {"backups/.lock"}
    assert await store.sweep(NOW) == 0
    await hold(store, "sau đó")
    backed_up(tmp_path / "var", tmp_path / "elsewhere")
    with pytest.raises(Trouble) as caught:
        restore(Wish(backup=manifest.choose(tmp_path / "elsewhere"), state=small_disk / "var", by=CLERK))
    assert caught.value.word == "no-room"
    assert names(small_disk) == {"backups/.lock"}
    await store.close()


async def test_backup_opens_with_nothing_but_the_store(tmp_path):
    """The copy is a store by itself, whatever restore adds: gateway.db and blobs/ as they are."""
    store = open_store(tmp_path / "var")
    held = await hold(store)
    made = backed_up(tmp_path / "var", tmp_path / "backups")
    await store.close()
    copy = open_store(made.folder)
    assert [one.id for one in await copy.list_entries(EntryFilter())] == [held.id]
    assert await copy.verify() == []
    await copy.close()


@pytest.mark.parametrize("step", ["database", "files"])
async def test_F33_killed_backup_counts_for_nothing_and_the_next_clears_it_away(tmp_path, step):
    state, target = tmp_path / "var", tmp_path / "backups"
    store = open_store(state)
    await fill(store)
    await store.close()

    def kill(what: str, done: int, of: int) -> None:
        if what == step and (done or step == "database"):
            os.kill(os.getpid(), signal.SIGKILL)

    if not (child := os.fork()):
        create.back_up(create.Order(source=source(state), target=target), kill)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [path.name[:9] for path in target.iterdir() if path.is_dir()] == [".partial-"]
    assert manifest.backups(target) == []
    assert verify_state(source(state)) == []
    made = backed_up(state, target)
    assert verify_backup(made.folder) == []
    assert {path.name for path in target.iterdir()} == {".lock", made.folder.name}
