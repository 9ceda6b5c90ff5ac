"""The tables. State words are those of the code, as CHECK constraints; times are microseconds since 1970, UTC.

Columns are what we search and sort by; the whole value lies beside them as JSON in `plain`. Only types that SQLite
and PostgreSQL share are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from gateway.ports import OutgoingKind
from gateway.quarantine.entry import State

VERSION: Final = 1


class OutState(StrEnum):
    """States of an outbox row (docs/states.md)."""

    WAITING = "waiting"  # its transaction has not been answered 250 yet
    DUE = "due"
    LEASED = "leased"
    SENT = "sent"
    FAILED = "failed"  # 5yz: for good
    ABANDONED = "abandoned"  # given up, or never needed
    UNKNOWN = "unknown"  # may have been sent; never repeated by itself


def _one_of(column: str, words: Iterable[str], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(word)) for word in words)})", name=name)


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

entries = Table(
    "entries",
    metadata,
    Column("id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("merge_key", String, nullable=False),
    Column("owner", String, nullable=False),  # the process whose transaction it is, while pending
    Column("held_at", BigInteger, nullable=False),
    Column("retain_until", BigInteger, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
    Column("unit_id", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("author", String, nullable=False),  # lower case
    Column("folded", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("has_body", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("plain", Text, nullable=False),
    _one_of("state", State, "entries_state"),
    CheckConstraint("has_body IN (0, 1)", name="entries_has_body"),
    CheckConstraint("has_body = 1 OR state NOT IN ('pending', 'held', 'releasing')", name="entries_open_has_body"),
)
Index("entries_by_state", entries.c.state, entries.c.held_at)
Index("entries_by_merge_key", entries.c.merge_key)
Index("entries_by_digest", entries.c.digest)
Index("entries_by_retention", entries.c.has_body, entries.c.retain_until)

# Other transaction ids under which an entry is known: earlier attempts it was merged with, retries that it answered.
aliases = Table(
    "aliases",
    metadata,
    Column("alias", String, primary_key=True),
    Column("entry_id", String, ForeignKey("entries.id", onupdate="CASCADE", ondelete="CASCADE"), nullable=False),
)
Index("aliases_by_entry", aliases.c.entry_id)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("cause", String, nullable=False),
    Column(
        "owner", String, nullable=False
    ),  # the process whose transaction it is, while waiting; the sender, while leased
    Column("target", String, nullable=False),  # whom a notice answers; "" for others
    Column("digest", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_due", BigInteger, nullable=False),
    Column("next_attempt", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("reply", Text, nullable=False),
    Column("plain", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    _one_of("state", OutState, "outbox_state"),
    _one_of("kind", OutgoingKind, "outbox_kind"),
)
Index("outbox_by_due", outbox.c.state, outbox.c.next_attempt)
Index("outbox_by_cause", outbox.c.cause)
Index("outbox_by_digest", outbox.c.digest)

records = Table(
    "records",
    metadata,
    Column("id", String, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("unit_id", String, nullable=False),
    Column("level", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("author", String, nullable=False),  # lower case
    Column("administrative", Integer, nullable=False),
    Column("document_kind", String, nullable=False),
    Column("document_numbers", Text, nullable=False),  # folded, one a line
    Column("held", Integer, nullable=False),  # for at least one recipient
    Column("notice", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("plain", Text, nullable=False),
)
Index("records_by_time", records.c.received_at)
Index("records_by_unit", records.c.unit_id, records.c.received_at)

# Every notice that was let through, so that the window outlives restarts and is shared by processes (AR-12).
notices = Table(
    "notices",
    metadata,
    Column("id", String, primary_key=True),
    Column("sender", String, nullable=False),
    Column("domain", String, nullable=False),
    Column("unit_id", String, nullable=False),
    Column("directive", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("not_again_before", BigInteger, nullable=False),
)
Index("notices_by_sender", notices.c.sender, notices.c.at)
Index("notices_by_domain", notices.c.domain, notices.c.at)
Index("notices_by_time", notices.c.at)

suppressions = Table(
    "suppressions",
    metadata,
    Column("target", String, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("reply", Text, nullable=False),
)

unheard = Table(
    "unheard",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("code", Integer, nullable=False),
    Column("enhanced", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # one page less for each message; stores that were made before have it with, and may
)
Index("unheard_by_until", unheard.c.until)

# Append-only: triggers refuse UPDATE and DELETE, and each row carries the hash of the one before it (safety P-3).
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),
    Column("entry_id", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("hash", String, nullable=False),  # hex SHA-256
)
Index("audit_by_entry", audit.c.entry_id)
