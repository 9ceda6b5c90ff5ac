"""Signed messages for tests: keys, their DNS records, and DKIM signatures made by dkimpy."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from gateway.evidence.zone import Answer, Question, found


@dataclass(frozen=True)
class SigningKey:
    """A private key in the form that dkimpy reads, and its public half as p= wants it."""

    private: bytes
    public: str
    type: str = "rsa"

    def record(self, extra: str = "") -> bytes:
        """A key record; `extra` are tags such as "t=s; "."""
        return f"v=DKIM1; k={self.type}; {extra}p={self.public}".encode()

    def answer(self, domain: str, selector: str, extra: str = "") -> dict[Question, Answer]:
        """The zone that publishes the key."""
        return {Question(f"{selector}._domainkey.{domain}", "TXT"): found(self.record(extra))}


@lru_cache
def rsa_key(bits: int = 2048, serial: int = 0) -> SigningKey:
    """An RSA key, the same in one test run for the same size and serial."""
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey(private, base64.b64encode(public).decode())


@lru_cache
def ed25519_key(serial: int = 0) -> SigningKey:
    """An Ed25519 key (RFC 8463)."""
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(base64.b64encode(raw), base64.b64encode(public).decode(), "ed25519")


def sign(
    raw: bytes,
    domain: str,
    selector: str,
    key: SigningKey,
    *,
    algorithm: str = "",
    canonicalization: str = "relaxed/relaxed",
    headers: tuple[bytes, ...] | None = None,
    identity: str = "",
    length: bool = False,
) -> bytes:
    """The message with a DKIM-Signature on top. `algorithm` is by default that of the key with SHA-256."""
    header, _, body = canonicalization.partition("/")
    signer = dkim.DKIM(raw, signature_algorithm=(algorithm or f"{key.type}-sha256").encode())
    signature: bytes = signer.sign(
        selector.encode(),
        domain.encode(),
        key.private,
        identity=identity.encode() or None,
        canonicalize=(header.encode(), (body or "simple").encode()),
        include_headers=headers,
        length=length,
    )
    return signature + raw
