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
