"""Where in a TOML text a key stands: problems name the line that has to be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

Path = tuple[str, ...]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE: Final = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=\s*(.*)", re.DOTALL)


class Place(NamedTuple):
    """Line and columns, all from 1; of a table, both columns are those of its name."""

    line: int
    key: int = 1
    value: int = 1


def places_of_keys(text: str) -> dict[Path, Place]:
    """The place of every table and key; keys of inline tables are not looked into.

    It expects a text that tomllib has read, and is wrong at worst about a line: values that go over several lines are
    skipped only as far as their own lines do not look like keys.
    """
    places: dict[Path, Place] = {}
    table: Path = ()
    for number, line in _outside_long_strings(text):
        if header := _TABLE.fullmatch(line):
            table = _parts(header[1])
            places.setdefault(table, Place(number, header.start(1) + 1, header.start(1) + 1))
        elif key := _KEY.match(line):
            places.setdefault(table + _parts(key[1]), Place(number, key.start(1) + 1, key.start(2) + 1))
    return places


def place_of(places: Mapping[Path, Place], path: Path) -> Place:
    """The place of a key, or of the nearest thing that holds it; the beginning when nothing does."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return Place(1)


def _outside_long_strings(text: str) -> Iterator[tuple[int, str]]:
    end = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not end:
            yield number, line
        for mark in ('"""', "'''"):
            if end in ("", mark) and line.count(mark) % 2:
                end = "" if end else mark


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
