"""MAIL, RCPT, XCLIENT and XFORWARD lines (R-17, S-7, S-33)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import Client
from gateway.relay.commands import mail_command, rcpt_command
from gateway.relay.xclient_out import LINE_MAX, OURSELVES, commands, is_ours
from tests.support.relaying import CLIENT, OTHER_CLIENT, SCHOOL, to

ALL = {"SIZE": "100", "8BITMIME": "", "SMTPUTF8": "", "DSN": ""}
PARAMETERS = (
    ("SIZE", "50"),
    ("BODY", "8BITMIME"),
    ("SMTPUTF8", None),
    ("RET", "FULL"),
    ("ENVID", "QQ+2B1"),
    ("AUTH", "<>"),
)


def test_r17_only_what_the_server_offers() -> None:
    assert mail_command(SCHOOL, PARAMETERS, ALL) == (
        b"MAIL FROM:<c2nguyenvanrong@longan.edu.vn> SIZE=50 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=QQ+2B1"
    )
    assert (
        mail_command(SCHOOL, PARAMETERS, {"DSN": ""})
        == b"MAIL FROM:<c2nguyenvanrong@longan.edu.vn> RET=FULL ENVID=QQ+2B1"
    )
    assert mail_command(SCHOOL, PARAMETERS, {}) == b"MAIL FROM:<c2nguyenvanrong@longan.edu.vn>"


def test_r17_null_reverse_path_stays_null() -> None:
    assert mail_command(None, (), ALL) == b"MAIL FROM:<>"


def test_rcpt_keeps_notify_and_the_case_of_orcpt() -> None:
    path = to("vanthu@longan.edu.vn", ("NOTIFY", "NEVER"), ("ORCPT", "rfc822;VanThu@LongAn.edu.vn"))
    assert rcpt_command(path, ALL) == b"RCPT TO:<vanthu@longan.edu.vn> NOTIFY=NEVER ORCPT=rfc822;VanThu@LongAn.edu.vn"
    assert rcpt_command(path, {}) == b"RCPT TO:<vanthu@longan.edu.vn>"


def test_postmaster_and_quoted_local_part() -> None:
    assert rcpt_command(to('"van thu"@longan.edu.vn'), ALL) == b'RCPT TO:<"van thu"@longan.edu.vn>'
    postmaster = to("x@y").__class__(Mailbox("postmaster", ""))
    assert rcpt_command(postmaster, ALL) == b"RCPT TO:<postmaster>"


@pytest.mark.parametrize("local", ["a\r\nRCPT TO:<evil@example.net>", "a\0b", "a\n"])
def test_s7_no_control_character_reaches_the_wire(local: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        mail_command(Mailbox(local, "longan.edu.vn"), (), ALL)


@pytest.mark.parametrize("value", ["a\r\nDATA", "a b", ""])
def test_s7_no_parameter_can_inject(value: str) -> None:
    with pytest.raises(ValueError, match="ENVID"):
        mail_command(SCHOOL, (("ENVID", value),), ALL)


def test_s33_xclient_tells_what_is_offered() -> None:
    (line,) = commands("XCLIENT", CLIENT, "NAME ADDR PORT PROTO HELO LOGIN")
    assert line == b"XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.25 PORT=40251 PROTO=ESMTP HELO=mail.c2nguyenvanrong.edu.vn"
    assert commands("XFORWARD", OTHER_CLIENT, "addr helo") == [b"XFORWARD ADDR=IPV6:2001:db8::25 HELO=mx.example.net"]
    assert commands("XFORWARD", CLIENT, "IDENT") == []


def test_s33_hostile_helo_is_xtext() -> None:
    hostile = Client(ip_address("192.0.2.1"), 0, "a b=c+d\r\nQUIT\x7fế", "SMTP", "", "x]y z")
    line = b"".join(commands("XCLIENT", hostile, "NAME PORT PROTO HELO"))
    assert line == (b"XCLIENT NAME=x]y+20z PORT=[UNAVAILABLE] PROTO=SMTP HELO=a+20b+3Dc+2Bd+0D+0AQUIT+7F+E1+BA+BF")


def test_long_attributes_are_spread_over_lines() -> None:
    lines = commands("XCLIENT", Client(ip_address("192.0.2.1"), 1, "h" * 400, "ESMTP", "", "n" * 300), "NAME ADDR HELO")
    assert len(lines) == 2
    assert all(len(line) <= LINE_MAX for line in lines)


def test_our_own_mail_has_no_client() -> None:
    assert is_ours(OURSELVES)
    assert not is_ours(CLIENT)
