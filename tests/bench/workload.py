"""The messages and the DNS of the benchmark: one signed sender whose SPF, DKIM and DMARC all pass."""

from __future__ import annotations

import base64
import random

from gateway.demo.dns import ZoneData
from tests.bench.generator import CLIENT, HELO, Job, stuff
from tests.support.signing import SigningKey, sign

DOMAIN = "tanan.moet.edu.vn"
SELECTOR = "s2026"
RECIPIENT = "vanthu@longan.edu.vn"
SIZES = {"3 KB": 2_000, "50 KB": 34_000, "1 MB": 700_000}  # octets of content before encoding and headers


def zone(key: SigningKey) -> ZoneData:
    """All DNS that the messages need, with a TTL that keeps it warm."""
    return {
        DOMAIN: {"TXT": [f"v=spf1 include:_spf.{DOMAIN} -all".encode()], "MX": [(10, f"mail.{DOMAIN}")]},
        f"_spf.{DOMAIN}": {"TXT": [f"v=spf1 ip4:{CLIENT}/28 -all".encode()]},
        f"{SELECTOR}._domainkey.{DOMAIN}": {"TXT": [key.record()]},
        f"_dmarc.{DOMAIN}": {"TXT": [b"v=DMARC1; p=reject"]},
        "10.113.0.203.in-addr.arpa": {"PTR": [f"mail.{DOMAIN}"]},
        f"mail.{DOMAIN}": {"A": [CLIENT]},
        HELO: {"A": [CLIENT], "TXT": [b"v=spf1 a -all"]},
    }


def build(size: int, number: int, rng: random.Random) -> bytes:
    """One message with a base64 attachment of so many octets."""
    boundary = f"=_bench_{number}"
    attachment = base64.encodebytes(rng.randbytes(max(1, int(size * 0.74)))).replace(b"\n", b"\r\n")
    head = [
        f"From: =?utf-8?B?{base64.b64encode('Phòng GD&ĐT Tân An'.encode()).decode()}?= <vanthu@{DOMAIN}>",
        f"To: <{RECIPIENT}>",
        f"Subject: =?utf-8?B?{base64.b64encode(f'Báo cáo số {number}/BC-PGDĐT'.encode()).decode()}?=",
        "Date: Sat, 21 Nov 2026 14:00:00 +0700",
        f"Message-ID: <bench-{number}@{DOMAIN}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "X-Mailer: bench",
    ]
    text = "Kính gửi Sở Giáo dục và Đào tạo, đơn vị xin gửi báo cáo kèm theo.\r\n" * 4
    parts = [
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}",
        f'--{boundary}\r\nContent-Type: application/pdf; name="{number}_BC-PGDDT.pdf"\r\n'
        "Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    ]
    body = parts[0].encode() + parts[1].encode() + attachment + f"--{boundary}--\r\n".encode()
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def jobs(size: int, key: SigningKey, count: int = 8) -> list[Job]:
    rng = random.Random(size)
    signed = [sign(build(size, number, rng), DOMAIN, SELECTOR, key) for number in range(count)]
    return [Job(f"bounce@{DOMAIN}", RECIPIENT, raw, stuff(raw)) for raw in signed]
