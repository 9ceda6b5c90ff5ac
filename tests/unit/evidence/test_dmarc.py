"""DMARC by RFC 9989: tree walk, Organizational Domain, alignment, policy (safety S-20)."""

from __future__ import annotations

import pytest

from gateway.evidence.dmarc_record import parse_record, walk
from gateway.evidence.result import Evidence
from gateway.evidence.zone import NODATA, Answer, Question, found
from tests.support.signing import rsa_key, sign
from tests.support.zones import SERVFAIL, Dns, assessed, txt

DEEP = "a.b.c.d.e.f.g.h.i.j.mail.example.com"


def message(author: str) -> bytes:
    return f"From: Van thu <vanthu@{author}>\r\nSubject: Bao cao\r\n\r\nKinh gui\r\n".encode()


def judged(author: str, zone: Dns, *, signer: str = "", sender: str = "") -> Evidence:
    """A message of this Author Domain, signed by `signer`, with SPF pass for `sender` from 192.0.2.10."""
    raw = message(author)
    if signer:
        raw = sign(raw, signer, "s1", rsa_key())
        zone.update(rsa_key().answer(signer, "s1"))
    if sender:
        zone.update(txt(sender, "v=spf1 ip4:192.0.2.10 -all"))
    return assessed(raw, zone, sender=f"x@{sender}" if sender else "")


def policy(name: str, *records: str) -> dict[Question, Answer]:
    return txt(f"_dmarc.{name}", *records)


def walked(zone: Dns) -> list[str]:
    return [question.name.removeprefix("_dmarc.") for question in zone.asked if question.name.startswith("_dmarc.")]


def test_s20_thirteen_labels_cost_eight_questions() -> None:
    zone = Dns()
    judged(DEEP, zone)
    expected = [DEEP, *("g.h.i.j.mail.example.com".split(".", n)[n] for n in range(7))]
    assert walked(zone) == expected


@pytest.mark.parametrize(
    ("domain", "count", "second"),
    [
        ("a.b.c.d.e.f.g.h", 8, "b.c.d.e.f.g.h"),
        ("z.a.b.c.d.e.f.g.h", 8, "b.c.d.e.f.g.h"),
        ("example.vn", 2, "vn"),
        ("vn", 1, None),
    ],
)
def test_names_of_a_walk(domain: str, count: int, second: str | None) -> None:
    names = walk(domain)
    assert len(names) == count
    assert second is None or names[1] == second


@pytest.mark.parametrize(
    ("author", "signer", "sender", "records", "result"),
    [
        ("longan.edu.vn", "longan.edu.vn", "", "p=reject", "pass"),
        ("pgd.longan.edu.vn", "longan.edu.vn", "", "p=reject", "pass"),
        ("longan.edu.vn", "mail.longan.edu.vn", "", "p=reject", "pass"),
        ("longan.edu.vn", "", "mail.longan.edu.vn", "p=reject", "pass"),
        ("longan.edu.vn", "mail.longan.edu.vn", "", "p=reject; adkim=s", "fail"),
        ("longan.edu.vn", "", "mail.longan.edu.vn", "p=reject; aspf=S", "fail"),
        ("longan.edu.vn", "mail.longan.edu.vn", "", "p=reject; aspf=s", "pass"),
        ("longan.edu.vn", "longan.edu.vn", "", "p=reject; adkim=s", "pass"),
        ("longan.edu.vn", "daihoclongan.edu.vn", "daihoclongan.edu.vn", "p=reject", "fail"),
        ("longan.edu.vn", "", "", "p=reject", "fail"),
    ],
)
def test_alignment(author: str, signer: str, sender: str, records: str, result: str) -> None:
    zone = Dns(policy("longan.edu.vn", f"v=DMARC1; {records}"))
    evidence = judged(author, zone, signer=signer, sender=sender)
    assert evidence.dmarc.result == result
    assert evidence.aligned_dkim == ((signer,) if result == "pass" and signer else ())
    assert evidence.aligned_spf == (sender if result == "pass" and sender else "")
    assert evidence.dmarc.get("header.from") == author
    assert evidence.dmarc.get("organizational_domain") == "longan.edu.vn"


def test_an_spf_pass_of_the_helo_identity_carries_nothing() -> None:
    """RFC 9989 §4.4.2: only the MAIL FROM identity; the null path has none but the HELO name."""
    zone = Dns(policy("longan.edu.vn", "v=DMARC1; p=reject"), txt("mail.longan.edu.vn", "v=spf1 ip4:192.0.2.10 -all"))
    evidence = assessed(message("longan.edu.vn"), zone, sender="x@other.example")
    assert evidence.spf_helo.result == "pass"
    assert (evidence.dmarc.result, evidence.aligned_spf) == ("fail", "")


def test_without_a_record_the_same_domain_is_aligned_all_the_same() -> None:
    evidence = judged("longan.edu.vn", Dns(), signer="longan.edu.vn", sender="longan.edu.vn")
    assert evidence.dmarc.result == "none"
    assert (evidence.aligned_dkim, evidence.aligned_spf) == (("longan.edu.vn",), "longan.edu.vn")
    assert judged("longan.edu.vn", Dns(), signer="mail.longan.edu.vn").aligned_dkim == ()


@pytest.mark.parametrize(
    ("zone", "author", "organization", "asked"),
    [
        (policy("longan.edu.vn", "v=DMARC1; p=none"), "a.b.longan.edu.vn", "longan.edu.vn", "none"),
        (
            policy("b.longan.edu.vn", "v=DMARC1; p=reject; psd=n") | policy("longan.edu.vn", "v=DMARC1; p=none"),
            "a.b.longan.edu.vn",
            "b.longan.edu.vn",
            "reject",
        ),
        (
            policy("edu.vn", "v=DMARC1; p=reject; sp=quarantine; psd=y"),
            "a.longan.edu.vn",
            "longan.edu.vn",
            "quarantine",
        ),
        (policy("edu.vn", "v=DMARC1; p=reject; sp=none; psd=y"), "edu.vn", "edu.vn", "reject"),
        (
            policy("edu.vn", "v=DMARC1; p=reject; psd=y") | policy("longan.edu.vn", "v=DMARC1; p=none"),
            "longan.edu.vn",
            "longan.edu.vn",
            "none",
        ),
        (
            policy("b.longan.edu.vn", "v=DMARC1; p=none") | policy("longan.edu.vn", "v=DMARC1; p=reject"),
            "a.b.longan.edu.vn",
            "longan.edu.vn",
            "reject",
        ),
        (
            policy("a.longan.edu.vn", "v=DMARC1; p=reject", "v=DMARC1; p=none")
            | policy("longan.edu.vn", "v=DMARC1; p=quarantine"),
            "a.longan.edu.vn",
            "longan.edu.vn",
            "quarantine",
        ),
        (policy(DEEP.partition(".")[2], "v=DMARC1; p=reject"), DEEP, DEEP, ""),
    ],
    ids=["parent", "psd=n", "psd=y", "psd itself", "below psd", "fewest labels", "two records", "never reached"],
)
def test_organizational_domain_and_policy(
    zone: dict[Question, Answer], author: str, organization: str, asked: str
) -> None:
    evidence = judged(author, Dns(zone))
    assert evidence.dmarc.get("organizational_domain") == organization
    assert evidence.dmarc.get("policy.dmarc") == asked
    assert evidence.dmarc.result == ("fail" if asked else "none")


def test_two_registrants_under_one_public_suffix_are_not_aligned() -> None:
    """RFC 9989 B.4.3."""
    zone = Dns(policy("bank.example", "v=DMARC1; p=reject; psd=y"), policy("giant.bank.example", "v=DMARC1; p=reject"))
    evidence = judged("giant.bank.example", zone, signer="mail.mega.bank.example", sender="mail.giant.bank.example")
    assert (evidence.dmarc.result, evidence.aligned_dkim) == ("pass", ())
    assert evidence.aligned_spf == "mail.giant.bank.example"


@pytest.mark.parametrize(
    ("answer", "asked"),
    [(None, "quarantine"), (NODATA, "none"), (found("192.0.2.1"), "none")],
    ids=["does not exist", "exists without address", "exists"],
)
def test_np_is_for_names_that_do_not_exist(answer: Answer | None, asked: str) -> None:
    zone = Dns(policy("longan.edu.vn", "v=DMARC1; p=reject; sp=none; np=quarantine"))
    if answer:
        zone[Question("khong.longan.edu.vn", "A")] = answer
    assert judged("khong.longan.edu.vn", zone).dmarc.get("policy") == asked


def test_np_that_cannot_be_decided_is_a_temperror() -> None:
    zone = Dns(policy("longan.edu.vn", "v=DMARC1; p=reject; sp=none; np=quarantine"))
    zone[Question("khong.longan.edu.vn", "A")] = SERVFAIL
    assert judged("khong.longan.edu.vn", zone).dmarc.result == "temperror"


@pytest.mark.parametrize(("published", "asked"), [("reject", "quarantine"), ("quarantine", "none"), ("none", "none")])
def test_testing_mode_asks_for_one_level_less(published: str, asked: str) -> None:
    zone = Dns(policy("longan.edu.vn", f"v=DMARC1; p={published}; t=y"))
    assert judged("longan.edu.vn", zone).dmarc.get("policy") == asked


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("v=DMARC1; p=reject", "fail"),
        ("v = DMARC1 ; p = Reject ", "fail"),
        ("V=DMARC1;p=none;pct=0;unknown", "fail"),
        ("v=DMARC1; rua=mailto:dmarc@longan.edu.vn", "fail"),
        ("v=DMARC1; p=block; rua=mailto:dmarc@longan.edu.vn!10m", "fail"),
        ("v=DMARC1; p=reject; sp=nope; rua=dmarc@longan.edu.vn", "none"),
        ("v=DMARC1; adkim=s", "none"),
        ("v=DMARC1; sp=none; P=REJECT", "fail"),
        ("v=DMARC1;; ;p=reject;;", "fail"),
        ("v=DMARC1; p=none; p=bogus", "fail"),
        ("v=DMARC1; p=bogus; p=none", "none"),
        ("v=DMARC1; p1=none; p_x=none; =x; p=reject", "fail"),
        ("v=DMARC1; np=; p=reject", "none"),
        ("v=DMARC1; rua=bogus, https://longan.edu.vn/dmarc", "fail"),
        ("v=DMARC1; rua=mailto:dmarc@long\u00e1n.edu.vn", "none"),
        ("v=DMARC1; rua=mailto:a b@longan.edu.vn", "none"),
        ("v=DMARC1 p=reject", "none"),
        ("v=DMARC1", "none"),
        ("v=DMARC1x; p=reject", "none"),
        ("v=dmarc1; p=reject", "none"),
        (" v=DMARC1; p=reject", "none"),
        ("p=reject; v=DMARC1", "none"),
        ("v=spf1 -all", "none"),
    ],
)
def test_records(text: str, result: str) -> None:
    assert judged("longan.edu.vn", Dns(policy("longan.edu.vn", text))).dmarc.result == result


def test_other_texts_beside_the_record_are_ignored() -> None:
    zone = Dns(policy("longan.edu.vn", "google-site-verification=x", "v=DMARC1; p=reject"))
    assert judged("longan.edu.vn", zone).dmarc.get("policy.dmarc") == "reject"


def test_an_unreadable_sp_means_none_when_reports_are_wanted() -> None:
    record = parse_record("longan.edu.vn", "v=DMARC1; p=reject; sp=x; rua=mailto:a@longan.edu.vn")
    assert record
    assert (record.applies, record.policy) == (True, "none")


def test_s20_failures_of_dns_never_give_pass_and_are_not_none() -> None:
    zone = Dns({Question("_dmarc.longan.edu.vn", "TXT"): SERVFAIL})
    evidence = judged("longan.edu.vn", zone, signer="longan.edu.vn")
    assert evidence.dmarc.result == "temperror"
    assert evidence.has_temperror
    above = Dns(policy("longan.edu.vn", "v=DMARC1; p=reject"), {Question("_dmarc.vn", "TXT"): SERVFAIL})
    assert judged("longan.edu.vn", Dns(above), signer="longan.edu.vn").dmarc.result == "pass"
    assert judged("longan.edu.vn", Dns(above), signer="mail.longan.edu.vn").dmarc.result == "temperror"
    assert judged("longan.edu.vn", Dns(above)).dmarc.result == "fail"


def test_a_key_that_cannot_be_had_leaves_dmarc_open() -> None:
    raw = sign(message("longan.edu.vn"), "longan.edu.vn", "s1", rsa_key())
    zone = Dns(policy("longan.edu.vn", "v=DMARC1; p=reject"))
    zone[Question("s1._domainkey.longan.edu.vn", "TXT")] = SERVFAIL
    assert assessed(raw, zone).dmarc.result == "temperror"


@pytest.mark.parametrize(
    "head",
    [
        b"From: a@longan.edu.vn, b@longan.edu.vn\r\n",
        b"From: a@longan.edu.vn\r\nFrom: b@evil.example\r\n",
        b"Subject: x\r\n",
        b"From: nhom:a@longan.edu.vn;\r\n",
    ],
)
def test_s20_exactly_one_author_or_no_verdict(head: bytes) -> None:
    raw = sign(head + b"\r\nx\r\n", "longan.edu.vn", "s1", rsa_key())
    zone = Dns(rsa_key().answer("longan.edu.vn", "s1"), policy("longan.edu.vn", "v=DMARC1; p=none"))
    evidence = assessed(raw, zone)
    assert evidence.dmarc.result == "permerror"
    assert evidence.malformed
    assert (evidence.aligned_dkim, evidence.aligned_spf) == ((), "")
