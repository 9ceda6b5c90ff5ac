"""Signature fields read and checked: DKIM-Signature, ARC-Message-Signature, ARC-Seal (RFC 6376 §3.5, RFC 8617 §4.1)."""

from __future__ import annotations

from functools import lru_cache

from gateway.envelope.address import AddressError, is_under, parse_domain
from gateway.envelope.header import Field
from gateway.evidence.tags import TagError, Tags, number, octets_of, parse, squeezed, words
from gateway.values import value

NAMES_MAX = 200  # names in h= (safety S-16)
SKEW = 300  # seconds that clocks may differ
KNOWN_MAX = 1024  # signatures whose like comes again with every message of a sender
KNOWN_LENGTH_MAX = 1024  # octets of the tags in which they are alike

_ALGORITHMS = {b"rsa-sha256": "rsa-sha256", b"ed25519-sha256": "ed25519-sha256", b"rsa-sha1": "rsa-sha1"}
_RELAXED = {b"simple": False, b"relaxed": True}


@value
class Signature:
    """One signature field without flaw in its syntax."""

    field: Field
    domain: str  # d=, SDID or ARC signing domain: A-labels, lower case
    selector: str  # s=
    algorithm: str  # a=
    signature: bytes  # b=, decoded
    signed_at: int | None = None  # t=, seconds since 1970
    expires_at: int | None = None  # x=
    relaxed_header: bool = True
    relaxed_body: bool = True
    names: tuple[bytes, ...] = ()  # h=, lower case
    body_hash: bytes = b""  # bh=, decoded
    limit: int | None = None  # l=, octets
    identity_domain: str = ""  # domain of i= (AUID)
    chain: str = ""  # cv= of a seal


_ALIKE = (b"v", b"a", b"c", b"d", b"s", b"i", b"h", b"q", b"l")  # of the tags that are read, all but bh, b, t and x
_known: dict[tuple[bytes | None, ...], Signature] = {}


@lru_cache(maxsize=4096)  # what is no domain raises and is not kept, so its keys are short
def _name(octets: bytes, tag: str, *, labels: int) -> str:
    """A domain name, also with U-labels (RFC 8616 §5). Raises TagError."""
    if not octets:
        raise TagError(f"{tag}= is missing")
    try:
        name = parse_domain(octets.decode("utf-8"))
    except (AddressError, UnicodeDecodeError) as error:
        raise TagError(f"{tag}= is not a domain name") from error
    if name.count(".") < labels - 1 or len(name) > 253:
        raise TagError(f"{tag}= is not a domain name")
    return name


def _algorithm(tags: Tags) -> str:
    algorithm = _ALGORITHMS.get(tags.get(b"a", b""))
    if algorithm is None:
        raise TagError("unknown algorithm" if b"a" in tags else "a= is missing")
    return algorithm


@lru_cache(maxsize=64)  # few values are not unknown, which raise and are not kept
def _forms(value: bytes) -> tuple[bool, bool]:
    header, _, body = value.partition(b"/")
    if header not in _RELAXED or (body or b"simple") not in _RELAXED:
        raise TagError("unknown canonicalization")
    return _RELAXED[header], _RELAXED[body or b"simple"]


def _body_hash(tags: Tags) -> bytes:
    octets = octets_of(tags, b"bh")
    if len(octets) != (20 if tags.get(b"a") == b"rsa-sha1" else 32):
        raise TagError("bh= has the wrong length")
    return octets


def _times(tags: Tags) -> tuple[int | None, int | None]:
    """t= and x=."""
    signed_at, expires_at = number(tags, b"t"), number(tags, b"x")
    if signed_at is not None and expires_at is not None and expires_at <= signed_at:
        raise TagError("x= is not after t=")
    return signed_at, expires_at


def _message_signature(field: Field, tags: Tags) -> Signature:
    """The tags that DKIM-Signature and ARC-Message-Signature share."""
    if b"h" not in tags:
        raise TagError("h= is missing")
    names = words(tags[b"h"])
    if len(names) > NAMES_MAX:
        raise TagError(f"more than {NAMES_MAX} names in h=")
    hash_ = _body_hash(tags)
    relaxed_header, relaxed_body = _forms(tags.get(b"c", b"simple/simple"))
    signed_at, expires_at = _times(tags)
    return Signature(
        field,
        _name(tags.get(b"d", b""), "d", labels=2),
        _name(tags.get(b"s", b""), "s", labels=1),
        _algorithm(tags),
        octets_of(tags, b"b"),
        signed_at,
        expires_at,
        relaxed_header,
        relaxed_body,
        names,
        hash_,
        number(tags, b"l"),
        _identity(tags),
    )


def _identity(tags: Tags) -> str:
    if b"i" not in tags or b"@" not in tags[b"i"]:
        return ""
    return _name(squeezed(tags[b"i"]).rpartition(b"@")[2], "i", labels=1)


def parse_dkim(field: Field, tags: Tags) -> Signature:
    """A DKIM-Signature by RFC 6376 §6.1.1. Raises TagError."""
    key = tuple(map(tags.get, _ALIKE))
    known = _known.get(key)
    if known is not None:
        return _like(known, field, tags)
    signature = _parse_dkim(field, tags)
    if sum(map(len, filter(None, key))) <= KNOWN_LENGTH_MAX:
        if len(_known) >= KNOWN_MAX:
            _known.clear()
        _known[key] = signature
    return signature


def _like(known: Signature, field: Field, tags: Tags) -> Signature:
    """A signature that differs from a known one in the tags that no message shares with another. Raises TagError."""
    hash_ = _body_hash(tags)
    signed_at, expires_at = _times(tags)
    return Signature(
        field,
        known.domain,
        known.selector,
        known.algorithm,
        octets_of(tags, b"b"),
        signed_at,
        expires_at,
        known.relaxed_header,
        known.relaxed_body,
        known.names,
        hash_,
        known.limit,
        known.identity_domain,
    )


def _parse_dkim(field: Field, tags: Tags) -> Signature:
    if tags.get(b"v") != b"1":
        raise TagError("unknown version")
    if b"q" in tags and b"dns/txt" not in words(tags[b"q"]):
        raise TagError("unknown query method")
    signature = _message_signature(field, tags)
    if b"from" not in signature.names:
        raise TagError("From is not signed")
    if b"i" in tags and not signature.identity_domain:
        raise TagError("i= is not an address")
    if signature.identity_domain and not is_under(signature.identity_domain, signature.domain):
        raise TagError("i= is not under d=")
    return signature


def parse_ams(field: Field) -> Signature:
    """An ARC-Message-Signature (RFC 8617 §4.1.2), which has to sign From as DKIM does. Raises TagError."""
    # without c= signers and verifiers of ARC take relaxed/relaxed, where DKIM takes simple/simple
    signature = _message_signature(field, {b"c": b"relaxed/relaxed", **parse(field.value), b"i": b""})
    if b"arc-seal" in signature.names:
        raise TagError("h= names ARC-Seal")
    if signature.names and b"from" not in signature.names:  # the published suite lets an empty h= pass
        raise TagError("From is not signed")
    return signature


def parse_seal(field: Field) -> Signature:
    """An ARC-Seal (RFC 8617 §4.1.3). Raises TagError."""
    tags = parse(field.value)
    if b"h" in tags:
        raise TagError("h= in a seal")
    chain = tags.get(b"cv", b"").decode("ascii", "replace").lower()
    if chain not in ("none", "pass", "fail"):
        raise TagError("cv= syntax")
    return Signature(
        field,
        _name(tags.get(b"d", b""), "d", labels=2),
        _name(tags.get(b"s", b""), "s", labels=1),
        _algorithm(tags),
        octets_of(tags, b"b"),
        number(tags, b"t"),
        chain=chain,
    )
