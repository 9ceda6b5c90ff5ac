"""A message: the octets as received, never written anew, with its fields located once (safety R-16)."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.envelope.address import Mailbox
from gateway.envelope.author import AuthorError, author_of
from gateway.envelope.header import HEADER_MAX, Field, decode_text, locate

if TYPE_CHECKING:
    import mmap

Octets: TypeAlias = "bytes | mmap.mmap"  # an mmap of an unlinked spool file, for large messages

# The look-behind lets a match begin at the start of a run only: without it a long name costs quadratic time (S-15).
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

SINGLE_FIELDS = (b"date", b"from", b"sender", b"reply-to", b"to", b"cc", b"message-id", b"in-reply-to", b"references",
                 b"subject", b"content-type", b"content-transfer-encoding", b"mime-version")  # fmt: skip

UNLIKE_MAX = 2048  # names that a pattern of named_like() is known not to match: mail brings the same few again
UNLIKE_LENGTH_MAX = 100  # octets of such a name
_unlike: dict[tuple[bytes, int], set[bytes]] = {}


class Message:
    """One message of RFC 5322: `raw` octets with CRLF line ends, and what we read in them.

    `problems` names, in words, what makes it *malformed*; a message with problems can still be relayed byte for byte,
    but proves nothing (safety S-13, S-29). `memo` keeps values that other pure modules derive from the octets, such as
    body hashes, so that a second pass costs nothing.
    """

    def __init__(self, raw: Octets) -> None:
        self.raw = raw
        self.size = len(raw)
        self.memo: dict[Hashable, Any] = {}
        self.header_size, self.body_offset = _split(raw)
        self.header = bytes(raw[: min(self.header_size, HEADER_MAX + 1024)])
        self.fields, problems = locate(self.header)
        self._index = _indexed(self.fields)
        self.problems = problems + self._duplicates()
        self._subject: str | None = None
        self.author: Mailbox | None = None
        self.author_name = ""
        try:
            self.author, self.author_name = author_of(self.all(b"from"))
        except AuthorError as error:
            self.problems = (*self.problems, f"From: {error}")
        if self.author and "@" in self.author_name and _names_another(self.author_name, str(self.author)):
            self.problems = (*self.problems, "From: another address in the display name")

    @property
    def body(self) -> memoryview:
        """The octets after the empty line; empty when there is no body."""
        return memoryview(self.raw)[self.body_offset :]

    def all(self, name: bytes) -> list[Field]:
        """Every field of this name (lower case), top to bottom."""
        return self._index.get(name, [])

    def first(self, name: bytes) -> Field | None:
        fields = self._index.get(name)
        return fields[0] if fields else None

    def named_like(self, pattern: re.Pattern[bytes]) -> list[Field]:
        """Every field whose name (lower case) the pattern matches from its start, top to bottom."""
        unlike = _unlike.setdefault((pattern.pattern, pattern.flags), set())  # a pattern's own hash is slow
        if unlike.issuperset(self._index):
            return []
        names = {name for name in self._index if pattern.match(name)}
        if len(unlike) > UNLIKE_MAX:
            unlike.clear()
        unlike.update(name for name in self._index.keys() - names if len(name) <= UNLIKE_LENGTH_MAX)
        return [field for field in self.fields if field.key in names] if names else []

    def text(self, name: bytes) -> str:
        """The first field of this name as decoded text; "" when absent."""
        field = self.first(name)
        return decode_text(field.value) if field else ""

    def _duplicates(self) -> tuple[str, ...]:
        """Fields that RFC 5322 §3.6 and RFC 2045 allow once but that come more often (From is named by author_of)."""
        if len(self._index) == len(self.fields):
            return ()
        counts = {name: len(fields) for name, fields in self._index.items() if len(fields) > 1 and name != b"from"}
        return tuple(f"{counts[name]} {name.decode().title()} fields" for name in SINGLE_FIELDS if name in counts)

    @property
    def subject(self) -> str:
        if self._subject is None:
            self._subject = self.text(b"subject")
        return self._subject

    @property
    def received_count(self) -> int:
        """Number of Received fields, to find loops (RFC 5321 §6.3)."""
        return len(self.all(b"received"))

    def segments(self, prepend: bytes = b"", drop: Collection[Field] = ()) -> list[bytes | memoryview]:
        """The octets to pass on: new fields on top, the dropped fields left out, all else exactly as received."""
        view = memoryview(self.raw)
        parts: list[bytes | memoryview] = [prepend] if prepend else []
        position = 0
        for field in sorted(drop, key=lambda f: f.start):
            if field.start > position:
                parts.append(view[position : field.start])
            position = max(position, field.end)
        if position < len(view):
            parts.append(view[position:])
        return parts


def _indexed(fields: Iterable[Field]) -> dict[bytes, list[Field]]:
    """The fields by their key."""
    index: dict[bytes, list[Field]] = {}
    for field in fields:
        key = field[0].rstrip(b" \t").lower()
        if key in index:
            index[key].append(field)
        else:
            index[key] = [field]
    return index


def _names_another(text: str, address: str) -> bool:
    """Whether an address stands in the text that is not this one."""
    return any(found.lower() != address.lower() for found in _ADDRESS.findall(text))


def _split(raw: Octets) -> tuple[int, int]:
    """Size of the header section (its last CRLF included) and offset of the body."""
    if raw[:2] == b"\r\n":
        return 0, 2
    end = raw.find(b"\r\n\r\n", 0)  # an mmap would search from its file position
    return (len(raw), len(raw)) if end < 0 else (end + 2, end + 4)
