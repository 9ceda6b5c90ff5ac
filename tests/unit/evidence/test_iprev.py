"""iprev (RFC 8601 §3)."""

from __future__ import annotations

import pytest

from gateway.evidence.zone import NODATA, Answer, Question, found
from tests.support.zones import SERVFAIL, Dns, assessed

RAW = b"From: a@longan.edu.vn\r\n\r\nx\r\n"
PTR = Question("10.2.0.192.in-addr.arpa", "PTR")
MAIL = Question("mail.longan.edu.vn", "A")
OTHER = Question("other.longan.edu.vn", "A")


@pytest.mark.parametrize(
    ("zone", "result"),
    [
        ({}, "permerror"),
        ({PTR: NODATA}, "permerror"),
        ({PTR: SERVFAIL}, "temperror"),
        ({PTR: found("bad name\\.vn")}, "permerror"),
        ({PTR: found("Mail.LongAn.edu.vn."), MAIL: found("192.0.2.10")}, "pass"),
        ({PTR: found("mail.longan.edu.vn"), MAIL: found("192.0.2.11")}, "fail"),
        ({PTR: found("mail.longan.edu.vn")}, "fail"),
        ({PTR: found("mail.longan.edu.vn"), MAIL: SERVFAIL}, "temperror"),
        ({PTR: found("mail.longan.edu.vn", "other.longan.edu.vn"), MAIL: SERVFAIL, OTHER: found("192.0.2.10")}, "pass"),
        ({PTR: found(*(f"n{n}.longan.edu.vn" for n in range(10)), "mail.longan.edu.vn"), MAIL: found("192.0.2.10")}, "fail"),
    ],
)  # fmt: skip
def test_iprev(zone: dict[Question, Answer], result: str) -> None:
    dns = Dns(zone)
    found_ = assessed(RAW, dns).iprev
    assert found_.result == result
    assert found_.get("policy.iprev") == "192.0.2.10"
    assert bool(found_.get("name")) is (result == "pass")
    assert sum(question.type in ("A", "AAAA") for question in dns.asked) <= 10


def test_an_ipv6_client_is_compared_as_an_address_and_not_as_text() -> None:
    reverse = Question("1.0.0.0." + "0." * 20 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR")
    zone = Dns({reverse: found("mail.longan.edu.vn"), Question("mail.longan.edu.vn", "AAAA"): found("2001:DB8:0::1")})
    assert assessed(RAW, zone, client="2001:db8::1").iprev.result == "pass"
