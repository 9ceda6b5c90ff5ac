"""The line that shows how far a backup is: on a terminal only, and only when it takes more than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.cli.progress import PACE, PATIENCE
from gateway.cli.terminal import columns, cut, is_terminal

WIDTH = 20  # columns of the bar


@contextmanager
def line(told: Callable[[str, int, int], str], *, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Gives a function to be called with step, number done and number in all; the line is wiped at the end."""
    due, is_shown = time.monotonic() + PATIENCE, False

    def look(step: str, done: int, of: int) -> None:
        nonlocal due, is_shown
        if quiet or time.monotonic() < due or not is_terminal(sys.stderr):
            return
        full = WIDTH * done // max(of, 1)
        text = f"[{'#' * full}{'.' * (WIDTH - full)}] {told(step, done, of)}"
        sys.stderr.write(f"\r\x1b[K{cut(text, columns() - 1)}")
        sys.stderr.flush()
        due, is_shown = time.monotonic() + PACE, True

    try:
        yield look
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
