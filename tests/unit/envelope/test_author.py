"""Exactly one Author in exactly one From, or malformed (RFC 5322 §3.6.2; safety S-29)."""

import pytest

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message

VANTHU = Mailbox("vanthu", "longan.edu.vn")


def read(*lines: str | bytes) -> Message:
    octets = (line.encode() if isinstance(line, str) else line for line in lines)
    return Message(b"".join(line + b"\r\n" for line in octets) + b"\r\n")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("vanthu@longan.edu.vn", ""),
        ("<vanthu@longan.edu.vn>", ""),
        ("Văn thư <vanthu@longan.edu.vn>", "Văn thư"),
        ('"Văn thư, Sở GD&ĐT" <vanthu@longan.edu.vn>', "Văn thư, Sở GD&ĐT"),
        ("=?utf-8?B?VsSDbiB0aMaw?= <vanthu@longan.edu.vn>", "Văn thư"),
        ("vanthu@longan.edu.vn (Văn thư)", ""),
        ("vanthu@longan.edu.vn <vanthu@longan.edu.vn>", ""),
        ("Van Thu Jr. <vanthu@LongAn.edu.vn>", "Van Thu Jr."),
        ("Van\r\n Thu <vanthu@longan.edu.vn>", "Van Thu"),
    ],
)
def test_one_mailbox(value: str, name: str) -> None:
    message = read(f"From: {value}")
    assert (message.author, message.author_name) == (VANTHU, name)
    assert message.problems == ()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a@x.vn, vanthu@longan.edu.vn",
        "<a@x.vn>, <vanthu@longan.edu.vn>",
        "a@x.vn <vanthu@longan.edu.vn>",
        "<a@x.vn> <vanthu@longan.edu.vn>",
        "<vanthu@longan.edu.vn> a@x.vn",
        "<vanthu@longan.edu.vn>, ",
        ",<vanthu@longan.edu.vn>",
        "<@a.vn,@b.vn:vanthu@longan.edu.vn>",
        "group: vanthu@longan.edu.vn;",
        "undisclosed-recipients:;",
        "=?utf-8?q?vanthu=40longan.edu.vn?=",
        "<vanthu@longan.edu.vn",
        "vanthu@longan.edu.vn>",
        "<<vanthu@longan.edu.vn>>",
        "vanthu@longan.edu.vn@x.vn",
        "<vanthu@longan.edu.vn@x.vn>",
        "vanthu @ longan.edu.vn",
        "van thu@longan.edu.vn",
        "a\\,b <vanthu@longan.edu.vn>",
        '"unclosed <vanthu@longan.edu.vn>',
        "(" * 9 + ")" * 9 + "vanthu@longan.edu.vn",
        "(unclosed vanthu@longan.edu.vn",
        "vanthu",
        "<vanthu>",
        "vanthu@[longan.edu.vn]",
        "a@x.vn\\0 <vanthu@longan.edu.vn>",
        '"a"@x.vn <vanthu@longan.edu.vn>',
        "vanthu@longan.edu.vn,(x),a@x.vn",
    ],
)
def test_S29_anything_else_has_no_author(value: str) -> None:
    message = read(f"From: {value}")
    assert message.author is None
    assert any(problem.startswith("From: ") for problem in message.problems)


@pytest.mark.parametrize(
    "lines",
    [
        ("Subject: x",),
        ("From: a@x.vn", "From: vanthu@longan.edu.vn"),
        ("From: a@x.vn", "FROM: vanthu@longan.edu.vn"),
        ("From: a@x.vn", "From : vanthu@longan.edu.vn"),
        (b"From\0: vanthu@longan.edu.vn",),
        (b"From: \xff\xfe <vanthu@longan.edu.vn>",),
    ],
)
def test_S29_no_or_several_From_fields(lines: tuple[str | bytes, ...]) -> None:
    message = read(*lines)
    assert message.author is None
    assert message.problems


@pytest.mark.parametrize(
    "value",
    [
        '"vanthu@longan.edu.vn" <thay.an@gmail.com>',
        "=?utf-8?q?vanthu=40longan.edu.vn?= <thay.an@gmail.com>",
        '"Sở GD (vanthu@longan.edu.vn)" <thay.an@gmail.com>',
        '"a@b@vanthu@longan.edu.vn" <thay.an@gmail.com>',
    ],
)
def test_S29_another_address_in_the_display_name_is_a_problem(value: str) -> None:
    message = read(f"From: {value}")
    assert message.author == Mailbox("thay.an", "gmail.com")
    assert any("display name" in problem for problem in message.problems)


@pytest.mark.parametrize("name", ["Date", "Subject", "To", "Message-ID", "Content-Type", "Sender", "Reply-To"])
def test_S29_fields_that_may_come_once_only(name: str) -> None:
    message = read("From: a@x.vn", f"{name}: 1", f"{name.upper()}: 2")
    assert message.problems == (f"2 {name.title()} fields",)


@pytest.mark.timeout(10)  # linear readers need milliseconds, quadratic ones half a minute
@pytest.mark.parametrize(
    "value",
    [
        b"From(" * 12_000,
        b'"' * 60_001,
        b"a" * 60_000 + b" <a@x.vn>",  # quadratic before: 18 s in the search for addresses in the display name
        b"a." * 30_000 + b" <a@x.vn>",
        b"a@" * 30_000,
        b"a@x.vn," * 9_000,
        b"=?utf-8?q?a?= " * 4_000 + b"<a@x.vn>",
        b"\\" * 60_000,
        b"<" * 60_000,
    ],
)
def test_S14_S15_bombs_in_From_are_read_through(value: bytes) -> None:
    """Each took other parsers seconds or a RecursionError (finding 8)."""
    assert isinstance(read(b"From: " + value).problems, tuple)
