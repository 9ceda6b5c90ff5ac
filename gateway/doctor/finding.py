"""What a check says: its result, what was found, why it matters and how to mend it, in English and in Vietnamese."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from gateway.settings.sentence import Sentence

Language = Literal["en", "vi"]


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"  # mail goes, but look at it
    ERROR = "error"  # mail is refused, deferred, lost to sight or forged; or the gateway does not start
    SKIPPED = "skipped"  # could not be looked at; `found` says why


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages. Lines that begin with a blank are commands or file lines, and are not wrapped."""

    en: str = ""
    vi: str = ""

    def of(self, language: Language) -> str:
        return self.vi if language == "vi" else self.en


def same(text: str) -> Text:
    """Values, which need no translation."""
    return Text(text, text)


def told(sentences: Iterable[str]) -> Text:
    """Sentences of other parts, a line each, in both languages where they know both."""
    both = [(str(each), each.vi if isinstance(each, Sentence) else str(each)) for each in sentences]
    return Text("\n".join(en for en, _ in both), "\n".join(vi for _, vi in both))


NOTHING = Text()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer of a check; a check of several things (domains, routes) gives one for each, told apart by `subject`."""

    result: Result
    found: Text
    mend: Text = NOTHING
    subject: str = ""
    values: Mapping[str, object] = field(default_factory=dict)  # what was found, for programs


def ok(found: Text, subject: str = "", /, **values: object) -> Outcome:
    return Outcome(Result.OK, found, NOTHING, subject, values)


def warning(found: Text, mend: Text, subject: str = "", /, **values: object) -> Outcome:
    return Outcome(Result.WARNING, found, mend, subject, values)


def error(found: Text, mend: Text, subject: str = "", /, **values: object) -> Outcome:
    return Outcome(Result.ERROR, found, mend, subject, values)


def skipped(reason: Text, subject: str = "") -> Outcome:
    return Outcome(Result.SKIPPED, reason, NOTHING, subject)
