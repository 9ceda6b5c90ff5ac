"""Every validation case of the ARC suite (safety S-32)."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction
from gateway.evidence.assess import assess
from gateway.evidence.result import Evidence
from tests.support.suites import ArcCase, arc_cases

pytestmark = pytest.mark.suite
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CASES = arc_cases()
COVERS_NOTHING = "ams_fields_h_empty"  # an empty h= passes in the suite; nobody vouches for From by it


def test_the_whole_suite_is_there() -> None:
    assert len(CASES) == 171


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_arc_case(case: ArcCase) -> None:
    client = Client(ip_address("192.0.2.1"), helo="mx.example.vn")
    transaction = Transaction("T", client, None, (), NOW, Message(case.message))
    evidence = assess(transaction, case.zone, now=NOW)
    assert isinstance(evidence, Evidence)
    assert evidence.arc.result == case.result, (case.clause, evidence.arc)
    assert bool(evidence.arc.get("sealer")) is (case.result == "pass" and case.name != COVERS_NOTHING)
