"""Signed messages for tests: keys, their DNS records, and DKIM signatures over what dkimpy canonicalises."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils
from dkim.canonicalization import Relaxed, Simple

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
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
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
    headers: tuple[str, ...] = (),
    identity: str = "",
    length: int | None = None,
) -> bytes:
    """The message with a DKIM-Signature on top, without t=, so that it is good at any time.

    `algorithm` is by default that of the key with SHA-256; `headers` all fields of the message, From once more than it
    is there; `length` is l=.
    """
    names = [name.decode().strip().lower() for name, _ in _fields(raw)]
    tags = {"a": algorithm or f"{key.type}-sha256", "c": canonicalization, "d": domain, "s": selector}
    if identity:
        tags["i"] = identity
    if length is not None:
        tags["l"] = str(length)
    return craft(raw, key, {**tags, "h": ":".join(headers or (*names, "from"))})


def craft(raw: bytes, key: SigningKey, tags: dict[str, str], *, body_hash: str = "") -> bytes:
    """The message under a signature with these tags, in their order: also tags that no signer would write.

    v=, a= and c=relaxed/relaxed are put before where they are not told, bh= and b= behind. Canonicalisation is
    dkimpy's; the signature is right for the tags as they stand.
    """
    tags = {"v": "1", "a": f"{key.type}-sha256", "c": "relaxed/relaxed", **tags}
    digest = hashlib.sha1 if tags["a"].endswith("sha1") else hashlib.sha256
    header_form, _, body_form = tags["c"].partition("/")
    body = _form(body_form).canonicalize_body(raw.partition(b"\r\n\r\n")[2])
    limit = int(tags["l"]) if tags.get("l", "").isdigit() and len(tags["l"]) < 20 else None
    tags["bh"] = body_hash or base64.b64encode(digest(body[:limit]).digest()).decode()
    value = (" " + "; ".join(f"{name}={text}" for name, text in tags.items()) + "; b=").encode()
    fields = _fields(raw)
    signed = []
    for name in tags.get("h", "").encode().lower().split(b":"):
        position = next((n for n in reversed(range(len(fields))) if fields[n][0].strip().lower() == name), None)
        if position is not None:
            signed.append(fields.pop(position))
    signed.append((b"DKIM-Signature", value + b"\r\n"))
    octets = b"".join(name + b":" + text for name, text in _form(header_form).canonicalize_headers(signed))[:-2]
    return b"DKIM-Signature:" + value + _signature(key, digest(octets).digest(), digest) + b"\r\n" + raw


def _form(name: str) -> Any:
    return Relaxed if name == "relaxed" else Simple


def _fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values, line ends included."""
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    fields = re.findall(rb"([^:\r\n]+):((?:.*\r\n)(?:[ \t].*\r\n)*)", head)
    return list(fields)


def _signature(key: SigningKey, digest: bytes, algorithm: Any) -> bytes:
    if key.type == "ed25519":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.private))
        return base64.b64encode(private.sign(digest))
    loaded = serialization.load_pem_private_key(key.private, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    hash_ = hashes.SHA1() if algorithm is hashlib.sha1 else hashes.SHA256()
    return base64.b64encode(loaded.sign(digest, padding.PKCS1v15(), utils.Prehashed(hash_)))
