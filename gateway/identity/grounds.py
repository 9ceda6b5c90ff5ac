"""What identification needs from policy: one immutable value, made anew when policies are reloaded."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from gateway.envelope.address import Mailbox
from gateway.identity.identity import Identity
from gateway.identity.pattern import Index, parse_pattern
from gateway.identity.provider import FreeProviders
from gateway.identity.registry import Registry
from gateway.identity.subject_words import SubjectWords


@dataclass(frozen=True, slots=True)
class Administrative:
    """The signs of an administrative submission (policy.yaml, `administrative`). Raises AddressError for a bad pattern."""

    mailboxes: tuple[str, ...] = ()  # patterns: "vanthu@longan.edu.vn", "*.phong@longan.edu.vn"
    subject_words: tuple[str, ...] = ()  # words or phrases, as written
    document_number: bool = True  # whether a document number counts as a sign
    attachment_types: tuple[str, ...] = ()  # file name extensions without the dot: "pdf", "docx"
    words: SubjectWords = field(init=False, compare=False, repr=False)  # of subject_words
    extensions: frozenset[str] = field(init=False, compare=False, repr=False)
    index: Index[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        index: Index[str] = Index()
        for text in self.mailboxes:
            index.add(parse_pattern(text), text)
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "words", SubjectWords(self.subject_words))
        object.__setattr__(self, "extensions", frozenset(t.lower().lstrip(".") for t in self.attachment_types))

    def mailbox_pattern(self, mailbox: Mailbox) -> str:
        """The pattern, as written, that makes this recipient an administrative mailbox; "" when none does."""
        return next(self.index.find(mailbox), "")


@dataclass(frozen=True, slots=True)
class Grounds:
    """Domains in lower case, as A-labels."""

    registry: Registry = field(default_factory=Registry)
    official_domains: tuple[str, ...] = ()  # each with all domains below it
    own_domains: tuple[str, ...] = ()  # mail for these is accepted
    shared_clouds: tuple[str, ...] = ()  # names of SPF records that any tenant of a cloud passes by
    trusted_signers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # Author Domain: exact SDIDs
    trusted_sealers: tuple[str, ...] = ()  # d= of ARC seals
    free: FreeProviders = field(default_factory=FreeProviders)
    administrative: Administrative = field(default_factory=Administrative)
    signed: dict[Hashable, Identity] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Identities that identify() has found by these grounds, to be given again; it keeps them few."""
