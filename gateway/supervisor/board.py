"""What the processes of one service show each other: heartbeats, open doors, how the drain went, and that the service stops."""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

_DOUBLE: Final = struct.Struct("=d")
_BEAT, _OPEN, _RELOADED, _FINISHED, _CUT, _FIELDS = range(6)


class Board:
    """Shared memory, made before fork: a few numbers per slot, and one for the stop. Times are monotonic seconds.

    Aligned doubles are written whole on the machines we run on, so there is no lock to die with.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(-1, _DOUBLE.size * (slots * _FIELDS + 1))

    def beat(self, slot: int) -> None:
        """This slot's event loop runs."""
        self._write(slot, _BEAT, time.monotonic())

    def open(self, slot: int) -> None:
        """This slot's doors are open: its process does its work."""
        self._write(slot, _OPEN, time.monotonic())

    def forget(self, slot: int) -> None:
        """The process of this slot is gone or new: it has neither beaten nor opened its doors yet."""
        self._write(slot, _BEAT, 0.0)
        self._write(slot, _OPEN, 0.0)
        self._write(slot, _RELOADED, 0.0)

    def age(self, slot: int) -> float | None:
        """Seconds since the last beat; None before the first."""
        beaten = self._read(slot, _BEAT)
        return time.monotonic() - beaten if beaten else None

    def is_open(self, slot: int) -> bool:
        return self._read(slot, _OPEN) > 0

    def reloaded(self, slot: int) -> None:
        """This slot's process has read its policies again."""
        self._write(slot, _RELOADED, time.monotonic())

    def reloaded_at(self, slot: int) -> float:
        """Monotonic seconds; 0 for never."""
        return self._read(slot, _RELOADED)

    def drained(self, slot: int, finished: int, cut: int) -> None:
        """This slot's process has drained: how many transactions it finished, and how many it had to cut."""
        self._write(slot, _FINISHED, finished)
        self._write(slot, _CUT, cut)

    def transactions(self) -> tuple[int, int]:
        """Of all slots that have drained: transactions finished, transactions cut."""
        finished = sum(self._read(slot, _FINISHED) for slot in range(self.slots))
        return int(finished), int(sum(self._read(slot, _CUT) for slot in range(self.slots)))

    def stop(self) -> None:
        self._write(self.slots, 0, time.monotonic())

    @property
    def is_stopping(self) -> bool:
        return self._read(self.slots, 0) > 0

    def _write(self, slot: int, field: int, value: float) -> None:
        # pack_into() would clear the place first, and others read it meanwhile
        start = (slot * _FIELDS + field) * _DOUBLE.size
        self._memory[start : start + _DOUBLE.size] = _DOUBLE.pack(value)

    def _read(self, slot: int, field: int) -> float:
        value: float = _DOUBLE.unpack_from(self._memory, (slot * _FIELDS + field) * _DOUBLE.size)[0]
        return value
