"""The spill file: settlements that the database would not take although the downstream server had taken the message.

One JSON line each, fsynced before our 250. Files are locked while they are written and read, so that any process may
bring in what a dead one left.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from gateway.store.blobs import sync_directory

UNREADABLE: Final = "spill-unreadable.jsonl"  # lines that are no settlement: kept for a person, never thrown away


class Spill:
    """The spill files of one state directory. Every method blocks; call them in a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own = directory / f"spill-{os.getpid()}.jsonl"

    def append(self, line: bytes) -> None:
        """Add one line (its line end included) to our own file; durable on return. Raises OSError, changing nothing."""
        _append(self._own, line)

    def set_aside(self, line: bytes) -> None:
        """Keep a line that cannot be read."""
        _append(self._directory / UNREADABLE, line)

    def files(self) -> list[Path]:
        """Every file that may hold lines, of all processes."""
        return [path for path in self.all_files() if path.name != UNREADABLE]

    def all_files(self) -> list[Path]:
        """Those of files(), and the one with the lines that cannot be read."""
        return sorted(self._directory.glob("spill-*.jsonl"))

    def open(self, path: Path) -> SpillFile:
        """A file for reading, locked until it is closed; an empty one when another process was quicker."""
        file = _locked(path)
        with os.fdopen(os.dup(file), "rb") as octets:
            content = octets.read()
        return SpillFile(path, file, [line for line in content.splitlines(keepends=True) if line.strip()])


class SpillFile:
    """A spill file in hand: its lines, the last of which may be cut by a crash."""

    def __init__(self, path: Path, file: int, lines: list[bytes]) -> None:
        self._path = path
        self._file = file
        self.lines = lines

    def remove(self) -> None:
        """Every line is in the database: a writer that waits for the lock will see that its file is gone."""
        self._path.unlink()
        sync_directory(self._path.parent)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._file)


def _append(path: Path, line: bytes) -> None:
    file = _locked(path)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line  # the line before was cut by a crash
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)
    if not size:
        sync_directory(path.parent)


def _locked(path: Path) -> int:
    """Open and lock the file that has this name now, however often a reader removes it meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)
