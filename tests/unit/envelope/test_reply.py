"""Replies that cannot be wrong, and replies of others that can (RFC 5321 §4.2; safety R-18)."""

import pytest

from gateway.envelope import reply as replies
from gateway.envelope.reply import Reply, parse_reply


@pytest.mark.parametrize(
    ("code", "enhanced"),
    [
        (199, ""),
        (600, ""),
        (250, "4.0.0"),
        (550, "2.1.1"),
        (451, "4.3"),
        (451, "4.3.0 x"),
        (250, "2.٣.0"),
        (354, "3.0.0"),
    ],
)
def test_R18_a_wrong_reply_cannot_be_made(code: int, enhanced: str) -> None:
    with pytest.raises(ValueError, match="code"):
        Reply(code, enhanced, "text")


@pytest.mark.parametrize(
    "text",
    ["", "x", "hai\ndòng", "a\r\n250 OK", "x" * 5000, "\0\x1b[31m", "a\n\nb", "Đã nhận"],
)
def test_R18_wire_lines_are_printable_framed_and_short(text: str) -> None:
    wire = Reply(451, "4.3.0", text).wire()
    assert wire.endswith(b"\r\n")
    lines = wire[:-2].split(b"\r\n")
    assert all(len(line) + 2 <= 512 for line in lines)
    assert all(line[:10] == b"451-4.3.0 " for line in lines[:-1])
    assert lines[-1][:10] == b"451 4.3.0 "
    assert all(0x20 <= octet <= 0x7E for line in lines for octet in line)


def test_R18_every_ready_made_reply_reads_back() -> None:
    ready = [value for value in vars(replies).values() if isinstance(value, Reply)]
    assert len(ready) >= 9
    for one in ready:
        assert parse_reply(one.wire().removesuffix(b"\r\n").split(b"\r\n")) == one


def test_classes_and_id() -> None:
    assert replies.ACCEPTED.is_positive
    assert replies.LOCAL_ERROR.is_temporary
    assert replies.NOT_RELAYED.is_permanent
    assert replies.ACCEPTED.with_id("ABCD-EFGH-JKMN").text.endswith("[ABCD-EFGH-JKMN]")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"250 OK"], Reply(250, "", "OK")),
        ([b"250"], Reply(250, "", "")),
        ([b"250-2.1.5 a", b"250 2.1.5 b"], Reply(250, "2.1.5", "a\nb")),
        ([b"550 5.1.1 No such user"], Reply(550, "5.1.1", "No such user")),
        ([b"451 5.1.1 class does not fit"], Reply(451, "", "class does not fit")),
        ([b"550 \x1b[31m\xff"], Reply(550, "", "?[31m?")),
    ],
)
def test_parse_reply(lines: list[bytes], expected: Reply) -> None:
    assert parse_reply(lines) == expected


@pytest.mark.parametrize(
    "lines", [[], [b""], [b"OK"], [b"25 x"], [b"2500 x"], [b"250-a", b"251 b"], [b"199 x"], [b"250_x"], [b"600 x"]]
)
def test_what_is_no_reply(lines: list[bytes]) -> None:
    assert parse_reply(lines) is None
