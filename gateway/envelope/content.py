"""Size and SHA-256 of an entity's octets after its Content-Transfer-Encoding (RFC 2045 §6), a few lines at a time.

Decoding is tolerant: what does not belong to the encoding is passed over, and nothing raises. A 50 MB attachment costs
a hundred kilobytes of memory, not fifty million.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator

import pybase64

from gateway.envelope.message import Octets

CHUNK = 64 * 1024  # octets read at a time: they stay in the processor's cache

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))


def measure(raw: Octets, start: int, end: int, encoding: str) -> tuple[int, str]:
    """Return the decoded size in octets and the SHA-256 in hex of `raw[start:end]`."""
    if encoding == "base64" and end - start <= CHUNK:
        octets = _sound_base64(bytes(raw[start:end]))
        if octets is not None:
            return len(octets), hashlib.sha256(octets).hexdigest()
    digest, size = hashlib.sha256(), 0
    for octets in decoded(raw, start, end, encoding):
        digest.update(octets)
        size += len(octets)
    return size, digest.hexdigest()


def decoded(raw: Octets, start: int, end: int, encoding: str) -> Iterator[bytes]:
    """The decoded octets of `raw[start:end]`, in pieces. An unknown encoding is read as none."""
    pieces = _pieces(raw, start, end)
    if encoding == "base64":
        return _base64(pieces)
    if encoding == "quoted-printable":
        return _quoted_printable(pieces)
    return pieces


def _pieces(raw: Octets, start: int, end: int) -> Iterator[bytes]:
    """The octets, cut behind a line end where there is one."""
    while start < end:
        stop = min(start + CHUNK, end)
        if stop < end:
            stop = raw.rfind(b"\n", start, stop) + 1 or stop
        yield bytes(raw[start:stop])
        start = stop


def _sound_base64(piece: bytes) -> bytes | None:
    """None where letters follow the padding, or are no multiple of four: some belong to the next piece."""
    padding = piece.find(b"=")
    if padding >= 0 and piece[padding:].rstrip(b"\r\n") not in (b"=", b"=="):
        return None
    try:
        return pybase64.b64decode(piece)
    except binascii.Error:
        return None


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Everything up to the first padding; a letter too many at the end is dropped (RFC 2045 §6.8)."""
    rest = b""
    for piece in pieces:
        octets = None if rest else _sound_base64(piece)
        if octets is not None:
            yield octets
            if b"=" not in piece:
                continue
            return
        letters = rest + piece.translate(None, _NOT_BASE64)
        if (padding := letters.find(b"=")) >= 0:
            rest = letters[:padding]
            break
        whole = len(letters) // 4 * 4
        yield binascii.a2b_base64(letters[:whole])
        rest = letters[whole:]
    whole = len(rest) // 4 * 4
    tail = rest[whole:] if len(rest) - whole > 1 else b""
    yield binascii.a2b_base64(rest[:whole] + tail + b"=" * (-len(tail) % 4))


def _quoted_printable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut between lines, since "=" at the end of one joins it to the next (RFC 2045 §6.7)."""
    rest = b""
    for piece in pieces:
        octets = rest + piece
        cut = octets.rfind(b"\r\n") + 2
        if cut < 2:
            cut = len(octets) if b"=" not in octets[-3:] else octets.rindex(b"=", max(0, len(octets) - 3))
        yield binascii.a2b_qp(octets[:cut])
        rest = octets[cut:]
    yield binascii.a2b_qp(rest)
