"""The Author of a message: exactly one mailbox in exactly one From field, or *malformed* (RFC 5322 §3.6.2, safety S-29).

DMARC has no answer for several Author Domains, and readers show what parsers disagree about. So we read From by a strict
grammar, and whatever does not fit it proves nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from gateway.envelope.address import AddressError, Mailbox, parse_mailbox
from gateway.envelope.header import FIELD_MAX, Field, decode_text

COMMENT_DEPTH_MAX = 8
ADDRESSES_MAX = 1000
KNOWN_MAX = 256  # octets of a From value that is remembered as read: senders come again

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_PLAIN = re.compile(  # Name <local@domain>, as nearly all are; the general way reads it the same
    r"""(?:[ \t]*"([^"\\\x00-\x08\x0a-\x1f\x7f]*)"[ \t]*|([^()<>\[\]:;@\\,"\x00-\x08\x0a-\x1f\x7f]*))"""
    r"""<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9._-]+)>[ \t]*\Z"""
)
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
      | (?P<quoted>"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x1f\x7f])*")
      | (?P<literal>\[[^\[\]\\\x00-\x20\x7f]*\])
      | (?P<atom>[^()<>\[\]:;@\\,."\x00-\x20\x7f]+)
      | (?P<special>[()<>:;@,.])""",
    re.VERBOSE,
)


class AuthorError(ValueError):
    """From does not name exactly one mailbox. str(error) says what was found."""


Token = tuple[str, str]


def _tokens(text: str) -> list[Token]:
    """Split into tokens of RFC 5322 §3.2, comments dropped."""
    tokens: list[Token] = []
    position, size = 0, len(text)
    while position < size:
        if text[position] == "(":
            position = _skip_comment(text, position)
            tokens.append(("space", " "))
            continue
        match = _TOKEN.match(text, position)
        if match is None or match[0] == ")":
            raise AuthorError("syntax of the address")
        tokens.append((match.lastgroup or "", match[0]))
        position = match.end()
    return tokens


def _skip_comment(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
        elif char == "(":
            depth += 1
            if depth > COMMENT_DEPTH_MAX:
                raise AuthorError("comments nested too deep")
        elif char == ")":
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    raise AuthorError("comment is not closed")


def _addr_spec(tokens: list[Token]) -> Mailbox:
    """Join the tokens of one addr-spec; white space is allowed around "@" and "." only by the obsolete grammar: refused."""
    words = list(tokens)
    while words and words[0][0] == "space":
        words.pop(0)
    while words and words[-1][0] == "space":
        words.pop()
    if any(kind == "space" for kind, _ in words):
        raise AuthorError("white space inside an address")
    text = "".join(value for _, value in words)
    if sum(value == "@" for kind, value in words if kind == "special") != 1:
        raise AuthorError("address without exactly one @")
    try:
        return parse_mailbox(text)
    except AddressError as error:
        raise AuthorError(str(error)) from error


def _mailbox(tokens: list[Token]) -> tuple[Mailbox, str]:
    """One `mailbox` of RFC 5322 §3.4: name-addr or addr-spec; returns it with its display name."""
    opening = [i for i, (kind, value) in enumerate(tokens) if kind == "special" and value == "<"]
    if not opening:
        return _addr_spec(tokens), ""
    closing = [i for i, (kind, value) in enumerate(tokens) if kind == "special" and value == ">"]
    if len(opening) != 1 or len(closing) != 1 or closing[0] < opening[0]:
        raise AuthorError("angle brackets do not match")
    if any(kind != "space" for kind, _ in tokens[closing[0] + 1 :]):
        raise AuthorError("text after the address")
    phrase = tokens[: opening[0]]
    address = _addr_spec(tokens[opening[0] + 1 : closing[0]])
    if "".join(value for _, value in phrase).strip().lower() == str(address).lower():
        return address, ""  # many mailers repeat the address, unquoted, as display name
    if any(kind == "literal" or (kind == "special" and value != ".") for kind, value in phrase):
        raise AuthorError("an address or special character in the display name")
    return address, _display(phrase)


def _display(phrase: list[Token]) -> str:
    text = "".join(re.sub(r"\\(.)", r"\1", v[1:-1]) if kind == "quoted" else v for kind, v in phrase)
    return decode_text(text.strip().encode("utf-8", "surrogateescape"))


def parse_mailbox_list(value: bytes) -> list[tuple[Mailbox, str]]:
    """Read a mailbox-list as (mailbox, decoded display name) pairs. Groups are refused. Raises AuthorError."""
    if len(value) > FIELD_MAX:
        raise AuthorError("field too long")
    try:
        text = _FOLD.sub(b"", value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AuthorError("neither ASCII nor UTF-8") from error
    if plain := _PLAIN.match(text):
        return [_plain(plain[1] or plain[2] or "", plain[3])]
    return _mailbox_list(text)


def _plain(name: str, address: str) -> tuple[Mailbox, str]:
    try:
        return parse_mailbox(address), decode_text(name.strip().encode())
    except AddressError as error:
        raise AuthorError(str(error)) from error


def _mailbox_list(text: str) -> list[tuple[Mailbox, str]]:
    found: list[tuple[Mailbox, str]] = []
    part: list[Token] = []
    inside = False
    for token in [*_tokens(text), ("special", ",")]:
        kind, mark = token
        if kind == "special":
            if mark == "," and not inside:
                found.append(_mailbox(part))
                part = []
                if len(found) > ADDRESSES_MAX:
                    raise AuthorError("too many addresses")
                continue
            if mark in ":;" and not inside:
                raise AuthorError("a group instead of a mailbox")
            inside = mark == "<" or (inside and mark != ">")
        part.append(token)
    return found


def author_of(fields: Sequence[Field]) -> tuple[Mailbox, str]:
    """The one Author mailbox and its display name, given the From fields. Raises AuthorError when there is none or more
    than one."""
    if len(fields) != 1:
        raise AuthorError(f"{len(fields)} From fields instead of one")
    value = fields[0].value
    return _known_author(value) if len(value) <= KNOWN_MAX else _author(value)


def _author(value: bytes) -> tuple[Mailbox, str]:
    mailboxes = parse_mailbox_list(value)
    if len(mailboxes) != 1:
        raise AuthorError(f"{len(mailboxes)} mailboxes in From instead of one")
    return mailboxes[0]


_known_author = lru_cache(maxsize=1024)(_author)
