"""Header fields read in one go: the outcome is that of packet by packet, whatever comes, and the price is linear."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.endpoint import milter_codec
from gateway.endpoint.milter_codec import Command, Frames, MilterError, Packet
from gateway.endpoint.milter_dialogue import Dialogue
from gateway.endpoint.milter_run import Run, read_run

SILENT, ANSWERED = 0x1FFFFF, 0x100000 | 0x400  # steps that a mail server offers


def packet(octet: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + octet + payload


def field(name: bytes, value: bytes) -> bytes:
    return packet(b"L", name + b"\0" + value + b"\0")


MACRO = packet(b"D", b"Li\x004c8Z\0")


def plain(octets: bytes) -> list[Packet]:
    """Octet by octet there is no run."""
    frames, found = Frames(), []
    for octet in octets:
        found += frames.feed(bytes((octet,)))
    assert not any(isinstance(one, Run) for one in found)
    return [one for one in found if not isinstance(one, Run)]


def flat(octets: bytes) -> list[Packet]:
    found: list[Packet] = []
    for one in Frames().feed(octets):
        found += one.packets() if isinstance(one, Run) else (one,)
    return found


@pytest.mark.parametrize("macro", [b"", MACRO, packet(b"D", b"L"), packet(b"D", b"L{x}\0\0")])
def test_a_run_is_one(macro: bytes) -> None:
    octets = b"".join(macro + field(b"X-%d" % number, b" a\n b" * number) for number in range(9))
    rest = packet(b"N") + packet(b"B", b"x\0y") + packet(b"E")
    found = Frames().feed(octets + rest)
    assert [found.pop(0)] == plain(macro) if macro else True  # the run begins with a field
    octets = octets[len(macro) :]
    run, *others = found
    assert isinstance(run, Run)
    assert run.octets == octets
    assert run.macros == macro[5:]
    assert run.fields == [b"X-%d:%b\r\n" % (number, b" a\n b" * number) for number in range(9)]
    assert others == plain(rest)
    assert list(run.packets()) == plain(octets)


@pytest.mark.parametrize(
    "octets",
    [
        field(b"X", b" a"),
        field(b"X", b" a\0b") + field(b"Y", b" a"),
        field(b"X", b" a") + field(b"Y", b" a\0") + field(b"Z", b" a"),
        field(b"X", b"a" * 0x10000) + field(b"Y", b" a"),
        packet(b"L", b"X") + packet(b"L", b"\0") + field(b"Y", b""),
        packet(b"L", b"X\0 a\0" + field(b"Y", b" b")) + field(b"Z", b" c"),
        field(b"X", b" a") + packet(b"L", b"Y\0 b\0more"),
        field(b"X", b" a") + packet(b"D", b"Li\x004c8Z\0x") + field(b"Y", b" b"),
        field(b"X", b" a") + packet(b"D", b"L{i}\0a\0{j}\0b\0") + field(b"Y", b" b"),
        field(b"X", b" a") + MACRO + field(b"Y", b" b") + packet(b"D", b"L") + field(b"Z", b" c"),
        MACRO + field(b"X", b" a") + packet(b"D", b"Li\x004c9Z\0") + field(b"Y", b" b"),
        packet(b"D", b"Li\x004c8Z\0x") + field(b"X", b" a"),
        packet(b"D", b"L{i}\0a\0{j}\0b\0") + field(b"X", b" a"),
        packet(b"D", b"L" + field(b"X", b" a")) + field(b"Y", b" b"),
    ],
)
def test_what_is_not_plain_is_read_packet_by_packet(octets: bytes) -> None:
    assert flat(octets) == plain(octets)
    assert flat(octets + octets) == plain(octets + octets)


def told(cut: Callable[[bytes], list[Packet]], octets: bytes) -> list[Packet] | str:
    """The packets, or what is wrong with them."""
    try:
        return cut(octets)
    except MilterError as error:
        return str(error)


PIECES = [b"", b"\0", b"\0\0", b"X", b" x", b"\n y", b"\r\n\tz", b"\n", b"L", b"DL", b"\0\0\0\x03L\0\0", b"\0\0\0\2DL"]
words = st.lists(st.sampled_from(PIECES), max_size=3).map(b"".join)
fields = st.builds(field, words, words)
macros = st.builds(lambda payload: packet(b"D", b"L" + payload), st.one_of(words, st.just(b"i\x004c8Z\0")))
others = st.builds(packet, st.sampled_from([b"N", b"B", b"E", b"A", b"L", b"D", b"M"]), words)
streams = st.lists(st.one_of(fields, fields, macros, others, st.just(MACRO + field(b"X", b" y"))), max_size=10)


@settings(max_examples=500, deadline=None)
@given(streams.map(b"".join), st.integers(0, 40))
def test_packets_are_the_same_one_by_one_and_at_once(octets: bytes, cut: int) -> None:
    octets = octets[: len(octets) - cut]
    assert told(flat, octets) == told(plain, octets)


def outcome(octets: bytes, size: int, steps: int) -> tuple[object, ...]:
    """All that can be seen of a dialogue after these octets, fed in pieces."""
    dialogue, events, out, complaint = Dialogue({}), [], b"", ""
    dialogue.receive(packet(b"O", struct.pack("!III", 6, 0x1FF, steps)))
    try:
        for opening in (packet(b"C", b"x\0U"), packet(b"M", b"<>\0"), packet(b"R", b"<a@b>\0")):
            dialogue.receive(opening)
            if dialogue.owed is not None:
                dialogue.proceed()
        for start in range(0, len(octets), size):
            events += dialogue.receive(octets[start : start + size])
            out += dialogue.outgoing()
    except MilterError as error:
        events, complaint = [], str(error)  # events before it in the same piece are not told
    return events, out, complaint, dialogue.stage, dialogue.owed, dialogue.overflow, dict(dialogue.macros)


@settings(max_examples=500, deadline=None)
@given(streams.map(b"".join), st.sampled_from([SILENT, ANSWERED]))
def test_a_dialogue_is_the_same_one_by_one_and_at_once(octets: bytes, steps: int) -> None:
    at_once, one_by_one = outcome(octets, len(octets) or 1, steps), outcome(octets, 1, steps)
    if at_once[2] == one_by_one[2] == "":
        assert at_once == one_by_one
    else:  # the stream breaks off: what was answered before depends on when it was read
        assert [bool(at_once[2]), at_once[3]] == [bool(one_by_one[2]), one_by_one[3]]


@pytest.mark.parametrize("stage", [b"", packet(b"N")])
def test_fields_where_none_may_come_are_an_error(stage: bytes) -> None:
    octets = stage + field(b"X", b" a") * 3
    dialogue = Dialogue({})
    dialogue.receive(packet(b"O", struct.pack("!III", 6, 0x1FF, SILENT)))
    if stage:
        dialogue.receive(packet(b"C", b"x\0U") + packet(b"M", b"<>\0"))
    with pytest.raises(MilterError, match="HEADER while"):
        dialogue.receive(octets)


def test_a_macro_packet_between_some_fields_is_told_once() -> None:
    octets = field(b"X", b" a") + MACRO + field(b"Y", b" b") + field(b"Z", b" c") + MACRO + field(b"X", b" d")
    (run,) = Frames().feed(octets)
    assert isinstance(run, Run)
    assert run.macros == MACRO[5:]
    assert list(run.packets()) == plain(octets)


def test_a_long_run_is_cut_and_nothing_of_it_is_lost() -> None:
    octets = field(b"X", b"") * 1700
    found = Frames().feed(octets)
    assert all(isinstance(one, Run) for one in found)
    assert len(found) == 4
    assert flat(octets) == [(Command.HEADER, b"X\0\0")] * 1700


@pytest.mark.parametrize(
    "one",
    [
        field(b"X", b"\0"),
        field(b"", b""),
        field(b"X", b" a") + field(b"X", b" a\0"),
        packet(b"D", b"L") + field(b"X", b"\0"),
        packet(b"L", b"X\0 a\0x"),
    ],
)
def test_the_price_is_linear(one: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that turns out not to be plain is not begun again at each of its packets."""
    outcomes: list[Run | None] = []

    def counted(octets: bytes, position: int) -> Run | None:
        outcomes.append(read_run(octets, position))
        return outcomes[-1]

    monkeypatch.setattr(milter_codec, "read_run", counted)
    octets = one * 5000
    found = Frames().feed(octets)
    assert outcomes.count(None) <= 1
    assert sum(len(run.octets) for run in outcomes if run) <= len(octets)
    assert found


def test_a_run_begins_where_it_is_said_to() -> None:
    octets = b"x" + field(b"X", b" a") * 2
    assert read_run(octets, 0) is None
    run = read_run(octets, 1)
    assert run is not None
    assert run.fields == [b"X: a\r\n"] * 2
