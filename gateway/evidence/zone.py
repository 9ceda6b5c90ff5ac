"""DNS as data: questions, answers, and what is still unanswered (DESIGN: evidence is a pure function of message and zone).

Absence has two kinds and failure is a third: NODATA is not NXDOMAIN is not a time-out, and no two share a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import is_
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from gateway.values import value

QuestionType = Literal["A", "AAAA", "MX", "TXT", "PTR"]

# One record: A, AAAA, PTR as text (names without final dot, lower case as received is kept); MX as (preference, name);
# TXT as octets, the character-strings of one record joined.
Record: TypeAlias = "str | bytes | tuple[int, str]"


class Question(NamedTuple):
    name: str  # A-labels, lower case, without the final dot
    type: QuestionType


class Outcome(StrEnum):
    ANSWER = "answer"
    NODATA = "nodata"  # the name exists, records of this type do not
    NXDOMAIN = "nxdomain"
    ERROR = "error"  # SERVFAIL, REFUSED, time-out, bad packet, budget used up: may be different later


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: Outcome
    records: tuple[Record, ...] = ()
    reason: str = ""  # of an ERROR, in words

    @property
    def is_error(self) -> bool:
        return self.outcome is _ERROR


_ANSWER, _ERROR = Outcome.ANSWER, Outcome.ERROR  # a name of the module is quicker than a member of the enumeration
NODATA = Answer(Outcome.NODATA)
NXDOMAIN = Answer(Outcome.NXDOMAIN)


def found(*records: Record) -> Answer:
    return Answer(_ANSWER, records)


class Zone(Protocol):
    """What is known of DNS at this moment. A dict will do; the resolver's cache does too."""

    def get(self, question: Question, /) -> Answer | None: ...


class Recorder:
    """A zone that remembers which of its answers were used and which were missing, so that a case can be replayed."""

    def __init__(self, zone: Zone) -> None:
        self._known: Callable[[Question], Answer | None] = zone.get
        self.used: dict[Question, Answer] = {}
        self.missing: set[Question] = set()

    def get(self, question: Question, /) -> Answer | None:
        used = self.used
        if question in used:
            return used[question]
        answer = self._known(question)
        if answer is None:
            return self._unknown(question)
        used[question] = answer
        return answer

    def confirms(self, questions: Sequence[Question], answers: Sequence[Any]) -> bool:
        """Whether get() of each would give these very answers, none of them missing; then it is as if all had been asked.

        False says nothing, and nothing has been noted.
        """
        used = self.used
        if all(map(is_, map(used.get, questions, map(self._known, questions)), answers)) and all(answers):
            used.update(zip(questions, answers, strict=True))
            return True
        return False

    def _unknown(self, question: Question) -> Answer | None:
        """What is said where the zone has no answer."""
        self.missing.add(question)
        return None


class Layered:
    """Answers of this message first, then the shared cache: a TTL of zero must not ask without end."""

    def __init__(self, own: Mapping[Question, Answer], shared: Zone) -> None:
        self._own = own
        self._shared = shared

    def get(self, question: Question, /) -> Answer | None:
        return self._own.get(question) or self._shared.get(question)


@value
class Unanswered:
    """The evidence cannot be given yet: answer these questions and ask again."""

    questions: frozenset[Question]

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)
