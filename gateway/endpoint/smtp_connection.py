"""The connection under an SMTP session: octets in, replies out, one timer. aiosmtpd's SMTP with its unsafe parts replaced.

Kept from aiosmtpd: the life of a connection (StreamReaderProtocol, connection_made starts _handle_client), Session, and
the table of commands. Replaced: what cancelled our work when the client left (R-9), reading and the timers (S-11, S-22).
The client's going cancels nothing here: the session's task notices it when it next reads or writes.
"""

from __future__ import annotations

import asyncio
import math
from functools import lru_cache
from typing import Any, Final

from aiosmtpd.smtp import SMTP

from gateway.endpoint.refusal import (
    BARE_IN_COMMAND,
    ENDLESS_LINE,
    LINE_TOO_LONG,
    OUT_OF_STEP,
    TIMED_OUT,
    TOO_SLOW,
    Refusal,
)
from gateway.endpoint.shared import Shared
from gateway.envelope.reply import Reply

READ_MAX: Final = 64 * 1024  # octets that a reader holds before it answers; it stops the transport at twice as many
REPLIES_MAX: Final = 4096  # octets of replies that wait for each other
COMMAND_MAX: Final = 512  # octets, RFC 5321 §4.5.3.1.4
EXTENDED_MAX: Final = 2048  # octets of a command with ESMTP parameters or XCLIENT attributes
EXTENDED_VERBS: Final = (b"MAIL", b"RCPT", b"XCLIENT", b"XFORWARD")
STALLED: Final = 60.0  # seconds that a client may leave our replies unread
LINGER: Final = 10.0  # seconds for the last reply to leave
GRACE: Final = 60.0  # seconds before the rate of a DATA transfer counts

octets_of = lru_cache(maxsize=256)(Reply.wire)  # most replies are the same few


class Connection(SMTP):
    """One client's connection. Subclasses say what is spoken over it, in _handle_client."""

    def __init__(self, shared: Shared) -> None:
        self.__dict__.update(shared.template)
        reader = asyncio.StreamReader(limit=READ_MAX, loop=shared.loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, self._cb_client_connected, shared.loop)
        self.shared = shared
        self._out = bytearray()
        self._received = 0  # octets
        self._deadline = math.inf  # when the timer is to act
        self._timer_at = math.inf  # when the timer wakes, which may be sooner
        self._flushing = False
        self._data_from: tuple[float, int] | None = None  # time and octets received when DATA began
        self._heard_at = 0.0
        self._at_eof = False

    # ---- the life of a connection -------------------------------------------------------------------------------

    def connection_lost(self, error: Exception | None) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        asyncio.StreamReaderProtocol.connection_lost(self, error)  # not SMTP's, which cancels the session's task
        self.transport = None

    def eof_received(self) -> bool:
        """The client sends no more. In clear it may still listen, so the connection stays until our last reply."""
        self._at_eof = True
        self._reader.feed_eof()
        return self.session is not None and self.session.ssl is None

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._data_from is not None:
            self._heard_at = self.loop.time()
        self._reader.feed_data(data)

    @property
    def is_gone(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def hang_up(self, reply: Reply | None = None) -> None:
        """Give a last reply and close. Nothing is read after this."""
        if self.transport is None or self.transport.is_closing():
            return
        if reply is not None:
            self._out += reply.wire()
        self._writer.write(bytes(self._out))
        self._out.clear()
        self.transport.close()
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_later(LINGER, self._abort)
        self._timer_at = -math.inf  # this wake-up is the last; no other is armed in its place

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abort()

    # ---- one timer, armed anew only when it wakes too early -----------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Give the client this many seconds from now (math.inf: we are working, and it waits for us)."""
        self._deadline = self.loop.time() + (self._timeout_duration if duration is None else duration)
        if self._deadline < self._timer_at:
            self._arm(self._deadline)

    def _expect_data(self) -> None:
        """From here on, until _data_from is None again, patience is by progress."""
        now = self.loop.time()
        self._data_from, self._heard_at = (now, self._received), now
        self._reset_timeout(min(GRACE, self._timeout_duration))

    def _arm(self, when: float) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_at(when, self._timeout_cb)
        self._timer_at = when

    def _due(self) -> float:
        """When patience ends: for data, at the first long pause or when the rate since the start is too low (R-19)."""
        if self._data_from is None or self._deadline == math.inf:
            return self._deadline
        began, before = self._data_from
        rate = self.shared.settings.min_data_rate
        by_rate = began + GRACE + (self._received - before) / rate if rate else math.inf
        return min(self._heard_at + self._timeout_duration, by_rate)

    def _timeout_cb(self) -> None:
        self._timer_at = math.inf
        due = self._due()
        if due > self.loop.time():
            if due < math.inf:
                self._arm(due)
        elif self._flushing:
            self._abort()
        else:
            self.hang_up(TOO_SLOW if self._data_from else TIMED_OUT)

    # ---- replies out --------------------------------------------------------------------------------------------

    def _say(self, reply: Reply) -> None:
        """Put a reply in the line; replies to pipelined commands leave together (RFC 2920)."""
        self._out += octets_of(reply)

    async def _flush(self) -> None:
        """Send what waits. Raises OSError when the client is gone; a client that does not read is cut."""
        if not self._out:
            return
        self._writer.write(bytes(self._out))
        self._out.clear()
        self._flushing = True
        self._reset_timeout(min(STALLED, self._timeout_duration))
        try:
            await self._writer.drain()
        finally:
            self._flushing = False

    # ---- octets in ----------------------------------------------------------------------------------------------

    @property
    def _buffered(self) -> bytearray:
        """What has come and is not yet read."""
        buffer: bytearray = self._reader._buffer  # type: ignore[attr-defined]
        return buffer

    def _expect_silence(self) -> None:
        """The client must wait for our reply here (RFC 2920 §3.1); what speaks too early is no mail client (S-9)."""
        if self._buffered:
            raise Refusal(OUT_OF_STEP, close=True)

    async def _read_command(self) -> tuple[bytes, bytes]:
        """Read one command: verb in upper case and argument. Raises Refusal, IncompleteReadError, OSError."""
        if len(self._out) > REPLIES_MAX or b"\n" not in self._buffered:
            await self._flush()
        self._reset_timeout()
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise Refusal(ENDLESS_LINE, close=True) from error
        if line[-2:] != b"\r\n" or line.find(b"\r") != len(line) - 2 or b"\0" in line:
            raise Refusal(BARE_IN_COMMAND, close=True)
        verb, _, argument = line[:-2].partition(b" ")
        verb = verb.upper()
        if len(line) > (EXTENDED_MAX if verb in EXTENDED_VERBS and self._is_extended else COMMAND_MAX):
            raise Refusal(LINE_TOO_LONG)
        return verb, argument.strip(b" ")

    @property
    def _is_extended(self) -> bool:
        session: Any = self.session
        return bool(session.extended_smtp)
