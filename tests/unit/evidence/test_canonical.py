"""Canonical forms: the same octets as dkimpy's, in blocks of any size (RFC 6376 §3.4)."""

from __future__ import annotations

import hashlib
import mmap

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
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
