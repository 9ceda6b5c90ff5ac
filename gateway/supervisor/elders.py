"""Processes of the programs before this one, which finish their transactions (safety O-1, O-2)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NoReturn

from gateway import maillog, metrics
from gateway.supervisor.child import Child
from gateway.supervisor.handover import Older


class Elders:
    """They were forked by the program that this process was before, so they are our children. They are never begun anew."""

    def __init__(self, older: Sequence[Older], directory: Path, on_services_gone: Callable[[], None]) -> None:
        """`directory` is that of metrics; slots of elders are those of metrics, not of the board."""
        self._children = [_adopted(each) for each in older]
        self._directory = directory
        self._on_services_gone = on_services_gone

    def alive(self, kind: Literal["worker", "services", ""] = "") -> list[Child]:
        return [child for child in self._children if child.pid is not None and kind in ("", child.kind)]

    @property
    def are_at_work(self) -> bool:
        """Whether one of their workers still accepts connections."""
        return any(not child.told for child in self.alive("worker"))

    def reap(self) -> None:
        for child in self.alive():
            pid = child.pid
            status = child.reaped()
            if status is None:
                continue
            metrics.forget(self._directory, child.slot)
            maillog.event("ended", process=child.kind, pid=pid, status=status, older=True)
            if child.kind == "services":
                self._on_services_gone()
            if not self.alive():
                maillog.event("handover-complete")

    def dismiss(self, patience: float) -> None:
        """The new processes do the work: finish what you have in hand, within so many seconds."""
        waiting = [child for child in self.alive() if not child.told]
        for child in waiting:
            child.tell_to_stop(patience)
        if waiting:
            metrics.handovers.labels("done").inc()
            maillog.event("handed-over", older=len(waiting))

    def press(self) -> None:
        """SIGKILL for who has not ended in time."""
        for child in self.alive():
            if time.monotonic() >= child.deadline:
                maillog.event("killed", process=child.kind, pid=child.pid, older=True)
                child.signal(signal.SIGKILL)

    def handed_on(self) -> list[Older]:
        """For the next program."""
        return [older_of(child, child.slot) for child in self.alive()]


def older_of(child: Child, slot: int) -> Older:
    """A living child as the next program is to know it; `slot` is that of its metrics."""
    assert child.pid is not None
    left = max(0.0, child.deadline - time.monotonic()) if child.told else 0.0
    return Older(pid=child.pid, kind=child.kind, slot=slot, told=child.told, left=left)


def _adopted(older: Older) -> Child:
    child = Child(older.slot, older.kind, _never)
    child.pid, child.told = older.pid, older.told
    if older.told:
        child.deadline = time.monotonic() + older.left
    return child


def _never() -> NoReturn:
    raise AssertionError("a process of an older program is not begun anew")
