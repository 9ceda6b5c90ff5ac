"""Where in a TOML text a key stands: problems name the line that has to be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Path = tuple[str, ...]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE: Final = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.DOTALL)


def lines_of_keys(text: str) -> dict[Path, int]:
    """The line, from 1, of every table and key; keys of inline tables are not looked into.

    It expects a text that tomllib has read, and is wrong at worst about a line: values that go over several lines are
    skipped only as far as their own lines do not look like keys.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, line in _outside_long_strings(text):
        if header := _TABLE.fullmatch(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _parts(key[1]), number)
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a key, or of the nearest thing that holds it; 1 when nothing does."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


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
