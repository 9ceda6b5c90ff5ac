"""Which copies of a message leave us, with which fields: one that is passed on now, others by way of the outbox."""

from __future__ import annotations

from dataclasses import replace

from gateway.envelope.message import Message
from gateway.envelope.trace import received_field
from gateway.envelope.transaction import Transaction
from gateway.evidence.authres import write as authentication_results
from gateway.evidence.result import Evidence
from gateway.policy.judge import Judgement
from gateway.policy.plan import Group, groups
from gateway.responder.seal import seal
from gateway.responder.sign import Signer


def planned(
    transaction: Transaction,
    evidence: Evidence,
    judgement: Judgement,
    *,
    authserv_id: str,
    hostname: str,
    signer: Signer | None,
    by_host: bool,
) -> tuple[Group | None, list[Group]]:
    """The group that is passed on now, if any, and those that the outbox sends.

    With `by_host` a mail server passes it on, which relays by its own route only, and has written a Received already.
    """
    results = authentication_results(evidence, authserv_id)
    trace, decisions = results, judgement.decisions
    if not by_host:
        trace += received_field(transaction, hostname)
    elif len(decisions) > 1:  # it may come again with them in another order: the same group must be left to it
        decisions = tuple(sorted(decisions, key=lambda decided: decided[0].mailbox.key))
    found = groups(transaction, decisions, judgement.identity, trace=trace, authserv_id=authserv_id)
    if signer is not None:
        found = [_sealed(transaction, evidence, results, group, signer) for group in found]
    if not by_host:
        return (found[0], found[1:]) if found else (None, [])
    live: Group | None = None
    others: list[Group] = []
    for group in found:
        if live is None and group.route == "main":
            live = group
        else:
            others.append(group)
    if not others:
        return live, others
    received = received_field(transaction, hostname)  # they leave by us, not by the mail server
    return live, [replace(group, prepend=received + group.prepend) for group in others]


def _sealed(transaction: Transaction, evidence: Evidence, results: bytes, group: Group, signer: Signer) -> Group:
    """Where a rule changes a signed field, seal what we found before (RFC 8617)."""
    if not group.altered:
        return group
    message = transaction.message
    header = b"".join(Message(bytes(message.raw[: message.header_size])).segments(group.prepend, group.drop))
    fields = seal(message, header, evidence, results, signer, transaction.received_at)
    return replace(group, prepend=fields + group.prepend)
