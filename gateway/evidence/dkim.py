"""DKIM (RFC 6376, 8301, 8463, 8616): one result for every signature, aligned signatures first.

dkimpy reads tag lists that are not plain; everything that decides is here, because its `verify` gives one False for
unsigned, timed out and tampered, and is quadratic on hostile input (safety S-16). It is the yardstick of our tests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from datetime import datetime
from operator import itemgetter

from gateway.envelope.address import is_under
from gateway.envelope.header import Field
from gateway.envelope.message import Message
from gateway.evidence.canonical import body_hash, relaxed_field, signed_fields
from gateway.evidence.dkim_key import Key, KeyFlaw, verifies
from gateway.evidence.keys import question, usable_keys
from gateway.evidence.result import MethodResult, Properties
from gateway.evidence.signature import SKEW, Signature, parse_dkim
from gateway.evidence.tags import TagError, Tags, parse, squeezed, without_signature
from gateway.evidence.zone import Question, Zone
from gateway.values import value

SIGNATURES_MAX = 10  # of one message (safety S-16)
PREFIX_MIN = 8  # characters of b= in header.b (RFC 6008 §4)

_VALUE: Callable[[tuple[str, str]], str] = itemgetter(1)
_SDID = re.compile(rb"(?:\A|;)[ \t\r\n]*d[ \t\r\n]*=[ \t\r\n]*([^;\s]{1,255})")


@value
class Candidate:
    """A DKIM-Signature field as read: a signature, or the flaw that makes it none."""

    tags: Tags
    signature: Signature | None
    flaw: str = ""


@value
class Verdict:
    result: str
    reason: str = ""
    facts: Properties = ()


def candidates(message: Message) -> tuple[Candidate, ...]:
    """The signatures that are looked at: the first ten, those of the Author Domain and its relatives before others."""
    kept: tuple[Candidate, ...] | None = message.memo.get("dkim candidates")
    if kept is None:
        fields = message.all(b"dkim-signature")
        if len(fields) > 1:
            author = message.author.domain if message.author else ""
            fields = sorted(fields, key=lambda field: _distance(field, author))[:SIGNATURES_MAX]
        kept = message.memo["dkim candidates"] = tuple(map(_read, fields))
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
    moment, prefix = now.timestamp(), _prefix_length(found)
    ignored = len(message.all(b"dkim-signature")) - len(found)
    more: Properties = (("ignored", str(ignored)),) if ignored else ()
    results: list[MethodResult] = []
    waiting = False
    for candidate in found:
        verdict = _judge(message, candidate, zone, moment, found)
        if verdict is None:
            waiting = True
        elif not waiting:
            properties = _properties(candidate, prefix)
            results.append(MethodResult("dkim", verdict.result, verdict.reason, properties, verdict.facts + more))
    return None if waiting else tuple(results)


def _judge(
    message: Message, candidate: Candidate, zone: Zone, now: float, found: tuple[Candidate, ...]
) -> Verdict | None:
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
    return _check(message, signature, keys, found)


def _check(message: Message, signature: Signature, keys: tuple[Key, ...], found: tuple[Candidate, ...]) -> Verdict:
    """Body hash, then the signature itself, with each key that may be used."""
    facts: Properties = (("bits", str(keys[0].bits)),)
    for key in keys:
        if b"y" in key.flags:
            facts += (("testing", "yes"),)
            break
    relaxed, limit = signature.relaxed_body, signature.limit
    also = _limits(found, relaxed) if len(found) > 1 else ()
    digest, total = body_hash(message, relaxed=relaxed, limit=limit, also=also)
    if limit is not None:
        facts += (("length", str(limit)),)
        if limit > total:
            return Verdict("permerror", "l= is longer than the body", facts)
        if limit < total:
            facts += (("partial", "yes"),)
    if digest != signature.body_hash:
        return Verdict("fail", "body hash does not match", facts)
    for key in keys:
        if verified(message, signature, key):
            return Verdict("pass", "", facts)
    return Verdict("fail", "signature does not match", facts)


def _limits(found: tuple[Candidate, ...], relaxed: bool) -> Collection[int | None]:
    """The limits of all signatures with this form of the body, which is read once for them."""
    return {c.signature.limit for c in found if c.signature and c.signature.relaxed_body is relaxed}


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


def _properties(candidate: Candidate, prefix: int) -> Properties:
    """header.d, i, s, a and b (RFC 8601 §2.7.1, RFC 6008), as far as the field tells them."""
    signature, tags = candidate.signature, candidate.tags
    identity = _text(tags[b"i"]) if b"i" in tags else ""
    if signature:
        domain, selector, algorithm = signature.domain, signature.selector, signature.algorithm
        text = squeezed(tags[b"b"])[:prefix].decode("ascii")  # it is base64
    else:
        domain, selector, algorithm = _text(tags.get(b"d")), _text(tags.get(b"s")), _text(tags.get(b"a"))
        text = _text(tags.get(b"b"))[:prefix]
    given = (
        ("header.d", domain),
        ("header.i", identity),
        ("header.s", selector),
        ("header.a", algorithm),
        ("header.b", text),
    )
    return tuple(filter(_VALUE, given))


def _text(value: bytes | None) -> str:
    """A tag's value as text fit for a log line: no white space, printable, at most 320 characters (an address)."""
    text = squeezed(value or b"")[:320].decode("utf-8", "replace")
    return text if text.isprintable() else ""


def _prefix_length(found: tuple[Candidate, ...]) -> int:
    """As many characters of b= as tell the signatures of this message apart, eight at least (RFC 6008 §4)."""
    if len(found) == 1:
        return PREFIX_MIN
    texts = [squeezed(candidate.tags.get(b"b", b""))[:64] for candidate in found]
    length = PREFIX_MIN
    while length < 64 and len({text[:length] for text in texts}) < len(set(texts)):
        length += 4
    return length
