"""What goes in comes out: a thousand odd messages through the door to the receiving server (safety R-16, S-3)."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path

from tests.support.node import Gateway, SmtpClient, gateway
from tests.support.sink import Taken

RELAY_ALL = {"rules": [{"name": "all", "then": {"relay": {}}}]}  # malformed ones too

HEADERS = [
    b"Subject: =?utf-8?B?QsOhbyBjw6Fv?=\r\n",
    b"SUBJECT:\tBao  cao \r\n",
    "Subject: Báo cáo sơ kết\r\n".encode(),
    b"X-Latin: \xe9\xff\xa0\r\n",
    b"X-Folded: mot\r\n\t hai\r\n   ba  \r\n",
    b"X-Empty:\r\n",
    b'To: vanthu@longan.edu.vn, "A, B" <ketoan@longan.edu.vn>\r\n',
    b"Received: from a (b [192.0.2.7]) by c with SMTP; Mon, 2 Nov 2026 08:00:00 +0700\r\n",
    b"X-Long: " + b"dai " * 240 + b"\r\n",
    b'Content-Type: multipart/mixed; boundary="=_x"\r\n',
    b"content-transfer-ENCODING:8bit\r\n",
]
BODIES = [
    b"",
    b"\r\n",
    b".\r\n",
    b"..\r\n...\r\n",
    b"dong mot\r\n.\r\ndong ba\r\n",
    b".dau cham dau dong\r\n..hai\r\n. ba\r\n",
    b"cach cuoi dong   \t \r\n\t\r\n   \r\n",
    b"\r\n\r\n\r\n\r\n",
    "Kính gửi Sở, tiếng Việt: ộ ữ ằ ẵ ỷ\r\n".encode(),
    b"From dau dong\r\n>From dau dong\r\n",
    b"x" * 30_000 + b"\r\n",
    b"." * 997 + b"\r\n",
    b"--=_x\r\n\r\nphan\r\n--=_x--\r\n",
    b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nQUIT\r\n",
]


def odd_message(dice: random.Random, number: int) -> bytes:
    """One message: no bare CR, LF or NUL (the door refuses those), all else as it comes."""
    fields = b"".join(dice.sample(HEADERS, dice.randrange(0, 7)))
    header = b"From: <lop%d@example.org>\r\nX-Number: %d\r\n" % (number, number) + fields
    if number % 97 == 0:
        return header  # no body, no empty line
    body = b"".join(dice.choices(BODIES, k=dice.randrange(0, 5)))
    if number % 5 == 0:
        octets = bytes(dice.randrange(1, 256) for _ in range(dice.randrange(2000)))
        body += octets.replace(b"\r", b"?").replace(b"\n", b"\r\n") + b"\r\n"
    if number % 250 == 7:
        body += (b"%d " % number + b"A" * 70 + b"\r\n") * 18_000  # over 1 MiB: spooled to disk
    if number % 11 == 0:
        body += b"khong co dau xuong dong cuoi"
    return header + b"\r\n" + body


def arrived(taken: Taken, sent: bytes) -> None:
    """Header fields unchanged and in order, the body's hash the same; a last CRLF belongs to the end of data."""
    if not sent.endswith(b"\r\n"):
        sent += b"\r\n"
    head, separator, body = sent.partition(b"\r\n\r\n")
    got_head, got_separator, got_body = taken.content.partition(b"\r\n\r\n")
    assert got_separator == separator or not body
    assert hashlib.sha256(got_body).hexdigest() == hashlib.sha256(body).hexdigest()
    assert got_head.removesuffix(b"\r\n").endswith(b"\r\n" + head.removesuffix(b"\r\n"))
    added = got_head.removesuffix(b"\r\n")[: -len(head.removesuffix(b"\r\n"))]
    assert added.startswith(b"Authentication-Results: mx.longan.edu.vn;")
    assert b"\r\nFrom:" not in added


async def send_all(client: SmtpClient, mine: dict[int, bytes]) -> None:
    for number, message in mine.items():
        reply = await client.transact(message, f"lop{number}@example.org", ("ketoan@longan.edu.vn",))
        assert reply.startswith("250 "), (number, reply)


async def test_a_thousand_odd_messages(tmp_path: Path) -> None:
    dice = random.Random(1077)  # the same messages in every run
    messages = {number: odd_message(dice, number) for number in range(1000)}
    async with gateway(tmp_path, outbox=False, overlay=RELAY_ALL) as gate:
        clients = [await gate.connect() for _ in range(6)]
        parts = [{n: messages[n] for n in messages if n % 6 == k} for k in range(6)]
        await asyncio.gather(*(send_all(*pair) for pair in zip(clients, parts, strict=True)))
        by_sender = {taken.mail.split("<lop")[1].split("@")[0]: taken for taken in gate.sink.taken}
        assert len(gate.sink.taken) == len(by_sender) == 1000
        for number, message in messages.items():
            arrived(by_sender[str(number)], message)
        records = await gate.records()
        assert len(records) == 1000
        assert not list((gate.node.settings.state / "spool").iterdir())


async def test_the_register_knows_the_octets_as_received(tmp_path: Path) -> None:
    async with gateway(tmp_path, outbox=False) as gate:
        await _sent_and_recorded(gate, b"From: <a@example.org>\r\n\r\n.\r\n..\r\ncham\r\n")


async def _sent_and_recorded(gate: Gateway, message: bytes) -> None:
    assert (await gate.send(message)).startswith("250 ")
    [record] = await gate.records()
    assert record.digest == hashlib.sha256(message).hexdigest()
    assert record.size == len(message)
