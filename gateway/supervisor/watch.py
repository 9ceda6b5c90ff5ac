"""The parent's loop: reap, begin anew, pass signals on, stop in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway import maillog, metrics
from gateway.supervisor.board import Board
from gateway.supervisor.child import Child, Pace
from gateway.supervisor.context import SIGNALS
from gateway.supervisor.systemd import Notifier

PAUSE: Final = 0.25  # seconds between two looks when nothing happens
GRACE: Final = 10.0  # seconds that a process may outlive its drain
HURRY: Final = 5.0  # seconds from the second signal to SIGKILL
LAST: Final = 30.0  # seconds for the services process, which is told to stop when the workers have gone


class Watch:
    """Signals must be blocked: they are waited for, so none interrupts anything."""

    def __init__(
        self, children: Sequence[Child], board: Board, notifier: Notifier, drain: float, pace: Pace, directory: Path
    ) -> None:
        self._children = children
        self._board = board
        self._notifier = notifier
        self._drain = drain
        self._pace = pace
        self._directory = directory  # of metrics
        self._stopping = False
        self._deadline = 0.0  # monotonic seconds, while stopping: then SIGKILL
        self._ready = False
        self._next_sign = 0.0  # of life, to systemd
        self._status = 0

    def serve(self) -> int:
        """Until every process has ended; gives the exit status."""
        while True:
            self._reap()
            if self._stopping:
                if not self._alive():
                    break
                self._press()
            else:
                self._revive()
                self._find_hung()
            self._report()
            happened = signal.sigtimedwait(SIGNALS, PAUSE)
            if happened is not None:
                self._hear(signal.Signals(happened.si_signo))
        maillog.event("stopped", status=self._status)
        return self._status

    def _alive(self, kind: str = "") -> list[Child]:
        return [child for child in self._children if child.pid is not None and kind in ("", child.kind)]

    def _hear(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGHUP:
                for child in self._alive():
                    child.signal(number)
            case signal.SIGTERM | signal.SIGINT if not self._stopping:
                self._stop()
            case signal.SIGTERM | signal.SIGINT:
                self._hurry()

    def _reap(self) -> None:
        for child in self._children:
            status = child.reaped()
            if status is None:
                continue
            self._board.forget(child.slot)
            metrics.forget(self._directory, child.slot)
            if self._stopping:
                maillog.event("ended", process=child.kind, slot=child.slot, status=status)
            else:
                child.crashed(self._pace)
                metrics.restarts.labels(child.kind).inc()
                maillog.event("died", process=child.kind, slot=child.slot, status=status, crashes=child.crashes)
                self._consider_giving_up(child)

    def _consider_giving_up(self, child: Child) -> None:
        """Workers that cannot run are the service manager's business; mail goes on without the services process."""
        if child.kind == "worker" and child.crashes >= self._pace.give_up:
            maillog.event("giving-up", slot=child.slot, crashes=child.crashes)
            self._status = 1
            self._stop()

    def _revive(self) -> None:
        for child in self._children:
            if child.pid is None and child.due <= time.monotonic():
                child.fork()

    def _find_hung(self) -> None:
        for child in self._alive():
            age = self._board.age(child.slot)
            silent = time.monotonic() - child.born if age is None else age
            if silent > self._pace.hung:
                maillog.event("hung", process=child.kind, slot=child.slot, seconds=round(silent))
                child.signal(signal.SIGKILL)

    def _report(self) -> None:
        """Ready when each process has turned its event loop once; then signs of life, as often as systemd asks."""
        if not self._ready and all(self._board.age(child.slot) is not None for child in self._children):
            self._ready = True
            maillog.event("ready")
            self._notifier.tell("READY=1")
        now = time.monotonic()
        if self._notifier.watchdog is not None and now >= self._next_sign:
            self._next_sign = now + self._notifier.watchdog
            self._notifier.tell("WATCHDOG=1")

    def _stop(self) -> None:
        """Readiness is false from now on, then the workers stop accepting and drain (safety O-1)."""
        self._stopping = True
        self._board.stop()
        self._deadline = time.monotonic() + self._drain + GRACE
        maillog.event("stopping", drain=self._drain)
        self._notifier.tell("STOPPING=1")
        for child in self._alive("worker"):
            child.tell_to_stop()

    def _press(self) -> None:
        """While stopping: the services process after the workers, and SIGKILL for who does not end."""
        if not self._alive("worker"):
            self._stop_services()
        if time.monotonic() >= self._deadline:
            for child in self._alive():
                maillog.event("killed", process=child.kind, slot=child.slot)
                child.signal(signal.SIGKILL)

    def _stop_services(self) -> None:
        for child in self._alive("services"):
            if not child.told:
                child.tell_to_stop()
                self._deadline = min(self._deadline, time.monotonic() + LAST)

    def _hurry(self) -> None:
        maillog.event("hurrying")
        self._deadline = min(self._deadline, time.monotonic() + HURRY)
        for child in self._alive():
            if not child.told:
                child.tell_to_stop()
            child.hurry()
