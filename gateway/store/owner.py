"""Which process a pending row belongs to, and whether that process still lives.

Each open store holds a file lock that the kernel drops when the process ends, however it ends. A process id could be
given to another process meanwhile; a lock cannot.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}\Z")


class Owner:
    """This store's name and the lock that says it lives."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.name = secrets.token_hex(16)
        self._path = directory / self.name
        self._lock = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Say that this store is at its end."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)

    def is_dead(self, name: str) -> bool:
        """Whether the owner of this name has ended."""
        if name == self.name:
            return False
        if not _NAME.match(name):
            return True
        try:
            lock = os.open(self._directory / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(lock)

    def sweep(self) -> None:
        """Remove the files of owners that have ended."""
        for path in self._directory.iterdir():
            if self.is_dead(path.name):
                path.unlink(missing_ok=True)
