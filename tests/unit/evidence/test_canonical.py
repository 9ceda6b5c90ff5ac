"""Canonical forms: the same octets as dkimpy's, in blocks of any size (RFC 6376 §3.4)."""

from __future__ import annotations

import hashlib
import mmap

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.envelope.message import Message
from gateway.evidence import canonical

LINES = st.lists(
    st.sampled_from([b"a", b"bc", b" ", b"\t", b"  ", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"x \r\n"]), max_size=40
)


@given(parts=LINES, relaxed=st.booleans(), block=st.integers(2, 30))
def test_bodies_come_out_as_dkimpy_has_them(parts: list[bytes], relaxed: bool, block: int) -> None:
    body = b"".join(parts) + b"\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "BLOCK", block)
        ours = b"".join(canonical.canonical_body(memoryview(body), relaxed=relaxed))
    assert ours == (Relaxed if relaxed else Simple).canonicalize_body(body)


@given(value=st.binary(max_size=60))
def test_fields_come_out_as_dkimpy_has_them(value: bytes) -> None:
    value = value.replace(b"\n", b"").replace(b"\r", b"").strip(b"\x0b\x0c")
    ((name, text),) = Relaxed.canonicalize_headers([(b"Subject ", b" \t" + value + b"\r\n x\r\n")])
    assert canonical.relaxed_field(b"Subject ", b" \t" + value + b"\r\n x") + b"\r\n" == name + b":" + text


def test_simple_and_relaxed_empty_bodies_differ() -> None:
    assert b"".join(canonical.canonical_body(memoryview(b""), relaxed=False)) == b"\r\n"
    assert b"".join(canonical.canonical_body(memoryview(b""), relaxed=True)) == b""


def test_all_limits_of_one_canonicalisation_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "BLOCK", 7)
    body = b"mot hai ba\r\nbon nam\r\n"
    message = Message(b"From: a@example.vn\r\n\r\n" + body)
    passes = []
    whole = canonical.canonical_body
    monkeypatch.setattr(canonical, "canonical_body", lambda *a, **k: passes.append(1) or whole(*a, **k))
    limits = [0, 3, 7, 12, len(body), 99, None]
    for limit in limits:
        digest, total = canonical.body_hash(message, relaxed=False, limit=limit, also=limits)
        assert digest == hashlib.sha256(body[:limit]).digest()
        assert total == len(body)
    assert len(passes) == 1


def test_a_mapped_file_hashes_as_its_octets_do() -> None:
    raw = b"From: a@example.vn\r\n\r\n" + b"dong  \t cuoi \r\n" * 100_000
    mapped = mmap.mmap(-1, len(raw))
    mapped.write(raw)
    for relaxed in (False, True):
        one, other = (canonical.body_hash(Message(r), relaxed=relaxed, limit=None) for r in (raw, mapped))
        assert one == other


@given(parts=LINES, relaxed=st.booleans())
def test_a_body_of_one_block_comes_out_as_one_of_many_blocks(parts: list[bytes], relaxed: bool) -> None:
    body = memoryview(b"".join(parts))
    whole = b"".join(canonical.canonical_body(body, relaxed=relaxed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "BLOCK", 1)
        assert b"".join(canonical.canonical_body(body, relaxed=relaxed)) == whole


@given(parts=LINES, relaxed=st.booleans(), also=st.sampled_from([(), (3,)]))
def test_a_short_body_has_the_hash_of_its_blocks(parts: list[bytes], relaxed: bool, also: tuple[int, ...]) -> None:
    raw = b"From: a@example.vn\r\n\r\n" + b"".join(parts)
    canonical_form = b"".join(canonical.canonical_body(Message(raw).body, relaxed=relaxed))
    expected = hashlib.sha256(canonical_form).digest(), len(canonical_form)
    assert canonical.body_hash(Message(raw), relaxed=relaxed, limit=None, also=also) == expected


NAMES = [b"from", b"to", b"subject", b"dkim-signature", b"x-absent"]
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"From", b"to", b"To ", b"SUBJECT\t", b"DKIM-Signature", b"X Y", b""]),
        st.lists(
            st.sampled_from([b"a", b"b c", b" ", b"\t", b"\r\n ", b"\r\n\t", b"\r", b"\n", b"\x0b", b"\x0c", b"\xff"]),
            max_size=6,
        ).map(b"".join),
    ),
    min_size=1,
    max_size=12,
)


@given(fields=FIELDS, names=st.lists(st.sampled_from(NAMES), max_size=10), relaxed=st.booleans(), data=st.data())
def test_signed_fields_are_taken_from_the_bottom_up_each_in_its_canonical_form(
    fields: list[tuple[bytes, bytes]], names: list[bytes], relaxed: bool, data: st.DataObject
) -> None:
    message = Message(b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\nx\r\n")
    assume(message.fields)
    itself = data.draw(st.sampled_from(message.fields))
    left = [field for field in message.fields if field.start != itself.start]
    expected = []
    for name in names:
        same = [field for field in left if field.key == name]
        if same:
            left.remove(same[-1])
            expected.append(canonical.canonical_field(message, same[-1], relaxed=relaxed))
    assert canonical.signed_fields(message, names, itself, relaxed=relaxed) == expected


def test_S16_many_signatures_of_a_large_section_relax_each_field_once() -> None:
    raw = b"".join(b"X-%d: a  b\r\n\tc\r\n" % number for number in range(900)) + b"From: a@example.vn\r\n"
    message = Message(raw + b"X-Large: " + b"x " * canonical.HEADER_PLAIN + b"\r\n\r\n")
    names = [field.key for field in message.fields]
    first, second = (canonical.signed_fields(message, names, message.fields[0], relaxed=True) for _ in range(2))
    assert len(first) == 901
    assert all(one is other for one, other in zip(first, second, strict=True))
