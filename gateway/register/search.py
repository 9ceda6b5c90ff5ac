"""Questions to the register: what a clerk looks up, and which unit has sent at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter

from gateway.envelope.folding import fold
from gateway.register.record import AttachmentRecord, Record

SHORT = 512  # characters of a text whose parts are remembered: people and units come again, and accents cost most
_folded = lru_cache(maxsize=2048)(fold)
_NAME: Callable[[AttachmentRecord], str] = attrgetter("name")


def folded(text: str) -> str:
    """fold(), remembered for what is short."""
    return _folded(text) if len(text) <= SHORT else fold(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records to find; empty conditions do not limit. Newest first."""

    unit_id: str = ""
    since: datetime | None = None  # received_at, inclusive
    until: datetime | None = None  # exclusive
    words: str = ""  # each word must occur somewhere, without accents and case: "bao cao" finds "Báo cáo"
    document_number: str = ""  # or a part of it: "123/BC"
    document_kind: str = ""
    level: str = ""
    provider: str = ""
    author: str = ""  # exact, without case
    administrative: bool | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTally:
    """What one unit has sent in a period. A message of a free provider that was held counts in both columns."""

    unit_id: str
    official: int = 0  # from an official domain
    free: int = 0  # from a free provider
    held: int = 0  # for at least one recipient
    total: int = 0
    last: datetime | None = None  # aware, UTC

    @property
    def has_sent(self) -> bool:
        return self.total > 0


def tally(units: Iterable[str], counted: Mapping[str, UnitTally]) -> list[UnitTally]:
    """One line for every unit that was asked for, in that order: those that sent nothing are the point of the list."""
    return [counted.get(unit) or UnitTally(unit_id=unit) for unit in units]


def haystack(record: Record) -> str:
    """The folded text in which words are looked for."""
    text = "\n".join(
        (
            record.subject,
            record.author,
            record.author_name,
            record.unit_name,
            record.function,
            *record.document_numbers,
            *map(_NAME, record.attachments),
        )
    )
    if len(text) > SHORT or text.isascii():
        return fold(text)
    return " ".join(filter(None, map(_folded, text.split("\n"))))  # no letter or mark reaches over a line break


def needles(words: str) -> list[str]:
    """The folded words of a search; all of them must occur."""
    return fold(words).split()
