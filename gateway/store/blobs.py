"""Octets of messages as files named by their SHA-256, written so that a row never points to what may be lost (R-3).

Order: temporary file → fsync → rename → fsync of every directory that changed → only then the row. A crash in between
leaves an orphan, and the sweep removes those after 36 hours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from gateway.store.faults import Mark
from gateway.store.seal import Unreadable, is_encrypted, opened, sealed

if TYPE_CHECKING:
    from gateway.envelope.message import Octets

ORPHAN_AGE: Final = 36 * 3600  # seconds, as in qmail's queue
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class BlobMissing(LookupError):
    """The blob was removed between its check and the row's commit; writing it again helps."""


class Blobs:
    """The folder of blobs. Every method blocks; call them in a thread."""

    def __init__(self, directory: Path, keys: Sequence[bytes], mark: Mark) -> None:
        self._directory = directory
        self._temporary = directory / "tmp"
        self._keys = tuple(keys)
        self._mark = mark
        self._temporary.mkdir(parents=True, exist_ok=True)
        sync_directory(directory)

    def path(self, digest: str) -> Path:
        """Where the blob lies. Raises ValueError for what is no digest."""
        if not _DIGEST.match(digest):
            raise ValueError("not a SHA-256 in hex")
        return self._directory / digest[:2] / digest

    def write(self, raw: Octets) -> str:
        """Keep the octets and return their digest; durable on return. Raises OSError and leaves nothing behind."""
        with memoryview(raw) as octets:
            digest = _digest(octets)
            path = self.path(digest)
            if self._is_intact(path, digest):
                os.utime(path)  # young again, so that the sweep of another process lets it be
            else:
                self._write(octets, path)
        sync_directory(path.parent)  # also when it was there: its writer may not have come so far yet
        self._mark("blob synced")
        return digest

    def read(self, digest: str) -> bytes:
        """The octets as received, with their hash proven. Raises Unreadable, FileNotFoundError."""
        octets = opened(self.path(digest).read_bytes(), self._keys)
        if _digest(octets) != digest:
            raise Unreadable("blob does not have the hash that names it")
        return octets

    def exists(self, digest: str) -> bool:
        return self.path(digest).exists()

    def remove(self, digest: str) -> None:
        """Delete the blob. Only inside a transaction of the writer that has seen that no row needs it."""
        self.path(digest).unlink(missing_ok=True)

    def age(self, digest: str) -> None:
        """Make the blob so old that the next sweep looks at it."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(digest), (0, 0))

    def orphans(self) -> Iterator[str]:
        """Digests of files older than ORPHAN_AGE (rows may still need them); old temporary files are removed here."""
        before = time() - ORPHAN_AGE
        for path in self._directory.glob("??/*"):
            if _DIGEST.match(path.name) and _modified(path) < before:
                yield path.name
        for path in self._temporary.iterdir():
            if _modified(path) < before:
                path.unlink(missing_ok=True)

    def _is_intact(self, path: Path, digest: str) -> bool:
        """Whether the blob is there, whole, and as well protected as a new one would be."""
        try:
            file = path.read_bytes()
            return is_encrypted(file) == bool(self._keys) and _digest(opened(file, self._keys)) == digest
        except (FileNotFoundError, Unreadable):
            return False

    def _write(self, octets: memoryview, path: Path) -> None:
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            sync_directory(self._directory)
        temporary = self._temporary / secrets.token_hex(16)
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                for piece in sealed(octets, self._keys):
                    _write_all(file, piece)
                self._mark("blob written")
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _digest(octets: bytes | memoryview) -> str:
    return hashlib.sha256(octets).hexdigest()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time()


def _write_all(file: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(file, view) :]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
