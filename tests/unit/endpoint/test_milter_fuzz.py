"""Whatever comes on the milter socket: MilterError or events, never another fault (O-12, S-34); cuts never matter."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.endpoint.milter_codec import MilterError
from gateway.endpoint.milter_dialogue import Content, Dialogue, Event, Stage

OPTIONS = struct.pack("!III", 6, 0x1FF, 0x1FFFFF)
WORDS = [
    b"",
    b"\0",
    b"a\0",
    b"a\0b\0",
    b"\n",
    b"\r\n",
    b"\xff",
    b"<a@b>\0",
    b"4\0\x19192.0.2.7\0",
    b"x\0U",
    b"{i}\0",
    b"M",
]

payloads = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(WORDS), max_size=5).map(b"".join))
packets = st.builds(
    lambda octet, payload: struct.pack("!I", len(payload) + 1) + octet + payload,
    st.sampled_from([bytes([octet]) for octet in b"ODCHMRTLNBEAQKU"]),
    payloads,
)


def packet(octet: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + octet + payload


def started() -> Dialogue:
    dialogue = Dialogue({})
    dialogue.receive(packet(b"O", OPTIONS))
    return dialogue


def answered(dialogue: Dialogue, octets: bytes) -> list[Event]:
    """Receive, and CONTINUE to what is owed."""
    events = dialogue.receive(octets)
    dialogue.outgoing()
    assert dialogue.macros is not None
    if dialogue.owed is not None:
        dialogue.proceed()
    return events


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), packets), max_size=12), st.booleans())
def test_nothing_but_milter_errors_leaves_the_dialogue(pieces: list[bytes], negotiated: bool) -> None:
    dialogue = started() if negotiated else Dialogue({})
    complaint = ""
    try:
        for piece in pieces:
            answered(dialogue, piece)
    except MilterError as error:
        complaint = str(error)
        assert dialogue.stage is Stage.CLOSED
    assert complaint.isprintable()
    assert len(complaint) < 300


NAMES = st.sampled_from([b"From", b"Subject", b"X-\xff", b"Received", b" "])
VALUES = st.lists(st.sampled_from([b" x", b"\n y", b"\r\n\tz", b"\r", b"\0", b"\n", b"=?utf-8?q?=0a?="])).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.lists(st.binary(max_size=20), max_size=4))
def test_no_message_content_is_an_error_and_a_section_has_as_many_fields_as_were_sent(
    fields: list[tuple[bytes, bytes]], chunks: list[bytes]
) -> None:
    dialogue = started()
    for octets in (packet(b"C", b"x\0U"), packet(b"M", b"<>\0"), packet(b"R", b"<a@b>\0")):
        answered(dialogue, octets)
    stream = b"".join(packet(b"L", name + b"\0" + value + b"\0") for name, value in fields) + packet(b"N")
    stream += b"".join(packet(b"B", chunk) for chunk in chunks) + packet(b"E")
    first, *rest = dialogue.receive(stream)
    assert isinstance(first, Content)
    header, end, after = first.octets.partition(b"\r\n\r\n")
    assert (end, after) == (b"\r\n\r\n", b"") or first.octets == b"\r\n"
    assert b"\n" not in header.replace(b"\r\n", b"")
    lines = [line for line in first.octets.split(b"\r\n")[:-2] if line[:1] not in (b" ", b"\t")]
    assert dialogue.overflow or len(lines) <= len(fields)
    assert b"".join(event.octets for event in rest if isinstance(event, Content)) == b"".join(chunks)


CONVERSATION = [
    packet(b"O", OPTIONS),
    packet(b"D", b"Cj\0mx.longan.edu.vn\0") + packet(b"C", b"mail.example\x004\x9c\xbb192.0.2.7\0"),
    packet(b"H", b"mail.example\0"),
    packet(b"D", b"M{mail_addr}\0a\0")
    + packet(b"M", b"<a@thcs-tanan.edu.vn>\0SIZE=70000\0")
    + packet(b"R", b"<b@c>\0"),
    packet(b"R", b"<vanthu@longan.edu.vn>\0NOTIFY=NEVER\0"),
    b"".join(packet(b"D", b"L") + packet(b"L", b"X\0 %d\n y\0" % number) for number in range(20))
    + packet(b"N")
    + packet(b"B", bytes(range(256)) * 200)
    + packet(b"E"),
    packet(b"A") + packet(b"M", b"<>\0"),
    packet(b"K") + packet(b"C", b"x\0U"),
    packet(b"Q"),
]


def events_of(cuts: list[int]) -> list[Event]:
    """Say the conversation in pieces, cut at these places of each turn; a turn is what is said before an answer."""
    dialogue = Dialogue({})
    events: list[Event] = []
    for turn in CONVERSATION:
        places = sorted({0, len(turn), *(cut % len(turn) for cut in cuts)})
        for start, end in pairwise(places):
            assert dialogue.owed is None
            events += dialogue.receive(turn[start:end])
        if dialogue.owed is not None:
            dialogue.proceed()
    return events


WHOLE = events_of([])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 60_000), max_size=8))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    assert events_of(cuts) == WHOLE


def test_the_conversation_octet_by_octet() -> None:
    assert events_of(list(range(52_000))) == WHOLE
    assert len(WHOLE) == 12
