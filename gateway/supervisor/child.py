"""One process of the service, as its parent sees it: alive, or to be begun anew after a while."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

Kind = Literal["worker", "services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How eagerly the dead are replaced; seconds, except `give_up`."""

    first_delay: float = 0.5  # doubled with each crash at once
    longest_delay: float = 30.0
    steady: float = 10.0  # a process that lived so long did not crash at once
    give_up: int = 5  # crashes at once in a row of one worker that end the service
    hung: float = 120.0  # without a heartbeat: killed


class Child:
    """A slot with a process in it, or none at the moment."""

    def __init__(self, slot: int, kind: Kind, begin: Callable[[], NoReturn]) -> None:
        self.slot = slot
        self.kind: Kind = kind
        self.pid: int | None = None
        self.born = 0.0  # monotonic seconds
        self.due = 0.0  # when to begin (anew), monotonic seconds
        self.crashes = 0  # at once, in a row
        self.told = False  # to stop
        self.deadline = math.inf  # monotonic seconds: then SIGKILL
        self._begin = begin

    def fork(self) -> None:
        """Begin the process. Signals must be blocked: the child lifts that when it is ready to hear them."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.born = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._begin()
        self.pid = pid

    def signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def tell_to_stop(self, patience: float = math.inf) -> None:
        """The process drains, for so many seconds at most; a second time is nothing."""
        if not self.told:
            self.told = True
            self.deadline = time.monotonic() + patience
            self.signal(signal.SIGTERM)

    def hurry(self) -> None:
        """The process, told before, drains no longer.

        Another signal than the first: two of the same kind that wait together arrive as one.
        """
        self.signal(signal.SIGUSR1)

    def reaped(self) -> int | None:
        """The exit status (negative: the signal that killed it) when it has ended just now, else None."""
        if self.pid is None:
            return None
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0
        if pid == 0:
            return None
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def crashed(self, pace: Pace) -> None:
        """Decide when to begin anew."""
        now = time.monotonic()
        self.crashes = self.crashes + 1 if now - self.born < pace.steady else 0
        self.due = now + min(pace.first_delay * 2 ** max(0, self.crashes - 1), pace.longest_delay)
