"""The parts of a message: what the short way finds is what the walk finds, and it knows what it does not know."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import mime
from gateway.envelope import part as entity
from gateway.envelope.message import Message

OUTER = b"From: a@x.vn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
LINES = (
    "--b", "--b--", "--c", "--c--", "--bb", "--bb--", "--b \t", "--b-", "--b-- ", "", "", "x", " ", "Content-Type: image/png",
    'Content-Type: multipart/related; boundary="c"', 'Content-Type: multipart/mixed; boundary="bb"',
    'Content-Type: multipart/mixed; boundary="b\t"', 'Content-Type: multipart/digest; boundary="c"',
    "Content-Type: message/rfc822", "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.b",
    "Content-Transfer-Encoding: base64", "QUJD", "Content-Type: a/b" + "; a=b" * 200,
)  # fmt: skip


def entities(outer: bytes = b"cde") -> st.SearchStrategy[bytes]:
    """Parts as mailers write them, and now and then a line among them that does not belong there."""
    bodies = st.lists(st.sampled_from(("x", "", "QUJD", "QUI=")), max_size=3).map("\r\n".join)
    heads = st.lists(st.sampled_from(LINES[-5:-2]), max_size=3).map("\r\n".join)
    leaf = st.builds(lambda head, body: f"{head}\r\n\r\n{body}".lstrip().encode(), heads, bodies)
    odd = st.lists(st.sampled_from(LINES), max_size=4).map(lambda lines: "\r\n".join(lines).encode())
    if not outer:
        return leaf
    kinds = st.sampled_from((b"mixed", b"alternative", b"related", b"digest"))
    parts = st.lists(entities(outer[1:]), min_size=1, max_size=3)
    multiparts = st.builds(nested, st.sampled_from((outer[:1], b"c", b"bb")), parts, kinds)
    return st.sampled_from((leaf, leaf, leaf, leaf, multiparts, multiparts, odd)).flatmap(lambda chosen: chosen)


def nested(boundary: bytes, parts: list[bytes], kind: bytes = b"mixed") -> bytes:
    return b"Content-Type: multipart/%s; boundary=%s\r\n\r\n%s" % (kind, boundary, body_of(boundary, parts))


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
@given(st.lists(entities(), min_size=1, max_size=4), st.sampled_from((b"", b"\r\n", b"\r\nx", b"\r\n--b\r\n", b" ")))
def test_the_parts_of_a_message_as_mailers_write_them(parts: list[bytes], epilogue: bytes) -> None:
    assert_both_ways_find_the_same(OUTER + body_of(b"b", parts) + epilogue)


def test_sound_multiparts_go_the_short_way_and_others_do_not() -> None:
    text, file = b"Content-Type: text/plain\r\n\r\nKinh gui", b"Content-Type: a/b; name=c\r\n\r\nx"
    deep = nested(b"c", [nested(b"d", [text, file]), file])
    deeper, alike = nested(b"e", [deep]), nested(b"bb", [file])
    letter = b"Content-Type: message/rfc822\r\n\r\n" + OUTER + b"--b--"
    long = b"X: %s\r\n\r\n" % (b"x" * entity.PART_HEADER_MAX)
    for parts in ([text], [file], [text, file], [deep], [file] * 9, [b"\r\n"], [b"\r\nx"]):
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
