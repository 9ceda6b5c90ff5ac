"""Tag lists `a=rsa-sha256; d=example.vn`, the grammar of DKIM signatures, keys and ARC sets (RFC 6376 §3.2)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from operator import methodcaller

import dkim.util

LIST_MAX = 16 * 1024  # octets of a signature field (safety S-16)
NUMBER_MAX = 20  # digits; Python refuses to read 4,300, RFC 6376 §3.5 asks for 12 at least

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*\Z")
_BLANKS = b" \t\r\n"
_LOWER = bytes(range(256)).lower()  # a table for bytes.translate
_SIGNATURE = re.compile(rb";[ \t\r\n]*b[ \t\r\n]*=([^;]*)")
_KNOWN = frozenset(b"a b bh c cv d g h i k l n p q s t v x z".split())  # names in signatures, seals and keys

Tags = dict[bytes, bytes]

_read: Callable[[bytes], Tags] = dkim.util.parse_tag_value
_halves: Callable[[bytes], list[bytes]] = methodcaller("split", b"=", 1)


class TagError(ValueError):
    """The octets are not a tag list, or a tag does not hold what its clause asks for. str(error) says which."""


def parse(octets: bytes) -> Tags:
    """Read a tag list; names and values without surrounding white space, folding inside values kept.

    Raises TagError, also for a tag that comes twice (RFC 6376 §3.2) and for lists of more than LIST_MAX octets.
    """
    if len(octets) > LIST_MAX:
        raise TagError(f"more than {LIST_MAX} octets")
    return _plain(octets) or _any(octets)


def _plain(octets: bytes) -> Tags | None:
    """The tags of a list of known names, each once, as nearly all are; None for others."""
    specs = octets.strip().split(b";")
    if not specs[-1]:
        specs.pop()  # the list may end in a semicolon
    try:
        tags = {name.strip(): value.strip() for name, value in map(_halves, specs)}
    except ValueError:
        return None
    return tags if len(tags) == len(specs) and tags.keys() <= _KNOWN else None


def _any(octets: bytes) -> Tags:
    try:
        tags = _read(octets)
    except dkim.util.InvalidTagValueList as error:
        raise TagError("tag list syntax") from error
    if not all(map(_NAME.match, tags)):
        raise TagError("tag name syntax")
    return tags


def squeezed(value: bytes) -> bytes:
    """The value without any white space."""
    return value.translate(None, _BLANKS)


def number(tags: Tags, name: bytes) -> int | None:
    """The decimal value of a tag, None when the tag is absent. Raises TagError."""
    text = tags.get(name)
    if text is None:
        return None
    if not text.isdigit() or len(text) > NUMBER_MAX:
        raise TagError(f"{name.decode()}= is not a number")
    return int(text)


def octets_of(tags: Tags, name: bytes) -> bytes:
    """The base64 value of a required tag, decoded. Raises TagError when it is absent, empty or not base64."""
    text = squeezed(tags.get(name, b""))
    if not text:
        raise TagError(f"{name.decode()}= is missing")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise TagError(f"{name.decode()}= is not base64") from error


def words(value: bytes) -> tuple[bytes, ...]:
    """A colon-separated list such as h=, in lower case, without white space and empty words."""
    return tuple(filter(None, value.translate(_LOWER, _BLANKS).split(b":")))


def without_signature(value: bytes) -> bytes:
    """A signature field's value with the text of its b= tag taken out and nothing else changed (RFC 6376 §3.7)."""
    octets = b";" + value
    match = _SIGNATURE.search(octets)
    return octets[1 : match.start(1)] + octets[match.end() :] if match else value
