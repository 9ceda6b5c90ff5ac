"""Who the client is: the peer, or what a trusted proxy in front says by PROXY, XCLIENT or XFORWARD; and STARTTLS.

What the proxy said survives STARTTLS, unlike aiosmtpd's own proxy data (S-6).
"""

# ruff: noqa: N802 - aiosmtpd's table of commands goes by the names smtp_VERB

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any, cast

from gateway import maillog, metrics
from gateway.endpoint import refusal as say
from gateway.endpoint.limits import within
from gateway.endpoint.proxy_protocol import Origin, ProxyError, normalized, read_proxy_header
from gateway.endpoint.refusal import Refusal
from gateway.endpoint.smtp_connection import Connection
from gateway.endpoint.tls import HANDSHAKE_SECONDS
from gateway.endpoint.xclient import Told, parse_xclient, parse_xforward
from gateway.envelope.transaction import Client

PROXY_SECONDS = 5.0  # for the whole PROXY header
THIS_HOST = Origin(IPv4Address("127.0.0.1"), 0)  # a client of a local socket, which has no address of its own


class Admission(Connection):
    """A connection whose client is known, counted and let in."""

    _origin: Origin | None = None  # counted in the limits; None: not let in
    _is_trusted = False  # XCLIENT and XFORWARD are honoured
    _told = Told()
    _forwarded: Mapping[str, str] = {}

    @abstractmethod
    async def _forget(self) -> None:
        """Forget the greeting and the transaction (S-5)."""

    async def _admit(self) -> None:
        """Let the client in and greet it. Raises Refusal, ProxyError, IncompleteReadError, OSError."""
        shared = self.shared
        peer = self._peer()
        if len(shared.sessions) > shared.settings.connections or shared.is_closed:
            metrics.connections.labels("refused").inc()
            raise Refusal(say.STOPPING if shared.is_closed else say.TOO_MANY_CONNECTIONS, close=True)
        origin = peer
        if within(peer.address, shared.settings.proxy_from):
            self._reset_timeout(min(PROXY_SECONDS, self._timeout_duration))
            origin = await read_proxy_header(self._reader) or peer
        self._enter(origin)
        self._is_trusted = within(origin.address, shared.settings.xclient_from)
        for _ in range(2):  # one turn of the loop, so that what has already come is seen
            await asyncio.sleep(0)
        metrics.child(metrics.connections, "early-talk" if self._buffered else "accepted").inc()
        self._expect_silence()
        self._say(shared.greeting)

    def _peer(self) -> Origin:
        name: Any = self.session.peer if self.session else None
        if isinstance(name, str | bytes):
            return THIS_HOST
        if not isinstance(name, tuple):
            raise ConnectionResetError("the client left before we looked")
        return Origin(normalized(ip_address(name[0])), name[1])

    def _enter(self, origin: Origin) -> None:
        """Count the client where its connection comes from, and no longer where it came from before. Raises Refusal."""
        self._leave()
        if not self.shared.limits.enter(origin.address, self.loop.time()):
            metrics.connections.labels("refused").inc()
            raise Refusal(say.TOO_MANY_CONNECTIONS, close=True)
        self._origin = origin

    def _leave(self) -> None:
        if self._origin is not None:
            self.shared.limits.leave(self._origin.address)
            self._origin = None

    def _reject_proxy(self, error: ProxyError) -> None:
        """Without its header a proxied connection has no client: say nothing, close."""
        metrics.connections.labels("bad-proxy-header").inc()
        maillog.event("proxy-header", peer=str(self._peer().address), error=str(error))
        self._abort()

    def _client(self, *, utf8: bool) -> Client:
        """The client as the pipeline sees it."""
        session: Any = self.session
        origin, told = self._origin or self._peer(), self._told
        extended = told.protocol == "ESMTP" if told.protocol else bool(session.extended_smtp)
        return Client(
            address=origin.address,
            port=origin.port,
            helo=told.helo or session.host_name or "",
            protocol=transmission_type(extended=extended, tls=session.ssl is not None, utf8=utf8),
            tls=self._tls(),
            name=told.name or "",
        )

    def _tls(self) -> str:
        session: Any = self.session
        return f"{session.ssl['version']} {session.ssl['cipher']}" if session.ssl else ""

    async def smtp_XCLIENT(self, argument: str) -> None:
        if not self._is_trusted:
            raise Refusal(say.NOT_RECOGNIZED)
        if self._in_transaction:
            raise Refusal(say.NESTED_MAIL)
        self._expect_silence()
        told = parse_xclient(argument)
        before = self._origin or self._peer()
        if told.address is not None:
            self._enter(Origin(told.address, told.port or 0))
        elif told.port is not None:
            self._origin = Origin(before.address, told.port)
        self._told = self._told.and_then(told)
        await self._forget()
        self._say(self.shared.greeting)

    async def smtp_XFORWARD(self, argument: str) -> None:
        if not self._is_trusted:
            raise Refusal(say.NOT_RECOGNIZED)
        if self._in_transaction:
            raise Refusal(say.NESTED_MAIL)
        told = {f"forwarded_{name}": value for name, value in parse_xforward(argument).items()}
        self._forwarded = {**self._forwarded, **told}  # Postfix tells it in several commands
        self._say(say.DONE)

    @property
    @abstractmethod
    def _in_transaction(self) -> bool:
        """Whether MAIL has been accepted."""

    async def smtp_STARTTLS(self, argument: str) -> None:
        """RFC 3207. Octets that came in clear behind the command end the session (CVE-2011-0411)."""
        session: Any = self.session
        if argument:
            raise Refusal(say.NO_ARGUMENT)
        if session.ssl is not None:
            raise Refusal(say.ALREADY_TLS)
        context = self.shared.tls
        if context is None:
            raise Refusal(say.NO_TLS if self.shared.settings.certificate else say.NOT_IMPLEMENTED)
        self._expect_silence()
        await self._forget()
        self._say(say.GO_AHEAD_TLS)
        await self._flush()
        self._expect_silence()  # nothing is awaited from here until the transport has changed hands
        self._reset_timeout(HANDSHAKE_SECONDS + 5)
        clear: Any = self.transport
        try:
            transport: Any = await self.loop.start_tls(
                clear, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:
            metrics.connections.labels("tls-failed").inc()
            raise
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        reader, writer = cast("Any", self._reader), cast("Any", self._writer)
        self.transport = writer._transport = reader._transport = transport
        cipher = transport.get_extra_info("cipher") or ("", "", 0)
        session.ssl = {"version": transport.get_extra_info("ssl_object").version(), "cipher": cipher[0]}


def transmission_type(*, extended: bool, tls: bool, utf8: bool) -> str:
    """The "with" word of a Received field (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "")
