"""A mail server's side of the milter protocol as a load generator: C connections, K messages each, in a closed loop.

Every message has a reverse-path and a queue id of its own: one that comes again is known by them, and would be judged
without being written down. Latency is from connecting, or from MAIL of later messages, to the verdict.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gateway.endpoint.milter_protocol import Step
from tests.bench.generator import Job, Load
from tests.bench.milter_packets import ABORT, NEGOTIATION, QUIT, Speech, content, envelope, greeting

ANSWERS = b"Ocatrdy"  # negotiation, continue, accept, tempfail, reject, discard, reply code; not edits and progress
PASSED = (b"spf=pass", b"dkim=pass", b"dmarc=pass")


class Link(asyncio.Protocol):
    """One connection to the milter."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._missing = 0
        self._waiting: asyncio.Future[bytes] | None = None
        self.inserted = b""  # header fields, as packets

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("the milter closed the connection"))

    async def say(self, what: Speech) -> bytes:
        """The last of its answers, or the first that is not to go on."""
        self._missing, self._waiting = what.answers, asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            raise ConnectionError("the milter has closed the connection")
        self.transport.write(what.octets)
        return await self._waiting if what.answers else b"c"

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) < end:
                return
            self._take(bytes(self._buffer[4:end]))
            del self._buffer[:end]

    def _take(self, packet: bytes) -> None:
        if packet.startswith(b"i"):
            self.inserted += packet
        if packet[0] not in ANSWERS or self._waiting is None or self._waiting.done():
            return
        self._missing -= 1
        if not self._missing or not packet.startswith(b"c"):
            self._waiting.set_result(packet)


@dataclass(frozen=True)
class Mail:
    """The work, ready for the wire."""

    path: str
    steps: Step
    jobs: Sequence[Job]
    contents: Sequence[Speech]
    names: Iterator[str]

    async def send(self, link: Link, first: bool, turn: int) -> str:
        """What is wrong with the milter's answer, "" if nothing."""
        turn %= len(self.jobs)
        job, name = self.jobs[turn], next(self.names)
        local, _, domain = job.reverse_path.partition("@")
        opening = envelope(self.steps, f"{local}+{name}@{domain}", job.recipient, name)
        link.inserted = b""
        answer = await link.say(greeting(self.steps) + opening if first else opening)
        if answer == b"c":
            answer = await link.say(self.contents[turn])
        if answer[:1] not in (b"c", b"a"):
            return repr(answer)
        missing = [word.decode() for word in PASSED if word not in link.inserted]
        return f"not inserted: {' '.join(missing)}" if missing else ""


async def connect(path: str) -> tuple[Link, Step]:
    """A connection, and what was negotiated on it."""
    _, link = await asyncio.get_running_loop().create_unix_connection(Link, path)
    answer = await link.say(Speech(NEGOTIATION, 1))
    return link, Step(struct.unpack_from("!III", answer, 1)[2])


async def prepare(path: str, jobs: Sequence[Job]) -> Mail:
    link, steps = await connect(path)
    link.transport.close()
    run = uuid4().hex[:8]  # what came in another run is known for days
    names = (f"{run}{number:06x}" for number in itertools.count())
    return Mail(path, steps, jobs, [content(steps, job.raw) for job in jobs], names)


async def session(mail: Mail, load: Load, turn: int, messages: int, end: float) -> None:
    """One SMTP session of the mail server, as its milter hears it."""
    began = time.perf_counter()
    link, _ = await connect(mail.path)
    for number in range(messages):
        try:
            trouble = await mail.send(link, number == 0, turn + number)
        except ConnectionError as error:
            trouble = str(error)
        now = time.perf_counter()
        if trouble:
            load.failures.append(trouble)
            break
        load.latencies.append(now - began)
        link.transport.write(ABORT)  # Postfix has its milters forget each message
        if now > end:
            break
        began = time.perf_counter()
    link.transport.write(QUIT)
    link.transport.close()


async def run(path: str, jobs: Sequence[Job], *, connections: int, per_connection: int, seconds: float) -> Load:
    """Drive the load on a Unix socket for so many seconds; messages begun are finished."""
    mail, load = await prepare(path, jobs), Load()
    start = time.perf_counter()

    async def client(number: int) -> None:
        turns = itertools.count(number, per_connection)
        while time.perf_counter() < start + seconds and len(load.failures) < 20:
            await session(mail, load, next(turns), per_connection, start + seconds)

    await asyncio.gather(*map(client, range(connections)))
    load.seconds = time.perf_counter() - start
    return load
