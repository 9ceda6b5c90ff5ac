"""DKIM keys of the domains in the demonstration, made anew each time, and the records that publish them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.responder.sign import Signer

SELECTORS: Final = {  # domain to selector
    "moet.edu.vn": "s2026",
    "longan.edu.vn": "gw1",
    "gmail.com": "20230601",
    "lists.example.org": "list",
    "daihoclongan.edu.vn": "mail",
}
ED25519: Final = {"pgdcanduoc.longan.edu.vn": "ed1"}


@dataclass(frozen=True, slots=True)
class Key:
    """One domain's signer and its key record (RFC 6376 §3.6.1, RFC 8463 §4)."""

    signer: Signer
    record: str

    @property
    def name(self) -> str:
        """Where the record is published."""
        return f"{self.signer.selector}._domainkey.{self.signer.domain}"


def make_keys() -> dict[str, Key]:
    """By domain. RSA-2048 for most, Ed25519 for one; takes about half a second."""
    keys = {domain: _rsa(domain, selector) for domain, selector in SELECTORS.items()}
    return keys | {domain: _ed25519(domain, selector) for domain, selector in ED25519.items()}


def _rsa(domain: str, selector: str) -> Key:
    private = generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Key(Signer(domain, selector, pem), f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}")


def _ed25519(domain: str, selector: str) -> Key:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Key(Signer(domain, selector, pem), f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}")
