"""Who a message is from, as far as it is known and proven; each answer with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.envelope.address import Mailbox
from gateway.values import value


class Level(StrEnum):
    """How well the Author Domain is proven, strongest first."""

    SIGNED = "signed"  # DKIM pass, aligned, whole body
    AUTHORIZED = "authorized"  # SPF pass, aligned, by a host that only this organisation may use; or a trusted signer
    SHARED = "shared"  # SPF pass through a shared cloud's ranges, or an ARC chain of a trusted sealer
    CLAIMED = "claimed"  # nothing proves it

    @property
    def is_proven(self) -> bool:
        return self in (Level.SIGNED, Level.AUTHORIZED)


class Provider(StrEnum):
    """Class of the Author Domain."""

    OFFICIAL = "official"  # under one of policy's official_domains
    FREE = "free-provider"
    OTHER = "other"
    UNKNOWN = "unknown"  # no single Author: malformed


@dataclass(frozen=True, slots=True)
class Unit:
    """One row of units.csv."""

    id: str
    name: str
    kind: str
    parent: str = ""  # unit id
    valid_from: date | None = None
    valid_until: date | None = None
    successor: str = ""  # unit id
    contact: str = ""
    line: int = 0  # of the file, for explanations


@dataclass(frozen=True, slots=True)
class Holding:
    """One row of mailboxes.csv: this address, domain or pattern belongs to this unit."""

    pattern: str  # as written
    unit_id: str
    function: str = ""  # functional or virtual office: "Văn thư", "Phòng Kế toán" ...
    valid_from: date | None = None
    valid_until: date | None = None
    note: str = ""
    line: int = 0


@value
class Submission:
    """Whether the message looks like an administrative submission, and every sign that says so."""

    is_administrative: bool
    reasons: tuple[
        str, ...
    ] = ()  # "recipient vanthu@longan.edu.vn", "subject word báo cáo", "document number 12/BC-THPT"
    document_numbers: tuple[str, ...] = ()  # as written, normalised spacing
    document_kind: str = ""  # "BC", "CV", "TTr" ... of the first number; "" when none


@value
class Identity:
    """The Author, the level of proof, the sending unit, the provider class."""

    author: Mailbox | None  # None: malformed
    author_name: str
    level: Level
    level_reason: str
    level_pending: bool  # a temperror stands in the way: the level may rise when DNS answers
    provider: Provider
    provider_reason: str
    unit: Unit | None = None
    holding: Holding | None = None  # the row that named the unit
    proposals: tuple[str, ...] = ()  # lines an admin may want to add, e.g. a trusted_signers entry
