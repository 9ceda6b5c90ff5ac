"""Header fields: located as they were received, and the only place where header octets are made (safety R-16, S-13, S-29).

A `Field` keeps the octets as they came. `make_field` is the one writer: it encodes, folds, and refuses CR, LF and NUL.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from functools import partial
from typing import NamedTuple

HEADER_MAX = 256 * 1024  # octets of a header section that we read
FIELDS_MAX = 1000
FIELD_MAX = 64 * 1024  # octets of one field
ENCODED_WORDS_MAX = 500  # in one field
LINE_MAX = 78  # characters of a line that we write, where it can be folded (RFC 5322 §2.1.1)

_NAME = re.compile(rb"[\x21-\x39\x3b-\x7e]+\Z")  # ftext, RFC 5322 §2.2
_FIELDS = re.compile(rb"^([\x21-\x39\x3b-\x7e]+):(.*(?:\n[ \t].*)*)\r\n", re.MULTILINE)  # with their folding
_WRITABLE_NAME = re.compile(_NAME.pattern.decode())
_UNWRITABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_LINES = re.compile(rf" .{{1,{LINE_MAX - 1}}}(?= |\Z)| [^ ]+")  # of words one blank apart; the last for a longer word
_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]+)(?:\*[A-Za-z0-9-]+)?\?([bBqQ])\?([^?\s]*)\?=")
_WORDS = re.compile(rf"{_ENCODED_WORD.pattern}(?:[ \t]*{_ENCODED_WORD.pattern})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}  # the first two: quadratic


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


_field = partial(tuple.__new__, Field)  # of a tuple; the constructor of a NamedTuple is a call in Python


def locate(header: bytes) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Locate the fields of a header section (CRLF line ends, without the empty line).

    Returns the fields and what was wrong with the section, in words. Nothing raises: what is no field stays in its
    place in the message, is named as a problem, and is never mistaken for a field.
    """
    if len(header) <= FIELD_MAX and b"\0" not in header and header.count(b"=?") <= ENCODED_WORDS_MAX:
        fields = _sound(header)  # no field can exceed a bound of its own
        if fields is not None:
            return fields, ()
    return _locate(header)


def _sound(header: bytes) -> tuple[Field, ...] | None:
    """The fields of a section that is nothing but sound fields, as nearly all are, found in one go; None for others."""
    found = _FIELDS.findall(header)
    fields: list[Field] = []
    start = 0
    for name, value in found:
        end = start + len(name) + len(value) + 3  # the colon and CRLF
        fields.append(_field((name, value, start, end)))
        start = end
    # What is found does not overlap: as long together as the section means that nothing stands between
    return tuple(fields) if start == len(header) and len(fields) <= FIELDS_MAX else None


def _locate(header: bytes) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Line by line, for any section."""
    fields: list[Field] = []
    problems: list[str] = []
    position, size = 0, len(header)
    if size > HEADER_MAX:
        problems.append(f"header section of more than {HEADER_MAX} octets")
        size = header.rfind(b"\r\n", 0, HEADER_MAX) + 2
    while position < size:
        end = _end_of_field(header, position, size)
        _add_field(header, position, end, fields, problems)
        position = end
        if len(fields) > FIELDS_MAX:
            problems.append(f"more than {FIELDS_MAX} header fields")
            break
    return tuple(fields), tuple(dict.fromkeys(problems))


def _end_of_field(header: bytes, start: int, size: int) -> int:
    """Where the line at `start` ends, with the continuation lines behind it."""
    end = header.find(b"\r\n", start, size)
    end = size if end < 0 else end + 2
    while end < size and header[end] in b" \t":
        nxt = header.find(b"\r\n", end, size)
        end = size if nxt < 0 else nxt + 2
    return end


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
    if text.count(b"=?") > ENCODED_WORDS_MAX:  # safety S-14
        problems.append(f"more than {ENCODED_WORDS_MAX} encoded-words in a header field")
    fields.append(Field(name, value, start, end))


def spelled_with(letters: bytes, name: bytes) -> bytes:
    """A regular expression for `name` among any octets that are not `letters` (a class, as in b"a-z-")."""
    noise = b"[^%s]*" % letters
    return noise + noise.join(re.escape(bytes((octet,))) for octet in name)


def decode_text(value: bytes) -> str:
    """Decode unstructured text: UTF-8, then encoded-words (RFC 2047). Never raises; what cannot be read is kept visible.

    Control characters, which encoded-words can bring in, come out as spaces: decoded text is one line, always.
    """
    octets = value[:FIELD_MAX]
    if b"\n" in octets:
        octets = _FOLD.sub(b"", octets)
    text = octets.decode("utf-8", "replace").strip()
    if "=?" in text and text.count("=?") <= ENCODED_WORDS_MAX:
        text = _WORDS.sub(_decode_words, text)
    return text if text.isprintable() else _CONTROL.sub(" ", text)


def _decode_words(match: re.Match[str]) -> str:
    """Decode neighbouring encoded-words. What is none, for its charset or its letters, is kept as it is."""
    try:
        if match[4] is None:  # one word by itself
            return _decode_charset(_decode_octets(match[2], match[3]), match[1])
        return "".join([_decode_charset(raw, charset) for charset, raw in _runs(match[0])])
    except (LookupError, ValueError):
        return match[0]


def _runs(words: str) -> list[tuple[str, bytes]]:
    """Octets of one charset are joined first: mailers cut between the octets of one letter, against RFC 2047 §5."""
    runs: list[tuple[str, bytes]] = []
    for word in _ENCODED_WORD.finditer(words):
        charset, raw = word[1].lower(), _decode_octets(word[2], word[3])
        if runs and runs[-1][0] == charset:
            raw = runs.pop()[1] + raw
        runs.append((charset, raw))
    return runs


def _decode_octets(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        try:
            return binascii.a2b_base64(text + "=" * (-len(text) % 4))
        except binascii.Error:  # one letter too many: read what stands before it
            letters = re.sub(r"[^A-Za-z0-9+/]", "", text)
            return base64.b64decode(letters[: len(letters) // 4 * 4])
    return quopri.decodestring(text.replace("_", " ").encode("ascii", "replace"), header=True)


def _decode_charset(raw: bytes, charset: str) -> str:
    """Raises LookupError for an unknown charset, and for the codecs of Python that are no charsets of mail."""
    name = codecs.lookup(charset).name
    if name in _NO_CHARSETS:
        raise LookupError(charset)
    return raw.decode(name, "replace")


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
    if not _WRITABLE_NAME.match(name):
        raise HeaderError(f"header field name {name!r}")
    printable = value.isprintable()
    if not value.isascii() or not (printable or _UNWRITABLE.search(value) is None):
        raise HeaderError(f"value of {name} holds a control or non-ASCII character")
    text = f"{name}: {value}"
    if len(text) <= LINE_MAX:
        return text.encode("ascii") + b"\r\n"
    plain = printable and "  " not in value and value == value.strip(" ")
    lines = (_folded if plain else _folded_blanks)(text, len(name) + 2)
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def _folded(text: str, position: int) -> list[str]:
    """The lines of a field whose value, from `position` on, has no empty word: each line as long as may be."""
    cut = text.rfind(" ", position, LINE_MAX + 1)
    if cut < 0:  # the first word is too long for any line
        cut = text.find(" ", position)
        if cut < 0:
            return [text]
    return [text[:cut], *_LINES.findall(text, cut)]


def _folded_blanks(text: str, position: int) -> list[str]:
    """The same for any value: no line is made of blanks only (RFC 5322 §3.2.2)."""
    lines: list[str] = []
    line = head = text[: position - 1]
    for word in text[position:].split(" "):
        if len(line) + 1 + len(word) > LINE_MAX and line.strip() and line != head:
            lines.append(line)
            line = ""
        line += " " + word
    lines.append(line)
    return [part for part in lines if part.strip()]
