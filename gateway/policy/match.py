"""Conditions compiled to answers of three values: yes, no, and not knowable yet (Kleene's logic).

A temperror leaves open only what it could change: an identity whose level may still rise answers None where a higher
level would turn the answer round, and a plain yes or no everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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


Finding = tuple[Answer, str]  # what one condition found: its answer and what it saw, a value and not a sentence
Condition = Callable[[Case], Finding]
Reading = tuple[tuple[Condition, dict[Answer, str]], ...]  # conditions, each with how its fact begins by the answer


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

    def reading(self, prefix: str) -> Reading:
        return tuple(
            (condition, {answer: f"{prefix}{name}: {word}: " for answer, word in ANSWERS.items()})
            for name, condition in self.conditions
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A rule's conditions with its exceptions."""

    when: Clause = Clause()
    unless: tuple[Clause, ...] = ()
    _when: Reading = field(init=False, compare=False, repr=False)
    _unless: tuple[Reading, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_when", self.when.reading(""))
        object.__setattr__(self, "_unless", tuple(exception.reading("unless ") for exception in self.unless))

    @property
    def is_always(self) -> bool:
        return not self.when.conditions and not self.unless

    def judge(self, case: Case) -> tuple[Answer, tuple[str, ...]]:
        """`when` and not any `unless`; every clause that was read leaves its facts."""
        facts: list[str] = []
        answer: Answer = True
        for condition, beginnings in self._when:  # as in _judge(): this is asked of each rule for each recipient
            found, seen = condition(case)
            facts.append(beginnings[found] + seen)
            if found is False:
                return False, tuple(facts)
            if found is None:
                answer = None
        for exception in self._unless:
            excepted = _judge(exception, case, facts)
            if excepted:
                return False, tuple(facts)
            if excepted is None:
                answer = None
        return answer, tuple(facts)


def _judge(reading: Reading, case: Case, facts: list[str]) -> Answer:
    """Whether all conditions hold; the facts are added. Reading ends at the first no, which settles the answer."""
    answer: Answer = True
    for condition, beginnings in reading:
        found, seen = condition(case)
        facts.append(beginnings[found] + seen)
        if found is False:
            return False
        if found is None:
            answer = None
    return answer
