"""Tables: for people as wide as the terminal, for programs one line a row with tabs and everything in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.cli.speech import say
from gateway.cli.terminal import BOLD, columns, cut, is_terminal, padded, styled, width

GAP: Final = 2
NARROWEST: Final = 6  # columns of a column, where there is no room even for what has to be shown


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its English heading, the least width that is worth showing (0: never cut), and when it has to go.

    Where the terminal is too narrow, columns with the highest `rank` are left out first; rank 0 stays.
    """

    heading: str
    least: int = 0
    rank: int = 0


def safe(text: str) -> str:
    """Mail's own words on a terminal: control and direction characters are shown, not obeyed (safety S-44)."""
    return "".join(c if c.isprintable() or c == " " else f"\\u{ord(c):04x}" for c in text)


def print_table(heads: Sequence[str | Column], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Rows on standard output; `empty` is said on standard error when there are none."""
    shown = [[safe(cell) for cell in row] for row in rows]
    if not rows:
        sys.stderr.write(empty + "\n")
    elif is_terminal(sys.stdout):
        for line in fitted([head if isinstance(head, Column) else Column(head, 8) for head in heads], shown, columns()):
            sys.stdout.write(line + "\n")
    else:
        sys.stdout.writelines("\t".join(row) + "\n" for row in shown)


def fitted(heads: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """The table as lines of at most `room` columns, its heading first."""
    names = [say(head.heading) for head in heads]
    natural = [max(width(text) for text in (name, *cells)) for name, *cells in zip(names, *rows, strict=True)]
    least = [min(head.least or wide, wide) for head, wide in zip(heads, natural, strict=True)]
    kept = _kept(heads, least, room)
    within = room - GAP * (len(kept) - 1)
    widths = _shared([natural[i] for i in kept], [least[i] for i in kept], within)
    widths = _shared(widths, [NARROWEST if heads[i].least else widths[n] for n, i in enumerate(kept)], within)
    lines = [styled(_line([names[i] for i in kept], widths), BOLD, sys.stdout)]
    lines += [_line([row[i] for i in kept], widths) for row in rows]
    if len(kept) < len(heads):
        hidden = ", ".join(name for i, name in enumerate(names) if i not in kept)
        lines.append(cut(say("(not shown here: {names})", names=hidden), room))
    return lines


def _kept(heads: Sequence[Column], least: Sequence[int], room: int) -> list[int]:
    kept = list(range(len(heads)))
    while sum(least[i] + GAP for i in kept) - GAP > room:
        last = max(kept, key=lambda i: (heads[i].rank, i))
        if heads[last].rank == 0:
            break
        kept.remove(last)
    return kept


def _shared(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths: what is too much is taken from the widest columns, a column at a time."""
    widths = list(natural)
    while sum(widths) > room:
        able = [i for i in range(len(widths)) if widths[i] > least[i]]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * GAP).join(padded(cut(c, w), w) for c, w in zip(cells, widths, strict=True)).rstrip()
