"""Boundary lines among lines that only look like them: few are looked at one by one, many at once (safety S-14)."""

from __future__ import annotations

import random

import pytest

from gateway.envelope import mime
from gateway.envelope.message import Message
from gateway.envelope.mime import STRANGERS_MAX, attachments, mime_problems

HEAD = b"From: vanthu@longan.edu.vn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
FILE = b"\r\n--b\r\nContent-Type: application/pdf; name=%d.pdf\r\n\r\n%%PDF\r\n--bx\r\n--b-\r\n"
PIECES = [
    b"\r\n--b", b"\r\n--b--", b"\r\n--bb", b"\r\n--b-- \t", b"\r\n--b \t", b"\r\n", b"--", b" ", b"x", b"\r\n\r\n",
    b"\r\n--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n", b"\r\n--bb--\r\n", b"\r\n--c\r\n",
    b'\r\n--b\r\nContent-Type: multipart/alternative; boundary="b--"\r\n\r\n', b"\r\n--b\r\nContent-Type: image/png\r\n\r\n",
    b"\r\n--bb\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/digest; boundary=c\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("strangers", [0, STRANGERS_MAX - 2, STRANGERS_MAX * 3])
def test_S14_any_number_of_strangers_hides_no_part(strangers: int) -> None:
    raw = HEAD + b"\r\n--bx" * strangers + FILE % 1 + FILE % 2 + b"\r\n--b--\r\n"
    assert [file.name for file in attachments(Message(raw))] == ["1.pdf", "2.pdf"]
    assert mime_problems(Message(raw)) == ()


def test_both_ways_find_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1077)
    parts = 0
    for _ in range(3000):
        raw = HEAD + b"".join(dice.choices(PIECES, k=dice.randrange(40)))
        monkeypatch.setattr(mime, "STRANGERS_MAX", STRANGERS_MAX)
        one_by_one = attachments(Message(raw)), mime_problems(Message(raw))
        monkeypatch.setattr(mime, "STRANGERS_MAX", 0)
        assert (attachments(Message(raw)), mime_problems(Message(raw))) == one_by_one
        parts += len(one_by_one[0])
    assert parts > 1000
