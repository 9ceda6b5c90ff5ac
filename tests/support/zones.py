"""Zones and transactions in a line, for tests of evidence and of what is decided from it."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

from gateway.envelope.address import parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence
from gateway.evidence.zone import NXDOMAIN, Answer, Outcome, Question, found

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SERVFAIL = Answer(Outcome.ERROR, reason="SERVFAIL")


class Dns(dict[Question, Answer]):
    """A zone where all that is not named does not exist. `asked` lists the questions, each once."""

    def __init__(self, *parts: dict[Question, Answer]) -> None:
        super().__init__()
        self.asked: dict[Question, None] = {}
        for part in parts:
            self.update(part)

    def get(self, question: Question, default: object = None, /) -> Answer:  # type: ignore[override]
        self.asked[question] = None
        return super().get(question, NXDOMAIN)


def txt(name: str, *records: str | bytes) -> dict[Question, Answer]:
    texts = [record if isinstance(record, bytes) else record.encode() for record in records]
    return {Question(name, "TXT"): found(*texts)}


def transaction(
    raw: bytes, *, client: str = "192.0.2.10", helo: str = "mail.longan.edu.vn", sender: str = "vanthu@longan.edu.vn"
) -> Transaction:
    path = parse_mailbox(sender) if sender else None
    return Transaction("7ZK-4QW-M2H9TX", Client(ip_address(client), helo=helo), path, (), NOW, Message(raw))


def assessed(raw: bytes, zone: Dns, **envelope: str) -> Evidence:
    """The evidence of a message in a zone that knows everything."""
    evidence = assess(transaction(raw, **envelope), zone, authserv_id="mx.longan.edu.vn", now=NOW)
    assert isinstance(evidence, Evidence)
    return evidence
