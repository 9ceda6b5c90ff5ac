"""Patterns of policy.yaml over domains and mailboxes, in the one reading that mailboxes.csv has too."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.envelope.address import Mailbox
from gateway.identity.pattern import Index, parse_pattern


def domain_matches(pattern: str, domain: str) -> bool:
    """`longan.edu.vn` is that domain alone; `*.longan.edu.vn` is everything below it, not the domain itself."""
    return domain.endswith(pattern[1:]) if pattern.startswith("*.") else domain == pattern


class Domains:
    """A list of domains and `*.domain`s, asked often."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = tuple(patterns)
        self._exact = frozenset(pattern for pattern in given if not pattern.startswith("*."))
        self._endings = tuple(pattern[1:] for pattern in given if pattern.startswith("*."))

    def match(self, domain: str) -> bool:
        """Whether domain_matches() for one of them."""
        return domain in self._exact or domain.endswith(self._endings)


class Patterns:
    """A list of addresses, address patterns, domains and `*.domain`s, asked often."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._index: Index[str] = Index()
        for pattern in patterns:
            self._index.add(parse_pattern(pattern), pattern)

    def find(self, mailbox: Mailbox | None) -> str:
        """The most exact pattern that this mailbox fits, "" when none does."""
        return "" if mailbox is None else next(self._index.find(mailbox), "")
