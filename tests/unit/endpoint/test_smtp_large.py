"""Large messages, endless lines, many transactions: memory stays flat (S-11, F-32)."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc

from gateway.envelope.message import Message
from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Client
from gateway.ports import Host, Intake
from tests.support.dialogue import open_door
from tests.support.reception import FakeReception

MIB = 1024 * 1024


class HashingReception(FakeReception):
    """Keeps the digest of each message instead of its octets."""

    def __init__(self) -> None:
        super().__init__(keep=False)
        self.digests: list[str] = []

    def begin(self, client: Client, host: Host | None = None) -> Intake:
        intake = super().begin(client, host)
        plain = intake.data

        async def data(message: Message, queue_id: str = "") -> Reply:
            self.digests.append(hashlib.sha256(message.raw).hexdigest())
            return await plain(message, queue_id)

        intake.data = data
        return intake


async def test_fifty_mebibytes_stay_on_disk() -> None:
    """F-32: the message is 50 MiB, what the process allocates for it is a few; and no octet is changed (R-16)."""
    block = b"".join(b"%07d " % i + b"a" * 68 + b"\r\n" for i in range(10_000))
    head = b"From: vanthu@thcs-tanan.edu.vn\r\nSubject: bao cao\r\n\r\n"
    wanted = hashlib.sha256(head)
    reception = HashingReception()
    async with open_door(reception) as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        tracemalloc.start()
        try:
            await client.send(head)
            for _ in range(65):
                await client.send(block)
                wanted.update(block)
            await client.send(b".\r\n")
            assert (await client.reply()).startswith(b"250 ")
            assert tracemalloc.get_traced_memory()[1] < 6 * MIB
        finally:
            tracemalloc.stop()
        assert reception.digests == [wanted.hexdigest()]
        assert reception.intakes[0].on_disk
        assert list(opened.spool.iterdir()) == []


async def test_endless_line_in_data_is_not_kept() -> None:
    """S-11, finding 4: the line is refused when it is too long, and cut when it has no end."""
    async with open_door(max_size=8 * MIB) as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        tracemalloc.start()
        try:
            ended = asyncio.create_task(client.rest())
            block = b"x" * MIB
            for _ in range(64):
                if ended.done():
                    break
                client.writer.write(block)
                try:
                    await client.writer.drain()
                except ConnectionError:
                    break
                await asyncio.sleep(0)
            await ended
            assert tracemalloc.get_traced_memory()[1] < 6 * MIB
        finally:
            tracemalloc.stop()
        assert opened.reception.messages == []


async def test_endless_command_is_cut() -> None:
    """S-11: a command of more than 64 KiB is no command."""
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        client.writer.write(b"x" * 300_000)
        lines = await client.rest()
        assert [line[:9] for line in lines] in ([b"500 5.5.2"], [])  # a reset may overtake it


async def test_hundred_pipelined_transactions() -> None:
    """RFC 2920: body, end of data and the next MAIL, RCPT, DATA leave in one segment."""
    envelope = b"MAIL FROM:<vanthu@thcs-tanan.edu.vn>\r\nRCPT TO:<vanthu@longan.edu.vn>\r\nDATA\r\n"
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.send(envelope)
        for number in range(100):
            assert [(await client.reply())[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            await client.send(b"Subject: %d\r\n.\r\n" % number + (envelope if number < 99 else b"QUIT\r\n"))
            assert (await client.reply()).startswith(b"250 2.0.0")
        assert (await client.reply()).startswith(b"221 ")
        assert opened.reception.messages == [b"Subject: %d\r\n" % number for number in range(100)]


async def test_replies_to_a_group_leave_together() -> None:
    """RFC 2920 §3.2: one segment for MAIL, RCPT, RCPT, DATA."""
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.send(b"MAIL FROM:<>\r\nRCPT TO:<a@longan.edu.vn>\r\nRCPT TO:<b@longan.edu.vn>\r\nNOOP\r\nRSET\r\n")
        segment = await client.reader.read(4096)
        assert segment.count(b"\r\n") == 5
