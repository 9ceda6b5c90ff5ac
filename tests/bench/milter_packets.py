"""What Postfix says to a milter about a message of the benchmark, as octets made once: for `milter_generator`."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.endpoint.milter_protocol import CHUNK_SIZE, VERSION, Action, Step
from tests.bench.generator import CLIENT, HELO

LEFT_OUT = {
    b"C": Step.NOCONNECT, b"H": Step.NOHELO, b"M": Step.NOMAIL, b"R": Step.NORCPT, b"T": Step.NODATA,
    b"L": Step.NOHDRS, b"N": Step.NOEOH, b"B": Step.NOBODY, b"E": Step(0),
}  # fmt: skip
UNANSWERED = {
    b"C": Step.NR_CONN, b"H": Step.NR_HELO, b"M": Step.NR_MAIL, b"R": Step.NR_RCPT, b"T": Step.NR_DATA,
    b"L": Step.NR_HDR, b"N": Step.NR_EOH, b"B": Step.NR_BODY, b"E": Step(0),
}  # fmt: skip
OFFER = Step(0x1F_FFFF)  # all steps that Postfix knows

_UNFOLDED = re.compile(rb"\r\n(?![ \t])")


def packet(command: bytes, payload: bytes = b"") -> bytes:
    """Length (four octets), command (one), payload."""
    return struct.pack("!Ic", 1 + len(payload), command) + payload


def strings(*words: str | bytes) -> bytes:
    """Words that each end with NUL."""
    return b"".join((word if isinstance(word, bytes) else word.encode()) + b"\0" for word in words)


def macros(stage: bytes, **values: str) -> bytes:
    """The macros of the stage that follows; names longer than a letter are written in braces."""
    pairs = [word for name, value in values.items() for word in (name if len(name) == 1 else f"{{{name}}}", value)]
    return packet(b"D", stage + strings(*pairs))


NEGOTIATION = packet(b"O", struct.pack("!III", VERSION, Action(0x1FF), OFFER))
ABORT, QUIT = packet(b"A"), packet(b"Q")


@dataclass(frozen=True)
class Speech:
    """Packets sent in one piece, and how many answers they have."""

    octets: bytes
    answers: int

    def __add__(self, other: Speech) -> Speech:
        return Speech(self.octets + other.octets, self.answers + other.answers)


def speech(steps: Step, events: Iterable[tuple[bytes, bytes]]) -> Speech:
    """These events, each a command and its packets, as far as the negotiation wants them."""
    wanted = [(command, octets) for command, octets in events if not steps & LEFT_OUT[command]]
    answers = sum(not steps & UNANSWERED[command] for command, _ in wanted)
    return Speech(b"".join(octets for _, octets in wanted), answers)


def greeting(steps: Step) -> Speech:
    """The client's connection and its HELO."""
    address = strings(HELO) + b"4" + struct.pack("!H", 40_000) + strings(CLIENT)
    about = macros(b"C", j="mx.longan.edu.vn", client_addr=CLIENT, client_name=HELO, client_port="40000")
    connect = (b"C", about + packet(b"C", address))
    return speech(steps, (connect, (b"H", macros(b"H") + packet(b"H", strings(HELO)))))


def envelope(steps: Step, reverse_path: str, recipient: str, queue_id: str) -> Speech:
    """MAIL and RCPT."""
    mail = macros(b"M", i=queue_id, mail_addr=reverse_path) + packet(b"M", strings(f"<{reverse_path}>"))
    rcpt = macros(b"R", i=queue_id, rcpt_addr=recipient) + packet(b"R", strings(f"<{recipient}>"))
    return speech(steps, ((b"M", mail), (b"R", rcpt)))


def content(steps: Step, raw: bytes) -> Speech:
    """A message with CRLF line ends, from DATA to the end of message; fields have LF inside, as Postfix writes them."""
    head, _, body = raw.partition(b"\r\n\r\n")
    events = [(b"T", packet(b"T"))]
    for field in _UNFOLDED.split(head):
        name, _, value = field.replace(b"\r\n", b"\n").partition(b":")
        events.append((b"L", packet(b"L", strings(name, value if steps & Step.HDR_LEADSPC else value.lstrip(b" ")))))
    events.append((b"N", packet(b"N")))
    starts = range(0, len(body), CHUNK_SIZE)
    events += [(b"B", packet(b"B", body[start : start + CHUNK_SIZE])) for start in starts]
    return speech(steps, [*events, (b"E", packet(b"E"))])
