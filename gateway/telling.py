"""What the mail log and the counters are told of a message that has been judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter

from gateway import maillog, metrics
from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Transaction
from gateway.evidence.result import Evidence
from gateway.policy.judge import Judgement
from gateway.register.compile import Fate
from gateway.register.record import Record

_METHOD, _RESULT = attrgetter("method"), attrgetter("result")


def judged(evidence: Evidence, judgement: Judgement) -> None:
    """Count results, levels and rules."""
    child, results = metrics.child, evidence.results
    for counter in map(child, repeat(metrics.results), map(_METHOD, results), map(_RESULT, results)):
        counter.inc()
    identity = judgement.identity
    child(metrics.levels, str(identity.level), str(identity.provider)).inc()
    for _, decision in judgement.decisions:
        child(metrics.rules, decision.rule, "decided").inc()
        for rule in decision.observed:
            child(metrics.rules, rule, "observed").inc()


def refused(transaction: Transaction, judgement: Judgement, reply: Reply) -> Reply:
    """Write down a 4yz or 5yz for every recipient; returns the reply."""
    verb: maillog.Verb = "deferred" if reply.is_temporary else "refused"
    for path, decision in judgement.decisions:
        metrics.child(metrics.fates, verb).inc()
        maillog.fate(
            verb, transaction.id, recipient=str(path.mailbox), rule=decision.rule, reply=str(reply),
            level=judgement.identity.level.value, client=str(transaction.client.address), **_server_facts(transaction),
        )  # fmt: skip
    return reply


def settled(transaction: Transaction, record: Record, fates: Sequence[Fate], *, is_noticed: bool) -> None:
    """Write down what became of every recipient, in the next turn of the event loop.

    The answer goes out before it: all that has happened is durable, and nobody should wait for its telling.
    """
    asyncio.get_running_loop().call_soon(_settled, transaction, record, fates, is_noticed)


def _settled(transaction: Transaction, record: Record, fates: Sequence[Fate], is_noticed: bool) -> None:
    shown = "" if is_noticed else record.notice  # a queued one: the outbox tells whether it went out, as "replied"
    for recipient, verb, rule in fates:
        metrics.child(metrics.fates, verb).inc()
        maillog.fate(
            verb, transaction.id, recipient=recipient, rule=rule, reply=record.reply,
            unit=record.unit_id, level=record.level, provider=record.provider, notice=shown, size=record.size,
            generation=record.generation, client=record.client_address, **_server_facts(transaction),
        )  # fmt: skip


def _server_facts(transaction: Transaction) -> dict[str, str]:
    """By what name the mail server's own log calls the message."""
    return {"queue_id": transaction.queue_id} if transaction.queue_id else {}
