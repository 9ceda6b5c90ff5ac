"""Conditions about the message and its envelope: each built once, when the policy is read."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from gateway.envelope.folding import folded_subject
from gateway.envelope.mime import attachments, mime_problems
from gateway.identity.subject_words import SubjectWords
from gateway.policy.case import Case
from gateway.policy.match import Condition, Finding, Setting
from gateway.policy.patterns import Patterns
from gateway.policy.schema_when import TimeWindow
from gateway.policy.values_mail import regex

REGEX_INPUT_MAX: Final = 64 * 1024  # octets that a pattern is tried on (safety S-40)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def recipient(patterns: Sequence[str], _: Setting) -> Condition:
    wanted = Patterns(patterns)

    def condition(case: Case) -> Finding:
        return bool(wanted.find(case.path.mailbox)), str(case.path.mailbox)

    return condition


def submission(words: Sequence[str], _: Setting) -> Condition:
    def condition(case: Case) -> Finding:
        seen = case.submission
        word = "administrative" if seen.is_administrative else "other"
        answer = word in words
        return answer, (f"{word} ({'; '.join(seen.reasons)})" if seen.reasons else word)

    return condition


def document_number(wanted: bool | Sequence[str], _: Setting) -> Condition:
    kinds = None if isinstance(wanted, bool) else {kind.casefold() for kind in wanted}

    def condition(case: Case) -> Finding:
        seen = case.submission
        numbers = ", ".join(seen.document_numbers) or "none"
        if kinds is None:
            return bool(seen.document_numbers) is wanted, numbers
        return seen.document_kind.casefold() in kinds, numbers

    return condition


def attachment_type(types: Sequence[str], _: Setting) -> Condition:
    extensions = tuple(f".{t}" for t in types if "/" not in t)
    families = tuple(t[:-1] for t in types if t.endswith("/*"))
    exact = {t for t in types if "/" in t and not t.endswith("/*")}

    def condition(case: Case) -> Finding:
        found = attachments(case.transaction.message)
        for attachment in found:
            if (
                attachment.type in exact
                or (families and attachment.type.startswith(families))
                or (extensions and attachment.name.lower().endswith(extensions))
            ):
                return True, attachment.name or attachment.type
        return False, _attachments(len(found))

    return condition


def attachment_regex(pattern: str, _: Setting) -> Condition:
    search = _searcher(pattern)

    def condition(case: Case) -> Finding:
        found = attachments(case.transaction.message)
        for attachment in found:
            if search(attachment.name):
                return True, attachment.name
        return False, _attachments(len(found))

    return condition


def subject_words(phrases: Sequence[str], _: Setting) -> Condition:
    wanted = SubjectWords(phrases)

    def condition(case: Case) -> Finding:
        found = next(wanted.found(folded_subject(case.transaction.message)), "")
        return bool(found), found or "none of the words"

    return condition


def subject_regex(pattern: str, _: Setting) -> Condition:
    search = _searcher(pattern)

    def condition(case: Case) -> Finding:
        found = search(case.transaction.message.subject)
        return found, ("found" if found else "not found")

    return condition


def size(test: tuple[str, int], _: Setting) -> Condition:
    compare, limit = _COMPARE[test[0]], test[1]

    def condition(case: Case) -> Finding:
        size = case.transaction.message.size
        return compare(size, limit), f"{size} octets"

    return condition


def time(window: TimeWindow, setting: Setting) -> Condition:
    def condition(case: Case) -> Finding:
        local = case.now.astimezone(setting.timezone)
        day, clock = local.date(), local.time()
        answer = not (window.since and day < window.since) and not (window.until and day > window.until)
        if answer and window.weekdays:
            answer = WEEKDAYS[local.weekday()] in window.weekdays
        if answer and window.hours:
            start, end = window.hours
            answer = start <= clock < end if start < end else clock >= start or clock < end
        return answer, local.strftime("%Y-%m-%d %H:%M")

    return condition


def header(names: Sequence[str], _: Setting) -> Condition:
    wanted = [name.encode() for name in names]

    def condition(case: Case) -> Finding:
        found = next((name for name in wanted if case.transaction.message.first(name)), b"")
        return bool(found), found.decode() or "absent"

    return condition


def reverse_path(patterns: Sequence[str], _: Setting) -> Condition:
    wanted = Patterns(pattern for pattern in patterns if pattern != "null")
    null = "null" in patterns

    def condition(case: Case) -> Finding:
        path = case.transaction.reverse_path
        if path is None:
            return null, "<>"
        return bool(wanted.find(path)), f"<{path}>"

    return condition


def malformed(wanted: bool, _: Setting) -> Condition:
    def condition(case: Case) -> Finding:
        message = case.transaction.message
        problems = case.evidence.malformed or message.problems or mime_problems(message)
        if not problems:
            return not wanted, "well formed"
        return wanted, "; ".join(problems)

    return condition


def list_mail(wanted: bool, _: Setting) -> Condition:
    def condition(case: Case) -> Finding:
        found = case.transaction.message.first(b"list-id") is not None
        return found is wanted, ("List-Id" if found else "no List-Id")

    return condition


def _attachments(count: int) -> str:
    return "no attachment" if count == 0 else "1 attachment" if count == 1 else f"{count} attachments"


def _searcher(pattern: str) -> Callable[[str], bool]:
    find = regex(unicodedata.normalize("NFC", pattern)).search

    def search(text: str) -> bool:
        octets = unicodedata.normalize("NFC", text).encode("utf-8", "replace")
        if len(octets) > REGEX_INPUT_MAX:
            octets = (
                octets[:REGEX_INPUT_MAX].decode("utf-8", "ignore").encode()
            )  # the last character whole, or not at all
        return find(octets) is not None  # octets: of a text, the wrapper would count where characters begin

    return search
