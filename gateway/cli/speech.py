"""What the command says, in the language of the person who reads it. English is written in the code; Vietnamese is
looked up by it (vietnamese.py), so that a sentence stands where it is used. The log and JSON keys stay English.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Literal

Language = Literal["en", "vi"]
_used: ContextVar[Language | None] = ContextVar("language", default=None)
_PLACE = re.compile(r"\{\w*\}")
_SAID = frozenset({"why", "state", "target"})  # values of a pattern that are sentences or words themselves


class UnknownLanguage(ValueError):
    """`--lang` names a language that we do not speak."""


def choose(arguments: Sequence[str], environ: Mapping[str, str]) -> Language:
    """The language of `--lang`, wherever it stands, or that of the environment. Raises UnknownLanguage."""
    for position, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--lang" or word.startswith("--lang="):
            following = arguments[position + 1] if position + 1 < len(arguments) else ""
            return named(word.partition("=")[2] if "=" in word else following)
    return of_environment(environ)


def named(choice: str) -> Language:
    """vi or en. Raises UnknownLanguage."""
    if choice == "en":
        return "en"
    if choice == "vi":
        return "vi"
    raise UnknownLanguage(choice)


def of_environment(environ: Mapping[str, str]) -> Language:
    """Vietnamese unless LC_ALL, LC_MESSAGES or LANG, in this order, names English."""
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "vi"


def use(language: Language) -> None:
    """From now on."""
    _used.set(language)


def used() -> Language:
    """The language in use."""
    return _used.get() or of_environment(os.environ)


def say(english: str, **values: object) -> str:
    """A sentence of the catalogue, with its values; without values braces are only braces."""
    text = catalogue().get(english, english) if used() == "vi" else english
    return text.format(**values) if values else text


def count(number: int, one: str, many: str) -> str:
    """`1 message`, `2 messages`; Vietnamese has one form, that of `many`."""
    return say(one if number == 1 and used() == "en" else many, n=number)


def heard(sentence: str) -> str:
    """A finished English sentence from below, such as an exception's: in Vietnamese when the catalogue has its pattern."""
    if used() == "en":
        return sentence
    if vietnamese := getattr(sentence, "vi", ""):  # a Sentence of the settings, which knows it
        return str(vietnamese)
    return "\n".join(_heard(line) for line in sentence.split("\n"))


def _heard(line: str) -> str:
    if known := catalogue().get(line):
        return known
    for pattern, vietnamese in _patterns():
        if match := pattern.fullmatch(line):
            values = {n: _heard(value) if n in _SAID else value for n, value in match.groupdict().items()}
            return vietnamese.format(**values)
    return line


@cache
def catalogue() -> Mapping[str, str]:
    """Vietnamese by English."""
    from gateway.cli.vietnamese import SENTENCES
    from gateway.cli.vietnamese_backup import BACKUP
    from gateway.cli.vietnamese_doctor import DOCTOR
    from gateway.cli.vietnamese_faults import FAULTS
    from gateway.cli.vietnamese_help import HELP
    from gateway.cli.vietnamese_policy import POLICY
    from gateway.cli.vietnamese_start import START

    return {**HELP, **SENTENCES, **START, **FAULTS, **BACKUP, **DOCTOR, **POLICY}


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    from gateway.cli.vietnamese_faults import FAULTS
    from gateway.cli.vietnamese_start import START

    both = {**START, **FAULTS}  # those that say more come first
    return [(_pattern(english), vietnamese) for english, vietnamese in both.items() if _PLACE.search(english)]


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", english)
    return re.compile("".join(re.escape(p) if i % 2 == 0 else f"(?P<{p}>.+?)" for i, p in enumerate(parts)), re.DOTALL)
