"""How old a message is by its own fields, so that a queue let loose after days answers nobody (safety AR-13)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from gateway.envelope.header import Field
from gateway.envelope.message import Message

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE_TIME = re.compile(  # RFC 5322 §3.3, with the years and zones of §4.3 that are still seen
    r"(?:[A-Za-z]{3},?\s{0,8})?(\d{1,2})\s{1,8}([A-Za-z]{3})\s{1,8}(\d{4})\s{1,8}"
    r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s{0,8}([+-]\d{4}|GMT|UTC?|Z)?(?![\d:])"
)


def oldest_date(message: Message) -> datetime | None:
    """The earlier of Date and of the first hop's Received (the lowest one); None when neither can be read."""
    received = message.all(b"received")
    texts = [_text(field) for field in message.all(b"date")[:1]]
    texts += [_text(field).rpartition(";")[2].strip() for field in received[-1:]]
    return min((moment for moment in map(parse_date, texts) if moment), default=None)


def parse_date(text: str) -> datetime | None:
    """Read a `date-time`; a missing or unknown zone counts as UTC (RFC 5322 §4.3). None when it is none."""
    match = _DATE_TIME.match(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, zone = match.groups()
    try:
        return datetime(
            int(year),
            _MONTHS.index(month.lower()) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second or 0), 59),  # a leap second
            tzinfo=_zone(zone),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-offset if text[0] == "-" else offset)


def _text(field: Field) -> str:
    return field.unfolded[-200:].decode("ascii", "replace")
