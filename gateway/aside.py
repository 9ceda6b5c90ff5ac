"""Messages that break us: after the third time one is set aside for a person, not answered 451 until its sender bounces it.

Our fault must not lose mail, and must not let it through unjudged either (safety R-24, F-37).
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta

from gateway import again, maillog, metrics
from gateway.envelope.reply import ACCEPTED, Reply
from gateway.identity.identity import Level, Provider
from gateway.pipeline import Passage, World
from gateway.quarantine.entry import Entry, State
from gateway.register.record import Record

FAULTS_MAX = 3
REMEMBERED = 1000  # messages
REASON = "unreadable"
KEPT_FOR = timedelta(days=30)


class Faults:
    """How often a message has broken this process, by its digest; bounded."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def note(self, digest: str) -> int:
        """Count one more fault; the number so far."""
        self._counts[digest] = self._counts.pop(digest, 0) + 1
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return self._counts[digest]


async def set_aside(world: World, passage: Passage) -> Reply:
    """Hold the octets for all recipients, with nothing read from them. Raises StoreError."""
    transaction = passage.transaction
    key = again.key_of(passage.key, ()) if passage.host else b""
    if key and world.store.done_as(key):
        return ACCEPTED
    await world.store.withdraw(transaction.id)  # what was prepared before the fault
    await world.store.prepare(transaction.message, _entry(passage), ())
    record = _record(passage)
    if await world.store.settle(again.settlement(record, None, key)) == "known":  # the other of two at once
        await world.store.withdraw(transaction.id)
        return ACCEPTED
    for recipient, _, _ in record.fates:
        metrics.fates.labels("held").inc()
        maillog.fate("held", transaction.id, recipient=recipient, reason=REASON, client=record.client_address)
    return ACCEPTED


def _entry(passage: Passage) -> Entry:
    transaction = passage.transaction
    return Entry(
        id=transaction.id,
        state=State.PENDING,
        held_at=transaction.received_at,
        retain_until=transaction.received_at + KEPT_FOR,
        reason=REASON,
        rule="",
        digest=passage.digest,
        size=transaction.message.size,
        client=transaction.client,
        reverse_path=transaction.reverse_path,
        parameters=transaction.parameters,
        recipients=transaction.forward_paths,
        route="main",
        author="",
        author_name="",
        subject="",
        unit_id="",
        unit_name="",
        level=Level.CLAIMED.value,
        provider=Provider.UNKNOWN.value,
        generation=passage.policy.generation,
        evidence={},
        trace=[],
    )


def _record(passage: Passage) -> Record:
    transaction = passage.transaction
    recipients = tuple(str(path.mailbox) for path in transaction.forward_paths)
    return Record(
        id=transaction.id,
        received_at=transaction.received_at,
        unit_id="",
        unit_name="",
        function="",
        level=Level.CLAIMED.value,
        provider=Provider.UNKNOWN.value,
        author="",
        author_name="",
        reverse_path=str(transaction.reverse_path or ""),
        client_address=str(transaction.client.address),
        recipients=recipients,
        subject="",
        message_id="",
        administrative=False,
        document_numbers=(),
        document_kind="",
        attachments=(),
        size=transaction.message.size,
        digest=passage.digest,
        fates=tuple((recipient, "held", "") for recipient in recipients),
        reply="",
        notice="",
        generation=passage.policy.generation,
        facts={},
    )
