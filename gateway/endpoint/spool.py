"""The octets of one message while it comes in: in memory while there are few, else in a file without a name."""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path
from typing import IO, Final

from gateway.endpoint.limits import MemoryBudget
from gateway.envelope.message import Octets

IN_MEMORY_MAX: Final = 1024 * 1024  # octets; what is larger goes to an unlinked file in the folder


class Spool:
    """Keeps pieces in order. What is in memory counts against the budget until close()."""

    def __init__(self, memory: MemoryBudget, folder: Path) -> None:
        self._memory = memory
        self._folder = folder
        self._pieces: list[bytes] = []
        self._in_memory = 0
        self._file: IO[bytes] | None = None

    def keep(self, piece: bytes) -> bool:
        """Whether the piece could be kept: not when memory, disk or inodes are short (F-22, F-23, F-32)."""
        try:
            if self._file is None:
                size = self._in_memory + len(piece)
                if size <= IN_MEMORY_MAX:
                    if not self._memory.take(len(piece)):
                        return False
                    self._in_memory = size
                    self._pieces.append(piece)
                    return True
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - lives as long as the mail
                self._write(b"".join(self._pieces))
                self._forget_memory()
            self._write(piece)
        except OSError:
            return False
        return True

    def content(self) -> Octets:
        """All pieces as one. Raises OSError."""
        if self._file is None:
            self._pieces = [b"".join(self._pieces)]  # so that the parts are not kept beside the whole
            return self._pieces[0]
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def close(self) -> None:
        """Give everything back. A map that content() returned stays good: the kernel keeps the file for it."""
        self._forget_memory()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, octets: bytes) -> None:
        view = memoryview(octets)
        while view and self._file is not None:
            view = view[self._file.write(view) :]

    def _forget_memory(self) -> None:
        self._pieces.clear()
        self._memory.give_back(self._in_memory)
        self._in_memory = 0
