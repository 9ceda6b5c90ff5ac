"""The parent's loop: reap, begin anew, pass signals on, give way to a newer program, stop in order."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from typing import Final, Literal

from gateway import maillog, metrics
from gateway.supervisor.board import Board
from gateway.supervisor.child import Child, Pace
from gateway.supervisor.context import SIGNALS
from gateway.supervisor.elders import Elders, older_of
from gateway.supervisor.estate import Estate
from gateway.supervisor.succession import Succession
from gateway.supervisor.systemd import Notifier

PAUSE: Final = 0.25  # seconds between two looks when nothing happens
GRACE: Final = 10.0  # seconds that a process may outlive its drain
HURRY: Final = 5.0  # seconds from the second signal to SIGKILL
LAST: Final = 30.0  # seconds for the services process, which is told to stop when the workers have gone
RELOAD: Final = 30.0  # seconds after which a reload is no longer waited for
GENERATIONS: Final = 8  # of older programs that may drain at a time


class Watch:
    """Signals must be blocked: they are waited for, so none interrupts anything."""

    def __init__(
        self,
        children: Sequence[Child],
        board: Board,
        estate: Estate,
        succession: Succession,
        notifier: Notifier,
        drain: float,
        pace: Pace,
    ) -> None:
        self._children = children
        self._board = board
        self._estate = estate
        self._elders = Elders(estate.older, estate.metrics, estate.bell.ring)
        self._succession = succession
        self._notifier = notifier
        self._drain = drain
        self._pace = pace
        self._stopping = False
        self._deadline = math.inf  # monotonic seconds: then SIGKILL
        self._ready = False
        self._note = ""  # for `systemctl status`
        self._reload_from = math.inf  # monotonic seconds, while a reload is waited for
        self._next_sign = 0.0  # of life, to systemd
        self._status = 0

    def serve(self) -> int:
        """Until every process has ended; gives the exit status."""
        self._notifier.staying()
        while True:
            self._reap()
            if self._stopping:
                if not self._alive():
                    break
                self._press()
            else:
                self._revive()
                self._find_hung()
                self._give_way()
            self._elders.press()
            self._report()
            happened = signal.sigtimedwait(SIGNALS, PAUSE)
            if happened is not None:
                self._hear(signal.Signals(happened.si_signo))
        finished, cut = self._board.transactions()
        maillog.event("stopped", status=self._status, finished=finished, cut=cut)
        return self._status

    def leave(self, status: int) -> int:
        """Nothing can be begun: have those that are there finish, and give this exit status."""
        self._status = status
        self._stop()
        return self.serve()

    def _alive(self, kind: Literal["worker", "services", ""] = "") -> list[Child]:
        ours = [child for child in self._children if child.pid is not None and kind in ("", child.kind)]
        return ours + self._elders.alive(kind)

    def _hear(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGHUP:
                self._reload()
            case signal.SIGUSR2:
                self._ask()
            case signal.SIGTERM | signal.SIGINT if not self._stopping:
                self._stop()
            case signal.SIGTERM | signal.SIGINT:
                self._hurry()

    # ---- the processes ----------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        self._elders.reap()
        for child in self._children:
            status = child.reaped()
            if status is None:
                continue
            self._board.forget(child.slot)
            metrics.forget(self._estate.metrics, self._estate.base + child.slot)
            if self._stopping:
                maillog.event("ended", process=child.kind, slot=child.slot, status=status)
            else:
                child.crashed(self._pace)
                metrics.restarts.labels(child.kind).inc()
                maillog.event("died", process=child.kind, slot=child.slot, status=status, crashes=child.crashes)
                self._consider_giving_up(child)

    def _consider_giving_up(self, child: Child) -> None:
        """Workers that cannot run are the service manager's business; mail goes on without the services process.

        While another worker does the work, or those of an older program do, one that cannot run is no reason to end it.
        """
        if child.kind != "worker" or child.crashes < self._pace.give_up or self._is_anybody_at_work():
            return
        if self._elders.are_at_work:
            metrics.handovers.labels("stuck").inc()
            maillog.event("handover-stuck", slot=child.slot, crashes=child.crashes)
            return
        maillog.event("giving-up", slot=child.slot, crashes=child.crashes)
        self._status = 1
        self._stop()

    def _is_anybody_at_work(self) -> bool:
        now, steady = time.monotonic(), self._pace.steady
        workers = [child for child in self._children if child.kind == "worker" and child.pid is not None]
        return any(self._board.is_open(child.slot) and now - child.born > steady for child in workers)

    def _revive(self) -> None:
        for child in self._children:
            if child.pid is None and child.due <= time.monotonic():
                child.fork()

    def _find_hung(self) -> None:
        for child in self._children:
            if child.pid is None:
                continue
            age = self._board.age(child.slot)
            silent = time.monotonic() - child.born if age is None else age
            if silent > self._pace.hung:
                maillog.event("hung", process=child.kind, slot=child.slot, seconds=round(silent))
                child.signal(signal.SIGKILL)

    # ---- what the service manager hears -----------------------------------------------------------------------------

    def _report(self) -> None:
        """Ready when each process has opened its doors; then signs of life, as often as systemd asks."""
        if not self._ready and not self._stopping and all(self._board.is_open(child.slot) for child in self._children):
            self._ready = True
            maillog.event("ready")
            self._notifier.ready(self._state())
            self._elders.dismiss(self._drain + GRACE)
        if self._ready and self._reload_from < math.inf and self._has_reloaded():
            self._reload_from = math.inf
            self._notifier.ready(self._state())
        self._notifier.status(self._state())
        now = time.monotonic()
        if self._notifier.watchdog is not None and now >= self._next_sign:
            self._next_sign = now + self._notifier.watchdog
            self._notifier.tell("WATCHDOG=1")

    def _state(self) -> str:
        """A line for `systemctl status`."""
        older = len(self._elders.alive())
        if self._stopping:
            return f"stopping; {len(self._alive())} processes finish their transactions"
        if self._succession.is_under_way:
            return "trying the new program"
        state = "serving" if self._ready else "starting"
        return f"{state}; {older} older processes finish their transactions" if older else f"{state}{self._note}"

    def _reload(self) -> None:
        """All processes read policies and certificate again."""
        if not self._stopping:
            self._notifier.reloading("reading policies and certificate again")
            self._reload_from = time.monotonic()
        for child in self._alive():
            child.signal(signal.SIGHUP)

    def _has_reloaded(self) -> bool:
        slots = [child.slot for child in self._children if child.pid is not None]
        done = all(self._board.reloaded_at(slot) > self._reload_from for slot in slots)
        return self._stopping or done or time.monotonic() > self._reload_from + RELOAD

    # ---- another program in our place -------------------------------------------------------------------------------

    def _ask(self) -> None:
        """SIGUSR2: try whether the program on disk would start; `_give_way` sees to the rest."""
        if self._stopping:
            self._succession.refuse(["the service is stopping"])
        elif self._succession.is_under_way:
            self._succession.refuse(["a hand-over is under way already"])
        elif len(self._elders.alive()) >= GENERATIONS * len(self._children):
            self._succession.refuse(
                [f"{len(self._elders.alive())} older processes still finish their transactions; wait for some to end"]
            )
        else:
            self._note = ""
            if self._succession.begin():
                self._notifier.reloading(self._state())
            else:
                self._go_on()

    def _give_way(self) -> None:
        granted = self._succession.is_granted() if self._succession.is_under_way else None
        if granted:
            ours = [older_of(child, self._estate.base + child.slot) for child in self._children if child.pid]
            self._notifier.leaving()
            self._succession.replace([*ours, *self._elders.handed_on()])
            self._notifier.staying()
        if granted is not None:
            self._go_on()

    def _go_on(self) -> None:
        """The hand-over was refused."""
        self._note = "; the last hand-over was refused, the log says why"
        if self._ready:
            self._notifier.ready(self._state())

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Readiness is false from now on, then the workers stop accepting and drain (safety O-1)."""
        self._stopping = True
        self._succession.cancel()
        self._board.stop()
        self._deadline = time.monotonic() + self._drain + GRACE
        maillog.event("stopping", drain=self._drain)
        self._notifier.tell("STOPPING=1")
        for child in self._alive("worker"):
            child.tell_to_stop()

    def _press(self) -> None:
        """While stopping: the services processes after the workers, and SIGKILL for who does not end."""
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
            child.tell_to_stop()
            child.hurry()
