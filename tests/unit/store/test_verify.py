"""Every kind of damage, done by hand to a store and to a backup: verify says which file or row it is (O-10, P-3, R-3)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import seal
from gateway.store.backup import verify, words
from gateway.store.backup.copying import blob_name
from gateway.store.backup.verify import verify_backup, verify_state
from gateway.store.backup.words import Trouble
from gateway.store.rows import spill_line
from tests.support.store_samples import NOW, record, settlement
from tests.support.stores import CLERK, backed_up, fill, hold, open_store, source


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """A store with something of everything, closed."""
    store = open_store(tmp_path / "var")
    await fill(store)
    await store.reject((await hold(store, "từ chối")).id, CLERK, "không đúng", NOW)
    await store.close()
    return tmp_path / "var"


def sql(state: Path, *statements: str) -> None:
    with closing(sqlite3.connect(state / "gateway.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)


def blob(state: Path, which: str = "held") -> Path:
    with closing(sqlite3.connect(state / "gateway.db")) as connection:
        [digest] = connection.execute("SELECT digest FROM entries WHERE state = ?", (which,)).fetchone()
    return state / blob_name(digest)


def flip(path: Path, at: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    path.write_bytes(octets)


def bomb(state: Path) -> None:
    """Fifty kilobytes that want to become fifty megabytes, with a header that allows it."""
    size = 50_000_000
    body = zlib.compress(bytes(size), 9)
    blob(state).write_bytes(struct.pack(">4sB3xQ", seal.MAGIC, 1, size) + body)


DAMAGE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "blob gone": (lambda s: blob(s).unlink(), "blob-missing", "blobs/"),
    "blob of a row to be sent gone": (lambda s: blob(s, "releasing").unlink(), "blob-missing", "blobs/"),
    "blob cut": (lambda s: os.truncate(blob(s), 30), "blob-damaged", "blobs/"),
    "blob flipped": (lambda s: flip(blob(s), -3), "blob-damaged", "blobs/"),
    "blob of another": (lambda s: shutil.copy(blob(s, "pending"), blob(s)), "blob-damaged", "blobs/"),
    "blob that bursts": (bomb, "blob-damaged", "blobs/"),
    "entry's JSON": (
        lambda s: sql(s, "UPDATE entries SET plain = '{' WHERE state = 'held'"),
        "row-unreadable",
        "gateway.db",
    ),
    "entry's field": (
        lambda s: sql(s, "UPDATE entries SET plain = json_remove(plain, '$.client') WHERE state = 'held'"),
        "row-unreadable",
        "gateway.db",
    ),
    "record": (
        lambda s: sql(s, "UPDATE records SET plain = '[]' WHERE id = (SELECT min(id) FROM records)"),
        "row-unreadable",
        "gateway.db",
    ),
    "outbox": (lambda s: sql(s, "UPDATE outbox SET plain = '{}' WHERE kind = 'relay'"), "row-unreadable", "gateway.db"),
    "alias": (lambda s: sql(s, "INSERT INTO aliases VALUES ('A', 'nobody')"), "foreign-key", "gateway.db"),
    "audit changed": (
        lambda s: sql(s, "DROP TRIGGER audit_no_update", "UPDATE audit SET who = 'khác' WHERE number = 1"),
        "audit-broken",
        "gateway.db",
    ),
    "audit removed": (
        lambda s: sql(s, "DROP TRIGGER audit_no_delete", "DELETE FROM audit WHERE number = 1"),
        "audit-broken",
        "gateway.db",
    ),
    "schema": (lambda s: sql(s, "UPDATE schema_version SET version = 99"), "schema-newer", "gateway.db"),
    "no gateway's": (lambda s: sql(s, "DROP TABLE schema_version"), "no-state", "gateway.db"),
    "no database": (lambda s: (s / "gateway.db").write_bytes(b"no database" * 1000), "database-damaged", "gateway.db"),
    "pages": (lambda s: _spoil_pages(s / "gateway.db"), "database-damaged", "gateway.db"),
    "spill": (lambda s: (s / "spill-9.jsonl").write_bytes(b'{"cut'), "spill-unreadable", "spill-9.jsonl"),
}


def _spoil_pages(database: Path) -> None:
    octets = bytearray(database.read_bytes())
    for page in range(8, len(octets) // 4096, 2):
        octets[page * 4096 + 8 : page * 4096 + 600] = bytes(range(1, 149)) * 4
    database.write_bytes(octets)


@pytest.mark.parametrize("name", DAMAGE)
async def test_O10_damage_is_named_in_a_store_and_in_a_backup(state, tmp_path, name):
    done, word, place = DAMAGE[name]
    assert verify_state(source(state)) == []
    made = backed_up(state, tmp_path / "backups")
    for folder in (state, made.folder):
        done(folder)
    for found, root in ((verify_state(source(state)), state), (verify_backup(made.folder), made.folder)):
        [one] = [one for one in found if one.level == "error" and one.word == word]
        assert one.place.startswith(str(root / place))
        for language in ("en", "vi"):
            assert "{" not in one.text(language).replace(str(one.values), "")
    assert [one for one in verify_state(source(state)) if one.level == "error" and one.word != word] == []


async def test_backup_that_was_touched_is_told_by_file(state, tmp_path):
    made = backed_up(state, tmp_path / "backups")
    flip(made.folder / "gateway.db", 4096 * 3 + 4000)
    blob(state)
    lost = made.folder / next(file.path for file in made.manifest.files if file.path.startswith("blobs/"))
    lost.unlink()
    (made.folder / "thêm").write_text("")
    found = {(one.level, one.word, one.place) for one in verify_backup(made.folder)}
    assert {
        ("error", "file-changed", str(made.folder / "gateway.db")),
        ("error", "file-missing", str(lost)),
        ("note", "file-extra", str(made.folder / "thêm")),
    } <= found
    flip(made.folder / "manifest.json", 40)
    assert [one.word for one in verify_backup(made.folder)] == ["manifest-damaged"]
    with pytest.raises(Trouble, match="no finished backup"):
        verify_backup(tmp_path)


async def test_bursting_blob_takes_no_memory(state):
    bomb(state)
    octets = blob(state).read_bytes()
    tracemalloc.start()
    seal.proven_digest(octets, ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
    with pytest.raises(seal.Unreadable, match="header says"):
        seal.proven_digest(octets[:8] + struct.pack(">Q", 10) + octets[16:], ())


async def test_findings_keep_no_octets_in_memory(state):
    """A disk that fails damages thousands of messages: each finding is a sentence, no exception with all that it saw."""
    for blob in (state / "blobs").glob("??/*"):
        blob.write_bytes(b"damaged " * 100)
    found = [one for one in verify_state(source(state)) if one.word == "blob-damaged"]
    assert found
    assert {type(value) for one in found for value in one.values.values()} == {str}


async def test_files_without_rows_are_told_apart(state):
    """R-3: in hand, left behind, cut short, and what is none of ours; none of it is an error."""
    folder = state / "blobs" / "ab"
    folder.mkdir(exist_ok=True)
    (folder / ("ab" + "0" * 62)).write_bytes(b"just written, its row comes")
    old = folder / ("ab" + "1" * 62)
    old.write_bytes(b"its row never came")
    os.utime(old, (1, 1))
    (state / "blobs" / "tmp" / "x").write_bytes(b"")
    (state / "blobs" / "README").write_text("")
    (state / "spill-7.jsonl").write_bytes(spill_line(settlement(record())))
    found = verify_state(source(state))
    assert {one.word for one in found} == {"in-flight", "left-behind", "cut-short", "stray", "spill-waiting"}
    assert {one.level for one in found} == {"note"}


async def test_blob_whose_time_ended_meanwhile_is_no_damage(state, monkeypatch):
    """A live store: the row that needed it is over when one looks again."""
    gone = blob(state)
    look = verify._blob

    def after_the_snapshot(*arguments):
        if gone.exists():
            gone.unlink()
            sql(state, "UPDATE entries SET has_body = 0, state = 'expired' WHERE state = 'held'")
        return look(*arguments)

    monkeypatch.setattr(verify, "_blob", after_the_snapshot)
    assert verify_state(source(state)) == []
    assert not gone.exists()


async def test_verify_changes_nothing(state, tmp_path):
    made = backed_up(state, tmp_path / "backups")
    shutil.copytree(made.folder, tmp_path / "read-only")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert verify_backup(tmp_path / "read-only") == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_every_sentence_says_its_place_and_has_both_languages():
    for word, (en, vi) in words.SENTENCES.items():
        if word != "no-key-file":
            assert "{place}" in en, word
            assert "{place}" in vi, word
        fields = [{part.split("}")[0] for part in text.split("{")[1:]} for text in (en, vi)]
        assert fields[0] == fields[1], word
