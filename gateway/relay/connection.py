"""One connection to a downstream server: lines out, whole replies in, every buffer bounded (safety F-11, F-17).

The protocol knows how many replies are owed. What comes beyond that means that the two sides no longer agree about where
they are, and such a connection is never used again. Only a 421 may come unasked: it announces that the server is closing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import cast

from gateway.envelope.reply import Reply, parse_reply
from gateway.envelope.transaction import Client

REPLY_LINE_MAX = 8 * 1024  # octets; RFC 5321 §4.5.3.1.5 allows 512
REPLY_MAX = 64 * 1024  # octets of one reply with all its lines
QUIT_PATIENCE = 2.0  # seconds for the answer to QUIT


class WireError(Exception):
    """The connection cannot be used any more; nothing is known about a reply that was owed."""


class ConnectionLost(WireError):
    """The server or the network closed it."""


class ReplyTimeout(WireError):
    """The server did not answer, or did not read, in time."""


class ProtocolViolation(WireError):
    """What the server sent is no reply, or a reply that nobody asked for."""


class Connection(asyncio.Protocol):
    """An SMTP or LMTP connection. Use it from one task at a time."""

    def __init__(self) -> None:
        self.extensions: Mapping[str, str] = {}  # EHLO keyword in upper case: its parameters
        self.introduced: Client | None = None  # whom XCLIENT made the server believe it talks to
        self.error: WireError | None = None
        self.transport: asyncio.Transport | None = None
        self._partial = b""  # octets of a line that has not ended
        self._lines: list[bytes] = []  # lines of a reply that has not ended
        self._size = 0  # octets of those lines
        self._replies: deque[Reply] = deque()
        self._owed = 0  # replies that we may expect
        self._waiter: asyncio.Future[bool] | None = None  # True: look again; False: the time is over
        self._writable = asyncio.Event()
        self._writable.set()

    # ---- what the caller does ----------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Alive, and both sides agree that nothing is owed."""
        return self.error is None and not (self._owed or self._replies or self._partial or self._lines)

    @property
    def answered(self) -> bool:
        """Whether a reply is waiting to be read, or none can come any more."""
        return bool(self._replies) or self.error is not None

    def send(self, octets: bytes, replies: int = 0) -> None:
        """Write, and expect so many more replies. Raises WireError when the connection is gone."""
        if self.error is not None:
            raise self.error
        self._owed += replies
        if self.transport is not None:
            self.transport.write(octets)

    async def drained(self, seconds: float) -> None:
        """Wait until nothing is left in our own buffer. Raises WireError."""
        await asyncio.sleep(0)  # others have their turn, and we see what has come
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._writable.wait()
            except TimeoutError:
                raise ReplyTimeout(f"nothing read for {seconds:g} s") from None
        if self.error is not None and not self._replies:
            raise self.error

    async def reply(self, seconds: float) -> Reply:
        """The next reply owed. Raises WireError."""
        while True:
            if isinstance(self.error, ProtocolViolation):
                raise self.error  # not even the replies before it are to be trusted
            if self._replies:
                return self._replies.popleft()
            if self.error is not None:
                raise self.error
            if not await self._woken(seconds):
                raise ReplyTimeout(f"no reply for {seconds:g} s")

    async def _woken(self, seconds: float) -> bool:
        """Wait for whatever comes; False when nothing did. A timer of our own costs a third of asyncio.timeout()."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiter = waiter
        timer = loop.call_later(seconds, _end_waiting, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    async def command(self, line: bytes, seconds: float) -> Reply:
        """Send one command (without CRLF) and read its reply. Raises WireError."""
        self.send(line + b"\r\n", replies=1)
        return await self.reply(seconds)

    def secured(self, transport: asyncio.Transport) -> None:
        """Go on over TLS. Nothing that came in clear is carried over: extensions must be asked for anew."""
        self.extensions = {}
        self._use(transport)

    def expect_greeting(self) -> None:
        """Expect the 220 with which a server begins, also after XCLIENT."""
        self._owed += 1

    def abort(self) -> None:
        """Close at once; what is still in our buffer is never sent."""
        if self.error is None:
            self.error = ConnectionLost("closed by us")
        if self.transport is not None:
            self.transport.abort()

    def quit(self) -> None:
        """Say QUIT and close when it is answered, or soon. Nobody needs to wait for it."""
        if not self.usable or self.transport is None:
            self.abort()
            return
        self.send(b"QUIT\r\n", replies=1)
        self.error = ConnectionLost("closed by us")
        asyncio.get_running_loop().call_later(QUIT_PATIENCE, self.transport.abort)

    # ---- what the event loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._use(cast(asyncio.Transport, transport))

    def _use(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        # So that drained() means: all of it is the kernel's. Not 0, with which asyncio's TLS never resumes.
        transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        if self.error is not None:
            if self.transport is not None:
                self.transport.close()  # the answer to QUIT, or the rest of a flood
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if self.error is None:
                self._line(line.removesuffix(b"\r"))
        if self.error is None and len(self._partial) > REPLY_LINE_MAX:
            self._violated("reply line without an end")
        self._wake()

    def _line(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if len(line) > REPLY_LINE_MAX or self._size > REPLY_MAX:
            self._violated("reply too long")
            return
        if line[3:4] == b"-" and line[:3].isdigit():
            return
        reply = parse_reply(self._lines)
        self._lines, self._size = [], 0
        if reply is None:
            self._violated("not a reply of RFC 5321 §4.2")
        elif self._owed:
            self._owed -= 1
            self._replies.append(reply)
        elif reply.code == 421:
            self.error = ConnectionLost("421 unasked")
            if self.transport is not None:
                self.transport.close()
        else:
            self._violated("a reply that nobody asked for")

    def _violated(self, what: str) -> None:
        self.error = ProtocolViolation(what)
        self._partial, self._lines = b"", []
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.error is None:
            self.error = ConnectionLost(str(exc) if exc else "closed by the server")
        self._writable.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done() and self.answered:
            self._waiter.set_result(True)


def _end_waiting(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
