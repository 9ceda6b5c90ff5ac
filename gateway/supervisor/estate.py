"""What the parent holds open for all its processes, and hands over to the program that takes its place."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import metrics
from gateway.settings import Settings
from gateway.supervisor.bell import Bell
from gateway.supervisor.handover import Handover, Older
from gateway.supervisor.lock import occupy
from gateway.supervisor.sockets import CannotListen, Listener, open_listeners, remove_names


@dataclass(frozen=True, slots=True)
class Estate:
    """Opened by `acquire`; `older` are the processes of older programs that came with it."""

    state: Path
    lock: int
    bell: Bell
    listeners: tuple[Listener, ...]
    base: int  # of the metrics slots of our processes
    older: tuple[Older, ...]

    @classmethod
    def of(cls, handover: Handover) -> Estate:
        """Without doors: for a program that cannot serve, and only sees the older processes out."""
        return cls(handover.state, handover.lock, Bell(handover.bell), (), 0, handover.older)

    @property
    def metrics(self) -> Path:
        """The directory of metrics."""
        return self.state / "metrics"

    def given(self, *, trial: bool, older: Sequence[Older] = ()) -> Handover:
        """All of it, for another program."""
        places = tuple((each.door, each.address, each.socket.fileno()) for each in self.listeners)
        return Handover(
            trial=trial, state=self.state, lock=self.lock, bell=self.bell.fileno(), listeners=places, older=tuple(older)
        )

    def leave_no_trace(self, handover: Handover) -> None:
        """After a trial: sockets that were not handed over to us are of no use to anybody."""
        theirs = handover.descriptors()
        remove_names([each for each in self.listeners if each.socket.fileno() not in theirs])

    def close(self) -> None:
        for each in self.listeners:
            each.socket.close()
        self.bell.close()
        os.close(self.lock)


def acquire(settings: Settings, environ: MutableMapping[str, str], slots: int, handover: Handover | None) -> Estate:
    """Lock the state directory and open the sockets, except for what was handed over. Raises Occupied, CannotListen.

    `slots` are those that our metrics need. Where something older goes on, its counters do too.
    """
    goes_on = handover is not None and handover.state == settings.state
    lock = handover.lock if handover and goes_on else occupy(settings.state)
    try:
        listeners = open_listeners(settings, environ, handover.open() if handover else ())
    except CannotListen:
        if not goes_on:
            os.close(lock)
        raise
    os.set_inheritable(lock, False)
    if handover and not goes_on:  # the processes that still use the other directory have its lock and bell too
        os.close(handover.lock)
        os.close(handover.bell)
    bell = Bell(handover.bell if handover and goes_on else None)
    os.set_inheritable(bell.fileno(), False)
    estate = Estate(
        state=settings.state,
        lock=lock,
        bell=bell,
        listeners=tuple(listeners),
        base=handover.free_base(slots) if handover else 0,
        older=handover.older if handover else (),
    )
    if not goes_on:
        metrics.clear(estate.metrics)
    return estate
