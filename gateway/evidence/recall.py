"""Results that rest on DNS answers, given again while the answers are the same: senders and their servers come again.

A pure function of some key and of a zone asks its first question always, and each further one by the answers before. So
when every question of the last time gets the same answer now, in the same order, the result is the same too; and the
first answer that differs is the last that is asked in vain.
"""

from __future__ import annotations

from collections.abc import Hashable
from operator import eq, is_
from typing import Generic, TypeVar

from gateway.evidence.zone import Answer, Question, Recorder, Zone

READS_MAX = 24  # questions of one result that are kept
OCTETS_MAX = 8 * 1024  # of their records: a stranger's zone must not fill the memory (safety S-21)

V = TypeVar("V")


class Tape:
    """A zone that notes what it was asked and what it said, in order."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._reads: dict[Question, Answer | None] = {}

    def get(self, question: Question, /) -> Answer | None:
        answer = self._reads[question] = self._zone.get(question)
        return answer

    @property
    def questions(self) -> tuple[Question, ...]:
        return tuple(self._reads)

    @property
    def answers(self) -> tuple[Answer | None, ...]:
        return tuple(self._reads.values())


class Recall(Generic[V]):
    """Results by key. When `size` are kept all are forgotten, which costs their computing anew and nothing else."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[Hashable, tuple[tuple[Question, ...], tuple[Answer | None, ...], V]] = {}

    def get(self, key: Hashable, zone: Zone) -> V | None:
        """The result under this key, if the zone says what it said then. It is asked what computing would ask it."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        questions, answers, value = kept
        # Out of the resolver's cache come the same objects as the last time, until they expire: then they may be equal.
        if isinstance(zone, Recorder) and zone.confirms(questions, answers):
            return value
        if all(map(is_, map(zone.get, questions), answers)):
            return value
        if not all(map(eq, map(zone.get, questions), answers)):
            return None
        self._kept[key] = (questions, tuple(map(zone.get, questions)), value)
        return value

    def put(self, key: Hashable, tape: Tape, value: V) -> None:
        """Keep a result that rests on nothing but the key and what the tape read; one that read much is not kept."""
        questions, answers = tape.questions, tape.answers
        if len(questions) > READS_MAX or sum(map(_octets, answers)) > OCTETS_MAX:
            return
        if len(self._kept) >= self._size:
            self._kept = {}
        self._kept[key] = (questions, answers, value)


def _octets(answer: Answer | None) -> int:
    if answer is None:
        return 0
    return sum(len(record[1] if isinstance(record, tuple) else record) for record in answer.records)
