"""DMARC (RFC 9989): is an authenticated identifier aligned with the Author Domain, and what does its owner ask for?"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from gateway.envelope.message import Message
from gateway.evidence.dmarc_record import PolicyRecord, Walk, walk_from, walk_questions
from gateway.evidence.names import is_askable, printable
from gateway.evidence.recall import Recall, Tape
from gateway.evidence.result import MethodResult
from gateway.evidence.zone import Outcome, Question, Zone
from gateway.values import value

IDENTIFIERS_MAX = 10  # tree walks for identifiers of one message
_ONE_BELOW = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@value
class Alignment:
    """What DMARC says, and which identifiers carry it."""

    result: MethodResult
    dkim: tuple[str, ...] = ()  # aligned SDIDs of passing signatures over the whole body
    spf: str = ""  # aligned RFC5321.MailFrom domain with SPF pass


_KEPT: Recall[Alignment] = Recall(1024)


class Identifier(NamedTuple):
    """A domain that SPF or DKIM speaks about."""

    method: str
    domain: str
    result: str
    partial: bool = False  # a signature with l=


def author_domain(message: Message) -> str:
    """The Author Domain when it is a DNS name, else ""."""
    return _name(message.author.domain) if message.author else ""


@lru_cache(maxsize=4096)  # of domains that address.parse_domain() has bounded
def _name(domain: str) -> str:
    return domain if domain and not domain.startswith("[") and is_askable(f"_dmarc.{domain}") else ""


def questions(author: str, domains: set[str]) -> set[Question]:
    """All that evaluate() may ask of the Author Domain and of `domains` that could be aligned with it."""
    near = [domain for domain in domains if domain != author and _related(domain, author)][:IDENTIFIERS_MAX]
    return {question for domain in (author, *near) for question in walk_questions(domain)} if author else set()


def _related(domain: str, author: str) -> bool:
    return domain.split(".")[-2:] == author.split(".")[-2:]


def identifiers(spf: MethodResult, dkim: tuple[MethodResult, ...]) -> tuple[Identifier, ...]:
    """The identifiers that can carry DMARC; of SPF only the MAIL FROM identity (RFC 9989 §4.4.2)."""
    signed = [
        Identifier("dkim", result.get("header.d").lower(), result.result, bool(result.get("length"))) for result in dkim
    ]
    return (Identifier("spf", spf.get("domain"), spf.result), *[one for one in signed if one.domain])


def evaluate(message: Message, spf: MethodResult, dkim: tuple[MethodResult, ...], zone: Zone) -> Alignment | None:
    """The DMARC result, header.from and policy.dmarc its properties; None while answers are missing."""
    author = author_domain(message)
    if message.author is None:
        why = next((p for p in message.problems if p.startswith("From:")), "From: no single author")
        return Alignment(MethodResult("dmarc", "permerror", printable(why, 200)))
    properties = (("header.from", message.author.domain),)
    if not author:
        return Alignment(MethodResult("dmarc", "none", "the Author Domain is no DNS name", properties))
    key = (author, identifiers(spf, dkim))
    alignment = _KEPT.get(key, zone)
    if alignment is None:
        tape = Tape(zone)
        alignment = _alignment(*key, tape)
        if alignment is not None:
            _KEPT.put(key, tape, alignment)
    return alignment


def _alignment(author: str, named: tuple[Identifier, ...], zone: Zone) -> Alignment | None:
    properties: tuple[tuple[str, str], ...] = (("header.from", author),)
    tree = walk_from(author, zone)
    if tree is None:
        return None
    record = tree.applicable
    aligned = [(who, _aligned(who, author, tree, record, zone)) for who in named]
    if any(state is None for _, state in aligned):
        return None
    carried = [who for who, state in aligned if state == "yes" and who.result == "pass"]
    unsure = any(state != "no" and who.result in ("pass", "temperror") for who, state in aligned)
    policy = _policy(author, record, zone)
    if policy is None:
        return None
    result, reason = _result(tree, record, bool(carried), unsure, policy)
    facts = [("organizational_domain", tree.organizational_domain)]
    if record and record.applies:
        properties = (*properties, ("policy.dmarc", policy or "none"))
        facts += [
            ("policy", policy or "none"),
            ("record_domain", record.domain),
            ("record", printable(record.text, 512)),
        ]
    return Alignment(
        MethodResult("dmarc", result, reason, properties, tuple(facts)),
        tuple(dict.fromkeys(who.domain for who in carried if who.method == "dkim" and not who.partial)),
        next((who.domain for who in carried if who.method == "spf"), ""),
    )


def _aligned(who: Identifier, author: str, tree: Walk, record: PolicyRecord | None, zone: Zone) -> str | None:
    """yes, no or unsure (a walk failed); None while answers are missing (RFC 9989 §4.10.2)."""
    if who.domain == author:
        return "yes"
    strict = record is not None and (record.strict_spf if who.method == "spf" else record.strict_dkim)
    if strict or who.result not in ("pass", "temperror") or not is_askable(f"_dmarc.{who.domain}"):
        return "no"
    if not _related(who.domain, author):
        return "no"
    other = walk_from(who.domain, zone)
    if other is None:
        return None
    if tree.error or other.error:
        return "unsure"
    return "yes" if other.organizational_domain == tree.organizational_domain else "no"


def _policy(author: str, record: PolicyRecord | None, zone: Zone) -> str | None:
    """What the owner asks for mail that fails, "" when that cannot be known now; None while an answer is missing."""
    if record is None:
        return "none"
    policy = record.policy
    if record.domain != author:
        policy = record.subdomains or policy
        if record.nonexistent and record.nonexistent != policy:
            answer = zone.get(Question(author, "A"))
            if answer is None:
                return None
            if answer.is_error:
                return ""
            if answer.outcome is Outcome.NXDOMAIN:  # the name and all below it do not exist (RFC 8020)
                policy = record.nonexistent
    return _ONE_BELOW[policy] if record.testing else policy


def _result(tree: Walk, record: PolicyRecord | None, carried: bool, unsure: bool, policy: str) -> tuple[str, str]:
    if tree.error and tree.own is None:
        return "temperror", printable(tree.error, 200)
    if record is None:
        return "none", "no DMARC record"
    if not record.applies:
        return "none", "the DMARC record has no valid policy"
    if carried:
        return "pass", ""
    if unsure:
        return "temperror", "an identifier that may be aligned could not be checked"
    if not policy:
        return "temperror", "whether the Author Domain exists could not be checked"
    return "fail", "no aligned identifier passed"
