"""`gateway doctor --only store`: each check passes once and fails once; and nothing is left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.doctor.files import Mount
from gateway.doctor.of_database import (
    judge_held,
    judge_integrity,
    judge_outbox,
    judge_schema,
    judge_spill,
)
from gateway.doctor.of_store import Room, judge_folder, judge_mount, judge_room
from gateway.doctor.service import Service
from gateway.store.schema import VERSION
from gateway.store.sqlite import open_store
from tests.support.doctoring import look, results, world

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MIB = 1024**2
CHECKS = ("store.folder", "store.schema", "store.integrity", "store.spill", "store.outbox", "store.held")


async def test_a_store_that_is_well_is_told_so_and_left_as_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        store = await asyncio.to_thread(open_store, seen.settings)
        await store.close()
        seen.settings.state.chmod(0o750)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert {check: await results(seen, check) for check in CHECKS} == {check: ["ok"] for check in CHECKS}
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


async def test_a_store_in_use_is_read_beside_its_owner(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        store = await asyncio.to_thread(open_store, seen.settings)
        try:
            assert await store.probe() == ""
            assert await results(seen, "store.schema") == ["ok"]
            assert await results(seen, "store.integrity") == ["ok"]
            assert await store.probe() == ""
        finally:
            await store.close()


async def test_before_the_first_start_nothing_is_made(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert await results(seen, "store.folder") == ["warning"]
        assert await results(seen, "store.schema") == ["ok"]
        assert await results(seen, "store.integrity") == ["skipped"]
        assert not seen.settings.state.exists()


async def test_a_database_of_a_newer_program(tmp_path: Path) -> None:
    """O-9."""
    async with world(tmp_path) as seen:
        await (await asyncio.to_thread(open_store, seen.settings)).close()
        with sqlite3.connect(seen.settings.state / "gateway.db") as database:
            database.execute("UPDATE schema_version SET version = 999")
        database.close()
        [outcome] = await look(seen, "store.schema")
    assert (outcome.result, "999" in outcome.found.vi) == ("error", True)


async def test_a_damaged_database(tmp_path: Path) -> None:
    """F-25: told by every check that reads it, and none breaks."""
    async with world(tmp_path) as seen:
        await (await asyncio.to_thread(open_store, seen.settings)).close()
        database = seen.settings.state / "gateway.db"
        octets = bytearray(database.read_bytes())
        for start in range(4096, len(octets), 4096):
            octets[start : start + 16] = b"\xff" * 16
        database.write_bytes(octets)
        assert await results(seen, "store.integrity") == ["error"]
        database.write_bytes(b"no database at all" * 100)
        assert await results(seen, "store.schema") == ["error"]
        assert await results(seen, "store.outbox") == ["skipped"]
        assert (await results(seen, "host.clock"))[0] in ("ok", "warning")


def test_folder(tmp_path: Path) -> None:
    root, other = Service(0, 0, frozenset({0})), Service(0, 4711, frozenset({4711}))
    state = tmp_path / "var"
    assert judge_folder(state, root).result == "warning"
    state.mkdir(mode=0o750)
    assert judge_folder(state, root).result == "ok"
    state.chmod(0o755)
    assert judge_folder(state, root).result == "warning"
    assert judge_folder(state, other).result == "error"
    (tmp_path / "file").touch()
    assert judge_folder(tmp_path / "file", root).result == "error"


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (Room(20 * 1024 * MIB, 1_000_000), "ok"),
        (Room(20 * 1024 * MIB, -1), "ok"),  # btrfs counts no inodes
        (Room(1024 * MIB, 1_000_000), "warning"),
        (Room(20 * 1024 * MIB, 5_000), "warning"),
        (Room(90 * MIB, 1_000_000), "error"),
        (Room(20 * 1024 * MIB, 0), "error"),
    ],
)
def test_room(room: Room, expected: str) -> None:
    """F-22: with less than one and a half times the largest message mail is deferred."""
    assert judge_room(room, 50 * MIB, Path("/var/lib/gateway")).result == expected


async def test_room_and_mount_of_this_machine_can_be_read(tmp_path: Path) -> None:
    async with world(tmp_path) as seen:
        assert "octets" in (await look(seen, "store.disk"))[0].values
        assert (await look(seen, "store.filesystem"))[0].values["mount"]


def test_file_systems() -> None:
    assert judge_mount(Mount("/", "ext4")).result == "ok"
    assert judge_mount(Mount("/srv", "nfs4")).result == "error"
    assert judge_mount(Mount("/", "overlay")).result == "warning"
    assert judge_mount(Mount("", "")).result == "skipped"


def test_schema_and_integrity() -> None:
    assert judge_schema(VERSION).result == "ok"
    assert judge_schema(VERSION - 1).result == "warning"
    assert judge_integrity("ok").result == "ok"
    assert judge_integrity("").result == "skipped"
    assert judge_integrity("*** in database main ***").result == "error"


async def test_spill_files(tmp_path: Path) -> None:
    """R-4: what the database would not take."""
    import os

    async with world(tmp_path) as seen:
        state = seen.settings.state
        state.mkdir()
        (state / "spill-12.jsonl").write_text("{}\n")
        assert await results(seen, "store.spill") == ["ok"]  # just written: it is brought in within a minute
        os.utime(state / "spill-12.jsonl", (0, 0))
        assert await results(seen, "store.spill") == ["warning"]
        (state / "spill-unreadable.jsonl").write_text("?\n")
        assert await results(seen, "store.spill") == ["error"]
    assert judge_spill(["spill-12.jsonl"], unreadable=False, running=True).result == "warning"


def test_outbox_and_held_mail() -> None:
    assert judge_outbox(0, None, 0, NOW).result == "ok"
    assert judge_outbox(3, NOW - timedelta(minutes=5), 0, NOW).result == "ok"
    assert judge_outbox(3, NOW - timedelta(hours=2), 0, NOW).result == "warning"
    assert judge_outbox(3, NOW - timedelta(days=2), 0, NOW).result == "error"
    assert judge_outbox(0, None, 1, NOW).result == "warning"
    assert judge_held(10, 0).result == "ok"
    assert judge_held(10, 2).result == "warning"
