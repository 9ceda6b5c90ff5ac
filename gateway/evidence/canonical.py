"""Canonicalisation of header fields and bodies (RFC 6376 §3.4): linear in the octets, each body read once.

Stock regular expressions are quadratic on runs of blanks (100 KB took 8 s), so only searches and replacements of fixed
strings are used here. A body may be an mmap of a large spool file: it is read in blocks of whole lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import repeat

from gateway.envelope.header import Field
from gateway.envelope.message import Message

BLOCK = 64 * 1024  # octets of a body that are handled at once, if its lines are shorter: they stay in the cache

HEADER_PLAIN = 16 * 1024  # octets of a section up to which a field is relaxed for each signature anew, and not kept

_BLANKS = re.compile(rb"[ \t]+")
_CRLF = b"\r\n"
_ODD = b"\r\n\x0b\x0c"  # outside of CRLF: bytes.split() takes these for white space, RFC 6376 does not
_LINE_ENDS = re.compile(rb"(?:\n\r)+")  # of reversed octets

BodyHash = tuple[bytes, int]  # SHA-256 digest of the canonical body up to l=, octets that the whole of it has


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """`relaxed` form of one field, without CRLF (RFC 6376 §3.4.2)."""
    unfolded = value.translate(None, _ODD)
    if len(value) - len(unfolded) == 2 * value.count(_CRLF):
        text = b" ".join(unfolded.split())
    else:
        text = _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + text


def canonical_field(message: Message, field: Field, *, relaxed: bool) -> bytes:
    """One field of a message in canonical form, CRLF included; the relaxed form is kept in message.memo."""
    if not relaxed:
        return field.name + b":" + field.value + b"\r\n"
    key = ("relaxed field", field.start)
    octets: bytes | None = message.memo.get(key)
    if octets is None:
        octets = message.memo[key] = relaxed_field(field.name, field.value) + b"\r\n"
    return octets


def signed_fields(message: Message, names: Sequence[bytes], itself: Field, *, relaxed: bool) -> list[bytes]:
    """The fields that h= names, taken from the bottom up (RFC 6376 §5.4.2); `itself` is never one of them."""
    left = dict(zip(names, map(reversed, map(message.all, names)), strict=True))
    if itself.key in left:
        left[itself.key] = reversed([field for field in message.all(itself.key) if field.start != itself.start])
    taken = zip(names, map(next, map(left.__getitem__, names), repeat(None)), strict=False)
    if relaxed and _is_plain(message.header):
        return [b"%b:%b\r\n" % (name, b" ".join(field.value.split())) for name, field in taken if field]
    return [canonical_field(message, field, relaxed=relaxed) for _, field in taken if field]


def _is_plain(header: bytes) -> bool:
    """Whether bytes.split() reads white space in every field of a section as RFC 6376 does; so it is in nearly all mail."""
    if len(header) > HEADER_PLAIN:
        return False
    return len(header) - len(header.translate(None, _ODD)) == 2 * header.count(_CRLF)


def body_hash(message: Message, *, relaxed: bool, limit: int | None, also: Collection[int | None] = ()) -> BodyHash:
    """SHA-256 of the canonical body, cut at `limit` octets (l=). `also` names other limits to compute in the same go.

    Results are kept in message.memo: ten signatures of a 50 MB message read its body once per canonicalisation.
    """
    kept: dict[int | None, BodyHash] = message.memo.setdefault(("body hash", relaxed), {})
    known = kept.get(limit)
    if known is None:
        body = message.body
        if limit is None and not also and len(body) <= BLOCK:  # nearly every one
            text = _short_body(bytes(body), relaxed)
            known = kept[None] = hashlib.sha256(text).digest(), len(text)
            return known
        wanted = {limit, *also} - kept.keys()
        kept.update(_hashes(canonical_body(body, relaxed=relaxed), wanted))
        known = kept[limit]
    return known


def _hashes(blocks: Iterable[bytes], limits: set[int | None]) -> dict[int | None, BodyHash]:
    """Digests at each limit, in one pass; a limit beyond the end gives the digest of all."""
    cuts = sorted([limit for limit in limits if limit is not None], reverse=True)
    digests: dict[int | None, bytes] = {}
    hasher, total = hashlib.sha256(), 0
    for block in blocks:
        if not cuts:
            hasher.update(block)
            total += len(block)
            continue
        view, offset = memoryview(block), 0
        while cuts and cuts[-1] <= total + len(block):
            cut = cuts.pop()
            hasher.update(view[offset : cut - total])
            offset = cut - total
            digests[cut] = hasher.digest()
        hasher.update(view[offset:])
        total += len(block)
    whole = hasher.digest()
    if not digests:
        return dict.fromkeys(limits, (whole, total))
    return {limit: (digests.get(limit, whole), total) for limit in limits}


def canonical_body(body: memoryview, *, relaxed: bool) -> Iterator[bytes]:
    """The canonical body in blocks (RFC 6376 §3.4.3, §3.4.4). Empty lines are held back until a line follows them."""
    if len(body) <= BLOCK:
        yield _short_body(bytes(body), relaxed)
        return
    pending, empty = 0, True
    for block in _lines(body):
        text = _relax(block) if relaxed else block
        ends = _trailing_line_ends(text)
        if 2 * ends == len(text):
            pending += ends
            continue
        while pending:
            some = min(pending, BLOCK)
            yield _CRLF * some
            pending -= some
        yield text[: len(text) - 2 * (ends - 1)]
        pending, empty = ends - 1, False
    if empty and not relaxed:
        yield _CRLF


def _short_body(text: bytes, relaxed: bool) -> bytes:
    """The canonical form of a body that is one block."""
    if not text.endswith(_CRLF):
        text += _CRLF
    if relaxed:
        text = _relax(text)
    ends = _trailing_line_ends(text)
    if 2 * ends == len(text):
        return b"" if relaxed else _CRLF
    return text[: len(text) - 2 * (ends - 1)]


def _lines(body: memoryview) -> Iterator[bytes]:
    """The body in blocks that end in CRLF; a CRLF is added after a last line that has none."""
    position, size, length = 0, BLOCK, len(body)
    while position < length:
        block = bytes(body[position : position + size])
        if position + len(block) == length:
            yield block if block.endswith(_CRLF) else block + _CRLF
            return
        end = block.rfind(_CRLF) + 2
        if end < 2:
            size *= 2  # a line longer than the block
            continue
        yield block[:end]
        position, size = position + end, BLOCK


def _relax(text: bytes) -> bytes:
    if b" " not in text and b"\t" not in text:  # base64, as most octets of large mail: it costs one look
        return text
    text = text.replace(b"\t", b" ")
    while b"  " in text:  # each round halves every run: log2 of the longest run of blanks
        text = text.replace(b"  ", b" ")
    return text.replace(b" \r\n", b"\r\n")


def _trailing_line_ends(text: bytes) -> int:
    """How many CRLF end the text, which ends in one."""
    if not text.endswith(b"\r\n\r\n"):
        return 1
    tail = text[len(text.rstrip(b"\r\n")) :]
    match = _LINE_ENDS.match(tail[::-1])
    return match.end() // 2 if match else 0
