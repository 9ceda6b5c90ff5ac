"""Which names may become DNS questions: resolvers mangle or refuse others, each in its own way (safety S-21)."""

from __future__ import annotations

import re

NAME_MAX = 253  # characters without the final dot

_LABEL = r"[ -\-/-\[\]-~]{1,63}"  # printable ASCII but dot and backslash: SPF macros put spaces and local-parts into it
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_PRINTABLE = re.compile(r"[^\x20-\x7e]+")


def is_askable(name: str) -> bool:
    """Whether the name, without a final dot, can exist in DNS and be asked for safely."""
    return len(name) <= NAME_MAX and _NAME.match(name) is not None


def printable(text: str, limit: int) -> str:
    """Text of a stranger made fit for one line of a header, log or reply: printable ASCII, at most `limit` characters."""
    return _PRINTABLE.sub("?", text).strip()[:limit]
