"""Paths and mailboxes of the envelope (RFC 5321 §4.1.2; safety S-7, S-8)."""

import pytest

from gateway.envelope.address import (
    AddressError,
    Mailbox,
    is_under,
    parse_domain,
    parse_forward_path,
    parse_mailbox,
    parse_reverse_path,
)

REFUSED_S7 = [
    "<=?utf-8?q?a=0d=0aRCPT_TO=3a=3cevil=40x=2ey=3e?=@ok.example>\r\nRCPT TO:<evil@x.example>",
    "<a\r\nRCPT TO:<evil@x.example>@ok.example>",
    '<"a\r\nRCPT TO:<evil@x.example>"@ok.example>',
    "<a\0@ok.example>",
    '<"a\0"@ok.example>',
    "<a\x7f@ok.example>",
    "<a\u0085@ok.example>",
    "<a@b@ok.example>",
    "<a@ok.example\t>",
    "<a b@ok.example>",
    "<a@ok..example>",
    "<a@.ok.example>",
    "<a@ok.example.>",
    "<a@-ok.example>",
    "<.a@ok.example>",
    "<a.@ok.example>",
    "<a..b@ok.example>",
    '<""@ok.example>',
    "<@ok.example>",
    "<a@>",
    "<a>",
    "a@ok.example",
    "<a@ok.example",
    "<a@ok.example>x",
    "<a(comment)@ok.example>",
    "<a@ok.example(comment)>",
    "<a@[192.0.2.300]>",
    "<a@[192.0.2.1>",
    "<a@[IPv6:192.0.2.1]>",
    "<a@[exec:id]>",
    "<a@" + "b" * 64 + ".example>",
    "<a@" + "b." * 130 + "example>",
    "<" + "a" * 520 + "@ok.example>",
    '<"a\\\r"@ok.example>',
    "<<a@ok.example>>",
    "<a,b@ok.example>",
    "<a@x.example:b@ok.example>",
    "<a;b@ok.example>",
    "",
]


@pytest.mark.parametrize("argument", REFUSED_S7)
def test_S7_both_paths_refuse(argument: str) -> None:
    for parse in (parse_reverse_path, parse_forward_path):
        with pytest.raises(AddressError):
            parse(argument, utf8=True)


def test_S7_the_encoded_word_of_finding_1_stays_an_ordinary_local_part() -> None:
    word = "=?utf-8?q?a=0d=0aRCPT_TO=3a=3cevil=40x=2ey=3e?="
    assert parse_reverse_path(f"<{word}@ok.example>").mailbox == Mailbox(word, "ok.example")


@pytest.mark.parametrize(
    "argument",
    [
        "<a%x.example@ok.example>",
        "<x.example!a@ok.example>",
        '<"a@x.example"@ok.example>',
        "<" + "a" * 65 + "@ok.example>",
    ],
)
def test_S7_forward_paths_refuse_the_routing_of_old_days_and_long_local_parts(argument: str) -> None:
    with pytest.raises(AddressError):
        parse_forward_path(argument)


def test_reverse_paths_may_have_the_long_local_parts_of_verp() -> None:
    assert parse_reverse_path("<" + "v" * 200 + "@lists.example>").mailbox == Mailbox("v" * 200, "lists.example")


def test_null_reverse_path_and_postmaster() -> None:
    assert parse_reverse_path("<> SIZE=10") == (None, "SIZE=10")
    assert parse_forward_path("<PostMaster>").mailbox == Mailbox("PostMaster", "")
    with pytest.raises(AddressError):
        parse_forward_path("<>")


def test_what_looks_like_a_source_route_inside_a_quoted_local_part_is_kept() -> None:
    path = parse_reverse_path('<"a@x.example:b"@ok.example>')
    assert str(path.mailbox) == '"a@x.example:b"@ok.example'


def test_source_routes_are_stripped() -> None:
    assert parse_forward_path("<@relay.example,@b.example:a@ok.example>").mailbox == Mailbox("a", "ok.example")


@pytest.mark.parametrize(
    ("argument", "wire"),
    [
        ("<Van.Thu@LongAn.edu.VN>", "Van.Thu@longan.edu.vn"),
        ('<"van thu"@longan.edu.vn>', '"van thu"@longan.edu.vn'),
        ('<"vanthu"@longan.edu.vn>', "vanthu@longan.edu.vn"),
        ('<"a\\"b"@longan.edu.vn>', '"a\\"b"@longan.edu.vn'),
        ('<"a>b"@longan.edu.vn>', '"a>b"@longan.edu.vn'),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[ipv6:2001:DB8:0::1]>", "a@[IPv6:2001:db8::1]"),
        ("<a+b=c@longan.edu.vn>", "a+b=c@longan.edu.vn"),
    ],
)
def test_S8_the_canonical_form_reads_back_as_the_same_mailbox(argument: str, wire: str) -> None:
    mailbox = parse_reverse_path(argument).mailbox
    assert str(mailbox) == wire
    assert parse_reverse_path(f"<{wire}>").mailbox == mailbox


def test_parameters_follow_the_path_after_a_space_only() -> None:
    assert parse_reverse_path("<a@ok.example> SIZE=100 BODY=8BITMIME").rest == "SIZE=100 BODY=8BITMIME"
    with pytest.raises(AddressError):
        parse_reverse_path("<a@ok.example>SIZE=100")


def test_non_ascii_needs_smtputf8_and_becomes_a_labels() -> None:
    with pytest.raises(AddressError):
        parse_reverse_path("<vănthư@sở.example>")
    mailbox = parse_reverse_path("<vănthư@Sở.example>", utf8=True).mailbox
    assert mailbox == Mailbox("vănthư", "xn--s-lym.example")
    assert not mailbox.is_ascii
    with pytest.raises(AddressError):
        parse_reverse_path("<a\udcff@ok.example>", utf8=True)


def test_full_width_letters_do_not_make_a_second_domain() -> None:
    assert parse_mailbox("a@ｌｏｎｇａｎ.edu.vn").domain == "longan.edu.vn"
    with pytest.raises(AddressError):
        parse_mailbox("a@x＠longan.edu.vn")


def test_a_long_domain_is_refused_before_idna_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-15: the cost of IDNA grows faster than the length of the name."""
    monkeypatch.setattr("gateway.envelope.address.idna.encode", lambda *_, **__: pytest.fail("IDNA was asked"))
    with pytest.raises(AddressError, match="too long"):
        parse_domain("đ" * 60_000)


def test_labels_are_compared_never_suffix_strings() -> None:
    assert is_under("thpttanan.longan.edu.vn", "longan.edu.vn")
    assert is_under("longan.edu.vn", "longan.edu.vn")
    assert not is_under("daihoclongan.edu.vn", "longan.edu.vn")
    assert not is_under("edu.vn", "longan.edu.vn")


def test_key_folds_case_of_the_local_part() -> None:
    assert parse_mailbox("VanThu@longan.edu.vn").key == parse_mailbox("vanthu@LONGAN.edu.vn").key
