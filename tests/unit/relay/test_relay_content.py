"""Content on the wire: dots, and what could end it early (S-1, S-3, R-16)."""

from __future__ import annotations

import itertools
import mmap
import re
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.content import CHUNK, DotStuffer, SmugglingError, has_8bit, header_has_8bit, pieces, size

ODD = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r\n.\r\n", b"", b"\xe1\xbb\x9f"]), max_size=30).map(
    b"".join
)


def wire(*segments: bytes) -> bytes:
    stuffer = DotStuffer()
    return b"".join(map(stuffer.feed, segments)) + stuffer.end()


def received(octets: bytes) -> bytes:
    """What a server by RFC 5321 §4.5.2 reads, line by line."""
    assert octets.endswith(b".\r\n")
    lines = octets.split(b"\r\n")
    end = lines.index(b".")
    assert end == len(lines) - 2, "ended early"
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])


@given(ODD, st.lists(st.integers(0, 100), max_size=6))
def test_s3_any_content_cut_anywhere_arrives_unchanged(content: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    segments = [content[a:b] for a, b in itertools.pairwise(places)]
    whole = content if not content or content.endswith(b"\r\n") else content + b"\r\n"
    assert received(wire(*segments)) == whole
    assert wire(*segments) == wire(content)


@given(st.binary(max_size=60).map(lambda b: bytes(b"\r\n\0.a"[octet % 5] for octet in b)), st.integers(1, 5))
def test_s3_a_dot_is_sent_only_where_no_server_can_take_it_for_the_end(content: bytes, step: int) -> None:
    """Cut anywhere, the verdict is the same; what passes has no dot right after a bare CR, a bare LF or a NUL."""
    segments = [content[i : i + step] for i in range(0, len(content), step)]
    dangerous = re.search(rb"(?<!\r)\n\.|\r\.|\0\.", content) is not None
    if dangerous:
        with pytest.raises(SmugglingError):
            wire(*segments)
    else:
        sent = wire(*segments)
        assert not re.search(rb"(?<!\r)\n\.|\r\.|\0\.", sent)
        assert sent.count(b"\r\n.\r\n") + sent.startswith(b".\r\n") == 1
        assert sent == wire(content)


@pytest.mark.parametrize(
    "variant",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\n\n.\r\n", b"\n\r.\r\n"],
)
def test_s1_smuggling_variants_are_never_sent(variant: bytes) -> None:
    with pytest.raises(SmugglingError):
        wire(b"Subject: x\r\n\r\nabc" + variant + b"MAIL FROM:<hieutruong@longan.edu.vn>\r\n")


@pytest.mark.parametrize("variant", [b"\r\n.\n", b"\r\n.\r", b"\r\n.\0\r\n", b"\r\n.\r\r\n"])
def test_s1_variants_after_crlf_are_doubled(variant: bytes) -> None:
    assert b"\r\n.." in wire(b"abc" + variant + b"x")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\r\n\r\n", b"a\r\n\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
    ],
)
def test_r16_the_last_crlf_is_not_added_twice(content: bytes, expected: bytes) -> None:
    assert wire(content) == expected


def test_pieces_are_small_copies_of_a_map() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * (3 * CHUNK + 7))
        file.flush()
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        content = [b"Received: x\r\n", view[5:]]
        assert [len(piece) for piece in pieces(content)] == [13, CHUNK, CHUNK, CHUNK, 2]
        assert size(content) == 13 + 3 * CHUNK + 2


def test_8bit_is_found_where_it_is() -> None:
    body, header = [b"Subject: x\r\n\r", b"\n\xe1"], [b"Subject: \xe1\r", b"\n\r\nx"]
    assert has_8bit(pieces(body))
    assert not header_has_8bit(body)
    assert header_has_8bit(header)
    assert not has_8bit([b"abc"])
    assert not header_has_8bit([b"\r\n\xe1"])
