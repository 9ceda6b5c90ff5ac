"""The files that values of several processes are in: memory-mapped, and never larger than what the disk has given.

The library makes its files sparse. A page that is first written to when the disk is full then has no place, and the kernel
ends the process (SIGBUS): on the day when mail should be put off, workers would die instead (safety F-22).
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import BinaryIO, Final

from prometheus_client.mmap_dict import MmapedDict

FIRST: Final = 1 << 16  # octets; doubled whenever they are used up
_PAIR: Final = 16  # octets of two doubles


class ValueFile(MmapedDict):
    """Numbers by key. What finds no place raises OSError and leaves the file as it was."""

    _f: BinaryIO
    _m: mmap.mmap
    _positions: dict[str, int]
    _used: int
    _capacity: int

    def __init__(self, path: Path) -> None:
        _reserve(path, max(FIRST, path.stat().st_size if path.exists() else 0))
        super().__init__(str(path))  # type: ignore[no-untyped-call]

    def place(self, key: str) -> memoryview[float]:
        """Where value and time of the key are; 0 for a new key, which gets its place.

        It stays good when the file grows: the map that it is of lives on, beside the larger one of the same file.
        """
        if key not in self._positions:
            self._init_value(key)
        start = self._positions[key]
        return memoryview(self._m)[start : start + _PAIR].cast("d")

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
