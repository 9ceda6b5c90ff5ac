"""From decisions to downstream transactions: which recipients get which octets by which route."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.envelope.address import Mailbox
from gateway.envelope.header import Field
from gateway.envelope.message import Message
from gateway.envelope.transaction import ForwardPath, Transaction
from gateway.identity.identity import Identity
from gateway.policy.decision import Decision, Relay
from gateway.policy.tags import forged_fields, prefixed_subject, tag_fields
from gateway.values import value


@value
class Group:
    """Recipients that get the same octets by the same route: one downstream transaction."""

    route: str
    paths: tuple[ForwardPath, ...]
    prepend: bytes
    drop: tuple[Field, ...]
    altered: bool = False  # a signed field was changed: signatures of the sender no longer hold


def onward(path: ForwardPath, relay: Relay) -> list[ForwardPath]:
    """Where a recipient's copy goes. Parameters (DSN) stay with the recipient that the sender named."""
    if relay.redirect:
        targets = [ForwardPath(mailbox) for mailbox in relay.redirect]
    elif relay.plus_address and "+" not in path.mailbox.local_part:
        plus = Mailbox(f"{path.mailbox.local_part}+{relay.plus_address}", path.mailbox.domain)
        targets = [ForwardPath(plus, path.parameters)]
    else:
        targets = [path]
    return targets + [ForwardPath(mailbox) for mailbox in relay.copy_to]


def groups(
    transaction: Transaction,
    decisions: Sequence[tuple[ForwardPath, Decision]],
    identity: Identity,
    *,
    trace: bytes,
    authserv_id: str,
) -> list[Group]:
    """Group the relayed recipients; `trace` (Authentication-Results, Received) goes on top of every copy."""
    message = transaction.message
    gathered: dict[tuple[str, tuple[str, ...], str], dict[str, ForwardPath]] = {}
    samples: dict[tuple[str, tuple[str, ...], str], tuple[Relay, int]] = {}
    for path, decision in decisions:
        relay = decision.disposition
        if not isinstance(relay, Relay):
            continue
        key = (relay.route, relay.tags, relay.subject_prefix)
        samples.setdefault(key, (relay, decision.generation))
        for target in onward(path, relay):
            gathered.setdefault(key, {}).setdefault(target.mailbox.key, target)
    if not gathered:
        return []
    drop = forged_fields(message, authserv_id)
    return [
        _group(message, samples[key], tuple(targets.values()), identity, transaction.id, trace, drop)
        for key, targets in gathered.items()
    ]


def _group(
    message: Message,
    sample: tuple[Relay, int],
    paths: tuple[ForwardPath, ...],
    identity: Identity,
    transaction_id: str,
    trace: bytes,
    drop: list[Field],
) -> Group:
    relay, generation = sample
    fields = trace + tag_fields(relay, identity, transaction_id, generation)
    subject, replaced = prefixed_subject(message, relay.subject_prefix) if relay.subject_prefix else (b"", [])
    return Group(relay.route, paths, fields + subject, (*drop, *replaced), altered=bool(subject))
