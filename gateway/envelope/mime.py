"""The attachments of a message: names, types, sizes and digests, found in one pass over the octets (RFC 2045, 2046).

A boundary is looked for once and for all open multiparts together, so that depth does not multiply the work. Whatever
exceeds a bound is a *problem*, which makes the message malformed, and never an exception (safety S-14).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.envelope.content import measure
from gateway.envelope.message import Message, Octets
from gateway.envelope.parameters import TooManyParameters
from gateway.envelope.part import BOUNDARY_MAX, PART_HEADER_MAX, Part, leaves, part_of, read_part
from gateway.values import value

DEPTH_MAX = 50
PARTS_MAX = 1000
STRANGERS_MAX = 1000  # lines of one message that begin like a boundary; then they are looked for in another way

_IDENTITY = ("", "7bit", "8bit", "binary")


@value
class Attachment:
    """One attached file, or message; `size` and `digest` are of its octets after base64 or quoted-printable."""

    name: str  # decoded, without path; "" when the sender gave none
    type: str  # media type, lower case
    size: int  # octets
    digest: str  # SHA-256, hex


class Delimiter(NamedTuple):
    """The end of an entity: a boundary line, or the end of the message."""

    start: int  # where the entity's octets end
    end: int  # where the next entity begins
    level: int  # index into the open boundaries; -1: end of the message
    closing: bool


class _TooMuch(Exception):
    """A bound is exceeded; the walk ends here."""


_Contents = tuple[tuple[Attachment, ...], tuple[str, ...]]


def attachments(message: Message) -> tuple[Attachment, ...]:
    """Every attached file in the order of the message, those of attached messages too. Computed once per message."""
    found: tuple[Attachment, ...] = (message.memo.get("mime") or _contents(message))[0]
    return found


def mime_problems(message: Message) -> tuple[str, ...]:
    """What makes the MIME structure malformed, in words; empty for a sound one. Computed once per message."""
    found: tuple[str, ...] = (message.memo.get("mime") or _contents(message))[1]
    return found


def _contents(message: Message) -> _Contents:
    try:
        part = part_of(message)
        contents = _plain(message, part) or _walked(message, part)
    except TooManyParameters as error:
        contents = (), (f"MIME: {error}",)
    message.memo["mime"] = contents
    return contents


def _plain(message: Message, part: Part) -> _Contents | None:
    """The contents of a message whose boundary lines are all as they should be, as of nearly all; None for others."""
    raw = message.raw
    try:
        parts = leaves(raw, part, message.body_offset, message.size)
    except TooManyParameters:  # the walk tells what stood before them
        return None
    if parts is None:
        return None
    return tuple([_attachment(raw, *leaf) for leaf in parts if leaf[0].is_attached]), ()


def _walked(message: Message, part: Part) -> _Contents:
    """The contents of any message."""
    walk = _Walk(message.raw)
    try:
        walk.content(part, message.body_offset, 0)
    except (_TooMuch, TooManyParameters) as error:
        walk.problems.append(f"MIME: {error}")
    return tuple(walk.found), tuple(walk.problems)


def _attachment(raw: Octets, part: Part, start: int, end: int) -> Attachment:
    return Attachment(part.name, part.type, *measure(raw, start, end, part.encoding))


class _Walk:
    """A recursive descent through the entities of one message; at most DEPTH_MAX deep."""

    def __init__(self, raw: Octets) -> None:
        self.raw = raw
        self.size = len(raw)
        self.found: list[Attachment] = []
        self.problems: list[str] = []
        self.parts = 0
        self.enclosing = 0  # attached messages that are open
        self.boundaries: list[bytes] = []  # of the open multiparts
        self.common = b""  # what all their lines begin with, the line break before them included
        self.strangers = 0  # lines that began like a boundary and were none
        self.pattern: re.Pattern[bytes] | None = None  # finds all of them at once; made for a message full of strangers

    def entity(self, start: int, depth: int, default: str = "text/plain") -> Delimiter:
        """Read the entity that begins with its header at `start`; returns what ended it."""
        if depth > DEPTH_MAX:
            raise _TooMuch(f"more than {DEPTH_MAX} levels")
        self.parts += 1
        if self.parts > PARTS_MAX:
            raise _TooMuch(f"more than {PARTS_MAX} parts")
        raw = self.raw
        if raw[start : start + 2] == b"\r\n":
            return self.content(read_part(b"", default), start + 2, depth)
        limit = min(start + PART_HEADER_MAX, self.size)
        blank = raw.find(b"\r\n\r\n", start, limit)
        end = limit if blank < 0 else blank + 2
        if raw.find(self.common, max(0, start - 2), end) >= 0:
            stop = self.delimiter(start, end)
            if stop.level >= 0:  # the entity ended before its header did
                return stop
        if blank < 0 and limit < self.size:
            raise _TooMuch(f"header of a part of more than {PART_HEADER_MAX} octets")
        part = read_part(bytes(raw[start:end]), default)
        return self.content(part, limit if blank < 0 else blank + 4, depth)

    def content(self, part: Part, start: int, depth: int) -> Delimiter:
        """Read the body that begins at `start`."""
        if part.type.startswith("multipart/") and part.boundary:
            return self.multipart(part, start, depth)
        if part.type in ("message/rfc822", "message/global") and part.encoding in _IDENTITY:
            return self.enclosed(part, start, depth)
        stop = self.delimiter(start)
        if part.is_attached:
            self.add(part, start, stop.start)
        return stop

    def multipart(self, part: Part, start: int, depth: int) -> Delimiter:
        if len(part.boundary) > BOUNDARY_MAX:
            raise _TooMuch(f"boundary of more than {BOUNDARY_MAX} octets")
        level = len(self.boundaries)
        self.open([*self.boundaries, part.boundary])
        default = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
        stop = self.delimiter(start)
        while stop.level == level and not stop.closing:
            stop = self.entity(stop.end, depth + 1, default)
        self.open(self.boundaries[:level])
        return self.delimiter(stop.end) if stop.level == level else stop  # after the closing boundary: the epilogue

    def enclosed(self, part: Part, start: int, depth: int) -> Delimiter:
        """An attached message: the outermost is listed itself, and what all of them hold is listed after it."""
        place = len(self.found)
        self.enclosing += 1
        stop = self.entity(start, depth + 1)
        self.enclosing -= 1
        if not self.enclosing:  # of the outermost only, so that every octet is hashed twice at most
            self.add(part, start, stop.start)
            self.found.insert(place, self.found.pop())
        return stop

    def add(self, part: Part, start: int, end: int) -> None:
        self.found.append(_attachment(self.raw, part, start, max(start, end)))

    def open(self, boundaries: list[bytes]) -> None:
        self.boundaries = boundaries
        self.common = b"\r\n--" + (boundaries[0] if len(boundaries) == 1 else _common_start(boundaries))
        self.pattern = None

    def delimiter(self, start: int, limit: int | None = None) -> Delimiter:
        """The next line that is a boundary of an open multipart; the line break before it belongs to it (RFC 2046 §5.1.1).

        The search begins at the line break before `start`, so that an empty entity is seen.
        """
        end = self.size if limit is None else limit
        if self.boundaries:
            raw, common = self.raw, self.common
            position = start - 2 if start > 2 else 0
            while self.strangers < STRANGERS_MAX:
                position = raw.find(common, position, end)
                if position < 0:
                    return Delimiter(end, end, -1, True)
                if found := self.boundary_line(position, end):
                    return found
                self.strangers += 1
                position += 2
            if found := self.search(position, end):
                return found
        return Delimiter(end, end, -1, True)

    def boundary_line(self, start: int, end: int) -> Delimiter | None:
        """The boundary line whose line break is at `start`; None when it is another line."""
        stop = self.raw.find(b"\r\n", start + 2, end)
        if stop < 0:
            stop = end
        line = self.raw[start + 4 : stop]
        level = len(self.boundaries)
        for boundary in reversed(self.boundaries):  # the innermost first
            level -= 1
            if line.startswith(boundary):
                rest = line[len(boundary) :].rstrip(b" \t")
                if not rest or rest == b"--":
                    return Delimiter(start, min(stop + 2, self.size), level, bool(rest))
        return None

    def search(self, start: int, end: int) -> Delimiter | None:
        """The same by a regular expression: dear to make, but then the lines of a hostile message cost next to nothing."""
        if self.pattern is None:
            choices = b"|".join(re.escape(boundary) for boundary in reversed(self.boundaries))
            self.pattern = re.compile(rb"\r\n--(%s)(--)?[ \t]*(?=\r\n|\Z)" % choices)
        match = self.pattern.search(self.raw, start, end)
        if match is None:
            return None
        level = max(level for level, boundary in enumerate(self.boundaries) if boundary == match[1])
        return Delimiter(match.start(), min(match.end() + 2, self.size), level, match[2] is not None)


def _common_start(boundaries: list[bytes]) -> bytes:
    """The octets with which all of them begin."""
    if len(boundaries) < 2:
        return b"".join(boundaries)
    first, last = min(boundaries), max(boundaries)
    length = next((at for at, octet in enumerate(first) if last[at : at + 1] != bytes((octet,))), len(first))
    return first[:length]
