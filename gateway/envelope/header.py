"""Header fields: located as they were received, and the only place where header octets are made (safety R-16, S-13, S-29).

A `Field` keeps the octets as they came. `make_field` is the one writer: it encodes, folds, and refuses CR, LF and NUL.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from typing import NamedTuple

HEADER_MAX = 256 * 1024  # octets of a header section that we read
FIELDS_MAX = 1000
FIELD_MAX = 64 * 1024  # octets of one field
ENCODED_WORDS_MAX = 500  # in one field

_NAME = re.compile(rb"[\x21-\x39\x3b-\x7e]+\Z")  # ftext, RFC 5322 §2.2
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]+)(?:\*[A-Za-z0-9-]+)?\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t]+(?==\?[A-Za-z0-9_.:*+-]+\?[bBqQ]\?)")


class HeaderError(ValueError):
    """A field that we must not write."""


class Field(NamedTuple):
    """One header field as received: `raw[start:end]` of the message, CRLF included."""

    name: bytes  # as written, without the colon
    value: bytes  # after the colon, still folded, without the final CRLF
    start: int
    end: int

    @property
    def key(self) -> bytes:
        """Name in lower case, without the white space that some write before the colon."""
        return self.name.rstrip(b" \t").lower()

    @property
    def unfolded(self) -> bytes:
        return _FOLD.sub(b"", self.value).strip(b" \t")


def locate(header: bytes) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Locate the fields of a header section (CRLF line ends, without the empty line).

    Returns the fields and what was wrong with the section, in words. Nothing raises: what is no field stays in its
    place in the message, is named as a problem, and is never mistaken for a field.
    """
    fields: list[Field] = []
    problems: list[str] = []
    position, size = 0, len(header)
    if size > HEADER_MAX:
        problems.append(f"header section of more than {HEADER_MAX} octets")
        size = header.rfind(b"\r\n", 0, HEADER_MAX) + 2
    while position < size:
        end = header.find(b"\r\n", position, size)
        end = size if end < 0 else end + 2
        while end < size and header[end] in b" \t":
            nxt = header.find(b"\r\n", end, size)
            end = size if nxt < 0 else nxt + 2
        _add_field(header, position, end, fields, problems)
        position = end
        if len(fields) > FIELDS_MAX:
            problems.append(f"more than {FIELDS_MAX} header fields")
            break
    return tuple(fields), tuple(dict.fromkeys(problems))


def _add_field(header: bytes, start: int, end: int, fields: list[Field], problems: list[str]) -> None:
    text = header[start:end]
    if text.endswith(b"\r\n"):
        text = text[:-2]
    if text[:1] in (b" ", b"\t"):
        problems.append("header section starts with a continuation line")
        return
    name, colon, value = text.partition(b":")
    if not colon:
        problems.append("header line without a colon")
        return
    if len(text) > FIELD_MAX:
        problems.append(f"header field of more than {FIELD_MAX} octets")
    if not _NAME.match(name):
        problems.append(
            "white space before the colon of a header field"
            if _NAME.match(name.rstrip(b" \t"))
            else "header field name syntax"
        )
    if b"\0" in text:
        problems.append("NUL in header")
    fields.append(Field(name, value, start, end))


def decode_text(value: bytes) -> str:
    """Decode unstructured text: UTF-8, then encoded-words (RFC 2047). Never raises; what cannot be read is kept visible."""
    text = _FOLD.sub(b"", value[:FIELD_MAX]).decode("utf-8", "replace").strip()
    if "=?" not in text:
        return text
    if text.count("=?") > ENCODED_WORDS_MAX:
        return text
    return _ENCODED_WORD.sub(_decode_word, _join_words(_BETWEEN_WORDS.sub(r"\1", text)))


def _join_words(text: str) -> str:
    """Join neighbouring B words of one charset: mailers cut between the octets of one letter (against RFC 2047 §5)."""
    pattern = re.compile(r"=\?([^?\s]+)\?([bB])\?([A-Za-z0-9+/]*)\?==\?\1\?[bB]\?")
    while True:
        joined = pattern.sub(lambda m: f"=?{m[1]}?{m[2]}?{m[3]}", text)
        if joined == text:
            return text
        text = joined


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, text = match[1], match[2].upper(), match[3]
    try:
        if encoding == "B":
            raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=False)
        else:
            raw = quopri.decodestring(text.replace("_", " ").encode("ascii", "replace"), header=True)
        return raw.decode(charset, "replace")
    except (LookupError, ValueError, binascii.Error):
        return match[0]


def encode_words(text: str) -> str:
    """Encode text as RFC 2047 encoded-words of at most 75 characters, cut between letters; ASCII is left alone."""
    if text.isascii() and "=?" not in text:
        return text
    words, chunk = [], b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > 42:  # 42 octets are 56 of base64, and 12 of frame: 68
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return " ".join(f"=?utf-8?B?{base64.b64encode(word).decode()}?=" for word in words)


def make_field(name: str, value: str) -> bytes:
    """Make the octets of one field, folded at white space before column 78 (RFC 5322 §2.1.1), CRLF included.

    `value` must be ASCII (see encode_words). Raises HeaderError for CR, LF, NUL, other controls, and bad names.
    """
    if not name.isascii() or not _NAME.match(name.encode()):
        raise HeaderError(f"header field name {name!r}")
    if not value.isascii() or any((char < " " and char != "\t") or char == "\x7f" for char in value):
        raise HeaderError(f"value of {name} holds a control or non-ASCII character")
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > 78 and line.strip() and not line.endswith(":"):
            lines.append(line)
            line = ""
        line += " " + word
    lines.append(line)
    folded = "\r\n".join(part for part in lines if part.strip())  # no line of blanks only (RFC 5322 §3.2.2)
    return folded.encode("ascii") + b"\r\n"
