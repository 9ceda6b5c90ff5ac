"""Conditions compiled to answers of three values: yes, no, and not knowable yet (Kleene's logic).

A temperror leaves open only what it could change: an identity whose level may still rise answers None where a higher
level would turn the answer round, and a plain yes or no everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
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
Facts = tuple[str, ...]  # of a rule, as the trace keeps them
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
    judge: Callable[[Case], tuple[Answer, Facts]] = field(init=False, compare=False, repr=False)
    """`when` and not any `unless`; every clause that was read leaves its facts."""
    first: Condition = field(init=False, compare=False, repr=False)
    """The first condition of `when`: most rules end with it."""
    first_no: str = field(init=False, compare=False, repr=False)
    """How its fact begins where it says no."""

    def __post_init__(self) -> None:
        reading = self.when.reading("")
        first, beginnings = reading[0] if reading else (_always, {False: ""})
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "first_no", beginnings[False])
        judge = partial(_all_hold, reading)
        if self.unless:
            judge = partial(_with_exceptions, judge, tuple(clause.reading("unless ") for clause in self.unless))
        object.__setattr__(self, "judge", judge)

    @property
    def is_always(self) -> bool:
        return not self.when.conditions and not self.unless

    @property
    def names(self) -> frozenset[str]:
        """The conditions of all clauses."""
        return frozenset(name for clause in (self.when, *self.unless) for name, _ in clause.conditions)


def _always(case: Case) -> Finding:
    return True, ""


def _all_hold(reading: Reading, case: Case) -> tuple[Answer, Facts]:
    """Reading ends at the first no, which settles the answer."""
    answer: Answer = True
    facts: Facts = ()
    for condition, beginnings in reading:
        found, seen = condition(case)
        facts += (beginnings[found] + seen,)
        if found is False:
            return False, facts
        if found is None:
            answer = None
    return answer, facts


def _with_exceptions(
    judge: Callable[[Case], tuple[Answer, Facts]], exceptions: tuple[Reading, ...], case: Case
) -> tuple[Answer, Facts]:
    answer, facts = judge(case)
    if answer is False:
        return False, facts
    for exception in exceptions:
        excepted, more = _all_hold(exception, case)
        facts += more
        if excepted:
            return False, facts
        if excepted is None:
            answer = None
    return answer, facts
