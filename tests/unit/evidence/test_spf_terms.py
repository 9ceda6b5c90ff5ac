"""Terms of SPF records are read once and remembered: never across domains, kinds of client, or with macros (S-19)."""

from __future__ import annotations

import pytest

from gateway.evidence.zone import Question, found
from tests.support.zones import Dns, assessed, txt

RAW = b"From: a@longan.edu.vn\r\n\r\nx\r\n"


def spf(zone: Dns, client: str, sender: str) -> str:
    return assessed(RAW, zone, client=client, sender=sender).spf_mailfrom.result


@pytest.mark.parametrize("_", range(2), ids=["new", "remembered"])
def test_a_term_without_a_domain_means_the_domain_of_its_own_record(_: int) -> None:
    zone = Dns(txt("longan.edu.vn", "v=spf1 a -all"), txt("tanan.edu.vn", "v=spf1 a -all"))
    zone[Question("longan.edu.vn", "A")] = found("192.0.2.10")
    zone[Question("tanan.edu.vn", "A")] = found("192.0.2.20")
    assert spf(zone, "192.0.2.10", "vanthu@longan.edu.vn") == "pass"
    assert spf(zone, "192.0.2.10", "vanthu@tanan.edu.vn") == "fail"
    assert spf(zone, "192.0.2.20", "vanthu@tanan.edu.vn") == "pass"


@pytest.mark.parametrize("_", range(2), ids=["new", "remembered"])
def test_the_two_lengths_of_a_dual_cidr_belong_to_two_kinds_of_client(_: int) -> None:
    zone = Dns(txt("longan.edu.vn", "v=spf1 a/24//64 -all"))
    zone[Question("longan.edu.vn", "A")] = found("192.0.2.10")
    zone[Question("longan.edu.vn", "AAAA")] = found("2001:db8::1")
    assert spf(zone, "192.0.2.99", "a@longan.edu.vn") == "pass"
    assert spf(zone, "198.51.100.1", "a@longan.edu.vn") == "fail"
    assert spf(zone, "2001:db8::99", "a@longan.edu.vn") == "pass"
    assert spf(zone, "2001:db8:0:1::1", "a@longan.edu.vn") == "fail"


def test_macros_are_expanded_for_every_sender_anew() -> None:
    zone = Dns(txt("longan.edu.vn", "v=spf1 exists:%{l}.allowed.longan.edu.vn -all"))
    zone[Question("vanthu.allowed.longan.edu.vn", "A")] = found("127.0.0.2")
    assert spf(zone, "192.0.2.10", "vanthu@longan.edu.vn") == "pass"
    assert spf(zone, "192.0.2.10", "ketoan@longan.edu.vn") == "fail"


@pytest.mark.parametrize("_", range(2), ids=["new", "again"])
@pytest.mark.parametrize("term", ["ip4:192.0.2.0/33", "a/24/24", "ip6:zz", "include:", "=a", "all:3"])
def test_a_wrong_term_is_a_permerror_every_time(term: str, _: int) -> None:
    assert spf(Dns(txt("longan.edu.vn", f"v=spf1 {term} -all")), "192.0.2.10", "a@longan.edu.vn") == "permerror"


@pytest.mark.parametrize("macro", ["%{d0}", "%{d00}", "%{d2x}", "%{dr2}", "%{d.r}", "%{}", "%{d", "%{z}"])
@pytest.mark.parametrize("term", ["ip4:192.0.2.10 exists:{}.longan.edu.vn", "ip4:192.0.2.10 unknown={}"])
def test_a_macro_outside_the_grammar_is_a_permerror_wherever_it_stands(macro: str, term: str) -> None:
    """RFC 7208 §7.1, §7.3 (the number must not be zero) and §4.6 (a syntax error anywhere)."""
    zone = Dns(txt("longan.edu.vn", f"v=spf1 {term.format(macro)} -all"))
    assert spf(zone, "192.0.2.10", "a@longan.edu.vn") == "permerror"


@pytest.mark.parametrize("macro", ["%{dr}", "%{dR}", "%{D3R}", "%{d03r.}"])
def test_a_macro_may_be_reversed_in_either_case(macro: str) -> None:
    zone = Dns(txt("longan.edu.vn", f"v=spf1 exists:{macro}.check.example -all"))
    zone[Question("vn.edu.longan.check.example", "A")] = found("127.0.0.2")
    assert spf(zone, "192.0.2.10", "a@longan.edu.vn") == "pass"


def test_the_domain_follows_the_last_at_sign() -> None:
    """RFC 5321 §4.1.2: a quoted local-part may hold an at sign."""
    zone = Dns(txt("longan.edu.vn", "v=spf1 exists:%{o}.check.example -all"))
    zone[Question("longan.edu.vn.check.example", "A")] = found("127.0.0.2")
    assert spf(zone, "192.0.2.10", '"a@evil.example"@longan.edu.vn') == "pass"
    assert not any("evil" in question.name for question in zone.asked)


def test_a_term_that_holds_a_non_ascii_local_part_does_not_match() -> None:
    """RFC 8616 §4; an include like this is no permerror."""
    zone = Dns(txt("longan.edu.vn", "v=spf1 include:%{l}.check.example exists:%{l}.longan.edu.vn ip4:192.0.2.10 -all"))
    assert spf(zone, "192.0.2.10", "văn.thư@longan.edu.vn") == "pass"


@pytest.mark.parametrize("term", ["mx", "ptr"])
def test_s19_hosts_without_address_are_no_void_look_ups_of_their_own(term: str) -> None:
    """RFC 7208 §4.6.4 counts terms whose look-ups are void: these terms got an answer."""
    zone = Dns(txt("longan.edu.vn", f"v=spf1 {term} -all"))
    hosts = [f"h{n}.longan.edu.vn" for n in range(5)]
    zone[Question("longan.edu.vn", "MX")] = found(*((10, host) for host in hosts))
    zone[Question("10.2.0.192.in-addr.arpa", "PTR")] = found(*hosts)
    zone[Question(hosts[4], "A")] = found("192.0.2.10")
    assert spf(zone, "192.0.2.10", "a@longan.edu.vn") == "pass"
