"""Names and values, one below the other: what `show` prints of one message."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gateway.cli.speech import say
from gateway.cli.tables import safe
from gateway.cli.terminal import BOLD, padded, styled, width


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """English names are said in the reader's language; values are shown as they are, control characters made harmless."""
    names = [say(name) for name, _ in facts]
    room = max(map(width, names), default=0)
    for name, (_, value) in zip(names, facts, strict=True):
        label = styled(name, BOLD, sys.stdout) + padded("", room - width(name))
        sys.stdout.write(f"{label}  {safe(value)}".rstrip() + "\n")
