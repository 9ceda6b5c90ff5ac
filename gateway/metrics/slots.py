"""Metric values of several processes: each writes to the files of its slot, and one of them serves the sums.

A process that takes a slot over goes on where the last one ended, so that files do not pile up as they do with the
library's own file per process id. Until a slot is used, and while the disk has no place, values are in memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from functools import lru_cache
from glob import escape, glob
from pathlib import Path
from typing import Any, Final, TypeVar

import prometheus_client.values
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway.metrics import readings
from gateway.metrics.files import ValueFile

MAX_SERIES: Final = 5000  # label sets of one process that child() remembers

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)


class _Slot:
    """Where the values of this process live: in memory, or in the files of its slot."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: list[_Value] = []
        self.files: dict[str, ValueFile] = {}
        self.directory: Path | None = None
        self.number = 0

    def file(self, prefix: str) -> ValueFile | None:
        """Raises OSError when the disk is full or may not be written."""
        if self.directory is None:
            return None
        if prefix not in self.files:
            self.files[prefix] = ValueFile(self.directory / f"{prefix}_{self.number}.db")
        return self.files[prefix]


_slot = _Slot()


class _Value:
    """One number of one series: the library's value class, which may move from memory into a file."""

    _multiprocess = True  # part of the library's interface: values may be shared by processes

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: tuple[str, ...],
        labelvalues: tuple[str, ...],
        help_text: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._prefix = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(metric_name, name, list(labelnames), list(labelvalues), help_text)
        with _slot.lock:
            _slot.values.append(self)
            self.rebind()

    def rebind(self) -> None:
        """Begin with what the slot's file holds, or with nothing."""
        self._is_filed = False
        self._place: memoryview[float] = memoryview(bytearray(16)).cast("d")  # value and time
        self.settle()

    def settle(self) -> None:
        """Go from memory into the slot's file, if the disk has a place for us by now."""
        if self._is_filed:
            return
        with contextlib.suppress(OSError):
            file = _slot.file(self._prefix)
            if file is not None:
                place = file.place(self._key)
                before = 0.0 if self._prefix.startswith("gauge") else place[0]  # a gauge begins anew with each process
                place[0], place[1] = before + self._place[0], self._place[1]
                self._place, self._is_filed = place, True

    def inc(self, amount: float) -> None:
        with _slot.lock:
            self._place[0] += amount
            self._place[1] = 0.0

    def inc_with(self, amount: float, other: _Value) -> None:
        """Add the amount here and one there: the two numbers of an amount in a histogram."""
        with _slot.lock:
            self._place[0] += amount
            other._place[0] += 1.0

    def count(self, amount: float = 1.0) -> None:
        """One more of a counter, which only goes up and has no time."""
        if amount < 0:
            raise ValueError("counters only go up")
        with _slot.lock:
            self._place[0] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        with _slot.lock:
            self._place[0], self._place[1] = value, timestamp or 0.0

    def get(self) -> float:
        return self._place[0]

    def set_exemplar(self, exemplar: object) -> None:
        """Exemplars are not kept."""

    def get_exemplar(self) -> None:
        return None


# Set before any metric is made; the library reads it whenever a series begins.
prometheus_client.values.ValueClass = _Value


def use_slot(directory: Path, slot: int) -> None:
    """Write to this slot's files from now on: right after fork, before any other thread counts.

    What was counted before, in memory or in the parent's slot, stays there. Two living processes must not share a slot.
    """
    forget(directory, slot)
    _slot.lock = threading.Lock()  # a thread that is not here after fork may have held the old one
    with _slot.lock:
        _slot.directory, _slot.number = directory, slot
        _slot.files = {}
        for value in _slot.values:
            value.rebind()


def settle() -> None:
    """Now and then: values that found no place on the disk are offered one again."""
    with _slot.lock:
        for value in _slot.values:
            value.settle()


def forget(directory: Path, slot: int) -> None:
    """Take the gauges of a process that has died out of the sums; its counters stay in them.

    On a disk that has become read-only they stay too: a number too many, and no reason for the service to end.
    """
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        mark_process_dead(slot, str(directory))  # type: ignore[no-untyped-call]


def clear(directory: Path) -> None:
    """Remove the files of an earlier run: counters begin at zero when the service begins."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.db"):
        file.unlink(missing_ok=True)


def exposition(directory: Path | None) -> bytes:
    """All metrics in the text format: of this process (None), or the sums over all slots of the directory.

    What this process reads itself (gauges.py) is in both.
    """
    if directory is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    registry.register(_Sums(directory))
    for reading in readings.ALL:
        registry.register(reading)
    return generate_latest(registry)


class _Sums(Collector):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        # a file that is being made at this moment is still empty, and the library stumbles over it
        files = [path for path in glob(f"{escape(str(self._directory))}/*.db") if _size(path)]
        sums: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return sums


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:  # gauges of the dead go at any time
        return 0


@lru_cache(maxsize=MAX_SERIES)
def child(metric: MetricT, *labels: str) -> MetricT:
    """`metric.labels(*labels)`, remembered: a tenth of its price, for what is counted with every message."""
    return metric.labels(*labels)
