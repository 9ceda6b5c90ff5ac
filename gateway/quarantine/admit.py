"""From decisions to the quarantine entry of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.identity.identity import Identity
from gateway.policy.decision import Decision, Hold
from gateway.policy.tags import forged_fields
from gateway.quarantine.entry import Entry, State


def admit(
    transaction: Transaction,
    decisions: Sequence[tuple[ForwardPath, Decision]],
    identity: Identity,
    *,
    digest: str,
    evidence: Callable[[], dict[str, Any]],
    authserv_id: str,
    route: str = "main",
) -> Entry | None:
    """One pending entry for all held recipients of the transaction; None when none is held.

    `evidence` gives the plain form of the evidence, and is asked only when something is held. The places of fields that
    only we may write are kept with it, as "forged": a release leaves them out (safety S-27, S-28).
    Several rules may hold: the entry carries the first one's reason and the longest retention.
    """
    held = [
        (path, decision, decision.disposition) for path, decision in decisions if isinstance(decision.disposition, Hold)
    ]
    if not held:
        return None
    _, first, hold = held[0]
    return Entry(
        id=transaction.id,
        state=State.PENDING,
        held_at=transaction.received_at,
        retain_until=transaction.received_at + max(disposition.retain for _, _, disposition in held),
        reason=hold.reason,
        rule=first.rule,
        digest=digest,
        size=transaction.message.size,
        client=transaction.client,
        reverse_path=transaction.reverse_path,
        parameters=transaction.parameters,
        recipients=tuple(path for path, _, _ in held),
        route=route,
        author=str(identity.author) if identity.author else "",
        author_name=identity.author_name,
        subject=transaction.message.subject,
        unit_id=identity.unit.id if identity.unit else "",
        unit_name=identity.unit.name if identity.unit else "",
        level=identity.level.value,
        provider=identity.provider.value,
        generation=first.generation,
        evidence={**evidence(), "forged": [(f.start, f.end) for f in forged_fields(transaction.message, authserv_id)]},
        trace=[step._asdict() for step in first.trace],
    )
