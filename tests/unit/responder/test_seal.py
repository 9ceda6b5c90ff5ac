"""Our ARC set is one that others verify: our own verifier and stock dkimpy's (RFC 8617)."""

from __future__ import annotations

import dkim
import pytest

from gateway.envelope.message import Message
from gateway.evidence.authres import write
from gateway.responder.seal import seal
from gateway.responder.sign import Signer
from tests.support.signing import rsa_key
from tests.support.zones import NOW, Dns, assessed

RAW = (
    b"From: =?utf-8?B?VGjhuqd5IEhhaQ==?= <c2@moet.edu.vn>\r\nTo: vanthu@longan.edu.vn\r\nSubject: Bao cao\r\n"
    b"Date: Sat, 21 Nov 2026 14:00:00 +0700\r\nMessage-ID: <1@moet.edu.vn>\r\n\r\nKinh gui So,\r\n\r\n  hai  blanks\t\r\n\r\n"
)
KEY = rsa_key()
SIGNER = Signer("longan.edu.vn", "gw1", KEY.private)
ZONE = Dns(KEY.answer("longan.edu.vn", "gw1"))


def sealed(raw: bytes, change: bytes = b"Subject: [Don vi] Bao cao\r\n") -> bytes:
    """The message as it leaves us: subject replaced, sealed."""
    message = Message(raw)
    evidence = assessed(raw, ZONE)
    results = write(evidence, "mx.longan.edu.vn")
    drop = message.all(b"subject") if change else []
    segments = b"".join(bytes(s) for s in message.segments(results + change, drop))
    header = segments[: len(segments) - len(message.body) - 2]
    return seal(message, header, evidence, results, SIGNER, NOW) + segments


def dkimpy_verdict(raw: bytes) -> bytes:
    record = KEY.record()
    verdict, _, _ = dkim.ARC(raw).verify(dnsfunc=lambda name, timeout=5: record)
    return verdict


def test_the_first_set_passes_with_our_verifier_and_with_dkimpy() -> None:
    raw = sealed(RAW)
    arc = assessed(raw, ZONE).arc
    assert (arc.result, arc.get("sealer"), arc.get("instances")) == ("pass", "longan.edu.vn", "1")
    assert dkimpy_verdict(raw) == b"pass"


def test_a_second_set_continues_the_chain() -> None:
    raw = sealed(sealed(RAW), b"Subject: [Don vi] [2] Bao cao\r\n")
    arc = assessed(raw, ZONE).arc
    assert (arc.result, arc.get("instances")) == ("pass", "2")
    assert b"i=2" in raw
    assert b"cv=pass" in raw
    assert dkimpy_verdict(raw) == b"pass"


def test_the_seal_holds_the_changed_subject() -> None:
    raw = sealed(RAW).replace(b"Subject: [Don vi]", b"Subject: [Khac]")
    assert assessed(raw, ZONE).arc.result == "fail"


@pytest.mark.parametrize("breakage", [b"Kinh gui So", b"Bao cao"])
def test_a_broken_chain_is_not_sealed_again(breakage: bytes) -> None:
    broken = sealed(RAW).replace(breakage, breakage[::-1])
    assert sealed(broken).count(b"ARC-Seal:") == 1


def test_the_results_of_before_the_change_are_in_the_set() -> None:
    raw = sealed(RAW)
    field = Message(raw).first(b"arc-authentication-results")
    assert field is not None
    assert field.unfolded.startswith(b"i=1; mx.longan.edu.vn;")
    assert b"arc=none" in field.unfolded
