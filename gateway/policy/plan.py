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
    if relay.copy_to:
        targets += [ForwardPath(mailbox) for mailbox in relay.copy_to]
    return targets


def groups(
    transaction: Transaction,
    decisions: Sequence[tuple[ForwardPath, Decision]],
    identity: Identity,
    *,
    trace: bytes,
    authserv_id: str,
) -> list[Group]:
    """Group the relayed recipients; `trace` (Authentication-Results, Received) goes on top of every copy."""
    samples: dict[tuple[str, tuple[str, ...], str], tuple[Relay, int, dict[str, ForwardPath]]] = {}
    for path, decision in decisions:
        relay = decision.disposition
        if not isinstance(relay, Relay):
            continue
        key = (relay.route, relay.tags, relay.subject_prefix)
        sample = samples.get(key)
        if sample is None:
            sample = samples[key] = (relay, decision.generation, {})
        for target in onward(path, relay):
            sample[2].setdefault(target.mailbox.key, target)
    if not samples:
        return []
    drop = forged_fields(transaction.message, authserv_id)
    found = []
    for relay, generation, targets in samples.values():
        fields = trace + tag_fields(relay, identity, transaction.id, generation)
        found.append(_group(transaction.message, relay, tuple(targets.values()), fields, drop))
    return found


def _group(message: Message, relay: Relay, paths: tuple[ForwardPath, ...], fields: bytes, drop: list[Field]) -> Group:
    if not relay.subject_prefix:
        return Group(relay.route, paths, fields, tuple(drop))
    subject, replaced = prefixed_subject(message, relay.subject_prefix)
    return Group(relay.route, paths, fields + subject, (*drop, *replaced), altered=bool(subject))
