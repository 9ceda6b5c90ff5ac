"""Authentication-Results: ours written safely, false ones found (RFC 8601, safety S-27)."""

from __future__ import annotations

from dataclasses import replace

import authres as library
import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope.header import make_field
from gateway.envelope.message import Message
from gateway.evidence import authres
from gateway.evidence.authres import READ_MAX, forged, write
from gateway.evidence.result import Evidence, MethodResult
from tests.support.signing import rsa_key, sign
from tests.support.zones import Dns, assessed, txt

ID = "mx.longan.edu.vn"
RAW = b"From: a@longan.edu.vn\r\nSubject: x\r\n\r\nx\r\n"


def evidence() -> Evidence:
    zone = Dns(rsa_key().answer("longan.edu.vn", "s1"), txt("longan.edu.vn", "v=spf1 ip4:192.0.2.10 -all"))
    zone.update(txt("_dmarc.longan.edu.vn", "v=DMARC1; p=reject"))
    return assessed(sign(RAW, "longan.edu.vn", "s1", rsa_key()), zone)


def read(field: bytes) -> library.AuthenticationResultsHeader:
    return library.AuthenticationResultsHeader.parse(field.decode("ascii").replace("\r\n", "").strip())


def pairs(result: object) -> list[tuple[str, str]]:
    return [(f"{p.type}.{p.name}", str(p.value)) for p in result.properties]  # type: ignore[attr-defined]


def test_the_field_tells_every_result() -> None:
    field = write(evidence(), ID)
    header = read(field)
    assert header.authserv_id == ID
    assert [(r.method, r.result) for r in header.results] == [
        ("spf", "pass"),
        ("spf", "none"),
        ("dkim", "pass"),
        ("dmarc", "pass"),
        ("arc", "none"),
        ("iprev", "permerror"),
    ]
    assert ("smtp.mailfrom", "vanthu@longan.edu.vn") in pairs(header.results[0])
    assert ("header.d", "longan.edu.vn") in pairs(header.results[2])
    assert ("policy.dmarc", "reject") in pairs(header.results[3])


def test_lines_are_folded_and_end_in_crlf() -> None:
    field = write(evidence(), ID)
    lines = field.split(b"\r\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) <= 78
    assert all(line[:1] == b" " for line in lines[1:])


HOSTILE = [
    "a@b\r\nX-Evil: 1",
    "a@example.net; dkim=pass header.d=bank.example",
    "a@b.example dkim=pass",
    '"a b; dkim=pass"@example.net',
    "x;y",
    "(comment)",
    "a\0b",
    "\\",
    '"',
    '";dkim=pass',
    "=?utf-8?q?x?=",
    "văn.thư@longan.edu.vn",
    "a@[192.0.2.1]",
    "a@@b",
    "x" * 400,
    "any@legit.example(a.attack.example",
    "2001:db8::1",
    "ab/c+d==",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("place", ["property", "reason"])
def test_s27_no_value_can_add_a_result(value: str, place: str) -> None:
    bad = MethodResult("spf", "fail", value if place == "reason" else "", (("smtp.mailfrom", value),))
    field = write(replace(evidence(), spf_mailfrom=bad), ID)
    assert field.count(b"\r\nX-Evil") == 0
    header = read(field)
    assert [r.result for r in header.results] == ["fail", "none", "pass", "pass", "none", "permerror"]
    for name, text in pairs(header.results[0]):
        assert (name, text) in {("smtp.mailfrom", value), ("smtp.mailfrom", value.rpartition("@")[2])}


@given(value=st.text(max_size=40), reason=st.text(max_size=40))
def test_s27_whatever_is_written_reads_back_as_it_was_meant(value: str, reason: str) -> None:
    given_ = MethodResult("dkim", "pass", reason, (("header.d", "a.vn"), ("header.i", value), ("header.b", value)))
    header = read(write(replace(_EVIDENCE, dkim=(given_,)), ID))
    assert [r.method for r in header.results] == ["spf", "spf", "dkim", "dmarc", "arc", "iprev"]
    assert {text for _, text in pairs(header.results[2])} <= {"a.vn", value, value.rpartition("@")[2]}


_EVIDENCE = evidence()
_LETTERS = st.text("abYZ09+/=._-@", min_size=1, max_size=16)
_VALUES = st.one_of(
    _LETTERS, st.sampled_from([*HOSTILE, "", "@a.vn", "a@b+c", "vanthu@longan.edu.vn", "a@" + "b" * 400])
)


@given(
    reason=st.one_of(st.just(""), st.text(max_size=30), st.text('ab =;()"@.\\', max_size=12)),
    values=st.lists(_VALUES, max_size=3),
    name=st.sampled_from(["header.b", "smtp.mailfrom", "header.s"]),
    last=_VALUES,
    place=st.sampled_from(["spf_mailfrom", "spf_helo", "dkim", "dmarc", "arc", "iprev"]),
)
def test_a_result_put_together_is_the_one_that_the_library_writes(
    reason: str, values: list[str], name: str, last: str, place: str
) -> None:
    named = zip(("header.d", "header.i", "header.a"), values, strict=False)
    one = MethodResult("dkim", "pass", reason, (*named, (name, last)))
    changed = replace(_EVIDENCE, **{place: (one,) if place == "dkim" else one})
    field = write(changed, ID.upper())
    results = [str(authres._written(result)) for result in changed.results]
    header = library.AuthenticationResultsHeader(authserv_id=ID, results=results)
    assert field == make_field("Authentication-Results", header.header_value())


@pytest.mark.parametrize("name", ["", "a b", "x;y", "a\r\nb", "ü.vn", '"x"', "-", "a/1"])
def test_an_authserv_id_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="authserv-id"):
        write(_EVIDENCE, name)


CLAIMS = [
    b"Authentication-Results: mx.longan.edu.vn; dmarc=pass",
    b"authentication-results: mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results : mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results\t: mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results\0: mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results: MX.LongAn.EDU.vn; dmarc=pass",
    b"Authentication-Results:mx.longan.edu.vn;dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn 1; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn/1; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn / 1; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn 2; dmarc=pass",
    b"Authentication-Results: (x) mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results: (x) MX.longan.edu.vn/1; dmarc=pass",
    b"Authentication-Results: (a (nested; comment) b) mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn (x); dmarc=pass",
    b"Authentication-Results: mx(x).longan.edu.vn; dmarc=pass",
    b"Authentication-Results: mx . longan . edu . vn; dmarc=pass",
    b'Authentication-Results: "mx.longan.edu.vn"; dmarc=pass',
    b'Authentication-Results: "mx.longan\\.edu.vn"; dmarc=pass',
    b'Authentication-Results: "mx".longan.edu.vn; dmarc=pass',
    b"Authentication-Results:\r\n mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results:\r\n\t(x)\r\n mx.longan.edu.vn\r\n ; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn.; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn",
    b"Authentication-Results: mx.longan.edu.vn\0; dmarc=pass",
    b"Authentication-Results: =?utf-8?q?mx=2Elongan=2Eedu=2Evn?=; dmarc=pass",
    "Authentication-Results: ｍｘ.longan.edu.vn; dmarc=pass".encode(),
    "Authentication-Results: mx\u200b.longan.edu.vn; dmarc=pass".encode(),
    "Authentication-Results: mx。longan。edu。vn; dmarc=pass".encode(),
    b"Authentication-Results: (not closed mx.longan.edu.vn; dmarc=pass",
    b'Authentication-Results: "not closed; dmarc=pass',
    b"Authentication-Results: (" + b"(" * 20_000 + b" mx.longan.edu.vn; dmarc=pass",
    b"Authentication-Results: <mx.longan.edu.vn>; dmarc=pass",
    b'Authentication-Results: (a)(b) "mx.longan.edu.vn" (c) 1 (d) ; dmarc=pass',
    b"Authentication-Results: (a \\) b) mx.longan.edu.vn; dmarc=pass",
    b'Authentication-Results: (a " b) mx.longan.edu.vn; dmarc=pass',
    b'Authentication-Results: "mx.longan\r\n .edu.vn"; dmarc=pass',
    b"Authentication-Results: =?utf-8?q?mx=2Elongan?= =?utf-8?q?=2Eedu=2Evn?=; dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn (x) ; none",
    b"Authentication-Results: mx.longan.edu.vn dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn(x)dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn, dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn: dmarc=pass",
    b"Authentication-Results: mx.longan.edu.vn\xa0; dmarc=pass",
    "Authentication-Results: mx.longan.edu.vn\u037edmarc=pass".encode(),
    "Authentication-Results: mx.longan.edu.vn；dmarc=pass".encode(),
]


@pytest.mark.parametrize("line", CLAIMS)
def test_s27_every_spelling_of_our_name_is_found(line: bytes) -> None:
    message = Message(b"X-Before: 1\r\n" + line + b"\r\n" + RAW)
    assert [field.start for field in forged(message, ID)] == [13]


@pytest.mark.parametrize(
    "value",
    [
        b" (=?utf-8?q?=28?=) mx.longan.edu.vn; dmarc=pass (a)) other.example; none",
        b" (=?utf-8?q?=5C?=) mx.longan.edu.vn; dmarc=pass (a)) other.example; none",
        b" (=?utf-8?q?=29_x=3B_=28?=) mx.longan.edu.vn; dmarc=pass",
    ],
    ids=["opening", "backslash", "semicolon"],
)
def test_s27_an_encoded_word_in_a_comment_hides_nothing(value: bytes) -> None:
    """RFC 2047 §6.2: comments are found before encoded-words are decoded; some readers do it the other way round."""
    assert len(forged(Message(b"Authentication-Results:" + value + b"\r\n" + RAW), ID)) == 1


@pytest.mark.parametrize("filler", [b" " * 900 + b"\r\n", b" (a)" * 200 + b"\r\n"], ids=["blanks", "comments"])
def test_s27_our_name_behind_more_than_we_read_is_found(filler: bytes) -> None:
    line = b"Authentication-Results:" + filler * (READ_MAX // 100) + b" mx.longan.edu.vn; dmarc=pass\r\n"
    assert len(forged(Message(line + RAW), ID)) == 1


def test_s15_a_head_of_thousands_of_words_is_taken_for_a_claim() -> None:
    """Each word of it would cost an IDNA encoding; no server's name is that long."""
    line = ("Authentication-Results: " + " ".join(f"é{n}" for n in range(1000)) + "; dmarc=pass\r\n").encode()
    assert len(forged(Message(line + RAW), ID)) == 1


def test_s15_letters_that_grow_when_they_are_normalised_are_taken_for_a_claim() -> None:
    """Eighteen for one, in a thousand fields: a second of work in which nobody else is served."""
    line = b"Authentication-Results: " + "\ufdfa".encode() * 60 + b"; dkim=pass\r\n"
    assert len(forged(Message(line + RAW), ID)) == 1


@pytest.mark.parametrize("value", [b"; dmarc=pass", b" ; dmarc=pass", b" (x); dmarc=pass", b' ""; dmarc=pass', b""])
def test_s27_a_field_that_names_no_server_does_not_stay(value: bytes) -> None:
    """RFC 8601 §2.2 asks for an authserv-id; a lenient reader may take a field without one for its own."""
    assert len(forged(Message(b"Authentication-Results:" + value + b"\r\n" + RAW), ID)) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"Authentication-Results: (mx.longan.edu.vn) other.example; none",
        b"Authentication-Results: other.example (mx.longan.edu.vn) 1; none",
        b"Authentication-Results: longan.edu.vn; none",
        b"Authentication-Results: a.mx.longan.edu.vn; none",
        b'Authentication-Results: other.example; dkim=pass reason="mx.longan.edu.vn; (x"',
        "Authentication-Results: other.example; spf=pass (ví dụ （x) smtp.mailfrom=a.example".encode(),
        b"Authentication-Results: other.example; dkim=pass (" + b"x" * 2 * READ_MAX + b")",
        b"Original-Authentication-Results: mx.longan.edu.vn; none",
        b"Authentication-Results: mx.google.com; dkim=pass",
        b"Authentication-Results: notmx.longan.edu.vn; dkim=pass",
        b"Authentication-Results: mx.longan.edu.vn.evil.example; dkim=pass",
        b"Authentication-Results: other.example; spf=pass smtp.mailfrom=mx.longan.edu.vn",
        b"Authentication-Results: spf=pass smtp.mailfrom=x.example; dkim=none",
        b"ARC-Authentication-Results: i=1; mx.longan.edu.vn; dkim=pass",
        b"X-Authentication-Results: mx.longan.edu.vn; dkim=pass",
    ],
)
def test_what_others_say_of_themselves_stays(line: bytes) -> None:
    assert forged(Message(line + b"\r\n" + RAW), ID) == []


def test_an_internationalised_name_of_ours_is_found_in_both_forms() -> None:
    encoded = idna.encode("mx.giáodục.vn", uts46=True).decode()
    raw = "Authentication-Results: mx.giáodục.vn; spf=pass\r\n".encode() + RAW
    assert len(forged(Message(raw), encoded)) == 1
    assert len(forged(Message(raw.replace("mx.giáodục.vn".encode(), encoded.encode())), "mx.giáodục.vn")) == 1
