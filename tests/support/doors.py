"""What makes a message through the SMTP door and one through the milter door the same."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime

from gateway.register.record import Record
from tests.support.node import Gateway
from tests.support.sink import Taken

WHEN = datetime(2019, 5, 2, tzinfo=UTC)
ID = re.compile(rb"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")


def same(record: Record) -> Record:
    """The record less what differs from one sending to the next: id, time, what the next server said.

    A second route is live through SMTP where it is the only one, and the outbox's where a mail server relays.
    """
    fates = tuple((recipient, "relayed" if verb == "queued" else verb, rule) for recipient, verb, rule in record.fates)
    return replace(record, id="", received_at=WHEN, reply="", fates=fates)


def comparable(content: bytes) -> bytes:
    """The octets less our Received field, which the mail server writes itself, and with one id."""
    header, blank, body = content.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    kept = [field for field in fields if not (field.startswith(b"Received:") and b"by mx.longan.edu.vn" in field)]
    return ID.sub(b"ID", b"\r\n".join(kept)) + blank + body


async def settled(gate: Gateway) -> list[Taken]:
    """What the receiving server has got, when the outbox has nothing left to send."""
    for _ in range(200):
        counts = await gate.counts()
        if not any(counts.get(f"outbox {state}") for state in ("due", "leased", "waiting")):
            break
        await asyncio.sleep(0.01)
    return gate.sink.taken
