"""DKIM results (RFC 6376, 8301, 8463, 8616; safety S-16, S-17)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import dkim
import idna
import pytest
from cryptography.hazmat.primitives import serialization
from dkim.canonicalization import Relaxed

from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence, MethodResult
from gateway.evidence.zone import NODATA, NXDOMAIN, Question, found
from tests.support.signing import SigningKey, craft, ed25519_key, rsa_key, sign
from tests.support.zones import NOW, SERVFAIL, Dns, assessed, transaction

RAW = (
    b"From: =?utf-8?B?VsSDbiB0aMawIFPhu58gR0TEkFQ=?= <vanthu@longan.edu.vn>\r\n"
    b"To: pgd.cangiuoc@longan.edu.vn\r\n"
    b"Subject: V/v  nop bao cao\t quy IV\r\n"
    b"Date: Sat, 21 Nov 2026 08:00:00 +0700\r\n\r\n"
    b"Kinh gui cac Phong,  \r\n\r\nTran trong. \t\r\n\r\n\r\n"
)
DOMAIN = "longan.edu.vn"
SECONDS = int(NOW.timestamp())
TAGS = {"d": DOMAIN, "s": "s1", "h": "from:to:subject"}


def published(key: SigningKey, extra: str = "", domain: str = DOMAIN) -> Dns:
    return Dns(key.answer(domain, "s1", extra))


def only(raw: bytes, zone: Dns) -> MethodResult:
    (result,) = assessed(raw, zone).dkim
    return result


@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "relaxed"])
@pytest.mark.parametrize("key", [rsa_key(), rsa_key(1024), ed25519_key()], ids=["rsa2048", "rsa1024", "ed25519"])
def test_signatures_of_every_kind_pass(form: str, key: SigningKey) -> None:
    evidence = assessed(sign(RAW, DOMAIN, "s1", key, canonicalization=form), published(key))
    assert evidence.dkim[0].result == "pass"
    assert evidence.aligned_dkim == (DOMAIN,)
    assert evidence.dkim[0].get("header.d") == DOMAIN
    assert evidence.dkim[0].get("header.s") == "s1"
    assert evidence.dkim[0].get("header.a") == f"{key.type}-sha256"
    assert len(evidence.dkim[0].get("header.b")) >= 8


@pytest.mark.parametrize("form", [b"simple", b"relaxed"])
def test_what_dkimpy_signs_passes(form: bytes) -> None:
    signed = dkim.sign(RAW, b"s1", DOMAIN.encode(), rsa_key().private, canonicalize=(form, form)) + RAW
    evidence = assess(transaction(signed), published(rsa_key()), now=datetime.now(UTC))
    assert isinstance(evidence, Evidence)
    assert evidence.dkim[0].result == "pass"


def test_unsigned_is_none_and_not_a_failure() -> None:
    assert only(RAW, Dns()).result == "none"


@pytest.mark.parametrize(
    ("old", "new"), [(b"quy IV", b"quy V"), (b"Tran trong", b"Tran trong!"), (b"vanthu@", b"giamdoc@")]
)
def test_tampering_fails(old: bytes, new: bytes) -> None:
    signed = sign(RAW, DOMAIN, "s1", rsa_key())
    evidence = assessed(signed.replace(old, new, 1), published(rsa_key()))
    assert evidence.dkim[0].result == "fail"
    assert evidence.aligned_dkim == ()


def test_relaxed_forgives_white_space_and_simple_does_not() -> None:
    for form, result in (("relaxed/relaxed", "pass"), ("simple/relaxed", "fail"), ("relaxed/simple", "fail")):
        signed = sign(RAW, DOMAIN, "s1", rsa_key(), canonicalization=form)
        changed = signed.replace(b"V/v  nop", b"V/v nop").replace(b"cac Phong,  \r\n", b"cac Phong,\r\n")
        assert only(changed, published(rsa_key())).result == result, form


@pytest.mark.parametrize(
    ("tags", "result", "reason"),
    [
        ({"x": str(SECONDS - 301)}, "fail", "expired"),
        ({"x": str(SECONDS - 299)}, "pass", ""),
        ({"t": str(SECONDS + 301)}, "fail", "future"),
        ({"t": str(SECONDS + 299)}, "pass", ""),
        ({"t": str(SECONDS), "x": str(SECONDS)}, "permerror", "x="),
        ({"h": "to:subject"}, "permerror", "From is not signed"),
        ({"h": ""}, "permerror", "From is not signed"),
        ({"v": "2"}, "permerror", "version"),
        ({"a": "rsa-md5"}, "permerror", "algorithm"),
        ({"c": "nofws"}, "permerror", "canonicalization"),
        ({"i": "a@longan.edu.vn.evil.example"}, "permerror", "not under d="),
        ({"i": "@so.longan.edu.vn"}, "pass", ""),
        ({"i": "longan.edu.vn"}, "permerror", "i="),
        ({"l": "99999"}, "permerror", "l="),
        ({"l": "9" * 5000}, "permerror", "l="),
        ({"x": "soon"}, "permerror", "x="),
        ({"q": "dns/cert"}, "permerror", "query"),
        ({"h": "from:" + ":".join(f"x{n}" for n in range(200))}, "permerror", "names in h="),
        ({"unknown": "tag"}, "pass", ""),
    ],
)
def test_tags_of_a_signature(tags: dict[str, str], result: str, reason: str) -> None:
    found_ = only(craft(RAW, rsa_key(), {**TAGS, **tags}), published(rsa_key()))
    assert (found_.result, reason in found_.reason) == (result, True), found_


def test_s16_rsa_sha1_never_passes() -> None:
    signed = sign(RAW, DOMAIN, "s1", rsa_key(), algorithm="rsa-sha1")
    evidence = assessed(signed, published(rsa_key()))
    assert evidence.dkim[0].result == "policy"
    assert "RFC 8301" in evidence.dkim[0].reason
    assert evidence.aligned_dkim == ()


@pytest.mark.parametrize(
    ("extra", "tags", "result"),
    [
        ("h=sha1; ", {}, "permerror"),
        ("h=sha1:sha256; ", {}, "pass"),
        ("s=tlsrpt; ", {}, "permerror"),
        ("s=email:tlsrpt; ", {}, "pass"),
        ("s=*; ", {}, "pass"),
        ("t=s; ", {"i": "@so.longan.edu.vn"}, "permerror"),
        ("t=s; ", {"i": "@longan.edu.vn"}, "pass"),
        ("t=y; ", {}, "pass"),
        ("k=ed25519; ", {}, "permerror"),
        ("n=ghi chu; ", {}, "pass"),
    ],
)
def test_constraints_of_the_key(extra: str, tags: dict[str, str], result: str) -> None:
    zone = published(rsa_key(), extra)
    if extra.startswith("k="):
        record = f"v=DKIM1; k=ed25519; p={rsa_key().public}".encode()
        zone[Question(f"s1._domainkey.{DOMAIN}", "TXT")] = found(record)
    assert only(craft(RAW, rsa_key(), {**TAGS, **tags}), zone).result == result


def test_testing_key_is_told() -> None:
    assert only(craft(RAW, rsa_key(), TAGS), published(rsa_key(), "t=y; ")).get("testing") == "yes"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (SERVFAIL, "temperror"),
        (NXDOMAIN, "permerror"),
        (NODATA, "permerror"),
        (found(b"v=DKIM1; p="), "permerror"),
        (found(b"v=DKIM2; p=" + rsa_key().public.encode()), "permerror"),
        (found(b"p=" + rsa_key().public.encode()), "pass"),
        (found(b"hello"), "permerror"),
        (found(b"v=DKIM1; p=!!!"), "permerror"),
        (found(b"v=DKIM1; p=AAAA"), "permerror"),
        (found(b"\xff\xfe"), "permerror"),
        (found(b"v=DKIM1; p=" + b"A" * 9000), "permerror"),
        (found(b"v=DKIM1; p=" + rsa_key(1024, 9).public.encode()), "fail"),
        (found(b"v=DKIM1; p=" + rsa_key(1024, 9).public.encode(), rsa_key().record()), "pass"),
        (found(*[rsa_key(1024, 9).record()] * 3, rsa_key().record()), "fail"),  # S-16: only three of one selector
    ],
)
def test_answers_for_the_key(answer: object, result: str) -> None:
    zone = Dns()
    zone[Question(f"s1._domainkey.{DOMAIN}", "TXT")] = answer  # type: ignore[assignment]
    assert only(craft(RAW, rsa_key(), TAGS), zone).result == result


def test_s16_weak_key_is_refused_by_policy() -> None:
    zone = Dns()
    zone[Question(f"s1._domainkey.{DOMAIN}", "TXT")] = found(_record((1 << 511) | 12345, 65537))
    result = only(craft(RAW, rsa_key(), TAGS), zone)
    assert (result.result, "weak" in result.reason) == ("policy", True)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content


def _record(modulus: int, exponent: int) -> bytes:
    numbers = b"".join(_der(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in (modulus, exponent))
    inner = _der(0x30, numbers)
    outer = _der(0x30, _der(0x30, bytes.fromhex("06092a864886f70d0101010500")) + _der(3, b"\0" + inner))
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(outer)


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [((1 << 16383) | 1, (1 << 16382) | 1), ((1 << 8191) | 1, 65537), ((1 << 2047) | 1, (1 << 2000) | 1)],
    ids=["16k", "8k", "exponent"],
)
def test_s16_absurd_keys_are_refused_before_any_arithmetic(modulus: int, exponent: int) -> None:
    zone = Dns()
    zone[Question(f"s1._domainkey.{DOMAIN}", "TXT")] = found(_record(modulus, exponent))
    assert only(craft(RAW, rsa_key(), TAGS), zone).result in ("policy", "permerror")


def test_raw_pkcs1_keys_are_read_too() -> None:
    public = serialization.load_pem_private_key(rsa_key().private, None).public_key()
    pkcs1 = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    text = b"".join(pkcs1.splitlines()[1:-1])
    zone = Dns()
    zone[Question(f"s1._domainkey.{DOMAIN}", "TXT")] = found(b"v=DKIM1; p=" + text)
    assert only(craft(RAW, rsa_key(), TAGS), zone).result == "pass"


def test_s17_appended_text_under_l_is_partial_and_not_trusted() -> None:
    raw = craft(RAW, rsa_key(), {**TAGS, "l": "10"}) + b"<html>...</html>\r\n"
    evidence = assessed(raw, published(rsa_key()))
    assert (evidence.dkim[0].result, evidence.dkim[0].get("partial")) == ("pass", "yes")
    assert evidence.aligned_dkim == ()


def test_s17_l_that_covers_the_body_is_not_trusted_either() -> None:
    body = Relaxed.canonicalize_body(RAW.partition(b"\r\n\r\n")[2])
    evidence = assessed(sign(RAW, DOMAIN, "s1", rsa_key(), length=len(body)), published(rsa_key()))
    assert (evidence.dkim[0].result, evidence.dkim[0].get("partial")) == ("pass", "")
    assert evidence.aligned_dkim == ()


def test_several_signatures_aligned_first_each_with_its_own_result() -> None:
    raw = sign(RAW, DOMAIN, "s1", rsa_key())
    raw = sign(raw, "relay.example", "s1", ed25519_key())
    zone = Dns(rsa_key().answer(DOMAIN, "s1"), {Question("s1._domainkey.relay.example", "TXT"): SERVFAIL})
    results = assessed(raw, zone).dkim
    assert [(r.get("header.d"), r.result) for r in results] == [(DOMAIN, "pass"), ("relay.example", "temperror")]


def test_a_signature_never_signs_itself() -> None:
    """RFC 6376 §5.4: h= may name other signatures; once more than there are is oversigning, not the field itself."""
    inner = sign(RAW, "relay.example", "s1", ed25519_key())
    raw = craft(inner, rsa_key(), {**TAGS, "h": "from:dkim-signature:dkim-signature"})
    assert assessed(raw, published(rsa_key())).dkim[0].result == "pass"


def test_header_b_tells_signatures_apart() -> None:
    """RFC 6008 §4: eight characters, more where two signatures begin alike."""
    one = b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=x; b=AAAAAAAAAAAAAAAA\r\n"
    other = one.replace(b"AAAA\r\n", b"BBBB\r\n")
    prefixes = [r.get("header.b") for r in assessed(one + other + RAW, Dns()).dkim]
    assert len(set(prefixes)) == 2
    assert all(len(prefix) == 16 for prefix in prefixes)


def test_s16_five_hundred_signatures_cost_ten_keys() -> None:
    line = "DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.example; s=s; h=from; bh={h}; b=AAAA\r\n"
    bomb = "".join(line.format(n=n, h="A" * 43 + "=") for n in range(500)).encode()
    signed = sign(RAW, DOMAIN, "s1", rsa_key())
    zone = published(rsa_key())
    evidence = assessed(bomb + signed, zone)
    assert len(evidence.dkim) == 10
    assert (evidence.dkim[0].get("header.d"), evidence.dkim[0].result) == (DOMAIN, "pass")
    assert evidence.dkim[0].get("ignored") == "491"
    assert sum("._domainkey." in question.name for question in zone.asked) == 10


@pytest.mark.parametrize(
    "body",
    [b" " * 100_000 + b"x\r\n", b"\r\n" * 100_000 + b"x\r\n", b"x" + b" \t" * 50_000 + b"\r\n", b"\r\n" * 300_000],
    ids=["blanks", "empty lines", "trailing blanks", "only empty lines"],
)
def test_s16_bodies_that_are_quadratic_elsewhere(body: bytes) -> None:
    head = RAW.partition(b"\r\n\r\n")[0]
    canonical = b"" if not body.strip() else b" x\r\n" if body[:1] == b" " else body if body[:1] == b"\r" else b"x\r\n"
    tags = {"v": "1", "a": "rsa-sha256", **TAGS}
    digest = base64.b64encode(hashlib.sha256(canonical).digest()).decode()
    raw = craft(head + b"\r\n\r\n", rsa_key(), tags, body_hash=digest) + body
    assert only(raw, published(rsa_key())).result == "pass"


def test_s16_signature_field_bombs() -> None:
    for value in (b"b=" + b"A" * 200_000, b"; b" * 4000, b"b=A" + b"\r\n " * 4000, b"h=" + b"x:" * 8000, b"=" * 16_000):
        assert only(b"DKIM-Signature: " + value + b"\r\n" + RAW, Dns()).result == "permerror"


def test_mailbox_with_a_letter_domain_is_asked_as_a_labels() -> None:
    """RFC 8616 §5: d= may hold U-labels."""
    raw = RAW.replace(b"vanthu@longan.edu.vn>", "vanthu@giáodục.vn>".encode())
    signed = craft(raw, rsa_key(), {**TAGS, "d": "giáodục.vn"})
    zone = Dns(rsa_key().answer(idna.encode("giáodục.vn", uts46=True).decode(), "s1"))
    assert assessed(signed, zone).dkim[0].result == "pass"
