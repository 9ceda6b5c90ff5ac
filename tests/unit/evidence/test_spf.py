"""SPF beyond the suite: facts, errors, budgets, and that passes are few (safety S-19, S-21)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway.evidence import spf
from gateway.evidence.assess import early_questions
from gateway.evidence.result import MethodResult
from gateway.evidence.spf_query import QUERIES_MAX
from gateway.evidence.zone import Answer, Question, Recorder, found
from tests.support.zones import NOW, SERVFAIL, Dns, assessed, transaction, txt

RAW = b"From: a@longan.edu.vn\r\n\r\nx\r\n"


def checked(zone: Dns, *, client: str = "192.0.2.10", sender: str = "vanthu@longan.edu.vn") -> MethodResult:
    return assessed(RAW, zone, client=client, sender=sender).spf_mailfrom


def test_via_names_the_records_walked_to_the_match() -> None:
    zone = Dns(
        txt("longan.edu.vn", "v=spf1 include:_spf.other.example include:_spf.google.com ~all"),
        txt("_spf.other.example", "v=spf1 ip4:198.51.100.0/24 -all"),
        txt("_spf.google.com", "v=spf1 include:_netblocks.google.com ~all"),
        txt("_netblocks.google.com", "v=spf1 ip4:192.0.2.0/24 ~all"),
    )
    result = checked(zone)
    assert result.result == "pass"
    assert result.get("via") == "longan.edu.vn _spf.google.com _netblocks.google.com"
    assert result.get("mechanism") == "include:_spf.google.com"
    assert result.get("domain") == "longan.edu.vn"


def test_via_goes_through_redirect() -> None:
    zone = Dns(
        txt("longan.edu.vn", "v=spf1 redirect=_spf.moet.edu.vn"),
        txt("_spf.moet.edu.vn", "v=spf1 include:a.moet.edu.vn -all"),
        txt("a.moet.edu.vn", "v=spf1 redirect=b.moet.edu.vn"),
        txt("b.moet.edu.vn", "v=spf1 ip4:192.0.2.10 -all"),
    )
    assert checked(zone).get("via") == "longan.edu.vn _spf.moet.edu.vn a.moet.edu.vn b.moet.edu.vn"
    assert checked(zone, client="192.0.2.11").get("via") == "longan.edu.vn _spf.moet.edu.vn"


def test_two_identities_are_two_results() -> None:
    zone = Dns(txt("longan.edu.vn", "v=spf1 -all"), txt("mail.longan.edu.vn", "v=spf1 a -all"))
    zone[Question("mail.longan.edu.vn", "A")] = found("192.0.2.10")
    evidence = assessed(RAW, zone)
    assert (evidence.spf_mailfrom.result, evidence.spf_helo.result) == ("fail", "pass")
    assert evidence.spf_mailfrom.get("smtp.mailfrom") == "vanthu@longan.edu.vn"
    assert evidence.spf_helo.get("smtp.helo") == "mail.longan.edu.vn"


def test_the_null_path_is_postmaster_at_the_helo_name() -> None:
    result = checked(Dns(txt("mail.longan.edu.vn", "v=spf1 exists:%{l}.check.example -all")), sender="")
    assert result.result == "fail"
    assert result.get("smtp.mailfrom") == "postmaster@mail.longan.edu.vn"


@pytest.mark.parametrize("name", ["localhost", "[192.0.2.1]", "", "a..vn", "x" * 64 + ".vn", "a.vn" * 80, "mạng.vn"])
def test_names_that_cannot_be_asked_are_none(name: str) -> None:
    zone = Dns()
    evidence = assessed(RAW, zone, helo=name, sender="")
    assert (evidence.spf_mailfrom.result, evidence.spf_helo.result) == ("none", "none")
    assert not any(question.type == "TXT" and name and name in question.name for question in zone.asked)


def test_s19_hostile_record_stops_at_the_query_budget() -> None:
    """Ten mx of ten hosts each are within the ten terms of RFC 7208 §4.6.4, and 110 queries."""
    zone = Dns(txt("longan.edu.vn", "v=spf1 " + " ".join(f"mx:m{n}.example" for n in range(10)) + " -all"))
    for n in range(10):
        zone[Question(f"m{n}.example", "MX")] = found(*((10, f"h{k}.m{n}.example") for k in range(10)))
        for k in range(10):
            zone[Question(f"h{k}.m{n}.example", "A")] = found("198.51.100.9")
    assert checked(zone).result == "permerror"
    assert len(zone.asked) <= QUERIES_MAX + 10 + 8


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 " + "include:i.example " * 11 + "-all", "permerror"),
        ("v=spf1 a:v1.example a:v2.example a:v3.example ip4:192.0.2.10 -all", "permerror"),
        ("v=spf1 a:v1.example a:v2.example ip4:192.0.2.10 -all", "pass"),
        ("v=spf1 exists:%{l}%{l}%{l}%{l}%{l}.example ip4:192.0.2.10 -all", "pass"),
        ("v=spf1 include:longan.edu.vn -all", "permerror"),
        ("v=spf1 mx:m.example -all", "permerror"),
        ("v=spf1 ptr ip4:192.0.2.10 -all", "pass"),
    ],
    ids=["eleven terms", "three void", "two void", "long macro", "recursion", "eleven mx", "ptr error"],
)
def test_s19_limits(record: str, result: str) -> None:
    zone = Dns(txt("longan.edu.vn", record), txt("i.example", "v=spf1 -all"))
    zone[Question("m.example", "MX")] = found(*((10, f"h{k}.example") for k in range(11)))
    zone[Question("10.2.0.192.in-addr.arpa", "PTR")] = SERVFAIL
    sender = "x" * 60 + "@longan.edu.vn"
    assert checked(zone, sender=sender).result == result


def test_explanation_is_only_fetched_for_fail_and_comes_out_printable() -> None:
    zone = Dns(
        txt("longan.edu.vn", "v=spf1 ip4:192.0.2.10 -all exp=e.longan.edu.vn"),
        txt("e.longan.edu.vn", "%{i} khong duoc phep\r\nX-Evil: 1"),
    )
    assert checked(zone).result == "pass"
    assert Question("e.longan.edu.vn", "TXT") not in zone.asked
    failed = checked(zone, client="192.0.2.99")
    assert failed.get("explanation") == "192.0.2.99 khong duoc phep?X-Evil: 1"


@pytest.mark.parametrize(
    ("zone", "result"),
    [
        ({Question("longan.edu.vn", "TXT"): SERVFAIL}, "temperror"),
        (txt("longan.edu.vn", "v=spf1 a -all") | {Question("longan.edu.vn", "A"): SERVFAIL}, "temperror"),
        (txt("longan.edu.vn", "v=spf1 a -all") | {Question("longan.edu.vn", "A"): found("not an address")}, "fail"),
        (txt("longan.edu.vn", b""), "none"),
        (txt("longan.edu.vn", "v=spf10 -all"), "none"),
        (txt("longan.edu.vn", "v=spf1 -all", "v=spf1 +all"), "permerror"),
    ],
)
def test_answers(zone: dict[Question, Answer], result: str) -> None:
    assert checked(Dns(zone)).result == result


def test_a_scoped_ipv6_client_is_judged_and_not_an_exception() -> None:
    zone = Dns(txt("longan.edu.vn", "v=spf1 ip6:fe80::/10 -all"))
    assert checked(zone, client="fe80::1%eth0").result in ("pass", "permerror", "fail")


def test_early_questions_are_those_that_assess_asks_first() -> None:
    case = transaction(RAW)
    early = early_questions(case.client, case.client.helo, case.reverse_path)
    assert early == {
        Question("longan.edu.vn", "TXT"),
        Question("mail.longan.edu.vn", "TXT"),
        Question("10.2.0.192.in-addr.arpa", "PTR"),
    }


def test_passes_are_few_because_terms_are_asked_for_together() -> None:
    truth = Dns(
        txt("longan.edu.vn", "v=spf1 include:_spf.google.com mx a:x.longan.edu.vn -all"),
        txt("_spf.google.com", "v=spf1 include:n1.google.com include:n2.google.com include:n3.google.com ~all"),
        *(txt(f"n{n}.google.com", "v=spf1 ip4:198.51.100.0/24 ~all") for n in (1, 2, 3)),
    )
    truth[Question("longan.edu.vn", "MX")] = found((10, "a.longan.edu.vn"), (20, "b.longan.edu.vn"))
    truth[Question("b.longan.edu.vn", "A")] = found("192.0.2.10")
    known: dict[Question, Answer] = {}
    passes, result = 0, None
    while result is None:
        passes += 1
        recorder = Recorder(known)
        result = spf.mail_from(
            ip_address("192.0.2.10"), "x.vn", transaction(RAW).reverse_path, recorder, receiver="", now=NOW
        )
        known.update({question: truth.get(question) for question in recorder.missing})
    assert (result.result, passes) == ("pass", 5)
