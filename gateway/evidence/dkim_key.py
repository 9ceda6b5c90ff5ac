"""DKIM public keys as published in DNS (RFC 6376 §3.6.1, RFC 8301, RFC 8463), and verifying with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.evidence.tags import TagError, octets_of, parse, squeezed, words

RECORD_MAX = 8 * 1024  # octets of a key record
RECORDS_MAX = 3  # records at one selector that we try; RFC 6376 §3.6.2.2 leaves several undefined
BITS_MIN = 1024  # RFC 8301 §3.2
BITS_MAX = 4096
EXPONENT_MAX = 1 << 32  # a 16,384-bit exponent costs seconds to verify with

_PADDING, _PREHASHED = PKCS1v15(), Prehashed(SHA256())


class KeyFlaw(Exception):
    """The record is no key that may be used. `result` is policy for keys that are too weak or strong, else permerror."""

    def __init__(self, reason: str, result: str = "permerror") -> None:
        super().__init__(reason)
        self.reason, self.result = reason, result


@dataclass(frozen=True, slots=True)
class Key:
    """A usable key record."""

    record: bytes
    type: str  # k=: rsa, ed25519
    public: RSAPublicKey | Ed25519PublicKey
    bits: int
    flags: frozenset[bytes]  # t=: y (testing), s (no subdomains in i=)
    hashes: frozenset[bytes] | None  # h=; None: all


@lru_cache(maxsize=2048)
def parse_key(record: bytes) -> Key:
    """Read one TXT record. Raises KeyFlaw for anything but a key for mail that is neither weak nor absurd."""
    if len(record) > RECORD_MAX:
        raise KeyFlaw("key record too long")
    try:
        tags = parse(record)
    except TagError as error:
        raise KeyFlaw(f"key record: {error}") from error
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or (b"v" in tags and next(iter(tags)) != b"v"):
        raise KeyFlaw("key record version")
    if b"p" not in tags:
        raise KeyFlaw("key record without p=")
    if not squeezed(tags[b"p"]):
        raise KeyFlaw("key revoked")
    if not {b"*", b"email"} & set(words(tags.get(b"s", b"*"))):
        raise KeyFlaw("key is not for email")
    try:
        octets = octets_of(tags, b"p")
    except TagError as error:
        raise KeyFlaw(f"key record: {error}") from error
    kind = tags.get(b"k", b"rsa").decode("ascii", "replace").lower()
    public, bits = _public_key(kind, octets)
    hashes = frozenset(words(tags[b"h"])) if b"h" in tags else None
    return Key(record, kind, public, bits, frozenset(words(tags.get(b"t", b""))), hashes)


def _public_key(kind: str, octets: bytes) -> tuple[RSAPublicKey | Ed25519PublicKey, int]:
    if kind == "ed25519":
        if len(octets) != 32:
            raise KeyFlaw("Ed25519 key is not 32 octets")
        return Ed25519PublicKey.from_public_bytes(octets), 256
    if kind != "rsa":
        raise KeyFlaw("unknown key type")
    try:
        public = load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFlaw("RSA key syntax") from error
    if not isinstance(public, RSAPublicKey):
        raise KeyFlaw("not an RSA key")
    if public.key_size < BITS_MIN:
        raise KeyFlaw(f"RSA key of {public.key_size} bits is too weak (RFC 8301)", "policy")
    if public.key_size > BITS_MAX or public.public_numbers().e > EXPONENT_MAX:
        raise KeyFlaw(f"RSA key larger than {BITS_MAX} bits", "policy")
    return public, public.key_size


def verifies(key: Key, signature: bytes, digest: bytes) -> bool:
    """Whether `signature` is over the SHA-256 `digest`. Wrong lengths are refused before any arithmetic."""
    try:
        if isinstance(key.public, RSAPublicKey):
            if len(signature) != (key.bits + 7) // 8:
                return False
            key.public.verify(signature, digest, _PADDING, _PREHASHED)
        else:
            key.public.verify(signature, digest)
    except InvalidSignature:
        return False
    return True
