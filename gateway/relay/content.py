"""Message content as it travels after DATA (RFC 5321 §4.5.2): dots doubled, and nothing that could end it early.

The doors refuse bare CR, bare LF and NUL; where the postmaster lets them pass for a while (`bare_newlines = "log"`), the
octets stay as they are, but a dot right after one of them is never sent: some servers take a bare CR or LF for the end of a
line, or drop NUL, and would then see the end of the message there (safety S-1, S-3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.ports import Content

CHUNK = 64 * 1024  # octets taken from a segment at a time


class SmugglingError(Exception):
    """A dot beside a bare CR, a bare LF or a NUL: another server may take it for the end of data."""


class DotStuffer:
    """Doubles dots at line starts over any number of pieces, however they are cut."""

    def __init__(self) -> None:
        self._before = b"\r\n"  # the last two octets seen; content starts at a line start

    def feed(self, piece: bytes) -> bytes:
        """The piece as it is sent. Raises SmugglingError."""
        window = self._before + piece
        if b"." not in piece:
            self._before = window[-2:]
            return piece
        # Places are counted where the dot lies in this piece: an earlier one had its turn with its own piece.
        if (
            window.count(b"\n.", 1) != window.count(b"\r\n.")
            or window.find(b"\r.", 1) >= 0
            or window.find(b"\0.", 1) >= 0
        ):
            raise SmugglingError
        self._before = window[-2:]
        return window.replace(b"\r\n.", b"\r\n..")[2:]

    def end(self) -> bytes:
        """The end of data; the CRLF before the dot is the content's own where it has one (RFC 5321 §4.1.1.4)."""
        return b".\r\n" if self._before == b"\r\n" else b"\r\n.\r\n"


def pieces(content: Content) -> Iterator[bytes]:
    """The octets in pieces of at most CHUNK; segments over an mmap are copied only a piece at a time."""
    for segment in content:
        view = memoryview(segment)
        for start in range(0, len(view), CHUNK):
            yield bytes(view[start : start + CHUNK])


def size(content: Content) -> int:
    """Octets of the content, before dots are doubled."""
    return sum(len(segment) for segment in content)


def has_8bit(octets: Iterable[bytes]) -> bool:
    """Whether any octet is beyond ASCII, so that the message needs 8BITMIME (RFC 6152)."""
    return not all(piece.isascii() for piece in octets)


def header_has_8bit(content: Content) -> bool:
    """Whether the header section holds octets beyond ASCII, so that the message needs SMTPUTF8 (RFC 6531 §3.2)."""
    before = b"\r\n"
    for piece in pieces(content):
        window = before + piece
        end = window.find(b"\r\n\r\n")
        if not window[: end if end >= 0 else len(window)].isascii():
            return True
        if end >= 0:
            return False
        before = window[-3:]
    return False
