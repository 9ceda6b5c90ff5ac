"""`gateway run`: prepare, fork, watch, drain. The parent serves nobody, so it has little to die of."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final, NoReturn

from gateway import maillog, metrics
from gateway.settings import Settings
from gateway.supervisor.bell import Bell
from gateway.supervisor.board import Board
from gateway.supervisor.child import Child, Pace
from gateway.supervisor.context import SIGNALS, Context, Main, live
from gateway.supervisor.lock import Occupied, occupy
from gateway.supervisor.sockets import CannotListen, Sockets, close_unused, described, open_sockets
from gateway.supervisor.systemd import Notifier
from gateway.supervisor.watch import Watch

CANNOT_START: Final = 75  # EX_TEMPFAIL: locked or an address in use; trying again later may help
CONFIGURATION: Final = 78  # EX_CONFIG: settings or policies; trying again does not help

_DOORS: Final = {"worker": frozenset({"smtp", "milter"}), "services": frozenset({"http"})}


class Unusable(Exception):
    """Raised by `prepare`: the service cannot run with this configuration; `problems` are sentences with places."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def run(
    settings: Settings,
    worker: Main,
    services: Main,
    *,
    prepare: Callable[[], None] | None = None,
    environ: MutableMapping[str, str] = os.environ,
    pace: Pace | None = None,
) -> int:
    """Run the service until it is told to stop; the result is the exit status.

    `prepare` is called before anything is opened, to refuse a configuration (Unusable: 78). 75 when the state directory
    is in use or an address is taken, 1 when workers crash at once again and again, else 0.
    SIGTERM and SIGINT drain, a second one ends at once; SIGHUP goes to all processes.
    """
    descriptor = None
    try:
        if prepare is not None:
            prepare()
        descriptor = occupy(settings.state)
        sockets = open_sockets(settings, environ)
    except Unusable as refusal:
        return _refuse(CONFIGURATION, *refusal.problems)
    except (Occupied, CannotListen) as refusal:
        if descriptor is not None:
            os.close(descriptor)
        return _refuse(CANNOT_START, str(refusal))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return _prepared(settings, worker, services, sockets, environ, pace or Pace())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for opened in sockets.values():
            for each in opened:
                each.close()
        os.close(descriptor)


def _prepared(
    settings: Settings,
    worker: Main,
    services: Main,
    sockets: Sockets,
    environ: MutableMapping[str, str],
    pace: Pace,
) -> int:
    workers = settings.workers or len(os.sched_getaffinity(0))
    board, bell = Board(workers + 1), Bell()
    directory = settings.state / "metrics"
    metrics.clear(directory)
    _raise_descriptor_limit()

    def child(slot: int) -> Child:
        kind, main = ("worker", worker) if slot < workers else ("services", services)
        begin = _beginning(settings, slot, sockets, _DOORS[kind], directory, board, bell, main)
        return Child(slot, "worker" if slot < workers else "services", begin)

    children = [child(slot) for slot in range(workers + 1)]
    metrics.use_slot(directory, len(children))  # the parent counts restarts, in a slot of its own
    doors = {door: [described(each) for each in opened] for door, opened in sockets.items() if opened}
    maillog.event("starting", pid=os.getpid(), workers=workers, doors=doors)
    try:
        return Watch(children, board, Notifier(environ), settings.drain, pace, directory).serve()
    finally:
        bell.close()


def _beginning(
    settings: Settings,
    slot: int,
    sockets: Sockets,
    doors: frozenset[str],
    directory: Path,
    board: Board,
    bell: Bell,
    main: Main,
) -> Callable[[], NoReturn]:
    """What the process of a slot does first and last."""
    parent = os.getpid()

    def make() -> Context:
        return Context(
            settings=settings,
            slot=slot,
            sockets=close_unused(sockets, doors),
            metrics_directory=directory,
            board=board,
            bell=bell,
        )

    return lambda: live(make, main, parent)


def _raise_descriptor_limit() -> None:
    """As many open files as we may have: each session needs up to four (safety F-31)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _refuse(status: int, *problems: str) -> int:
    for problem in problems:
        sys.stderr.write(f"gateway: {problem}\n")
    sys.stderr.flush()
    return status
