"""Blobs: content-addressed, whole or not there, sealed (safety R-3, P-1)."""

from __future__ import annotations

import hashlib
import mmap
import os
import secrets
from pathlib import Path

import pytest

from gateway.store.blobs import ORPHAN_AGE, Blobs
from gateway.store.faults import no_mark
from gateway.store.seal import CHUNK, Unreadable, opened, sealed

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CANARY = "Báo cáo mật của Trường THPT Tân An".encode()
BIG = secrets.token_bytes(CHUNK)

SAMPLES = {
    "empty": b"",
    "one octet": b"x",
    "text": CANARY * 500,
    "incompressible": BIG[:300_000],
    "exactly a chunk": BIG,
    "chunks": BIG + b"a" * CHUNK + BIG + b"end",
}


def whole(octets: bytes, keys=()) -> bytes:
    return b"".join(sealed(memoryview(octets), keys))


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["plain", "encrypted"])
@pytest.mark.parametrize("octets", SAMPLES.values(), ids=SAMPLES.keys())
def test_sealed_opens_again(octets, keys):
    assert opened(whole(octets, keys), keys) == octets


def test_P1_nothing_of_the_mail_is_readable_on_disk():
    file = whole(CANARY + BIG[:1000], (KEY,))
    assert CANARY not in file
    assert whole(CANARY, (KEY,)) != whole(CANARY, (KEY,))  # a data key of its own for each blob


def test_rotated_key_still_opens_and_a_lost_key_says_so():
    file = whole(CANARY, (KEY,))
    assert opened(file, (OTHER_KEY, KEY)) == CANARY
    with pytest.raises(Unreadable, match="not configured"):
        opened(file, (OTHER_KEY,))


def test_any_changed_octet_of_an_encrypted_blob_is_noticed():
    file = whole(CANARY, (KEY,))
    for at in range(len(file)):
        damaged = bytearray(file)
        damaged[at] ^= 1
        with pytest.raises(Unreadable):
            opened(bytes(damaged), (KEY,))


def test_cut_or_reordered_chunks_are_noticed():
    octets = secrets.token_bytes(3 * CHUNK)
    file = whole(octets, (KEY,))
    step, start = CHUNK + 16, len(file) - 3 * (CHUNK + 16)
    first, second, third = (file[start + n * step : start + (n + 1) * step] for n in range(3))
    for body in (first + second, second + first + third, first + third, first + second + third + third):
        with pytest.raises(Unreadable):
            opened(file[:start] + body, (KEY,))


def test_plain_blob_cannot_claim_less_than_it_inflates_to():
    file = bytearray(whole(CANARY * 500))
    file[8:16] = (10).to_bytes(8, "big")
    with pytest.raises(Unreadable):
        opened(bytes(file), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def test_write_from_bytes_and_mmap_is_one_file(folder, tmp_path):
    blobs = Blobs(folder, (), no_mark)
    octets = CANARY * 100
    spool = tmp_path / "spool"
    spool.write_bytes(octets)
    with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        digest = blobs.write(mapped)
    assert digest == hashlib.sha256(octets).hexdigest() == blobs.write(octets)
    assert blobs.read(digest) == octets
    assert [p.name for p in folder.glob("??/*")] == [digest]
    assert list((folder / "tmp").iterdir()) == []
    assert blobs.path(digest).stat().st_mode & 0o777 == 0o600


def test_damaged_or_unprotected_file_is_written_anew(folder):
    digest = Blobs(folder, (), no_mark).write(CANARY)
    protected = Blobs(folder, (KEY,), no_mark)
    protected.write(CANARY)
    assert CANARY not in protected.path(digest).read_bytes()
    protected.path(digest).write_bytes(b"bit rot")
    with pytest.raises(Unreadable):
        protected.read(digest)
    protected.write(CANARY)
    assert protected.read(digest) == CANARY


def test_file_under_another_name_is_not_taken_for_it(folder):
    blobs = Blobs(folder, (), no_mark)
    one, two = blobs.write(b"one"), blobs.write(b"two")
    os.replace(blobs.path(one), blobs.path(two))
    with pytest.raises(Unreadable, match="hash"):
        blobs.read(two)


def test_R3_order_of_the_disk_s_calls(folder, monkeypatch):
    calls: list[str] = []

    def watch(name):
        real = getattr(os, name)

        def call(*arguments, **named):
            kind = "dir" if name == "fsync" and Path(f"/proc/self/fd/{arguments[0]}").resolve().is_dir() else ""
            calls.append(name + kind)
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    blobs = Blobs(folder, (), lambda mark: calls.append(mark))
    for name in ("write", "fsync", "rename"):
        watch(name)
    blobs.write(b"thu")
    assert calls == ["fsyncdir", "write", "write", "blob written", "fsync", "rename", "fsyncdir", "blob synced"]
    calls.clear()
    blobs.write(b"thu")
    assert calls == ["fsyncdir", "blob synced"]


def test_F23_disk_full_leaves_nothing_behind(folder, monkeypatch):
    blobs = Blobs(folder, (), no_mark)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        blobs.write(CANARY)
    assert [p for p in folder.rglob("*") if p.is_file()] == []


def test_only_old_files_are_orphans(folder):
    blobs = Blobs(folder, (), no_mark)
    old, young = blobs.write(b"old"), blobs.write(b"young")
    past = blobs.path(old).stat().st_mtime - ORPHAN_AGE - 60
    os.utime(blobs.path(old), (past, past))
    (folder / "tmp" / "left").write_bytes(b"crash")
    os.utime(folder / "tmp" / "left", (past, past))
    assert list(blobs.orphans()) == [old]
    assert list((folder / "tmp").iterdir()) == []
    blobs.write(b"old")  # wanted again: young again
    assert list(blobs.orphans()) == []
    assert blobs.exists(young)


@pytest.mark.parametrize("bad", ["", "../x", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_S37_only_digests_are_paths(folder, bad):
    with pytest.raises(ValueError, match="SHA-256"):
        Blobs(folder, (), no_mark).path(bad)
