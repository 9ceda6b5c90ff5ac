"""The milter dialogue: every cell of its tables against the protocol as typed here, and what happens in between."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from gateway.endpoint.milter_codec import Command, MacroStage, MilterError, insert_header
from gateway.endpoint.milter_dialogue import (
    MAY_ANSWER,
    Aborted,
    Closed,
    Connected,
    Content,
    Dialogue,
    EndOfMessage,
    Event,
    Greeted,
    MailFrom,
    RcptTo,
    Response,
    Stage,
)
from gateway.envelope.header import FIELDS_MAX, HEADER_MAX
from gateway.envelope.reply import Reply

REFUSAL = Reply(550, "5.7.1", "Not here")
ALL_ACTIONS, ALL_STEPS = 0x1FF, 0x1FFFFF
NO_REPLIES = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000 | 0x40000 | 0x80000
RCPT_ANSWERED = ALL_STEPS & ~0x8000  # a mail server that waits for the answer to each recipient
CONTINUE = b"\0\0\0\1c"


def packet(octet: str, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + octet.encode() + payload


def options(version: int = 6, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes:
    return packet("O", struct.pack("!III", version, actions, steps))


VALID = {
    "O": options(),
    "D": packet("D", b"Mi\x00ab12\x00"),
    "C": packet("C", b"x\x004\x9c\xbb192.0.2.7\0"),
    "H": packet("H", b"x\0"),
    "M": packet("M", b"<a@thcs-tanan.edu.vn>\0"),
    "R": packet("R", b"<b@longan.edu.vn>\0"),
    "T": packet("T"),
    "L": packet("L", b"Subject\0 x\0"),
    "N": packet("N"),
    "B": packet("B", b"x\r\n"),
    "E": packet("E"),
    "A": packet("A"),
    "Q": packet("Q"),
    "K": packet("K"),
    "U": packet("U", b"WIZ\0"),
}
WAY = {  # from the start to each stage
    "negotiating": "",
    "connecting": "O",
    "greeted": "OC",
    "envelope": "OCHM",
    "header": "OCHMRL",
    "body": "OCHMRN",
    "deciding": "OCHMRNE",
    "closed": "OQ",
}


def start(wanted: dict[MacroStage, str] | None = None, *, steps: int = ALL_STEPS) -> Dialogue:
    dialogue = Dialogue(wanted or {})
    dialogue.receive(options(steps=steps))
    dialogue.outgoing()
    return dialogue


def say(dialogue: Dialogue, letters: str) -> list[Event]:
    """Say these commands, and CONTINUE to whatever is owed for all but the last one."""
    events: list[Event] = []
    for letter in letters:
        if dialogue.owed is not None:
            dialogue.proceed()
        events += dialogue.receive(VALID[letter])
    return events


def brought_to(stage: str) -> Dialogue:
    dialogue = Dialogue({})
    say(dialogue, WAY[stage])
    if stage != "deciding" and dialogue.owed is not None:
        dialogue.proceed()
    assert dialogue.stage.value == stage
    return dialogue


# ---- the tables -----------------------------------------------------------------------------------------------------

# The protocol: what may come at each stage and the stage after it, by the first letters of the stages (x: closed).
ORDER = "ODCHMRTLNBEAQKU"
PROTOCOL = """
             O D C H M R T L N B E A Q K U
negotiating  c . . . . . . . . . . . x . .
connecting   . c g . . . . . . . . c x c c
greeted      . g . g e . . . . . . g x c g
envelope     . e . g e e e h b . . g x c e
header       . h . . . . . h b . . g x c .
body         . b . . . . . . . b d g x c .
deciding     . . . . . . . . . . . g x c .
closed       . . . . . . . . . . . . . . .
"""
LETTERS = {stage.value[0]: stage for stage in Stage if stage is not Stage.CLOSED} | {"x": Stage.CLOSED}
ROWS = {row.split()[0]: row.split()[1:] for row in PROTOCOL.strip().splitlines()[1:]}
CELLS = [(stage, letter, cell) for stage, row in ROWS.items() for letter, cell in zip(ORDER, row, strict=True)]


def test_the_typed_table_is_the_full_product() -> None:
    assert set(ROWS) == {stage.value for stage in Stage}
    assert {ord(letter) for letter in ORDER} == {int(command) for command in Command}
    assert len(CELLS) == 8 * 15


@pytest.mark.parametrize(("stage", "letter", "cell"), CELLS)
def test_stage_and_command(stage: str, letter: str, cell: str) -> None:
    dialogue = brought_to(stage)
    if cell == ".":
        with pytest.raises(MilterError):
            dialogue.receive(VALID[letter])
        assert dialogue.stage is Stage.CLOSED
        assert dialogue.owed is None
    else:
        dialogue.receive(VALID[letter])
        assert dialogue.stage is LETTERS[cell]


# Which answers fit: c(ontinue) a(ccept) d(iscard) r(eject) t(empfail) y (replycode) s(kip) p(rogress) e(dit)
ANSWERS = {
    "O": "",
    "D": "",
    "C": "carty",
    "H": "carty",
    "M": "cadrty",
    "R": "cadrty",
    "T": "cadrty",
    "L": "cadrty",
    "N": "cadrty",
    "B": "cadrtys",
    "E": "cadrtype",
    "A": "",
    "Q": "",
    "K": "",
    "U": "crty",
}
KINDS = dict(zip("cadrtyspe", Response, strict=True))


@pytest.mark.parametrize("letter", ORDER)
@pytest.mark.parametrize("kind", KINDS)
def test_command_and_answer(letter: str, kind: str) -> None:
    assert (KINDS[kind] in MAY_ANSWER[Command(ord(letter))]) is (kind in ANSWERS[letter])


METHODS: dict[str, Callable[[Dialogue], bytes]] = {
    "c": Dialogue.proceed,
    "a": Dialogue.accept,
    "d": Dialogue.discard,
    "t": Dialogue.defer,
    "p": Dialogue.progress,
    "y": lambda dialogue: dialogue.refuse(REFUSAL),
    "e": lambda dialogue: dialogue.edit(b"packet"),
}
AFTER = {  # the stage after each final answer
    **{("C", kind): "greeted" for kind in "caty"},
    ("M", "c"): "envelope",
    ("R", "c"): "envelope",
    ("R", "t"): "envelope",
    ("R", "y"): "envelope",
    **{("M", kind): "greeted" for kind in "adty"},
    **{("R", kind): "greeted" for kind in "ad"},
    **{("E", kind): "greeted" for kind in "cadty"},
}


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("letter", "CMRE")
def test_an_answer_that_is_owed(letter: str, kind: str) -> None:
    dialogue = start(steps=ALL_STEPS & ~NO_REPLIES)
    say(dialogue, {"C": "C", "M": "CHM", "R": "CHMR", "E": "CHMRLNBE"}[letter])
    assert dialogue.owed is Command(ord(letter))
    if kind not in ANSWERS[letter]:
        with pytest.raises(RuntimeError):
            METHODS[kind](dialogue)
        assert dialogue.owed is Command(ord(letter))
    elif kind in "pe":
        assert METHODS[kind](dialogue) == {"p": b"\0\0\0\1p", "e": b"packet"}[kind]
        assert dialogue.owed is Command(ord(letter))
    else:
        assert METHODS[kind](dialogue)[4:5] == kind.encode()
        assert dialogue.owed is None
        assert dialogue.stage.value == AFTER[letter, kind]


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("stage", [stage.value for stage in Stage if stage is not Stage.DECIDING])
def test_no_answer_where_none_is_owed(stage: str, kind: str) -> None:
    dialogue = brought_to(stage)
    with pytest.raises(RuntimeError):
        METHODS[kind](dialogue)


@pytest.mark.parametrize("letter", ORDER)
@pytest.mark.parametrize("owed", "CMRE")
def test_while_an_answer_is_owed_a_mail_server_can_only_give_up(owed: str, letter: str) -> None:
    dialogue = start(steps=ALL_STEPS & ~NO_REPLIES)
    say(dialogue, {"C": "C", "M": "CHM", "R": "CHMR", "E": "CHMRLNBE"}[owed])
    if letter in "AQK":
        dialogue.receive(VALID[letter])
        assert dialogue.owed is None
    else:
        with pytest.raises(MilterError):
            dialogue.receive(VALID[letter])


# ---- negotiation ----------------------------------------------------------------------------------------------------

ASKED = {MacroStage.CONNECT: "j {client_addr}", MacroStage.EOM: "i"}


def test_negotiation_takes_what_it_needs_and_never_quarantine_or_body_change() -> None:
    dialogue = Dialogue(ASKED)
    assert dialogue.receive(options()) == []
    reply = dialogue.outgoing()
    assert dialogue.outgoing() == b""
    version, actions, steps = struct.unpack_from("!III", reply, 5)
    assert version == 6
    assert actions == 0x01 | 0x10 | 0x04 | 0x08 | 0x100
    assert steps == 0x100000 | 0x400 | 0x300 | NO_REPLIES
    assert reply[17:] == b"\0\0\0\0j {client_addr}\0" + b"\0\0\0\5i\0"


def test_negotiation_takes_no_more_than_is_offered() -> None:
    dialogue = Dialogue(ASKED)
    dialogue.receive(options(version=7, actions=0x1D, steps=0x100000))
    assert dialogue.outgoing() == packet("O", struct.pack("!III", 6, 0x1D, 0x100000))


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (options(version=2), "offers milter version 2; 6 is needed: set milter_protocol = 6"),
        (options(steps=ALL_STEPS & ~0x100000), "does not offer HDR_LEADSPC"),
        (options(actions=0x1FF & ~0x0C, steps=0), "does not offer ADDRCPT, DELRCPT, HDR_LEADSPC"),
        (options(actions=0), "does not offer ADDHDRS, ADDRCPT, DELRCPT, CHGHDRS"),
    ],
)
def test_a_mail_server_that_cannot_carry_out_our_edits_is_told_apart(offer: bytes, words: str) -> None:
    with pytest.raises(MilterError, match=words):
        Dialogue({}).receive(offer)


# ---- conversations --------------------------------------------------------------------------------------------------

CONNECTED = Connected("x", "192.0.2.7", 40123, "4")
MAIL = MailFrom(b"<a@thcs-tanan.edu.vn>", ())
RCPT = RcptTo(b"<b@longan.edu.vn>", ())


def test_a_whole_session_is_told_in_order_and_only_what_matters_is_answered() -> None:
    dialogue = start()
    assert say(dialogue, "DCDHDM") == [CONNECTED, Greeted("x"), MAIL]
    assert dialogue.receive(packet("D", b"R{rcpt_addr}\0b\0") + VALID["R"]) == [RCPT]
    assert dialogue.owed is None
    events = dialogue.receive(b"".join(VALID[letter] for letter in "LLNBB") + packet("E", b"end\r\n"))
    section = Content(b"Subject: x\r\nSubject: x\r\n\r\n")
    assert events == [section, Content(b"x\r\n"), Content(b"x\r\n"), Content(b"end\r\n"), EndOfMessage()]
    assert dialogue.outgoing() == b""
    assert dialogue.edit(insert_header(0, b"X", b" y")) == b"\0\0\0\x0ai\0\0\0\0X\0 y\0"
    assert dialogue.progress() == b"\0\0\0\1p"
    assert dialogue.discard() == b"\0\0\0\1d"
    assert say(dialogue, "A") == []
    assert say(dialogue, "MRA") == [MAIL, RCPT, Aborted()]
    assert say(dialogue, "Q") == [Closed()]


def test_without_the_no_reply_steps_every_command_gets_its_continue() -> None:
    dialogue = start(steps=ALL_STEPS & ~NO_REPLIES & ~0x300)
    answers = []
    for letter in "CHMRTULNBBE":
        dialogue.receive(VALID[letter])
        out = dialogue.outgoing()
        answers.append((letter, out, dialogue.owed))
        if dialogue.owed is not None:
            assert out == b""
            dialogue.proceed()
        else:
            assert out == CONTINUE
    assert [letter for letter, _, owed in answers if owed] == ["C", "M", "R", "E"]


def test_refusing_a_recipient_leaves_the_others() -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    say(dialogue, "CHMR")
    assert dialogue.refuse(REFUSAL) == packet("y", b"550 5.7.1 Not here\0")
    assert say(dialogue, "RNE")[-1] == EndOfMessage()


def test_accept_at_rcpt_passes_the_message_unseen_and_the_next_one_is_seen() -> None:
    """{auth_authen}: mail of authenticated users is not our affair."""
    dialogue = start(steps=RCPT_ANSWERED)
    say(dialogue, "CHMR")
    assert dialogue.accept() == b"\0\0\0\1a"
    assert say(dialogue, "AMR") == [MAIL, RCPT]


@pytest.mark.parametrize(("letters", "before"), [("CHM", 0), ("CHMR", 1), ("CHMRL", 1), ("CHMRN", 2), ("CHMRNE", 3)])
@pytest.mark.parametrize(("end", "after"), [("A", []), ("Q", [Closed()]), ("K", [])])
def test_an_open_message_is_aborted_once(letters: str, before: int, end: str, after: list[Event]) -> None:
    dialogue = start()
    assert len(say(dialogue, letters)) == 3 + before
    assert dialogue.receive(VALID[end]) == [Aborted(), *after]
    assert dialogue.owed is None


def test_a_second_helo_or_mail_aborts_as_in_smtp() -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    say(dialogue, "CHMR")
    dialogue.proceed()
    assert dialogue.receive(VALID["H"]) == [Aborted(), Greeted("x")]
    assert dialogue.receive(VALID["A"] + VALID["M"]) == [MAIL]
    assert dialogue.receive(VALID["M"]) == [Aborted(), MAIL]


def test_quit_nc_waits_for_another_client() -> None:
    dialogue = start()
    assert say(dialogue, "CHK") == [CONNECTED, Greeted("x")]
    assert say(dialogue, "CHM") == [CONNECTED, Greeted("x"), MAIL]


def test_after_an_error_nothing_is_understood_any_more() -> None:
    dialogue = brought_to("envelope")
    with pytest.raises(MilterError):
        dialogue.receive(b"\0\0\0\0")
    with pytest.raises(MilterError):
        dialogue.receive(VALID["A"])


# ---- header section -------------------------------------------------------------------------------------------------


def section(*fields: tuple[bytes, bytes]) -> tuple[bytes, bool]:
    """The octets of the section, and whether the dialogue calls it broken."""
    dialogue = brought_to("envelope")
    for name, value in fields:
        dialogue.receive(packet("L", name + b"\0" + value + b"\0"))
    (content,) = dialogue.receive(VALID["N"])
    assert isinstance(content, Content)
    return content.octets, dialogue.overflow


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (b" x", b" x"),
        (b"x", b"x"),
        (b"", b""),
        (b"\t x ", b"\t x "),
        (b" a\n b\n\tc", b" a\r\n b\r\n\tc"),
        (b" a\r\n b\r\n\tc", b" a\r\n b\r\n\tc"),
        (b" a\r\n b\n\tc", b" a\r\n b\r\n\tc"),
        (b"\n a", b"\r\n a"),
        (b" a\rb", b" a\rb"),
        (b" a\r\r\n b", b" a\r\r\n b"),
        (b" a\r", b" a\r"),
        (b" a\0b", b" a\0b"),
        (b" \n \n x", b" \r\n \r\n x"),
        (b" C\xc3\xb4ng v\xc4\x83n\xff", b" C\xc3\xb4ng v\xc4\x83n\xff"),
    ],
)
def test_a_field_comes_out_as_it_was_on_the_wire(value: bytes, octets: bytes) -> None:
    """DKIM over "simple" fields needs every octet; mail servers write folds with LF or CRLF."""
    assert section((b"Subject", value), (b"To", b" b")) == (b"Subject:" + octets + b"\r\nTo: b\r\n\r\n", False)


def test_a_message_without_fields() -> None:
    assert section() == (b"\r\n", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((b"Subject", b" a\n\n"), (b"Subject", b" a\r\n\r\nBody"), (b"Subject", b" a\nBcc: x"), (b"Subject", b"\n")),
        *((b"Subject", b" a\n"), (b"X: y\nSubject", b" a"), (b" Subject", b" a"), (b"\tSubject", b" a")),
    ],
)
def test_s28_a_field_that_would_not_be_one_field_makes_the_section_broken(name: bytes, value: bytes) -> None:
    assert section((b"To", b" b"), (name, value), (b"To", b" b")) == (b"\r\n", True)


def test_s34_a_section_beyond_its_cap_is_broken_and_no_memory_is_kept() -> None:
    dialogue = brought_to("envelope")
    field = packet("L", b"X\0" + b"x" * (HEADER_MAX // 2 - 8) + b"\0")
    dialogue.receive(field + field)
    assert not dialogue.overflow
    for _ in range(3):
        dialogue.receive(field)
    assert dialogue.overflow
    assert dialogue.receive(VALID["N"] + VALID["B"]) == [Content(b"\r\n"), Content(b"x\r\n")]
    dialogue.receive(VALID["E"])
    assert dialogue.overflow
    dialogue.refuse(REFUSAL)
    say(dialogue, "MRL")
    assert not dialogue.overflow


def test_s13_a_section_of_too_many_fields_is_broken_and_none_is_kept() -> None:
    """Half a million fields fit into a mebibyte or two, and each would cost forty octets more."""
    dialogue = brought_to("envelope")
    dialogue.receive(packet("L", b"X\0\0") * FIELDS_MAX)
    assert not dialogue.overflow
    dialogue.receive(packet("L", b"X\0\0") * FIELDS_MAX)
    assert dialogue.overflow
    assert dialogue._section._fields == []
    assert dialogue.receive(VALID["N"]) == [Content(b"\r\n")]


def test_the_body_after_a_broken_section_is_skipped_where_that_can_be_said() -> None:
    dialogue = start(steps=ALL_STEPS & ~NO_REPLIES)
    say(dialogue, "CHMR")
    dialogue.proceed()
    dialogue.receive(packet("L", b"X\0a\nb\0"))
    dialogue.receive(VALID["N"])
    dialogue.outgoing()
    dialogue.receive(VALID["B"])
    assert dialogue.outgoing() == b"\0\0\0\1s"


# ---- macros ---------------------------------------------------------------------------------------------------------


def macro(command: str, **values: str) -> bytes:
    pairs = "".join(f"{name if len(name) == 1 else f'{{{name}}}'}\0{value}\0" for name, value in values.items())
    return packet("D", command.encode() + pairs.encode("utf-8", "surrogateescape"))


def test_macros_have_one_form_and_later_stages_win() -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    dialogue.receive(macro("C", j="mx.longan.edu.vn", client_addr="192.0.2.7") + VALID["C"])
    dialogue.receive(macro("M", i="early", auth_authen="tr\udcff") + VALID["M"])
    dialogue.receive(macro("R", i="4c8Z", rcpt_addr="a") + VALID["R"])
    dialogue.proceed()
    dialogue.receive(macro("R", i="4c8Z", rcpt_addr="b") + VALID["R"])
    dialogue.proceed()
    assert dialogue.macros == {
        "j": "mx.longan.edu.vn",
        "client_addr": "192.0.2.7",
        "i": "4c8Z",
        "auth_authen": "tr\udcff",
        "rcpt_addr": "b",
    }


def test_the_same_macros_with_other_commands_are_read_as_if_they_were_new() -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    dialogue.receive(macro("C", i="4c8Z") + VALID["C"] + macro("M", i="4c8Z") + VALID["M"])
    dialogue.receive(macro("R", i="4c8Z") + VALID["R"])
    dialogue.proceed()
    assert dialogue.macros == {"i": "4c8Z"}
    dialogue.receive(macro("L", i="other") + VALID["L"] + macro("N", i="4c8Z") + VALID["N"] + macro("B") + VALID["B"])
    assert dialogue.macros == {"i": "4c8Z"}
    dialogue.receive(VALID["A"] + macro("M") + VALID["M"])
    assert dialogue.macros == {"i": "4c8Z"}  # of the connection
    dialogue.receive(VALID["A"] + VALID["K"])
    assert dialogue.macros == {}


def test_macros_of_a_message_are_gone_with_the_next_and_can_be_read_till_then() -> None:
    """An authenticated user's name must never be taken for that of the next message."""
    dialogue = start(steps=RCPT_ANSWERED)
    dialogue.receive(macro("C", j="mx") + VALID["C"] + macro("M", auth_authen="lan") + VALID["M"] + VALID["R"])
    dialogue.proceed()
    dialogue.receive(VALID["N"] + macro("E", i="4c8Z") + VALID["E"])
    dialogue.proceed()
    assert dialogue.macros == {"j": "mx", "auth_authen": "lan", "i": "4c8Z"}
    dialogue.receive(macro("M", mail_addr="b"))
    assert dialogue.macros == {"j": "mx", "mail_addr": "b"}
    dialogue.receive(VALID["M"])
    assert dialogue.macros == {"j": "mx", "mail_addr": "b"}
    dialogue.receive(VALID["A"])
    assert dialogue.macros == {"j": "mx"}


@pytest.mark.parametrize("end", ["verdict", "accept", "helo", "abort"])
def test_macros_are_gone_with_the_next_mail_that_has_none(end: str) -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    dialogue.receive(macro("C", j="mx") + VALID["C"] + macro("M", auth_authen="lan") + VALID["M"] + VALID["R"])
    if end == "verdict":
        dialogue.proceed()
        dialogue.receive(VALID["N"] + VALID["E"])
        dialogue.proceed()
    elif end == "accept":
        dialogue.accept()
    elif end == "helo":
        dialogue.proceed()
        dialogue.receive(VALID["H"])
    else:
        dialogue.receive(VALID["A"])
    dialogue.receive(VALID["M"])
    assert dialogue.macros == {"j": "mx"}


def test_a_new_mail_without_abort_keeps_its_own_macros_only() -> None:
    dialogue = start(steps=RCPT_ANSWERED)
    dialogue.receive(VALID["C"] + macro("M", auth_authen="lan") + VALID["M"] + macro("R", i="4c8Z") + VALID["R"])
    dialogue.proceed()
    dialogue.receive(macro("M", auth_type="plain") + VALID["M"])
    assert dialogue.macros == {"auth_type": "plain"}


def test_quit_nc_forgets_all_macros() -> None:
    dialogue = start()
    dialogue.receive(macro("C", client_addr="192.0.2.7") + VALID["C"] + macro("H", tls_version="TLSv1.3") + VALID["H"])
    dialogue.receive(VALID["K"])
    assert dialogue.macros == {}


@pytest.mark.parametrize("payload", [b"", b"Z", b"Mi", b"\0i\0a\0"])
def test_a_malformed_macro_packet_is_an_error_at_once(payload: bytes) -> None:
    with pytest.raises(MilterError):
        start().receive(packet("D", payload))
