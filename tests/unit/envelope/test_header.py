"""Fields as received, decoded text, and the one writer of header octets (safety R-16, S-13, S-14, S-29)."""

import base64

import pytest

from gateway.envelope.header import (
    ENCODED_WORDS_MAX,
    FIELD_MAX,
    FIELDS_MAX,
    HEADER_MAX,
    HeaderError,
    decode_text,
    encode_words,
    locate,
    make_field,
)


def test_fields_keep_their_octets_and_places() -> None:
    header = b"Subject: a\r\n b\r\nX-y:  c\r\n"
    fields, problems = locate(header)
    assert [header[f.start : f.end] for f in fields] == [b"Subject: a\r\n b\r\n", b"X-y:  c\r\n"]
    assert [f.key for f in fields] == [b"subject", b"x-y"]
    assert fields[0].unfolded == b"a b"
    assert problems == ()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"From : a@b.vn\r\n", "white space before the colon"),
        (b"From\0: a@b.vn\r\n", "header field name syntax"),
        (b"Fr\xc3\xb3m: a@b.vn\r\n", "header field name syntax"),
        (b" folded: first\r\n", "starts with a continuation line"),
        (b"no colon here\r\n", "without a colon"),
        (b"Subject: a\0b\r\n", "NUL in header"),
        (b"X: " + b"a" * FIELD_MAX + b"\r\n", "header field of more than"),
        (b"X: y\r\n" * (FIELDS_MAX + 5), "more than 1000 header fields"),
        (b"X: " + b"a" * HEADER_MAX + b"\r\n", "header section of more than"),
        (b"Subject: " + b"=?utf-8?q?a?= " * (ENCODED_WORDS_MAX + 1) + b"\r\n", "encoded-words"),
    ],
)
def test_S13_S14_S29_what_is_wrong_is_named_and_nothing_raises(header: bytes, problem: str) -> None:
    _, problems = locate(header)
    assert any(problem in text for text in problems)


def test_S29_a_field_with_NUL_in_its_name_is_not_the_field_of_that_name() -> None:
    fields, _ = locate(b"From\0: a@b.vn\r\n")
    assert [f.key for f in fields] != [b"from"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" B\xc3\xa1o c\xc3\xa1o", "Báo cáo"),
        (b"=?utf-8?B?QsOhbyBjw6Fv?=", "Báo cáo"),
        (b"=?UTF-8?Q?B=C3=A1o_c=C3=A1o?=", "Báo cáo"),
        (b"=?utf-8?Q?B=C3=A1o?= =?utf-8?Q?_c=C3=A1o?=", "Báo cáo"),
        (b"=?utf-8?Q?B=C3?=\r\n =?utf-8?Q?=A1o?=", "Báo"),  # a letter cut in two, against RFC 2047 §5
        (b"=?utf-8?B?QsM=?= =?utf-8?B?oW8=?=", "Báo"),
        (b"=?utf-8?B?QsOh?= =?utf-8?Q?o?=", "Báo"),
        (b"Re: =?utf-8?B?QsOhbw?= 12", "Re: Báo 12"),
        (b"=?iso-8859-1?Q?a=E9?= =?utf-8?Q?b=C3=A9?=", "aébé"),
        (b"=?utf-8*vi?Q?a?=", "a"),
        (b"=?windows-1258?Q?=D0=F4=E0?=", "Đôà"),
        (b"=?nowhere?Q?a?=", "=?nowhere?Q?a?="),
        (b"=?rot13?Q?a?=", "=?rot13?Q?a?="),
        (b"=?punycode?Q?a?=", "=?punycode?Q?a?="),
        (b"=?utf-8?Q?a=ZZ?=", "a=ZZ"),
        (b"=?utf-8?B?A?=", ""),
        ("=?utf-8?B?QsOhé?=".encode(), "=?utf-8?B?QsOhé?="),  # no letter of base64
        ("=?utf-8?B?QsOhé?= =?utf-8?B?bw==?=".encode(), "=?utf-8?B?QsOhé?= =?utf-8?B?bw==?="),
        ("=?utf-8?Q?Bé?=".encode(), "B?"),
        (b"\xff", "\ufffd"),
    ],
)
def test_decode_text(value: bytes, text: str) -> None:
    assert decode_text(value) == text


def test_S30_decoded_text_is_one_line_whatever_was_encoded() -> None:
    word = base64.b64encode("a\r\nBcc: kẻ gian\0\u2028x".encode()).decode()
    text = decode_text(f"=?utf-8?B?{word}?=".encode())
    assert text.isprintable()
    assert text == "a  Bcc: kẻ gian  x"


def test_encode_words_round_trip_within_75_characters() -> None:
    text = "Báo cáo tổng kết năm học 2025-2026 của Trường THPT Nguyễn Hữu Thọ, huyện Bến Lức 😀"
    encoded = encode_words(text)
    assert all(len(word) <= 75 for word in encoded.split(" "))
    assert decode_text(encoded.encode()) == text


@pytest.mark.parametrize("value", ["a\r\nBcc: x", "a\nb", "a\0", "Báo", "a\x7f", "a\rb"])
def test_R16_make_field_refuses_what_could_break_out(value: str) -> None:
    with pytest.raises(HeaderError):
        make_field("X-Sending-Unit", value)


@pytest.mark.parametrize("name", ["", "X y", "X:", "X\r\n", "Xé"])
def test_make_field_refuses_bad_names(name: str) -> None:
    with pytest.raises(HeaderError):
        make_field(name, "a")


def test_make_field_folds_and_reads_back() -> None:
    value = " ".join(f"word{n}" for n in range(60))
    octets = make_field("X-Long", value)
    assert all(len(line) <= 78 for line in octets.split(b"\r\n"))
    (field,), problems = locate(octets)
    assert problems == ()
    assert field.unfolded.decode() == value
