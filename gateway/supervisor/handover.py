"""What a program gives to the one that takes its place: open files and processes, told in an environment variable.

The process stays the same (execve(2)), and so do its children and what it has open; only the program is another one,
perhaps a newer version. So the form of what is told is part of the contract: extend it, do not change it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.supervisor.child import Kind
from gateway.supervisor.sockets import Listener, adopted

VARIABLE: Final = "MAILGATEWAY_HANDOVER"  # not GATEWAY_: those are settings
FORM: Final = 1


class NotUnderstood(Exception):
    """The variable says what no gateway has written; the text is a sentence for the postmaster."""


@dataclass(frozen=True, slots=True)
class Older:
    """A living process of an older program; `slot` is that of its metrics."""

    pid: int
    kind: Kind
    slot: int
    told: bool = False  # to stop
    left: float = 0.0  # seconds until it is killed, when it was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Descriptors are those of the process that both programs are."""

    trial: bool  # say whether you could take over, and end
    state: Path  # that `lock` locks
    lock: int
    bell: int
    listeners: tuple[tuple[str, str, int], ...]  # door, address as the settings write it, descriptor
    older: tuple[Older, ...] = ()
    form: int = field(default=FORM)

    def descriptors(self) -> tuple[int, ...]:
        return (self.lock, self.bell, *(number for _, _, number in self.listeners))

    def open(self) -> list[Listener]:
        """The listening sockets; once only."""
        return [adopted(door, address, number) for door, address, number in self.listeners]

    def free_base(self, slots: int) -> int:
        """The first of so many slots in a row for metrics that no living process has."""
        taken = {older.slot for older in self.older}
        return next(base for base in _naturals() if taken.isdisjoint(range(base, base + slots)))

    def told(self, giver: int) -> dict[str, str]:
        """The variable, for a program of this process or, when it is a trial, of a child of it."""
        facts = asdict(self) | {"state": str(self.state), "giver": giver}
        return {VARIABLE: orjson.dumps(facts).decode()}


def received(environ: MutableMapping[str, str]) -> Handover | None:
    """What was handed over to this process, if anything; the variable is taken out. Raises NotUnderstood."""
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    try:
        facts: dict[str, Any] = orjson.loads(text)
        giver = os.getppid() if facts["trial"] else os.getpid()
        if facts["form"] != FORM or facts["giver"] != giver:
            raise ValueError("it is for another process, or of another form")
        return Handover(
            trial=facts["trial"],
            state=Path(facts["state"]),
            lock=facts["lock"],
            bell=facts["bell"],
            listeners=tuple((door, address, number) for door, address, number in facts["listeners"]),
            older=tuple(_older(each) for each in facts["older"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NotUnderstood(f"{VARIABLE} cannot be used ({error}); start the gateway without this variable") from None


def _older(facts: dict[str, Any]) -> Older:
    """What a newer program may tell beyond what we know is of no use to us."""
    return Older(**{each.name: facts[each.name] for each in fields(Older) if each.name in facts})


def _naturals() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
