"""Make the server know the client before MAIL, where the route wants that and the server offers it.

Postfix, once it believes to talk to the client, takes no further XCLIENT: such a connection serves that one client only,
and is closed when its place is needed. With XFORWARD (`xclient: false`) connections serve everybody.
"""

from __future__ import annotations

import re

from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Client
from gateway.policy.route import Route
from gateway.relay import verdict
from gateway.relay.connection import Connection
from gateway.relay.handshake import hello
from gateway.relay.verdict import Refused
from gateway.relay.xclient_out import commands, is_ours

_HELO = re.compile(r"[!-~]{1,255}\Z")


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
            await _tell("XCLIENT", connection, route, client, seconds)
            # Postfix believes the EHLO that follows more than the HELO attribute, so it is the client's name again.
            await hello(connection, route, client.helo if _HELO.match(client.helo) else hostname, seconds)
            connection.introduced = client
    elif "XFORWARD" in connection.extensions:
        await _tell("XFORWARD", connection, route, client, seconds)


async def _tell(verb: str, connection: Connection, route: Route, client: Client, seconds: float) -> None:
    """Send the attributes; a server without IPv6 (Postfix: inet_protocols = ipv4) refuses such addresses, and gets none."""
    reply = await _say(verb, connection, client, seconds, hide_address=False)
    if reply.is_permanent and client.address.version == 6:
        reply = await _say(verb, connection, client, seconds, hide_address=True)
    if reply.code == 421:
        raise Refused(verdict.of_handshake(reply, route, verb.lower()), str(reply))
    if reply.is_temporary or reply.code in (521, 554):  # a greeting for that client, which is thus its own to hear
        raise Refused(reply, str(reply))
    if not reply.is_positive:
        raise verdict.misconfigured(route, verb.lower(), str(reply))


async def _say(verb: str, connection: Connection, client: Client, seconds: float, *, hide_address: bool) -> Reply:
    """The first reply that is no success, else the last one: 250 to XFORWARD; XCLIENT greets anew with 220."""
    reply = _NOTHING_SAID
    for line in commands(verb, client, connection.extensions[verb], hide_address=hide_address):
        reply = await connection.command(line, seconds)
        if not reply.is_positive:
            break
    return reply


_NOTHING_SAID = Reply(250, "2.0.0", "No attribute is offered that we could tell")
