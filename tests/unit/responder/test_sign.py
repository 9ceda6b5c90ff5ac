"""DKIM signatures of notices, verified by stock dkimpy and by our own verifier's rules (AR-14)."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.envelope.message import Message
from gateway.evidence import dkim as own
from gateway.evidence.canonical import body_hash
from gateway.evidence.zone import Question, found
from gateway.responder.compose import notice_for, parse_sender
from gateway.responder.sign import Signer, SignerError
from tests.support.notices import DIRECTIVE, HANOI, NOW, TEMPLATES, identity, transaction

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def pem(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def record(key) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public)


def signed(key) -> bytes:
    return notice_for(
        transaction(),
        identity(),
        DIRECTIVE,
        TEMPLATES,
        sender=parse_sender("Cổng thư điện tử <no-reply@longan.edu.vn>"),
        zone=HANOI,
        now=NOW,
        token="a1",
        kept_until=NOW + timedelta(days=30),
        signer=Signer("LongAn.edu.vn", "gw2026", pem(key)),
    ).content


def verify(content: bytes, key) -> bool:
    """By our own verifier, and for RSA by stock dkimpy too; they must agree."""
    zone = {Question("gw2026._domainkey.longan.edu.vn", "TXT"): found(record(key))}
    results = own.verify(Message(content), zone, NOW)
    assert results is not None
    (result,) = results
    if isinstance(key, rsa.RSAPrivateKey):
        assert dkimpy.verify(content, dnsfunc=lambda name, timeout=5: record(key)) == (result.result == "pass")
    return result.result == "pass"


@pytest.fixture(params=[RSA, ED25519], ids=["rsa", "ed25519"])
def key(request):
    return request.param


def test_stock_dkimpy_and_our_verifier_accept_it(key) -> None:
    assert verify(signed(key), key)


def test_a_changed_octet_is_seen(key) -> None:
    content = signed(key)
    assert not verify(content[:-20] + b"x" + content[-19:], key)
    assert not verify(content.replace(b"auto-replied", b"auto-repliee", 1), key)


@pytest.mark.parametrize(
    "line",
    [b"From: x@example.vn", b"Subject: x", b"To: y@example.vn", b"Auto-Submitted: no", b"Reply-To: x@example.vn"],
)
def test_no_field_can_be_added(line: bytes, key) -> None:
    content = signed(key)
    end = content.index(b"\r\n\r\n") + 2
    assert verify(content, key)
    assert not verify(content[:end] + line + b"\r\n" + content[end:], key)
    assert not verify(line + b"\r\n" + content, key)


def test_relaxed_survives_folding_and_trailing_blanks(key) -> None:
    content = signed(key)
    refolded = content.replace(b"Precedence: bulk", b"Precedence:  bulk ").replace(b"\r\n\r\n- H", b" \r\n\r\n- H", 1)
    assert refolded != content
    assert verify(refolded + b"\r\n\r\n", key)


def test_tags_of_the_signature() -> None:
    message = Message(signed(ED25519))
    field = message.first(b"dkim-signature")
    assert field is not None
    tags = dict(tag.strip().split("=", 1) for tag in re.sub(r"\s", "", field.unfolded.decode()).split(";"))
    assert (tags["a"], tags["d"], tags["s"], tags["t"]) == (
        "ed25519-sha256",
        "longan.edu.vn",
        "gw2026",
        str(int(NOW.timestamp())),
    )
    assert base64.b64decode(tags["bh"]) == body_hash(message, relaxed=True, limit=None)[0]
    assert len(base64.b64decode(tags["b"])) == 64


def test_header_lines_stay_short() -> None:
    header = signed(RSA).partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    ("domain", "selector", "key_pem", "words"),
    [
        ("longan.edu.vn", "s", b"", "PEM"),
        ("longan.edu.vn", "s", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM"),
        ("longan..vn", "s", pem(RSA), "domain"),
        ("longan.edu.vn", "s; d=x", pem(RSA), "selector"),
        ("longan.edu.vn", "", pem(RSA), "selector"),
        ("longan.edu.vn", "s", pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
        ("longan.edu.vn", "s", RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "PEM"),
    ],
)
def test_keys_and_names_that_cannot_sign(domain: str, selector: str, key_pem: bytes, words: str) -> None:
    with pytest.raises(SignerError, match=words):
        Signer(domain, selector, key_pem)


def test_a_key_never_shows_in_words() -> None:
    assert "PRIVATE" not in repr(Signer("longan.edu.vn", "s", pem(RSA)))


def test_repeated_fields_are_signed_from_the_bottom_up(key) -> None:
    """RFC 6376 §5.4.2."""
    content = b"From: a@longan.edu.vn\r\nCc: b@example.vn\r\nCc: c@example.vn\r\n\r\nKinh gui\r\n"
    whole = Signer("longan.edu.vn", "gw2026", pem(key)).sign(content, NOW)
    assert verify(whole, key)
    assert not verify(whole.replace(b"Cc: b@", b"Cc: d@"), key)
