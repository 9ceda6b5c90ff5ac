"""A subject prefix breaks the sender's signature; with a key, the message leaves with an ARC set that tells what was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.envelope.message import Message
from tests.support.node import gateway
from tests.support.signing import rsa_key, sign
from tests.support.zones import Dns, assessed

UNIT, SELECTOR = "longan.edu.vn", "vanphong"
SENDERS_KEY, OUR_KEY = rsa_key(), rsa_key(serial=1)
OVERLAY = {
    "rules_first": [
        {"name": "prefixed", "when": {"unit": ["pgddt-ben-luc"]}, "then": {"relay": {"subject_prefix": "[Bến Lức]"}}}
    ]
}
RAW = (
    b"From: pgdbenluc@longan.edu.vn\r\nTo: vanthu@longan.edu.vn\r\nSubject: Danh sach\r\n"
    b"Date: Sat, 21 Nov 2026 14:00:00 +0700\r\nMessage-ID: <18@longan.edu.vn>\r\n\r\nKinh gui So.\r\n"
)


@pytest.mark.parametrize("has_key", [True, False])
async def test_what_we_change_is_sealed_where_there_is_a_key(tmp_path: Path, has_key: bool) -> None:
    zone = {
        UNIT: {"TXT": [b"v=spf1 -all"]},
        f"{SELECTOR}._domainkey.{UNIT}": {"TXT": [SENDERS_KEY.record()]},
    }
    (tmp_path / "seal.pem").write_bytes(OUR_KEY.private)
    notice = {"dkim_selector": "gw1", "dkim_domain": UNIT, "dkim_key": tmp_path / "seal.pem"} if has_key else {}
    async with gateway(tmp_path, zone=zone, overlay=OVERLAY, notice=notice) as gate:
        reply = await gate.send(sign(RAW, UNIT, SELECTOR, SENDERS_KEY), "pgdbenluc@longan.edu.vn")
        assert reply.startswith("250")
        (taken,) = await gate.taken(1)
    left = Message(taken.content)
    assert left.subject == "[Bến Lức] Danh sach"
    evidence = assessed(
        taken.content,
        Dns(SENDERS_KEY.answer(UNIT, SELECTOR), OUR_KEY.answer(UNIT, "gw1")),
    )
    assert [result.result for result in evidence.dkim] == ["fail"]
    assert evidence.arc.result == ("pass" if has_key else "none")
    if has_key:
        told = left.text(b"arc-authentication-results")
        assert "dkim=pass" in told
        assert evidence.arc.get("sealer") == UNIT
