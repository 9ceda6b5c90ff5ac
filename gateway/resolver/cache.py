"""Answers that are still fresh: a Zone, bounded in number and octets.

Nearly every look-up finds what it looks for, so that one is a look into a dict and no more. Time is looked at when the
zone is asked for, not when an answer is: it is good for the moment, as one pass over one message.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from threading import get_ident
from typing import Final

from gateway.evidence.zone import Answer, Question, Zone
from gateway.resolver.records import octets

MAX_KEPT_OCTETS: Final = 4096  # of one answer: a stranger's zone must not fill the memory (safety S-21, F-20)


class _Answers(dict[Question, Answer | None]):
    """Those that were put or used of late; the others are `unused`, the oldest first, and come back with their next use.

    Threads that judge large messages only read: an answer that one of them brought back while it expired would stay.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unused: dict[Question, Answer | None] = {}
        self._owner = get_ident()

    def __missing__(self, question: Question) -> Answer | None:
        if get_ident() != self._owner:
            return self.unused.get(question)
        answer = self.unused.pop(question, None)
        if answer is not None:
            self[question] = answer
        return answer


class _Fresh:
    """The answers of this moment, as a Zone."""

    __slots__ = ("get",)

    get: Callable[[Question], Answer | None]

    def __init__(self, answers: _Answers) -> None:
        self.get = answers.__getitem__


class Cache:
    """When there are more than `size` answers, one goes that has not been used for long."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock  # monotonic seconds
        self._answers = _Answers()
        self._fresh = _Fresh(self._answers)
        self._until: dict[Question, float] = {}
        self._ends: list[tuple[float, Question]] = []  # a heap; of answers that have gone too, until their time comes
        self._next_end = inf

    def __len__(self) -> int:
        return len(self._until)

    def fresh(self) -> Zone:
        """What is known at this moment; ask for it anew at the next."""
        if self._clock() >= self._next_end:
            self._expire()
        return self._fresh

    def get(self, question: Question, /) -> Answer | None:
        return self.fresh().get(question)

    def put(self, question: Question, answer: Answer, seconds: float) -> None:
        """Keep an answer; no time, as with a TTL of 0, means that it is for this message only (RFC 1035 §3.2.1)."""
        if seconds <= 0 or octets(answer) > MAX_KEPT_OCTETS:
            return
        until = self._clock() + seconds
        self._forget(question)
        self._answers[question], self._until[question] = answer, until
        heappush(self._ends, (until, question))
        if len(self._ends) > 2 * self._size:  # most are of answers that had to go
            self._ends = [(end, kept) for kept, end in self._until.items()]
            heapify(self._ends)
        self._next_end = self._ends[0][0]
        unused = self._answers.unused
        if len(self._answers) > self._size // 2:  # what is used before half of them are new again keeps its place
            unused.update(self._answers)
            self._answers.clear()
        while len(self._until) > self._size:
            self._forget(next(iter(unused)))

    def _forget(self, question: Question) -> None:
        self._until.pop(question, None)
        self._answers.unused.pop(question, None)
        self._answers.pop(question, None)

    def _expire(self) -> None:
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            until, question = heappop(self._ends)
            if self._until.get(question) == until:  # it has not been renewed
                self._forget(question)
        self._next_end = self._ends[0][0] if self._ends else inf
