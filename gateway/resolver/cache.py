"""Answers that are still fresh: a Zone, bounded in number and octets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.evidence.zone import Answer, Question
from gateway.resolver.records import octets

MAX_KEPT_OCTETS: Final = 4096  # of one answer: a stranger's zone must not fill the memory (safety S-21, F-20)


class Cache:
    """The least recently used answer goes first when there are more than `size`."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock  # monotonic seconds
        self._entries: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()
        self._find, self._touch = self._entries.get, self._entries.move_to_end

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Question, /) -> Answer | None:
        entry = self._find(question)
        if entry is None:
            return None
        until, answer = entry
        if self._clock() >= until:
            del self._entries[question]
            return None
        self._touch(question)
        return answer

    def put(self, question: Question, answer: Answer, seconds: float) -> None:
        """Keep an answer; no time, as with a TTL of 0, means that it is for this message only (RFC 1035 §3.2.1)."""
        if seconds <= 0 or octets(answer) > MAX_KEPT_OCTETS:
            return
        self._entries[question] = (self._clock() + seconds, answer)
        self._entries.move_to_end(question)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
