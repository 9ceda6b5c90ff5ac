"""From a judged message to its line in the register."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

from gateway.envelope.mime import attachments
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.identity.identity import Identity, Submission
from gateway.policy.decision import Decision, Discard, Disposition, Hold, Refuse, Relay
from gateway.policy.plan import onward
from gateway.register.record import AttachmentRecord, Record

Verb: TypeAlias = Literal["relayed", "held", "queued", "discarded", "refused"]


Fate: TypeAlias = tuple[str, Verb, str]  # what became of one recipient: mailbox, verb, rule
Draft: TypeAlias = Callable[..., Record]  # called with `fates` and `reply`


def fates_of(
    decisions: Iterable[tuple[ForwardPath, Decision]], waiting: Collection[tuple[str, str]]
) -> tuple[Fate, ...]:
    """What became of every recipient, in order; `waiting` holds route and mailbox key of what is in the outbox."""
    return tuple(
        [(str(path.mailbox), _verb(path, decision.disposition, waiting), decision.rule) for path, decision in decisions]
    )


def _verb(path: ForwardPath, disposition: Disposition, waiting: Collection[tuple[str, str]]) -> Verb:
    match disposition:
        case Relay():
            if not waiting:
                return "relayed"
            waits = any((disposition.route, target.mailbox.key) in waiting for target in onward(path, disposition))
            return "queued" if waits else "relayed"
        case Hold():
            return "held"
        case Discard():
            return "discarded"
        case Refuse():
            return "refused"


def compile_record(
    transaction: Transaction,
    identity: Identity,
    submissions: Sequence[Submission],
    *,
    digest: str,
    notice: str,
    generation: int,
    facts: dict[str, Any],
) -> Draft:
    """One record per accepted message, but for what relaying decides: the fates and the reply, with which it is called.

    A message is administrative when it is so for any of its recipients.
    """
    message = transaction.message
    leading = _leading(submissions)
    unit, holding, author = identity.unit, identity.holding, identity.author
    return partial(
        Record,
        id=transaction.id,
        received_at=transaction.received_at,
        unit_id=unit.id if unit else "",
        unit_name=unit.name if unit else "",
        function=holding.function if holding else "",
        level=str(identity.level),
        provider=str(identity.provider),
        author=str(author) if author else "",
        author_name=identity.author_name,
        reverse_path=str(transaction.reverse_path) if transaction.reverse_path else "",
        client_address=str(transaction.client.address),
        recipients=tuple([str(path.mailbox) for path in transaction.forward_paths]),
        subject=message.subject,
        message_id=message.text(b"message-id"),
        administrative=leading.is_administrative,
        document_numbers=leading.document_numbers,
        document_kind=leading.document_kind,
        attachments=tuple([AttachmentRecord(a.name, a.type, a.size, a.digest) for a in attachments(message)]),
        size=message.size,
        digest=digest,
        notice=notice,
        generation=generation,
        facts=facts,
    )


def _leading(submissions: Sequence[Submission]) -> Submission:
    for submission in submissions:
        if submission.is_administrative:
            return submission
    return submissions[0] if submissions else Submission(False)
