"""Mailboxes and paths of the SMTP envelope, by the grammar of RFC 5321 §4.1.2 and nothing looser.

The one canonical form that parsing yields is used for policy, for logs and on the wire downstream, so that no two
parts of the gateway can read one path in two ways (safety S-7, S-8).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache, partial
from typing import NamedTuple

import idna

from gateway.values import value

LOCAL_PART_MAX = 64  # octets, RFC 5321 §4.5.3.1.1; asked of forward-paths only, senders' VERP addresses are longer
DOMAIN_MAX = 255  # octets, RFC 5321 §4.5.3.1.2
PATH_MAX = 512  # octets; RFC 5321 §4.5.3.1.3 asks for 256 at least
LABEL_MAX = 63  # octets, RFC 1035 §2.3.4
KNOWN_MAX = 128  # characters of a mailbox that is remembered as read: senders and recipients come again

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010FFFF]"
_DOT_ATOM = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*\Z")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\U0010FFFF]|\\[\x20-\x7e])*)"\Z')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\Z")
_SOURCE_ROUTE = re.compile(r"@[A-Za-z0-9.-]+(?:,@[A-Za-z0-9.-]+)*:")  # A-d-l (RFC 5321 appendix C)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PLAIN_PATH = re.compile(rf"<([!#-=?-~]{{0,{PATH_MAX}}})>(?: ([!-~](?:[ -~]*[!-~])?))?\Z")  # as nearly all are


class AddressError(ValueError):
    """The text is not an address. str(error) says why, in words fit for an SMTP reply."""


class _Forms:
    """The forms of a mailbox that are asked for again and again: made with it, and no fields of it."""

    __slots__ = ("key", "written")

    key: str  # in which mailboxes are compared: case of the local-part folded, as all offices' servers do
    written: str  # on the wire


@value
class Mailbox(_Forms):
    """A mailbox: the local-part's value (without quotes), and an A-label domain in lower case or an address literal."""

    local_part: str
    domain: str  # "" only for the forward-path <postmaster> (RFC 5321 §4.1.1.3)

    def __post_init__(self) -> None:
        local, domain = self.local_part, self.domain
        self.key = f"{local.lower()}@{domain}"
        if not _DOT_ATOM.match(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        self.written = f"{local}@{domain}" if domain else local

    @property
    def is_ascii(self) -> bool:
        return self.local_part.isascii()

    def __str__(self) -> str:
        return self.written


class Path(NamedTuple):
    """A parsed path and what follows it in the command line."""

    mailbox: Mailbox | None  # None: the null reverse-path <>
    rest: str


_path = partial(tuple.__new__, Path)  # of a tuple; the constructor of a NamedTuple is a call in Python


@lru_cache(maxsize=4096)  # a message names a few domains many times; what is no domain raises and is not kept
def parse_domain(text: str) -> str:
    """Return the domain as A-labels in lower case. Raises AddressError."""
    if _CONTROL.search(text):
        raise AddressError("control character in domain")
    if len(text) > DOMAIN_MAX:  # before IDNA, whose cost grows faster than the length
        raise AddressError("domain too long")
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise AddressError("domain is not a valid internationalised name") from error
    domain = text.lower()
    if len(domain) > DOMAIN_MAX:
        raise AddressError("domain too long")
    for label in domain.split("."):
        if len(label) > LABEL_MAX or not _LABEL.match(label):
            raise AddressError("domain syntax")
    return domain


def parse_literal(text: str) -> str:
    """Return an address literal "[192.0.2.1]" or "[IPv6:2001:db8::1]" in canonical form (RFC 5321 §4.1.3)."""
    inner = text[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError as error:
        raise AddressError("address literal syntax") from error


def parse_mailbox(text: str) -> Mailbox:
    """Parse `local-part@domain` (RFC 5321 §4.1.2 Mailbox). Raises AddressError."""
    return _known_mailbox(text) if len(text) <= KNOWN_MAX else _parse_mailbox(text)


def _parse_mailbox(text: str) -> Mailbox:
    if not text.isprintable() and _CONTROL.search(text):
        raise AddressError("control character in address")
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("address without a domain")
    if not local:
        raise AddressError("address without a local-part")
    if local[0] == '"':
        quoted = _QUOTED.match(local)
        if quoted is None:
            raise AddressError("local-part syntax")
        local = re.sub(r"\\(.)", r"\1", quoted[1])
        if not local:
            raise AddressError("empty local-part")
    elif not _DOT_ATOM.match(local):
        raise AddressError("local-part syntax")
    return Mailbox(
        local, parse_literal(domain) if domain.startswith("[") and domain.endswith("]") else parse_domain(domain)
    )


_known_mailbox = lru_cache(maxsize=4096)(_parse_mailbox)


def _closing_bracket(argument: str) -> int:
    """Where the first ">" outside a quoted string is; -1 when there is none."""
    quoted = escaped = False
    for position, char in enumerate(argument):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char == ">":
            return position
    return -1


def _split_path(argument: str, utf8: bool) -> tuple[str, str]:
    """Split `<path> parameters` at the closing bracket that is not inside a quoted string."""
    if plain := _PLAIN_PATH.match(argument):
        return plain[1], plain[2] or ""
    return _split_any_path(argument, utf8)


def _split_any_path(argument: str, utf8: bool) -> tuple[str, str]:
    if not argument.startswith("<"):
        raise AddressError("path must be in angle brackets")
    end = _closing_bracket(argument) if '"' in argument else argument.find(">")
    if end < 0:
        raise AddressError("path is not closed by >")
    path, rest = argument[1:end], argument[end + 1 :]
    if rest and not rest.startswith(" "):
        raise AddressError("no space after the path")
    if len(path.encode("utf-8", "surrogateescape")) > PATH_MAX:
        raise AddressError("path too long")
    if not path.isascii():
        if not utf8:
            raise AddressError("non-ASCII address without SMTPUTF8")
        if any("\ud800" <= char <= "\udfff" for char in path):
            raise AddressError("address is not valid UTF-8")
    return path, rest.strip(" ")


def _without_route(path: str) -> str:
    """The path less the source route in front of it, which is accepted and ignored (RFC 5321 §4.1.2 and appendix C)."""
    route = _SOURCE_ROUTE.match(path) if path[:1] == "@" else None
    return path[route.end() :] if route else path


def parse_reverse_path(argument: str, *, utf8: bool = False) -> Path:
    """Parse the argument of `MAIL FROM:` (RFC 5321 §4.1.1.2). Raises AddressError."""
    path, rest = _split_path(argument, utf8)
    if not path:
        return _path((None, rest))
    return _path((parse_mailbox(_without_route(path)), rest))


def parse_forward_path(argument: str, *, utf8: bool = False) -> Path:
    """Parse the argument of `RCPT TO:` (RFC 5321 §4.1.1.3). Raises AddressError, also for the routing of old days."""
    path, rest = _split_path(argument, utf8)
    return _path(((_known_recipient if len(path) <= KNOWN_MAX else _recipient)(path), rest))


def _recipient(path: str) -> Mailbox:
    if path.lower() == "postmaster":
        return Mailbox(path, "")
    mailbox = parse_mailbox(_without_route(path))
    local = mailbox.local_part
    if len(local.encode()) > LOCAL_PART_MAX:
        raise AddressError("local-part too long")
    if "@" in local or "%" in local or "!" in local:
        raise AddressError("source routing refused")
    return mailbox


_known_recipient = lru_cache(maxsize=4096)(_recipient)


def is_under(domain: str, parent: str) -> bool:
    """Whether `domain` is `parent` or below it. Labels are compared: daihoclongan.edu.vn is not under longan.edu.vn."""
    return domain == parent or domain.endswith("." + parent)
