"""Attachments: names, sizes, digests, and the bounds (RFC 2045, 2046, 2231; safety S-14, S-15)."""

import base64
import binascii
import contextlib
import hashlib
import mmap
import random
import tempfile
from collections.abc import Callable

import pybase64
import pytest

from gateway.envelope import content
from gateway.envelope.message import Message
from gateway.envelope.mime import DEPTH_MAX, PARTS_MAX, attachments, mime_problems
from gateway.envelope.parameters import PARAMETERS_MAX, TooManyParameters, file_name, parse
from tests.support.mime_samples import crlf, multipart, part, with_files

PDF = "Content-Type: application/pdf"


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def test_two_files_and_a_text() -> None:
    files = [b"%PDF-1.7 " + bytes(range(256)) * 40, b"PK\3\4"]
    raw = multipart(
        b"Content-Type: text/plain\r\n\r\nKinh gui\r\n",
        part(files[0], PDF, 'Content-Disposition: attachment; filename="12_BC-THPT.pdf"'),
        part(files[1], "Content-Type: Application/VND.MS-Excel; name=thongke.xls"),
    )
    found = attachments(Message(raw))
    assert [(a.name, a.type, a.size, a.digest) for a in found] == [
        ("12_BC-THPT.pdf", "application/pdf", len(files[0]), sha256(files[0])),
        ("thongke.xls", "application/vnd.ms-excel", 4, sha256(files[1])),
    ]
    assert mime_problems(Message(raw)) == ()


def test_an_mmap_gives_the_same_and_the_answer_is_kept() -> None:
    raw = multipart(part(b"x" * 100_000, PDF))
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        message = Message(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    first = attachments(message)
    assert first == attachments(Message(raw))
    assert attachments(message) is first


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("filename*=utf-8''B%C3%A1o%20c%C3%A1o.pdf", "Báo cáo.pdf"),
        ("filename*=UTF-8'vi'B%C3%A1o.pdf; filename=plain.pdf", "Báo.pdf"),
        ("filename=plain.pdf; filename*=UTF-8'vi'B%C3%A1o.pdf", "Báo.pdf"),
        ("filename*1*=%A1o.pdf; filename*0*=utf-8''B%C3", "Báo.pdf"),
        ('filename*0="12_BC"; filename*1="-THPT.pdf"', "12_BC-THPT.pdf"),
        ("filename*0*=utf-8''B%C3%A1o; filename*1=\"%20.pdf\"", "Báo%20.pdf"),
        ("filename*0=a; filename*2=c", "a"),
        ("filename*=iso-8859-1''%E9.pdf", "é.pdf"),
        ("filename*=nowhere''B%C3%A1o.pdf", "Báo.pdf"),
        ('filename="=?utf-8?B?QsOhbyBjw6FvLnBkZg==?="', "Báo cáo.pdf"),
        ('filename="Báo cáo.pdf"', "Báo cáo.pdf"),
        ('filename="a;b=c.pdf"; x=y', "a;b=c.pdf"),
        ('filename="a\\"b.pdf"', 'a"b.pdf'),
        ("filename = spaced.pdf ", "spaced.pdf"),
        ('filename="unclosed.pdf', "unclosed.pdf"),
        ('filename="..\\\\..\\\\windows\\\\x.pdf"', "x.pdf"),
        ("filename=../../etc/x.pdf", "x.pdf"),
        ("filename*=utf-8''a%00b%0D%0Ac%E2%80%AEfdp.pdf", "abcfdp.pdf"),
        ("filename=first.pdf; filename=second.exe", "first.pdf"),
        ("filename*0=ten.pdf\r\n ; filename*1=.x", "ten.pdf.x"),
    ],
)
def test_file_names(header: str, name: str) -> None:
    raw = multipart(part(b"x", PDF, f"Content-Disposition: attachment; {header}"))
    assert [a.name for a in attachments(Message(raw))] == [name]


def test_file_names_are_short_and_composed() -> None:
    assert file_name("Bao\u0301.pdf") == "Baó.pdf"
    assert len(file_name("a" * 5000)) == 255


def test_the_message_itself_may_be_the_attachment() -> None:
    raw = crlf(
        "From: a@example.vn\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\neHl6\n"
    )
    assert [(a.name, a.size) for a in attachments(Message(raw))] == [("a.pdf", 3)]


@pytest.mark.parametrize(
    ("fields", "is_listed"),
    [
        (["Content-Type: text/plain"], False),
        (["Content-Type: text/html; charset=utf-8"], False),
        ([], False),
        (["Content-Type: text/plain", "Content-Disposition: attachment"], True),
        (["Content-Type: text/csv; name=a.csv"], True),
        (["Content-Type: image/png", "Content-Disposition: inline"], True),
        (["Content-Type: nonsense"], False),
    ],
)
def test_what_counts_as_an_attachment(fields: list[str], is_listed: bool) -> None:
    assert bool(attachments(Message(multipart(part(b"x", *fields))))) is is_listed


OCTETS = bytes(range(256)) * 31 + b"end"


@pytest.mark.parametrize("chunk", [7, 64, 1024 * 1024])
@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("base64", base64.encodebytes(OCTETS).replace(b"\n", b"\r\n")),
        ("base64", base64.b64encode(OCTETS)),
        ("base64", base64.b64encode(OCTETS).rstrip(b"=")),
        ("base64", b"!! " + b" * ".join(base64.b64encode(OCTETS)[i : i + 5] for i in range(0, 12_000, 5))),
        ("quoted-printable", b"".join(b"=%02X" % octet + (b"=\r\n" if n % 20 == 0 else b"") for n, octet in enumerate(OCTETS))),
        ("8bit", OCTETS),
        ("x-unknown", OCTETS),
    ],
)  # fmt: skip
def test_content_is_the_same_however_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, chunk: int, encoding: str, encoded: bytes
) -> None:
    monkeypatch.setattr(content, "CHUNK", chunk)
    raw = b"before" + encoded + b"after"
    assert content.measure(raw, 6, 6 + len(encoded), encoding) == (len(OCTETS), sha256(OCTETS))


@pytest.mark.parametrize("octets", [b"", b"=", b"=A", b"A", b"AA", b"AAA", b"====", b"\xff\0", b"AAAA=AAAA", b"A=="])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "7bit"])
def test_broken_encodings_never_raise(octets: bytes, encoding: str) -> None:
    size, digest = content.measure(octets, 0, len(octets), encoding)
    assert 0 <= size <= len(octets)
    assert len(digest) == 64


def test_attached_messages_are_listed_and_opened() -> None:
    inner = multipart(part(b"report", PDF, "Content-Disposition: attachment; filename=bc.pdf"))
    raw = multipart(
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=chuyen.eml\r\n\r\n"
        + inner.replace(b"=_b", b"=_inner")
    )
    found = attachments(Message(raw))
    assert [(a.name, a.type) for a in found] == [("chuyen.eml", "message/rfc822"), ("bc.pdf", "application/pdf")]
    assert found[0].digest == sha256(inner.replace(b"=_b", b"=_inner"))


def test_boundaries_that_begin_alike_are_told_apart() -> None:
    inner = b"Content-Type: multipart/mixed; boundary==_b2\r\n\r\n--=_b2\r\n" + part(b"in", PDF) + b"\r\n--=_b2--\r\n"
    assert [a.size for a in attachments(Message(multipart(inner, part(b"outer", PDF))))] == [2, 5]


def test_an_outer_boundary_ends_an_inner_multipart_that_was_never_closed() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n" + part(b"in", PDF)
    assert [a.size for a in attachments(Message(multipart(inner, part(b"outer", PDF))))] == [2, 5]


def test_a_message_cut_off_and_empty_parts() -> None:
    raw = multipart(part(b"x" * 3000, PDF))
    for end in range(len(raw)):
        attachments(Message(raw[:end]))
    assert attachments(Message(multipart(b"", b"\r\n", b"--=_b", part(b"x", PDF))))[-1].size == 1


def nested(depth: int) -> bytes:
    return b"From: a@x.vn\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (nested(1000), "levels"),
        (b"From: a@x.vn\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 1000, "levels"),
        (b"From: a@x.vn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\n" * 100_000, "parts"),
        (
            b"From: a@x.vn\r\nContent-Type: text/plain" + b"".join(b"; a*%d=x" % n for n in range(5000)) + b"\r\n\r\n",
            "parameters",
        ),
        (multipart(b"X: y\r\n" * 100_000), "header of a part"),
        (b"From: a@x.vn\r\nContent-Type: multipart/mixed; boundary=" + b"b" * 300 + b"\r\n\r\n", "boundary"),
    ],
)
def test_S14_a_bound_exceeded_is_a_problem_and_no_exception(raw: bytes, problem: str) -> None:
    message = Message(raw)
    attachments(message)
    assert any(text.startswith("MIME: ") and problem in text for text in mime_problems(message))


def test_S14_the_bounds_themselves_are_allowed() -> None:
    assert mime_problems(Message(nested(DEPTH_MAX))) == ()
    assert mime_problems(Message(multipart(*[b"\r\n"] * PARTS_MAX))) == ()
    assert len(parse(b"x/y" + b"".join(b"; p%d=1" % n for n in range(PARAMETERS_MAX)))[1]) == PARAMETERS_MAX


@pytest.mark.timeout(10)  # linear readers need milliseconds, quadratic ones half a minute
@pytest.mark.parametrize(
    "value",
    [
        b";" + b" " * 60_000,
        b";" + b"a" * 60_000,
        b"; " * 30_000,
        b';"' * 30_000,
        b';a="\\"' * 10_000,
        b";a*0*=" + b"%" * 60_000,
    ],
)
def test_S15_crafted_parameters_are_read_through(value: bytes) -> None:
    with contextlib.suppress(TooManyParameters):
        assert parse(b"text/plain" + value)[0] == "text/plain"


@pytest.mark.timeout(10)  # one pass needs a second, looking anew for every level a quarter of a minute
def test_S15_depth_does_not_multiply_the_work() -> None:
    raw = nested(DEPTH_MAX) + b"\r\n" + b"\r\n--b" * 8_000_000
    assert attachments(Message(raw)) == ()


def test_helper_makes_the_names_it_says() -> None:
    assert [a.name for a in attachments(with_files("Báo cáo.pdf", "b.xlsx"))] == ["Báo cáo.pdf", "b.xlsx"]


def test_an_attached_message_ends_where_the_outer_boundary_stands_though_its_own_was_never_closed() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n" + part(b"in", PDF)
    raw = multipart(b"Content-Type: message/rfc822\r\n\r\n" + inner, part(b"after", PDF))
    assert [(a.type, a.digest) for a in attachments(Message(raw))] == [
        ("message/rfc822", sha256(inner)),
        ("application/pdf", sha256(b"in")),
        ("application/pdf", sha256(b"after")),
    ]


def test_the_fast_decoder_of_base64_reads_as_the_tolerant_one() -> None:
    """Letters that are missing, too many, or of another alphabet: the digest must not depend on who decoded."""
    rng = random.Random(6)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def read(decode: Callable[[bytes], bytes], octets: bytes) -> bytes | str:
        try:
            return decode(octets)
        except binascii.Error:
            return "refused"

    for _ in range(5_000):
        octets = bytearray(rng.choices(letters, k=rng.choice((0, 1, 2, 3, 4, 5, 76, 77, 300))))
        for _ in range(rng.choice((0, 0, 1, 2, 5))):
            octets.insert(rng.randrange(len(octets) + 1), rng.choice(b"\r\n \0\xff-_\t@!"))
        assert read(pybase64.b64decode, bytes(octets)) == read(binascii.a2b_base64, bytes(octets)), bytes(octets)
