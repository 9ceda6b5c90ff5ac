"""Every case of the RFC 7208 suite (safety S-19)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.envelope.address import AddressError, parse_mailbox
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence import spf
from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence, MethodResult
from tests.support.suites import SpfCase, spf_cases

pytestmark = pytest.mark.suite
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CASES = spf_cases()


def evaluated(case: SpfCase) -> MethodResult:
    """Through assess() where the sender can be an envelope at all, else through check()."""
    try:
        path = parse_mailbox(case.mail_from) if case.mail_from else None
    except AddressError:
        result = spf.check(
            case.client, case.mail_from, case.helo, case.zone, "smtp.mailfrom", receiver="receiver.com", now=NOW
        )
        assert result
        return result
    client = Client(case.client, helo=case.helo)
    transaction = Transaction("T", client, path, (), NOW, Message(b"From: a@example.vn\r\n\r\n"))
    evidence = assess(transaction, case.zone, authserv_id="receiver.com", now=NOW)
    assert isinstance(evidence, Evidence)
    return evidence.spf_mailfrom


def test_the_whole_suite_is_there() -> None:
    assert len(CASES) == 203


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rfc7208_case(case: SpfCase) -> None:
    result = evaluated(case)
    assert result.result in case.results, (case.clause, result)
    if case.explanation and case.explanation != "DEFAULT" and result.result == "fail":
        assert result.get("explanation") == case.explanation, case.clause
    if case.explanation == "DEFAULT":
        assert result.get("explanation") == "", case.clause
