"""Milter packets: caps before anything is kept (S-34), payloads as Postfix and Sendmail write them, answers octet by octet."""

from __future__ import annotations

import struct

import pytest

from gateway.endpoint import milter_codec as codec
from gateway.endpoint.milter_codec import Action, Command, Frames, MacroStage, MilterError, Step
from gateway.endpoint.milter_events import Connected
from gateway.envelope.reply import Reply

CAPS = {  # octets of payload, typed from what mail servers send; all others 4096
    Command.BODY: 65536,
    Command.BODYEOB: 65536,
    Command.HEADER: 1 << 20,
    Command.MACRO: 65536,
    Command.HELO: 65536,
    Command.MAIL: 65536,
    Command.RCPT: 65536,
    Command.UNKNOWN: 65536,
}


def packet(octet: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + octet + payload


def feed_slowly(octets: bytes) -> None:
    frames = Frames()
    for octet in octets:
        frames.feed(bytes([octet]))


# ---- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", list(Command))
def test_s34_a_packet_longer_than_its_command_allows_is_refused_at_its_head(command: Command) -> None:
    cap = CAPS.get(command, 4096)
    with pytest.raises(MilterError, match=f"{cap + 2} octets for {command.name}"):
        Frames().feed(struct.pack("!IB", cap + 2, command))
    payload = b"x" * cap
    assert Frames().feed(packet(bytes([command]), payload)) == [(command, payload)]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xff\xff\xff\xff", id="4 GB, and nothing after it"),
        pytest.param(b"\xff\xff\xff\xffB", id="4 GB of body"),
        pytest.param(b"\0\0\0\0", id="zero length"),
        pytest.param(b"\0\0\0\0B", id="zero length with an octet after it"),
        pytest.param(packet(b"Z"), id="unknown command"),
        pytest.param(packet(b"\0"), id="NUL command"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", id="HTTP"),
        pytest.param(b"EHLO mail.thcs-tanan.edu.vn\r\n", id="SMTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"PING\r\n", id="redis"),
    ],
)
def test_s34_what_is_no_packet_is_refused_whole_and_octet_by_octet(octets: bytes) -> None:
    with pytest.raises(MilterError):
        Frames().feed(octets)
    with pytest.raises(MilterError):
        feed_slowly(octets)


def test_a_good_packet_before_garbage_is_still_an_error() -> None:
    with pytest.raises(MilterError):
        Frames().feed(packet(b"N") + b"\xff\xff\xff\xffN")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100, 65541, 70000])
def test_cuts_do_not_matter(size: int) -> None:
    sent = [(b"L", b"Subject\0 C\xc3\xb4ng v\xc4\x83n\0"), (b"N", b""), (b"B", bytes(range(256)) * 255), (b"E", b"")]
    stream = b"".join(packet(octet, payload) for octet, payload in sent)
    frames = Frames()
    found = [one for start in range(0, len(stream), size) for one in frames.feed(stream[start : start + size])]
    assert found == [(Command(octet[0]), payload) for octet, payload in sent]
    assert frames.feed(b"") == []


def test_payloads_are_bytes_of_their_own() -> None:
    frames = Frames()
    (one,) = frames.feed(packet(b"B", b"abc"))
    assert frames.feed(packet(b"B", b"def")[:6]) == []
    (two,) = frames.feed(packet(b"B", b"def")[6:])
    assert (type(one[1]), type(two[1])) == (bytes, bytes)
    frames.feed(packet(b"B", b"ghi")[:7])
    assert two[1] == b"def"


# ---- payloads -------------------------------------------------------------------------------------------------------


def test_negotiation_is_read_and_unknown_flags_do_not_matter() -> None:
    payload = struct.pack("!III", 6, 0x1FF | 1 << 30, 0x1FFFFF | 1 << 31)
    version, actions, steps = codec.read_negotiation(payload + b"later")
    assert version == 6
    assert Action.SETSYMLIST in actions
    assert Step.HDR_LEADSPC in steps
    with pytest.raises(MilterError):
        codec.read_negotiation(payload[:11])


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"mail.hcm.edu.vn\x004\x9c\xbb192.0.2.7\0", Connected("mail.hcm.edu.vn", "192.0.2.7", 40123, "4")),
        (b"[2001:db8::7]\x006\x00\x192001:db8::7\0", Connected("[2001:db8::7]", "2001:db8::7", 25, "6")),
        (b"x\x006\x00\x19IPv6:2001:DB8:0::7\0", Connected("x", "2001:db8::7", 25, "6")),
        (b"localhost\0L\x00\x00/run/mail\0", Connected("localhost", "/run/mail", 0, "L")),
        (b"localhost\0L\x00\x00\0", Connected("localhost", "", 0, "L")),
        (b"unknown\0U", Connected("unknown", "", 0, "U")),
        (b"unknown\0U\x00\x00\0", Connected("unknown", "", 0, "U")),
        (b"\xff\x00U", Connected("\ufffd", "", 0, "U")),
    ],
)
def test_connect(payload: bytes, event: Connected) -> None:
    assert codec.read_connect(payload) == event


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"x", b"x\0", b"x\0Z\0\x19192.0.2.7\0", b"x\x004", b"x\x004\0\x19192.0.2.7", b"x\x004\0\x19\0"),
        *(b"x\x004\0\x19192.0.2.256\0", b"x\x004\0\x192001:db8::7\0", b"x\x006\0\x19192.0.2.7\0", b"x\x004\0"),
    ],
)
def test_connect_malformed(payload: bytes) -> None:
    with pytest.raises(MilterError):
        codec.read_connect(payload)


def test_paths_and_helo() -> None:
    mail = codec.read_path(b"<vanthu@longan.edu.vn>\0SIZE=1024\0BODY=8BITMIME\0", Command.MAIL)
    assert mail == (b"<vanthu@longan.edu.vn>", (b"SIZE=1024", b"BODY=8BITMIME"))
    assert codec.read_path(b"<>\0", Command.MAIL) == (b"<>", ())
    assert codec.read_helo(b"mail.thcs-tanan.edu.vn\0") == "mail.thcs-tanan.edu.vn"
    assert codec.read_helo(b"\xc4\x91\xff\0") == "đ\ufffd"
    for payload in (b"", b"<a@b>", b"<a@b>\0SIZE=1"):
        with pytest.raises(MilterError, match="RCPT"):
            codec.read_path(payload, Command.RCPT)
        with pytest.raises(MilterError):
            codec.read_helo(payload)


def test_header_keeps_whatever_a_sender_wrote() -> None:
    assert codec.read_header(b"Subject\0 a\n b\0") == (b"Subject", b" a\n b")
    assert codec.read_header(b"X\0\0") == (b"X", b"")
    assert codec.read_header(b"X\0a\0b\0") == (b"X", b"a\0b")
    for payload in (b"", b"X", b"X\0", b"X\0a"):
        with pytest.raises(MilterError):
            codec.read_header(payload)


def test_macros() -> None:
    payload = b"Mi\0004c8Z\0{auth_authen}\0tr\xe1\xba\xa7n\0{x}\0\xff\0"
    assert codec.read_macros(payload) == {"i": "4c8Z", "auth_authen": "trần", "x": "\udcff"}
    assert codec.read_macros(b"L") == {}
    for bad in (b"Mi", b"Mi\0", b"Mi\0a\0b\0", b"Mi\0a"):
        with pytest.raises(MilterError):
            codec.read_macros(bad)


# ---- answers --------------------------------------------------------------------------------------------------------


def test_answers_without_payload() -> None:
    written = [codec.continue_(), codec.accept(), codec.discard(), codec.reject(), codec.tempfail(), codec.skip()]
    assert written == [b"\0\0\0\1" + bytes([octet]) for octet in b"cadrts"]
    assert codec.progress() == b"\0\0\0\1p"


def test_replycode_doubles_percent_and_codes_each_line() -> None:
    reply = Reply(550, "5.7.1", "100% refused\nAsk Sở GD&ĐT")
    expected = b"550-5.7.1 100%% refused\r\n550 5.7.1 Ask S? GD&?T\0"
    assert codec.replycode(reply) == packet(b"y", expected)


def test_replycode_without_an_enhanced_code_gets_one() -> None:
    """Postfix calls a reply malformed whose text starts with a digit that is not the class of the code."""
    assert codec.replycode(Reply(451, "", "2 minutes, please")) == packet(b"y", b"451 4.0.0 2 minutes, please\0")


def test_replycode_never_holds_nul_and_only_refuses() -> None:
    assert codec.replycode(Reply(450, "4.2.0", "a\0b\rc")) == packet(b"y", b"450 4.2.0 a?b?c\0")
    for code, enhanced in ((250, "2.0.0"), (354, "")):
        with pytest.raises(ValueError, match=str(code)):
            codec.replycode(Reply(code, enhanced, "x"))


def test_edits() -> None:
    field = b"Authentication-Results\0 mx.longan.edu.vn;\n spf=pass\0"
    value = b" mx.longan.edu.vn;\r\n spf=pass"
    assert codec.insert_header(0, b"Authentication-Results", value) == packet(b"i", b"\0\0\0\0" + field)
    assert codec.change_header(3, b"X-Tag", b"") == packet(b"m", b"\0\0\0\3X-Tag\0\0")
    assert codec.change_header(1, b"X-Tag", b" new") == packet(b"m", b"\0\0\0\1X-Tag\0 new\0")
    assert codec.add_recipient(b"<b\xe1\xba\xa3o@longan.edu.vn>") == packet(b"+", b"<b\xe1\xba\xa3o@longan.edu.vn>\0")
    assert codec.delete_recipient(b"<a@longan.edu.vn>") == packet(b"-", b"<a@longan.edu.vn>\0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((b"X", b" a\nBcc: b"), (b"X", b" a\n"), (b"X", b" a\r b"), (b"X", b" a\r\n\r\n b"), (b"X", b" \0")),
        *((b"", b" a"), (b"X:", b" a"), (b"X\nBcc", b" a"), (b"X\0", b" a"), (b"X\r", b" a")),
    ],
)
def test_s28_an_edit_is_one_field_or_an_error(name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.insert_header(0, name, value)
    with pytest.raises(ValueError, match=r".+"):
        codec.change_header(1, name, value)


def test_a_recipient_is_one_string() -> None:
    for write in (codec.add_recipient, codec.delete_recipient):
        with pytest.raises(ValueError, match="NUL"):
            write(b"<a@b>\0<c@d>")


def test_negotiate_lists_macros_by_stage() -> None:
    written = codec.negotiate(6, Action.ADDHDRS, Step.NR_HDR | Step.SKIP, {MacroStage.EOM: "i", MacroStage.ENVFROM: ""})
    assert written == packet(b"O", struct.pack("!III", 6, 1, 0x480) + b"\0\0\0\5i\0" + b"\0\0\0\2\0")
