"""Parameters of Content-Type and Content-Disposition, read in linear time and within bounds (RFC 2045 §5.1, RFC 2231).

Other readers took seconds or took the wrong file name here (safety S-14, finding 8), so the bounds are the point.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.envelope.header import decode_text

PARAMETERS_MAX = 128
KNOWN_MAX = 48  # octets of a value that is remembered as read: `text/plain; charset="utf-8"`, but no file's name
NAME_MAX = 255  # characters of a file name, as file systems have it

_ONE = re.compile(r'([^;]*);[ \t]*([A-Za-z-]+)=(?:"([^"\\]*)"|([^\s";]*))[ \t]*(?:;[ \t]*)?\Z')  # as most values are
_MARK = re.compile(r'[;"]')
_QUOTED_REST = re.compile(r'(?:[^"\\]|\\.)*"', re.S)  # from after the opening quote
_SECTION = re.compile(r"([^*]+)(?:\*([0-9]{1,4}))?(\*)?\Z")  # name*2* of RFC 2231 §3 and §4
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

Pieces = dict[int, tuple[str, bool]]  # section number: (text, percent-encoded)


class TooManyParameters(ValueError):
    """More parameters than any honest mailer writes."""


def parse(value: bytes) -> tuple[str, Mapping[str, str]]:
    """Read `type/subtype; name=value; ...`: the first word in lower case, and the decoded parameters by lower-case name.

    Sections are joined in their order (RFC 2231 §3); a percent-encoded parameter wins over a plain one of its name.
    Raises TooManyParameters.
    """
    return _known(value) if len(value) <= KNOWN_MAX else _parse(value)


def _parse(value: bytes) -> tuple[str, Mapping[str, str]]:
    if not value:
        return "", {}
    text = value.replace(b"\r\n", b"").decode("utf-8", "replace")
    if one := _ONE.match(text):
        content = one[one.lastindex or 0]
        return one[1].strip().lower(), {one[2].lower(): _decoded(content) if "=?" in content else content}
    return _parse_any(text)


def _parse_any(text: str) -> tuple[str, Mapping[str, str]]:
    first, _, rest = text.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, Pieces] = {}
    for count, (name, content) in enumerate(_pairs(rest), 1):
        if count > PARAMETERS_MAX:
            raise TooManyParameters(f"more than {PARAMETERS_MAX} MIME parameters")
        section = _SECTION.match(name) if "*" in name else None
        if section is None or (section[2] is None and section[3] is None):
            plain.setdefault(name, _decoded(content))
        else:
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (content, bool(section[3])))
    for name, pieces in sections.items():
        plain[name] = _join(pieces)
    return first.strip().lower(), plain


_known = lru_cache(maxsize=1024)(_parse)


def file_name(text: str) -> str:
    """A file name fit to be shown and stored: no path, no controls, no marks that turn the writing direction, NFC."""
    if not text:
        return ""
    if text.isascii() and text.isprintable() and "/" not in text and "\\" not in text:
        return text.strip()[:NAME_MAX]
    name = re.split(r"[/\\]", _UNSAFE.sub("", text).rstrip("/\\"))[-1].strip()
    return unicodedata.normalize("NFC", name[:NAME_MAX])


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Cut at the semicolons outside quoted strings; every character is looked at once. A quote left open ends it all."""
    start = position = 0
    while start < len(text):
        mark = _MARK.search(text, position)
        if mark and mark[0] == '"':
            closing = _QUOTED_REST.match(text, mark.end())
            position = closing.end() if closing else len(text)
            continue
        end = mark.start() if mark else len(text)
        name, equals, value = text[start:end].partition("=")
        if equals:
            yield name.strip().lower(), _unquote(value.strip())
        start = position = end + 1


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    closing = _QUOTED_REST.match(text, 1)
    inner = text[1 : closing.end() - 1] if closing else text[1:]
    return re.sub(r"\\(.)", r"\1", inner, flags=re.S) if "\\" in inner else inner


def _decoded(text: str) -> str:
    """Encoded-words do not belong into parameters (RFC 2047 §5), yet many mailers write file names with them."""
    return decode_text(text.encode("utf-8", "replace")) if "=?" in text else text


def _join(pieces: Pieces) -> str:
    """Join sections 0, 1, 2 ... up to the first gap, then decode: a letter's octets may be cut between two sections."""
    charset, octets = "utf-8", b""
    for number in range(len(pieces)):
        if number not in pieces:
            break
        text, is_encoded = pieces[number]
        if number == 0 and is_encoded and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets += unquote_to_bytes(text) if is_encoded else text.encode("utf-8", "replace")
    return _decode(octets, charset or "utf-8")


def _decode(octets: bytes, charset: str) -> str:
    if charset.lower() in ("utf-8", "us-ascii"):
        return octets.decode("utf-8", "replace")
    word = b"=?%s?Q?%s?=" % (charset.encode("ascii", "replace"), b"".join(b"=%02X" % octet for octet in octets))
    text = decode_text(word)  # one place decides which charsets are read
    return text if not text.startswith("=?") else octets.decode("utf-8", "replace")
