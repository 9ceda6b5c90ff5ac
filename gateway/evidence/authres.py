"""Authentication-Results (RFC 8601): ours written, and those that pretend to be ours found.

The authres library writes values as they come, so each is checked before, and what it wrote is read back and compared
(safety S-27). A value that cannot be written safely is left out; the result stays.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import authres as library
import idna
from authres.core import AuthResError

from gateway.envelope.header import Field, decode_text, make_field, spelled_with
from gateway.envelope.message import Message
from gateway.evidence.names import printable
from gateway.evidence.result import Evidence, MethodResult, Properties

_library: Any = library  # untyped

NAME = "Authentication-Results"
READ_MAX = 8 * 1024  # octets of a stranger's field that are read
HEAD_MAX = 512  # characters before its results, comments not counted; nobody's authserv-id is longer
REASON_MAX = 120  # characters
VALUE_MAX = 330  # characters: an address

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
_WORD = re.compile(r"[A-Za-z0-9._+-]+\Z")
_PLAIN = re.compile(r"(?:[A-Za-z0-9._+=-]*@)?[A-Za-z0-9._+-]+\Z")  # such values authres writes and reads as they are
_MAILBOX = re.compile(
    r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*")?@[A-Za-z0-9._-]+\Z""",
)
_SENDER = re.compile(r"[A-Za-z0-9._+=-]*@[A-Za-z0-9._-]+\Z")  # plain, and a mailbox
_BASE64 = re.compile(r"[A-Za-z0-9+/=]+\Z")
_QUOTABLE = re.compile(r"[\x20-\x3f\x41-\x7e]+\Z")  # printable ASCII without "@", which authres would leave unquoted
_NAMES = re.compile(r"[a-z]+\.[a-z0-9-]+\Z")
_ANY_SPELLING = re.compile(spelled_with(b"a-z-", NAME.lower().encode()) + rb"[^a-z-]*\Z")


def write(evidence: Evidence, authserv_id: str) -> bytes:
    """The field for this evidence, folded, CRLF included. Raises ValueError for an authserv-id that is no host name."""
    if not _ID.match(authserv_id):
        raise ValueError(f"authserv-id {authserv_id!r} is not a host name")
    return make_field(NAME, "; ".join((authserv_id.lower(), *map(_text, evidence.results))))


def _text(one: MethodResult) -> str:
    """One result as text. Senders come again, so it is remembered, but for what is new each time and ends it."""
    properties = one.properties
    if properties:
        name, value = properties[-1]
        if name in _NEW and (last := _last(name, value)):
            text, plain = _clause(one.method, one.result, one.reason, properties[:-1])
            if plain:
                return f"{text} {name}={last}"
    return _clause(one.method, one.result, one.reason, properties)[0]


_NEW = frozenset({"header.b", "smtp.mailfrom"})


def _last(name: str, value: str) -> str:
    """What the library makes of a plain value: itself, in quotation marks if its grammar has them; "" for other values."""
    if len(value) > VALUE_MAX:
        return ""
    if name == "smtp.mailfrom":
        return value if _SENDER.match(value) else ""
    if not _BASE64.match(value):
        return ""
    return value if value.isalnum() or _WORD.match(value) else f'"{value}"'


@lru_cache(maxsize=1024)
def _clause(method: str, result: str, reason: str, properties: Properties) -> tuple[str, bool]:
    """One result as text, and whether its values are plain, so that a further property changes nothing before it."""
    text = str(_written(MethodResult(method, result, reason, properties)))
    return text, all(_PLAIN.match(value) for _, value in properties)


def _written(result: MethodResult) -> Any:
    """One result as authres writes it; properties that do not come back as they were given are dropped."""
    properties = [(name, safe) for name, value in result.properties if (safe := _safe(name, value))]
    clause = _build(result, properties)
    if all(_PLAIN.match(value) for _, value in properties) or _reads_back(clause, properties):
        return clause
    kept = [pair for pair in properties if _reads_back(_build(result, [pair]), [pair])]
    words = [pair for pair in kept if _WORD.match(pair[1]) or "@" in pair[1]]
    return _build(result, words if _reads_back(_build(result, words), words) else [])


def _build(result: MethodResult, properties: list[tuple[str, str]]) -> Any:
    # authres leaves a text with "@" unquoted, so a reason must not hold one; a backslash it does not read back
    reason = (
        " ".join(printable(result.reason, REASON_MAX).split()).replace("@", " at ").replace("\\", "/").replace('"', "'")
    )
    return _library.core.AuthenticationResult(
        result.method,
        result=result.result,
        reason=reason or None,
        properties=[
            _library.core.AuthenticationResultProperty(*name.split(".", 1), value) for name, value in properties
        ],
    )


def _safe(name: str, value: str) -> str:
    """The value when it may be written, its domain where only that may, else ""."""
    if not _NAMES.match(name) or len(value) > VALUE_MAX:
        return ""
    if _WORD.match(value) or _MAILBOX.match(value) or _QUOTABLE.match(value):
        return value
    domain = value.rpartition("@")[2]
    return domain if _WORD.match(domain) else ""


def _reads_back(clause: Any, properties: list[tuple[str, str]]) -> bool:
    """Whether the library reads what it wrote as one result with these properties and no others."""
    return _read(str(clause)) == ((clause.method, clause.result, tuple(properties)),)


@lru_cache(maxsize=1024)
def _read(clause: str) -> tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]:
    """Methods, results and properties in a clause; none when it cannot be read. Reading takes ten times the writing."""
    try:
        results = _library.AuthenticationResultsHeader.parse_value(f"x.example; {clause}").results
    except (AuthResError, RecursionError):
        return ()
    return tuple(
        (r.method, r.result, tuple((f"{p.type}.{p.name}", str(p.value)) for p in r.properties)) for r in results
    )


def forged(message: Message, authserv_id: str) -> list[Field]:
    """The Authentication-Results fields that claim our authserv-id in any spelling, to be removed (RFC 8601 §5).

    A field whose authserv-id is absent or cannot be read is taken for a claim. ARC-Authentication-Results belong to ARC
    and stay.
    """
    named = message.named_like(_ANY_SPELLING)
    if not named:
        return []
    ours = _spelling(authserv_id)
    return [field for field in named if _claims(field.value, ours)]


def _claims(value: bytes, ours: str) -> bool:
    """Whether any reader may find our name there: some decode encoded-words before they look for comments, most do not."""
    octets, cut = value[:READ_MAX], len(value) > READ_MAX
    texts = {
        octets.decode("utf-8", "replace"),
        decode_text(octets).encode("utf-8", "replace").decode("utf-8", "replace"),
    }
    return any(_names(_head(text, cut), ours) for text in texts)


def _names(head: str | None, ours: str) -> bool:
    if head is None:
        return True
    head = unicodedata.normalize("NFKC", head).partition(";")[0]  # some letters become a semicolon only now
    if len(head) > HEAD_MAX:  # and some become eighteen
        return True
    words = {_spelling(word) for word in re.split(r"[\s/,:]+", head) if word}
    joined = _spelling(re.sub(r"\s+", "", head))
    rest = joined.removeprefix(ours)
    return not joined or ours in words or (rest != joined and re.fullmatch(r"/?[0-9.]*", rest) is not None)


def _head(text: str, cut: bool) -> str | None:
    """What stands before the first semicolon, without quotation marks and with a blank for each comment.

    None when it is too long, a comment or a quoted string in it is not closed, or the text was cut off before its end.
    """
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for char in text:
        if len(kept) > HEAD_MAX:
            return None
        if escaped:
            escaped = False
            if depth == 0:
                kept.append(char)
        elif char == "\\":
            escaped = True
        elif char == '"' and depth == 0:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and not quoted and depth:
            depth -= 1
            kept.append(" ")
        elif depth == 0:
            if char == ";" and not quoted:
                return "".join(kept)
            kept.append(" " if char == ";" else char)
    return None if depth or quoted or escaped or cut else "".join(kept)


@lru_cache(maxsize=256)
def _encoded(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return text


def _spelling(name: str) -> str:
    """One spelling for all that a reader may take for the same name."""
    visible = name
    if not (name.isascii() and name.isprintable()):
        shown = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c)[0] != "C")
        visible = "".join(shown).replace("\ufffd", "")  # what is no UTF-8 may be a blank to a reader of ISO 8859-1
    text = visible.casefold().strip(" .'\"<>[]")
    return text if text.isascii() or len(text) > 255 else _encoded(text)
