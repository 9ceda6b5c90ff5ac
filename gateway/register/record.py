"""One line of the register: who sent what, when, how proven, and what became of it. Written once per accepted message."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.values import value


@value
class AttachmentRecord:
    name: str
    type: str  # media type, lower case
    size: int  # octets, decoded
    digest: str  # SHA-256 of the decoded octets, hex


@value(kw_only=True)
class Record:
    """What a clerk looks up and a head of office counts."""

    id: str  # transaction id
    received_at: datetime  # aware, UTC
    unit_id: str  # "" when no unit is named
    unit_name: str
    function: str  # functional or virtual office of the mailbox, from mailboxes.csv
    level: str
    provider: str
    author: str
    author_name: str
    reverse_path: str  # "" for the null reverse-path
    client_address: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    administrative: bool
    document_numbers: tuple[str, ...]
    document_kind: str
    attachments: tuple[AttachmentRecord, ...]
    size: int
    digest: str  # SHA-256 of the message as received, hex
    fates: tuple[tuple[str, str, str], ...]  # (recipient, "relayed" | "held" | "discarded" | "queued", rule)
    reply: str  # the downstream's final reply, "" when nothing was relayed
    notice: str  # "" | "due <directive>" | "suppressed: <reason id>"
    generation: int
    facts: dict[str, Any]  # what identity and policy read, for replay
