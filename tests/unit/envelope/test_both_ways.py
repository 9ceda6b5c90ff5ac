"""What nearly all mail looks like is read by a short way, all else by a general one: both must read the same."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import address, author, content, folding, header, message, mime, parameters
from gateway.envelope import part as entity
from gateway.envelope.address import AddressError, Mailbox, parse_forward_path, parse_mailbox
from gateway.envelope.author import AuthorError
from gateway.envelope.message import Message
from tests.support.mime_samples import multipart, part


def text_of(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=24).map("".join)


OCTETS = (
    "\r\n", "\r", "\n", "\r\n ", "\r\n\t", "\n ", " ", "\t", ":", "a", "From: a", "X-y:", "\r\nB: c", "\0", "\x7f", "=?", "é",
)  # fmt: skip
WORDS = ("a", "Báo", " ", "  ", "\t", "word" * 12, "x" * 76, "x" * 77, "x" * 78, "-", "=", '"')
FROM = (
    "a", "Văn thư", " ", "\t", ".", '"', "\\", "<", ">", "@", ",", ";", ":", "(", ")", "[", "]", "x.vn", "\r\n ", "é", "\x80",
    "<a@x.vn>", "<a@X.VN> ", "=?utf-8?B?VsSDbg==?=", '"Văn thư" ', "<a.b@x.vn>", "<.a@x.vn>", "<a@-x.vn>", "a@x.vn", "\x7f",
    "\u2028", '"a@x.vn" ', "\u00a0", "<a+b=c@x_y.vn>",
)  # fmt: skip
PARAMETERS = (
    "text/plain", "Multipart/Mixed", ";", "; ", " ", "\t", "=", '"', "\\", "\\\\", "name", "Boundary=", "filename*=", "*0", "a",
    "é", '"a;b"', "=?utf-8?Q?a?=", "\r\n ", "\n", "%41", "; x=y", '; Name="Báo cáo.pdf"', "'", "\u00a0", "\x85",
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(text_of(*OCTETS), st.booleans())
def test_the_fields_of_a_section(text: str, ends: bool) -> None:
    octets = text.encode() + (b"\r\n" if ends else b"")
    assert header.locate(octets) == header._locate(octets)
    quick = header._sound(octets)
    assert quick is None or b"\0" in octets or (quick, ()) == header._locate(octets)


def test_sound_sections_go_the_short_way_and_others_do_not() -> None:
    octets = b"From: a\r\nTo:\r\nSubject:  b \r\n\tc\r\n \r\nX!y: \xff:\r\r\n"
    assert header._sound(octets) == header._locate(octets)[0]
    odd = (b"From : a\r\n", b"From: a", b"From: a\r\nx\r\n", b" a: b\r\n", b"A: b\nC: d\r\n", b"a: b\r\n" * 1001)
    for other in odd:
        assert header._sound(other) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(("X", "X-" + "y" * 60, "X" * 77, "X" * 90)), text_of(*WORDS))
def test_the_lines_of_a_field(name: str, value: str) -> None:
    value = value.encode("ascii", "replace").decode()
    field = f"{name}: {value}"
    general = header._folded_blanks(field, len(name) + 2)
    made = header.make_field(name, value)
    if len(field) > header.LINE_MAX:
        assert made == "".join(f"{line}\r\n" for line in general).encode()
    assert re.sub(rb"\r\n(?=[ \t])", b"", made).rstrip() == field.rstrip().encode()


@settings(max_examples=200, deadline=None)
@given(text_of(*FROM))
def test_an_author(text: str) -> None:
    def read(general: bool) -> object:
        try:
            return author._mailbox_list(unfolded) if general else author.parse_mailbox_list(text.encode())
        except AuthorError as error:
            return str(error)

    unfolded = re.sub(r"\r\n(?=[ \t])", "", text)
    assert read(general=False) == read(general=True)


@pytest.mark.parametrize(
    "text", ["a@x.vn", "Van  Thu. <a@X.vn> ", ' "Văn, thư" <a@x.vn>', " <a.b@x.vn>", "\u0085<a@x.vn>"]
)
def test_a_plain_author(text: str) -> None:
    assert author.parse_mailbox_list(text.encode()) == author._mailbox_list(text)
    assert (author._PLAIN.match(text) is None) is ("<" not in text)


@settings(max_examples=200, deadline=None)
@given(text_of(*PARAMETERS))
def test_parameters(text: str) -> None:
    assert parameters._parse(text.encode()) == parameters._parse_any(text.replace("\r\n", "")) if text else True


@settings(deadline=None)
@given(text_of("a", "é", "/", "\\", " ", ".", "\u202e", "\0", "Báo cáo.pdf"))
def test_a_file_name(text: str) -> None:
    assert parameters.file_name(text) == parameters.file_name(f"\u202e{text}")  # the mark sends it the general way


@settings(max_examples=300, deadline=None)
@given(
    text_of(
        "From",
        "TO",
        "x-a",
        "Received",
        "Subject",
        "subject",
        " ",
        "\t",
        ":",
        ": a\r\n",
        ": b\r\n",
        "\x0b",
        "a\r\n",
        "é",
    )
)
def test_the_fields_by_name(text: str) -> None:
    letter = Message(text.encode() + b"\r\n\r\n")
    names = [field.key for field in letter.fields]
    for name in (*names, b"cc", *message.SINGLE_FIELDS):
        assert letter.all(name) == [field for field in letter.fields if field.key == name]
        assert letter.first(name) == next(iter(letter.all(name)), None)
    for name in message.SINGLE_FIELDS:
        told = f"{names.count(name)} {name.decode().title()} fields" in letter.problems
        assert told is (names.count(name) > 1 and name != b"from")
    assert list(letter._index) == list(dict.fromkeys(names))  # asking for a name adds none


PATHS = (
    "<", ">", "a@x.vn", "A", "@", "@x.vn:", '"', "\\", " ", "  ", "SIZE=1", "\t", "é", "\udc80", "\x7f", "postmaster",
    "a" * 256,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.booleans(), text_of(*PATHS), st.booleans())
def test_a_path(whole: bool, text: str, utf8: bool) -> None:
    def read(general: bool) -> object:
        try:
            return (address._split_any_path if general else address._split_path)(argument, utf8)
        except AddressError as error:
            return str(error)

    argument = f"<{text}" if whole else text
    assert read(general=False) == read(general=True)


@pytest.mark.parametrize(
    "path", ["a@x.vn", "@b.vn:a@x.vn", "POSTMASTER", "a%b@x.vn", "a" * 65 + "@x.vn", "a@", "é@x.vn"]
)
def test_a_recipient_that_comes_again(path: str) -> None:
    def read(general: bool) -> object:
        try:
            return address._recipient(path) if general else parse_forward_path(f"<{path}>", utf8=True).mailbox
        except AddressError as error:
            return str(error)

    assert read(general=True) == read(general=False) == read(general=False)


@settings(max_examples=200, deadline=None)
@given(text_of("QUJD", "QQ==", "QUI=", "\r\n", "\n", "=", "A", "é", " ", "-_", "QUJDREVG"), st.booleans())
def test_an_encoded_content(text: str, encoded: bool) -> None:
    raw, encoding = text.encode(), "base64" if encoded else "7bit"
    octets = b"".join(content.decoded(raw, 0, len(raw), encoding))
    assert content.measure(raw, 0, len(raw), encoding) == (len(octets), sha256(octets).hexdigest())


def test_what_is_remembered_is_what_was_read() -> None:
    for text in ("Số 12/BC-ĐT", "Ôn tập", "12/bc", "\u1d00Ꭰ", "I\u0307ø ð ł ı"):
        assert folding.fold(text) == folding.fold(text) == folding._fold(text)
    for value in (b"A <a@x.vn>", b"a@x.vn, b@x.vn", b""):
        seen = []
        for _ in range(2):
            letter = Message(b"From: " + value + b"\r\n\r\n")
            seen.append((letter.author, letter.author_name, letter.problems))
        assert seen[0] == seen[1]
    for text in ("a@x.vn", '"a b"@x.vn', "a@"):
        for _ in range(2):
            try:
                assert str(parse_mailbox(text)) == text
            except AddressError:
                assert text == "a@"


def test_what_is_remembered_is_bounded() -> None:
    long = "a" * 300
    letter = Message(multipart(part(b"x", f"Content-Type: a/b; name={long}")))
    before = [known.cache_info().currsize for known in (author._known_author, folding._known, entity._known)]
    assert Message(f"From: {long} <a@x.vn>\r\n\r\n".encode()).author_name == long
    assert folding.fold(long) == long
    assert mime.attachments(letter)[0].name == long[:255]
    assert before == [known.cache_info().currsize for known in (author._known_author, folding._known, entity._known)]


def test_names_that_a_pattern_does_not_match_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message, "UNLIKE_MAX", 5)
    monkeypatch.setattr(message, "_unlike", {})
    ours = re.compile(b"x-gateway-")
    for number in range(40):
        letter = Message(b"X-Gateway-A: 1\r\nTo: a\r\nN%d: b\r\n%s: c\r\n\r\n" % (number % 20, b"n" * 101))
        assert [field.name for field in letter.named_like(ours)] == [b"X-Gateway-A"]
        assert Message(b"To: a\r\n\r\n").named_like(ours) == []
        assert Message(b"X-GATEWAY-A: a\r\n\r\n").named_like(ours) != []
        (known,) = message._unlike.values()
        assert len(known) <= 5 + 3
        assert b"x-gateway-a" not in known
        assert all(len(name) <= message.UNLIKE_LENGTH_MAX for name in known)


def test_a_mailbox_is_its_two_fields() -> None:
    mailbox = Mailbox("Van Thu", "x.vn")
    assert (mailbox.key, str(mailbox)) == ("van thu@x.vn", '"Van Thu"@x.vn')
    assert repr(mailbox) == "Mailbox(local_part='Van Thu', domain='x.vn')"
    assert mailbox == Mailbox("Van Thu", "x.vn") != Mailbox("van thu", "x.vn")
    assert len({mailbox, Mailbox("Van Thu", "x.vn")}) == 1


@pytest.mark.timeout(10)  # linear readers need milliseconds, quadratic ones half a minute
@pytest.mark.parametrize(
    "value",
    [
        b" " * 60_000 + b"x",
        b"a" * 60_000,
        b"a\n " * 20_000,
        b"a\r\n " * 15_000 + b"\n",
        b"\r" * 60_000,
        b"a:" * 30_000,
        b"a:b\n" * 15_000,
        b"a\r\n" * 20_000,
        b'"' + b" " * 60_000,
        b"<a@x.vn>" + b" " * 60_000 + b"x",
        b"<" + b"a" * 60_000,
    ],
)
def test_S15_the_short_ways_read_through_bombs(value: bytes) -> None:
    line = value + b"\r\n"
    for octets in (value, b"From:" + value, b"From: " + line, b"Content-Type: text/plain; a=b" + line):
        letter = Message(octets + b"\r\n")
        assert isinstance(letter.problems, tuple)
        assert mime.attachments(letter) == ()
