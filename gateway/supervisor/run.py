"""`gateway run`: prepare, fork, watch, drain. The parent serves nobody, so it has little to die of."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from gateway import maillog, metrics
from gateway.settings import Settings
from gateway.supervisor.board import Board
from gateway.supervisor.child import Child, Pace
from gateway.supervisor.context import SIGNALS, Context, Main, live
from gateway.supervisor.estate import Estate, acquire
from gateway.supervisor.handover import Handover, NotUnderstood, received
from gateway.supervisor.lock import Occupied, look_at
from gateway.supervisor.sockets import CannotListen, Sockets, by_door, close_unused, described
from gateway.supervisor.succession import Succession
from gateway.supervisor.systemd import Notifier
from gateway.supervisor.watch import Watch

CANNOT_START: Final = 75  # EX_TEMPFAIL: locked, an address in use, a full disk; trying again later may help
CONFIGURATION: Final = 78  # EX_CONFIG: settings, policies, permissions, a damaged store; trying again does not help

_AGAIN: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between two attempts of a program that takes over

_DOORS: Final = {"worker": frozenset({"smtp", "milter"}), "services": frozenset({"http"})}


class Unusable(Exception):
    """Raised by `prepare`: the service cannot run like this; `problems` are sentences with places.

    `may_pass`: trying again later may help, without anything being changed here.
    """

    def __init__(self, problems: Sequence[str], *, may_pass: bool = False) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class _Service:
    """What is to run."""

    settings: Settings
    worker: Main
    services: Main
    environ: MutableMapping[str, str]
    pace: Pace

    @property
    def workers(self) -> int:
        return self.settings.workers_on(len(os.sched_getaffinity(0)))

    @property
    def slots(self) -> int:
        """Of metrics: workers, services, parent."""
        return self.workers + 2


def run(
    settings: Settings,
    worker: Main,
    services: Main,
    *,
    prepare: Callable[[bool], None] | None = None,
    environ: MutableMapping[str, str] = os.environ,
    pace: Pace | None = None,
    told: Callable[[str], str] = str,
) -> int:
    """Run the service until it is told to stop; the result is the exit status.

    `prepare` is called before anything is opened, to refuse a configuration (Unusable); it is told whether processes of an
    older program are at work beside it. `told` says in the reader's language why there is no start.
    75 or 78 when the service cannot start, 1 when workers crash at once again and again, else 0.
    SIGTERM and SIGINT drain, a second one ends at once; SIGHUP goes to all processes; SIGUSR2 has the program on disk
    take this one's place. When we are that program, what was handed over to us is in `environ`.
    """
    service = _Service(settings, worker, services, environ, pace or Pace())
    try:
        handover = received(environ)
    except NotUnderstood as refusal:
        return _refuse(CONFIGURATION, told(str(refusal)))
    if handover and handover.trial:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        look_at(settings.state)
        if prepare is not None:
            _try(prepare, handover)
        estate = acquire(settings, environ, service.slots, handover)
    except Unusable as refusal:
        return _end(service, handover, _refuse(_status(refusal.may_pass), *map(told, refusal.problems)))
    except (Occupied, CannotListen) as refusal:
        return _end(service, handover, _refuse(_status(refusal.may_pass), told(str(refusal))))
    if handover and handover.trial:
        estate.leave_no_trace(handover)
        estate.close()
        return 0
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return _prepared(service, estate)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        estate.close()


def _try(prepare: Callable[[bool], None], handover: Handover | None) -> None:
    """A passing fault after a good trial must not end a service whose older processes work: there is time to try again."""
    for pause in _AGAIN if handover and not handover.trial else ():
        try:
            prepare(True)
        except Unusable as refusal:
            if not refusal.may_pass:
                raise
            time.sleep(pause)
        else:
            return
    prepare(handover is not None)


def _prepared(service: _Service, estate: Estate) -> int:
    _raise_descriptor_limit()
    board, sockets = Board(service.workers + 1), by_door(estate.listeners)

    def child(slot: int) -> Child:
        kind, main = ("worker", service.worker) if slot < service.workers else ("services", service.services)
        begin = _beginning(service.settings, slot, sockets, _DOORS[kind], estate, board, main)
        return Child(slot, "worker" if slot < service.workers else "services", begin)

    children = [child(slot) for slot in range(service.workers + 1)]
    metrics.use_slot(estate.metrics, estate.base + len(children))  # the parent counts restarts, in a slot of its own
    doors = {door: [described(each) for each in opened] for door, opened in sockets.items() if opened}
    maillog.event("starting", pid=os.getpid(), workers=service.workers, doors=doors, older=len(estate.older))
    return _watch(service, estate, board, children).serve()


def _watch(service: _Service, estate: Estate, board: Board, children: list[Child]) -> Watch:
    succession = Succession(estate, service.environ)
    notifier = Notifier(service.environ)
    return Watch(children, board, estate, succession, notifier, service.settings.drain, service.pace)


def _beginning(
    settings: Settings,
    slot: int,
    sockets: Sockets,
    doors: frozenset[str],
    estate: Estate,
    board: Board,
    main: Main,
) -> Callable[[], NoReturn]:
    """What the process of a slot does first and last."""
    parent = os.getpid()

    def make() -> Context:
        return Context(
            settings=settings,
            slot=slot,
            sockets=close_unused(sockets, doors),
            metrics_directory=estate.metrics,
            board=board,
            bell=estate.bell,
            base=estate.base,
        )

    return lambda: live(make, main, parent)


def _raise_descriptor_limit() -> None:
    """As many open files as we may have: each session needs up to four (safety F-31)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _status(may_pass: bool) -> int:
    return CANNOT_START if may_pass else CONFIGURATION


def _refuse(status: int, *problems: str) -> int:
    for problem in problems:
        sys.stderr.write(f"gateway: {problem}\n")
    sys.stderr.flush()
    return status


def _end(service: _Service, handover: Handover | None, status: int) -> int:
    """We cannot start. What an older program left to us finishes first: its trial went well, and then things changed."""
    if handover is None or handover.trial:
        return status
    maillog.event("handover-failed", status=status)
    for _, _, number in handover.listeners:
        with contextlib.suppress(OSError):  # closed already, where another of them could not be opened
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.close(number)
    estate = Estate.of(handover)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    return _watch(service, estate, Board(0), []).leave(status)
