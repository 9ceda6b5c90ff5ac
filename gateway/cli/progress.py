"""A line that tells how far a long work is: on a terminal only, and only when it takes more than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from gateway.cli.terminal import columns, cut, is_terminal

PATIENCE: Final = 1.0  # seconds before the line appears
PACE: Final = 0.1  # seconds between two looks
_T = TypeVar("_T")


def counted(items: Iterable[_T], told: Callable[[int], str], *, quiet: bool = False) -> Iterator[_T]:
    """The items, while standard error shows `told(number so far)`; the line is wiped at the end."""
    if quiet or not is_terminal(sys.stderr):
        yield from items
        return
    next_look, number, is_shown = time.monotonic() + PATIENCE, 0, False
    try:
        for item in items:
            yield item
            number += 1
            if time.monotonic() >= next_look:
                sys.stderr.write(f"\r\x1b[K{cut(told(number), columns() - 1)}")
                sys.stderr.flush()
                next_look, is_shown = time.monotonic() + PACE, True
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
