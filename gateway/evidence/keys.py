"""Keys of signatures, out of the zone: what DKIM and ARC ask of a selector (RFC 6376 §6.1.2)."""

from __future__ import annotations

from gateway.evidence.dkim_key import RECORDS_MAX, Key, KeyFlaw, parse_key
from gateway.evidence.recall import Recall, Tape
from gateway.evidence.signature import Signature
from gateway.evidence.zone import Outcome, Question, Zone

_ANSWER = Outcome.ANSWER  # a name of the module is quicker than a member of the enumeration

_KEPT: Recall[tuple[Key, ...]] = Recall(1024)  # by all that is asked of a signature here


def question(signature: Signature) -> Question:
    """Where the key of a signature is published (RFC 6376 §3.6.2.1)."""
    return Question(f"{signature.selector}._domainkey.{signature.domain}", "TXT")


def usable_keys(signature: Signature, zone: Zone) -> tuple[Key, ...] | KeyFlaw | None:
    """The keys that this signature may be verified with, or why there are none; None when the zone has no answer yet."""
    known = (signature.domain, signature.selector, signature.algorithm, signature.identity_domain)
    keys = _KEPT.get(known, zone)
    if keys is not None:
        return keys
    tape = Tape(zone)
    found = _usable_keys(signature, tape)
    if isinstance(found, tuple):
        _KEPT.put(known, tape, found)
    return found


def _usable_keys(signature: Signature, zone: Zone) -> tuple[Key, ...] | KeyFlaw | None:
    name = question(signature)
    if len(name.name) > 253:
        return KeyFlaw("name of the key is too long")
    answer = zone.get(name)
    if answer is None:
        return None
    if answer.outcome is not _ANSWER or not answer.records:
        if answer.is_error:
            return KeyFlaw(f"key look-up: {answer.reason or 'DNS error'}", "temperror")
        return KeyFlaw("no key for signature")
    keys: list[Key] = []
    flaws: list[KeyFlaw] = []
    records = [record for record in answer.records if isinstance(record, bytes)]
    for record in records[:RECORDS_MAX]:
        try:
            key = parse_key(record)
            _check_use(signature, key)
            keys.append(key)
        except KeyFlaw as flaw:
            flaws.append(flaw)
    return tuple(keys) or (flaws[0] if flaws else KeyFlaw("no key for signature"))


def _check_use(signature: Signature, key: Key) -> None:
    """The constraints that a key record puts on its signatures (RFC 6376 §3.6.1). Raises KeyFlaw."""
    if key.type != signature.algorithm.partition("-")[0]:
        raise KeyFlaw("a= does not fit the type of the key")
    if key.hashes is not None and b"sha256" not in key.hashes:
        raise KeyFlaw("the key does not allow sha256")
    if b"s" in key.flags and signature.identity_domain not in ("", signature.domain):
        raise KeyFlaw("the key does not allow subdomains in i=")
