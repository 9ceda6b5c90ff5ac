"""Conditions compiled to answers of three values: yes, no, and not knowable yet (Kleene's logic).

A temperror leaves open only what it could change: an identity whose level may still rise answers None where a higher
level would turn the answer round, and a plain yes or no everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from gateway.policy.case import Case

Answer = bool | None

ANSWERS: Final[dict[Answer, str]] = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What conditions need to know of the rest of the policy."""

    timezone: ZoneInfo
    official_domains: tuple[str, ...]


class Finding(NamedTuple):
    """What one condition found: its answer and what it saw, as a value and not as a sentence."""

    answer: Answer
    seen: str


Condition = Callable[[Case], Finding]


class Fact(NamedTuple):
    """A finding under the name of its condition, as the trace keeps it: `level: no: signed`."""

    name: str
    answer: str  # yes, no, unknown
    seen: str

    def __str__(self) -> str:
        return ": ".join(self)

    @classmethod
    def parse(cls, text: str) -> Fact:
        name, _, rest = text.partition(": ")
        answer, _, seen = rest.partition(": ")
        return cls(name, answer, seen)


@dataclass(frozen=True, slots=True)
class Clause:
    """Conditions of which all must hold; with none it always holds."""

    conditions: tuple[tuple[str, Condition], ...] = ()

    def judge(self, case: Case, prefix: str = "") -> tuple[Answer, list[str]]:
        """The answer and the facts. Reading ends at the first no, which settles the answer."""
        answer: Answer = True
        facts: list[str] = []
        for name, condition in self.conditions:
            found = condition(case)
            facts.append(f"{prefix}{name}: {ANSWERS[found.answer]}: {found.seen}")
            if found.answer is False:
                return False, facts
            if found.answer is None:
                answer = None
        return answer, facts


@dataclass(frozen=True, slots=True)
class Match:
    """A rule's conditions with its exceptions."""

    when: Clause = Clause()
    unless: tuple[Clause, ...] = ()

    @property
    def is_always(self) -> bool:
        return not self.when.conditions and not self.unless

    def judge(self, case: Case) -> tuple[Answer, tuple[str, ...]]:
        """`when` and not any `unless`; every clause that was read leaves its facts."""
        answer, facts = self.when.judge(case)
        if answer is False:
            return False, tuple(facts)
        for exception in self.unless:
            excepted, more = exception.judge(case, "unless ")
            facts += more
            if excepted:
                return False, tuple(facts)
            if excepted is None:
                answer = None
        return answer, tuple(facts)
