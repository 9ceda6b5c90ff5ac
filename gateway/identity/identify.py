"""Name the Author, say how well the Author Domain is proven, and which unit the mailbox belongs to."""

from __future__ import annotations

from datetime import date

from gateway.envelope.message import Message
from gateway.envelope.mime import mime_problems
from gateway.envelope.transaction import Transaction
from gateway.evidence.result import Evidence
from gateway.identity.grounds import Grounds
from gateway.identity.identity import Identity, Level, Provider
from gateway.identity.level import prove
from gateway.identity.provider import provider_of

KNOWN_MAX = 2048  # Authors whose messages are signed, and who come again
KNOWN_LENGTH_MAX = 256  # characters of such an Author's address and name


def identify(transaction: Transaction, evidence: Evidence, grounds: Grounds, on: date) -> Identity:
    """Identify the Author on a day (the registry's rows are dated). Pure: the same facts give the same answer.

    A unit is named at any level; `level` says how far to believe it.
    """
    message = transaction.message
    author, name, signers = message.author, message.author_name, evidence.aligned_dkim
    problems = message.problems + evidence.malformed + mime_problems(message)
    if problems or author is None or not signers or len(author.written) + len(name) > KNOWN_LENGTH_MAX:
        return _identify(message, evidence, grounds, on, problems)
    key = (author.written, name, signers, on)  # a signature proves the Author Domain whatever the other results are
    known = grounds.signed.get(key)
    if known is None:
        known = _identify(message, evidence, grounds, on, problems)
        if known.level is Level.SIGNED:
            if len(grounds.signed) >= KNOWN_MAX:
                grounds.signed.clear()
            grounds.signed[key] = known
    return known


def _identify(message: Message, evidence: Evidence, grounds: Grounds, on: date, problems: tuple[str, ...]) -> Identity:
    author = message.author
    malformed = tuple(dict.fromkeys(problems)) if problems else ()
    if author is None:
        reason = "malformed: " + "; ".join(malformed or ("no Author",))
        return Identity(None, "", Level.CLAIMED, reason, False, Provider.UNKNOWN, "no single Author")
    provider, provider_reason = provider_of(author.domain, grounds.official_domains, grounds.free)
    match = grounds.registry.lookup(author, on)
    unit, holding = (match.unit, match.holding) if match else (None, None)
    proof = prove(author.domain, evidence, grounds, on, unit.id if unit else "", malformed)
    return Identity(
        author,
        message.author_name,
        proof.level,
        proof.reason,
        proof.is_pending,
        provider,
        provider_reason,
        unit,
        holding,
        proof.proposals,
    )
