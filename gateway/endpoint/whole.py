"""What both doors refuse in a message that came whole (S-4, S-13, S-26)."""

from __future__ import annotations

from typing import Final

from gateway.endpoint import refusal as say
from gateway.envelope.header import FIELDS_MAX, HEADER_MAX
from gateway.envelope.message import Message
from gateway.envelope.reply import Reply

RECEIVED_MAX: Final = 100  # hops, RFC 5321 §6.3


def refusal_of(message: Message) -> Reply | None:
    """The refusal, or None.

    A field behind the bounds of what we read cannot be judged, and what is forged there cannot be taken out.
    """
    if bytes(message.raw[:1]) in (b" ", b"\t"):
        return say.LEADING_SPACE
    if message.header_size > HEADER_MAX or len(message.fields) > FIELDS_MAX:
        return say.HEADER_TOO_BIG
    return say.LOOP if message.received_count > RECEIVED_MAX else None
