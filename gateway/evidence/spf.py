"""SPF (RFC 7208): the MAIL FROM identity and the HELO identity, two results. pyspf evaluates; see spf_query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

import spf

from gateway.envelope.address import Mailbox
from gateway.evidence.iprev import Address, key_of
from gateway.evidence.names import NAME_MAX, is_askable, printable
from gateway.evidence.recall import Recall, Tape
from gateway.evidence.result import MethodResult, Properties
from gateway.evidence.spf_query import Missing, Query
from gateway.evidence.zone import Question, Record, Zone

TEXT_MAX = 400  # characters of a reason or an explanation

_RESULTS = frozenset({"none", "pass", "fail", "softfail", "neutral", "temperror", "permerror"})

Outcome = tuple[str, str, Properties]  # result, reason, facts

_KEPT: Recall[Outcome] = Recall(2048)


def domain_of(identity: str) -> str:
    """The domain that SPF asks about, "" where check_host() says none at once (RFC 7208 §4.3)."""
    domain = identity.rpartition("@")[2]
    return _domain(domain) if len(domain) <= NAME_MAX else _domain.__wrapped__(domain)


@lru_cache(maxsize=4096)
def _domain(text: str) -> str:
    domain = text.rstrip(".").lower()
    return domain if "." in domain and not domain.startswith("[") and is_askable(domain) else ""


def mail_from(
    client: Address, helo: str, reverse_path: Mailbox | None, zone: Zone, *, receiver: str, now: datetime
) -> MethodResult | None:
    """The MAIL FROM identity; for the null reverse-path it is postmaster at the HELO name (RFC 7208 §2.4)."""
    identity = str(reverse_path) if reverse_path else f"postmaster@{helo}"
    return check(client, identity, helo, zone, "smtp.mailfrom", receiver=receiver, now=now)


def of_helo(client: Address, helo: str, zone: Zone, *, receiver: str, now: datetime) -> MethodResult | None:
    """The HELO identity (RFC 7208 §2.3)."""
    return check(client, f"postmaster@{helo}", helo, zone, "smtp.helo", receiver=receiver, now=now)


def check(
    client: Address, identity: str, helo: str, zone: Zone, name: str, *, receiver: str, now: datetime
) -> MethodResult | None:
    """check_host() of one identity; None while the zone lacks answers.

    Facts: domain, mechanism (the term that matched in the first record), via (records walked to the match), explanation
    (text of the domain's owner for a fail, printable ASCII). Whatever pyspf raises is a permerror.
    """
    properties = ((name, helo if name == "smtp.helo" else identity),)
    domain = domain_of(identity)
    if not domain:
        return MethodResult("spf", "none", "no domain to ask", properties)
    key = (key_of(client), domain)
    outcome = _KEPT.get(key, zone)
    if outcome is None:
        tape = Tape(zone)
        outcome = _outcome(client, identity, helo, domain, tape, receiver, now)
        if outcome is None:
            return None
        if is_lasting(outcome[0], outcome[1], tape):
            _KEPT.put(key, tape, outcome)
    result, reason, facts = outcome
    return MethodResult("spf", result, reason, properties, facts)


def is_lasting(result: str, reason: str, tape: Tape) -> bool:
    """Whether the result rests on client, domain and these answers alone; why there is an error may name more."""
    return (not reason or result == "none") and not _has_macros(tape)


def _has_macros(tape: Tape) -> bool:
    """Whether a record may look at more than the client and the domain: local-part, HELO, the time (RFC 7208 §7)."""
    records = (record for answer in tape.answers if answer for record in answer.records)
    return any(isinstance(record, bytes) and b"%" in record for record in records)


def _outcome(
    client: Address, identity: str, helo: str, domain: str, zone: Zone, receiver: str, now: datetime
) -> Outcome | None:
    answer = zone.get(Question(domain, "TXT"))
    if answer is None:
        return None
    facts: Properties = (("domain", domain),)
    if answer.is_error:
        return "temperror", answer.reason or "DNS error", facts
    if not has_record(answer.records):
        return "none", "no SPF record", facts
    try:
        query = Query(zone, client, identity, helo, receiver, int(now.timestamp()))
        result, _, text = query.check()
        explanation = query.explanation() if result == "fail" else ""
    except Missing:
        return None
    except Exception as error:  # pyspf lets several kinds escape; none may pass for a result (safety S-19)
        return "permerror", f"SPF evaluation: {type(error).__name__}", facts
    if result not in _RESULTS:
        return "permerror", "SPF evaluation", facts
    more = (
        ("mechanism", printable(query.mechanism or "", TEXT_MAX)),
        ("via", " ".join(printable(step, 255) for step in query.walk)),
        ("explanation", printable(explanation, TEXT_MAX)),
    )
    reason = printable(str(text), TEXT_MAX) if result in ("temperror", "permerror") else ""
    return result, reason, (*facts, *(fact for fact in more if fact[1]))


def has_record(records: Iterable[Record]) -> bool:
    """Whether any TXT record is an SPF record (RFC 7208 §4.5)."""
    return any(isinstance(record, bytes) and spf.RE_SPF.match(record) for record in records)
