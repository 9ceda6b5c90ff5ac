"""How one process lives: event-loop lag, memory, descriptors, CPU. Each process writes its own (O-5, O-6)."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway import metrics

EVERY: Final = 15  # beats between two looks at memory, descriptors and CPU
_PAGE: Final = resource.getpagesize()


class Vitals:
    """Call beat() once every `interval` seconds from the event loop of the process called `process`."""

    def __init__(self, process: str, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = process
        self._interval = interval
        self._clock = clock
        self._expected: float | None = None  # when the next beat is due
        self._cpu = time.process_time()
        self._beats = 0
        metrics.process_started.labels(process).set(time.time())
        metrics.process_cpu.labels(process).inc(0)

    def beat(self) -> None:
        """Note by how much the loop is late, and now and then what the process uses."""
        now = self._clock()
        if self._expected is not None:
            metrics.child(metrics.loop_lag, self._process).observe(max(0.0, now - self._expected))
        self._expected = now + self._interval
        if self._beats % EVERY == 0:
            self._look()
        self._beats += 1

    def _look(self) -> None:
        metrics.settle()
        used = time.process_time()
        metrics.child(metrics.process_cpu, self._process).inc(used - self._cpu)
        self._cpu = used
        with contextlib.suppress(OSError):  # no /proc: these are absent
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            metrics.child(metrics.process_memory, self._process).set(pages * _PAGE)
            metrics.child(metrics.process_fds, self._process).set(len(os.listdir("/proc/self/fd")) - 1)
        metrics.child(metrics.process_max_fds, self._process).set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
