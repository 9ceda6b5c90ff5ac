"""Rules as they are read at work: compiled conditions, what follows, and the days of the pilot phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from gateway.envelope.reply import Reply
from gateway.identity.identity import Unit
from gateway.policy.decision import Disposition, Refuse
from gateway.policy.match import Condition, Match


class Phase(StrEnum):
    """Where a rule stands in its rollout."""

    OFF = "off"  # before its first day
    OBSERVE = "observe"  # recorded, reading goes on
    REMIND = "remind"  # its notice is sent, reading goes on
    HOLD = "hold"  # the rule applies


_OFF, _OBSERVE, _REMIND, _HOLD = Phase.OFF, Phase.OBSERVE, Phase.REMIND, Phase.HOLD


@dataclass(frozen=True, slots=True)
class Days:
    """First days of the phases; None: this phase does not come."""

    observe: date | None = None
    remind: date | None = None
    hold: date | None = None

    def phase(self, day: date) -> Phase:
        """The last phase that has begun."""
        if self.hold and self.hold <= day:
            return _HOLD
        if self.remind and self.remind <= day:
            return _REMIND
        return _OBSERVE if self.observe and self.observe <= day else _OFF


@dataclass(frozen=True, slots=True)
class Schedule:
    """Days for everybody, for kinds of units and for single units: the most particular ones count."""

    days: Days
    unit_kinds: Mapping[str, Days] = field(default_factory=dict)
    units: Mapping[str, Days] = field(default_factory=dict)

    def phase(self, day: date, unit: Unit | None) -> Phase:
        days = self.days
        if unit:
            days = self.units.get(unit.id) or self.unit_kinds.get(unit.kind) or days
        return days.phase(day)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule does, and the directive whose notice goes with it ("" for none)."""

    disposition: Disposition
    notice: str = ""


DEFER = Outcome(Refuse(Reply(451, "4.7.1", "The sender cannot be verified at the moment, please try again later")))


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    match: Match
    then: Outcome
    meanwhile: Outcome | None = DEFER  # while the answer is not knowable; None: go on reading
    schedule: Schedule | None = None  # None: in force


class Beginning(NamedTuple):
    """A rule as far as it is read for most messages: to the first condition, which says no."""

    rule: Rule
    name: str
    schedule: Schedule | None
    first: Condition
    first_no: str

    @classmethod
    def of(cls, rule: Rule) -> Beginning:
        return cls(rule, rule.name, rule.schedule, rule.match.first, rule.match.first_no)
