"""Evidence to JSON and back, zone and all."""

from __future__ import annotations

import json

from gateway.evidence.assess import assess
from gateway.evidence.codec import from_plain, plain
from gateway.evidence.result import Evidence
from gateway.evidence.zone import Question, found
from tests.support.signing import rsa_key, sign
from tests.support.zones import NOW, SERVFAIL, Dns, assessed, transaction, txt

RAW = sign(b"From: Van thu <a@longan.edu.vn>\r\n\r\nx\r\n", "longan.edu.vn", "s1", rsa_key())


def world() -> Dns:
    zone = Dns(rsa_key().answer("longan.edu.vn", "s1"), txt("longan.edu.vn", b"v=spf1 mx -all", b"\x00\xff\xfe"))
    zone[Question("longan.edu.vn", "MX")] = found((10, "mx1.longan.edu.vn"), (20, "mx2.longan.edu.vn"))
    zone[Question("mx1.longan.edu.vn", "A")] = found("192.0.2.10")
    zone[Question("_dmarc.vn", "TXT")] = SERVFAIL
    return zone


def test_round_trip_keeps_everything() -> None:
    evidence = assessed(RAW, world())
    back = from_plain(json.loads(json.dumps(plain(evidence))))
    assert back == evidence
    assert back.zone == evidence.zone
    assert {answer.outcome for answer in back.zone.values()} >= {"answer", "nxdomain", "error"}


def test_the_stored_zone_replays_the_case_exactly() -> None:
    evidence = assessed(RAW, world())
    stored = from_plain(json.loads(json.dumps(plain(evidence)))).zone
    again = assess(transaction(RAW), stored, authserv_id="mx.longan.edu.vn", now=NOW)
    assert isinstance(again, Evidence)
    assert again == evidence
    assert again.zone == evidence.zone
