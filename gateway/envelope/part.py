"""The header of an entity (RFC 2045), and the short way through a multipart: for boundary lines that are as they should be.

The short way looks for the lines of one boundary at a time and gives up whatever it does not know to the walk of
gateway/envelope/mime.py, which finds the same where both know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final, NamedTuple

from gateway.envelope.header import locate
from gateway.envelope.message import Message, Octets
from gateway.envelope.parameters import file_name, parse

PART_HEADER_MAX: Final = 64 * 1024  # octets
KNOWN_MAX: Final = 96  # octets of the header of a part that is remembered: of a text, not of a file with its name
BOUNDARY_MAX: Final = 200  # octets; RFC 2046 §5.1.1 allows 70
FEW: Final = 9  # entities of one multipart on the short way, and ...
LEVELS: Final = 3  # ... multiparts in each other there: fewer entities than the walk allows

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")  # RFC 6838 §4.2
_TYPE, _DISPOSITION, _ENCODING = _NAMES = (b"content-type", b"content-disposition", b"content-transfer-encoding")


class Part(NamedTuple):
    """What the header of one entity says."""

    type: str
    encoding: str  # Content-Transfer-Encoding, lower case
    disposition: str
    name: str
    boundary: bytes

    @property
    def is_attached(self) -> bool:
        """Whether an entity without entities of its own is listed as an attachment."""
        return bool(self.name or self.disposition == "attachment" or not self.type.startswith(("text/", "multipart/")))


Leaf = tuple[Part, int, int]  # an entity that is no multipart, and where its body begins and ends
_new_part = partial(tuple.__new__, Part)  # of a tuple; the constructor of a NamedTuple is a call in Python


def part_of(message: Message) -> Part:
    """Read the MIME fields of a message. Raises TooManyParameters."""
    return _part({name: found[0].value for name in _NAMES if (found := message.all(name))})


def read_part(header: bytes, default: str = "text/plain") -> Part:
    """Read the header of a part. Raises TooManyParameters."""
    return _known(header, default) if len(header) <= KNOWN_MAX else _read(header, default)


def _read(header: bytes, default: str) -> Part:
    fields = locate(header)[0]
    # backwards, so that the first of a name counts
    return _part({name.rstrip(b" \t").lower(): value for name, value, _, _ in reversed(fields)}, default)


_known = lru_cache(maxsize=1024)(_read)


def _part(fields: Mapping[bytes, bytes], default: str = "text/plain") -> Part:
    """Read the MIME fields of an entity, given by their names."""
    media, parameters = parse(fields.get(_TYPE, b""))
    disposition, others = parse(fields.get(_DISPOSITION, b""))
    encoding = fields.get(_ENCODING, b"").decode("ascii", "replace").strip().lower()
    name = others.get("filename") or parameters.get("name")
    boundary = parameters.get("boundary", "").rstrip(" ").encode("utf-8", "replace")
    media_type = _MEDIA_TYPE.match(media)
    return _new_part(
        (media_type[0] if media_type else default, encoding, disposition, file_name(name) if name else "", boundary)
    )


def leaves(raw: Octets, part: Part, start: int, end: int, outer: tuple[bytes, ...] = ()) -> list[Leaf] | None:
    """The leaves of an entity whose body is `raw[start:end]`, in their order; None where the walk has to find them.

    `outer` are the boundaries of the multiparts around it, of whose lines there is none in the body. Raises
    TooManyParameters.
    """
    boundary = part.boundary
    if not (boundary and part.type.startswith("multipart/")):
        return None if part.type.startswith("message/") else [(part, start, end)]
    if part.type == "multipart/digest" or len(boundary) > BOUNDARY_MAX or (outer and not _is_apart(boundary, outer)):
        return None
    found = []
    for begin, stop in _places(raw, boundary, start, end):
        blank = raw.find(b"\r\n\r\n", begin - 2, min(stop, begin + PART_HEADER_MAX))
        if blank < 0:
            return None
        inner = leaves(raw, read_part(bytes(raw[begin : blank + 2])), blank + 4, stop, (*outer, boundary))
        if inner is None:
            return None
        found += inner
    return found or None


def _is_apart(boundary: bytes, outer: tuple[bytes, ...]) -> bool:
    """Whether no line can be of this boundary and of one around it."""
    return len(outer) < LEVELS and not any(boundary.startswith(other) or other.startswith(boundary) for other in outer)


def _places(raw: Octets, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where the entities between the boundary lines of a multipart are.

    None at all unless each line that begins like one is one, and the last and only the last closes the multipart.
    """
    line = b"\r\n--" + boundary
    places: list[tuple[int, int]] = []
    found = raw.find(line, start - 2, end)  # from the line break before an empty preamble
    while found >= 0 and len(places) <= FEW:
        begin = found + len(line)
        found = raw.find(line, begin, end)
        if found < 0:
            return places if raw[begin : begin + 4] in (b"--\r\n", b"--") else []
        if raw[begin : begin + 2] != b"\r\n":
            return []
        places.append((begin + 2, found))
    return []
