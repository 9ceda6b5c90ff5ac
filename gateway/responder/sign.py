"""DKIM signatures of what we write ourselves (RFC 6376, RFC 8463): relaxed/relaxed, SHA-256, RSA or Ed25519."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.envelope.address import AddressError, parse_domain
from gateway.envelope.header import make_field
from gateway.envelope.message import Message
from gateway.evidence.canonical import body_hash, relaxed_field

RSA_BITS_MIN = 1024  # RFC 8301 §3.2; verifiers ignore shorter keys

# Signed once more than they occur, so that none can be added later (RFC 6376 §8.15).
OVERSIGNED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"in-reply-to", b"references",
              b"auto-submitted", b"mime-version", b"content-type", b"content-transfer-encoding")  # fmt: skip


class SignerError(ValueError):
    """The key, domain or selector cannot sign. str(error) says why, without any of the key."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one domain (SDID) with one selector. Raises SignerError when key, domain or selector are unfit."""

    domain: str
    selector: str
    key_pem: bytes = field(repr=False)
    _key: RSAPrivateKey | Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "domain", parse_domain(self.domain))
            object.__setattr__(self, "selector", parse_domain(self.selector))
            key = load_pem_private_key(self.key_pem, None)
        except AddressError as error:
            raise SignerError(f"notice.dkim_domain or notice.dkim_selector: {error}") from error
        except (ValueError, TypeError) as error:
            raise SignerError("notice.dkim_key: not an unencrypted private key in PEM") from error
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise SignerError("notice.dkim_key: neither RSA nor Ed25519")
        if isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS_MIN:
            raise SignerError(f"notice.dkim_key: {key.key_size} bits; at least {RSA_BITS_MIN} are needed")
        object.__setattr__(self, "_key", key)

    def sign(self, content: bytes, now: datetime) -> bytes:
        """The message (CRLF line ends) with a DKIM-Signature field on top. `now` (aware) becomes t=."""
        message = Message(content)
        names = [name for name in OVERSIGNED for _ in range(len(message.all(name)) + 1)]
        tags = {
            "v": "1",
            "a": self.algorithm,
            "c": "relaxed/relaxed",
            "d": self.domain,
            "s": self.selector,
            "t": str(int(now.timestamp())),
            "h": " :".join(name.decode() for name in names),
            "bh": _base64(body_hash(message, relaxed=True, limit=None)[0]),
            "b": "",
        }
        unsigned = _signature_field(tags)
        tags["b"] = self.signature(_signed_octets(message, names, unsigned))
        return _signature_field(tags) + content

    @property
    def algorithm(self) -> str:
        """a= of RFC 6376 and RFC 8463."""
        return "rsa-sha256" if isinstance(self._key, RSAPrivateKey) else "ed25519-sha256"

    def signature(self, octets: bytes) -> str:
        """b=: the signature over these octets, base64 in pieces that a field can be folded between."""
        return _folded(_base64(self._sign(octets)))

    def _sign(self, octets: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(octets, PKCS1v15(), SHA256())
        return self._key.sign(hashlib.sha256(octets).digest())  # RFC 8463 §3: Ed25519 over the SHA-256


def _signature_field(tags: dict[str, str]) -> bytes:
    return make_field("DKIM-Signature", "; ".join(f"{tag}={value}" for tag, value in tags.items()))


def _signed_octets(message: Message, names: list[bytes], unsigned: bytes) -> bytes:
    """What is hashed (RFC 6376 §3.7): the named fields, lowest first, then the signature field with b= empty."""
    left = {name: list(message.all(name)) for name in set(names)}
    parts = [relaxed_field(name, left[name].pop().value) + b"\r\n" for name in names if left[name]]
    name, _, value = unsigned.partition(b":")
    return b"".join(parts) + relaxed_field(name, value)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _folded(text: str) -> str:
    """Blanks that base64 in DKIM may hold (RFC 6376 §3.5), so that the field can be folded."""
    return " ".join(text[at : at + 70] for at in range(0, len(text), 70))
