"""Tag lists: what dkimpy reads in them, and never more (RFC 6376 §3.2)."""

from __future__ import annotations

import base64
import re

import pytest
from dkim.util import InvalidTagValueList, parse_tag_value
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.evidence.tags import LIST_MAX, TagError, octets_of, parse, squeezed, without_signature, words

PIECES = [b"a", b"b", b"bh", b"v", b"x1", b"a_", b"B", b"9", b"=", b"=", b";", b";", b" ", b"\t", b"\r\n", b"\x0b",
          b"\x0c", b"\n", b"-", b"\xff", b":", b"YWJj", b"/+", b"", b"\0"]  # fmt: skip
LISTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join), st.binary(max_size=40))
VALID = (
    b" v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n\td=tanan.example; s=s1; t=1700000000; h=from:to:\r\n subject;"
    b" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=b=YWJj\r\n ZGVm=="
)


def yardstick(octets: bytes) -> dict[bytes, bytes] | str:
    """dkimpy's reading, with names to their end and no further than LIST_MAX octets."""
    try:
        tags: dict[bytes, bytes] = parse_tag_value(octets)
    except InvalidTagValueList:
        return "tag list syntax"
    return tags if all(re.fullmatch(rb"[A-Za-z][A-Za-z0-9_]*", name) for name in tags) else "tag name syntax"


def reading(octets: bytes) -> dict[bytes, bytes] | str:
    try:
        return parse(octets)
    except TagError as error:
        return str(error)


@given(octets=LISTS)
@example(octets=VALID)
@example(octets=VALID + b";")
@example(octets=VALID + b"; ;")
@example(octets=b"")
@example(octets=b";")
@example(octets=b"a=1; a=2")
@example(octets=b"a-b=1; c")
@example(octets=b"a-b=1; 9=2")
def test_lists_are_read_as_dkimpy_reads_them(octets: bytes) -> None:
    assert reading(octets) == yardstick(octets)
    tags = reading(octets)
    if isinstance(tags, dict):
        assert list(tags) == list(parse_tag_value(octets))  # the order too: v= has to be the first of a key


def test_a_list_is_bounded() -> None:
    assert reading(b"a=" + b"x" * (LIST_MAX - 2)) == {b"a": b"x" * (LIST_MAX - 2)}
    assert reading(b"a=" + b"x" * (LIST_MAX - 1)) == f"more than {LIST_MAX} octets"


def part_by_part(value: bytes) -> bytes:
    parts = value.split(b";")
    for position, part in enumerate(parts):
        name, equals, _ = part.partition(b"=")
        if equals and name.strip(b" \t\r\n") == b"b":
            parts[position] = name + equals
            break
    return b";".join(parts)


@given(value=LISTS)
@example(value=VALID)
@example(value=VALID + b"; z=1")
@example(value=b"b=x; b=y")
@example(value=b"\r\n b \t=\r\n x ; bh=b=")
def test_only_the_text_of_b_is_taken_out_of_a_signature(value: bytes) -> None:
    assert without_signature(value) == part_by_part(value)


def test_S16_taking_out_the_signature_is_linear() -> None:
    value = (b";" + b" " * 8000) * 200 + b"b" + b"\t" * 200_000
    assert without_signature(value) == value


@given(value=LISTS)
def test_words_are_lower_case_and_never_empty(value: bytes) -> None:
    assert words(value) == tuple(word for word in squeezed(value).lower().split(b":") if word)


@given(value=st.one_of(st.binary(max_size=30), st.binary(max_size=30).map(base64.b64encode)))
def test_base64_is_read_strictly(value: bytes) -> None:
    text = squeezed(value)
    try:
        expected: bytes | None = base64.b64decode(text, validate=True) if text else None
    except ValueError:
        expected = None
    if expected is None:
        with pytest.raises(TagError):
            octets_of({b"b": value}, b"b")
    else:
        assert octets_of({b"b": value}, b"b") == expected
