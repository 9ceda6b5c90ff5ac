"""Make the server know the client before MAIL, where the route wants that and the server offers it."""

from __future__ import annotations

from gateway.envelope.transaction import Client
from gateway.policy.route import Route
from gateway.relay import verdict
from gateway.relay.connection import Connection
from gateway.relay.handshake import hello
from gateway.relay.xclient_out import commands, is_ours


def can_serve(connection: Connection, client: Client) -> bool:
    """Whether a kept connection fits: the server must never take one client for another, nor us for a client."""
    if connection.introduced is None or connection.introduced == client:
        return True
    return "XCLIENT" in connection.extensions and not is_ours(client)


async def introduce(connection: Connection, route: Route, client: Client, hostname: str, seconds: float) -> None:
    """XCLIENT and a new EHLO, or else XFORWARD. Raises WireError, and Refused when the server will not have it."""
    if is_ours(client):
        return
    if route.xclient and "XCLIENT" in connection.extensions:
        if connection.introduced != client:
            await _xclient(connection, route, client, hostname, seconds)
    elif "XFORWARD" in connection.extensions:
        for line in commands("XFORWARD", client, connection.extensions["XFORWARD"]):
            reply = await connection.command(line, seconds)
            if not reply.is_positive:
                raise verdict.misconfigured(route, "xforward", str(reply))


async def _xclient(connection: Connection, route: Route, client: Client, hostname: str, seconds: float) -> None:
    for line in commands("XCLIENT", client, connection.extensions["XCLIENT"]):
        reply = await connection.command(line, seconds)
        if reply.code != 220:  # it greets again, as that client would be greeted
            raise verdict.Refused(
                verdict.of_handshake(reply, route, "xclient")
                if reply.code == 421 or reply.is_temporary
                else verdict.misconfigured(route, "xclient", str(reply)).reply,
                str(reply),
            )
    await hello(connection, route, hostname, seconds)
    connection.introduced = client
