"""A load generator: C connections, K messages each, in a closed loop; pipelined where the server offers it.

`run` returns messages per second and latencies: from connecting to the final reply for the first message of a
connection, from MAIL to the final reply for later ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

CLIENT = "203.0.113.10"
HELO = "mail.bench.example"


@dataclass
class Load:
    """What one run measured."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, q: float) -> float:
        """Seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


@dataclass(frozen=True)
class Job:
    """One message ready for the wire."""

    reverse_path: str
    recipient: str
    raw: bytes  # with CRLF line ends
    content: bytes  # the same for DATA: dot-stuffed, with the final CRLF.CRLF


def stuff(raw: bytes) -> bytes:
    body = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    return (b"." if body.startswith(b".") else b"") + body.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class Connection:
    """One client connection to the gateway, behind the PROXY protocol."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        self.writer.write(f"PROXY TCP4 {CLIENT} 127.0.0.1 40000 {self.port}\r\n".encode())
        await self.reply()
        self.writer.write(f"EHLO {HELO}\r\n".encode())
        self.pipelining = b"PIPELINING" in await self.reply()

    async def reply(self) -> bytes:
        whole = b""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            whole += line
            if line[3:4] != b"-":
                return whole

    async def send(self, job: Job) -> bytes:
        commands = [
            b"MAIL FROM:<%s>\r\n" % job.reverse_path.encode(),
            b"RCPT TO:<%s>\r\n" % job.recipient.encode(),
            b"DATA\r\n",
        ]
        if self.pipelining:
            self.writer.write(b"".join(commands))
        for command in commands:
            if not self.pipelining:
                self.writer.write(command)
            answer = await self.reply()
            if answer[:1] not in b"23":
                return answer
        self.writer.write(job.content)
        await self.writer.drain()
        return await self.reply()

    async def close(self) -> None:
        self.writer.write(b"QUIT\r\n")
        await self.reader.read(1024)
        self.writer.close()


def drive(load: Callable[[], Coroutine[Any, Any, Load]]) -> Load:
    """Run a load to its end, in the process that this is called in."""
    return uvloop.run(load())


async def run(port: int, jobs: Sequence[Job], *, connections: int, per_connection: int, seconds: float) -> Load:
    """Drive the load for so many seconds; transactions begun are finished."""
    load = Load()
    start = time.perf_counter()
    end = start + seconds

    async def client(number: int) -> None:
        turn = number
        while time.perf_counter() < end:
            began = time.perf_counter()
            link = Connection(port)
            await link.open()
            for _ in range(per_connection):
                answer = await link.send(jobs[turn % len(jobs)])
                turn += 1
                now = time.perf_counter()
                if answer.startswith(b"250"):
                    load.latencies.append(now - began)
                else:
                    load.failures.append(answer.decode("ascii", "replace").strip())
                    if len(load.failures) > 20:
                        return
                began = time.perf_counter()
                if began > end:
                    break
            await link.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    load.seconds = time.perf_counter() - start
    return load
