"""The relay against a real Postfix."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.envelope.transaction import Client
from gateway.relay.xclient_out import OURSELVES
from tests.support.postfix import Postfix, running_postfix
from tests.support.relaying import CLIENT, CONTENT, EXAMS, OFFICE, OTHER_CLIENT, SCHOOL, downstream, route, to

pytestmark = pytest.mark.postfix


@pytest.fixture(scope="module")
def plain() -> Iterator[Postfix]:
    """Knows nobody: no XCLIENT, no XFORWARD; refuses messages over 200 kB."""
    with running_postfix(settings={"message_size_limit": "200000"}) as instance:
        yield instance


@pytest.fixture(scope="module")
def trusting() -> Iterator[Postfix]:
    """Takes XCLIENT and XFORWARD from us, and refuses one client by its address."""
    with running_postfix(
        settings={
            "inet_protocols": "all",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_authorized_xforward_hosts": "127.0.0.1",
            "smtpd_client_restrictions": "check_client_access inline:{ {198.51.100.66 = 554 5.7.1 Blocked here} }",
        },
    ) as instance:
        yield instance


def body(message: bytes) -> bytes:
    return message.partition(b"\n\n")[2]


def odd_bodies(count: int) -> Iterator[bytes]:
    """Bodies with all that content transfer gets wrong, lines of at most 998 octets (Postfix folds longer ones)."""
    dice = random.Random(1077)
    words = [b".", b"..", b".\r\n", b"..\r\n", b"\r\n", b"\r\n.", b"x" * 997, "Sở Giáo dục và Đào tạo Long An".encode(),
             bytes(range(0x80, 0x100)), b"From here", b"=20", b"\t ", b"\x01\x7f\x1b", b"end.\r\n.\r\n.QUIT\r\n"]  # fmt: skip
    for _ in range(count):
        made = b"".join(dice.choice(words) + dice.choice((b"", b"\r\n")) for _ in range(dice.randrange(1, 60)))
        lines = made.split(b"\r\n")
        yield b"\r\n".join(line[:998] for line in lines)


async def test_bodies_arrive_unchanged_over_reused_connections(plain: Postfix, tmp_path: Path) -> None:
    """R-16: SHA-256 of 100 odd bodies; one connection carries them all."""
    behind = downstream(tmp_path)
    already, connects = len(plain.messages("khaothi")), plain.log.count(" connect from localhost")
    sent: set[str] = set()
    for number, text in enumerate(odd_bodies(100)):
        session = behind.begin(route(plain.port), CLIENT)
        assert (await session.mail(SCHOOL, (("BODY", "8BITMIME"),))).is_positive
        assert (await session.rcpt(EXAMS)).is_positive
        delivery = await session.deliver([EXAMS], [b"Subject: thu %d\r\n" % number, b"\r\n", memoryview(text)])
        assert delivery.reply.code == 250
        whole = text if text.endswith(b"\r\n") or not text else text + b"\r\n"
        sent.add(hashlib.sha256(whole.replace(b"\r\n", b"\n")).hexdigest())
    await behind.close()
    arrived = plain.wait(already + 100, "khaothi")[already:]
    assert {hashlib.sha256(body(message)).hexdigest() for message in arrived} == sent
    assert plain.log.count(" connect from localhost") == connects + 1


async def test_features_are_what_postfix_offers(plain: Postfix, tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    assert await behind.probe(route(plain.port)) is None
    offered = behind.features([route(plain.port)])
    assert offered.size == 200_000
    assert (offered.eightbitmime, offered.smtputf8, offered.dsn) == (True, True, True)


async def test_refusals_are_verbatim(plain: Postfix, tmp_path: Path) -> None:
    """F-5, F-6, F-7 with real wording."""
    behind = downstream(tmp_path)
    session = behind.begin(route(plain.port), CLIENT)
    assert str(await session.mail(SCHOOL, (("SIZE", "300000"),))).startswith(
        "552 5.3.4 Message size exceeds fixed limit"
    )
    session = behind.begin(route(plain.port), OTHER_CLIENT)
    assert (await session.mail(SCHOOL, ())).is_positive  # the next client does not pay for the one before
    assert str(await session.rcpt(to("khong.co@longan.edu.vn"))) == (
        "550 5.1.1 <khong.co@longan.edu.vn>: Recipient address rejected: User unknown in virtual mailbox table"
    )
    assert str(await session.rcpt(to("nguoila@example.net"))).startswith("451 4.3.5")
    assert (await session.rcpt(OFFICE)).is_positive
    assert str((await session.deliver([OFFICE], [CONTENT, b"x" * 300_000])).reply).startswith("552 5.3.4")
    await session.abandon()
    await behind.close()


async def test_internationalised_envelope_and_delivery_status(plain: Postfix, tmp_path: Path) -> None:
    """SMTPUTF8 and the parameters of RFC 3461 are taken as we write them."""
    behind = downstream(tmp_path)
    path = to(
        "văn.thư@longan.edu.vn", ("NOTIFY", "SUCCESS,FAILURE"), ("ORCPT", "utf-8;v\\x{103}n.th\\x{1B0}@longan.edu.vn")
    )
    session = behind.begin(route(plain.port), CLIENT)
    parameters = (("SMTPUTF8", None), ("BODY", "8BITMIME"), ("RET", "HDRS"), ("ENVID", "LA+2B1077"))
    sender = to("nguyễn.văn.rỗng@longan.edu.vn").mailbox
    assert (await session.mail(sender, parameters)).is_positive
    assert (await session.rcpt(path)).is_positive
    subject = "Subject: Báo cáo sơ kết học kỳ I\r\n\r\nKính gửi Sở\r\n".encode()
    assert (await session.deliver([path], [subject])).reply.code == 250
    await behind.close()
    (message,) = plain.wait(1, "văn.thư")
    assert "Return-Path: <nguyễn.văn.rỗng@longan.edu.vn>".encode() in message
    assert "Subject: Báo cáo sơ kết học kỳ I".encode() in message


async def test_redirect_to_others_than_were_asked(plain: Postfix, tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    already = len(plain.messages("ketoan"))
    session = behind.begin(route(plain.port), CLIENT)
    await session.mail(SCHOOL, ())
    assert (await session.rcpt(OFFICE)).is_positive
    assert (await session.deliver([to("ketoan@longan.edu.vn")], [CONTENT])).reply.code == 250
    await behind.close()
    assert b"X-Original-To: ketoan@longan.edu.vn" in plain.wait(already + 1, "ketoan")[-1]


async def test_xclient_makes_postfix_see_the_real_client(trusting: Postfix, tmp_path: Path) -> None:
    """Postfix takes XCLIENT from us and then believes to talk to that client, from whom it takes none: one connection each."""
    behind = downstream(tmp_path)
    already = len(trusting.messages())
    connects = trusting.log.count(" connect from localhost")
    for client in (CLIENT, OTHER_CLIENT, OTHER_CLIENT):
        session = behind.begin(route(trusting.port), client)
        assert (await session.mail(SCHOOL, ())).is_positive
        assert (await session.rcpt(OFFICE)).is_positive
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
    arrived = trusting.wait(already + 3)[already:]  # a busy Postfix does not deliver in the order of arrival
    assert sum(b"from mail.c2nguyenvanrong.edu.vn (unknown [192.0.2.25])" in octets for octets in arrived) == 1
    assert sum(b"from mx.example.net (unknown [IPv6:2001:db8::25])" in octets for octets in arrived) == 2
    assert trusting.log.count(" connect from localhost") == connects + 2
    await behind.close()


async def test_postfix_without_ipv6_is_not_told_an_ipv6_address(tmp_path: Path) -> None:
    """Such a Postfix answers 501 to the address; the mail must not wait for ever because of it."""
    settings = {"smtpd_authorized_xclient_hosts": "127.0.0.1", "inet_protocols": "ipv4"}
    with running_postfix(settings=settings) as old:
        behind = downstream(tmp_path)
        session = behind.begin(route(old.port), OTHER_CLIENT)
        assert (await session.mail(SCHOOL, ())).is_positive
        assert (await session.rcpt(OFFICE)).is_positive
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
        assert str(await behind.begin(route(old.port), CLIENT).mail(SCHOOL, ())).startswith("250")
        await behind.close()
        assert b"from mx.example.net (unknown [unknown])" in old.wait(1)[0]


async def test_access_rules_of_postfix_meet_the_real_client(trusting: Postfix, tmp_path: Path) -> None:
    blocked = Client(ip_address("198.51.100.66"), 40253, "spam.example.net", "ESMTP")
    session = downstream(tmp_path).begin(route(trusting.port), blocked)
    assert str(await session.mail(SCHOOL, ())) == (
        "554 5.7.1 <unknown[198.51.100.66]>: Client host rejected: Blocked here"
    )


async def test_our_own_mail_never_rides_on_a_clients_identity(trusting: Postfix, tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    already = len(trusting.messages())
    for client in (CLIENT, OURSELVES):
        session = behind.begin(route(trusting.port), client)
        assert (await session.mail(None, ())).is_positive
        assert (await session.rcpt(OFFICE)).is_positive
        assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
    await behind.close()
    theirs, ours = trusting.wait(already + 2)[already:]
    assert b"[192.0.2.25]" in theirs
    assert b"from mx.longan.edu.vn (localhost [127.0.0.1])" in ours


async def test_xforward_is_logged(trusting: Postfix, tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    session = behind.begin(route(trusting.port, xclient=False), CLIENT)
    assert (await session.mail(SCHOOL, ())).is_positive
    assert (await session.rcpt(OFFICE)).is_positive
    assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
    await behind.close()
    assert "orig_client=unknown[192.0.2.25]" in trusting.log


async def test_dropping_the_connection_in_mid_body_delivers_nothing(plain: Postfix, tmp_path: Path) -> None:
    """R-2, S-3: content that could end early is cut, and Postfix throws away what it had."""
    behind = downstream(tmp_path)
    already = len(plain.messages())
    session = behind.begin(route(plain.port), CLIENT)
    await session.mail(SCHOOL, ())
    await session.rcpt(OFFICE)
    smuggled = (
        CONTENT
        + b"x\n.\r\nMAIL FROM:<hieutruong@longan.edu.vn>\r\nRCPT TO:<vanthu@longan.edu.vn>\r\nDATA\r\nforged\r\n"
    )
    assert str((await session.deliver([OFFICE], [smuggled])).reply).startswith("554 5.6.0")
    session = behind.begin(route(plain.port), CLIENT)
    await session.mail(SCHOOL, ())
    await session.rcpt(OFFICE)
    assert (await session.deliver([OFFICE], [CONTENT])).reply.code == 250
    await behind.close()
    assert all(b"forged" not in message for message in plain.wait(already + 1))
    assert len(plain.messages()) == already + 1
