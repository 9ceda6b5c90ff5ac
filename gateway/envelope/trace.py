"""The Received field that we add (RFC 5321 §4.4), and the loops that such fields show (§6.3)."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from gateway.envelope.header import make_field
from gateway.envelope.message import Message
from gateway.envelope.transaction import Client, Transaction

LOOP_MAX = 2  # times that a message may have passed this gateway before

_DOMAIN_LIKE = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CIPHER = re.compile(r"[A-Za-z0-9_. -]+\Z")


def received_field(transaction: Transaction, hostname: str) -> bytes:
    """Our trace field; what the client said of itself is written only where it fits the grammar of a domain."""
    client = transaction.client
    paths = transaction.forward_paths
    shown = f" for <{paths[0].mailbox}>" if len(paths) == 1 and paths[0].mailbox.is_ascii else ""
    return make_field(
        "Received",
        f"from {_safe(client.helo)} ({_tcp_info(client)}) by {hostname} with {client.protocol}{_tls(client)}"
        f" id {transaction.id}{shown}; {_date(transaction.received_at)}",
    )


def _date(moment: datetime) -> str:
    """The date-time of RFC 5322 §3.3; names are put in here, for strftime would take them from the locale."""
    return f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S %z}"


def _tls(client: Client) -> str:
    return f" ({client.tls})" if _CIPHER.match(client.tls) else ""


def _safe(name: str) -> str:
    return name if _DOMAIN_LIKE.match(name) else "unknown"


def _tcp_info(client: Client) -> str:
    literal = f"[IPv6:{client.address}]" if client.address.version == 6 else f"[{client.address}]"
    return f"{client.name} {literal}" if client.name and _DOMAIN_LIKE.match(client.name) else literal


def is_looping(message: Message, hostname: str) -> bool:
    """Whether the message has passed this gateway so often that it must be going in circles (safety S-26)."""
    fields = message.all(b"received")
    if len(fields) < LOOP_MAX:
        return False
    passed = _passed(hostname)
    return sum(bool(passed.search(field.value)) for field in fields) >= LOOP_MAX


@lru_cache(maxsize=8)
def _passed(hostname: str) -> re.Pattern[bytes]:
    """Finds this gateway's own mark in a Received field."""
    return re.compile(rb"\bby\s+" + re.escape(hostname.encode()) + rb"\s", re.IGNORECASE)
