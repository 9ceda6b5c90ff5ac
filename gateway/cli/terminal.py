"""The terminal: whether there is one, how wide it is, whether it wants colours, and how wide a text is on it."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Mapping
from typing import IO, Final

BOLD: Final = "1"
WIDEST: Final = 100  # columns that prose may have


def is_terminal(stream: IO[str]) -> bool:
    """Whether a person looks at what is written there."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def wants_colours(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """NO_COLOR (no-color.org) says no; FORCE_COLOR and CLICOLOR_FORCE say yes even into a pipe; else by the terminal."""
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") != "0" for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal(stream) and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def styled(text: str, style: str, stream: IO[str]) -> str:
    """The text in an SGR style, where colours are wanted."""
    return f"\x1b[{style}m{text}\x1b[0m" if wants_colours(stream) and text else text


def columns() -> int:
    """Of the terminal, or COLUMNS; 80 when nobody knows."""
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def prose() -> int:
    """How wide prose is set."""
    return min(columns(), WIDEST)


def width(text: str) -> int:
    """Columns that the text takes: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, room: int) -> str:
    """The text in at most `room` columns, its end shown as cut with an ellipsis; no letter loses its accents."""
    if width(text) <= room:
        return text
    taken, used = [], 0
    for character in text:
        used += _cells(character)
        if used > room - 1:
            break
        taken.append(character)
    return "".join(taken).rstrip() + "…" if room > 0 else ""


def padded(text: str, room: int) -> str:
    """The text with spaces after it, as far as `room`."""
    return text + " " * (room - width(text))
