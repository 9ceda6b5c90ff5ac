"""SMTP replies as values that cannot be wrong: class of the enhanced code, printable ASCII, line length (safety R-18)."""

from __future__ import annotations

import re
from typing import Final

from gateway.values import value

LINE_MAX = 510  # octets without CRLF, RFC 5321 §4.5.3.1.5
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\Z")  # \d would let other scripts' digits through
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class _Class:
    """The class of a reply, which is asked for again and again: told when it is made, and no field of it."""

    __slots__ = ("is_permanent", "is_positive", "is_temporary")

    is_positive: bool
    is_temporary: bool
    is_permanent: bool


@value
class Reply(_Class):
    """One reply of RFC 5321 §4.2 with its enhanced status code (RFC 3463); `text` may hold several lines."""

    code: int
    enhanced: str  # "" where none belongs: greeting, EHLO, 354
    text: str

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise ValueError(f"reply code {self.code}")
        digit = self.code // 100
        self.is_positive, self.is_temporary, self.is_permanent = digit == 2, digit == 4, digit == 5
        if self.enhanced and (not _ENHANCED.match(self.enhanced) or int(self.enhanced[0]) != digit):
            raise ValueError(f"enhanced status code {self.enhanced!r} does not fit {self.code}")

    def with_id(self, transaction_id: str) -> Reply:
        """The same reply with the id that is also in the log, so that a sender can name it on the telephone."""
        return Reply(self.code, self.enhanced, f"{self.text} [{transaction_id}]")

    def wire(self) -> bytes:
        """The reply as octets, each line within RFC 5321's 512 octets, whatever the text held."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        lines = [(prefix + _UNPRINTABLE.sub("?", line))[: LINE_MAX - 4] for line in self.text.split("\n")]
        last = len(lines) - 1
        return b"".join(
            b"%d%c%s\r\n" % (self.code, b" "[0] if i == last else b"-"[0], line.encode())
            for i, line in enumerate(lines)
        )

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}".replace("  ", " ")


_LINE = re.compile(rb"(\d{3})(?:[ -](.*))?\Z", re.S)
_LEADING_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)")


def parse_reply(lines: list[bytes]) -> Reply | None:
    """Read a downstream server's reply (lines without CRLF). None when it is not a reply by RFC 5321 §4.2.

    Text is made printable and cut; an enhanced code of the wrong class is dropped and the reply's class stands.
    """
    if not lines:
        return None
    found = [_LINE.match(line) for line in lines[:50]]
    if any(match is None for match in found) or len({match[1] for match in found if match}) != 1:
        return None
    code = int(found[0][1]) if found[0] else 0
    if not 200 <= code <= 599:
        return None
    enhanced, texts = "", []
    for match in found:
        text = _UNPRINTABLE.sub("?", (match[2] or b"").decode("latin-1") if match else "")[:LINE_MAX]
        if leading := _LEADING_ENHANCED.match(text):
            text = text[leading.end() :]
            enhanced = enhanced or leading[1]
        texts.append(text)
    if enhanced and int(enhanced[0]) != code // 100:
        enhanced = ""
    return Reply(code, enhanced, "\n".join(texts))


LOCAL_ERROR: Final = Reply(451, "4.3.0", "Local error, please try again later")
STORAGE_ERROR: Final = Reply(452, "4.3.1", "Insufficient system storage, please try again later")
NO_DOWNSTREAM: Final = Reply(451, "4.4.1", "The receiving server cannot be reached, please try again later")
DOWNSTREAM_BUSY: Final = Reply(451, "4.3.2", "The receiving server is not accepting mail now, please try again later")
DOWNSTREAM_LOST: Final = Reply(451, "4.4.2", "The connection to the receiving server was lost, please try again later")
MISCONFIGURED: Final = Reply(451, "4.3.5", "The gateway is not set up for this yet, please try again later")
NOT_RELAYED: Final = Reply(550, "5.7.1", "We do not relay mail for this recipient")
BAD_SEQUENCE: Final = Reply(503, "5.5.1", "Bad sequence of commands")
ELSEWHERE: Final = Reply(250, "2.1.5", "Not in a domain of ours, left to the mail server")
ACCEPTED: Final = Reply(250, "2.0.0", "Message accepted")
