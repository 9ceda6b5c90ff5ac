"""Which mailboxes a line of policy means: an address, an address with `*`, a domain, or `*.domain`.

Labels of domains are compared, never strings: `*.longan.edu.vn` means neither longan.edu.vn nor daihoclongan.edu.vn.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from operator import neg
from typing import Generic, TypeVar

from gateway.envelope.address import AddressError, Mailbox, parse_domain, parse_mailbox

T = TypeVar("T")

_LOCAL_PATTERN = re.compile(r"[^\s@\"<>(),;:\\\[\]]{1,64}\Z")
_PLAIN = re.compile(r"[a-z0-9_-]{1,32}(?:\.[a-z0-9_-]{1,30}){0,1}@[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
                    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?){1,6}\Z")  # fmt: skip


class Kind(IntEnum):
    """Most exact first: in this order they take precedence."""

    ADDRESS = 1  # vanthu@longan.edu.vn
    ADDRESS_PATTERN = 2  # *.phong@longan.edu.vn; "*" stands for any characters of the local-part, none too
    DOMAIN = 3  # longan.edu.vn, or @longan.edu.vn
    SUBDOMAINS = 4  # *.longan.edu.vn: every domain below it


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern in canonical form: lower case, A-labels."""

    kind: Kind
    local_part: str  # "" for domains
    domain: str

    @property
    def key(self) -> str:
        """The canonical spelling: equal keys mean the same mailboxes."""
        if self.kind is Kind.DOMAIN:
            return self.domain
        return f"*.{self.domain}" if self.kind is Kind.SUBDOMAINS else f"{self.local_part}@{self.domain}"

    def __str__(self) -> str:
        """The pattern in the spelling that parse_pattern() reads: a quoted local-part keeps its quotes."""
        return str(Mailbox(self.local_part, self.domain)) if self.local_part else self.key

    def matches(self, mailbox: Mailbox) -> bool:
        if self.kind is Kind.SUBDOMAINS:
            return mailbox.domain.endswith("." + self.domain)
        if mailbox.domain != self.domain:
            return False
        return self.kind is Kind.DOMAIN or glob_matches(self.local_part, mailbox.local_part.lower())


def parse_pattern(text: str) -> Pattern:
    """Read one pattern. Raises AddressError, whose text says what is wrong."""
    text = text.strip()
    if _PLAIN.match(text):  # nearly every row of a large registry; the grammar below gives the same
        local, _, domain = text.rpartition("@")
        return Pattern(Kind.ADDRESS, local, domain)
    local, at, domain = text.rpartition("@")
    if not local:
        kind = Kind.SUBDOMAINS if domain.startswith("*.") and not at else Kind.DOMAIN
        return Pattern(kind, "", _parse_host(domain.removeprefix("*.") if kind is Kind.SUBDOMAINS else domain))
    if "*" in domain:
        raise AddressError('"*" in the domain of an address; write "*.domain" alone to mean every mailbox below it')
    if "*" not in local:
        mailbox = parse_mailbox(text)
        if not domain.startswith("["):
            _parse_host(domain)
        return Pattern(Kind.ADDRESS, mailbox.local_part.lower(), mailbox.domain)
    if not _LOCAL_PATTERN.match(local):
        raise AddressError("local-part syntax")
    return Pattern(Kind.ADDRESS_PATTERN, re.sub(r"\*+", "*", local.lower()), _parse_host(domain))


def _parse_host(text: str) -> str:
    domain = parse_domain(text)
    if "." not in domain:
        raise AddressError("a domain has two labels at least, as in longan.edu.vn")
    return domain


def glob_matches(pattern: str, text: str) -> bool:
    """Whether `text` fits `pattern`, where "*" stands for any characters. Linear: each piece is looked for once."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    last = rest.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in rest:
        position = text.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


class Index(Generic[T]):
    """Values by pattern, found for a mailbox in order of precedence; a million addresses cost one dict look-up."""

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}  # key: address, domain or *.domain
        self._more: dict[str, list[T]] = {}  # further values of a key, in the order in which they were added
        self._globs: dict[str, list[tuple[str, T]]] = {}  # by domain, the longest pattern first
        self._depths: list[int] = []  # how many labels `*.domain` keys have without the star, the most first

    def add(self, pattern: Pattern, value: T) -> None:
        if pattern.kind is Kind.ADDRESS_PATTERN:
            entry = (pattern.local_part, value)
            insort(self._globs.setdefault(pattern.domain, []), entry, key=lambda other: -len(other[0]))
            return
        if pattern.kind is Kind.SUBDOMAINS:
            depth = pattern.domain.count(".") + 1
            if depth not in self._depths:
                insort(self._depths, depth, key=neg)
        key = pattern.key
        if key in self._exact:
            self._more.setdefault(key, []).append(value)
        else:
            self._exact[key] = value

    def find(self, mailbox: Mailbox) -> Iterator[T]:
        """Every value whose pattern matches: address, address pattern, domain, `*.domain` with the longest first."""
        local, domain = mailbox.local_part.lower(), mailbox.domain
        key = f"{local}@{domain}"
        if key in self._exact:
            yield from self._at(key)
        for pattern, value in self._globs.get(domain, ()):
            if glob_matches(pattern, local):
                yield value
        if domain in self._exact or self._depths:
            yield from self.find_domain(domain)

    def find_domain(self, domain: str) -> Iterator[T]:
        """Every value whose pattern means the whole domain."""
        if domain in self._exact:
            yield from self._at(domain)
        if not self._depths or domain.startswith("["):
            return
        labels = domain.split(".")
        for depth in self._depths:
            if depth < len(labels):
                key = f"*.{'.'.join(labels[-depth:])}"
                if key in self._exact:
                    yield from self._at(key)

    def _at(self, key: str) -> Iterator[T]:
        yield self._exact[key]
        yield from self._more.get(key, ())
