"""A check: its id, its words, what it needs, and the function that looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.doctor.finding import Outcome, Text
from gateway.doctor.world import World

Need = Literal["policy", "dns", "smtp", "milter", "store", "running"]
Look = Callable[[World], Awaitable[Sequence[Outcome]]]


@dataclass(frozen=True, slots=True)
class Check:
    """`id` is `group.name` and never changes: programs and pages know it."""

    id: str
    title: Text  # what is looked at
    why: Text  # why it matters
    look: Look
    needs: tuple[Need, ...] = ()  # without which there is nothing to look at, and it is skipped

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and one of its outcomes."""

    check: Check
    outcome: Outcome
