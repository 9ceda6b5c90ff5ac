"""What nearly all mail looks like is read by a short way, all else by a general one: both must read the same."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import author, content, folding, header, message, mime, parameters
from gateway.envelope import part as entity
from gateway.envelope.address import AddressError, Mailbox, parse_mailbox
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


OUTER = b"From: a@x.vn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
LINES = (
    "--b", "--b--", "--c", "--c--", "--bb", "--bb--", "--b \t", "--b-", "--b-- ", "", "", "x", " ", "Content-Type: image/png",
    'Content-Type: multipart/related; boundary="c"', 'Content-Type: multipart/mixed; boundary="bb"',
    'Content-Type: multipart/mixed; boundary="b\t"', 'Content-Type: multipart/digest; boundary="c"',
    "Content-Type: message/rfc822", "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.b",
    "Content-Transfer-Encoding: base64", "QUJD", "Content-Type: a/b" + "; a=b" * 200,
)  # fmt: skip


def entities(depth: int = 3) -> st.SearchStrategy[bytes]:
    """Parts as mailers write them, and now and then a line among them that does not belong there."""
    bodies = st.lists(st.sampled_from((*LINES, "x", "QUJD", "QUI=")), max_size=3).map("\r\n".join)
    fields = st.lists(st.sampled_from(LINES[13:]), max_size=3).map("\r\n".join)
    leaf = st.builds(lambda head, body: f"{head}\r\n\r\n{body}".lstrip().encode(), fields, bodies)
    if not depth:
        return leaf
    name = st.sampled_from(("c", "d", "e", "bb"))
    return leaf | st.builds(
        lambda name, parts, kind: (
            b"Content-Type: multipart/%s; boundary=%s\r\n\r\n" % (kind, name) + body_of(name, parts)
        ),
        name.map(str.encode),
        st.lists(entities(depth - 1), max_size=3),
        st.sampled_from((b"mixed", b"alternative", b"digest")),
    )


def body_of(boundary: bytes, parts: list[bytes]) -> bytes:
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, one) for one in parts) + b"--%s--" % boundary


def assert_both_ways_find_the_same(raw: bytes) -> bool:
    """Whether the short way was gone at all."""
    letter = Message(raw)
    read = entity.part_of(letter)
    quick = mime._plain(letter, read)
    assert quick is None or quick == mime._walked(letter, read)
    assert (mime.attachments(letter), mime.mime_problems(letter)) == mime._walked(letter, read)
    return quick is not None


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_the_parts_of_a_message_of_any_lines(lines: list[str]) -> None:
    assert_both_ways_find_the_same(OUTER + "\r\n".join(lines).encode())


@settings(max_examples=400, deadline=None)
@given(st.lists(entities(), max_size=4), st.sampled_from((b"", b"\r\n", b"\r\n--b\r\n", b"\r\n--bc", b" ")))
def test_the_parts_of_a_message_as_mailers_write_them(parts: list[bytes], epilogue: bytes) -> None:
    assert_both_ways_find_the_same(OUTER + body_of(b"b", parts) + epilogue)


def test_sound_multiparts_go_the_short_way_and_others_do_not() -> None:
    text, file = b"Content-Type: text/plain\r\n\r\nKinh gui", b"Content-Type: a/b; name=c\r\n\r\nx"
    nested = text
    for name in (b"c", b"d"):
        nested = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n%s" % (name, body_of(name, [nested, file]))
    deeper = b"Content-Type: multipart/mixed; boundary=e\r\n\r\n" + body_of(b"e", [nested])
    alike = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n" + body_of(b"bb", [file])
    letter = b"Content-Type: message/rfc822\r\n\r\n" + OUTER + b"--b--"
    long = b"X: %s\r\n\r\n" % (b"x" * entity.PART_HEADER_MAX)
    for parts in ([text], [file], [text, file], [nested], [file] * 9, [b"\r\n"], [b"\r\nx"]):
        assert assert_both_ways_find_the_same(OUTER + body_of(b"b", parts)), parts
        assert assert_both_ways_find_the_same(OUTER + b"preamble\r\n" + body_of(b"b", parts) + b"\r\nepilogue")
    for parts in ([], [file] * 10, [deeper], [alike], [letter], [b""], [b"X: y"], [file, long]):
        assert not assert_both_ways_find_the_same(OUTER + body_of(b"b", parts)), parts
    for end in (b" ", b"\r\n--b--", b"\r\n--b\r\n", b"\r\n--bc"):
        assert not assert_both_ways_find_the_same(OUTER + body_of(b"b", [text]) + end), end
    name = b"b" * (entity.BOUNDARY_MAX + 1)
    assert not assert_both_ways_find_the_same(OUTER.replace(b"=b", b"=" + name) + body_of(name, [text]))
    assert assert_both_ways_find_the_same(b"From: a@x.vn\r\n\r\ntext")
    assert assert_both_ways_find_the_same(b"Content-Type: a/b\r\n\r\ntext")


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
