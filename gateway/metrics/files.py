"""The files that values of several processes are in: memory-mapped, and never larger than what the disk has given.

The library makes its files sparse. A page that is first written to when the disk is full then has no place, and the kernel
ends the process (SIGBUS): on the day when mail should be put off, workers would die instead (safety F-22).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from prometheus_client.mmap_dict import MmapedDict

FIRST: Final = 1 << 16  # octets; doubled whenever they are used up


class ValueFile(MmapedDict):
    """Numbers by key. What finds no place raises OSError and leaves the file as it was."""

    _f: BinaryIO
    _used: int
    _capacity: int

    def __init__(self, path: Path) -> None:
        _reserve(path, max(FIRST, path.stat().st_size if path.exists() else 0))
        super().__init__(str(path))  # type: ignore[no-untyped-call]

    def value(self, key: str) -> float:
        """0 for a new key, which gets its place."""
        return float(self.read_value(key)[0])  # type: ignore[no-untyped-call]

    def write(self, key: str, value: float, time: float) -> None:
        self.write_value(key, value, time)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        needed = self._used + len(key.encode()) + 64  # its length, its padding and two doubles are less
        capacity = self._capacity
        while capacity < needed:
            capacity *= 2
        if capacity > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _reserve(path: Path, octets: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, octets)
    finally:
        os.close(descriptor)
