"""A downstream SMTP or LMTP server that does exactly what its script says, and remembers every octet."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET


class Act(Enum):
    """What a step does instead of, or after, writing octets."""

    CLOSE = auto()
    RESET = auto()  # RST, not FIN
    HANG = auto()  # nothing, for ever
    TLS = auto()  # 220, then the handshake


Step = bytes | Act | tuple[bytes | Act, ...]
Script = Step | list[Step] | Callable[[str], Step]  # a list is used up one by one; its last step stays

EHLO = b"250-sink.longan.edu.vn\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"

DEFAULTS: dict[str, Step] = {
    "connect": b"220 sink.longan.edu.vn ESMTP\r\n",
    "EHLO": EHLO,
    "LHLO": EHLO,
    "HELO": b"250 sink.longan.edu.vn\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    ".": b"250 2.0.0 Ok: queued\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "QUIT": (b"221 2.0.0 Bye\r\n", Act.CLOSE),
    "STARTTLS": Act.TLS,
    "XFORWARD": b"250 2.0.0 Ok\r\n",
    "XCLIENT": b"220 sink.longan.edu.vn ESMTP\r\n",
}


@dataclass
class Taken:
    """A message that the sink got whole: its envelope as written, and the content with dots undoubled."""

    mail: str
    rcpts: list[str]
    raw: bytes  # between 354 and the final dot's CRLF, as on the wire
    content: bytes


@dataclass
class Sink:
    """Scripted replies by verb: connect, EHLO, LHLO, HELO, MAIL, RCPT, DATA, ".", RSET, QUIT, XCLIENT, XFORWARD, STARTTLS.

    `body_after` makes the content end without waiting for the dot: the step of "body" is then done after that many octets.
    """

    script: dict[str, Script] = field(default_factory=dict)
    lmtp: bool = False
    body_after: int | None = None
    tls: ssl.SSLContext | None = None
    connections: int = 0
    lines: list[str] = field(default_factory=list)  # every command of every connection
    taken: list[Taken] = field(default_factory=list)
    partial: bytes = b""  # content of a transfer that did not end
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def step(self, verb: str, line: str = "") -> Step:
        found = self.script.get(verb, DEFAULTS.get(verb, b"502 5.5.2 Not known\r\n"))
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found(line) if callable(found) else found

    def verbs(self) -> list[str]:
        return [line.split(" ")[0].split(":")[0] for line in self.lines]

    async def kick(self) -> None:
        """Close every connection, as a server does that restarts."""
        for writer in list(self._writers):
            writer.close()
        while self._writers:
            await asyncio.sleep(0.005)

    async def say(self, octets: bytes) -> None:
        """Say something that nobody asked for."""
        for writer in list(self._writers):
            writer.write(octets)
            await writer.drain()

    async def _do(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, step: Step) -> bool:
        """False when the connection ends."""
        for part in step if isinstance(step, tuple) else (step,):
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            elif part is Act.TLS:
                writer.write(b"220 2.0.0 Ready\r\n")
                await writer.drain()
                assert self.tls is not None
                await writer.start_tls(self.tls)
            elif part is Act.HANG:
                await asyncio.Event().wait()
            else:
                if part is Act.RESET:
                    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if await self._do(reader, writer, self.step("connect")):
                await self._dialogue(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the peer went, which many tests want
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _dialogue(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail, rcpts = "", []
        while True:
            line = (await reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "surrogateescape")
            self.lines.append(line)
            verb = line.split(" ")[0].upper()
            step = self.step(verb, line)
            accepted = isinstance(step, bytes) and step[:1] == b"2"
            if verb == "MAIL":
                mail, rcpts = line, []
            elif verb == "RCPT" and accepted:
                rcpts.append(line)
            if not await self._do(reader, writer, step):
                return
            if verb == "DATA" and step[:3] == b"354":
                if not await self._data(reader, writer, mail, rcpts):
                    return
                mail, rcpts = "", []

    async def _data(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mail: str, rcpts: list[str]
    ) -> bool:
        if self.body_after is not None:
            self.partial = await reader.readexactly(self.body_after)
            return await self._do(reader, writer, self.step("body"))
        try:
            raw = await self._until_dot(reader)
        except asyncio.IncompleteReadError as error:
            self.partial = error.partial
            raise
        self.taken.append(Taken(mail, rcpts, raw, (b"\r\n" + raw).replace(b"\r\n..", b"\r\n.")[2:]))
        for recipient in rcpts if self.lmtp else rcpts[:1]:
            if not await self._do(reader, writer, self.step(".", recipient)):
                return False
        return True

    @staticmethod
    async def _until_dot(reader: asyncio.StreamReader) -> bytes:
        buffer = bytearray(b"\r\n")
        while True:
            part = await reader.read(1 << 16)
            if not part:
                raise asyncio.IncompleteReadError(bytes(buffer[2:]), None)
            buffer += part
            if buffer.endswith(b"\r\n.\r\n"):
                assert buffer.count(b"\r\n.\r\n") == 1, "content ended early on the wire"
                return bytes(buffer[2:-3])


@contextlib.asynccontextmanager
async def running(sink: Sink, port: int = 0) -> AsyncIterator[Sink]:
    """Serve on a loopback port: this one, or a free one."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(sink._serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
