"""From a judged message to its line in the register."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gateway.envelope.mime import attachments
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.identity.identity import Identity, Submission
from gateway.policy.decision import Decision, Discard, Disposition, Hold, Refuse, Relay
from gateway.policy.plan import onward
from gateway.register.record import AttachmentRecord, Record

Verb: TypeAlias = Literal["relayed", "held", "queued", "discarded", "refused"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient."""

    recipient: str
    verb: Verb
    rule: str


def fates_of(
    decisions: Iterable[tuple[ForwardPath, Decision]], waiting: Container[tuple[str, str]]
) -> tuple[Fate, ...]:
    """What became of every recipient, in order; `waiting` holds route and mailbox key of what is in the outbox."""
    return tuple(
        Fate(str(path.mailbox), _verb(path, decision.disposition, waiting), decision.rule)
        for path, decision in decisions
    )


def _verb(path: ForwardPath, disposition: Disposition, waiting: Container[tuple[str, str]]) -> Verb:
    match disposition:
        case Hold():
            return "held"
        case Discard():
            return "discarded"
        case Refuse():
            return "refused"
        case Relay():
            waits = any((disposition.route, target.mailbox.key) in waiting for target in onward(path, disposition))
            return "queued" if waits else "relayed"


def compile_record(
    transaction: Transaction,
    identity: Identity,
    submissions: Sequence[Submission],
    fates: Sequence[Fate],
    *,
    digest: str,
    reply: str,
    notice: str,
    generation: int,
    facts: dict[str, Any],
) -> Record:
    """One record per accepted message; a message is administrative when it is so for any of its recipients."""
    message = transaction.message
    leading = next(
        (s for s in submissions if s.is_administrative), submissions[0] if submissions else Submission(False)
    )
    return Record(
        id=transaction.id,
        received_at=transaction.received_at,
        unit_id=identity.unit.id if identity.unit else "",
        unit_name=identity.unit.name if identity.unit else "",
        function=identity.holding.function if identity.holding else "",
        level=identity.level.value,
        provider=identity.provider.value,
        author=str(identity.author) if identity.author else "",
        author_name=identity.author_name,
        reverse_path=str(transaction.reverse_path) if transaction.reverse_path else "",
        client_address=str(transaction.client.address),
        recipients=tuple(str(path.mailbox) for path in transaction.forward_paths),
        subject=message.subject,
        message_id=message.text(b"message-id"),
        administrative=leading.is_administrative,
        document_numbers=leading.document_numbers,
        document_kind=leading.document_kind,
        attachments=tuple(AttachmentRecord(a.name, a.type, a.size, a.digest) for a in attachments(message)),
        size=message.size,
        digest=digest,
        fates=tuple((fate.recipient, fate.verb, fate.rule) for fate in fates),
        reply=reply,
        notice=notice,
        generation=generation,
        facts=facts,
    )
