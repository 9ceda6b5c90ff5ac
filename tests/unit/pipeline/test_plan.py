"""Who gets which octets by which route; the fields that we write, and those that only we may write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

import pytest

from gateway.envelope.address import Mailbox, parse_mailbox
from gateway.envelope.header import decode_text, locate
from gateway.envelope.message import Message
from gateway.envelope.trace import is_looping, received_field
from gateway.envelope.transaction import Client, ForwardPath, Transaction
from gateway.identity.identity import Identity, Level, Provider, Unit
from gateway.policy.decision import Decision, Discard, Disposition, Hold, Relay
from gateway.policy.plan import Group, groups, onward
from gateway.policy.tags import forged_fields, prefixed_subject, tag_fields

NOW = datetime(2026, 11, 21, 8, 5, 9, tzinfo=UTC)
RAW = b"From: <pgdbenluc@longan.edu.vn>\r\nSubject: Danh =?utf-8?B?c8OhY2g=?=\r\n\r\nxin gui\r\n"
UNIT = Unit(id="pgddt-ben-luc", name="Phòng Giáo dục và Đào tạo huyện Bến Lức", kind="phong-gddt")
IDENTITY = Identity(
    author=parse_mailbox("pgdbenluc@longan.edu.vn"),
    author_name="",
    level=Level.SIGNED,
    level_reason="",
    level_pending=False,
    provider=Provider.OFFICIAL,
    provider_reason="",
    unit=UNIT,
    holding=None,
    proposals=(),
)


def path(address: str, *parameters: tuple[str, str | None]) -> ForwardPath:
    return ForwardPath(parse_mailbox(address), parameters)


def transaction(*paths: ForwardPath, raw: bytes = RAW, client: Client | None = None) -> Transaction:
    client = client or Client(ip_address("192.0.2.10"), helo="mail.longan.edu.vn", protocol="ESMTPS")
    return Transaction("7KQ2-M4XA-90TB", client, parse_mailbox("a@longan.edu.vn"), paths, NOW, Message(raw))


def planned(*pairs: tuple[ForwardPath, Disposition], raw: bytes = RAW) -> list[Group]:
    decisions = [(p, Decision(p.mailbox, disposition, "rule", generation=4)) for p, disposition in pairs]
    moved = transaction(*(p for p, _ in pairs), raw=raw)
    return groups(moved, decisions, IDENTITY, trace=b"Trace: x\r\n", authserv_id="mx.longan.edu.vn")


A, B, C = (path(f"{name}@longan.edu.vn") for name in ("vanthu", "ketoan", "khaothi"))


# ---- groups -----------------------------------------------------------------------------------------------------------


def test_recipients_alike_share_one_transaction_in_their_order() -> None:
    [group] = planned((B, Relay()), (A, Relay()), (C, Hold("x")))
    assert group.paths == (B, A)
    assert group.route == "main"


def test_what_differs_in_octets_or_route_is_another_transaction() -> None:
    found = planned((A, Relay()), (B, Relay(tags=("unit-headers",))), (C, Relay(route="kho")))
    assert [(group.route, group.paths) for group in found] == [("main", (A,)), ("main", (B,)), ("kho", (C,))]
    assert b"X-Sending-Unit:" in found[1].prepend
    assert b"X-Sending-Unit:" not in found[0].prepend


def test_nobody_relayed_is_no_group() -> None:
    assert planned((A, Hold("x")), (B, Discard())) == []


def test_a_recipient_who_is_named_twice_gets_one_copy() -> None:
    """By case of the local-part, by copy_to, by redirect of two recipients to one mailbox."""
    copy = Relay(copy_to=(Mailbox("vanthu", "longan.edu.vn"),))
    [group] = planned((A, copy), (path("VANTHU@longan.edu.vn"), copy), (B, copy))
    assert [str(p.mailbox) for p in group.paths] == ["vanthu@longan.edu.vn", "ketoan@longan.edu.vn"]


def test_delivery_reports_stay_with_the_recipient_that_the_sender_named() -> None:
    asked = path("vanthu@longan.edu.vn", ("NOTIFY", "SUCCESS"), ("ORCPT", "rfc822;vanthu@longan.edu.vn"))
    there = Mailbox("hcqt.phong", "longan.edu.vn")
    assert onward(asked, Relay(redirect=(there,))) == [ForwardPath(there)]
    assert onward(asked, Relay(copy_to=(there,))) == [asked, ForwardPath(there)]
    assert onward(asked, Relay(plus_address="so")) == [path("vanthu+so@longan.edu.vn", *asked.parameters)]


def test_an_address_with_a_detail_keeps_its_own() -> None:
    filed = path("vanthu+thi@longan.edu.vn")
    assert onward(filed, Relay(plus_address="so")) == [filed]


# ---- fields that we write ---------------------------------------------------------------------------------------------


def test_tags_can_be_read_back() -> None:
    fields, problems = locate(tag_fields(Relay(tags=("unit-headers",)), IDENTITY, "7KQ2-M4XA-90TB", 4))
    assert problems == ()
    assert {field.key.decode(): decode_text(field.value) for field in fields} == {
        "x-sending-unit": "pgddt-ben-luc",
        "x-sending-unit-name": UNIT.name,
        "x-sending-unit-level": "signed",
        "x-gateway-decision": "id=7KQ2-M4XA-90TB; level=signed; policy=4",
    }


def test_no_unit_no_tag() -> None:
    fields = tag_fields(Relay(tags=("unit-headers",)), replace(IDENTITY, unit=None), "X", 4)
    assert b"X-Sending-Unit" not in fields


@pytest.mark.parametrize(
    "name",
    [b"X-Sending-Unit", b"x-sending-unit-name", b"X-SENDING-UNIT-LEVEL", b"X-Gateway-Decision", b"x-gateway-x"],
)
def test_our_fields_are_forged_when_they_come_in(name: bytes) -> None:
    """S-28."""
    message = Message(b"From: <a@example.org>\r\n" + name + b": x\r\nX-Sender: y\r\n\r\n")
    assert [field.name for field in forged_fields(message, "mx.longan.edu.vn")] == [name]


def test_prefix_stands_once_however_often_it_is_answered() -> None:
    made, replaced = prefixed_subject(Message(RAW), "[Bến Lức]")
    assert [field.key for field in replaced] == [b"subject"]
    assert decode_text(made.removeprefix(b"Subject:")) == "[Bến Lức] Danh sách"
    again = made.replace(b"Subject: ", b"Subject: Re: ")
    assert prefixed_subject(Message(b"From: <a@b.vn>\r\n" + again + b"\r\n"), "[Bến Lức]") == (b"", [])


def test_only_a_changed_subject_breaks_signatures() -> None:
    """`altered` asks for an ARC seal: not where the prefix was there already."""
    assert planned((A, Relay(subject_prefix="[X]")))[0].altered
    assert not planned((A, Relay(subject_prefix="[X]")), raw=RAW.replace(b"Danh", b"[X] Danh"))[0].altered
    assert not planned((A, Relay()))[0].altered


def test_a_message_without_subject_gets_the_prefix_for_one() -> None:
    made, replaced = prefixed_subject(Message(b"From: <a@b.vn>\r\n\r\nx"), "[X]")
    assert (made, replaced) == (b"Subject: [X]\r\n", [])


# ---- Received ---------------------------------------------------------------------------------------------------------


def received(**client: object) -> str:
    fields: dict[str, object] = {"address": ip_address("192.0.2.10"), "helo": "mail.longan.edu.vn", "protocol": "ESMTP"}
    moved = transaction(A, client=Client(**(fields | client)))  # type: ignore[arg-type]
    return decode_text(received_field(moved, "mx.longan.edu.vn").removeprefix(b"Received:"))


def test_received_says_whence_how_and_when() -> None:
    """RFC 5321 §4.4."""
    text = received(name="mail.longan.edu.vn", tls="TLSv1.3 TLS_AES_256_GCM_SHA384", protocol="ESMTPS")
    start, _, date = text.rpartition("; ")
    assert start == (
        "from mail.longan.edu.vn (mail.longan.edu.vn [192.0.2.10]) by mx.longan.edu.vn with ESMTPS"
        " (TLSv1.3 TLS_AES_256_GCM_SHA384) id 7KQ2-M4XA-90TB for <vanthu@longan.edu.vn>"
    )
    assert parsedate_to_datetime(date) == NOW


def test_received_writes_ipv6_as_a_literal() -> None:
    assert "([IPv6:2001:db8::25])" in received(address=ip_address("2001:db8::25"))


@pytest.mark.parametrize("helo", ["", "a b", "x;y", "(comment", "mail\r\nBcc: x", "ỉ.vn", "<x>", "x" * 300])
def test_received_does_not_repeat_what_is_no_domain(helo: str) -> None:
    assert received(helo=helo).startswith("from unknown ([192.0.2.10]) by ")


def test_received_names_nobody_when_there_are_several() -> None:
    """RFC 5321 §7.2: blind copies stay blind."""
    field = received_field(transaction(A, B), "mx.longan.edu.vn")
    assert b" for " not in field


def test_our_own_mark_twice_is_a_loop() -> None:
    """S-26: however it is written and folded; another's host name is not ours."""
    ours = b"Received: from a (b) BY\r\n\tMX.longan.edu.vn\r\n with ESMTP; x\r\n"
    other = b"Received: from mx.longan.edu.vn by mx.longan.edu.vn.example.org with ESMTP; x\r\n"
    assert not is_looping(Message(ours + other * 5 + RAW), "mx.longan.edu.vn")
    assert is_looping(Message(ours * 2 + RAW), "mx.longan.edu.vn")
