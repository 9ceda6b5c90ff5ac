"""DKIM (RFC 6376, 8301, 8463, 8616): one result for every signature, aligned signatures first.

dkimpy reads the tag lists; everything that decides is here, because its `verify` gives one False for unsigned, timed out
and tampered, and is quadratic on hostile input (safety S-16).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from gateway.envelope.address import is_under
from gateway.envelope.header import Field
from gateway.envelope.message import Message
from gateway.evidence.canonical import body_hash, relaxed_field, signed_fields
from gateway.evidence.dkim_key import Key, KeyFlaw, verifies
from gateway.evidence.keys import question, usable_keys
from gateway.evidence.result import MethodResult
from gateway.evidence.signature import SKEW, Signature, parse_dkim
from gateway.evidence.tags import TagError, Tags, parse, squeezed, without_signature
from gateway.evidence.zone import Question, Zone

SIGNATURES_MAX = 10  # of one message (safety S-16)
PREFIX_MIN = 8  # characters of b= in header.b (RFC 6008 §4)

_SDID = re.compile(rb"(?:\A|;)[ \t\r\n]*d[ \t\r\n]*=[ \t\r\n]*([^;\s]{1,255})")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A DKIM-Signature field as read: a signature, or the flaw that makes it none."""

    tags: Tags
    signature: Signature | None
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    result: str
    reason: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def candidates(message: Message) -> tuple[Candidate, ...]:
    """The signatures that are looked at: the first ten, those of the Author Domain and its relatives before others."""
    kept: tuple[Candidate, ...] | None = message.memo.get("dkim candidates")
    if kept is None:
        fields = message.all(b"dkim-signature")
        if len(fields) > 1:
            author = message.author.domain if message.author else ""
            fields = sorted(fields, key=lambda field: _distance(field, author))[:SIGNATURES_MAX]
        kept = message.memo["dkim candidates"] = tuple(_read(field) for field in fields)
    return kept


def _distance(field: Field, author: str) -> int:
    """0: d= is the Author Domain; 1: one is under the other; 2: neither. Read before anything costly is done."""
    match = _SDID.search(field.value[:4096])
    domain = match[1].decode("ascii", "replace").lower() if match else ""
    if domain == author:
        return 0
    return 1 if domain and author and (is_under(domain, author) or is_under(author, domain)) else 2


def _read(field: Field) -> Candidate:
    tags: Tags = {}
    try:
        tags = parse(field.value)
        return Candidate(tags, parse_dkim(field, tags))
    except TagError as error:
        return Candidate(tags, None, str(error))


def questions(message: Message) -> set[Question]:
    """The keys that verify() will ask for."""
    return {question(candidate.signature) for candidate in candidates(message) if candidate.signature}


def verify(message: Message, zone: Zone, now: datetime) -> tuple[MethodResult, ...] | None:
    """One result per signature, or one `none` without any; None while the zone lacks a key. `now` is aware."""
    found = candidates(message)
    if not found:
        return (MethodResult("dkim", "none", "no signature"),)
    verdicts = [_judge(message, candidate, zone, now.timestamp()) for candidate in found]
    if any(verdict is None for verdict in verdicts):
        return None
    ignored = len(message.all(b"dkim-signature")) - len(found)
    prefix = _prefix_length(found)
    return tuple(
        MethodResult(
            "dkim",
            verdict.result,
            verdict.reason,
            _properties(candidate, prefix),
            (*verdict.facts, *((("ignored", str(ignored)),) if ignored else ())),
        )
        for candidate, verdict in zip(found, verdicts, strict=True)
        if verdict is not None
    )


def _judge(message: Message, candidate: Candidate, zone: Zone, now: float) -> Verdict | None:
    signature = candidate.signature
    if signature is None:
        return Verdict("permerror", candidate.flaw)
    if signature.algorithm == "rsa-sha1":
        return Verdict("policy", "rsa-sha1 proves nothing (RFC 8301)")
    keys = usable_keys(signature, zone)
    if keys is None:
        return None
    if isinstance(keys, KeyFlaw):
        return Verdict(keys.result, keys.reason)
    if signature.expires_at is not None and now > signature.expires_at + SKEW:
        return Verdict("fail", "signature expired")
    if signature.signed_at is not None and signature.signed_at > now + SKEW:
        return Verdict("fail", "signed in the future")
    return _check(message, signature, keys)


def _check(message: Message, signature: Signature, keys: tuple[Key, ...]) -> Verdict:
    """Body hash, then the signature itself, with each key that may be used."""
    facts: list[tuple[str, str]] = [("bits", str(keys[0].bits))]
    if any(b"y" in key.flags for key in keys):
        facts.append(("testing", "yes"))
    digest, total = body_hash(
        message, relaxed=signature.relaxed_body, limit=signature.limit, also=_limits(message, signature.relaxed_body)
    )
    if signature.limit is not None:
        facts.append(("length", str(signature.limit)))
        if signature.limit > total:
            return Verdict("permerror", "l= is longer than the body", tuple(facts))
        if signature.limit < total:
            facts.append(("partial", "yes"))
    if digest != signature.body_hash:
        return Verdict("fail", "body hash does not match", tuple(facts))
    if not any(verified(message, signature, key) for key in keys):
        return Verdict("fail", "signature does not match", tuple(facts))
    return Verdict("pass", "", tuple(facts))


def _limits(message: Message, relaxed: bool) -> set[int | None]:
    return {c.signature.limit for c in candidates(message) if c.signature and c.signature.relaxed_body is relaxed}


def verified(message: Message, signature: Signature, key: Key) -> bool:
    """Whether the header fields that h= names were signed with this key; kept in message.memo."""
    memo = ("signature", signature.field.start, key.record)
    known: bool | None = message.memo.get(memo)
    if known is None:
        known = message.memo[memo] = verifies(key, signature.signature, header_digest(message, signature))
    return known


def header_digest(message: Message, signature: Signature) -> bytes:
    """SHA-256 over the signed fields and the signature field itself without its b= (RFC 6376 §3.7)."""
    field = signature.field
    octets = signed_fields(message, signature.names, field, relaxed=signature.relaxed_header)
    bare = without_signature(field.value)
    octets.append(relaxed_field(field.name, bare) if signature.relaxed_header else field.name + b":" + bare)
    return hashlib.sha256(b"".join(octets)).digest()


def _properties(candidate: Candidate, prefix: int) -> tuple[tuple[str, str], ...]:
    """header.d, i, s, a and b (RFC 8601 §2.7.1, RFC 6008), as far as the field tells them."""
    signature, tags = candidate.signature, candidate.tags
    domain = signature.domain if signature else _text(tags.get(b"d"))
    selector = signature.selector if signature else _text(tags.get(b"s"))
    given = (
        ("header.d", domain),
        ("header.i", _text(tags.get(b"i"))),
        ("header.s", selector),
        ("header.a", _text(tags.get(b"a"))),
        ("header.b", _text(tags.get(b"b"))[:prefix]),
    )
    return tuple((name, value) for name, value in given if value)


def _text(value: bytes | None) -> str:
    """A tag's value as text fit for a log line: no white space, printable, at most 320 characters (an address)."""
    text = squeezed(value or b"")[:320].decode("utf-8", "replace")
    return text if text.isprintable() else ""


def _prefix_length(found: tuple[Candidate, ...]) -> int:
    """As many characters of b= as tell the signatures of this message apart, eight at least (RFC 6008 §4)."""
    texts = [squeezed(candidate.tags.get(b"b", b""))[:64] for candidate in found]
    length = PREFIX_MIN
    while length < 64 and len({text[:length] for text in texts}) < len(set(texts)):
        length += 4
    return length
