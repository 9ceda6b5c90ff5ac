"""From a route to a connection that is ready for MAIL: TCP, greeting, EHLO, STARTTLS, EHLO again (RFC 5321 §3.1, RFC 3207)."""

from __future__ import annotations

import asyncio
import functools
import ssl

from gateway import maillog, metrics
from gateway.envelope.reply import Reply
from gateway.policy.route import Route
from gateway.relay import verdict
from gateway.relay.connection import Connection, ConnectionLost, ProtocolViolation, WireError
from gateway.relay.verdict import Refused

UNIX = "unix:"  # a host of this form is the path of a local socket (Dovecot's LMTP)


async def connect(route: Route, hostname: str, seconds: float) -> Connection:
    """Connect within `seconds` for everything together. Raises Refused with the client's reply (F-1 ... F-4)."""
    try:
        with metrics.child(metrics.downstream_seconds, "connect").time():
            async with asyncio.timeout(seconds):
                try:
                    return await _open(route, hostname, seconds, tls=_wants_tls(route))
                except _TlsFailed as error:  # only where the route does not insist on it
                    maillog.event("downstream-tls-failed", route=route.name, detail=str(error))
                    return await _open(route, hostname, seconds, tls=False)
    except ProtocolViolation as error:
        raise Refused(verdict.of_error(error, route, "connect"), str(error)) from error
    except (OSError, TimeoutError, WireError) as error:
        raise verdict.unreachable(error, route) from error


def _wants_tls(route: Route) -> bool:
    """A local socket never leaves this host, and no certificate can name its path: there is nothing to encrypt or prove."""
    return route.starttls != "never" and not route.host.startswith(UNIX)


class _TlsFailed(Exception):
    """The server offered STARTTLS, and then it did not work; a new connection may go on in clear."""


async def _open(route: Route, hostname: str, seconds: float, *, tls: bool) -> Connection:
    connection = await _dial(route)
    try:
        await _greeted(connection, route, seconds)
        await hello(connection, route, hostname, seconds)
        if tls:
            await _secure(connection, route, hostname, seconds)
    except BaseException:
        connection.abort()
        raise
    return connection


async def _dial(route: Route) -> Connection:
    loop = asyncio.get_running_loop()
    if route.host.startswith(UNIX):
        _, connection = await loop.create_unix_connection(_greeting_owed, route.host.removeprefix(UNIX))
    else:
        _, connection = await loop.create_connection(_greeting_owed, route.host, route.port)
    return connection


def _greeting_owed() -> Connection:
    connection = Connection()
    connection.expect_greeting()
    return connection


async def _greeted(connection: Connection, route: Route, seconds: float) -> None:
    try:
        greeting = await connection.reply(seconds)
    except ProtocolViolation as error:  # a garbled greeting is a refusal, by safety F-3
        raise Refused(verdict.of_handshake(_GARBLED, route, "greeting"), str(error)) from error
    if greeting.code != 220:
        raise Refused(verdict.of_handshake(_refusal(greeting), route, "greeting"), str(greeting))


_GARBLED = Reply(554, "", "garbled greeting")


def _refusal(reply: Reply) -> Reply:
    """A greeting that is positive but not 220 is as good as garbled."""
    return reply if reply.code >= 400 else _GARBLED


async def hello(connection: Connection, route: Route, hostname: str, seconds: float) -> None:
    """Say EHLO or LHLO, or HELO where EHLO is not known, and keep the extensions (F-4). Raises WireError, Refused."""
    verb = "LHLO" if route.protocol == "lmtp" else "EHLO"
    reply = await connection.command(f"{verb} {hostname}".encode(), seconds)
    if reply.is_positive:
        connection.extensions = _extensions(reply)
        return
    if reply.is_permanent and verb == "EHLO":
        connection.extensions = {}
        reply = await connection.command(f"HELO {hostname}".encode(), seconds)
        if reply.is_positive:
            return
    raise Refused(verdict.of_handshake(reply, route, "hello"), str(reply))


def _extensions(reply: Reply) -> dict[str, str]:
    """EHLO keywords in upper case with their parameters; the first line is the server's name."""
    found: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword:
            found.setdefault(keyword.upper(), parameters)
    return found


@functools.cache
def _tls_context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:  # opportunistic (RFC 7435): better than clear text, and no promise
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _secure(connection: Connection, route: Route, hostname: str, seconds: float) -> None:
    """STARTTLS where it is offered. Raises _TlsFailed where clear text will do, Refused where the route insists."""
    must = route.starttls == "must"
    if "STARTTLS" not in connection.extensions:
        if must:
            raise verdict.misconfigured(route, "starttls", "the route demands STARTTLS and the server has none")
        return
    reply = await connection.command(b"STARTTLS", seconds)
    if reply.code != 220:
        if must or reply.code == 421:
            raise verdict.misconfigured(route, "starttls", str(reply))
        return
    if not connection.usable or connection.transport is None:  # octets in clear after the 220 would count as encrypted
        raise ProtocolViolation("clear text after STARTTLS")
    try:
        transport = await asyncio.get_running_loop().start_tls(
            connection.transport,
            connection,
            _tls_context(must),
            server_hostname=route.host,
            ssl_handshake_timeout=seconds,
        )
        if transport is None:
            raise ConnectionLost("closed in the TLS handshake")
    except (OSError, WireError) as error:
        if must:
            raise verdict.misconfigured(route, "starttls", str(error)) from error
        raise _TlsFailed(str(error)) from error
    connection.secured(transport)
    await hello(connection, route, hostname, seconds)
