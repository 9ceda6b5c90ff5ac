"""Mail for the tests of the milter behind real mail servers, its DNS, and a reader for what they delivered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime, localtime
from typing import Any

import dkim

from gateway.demo.dns import Script
from tests.support.signing import rsa_key, sign

UNIT = "pgdbenluc@longan.edu.vn"
UNIT_HOST = "192.0.2.10"
TEACHER = "nguyenthilan@gmail.com"
GMAIL_HOST = "198.51.100.7"
VANTHU = "vanthu@longan.edu.vn"
SELECTOR = "vp"


def zone(data: Mapping[str, Sequence[str | bytes]]) -> dict[str, dict[str, Script]]:
    """TXT records that nobody keeps, c-ares neither: a test may change them from one message to the next."""
    return {name: {"TXT": Script(records=records, ttl=0)} for name, records in data.items()}


ZONE = zone(
    {
        "longan.edu.vn": [f"v=spf1 ip4:{UNIT_HOST} ip4:127.0.0.10 -all"],
        "_dmarc.longan.edu.vn": ["v=DMARC1; p=reject"],
        f"{SELECTOR}._domainkey.longan.edu.vn": [rsa_key().record()],
        "gmail.com": [f"v=spf1 ip4:{GMAIL_HOST} ip4:127.0.0.20 ~all"],
        "_dmarc.gmail.com": ["v=DMARC1; p=none"],
    }
)
BODY = "Kính gửi Sở Giáo dục và Đào tạo Long An,\r\n.dòng có dấu chấm\r\n..\r\n\r\nTrân trọng.\r\n".encode()


def message(sender: str, subject: str, number: str, *, body: bytes = BODY, more: bytes = b"") -> bytes:
    """A message of today with CRLF line ends; `more` are further fields of its header."""
    head = (
        f"From: <{sender}>\r\nTo: <{VANTHU}>\r\nSubject: {subject}\r\nDate: {format_datetime(localtime())}\r\n"
        f"Message-ID: <{number}@{sender.partition('@')[2]}>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    )
    return head.encode() + more + b"\r\n" + body


def signed(raw: bytes, canonicalization: str = "relaxed/relaxed") -> bytes:
    """With the signature of the unit's domain on top, over every field."""
    return sign(raw, "longan.edu.vn", SELECTOR, rsa_key(), canonicalization=canonicalization)


def unit_mail(number: str, **changes: Any) -> bytes:
    """A report of a unit, signed."""
    return signed(message(UNIT, "Bao cao 12/BC-PGDDT", number, **changes))


def free_mail(number: str, **changes: Any) -> bytes:
    """A report from a free provider, which policy holds."""
    return message(TEACHER, "Bao cao so 45/BC-THCS", number, **changes)


def verifies(raw: bytes, selector: str = SELECTOR, *, record: bytes = b"") -> bool:
    """Whether every DKIM signature of that selector holds, by dkimpy; False when there is none."""
    octets = lf(raw).replace(b"\n", b"\r\n")
    key = record or rsa_key().record()
    signatures = [value for name, value in dkim.DKIM(octets).headers if name.lower() == b"dkim-signature"]
    wanted = f"s={selector};".encode()
    chosen = [n for n, value in enumerate(signatures) if wanted in re.sub(rb"\s", b"", value) + b";"]
    results = [dkim.DKIM(octets).verify(n, dnsfunc=lambda name, timeout=5: key) for n in chosen]
    return bool(results) and all(results)


@dataclass(frozen=True)
class Delivered:
    """A delivered file: the fields that delivery put on top, those above Postfix's Received, and what came in."""

    delivery: bytes
    ours: bytes
    received: bytes
    rest: bytes


def taken_apart(octets: bytes) -> Delivered:
    """Split a file of a Maildir, with LF line ends, at the first Received."""
    head, _, body = octets.partition(b"\n\n")
    fields = re.findall(rb"[^\n]+\n(?:[ \t][^\n]*\n)*", head + b"\n")
    names = [field.partition(b":")[0].strip().lower() for field in fields]
    start = next(
        (n for n, name in enumerate(names) if name not in (b"return-path", b"x-original-to", b"delivered-to")), 0
    )
    trace = names.index(b"received")
    parts = (fields[:start], fields[start:trace], fields[trace : trace + 1], fields[trace + 1 :])
    delivery, ours, received, rest = (b"".join(part) for part in parts)
    return Delivered(delivery, ours, received, rest + b"\n" + body)


def values(octets: bytes, name: str) -> list[str]:
    """The values of all fields of this name, unfolded, top to bottom."""
    head = octets.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "surrogateescape")
    lines = re.sub(r"\n[ \t]+", " ", head).split("\n")
    return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip().lower() == name.lower()]


def lf(octets: bytes) -> bytes:
    """As a Maildir keeps it."""
    return octets.replace(b"\r\n", b"\n")
