"""A signature like a known one is read as if none were known: the same values, the same flaw."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope.header import Field
from gateway.evidence import signature
from gateway.evidence.signature import Signature, parse_dkim
from gateway.evidence.tags import TagError, Tags

HASH = base64.b64encode(b"x" * 32)
CHOICES = {
    b"v": [b"1", b"1", b"1", b"2"],
    b"a": [b"rsa-sha256", b"rsa-sha256", b"ed25519-sha256", b"rsa-sha1", b"none"],
    b"c": [b"relaxed/relaxed", b"relaxed", b"simple/simple", b"relaxed/x", b""],
    b"d": [b"a.example", b"a.example", b"A.example", b"b.example", b"example", b""],
    b"s": [b"s1", b"s1", b"s2", b".", b""],
    b"i": [b"@a.example", b"u@mail.a.example", b"u@c.example", b"u", b"u@" + b"x" * 300],
    b"h": [b"from:to", b"from:to", b"From : to", b"to", b"from" + b":x" * 199, b"from" + b":x" * 700],
    b"q": [b"dns/txt", b"dns/txt", b"http"],
    b"l": [b"0", b"12", b"-1", b"x"],
    b"b": [b"YWJj", b"YWJj", b"ZGVm", b"Y", b""],
    b"bh": [HASH, HASH, base64.b64encode(b"y" * 32), base64.b64encode(b"z" * 20), b"YWJj", b"*"],
    b"t": [b"1700000000", b"1700000000", b"1800000000", b"x"],
    b"x": [b"1750000000", b"1900000000", b"x"],
    b"z": [b"", b"x"],
}
PLAIN = {b"v": b"1", b"a": b"rsa-sha256", b"d": b"a.example", b"s": b"s1", b"h": b"from:to", b"b": b"YWJj", b"bh": HASH}
changes = st.dictionaries(st.sampled_from(sorted(CHOICES)), st.integers(0, 5), max_size=4)


def reading(field: Field, tags: Tags) -> Signature | str:
    try:
        return parse_dkim(field, tags)
    except TagError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(changes, st.sampled_from([None, b"a", b"d", b"s", b"h", b"b", b"bh"])), max_size=12))
def test_what_is_known_changes_nothing(many: list[tuple[dict[bytes, int], bytes | None]]) -> None:
    signature._known.clear()
    for start, (changed, left_out) in enumerate(many):
        tags = PLAIN | {name: CHOICES[name][at % len(CHOICES[name])] for name, at in changed.items()}
        if left_out:
            del tags[left_out]
        field = Field(b"DKIM-Signature", b"", start, start + 1)
        found = reading(field, tags), reading(field, tags)
        kept = dict(signature._known)
        signature._known.clear()
        assert found == (reading(field, tags),) * 2
        signature._known.update(kept)


def test_S16_signatures_that_are_known_do_not_fill_the_memory() -> None:
    for number in range(2 * signature.KNOWN_MAX):
        parse_dkim(Field(b"", b"", 0, 1), PLAIN | {b"s": b"s%d" % number})
        assert len(signature._known) <= signature.KNOWN_MAX
    signature._known.clear()
    parse_dkim(Field(b"", b"", 0, 1), PLAIN | {b"q": b"dns/txt:" + b"x" * signature.KNOWN_LENGTH_MAX})
    assert not signature._known
