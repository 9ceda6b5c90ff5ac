"""What the processes of one service show each other: heartbeats, and that the service is stopping."""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

_DOUBLE: Final = struct.Struct("=d")


class Board:
    """Shared memory, made before fork: a monotonic time in seconds per slot, and one for the stop.

    Aligned doubles are written whole on the machines we run on, so there is no lock to die with.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(-1, _DOUBLE.size * (slots + 1))

    def beat(self, slot: int) -> None:
        """This slot's event loop runs."""
        self._write(slot, time.monotonic())

    def forget(self, slot: int) -> None:
        """The process of this slot is gone or new: it has not beaten yet."""
        self._write(slot, 0.0)

    def age(self, slot: int) -> float | None:
        """Seconds since the last beat; None before the first."""
        beaten = self._read(slot)
        return time.monotonic() - beaten if beaten else None

    def stop(self) -> None:
        self._write(self.slots, time.monotonic())

    @property
    def is_stopping(self) -> bool:
        return self._read(self.slots) > 0

    def _write(self, index: int, value: float) -> None:
        start = index * _DOUBLE.size  # pack_into() would clear the place first, and others read it meanwhile
        self._memory[start : start + _DOUBLE.size] = _DOUBLE.pack(value)

    def _read(self, index: int) -> float:
        value: float = _DOUBLE.unpack_from(self._memory, index * _DOUBLE.size)[0]
        return value
