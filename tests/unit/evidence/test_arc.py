"""ARC beyond the suite: a chain vouches for what its newest message signature covers (RFC 8617 §4.1.2, safety S-32)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from dkim.canonicalization import Relaxed

from gateway.evidence.result import MethodResult
from gateway.responder.sign import Signer
from tests.support.signing import rsa_key
from tests.support.zones import Dns, assessed

HEAD = {"from": "Van thu <vanthu@longan.edu.vn>", "to": "so@longan.edu.vn", "subject": "Bao cao"}
RAW = "".join(f"{name.title()}: {value}\r\n" for name, value in HEAD.items()).encode() + b"\r\nKinh gui So\r\n"
KEY = rsa_key()
SIGNER = Signer("lists.example", "s1", KEY.private)
ZONE = Dns(KEY.answer("lists.example", "s1"))
CANONICAL: Any = Relaxed  # untyped


def relaxed(field: bytes) -> bytes:
    """One field in canonical form, CRLF included."""
    name, _, value = field.partition(b":")
    return b":".join(CANONICAL.canonicalize_headers([(name, value + b"\r\n")])[0])


def finished(field: bytes, before: bytes) -> bytes:
    """The field with its b=, signed together with what is canonical before it."""
    return field + SIGNER.signature(before + relaxed(field).removesuffix(b"\r\n")).encode()


def sealed(names: str, limit: int | None = None) -> bytes:
    """RAW under one ARC set whose message signature covers these fields, and so many octets of the body."""
    digest = base64.b64encode(hashlib.sha256(b"Kinh gui So\r\n"[:limit]).digest()).decode()
    common = "i=1; a=rsa-sha256; d=lists.example; s=s1"
    length = f" l={limit};" if limit is not None else ""
    results = b"ARC-Authentication-Results: i=1; lists.example; none"
    signed = b"".join(relaxed(f"{name}: {HEAD[name]}".encode()) for name in names.split(":") if name)
    tags = f"ARC-Message-Signature: {common}; c=relaxed/relaxed; h={names};{length} bh={digest}; b="
    signature = finished(tags.encode(), signed)
    seal = finished(f"ARC-Seal: {common}; cv=none; b=".encode(), relaxed(results) + relaxed(signature))
    return b"\r\n".join((seal, signature, results, RAW))


def arc(raw: bytes) -> MethodResult:
    return assessed(raw, ZONE).arc


def test_a_chain_that_covers_from_and_the_body_names_its_sealer() -> None:
    result = arc(sealed("from:to:subject"))
    assert (result.result, result.get("sealer")) == ("pass", "lists.example")


def test_a_message_signature_without_from_proves_nothing() -> None:
    """RFC 6376 §5.4: From must be signed, or whoever comes after the sealer writes another."""
    raw = sealed("to:subject")
    for message in (raw, re.sub(rb"From: .*", b"From: Giam doc <giamdoc@longan.edu.vn>\r", raw)):
        assert (arc(message).result, arc(message).reason) == ("fail", "From is not signed")


@pytest.mark.parametrize(("names", "limit"), [("", None), ("from:to", 4)], ids=["no field", "part of the body"])
def test_a_chain_that_covers_less_passes_but_names_no_sealer(names: str, limit: int | None) -> None:
    result = arc(sealed(names, limit))
    assert (result.result, result.get("sealer"), result.get("instances")) == ("pass", "", "1")
