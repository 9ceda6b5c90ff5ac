"""The content on the wire, and what the server makes of it: the moment at which responsibility moves (RFC 5321 §6.1).

Until the last octet of the end of data is written the message is certainly not delivered. From then on only a whole reply
tells; without one the outcome is unknown, which is said, logged and counted, and never guessed (safety F-9 ... F-14, R-13).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway import maillog, metrics
from gateway.envelope.reply import DOWNSTREAM_BUSY, DOWNSTREAM_LOST, LOCAL_ERROR, Reply
from gateway.envelope.transaction import ForwardPath, Parameters
from gateway.policy.route import Route
from gateway.ports import Content, Delivery
from gateway.relay import content as octets
from gateway.relay import verdict
from gateway.relay.connection import Connection, ProtocolViolation, ReplyTimeout, WireError
from gateway.settings import RelaySettings

AT_ONCE = 256 * 1024  # octets written in one go


async def transfer(
    connection: Connection, route: Route, recipients: Sequence[ForwardPath], content: Content, settings: RelaySettings
) -> Delivery:
    """Send the content after 354 and read the outcome. A connection that is not clean afterwards has been aborted."""
    recipients = tuple(recipients)
    owed = len(recipients) if route.protocol == "lmtp" else 1
    try:
        with metrics.child(metrics.downstream_seconds, "content").time():
            early = await _send(connection, content, owed, settings.command_timeout)
    except octets.SmugglingError:
        connection.abort()
        maillog.event("downstream-content-refused", route=route.name, reply=str(verdict.SMUGGLING))
        return _same(verdict.SMUGGLING, recipients)
    except WireError as error:
        connection.abort()
        reply = verdict.of_error(error, route, "content")
        return _same(DOWNSTREAM_LOST if isinstance(error, ReplyTimeout) else reply, recipients)
    if early is not None:
        connection.abort()  # it stopped listening in the middle of the content; no end of data was sent
        return _same(_early(early, route), recipients)
    with metrics.child(metrics.downstream_seconds, "end of data").time():
        return await _outcome(connection, route, recipients, owed, settings.final_timeout)


async def _send(connection: Connection, content: Content, owed: int, seconds: float) -> Reply | None:
    """Send content and end of data; or stop and return the reply that came before the end."""
    stuffer = octets.DotStuffer()
    if octets.size(content) <= AT_ONCE:
        wire = b"".join(map(stuffer.feed, octets.pieces(content)))
        connection.send(wire + stuffer.end(), replies=owed)
        return None
    connection.send(b"", replies=owed)
    for piece in octets.pieces(content):
        connection.send(stuffer.feed(piece))
        await connection.drained(seconds)
        if connection.answered:
            return await connection.reply(seconds)
    connection.send(stuffer.end())
    return None


def _early(reply: Reply, route: Route) -> Reply:
    """A refusal in the middle of the content stands; a success there is nonsense."""
    if reply.is_temporary or reply.is_permanent:
        return verdict.of_final(reply, route)
    return verdict.of_error(ProtocolViolation(f"{reply.code} before the end of data"), route, "content")


async def _outcome(
    connection: Connection, route: Route, recipients: tuple[ForwardPath, ...], owed: int, seconds: float
) -> Delivery:
    replies: list[Reply] = []
    error: WireError | None = None
    now = asyncio.get_running_loop().time
    until = now() + seconds
    try:
        for _ in range(owed):
            reply = await connection.reply(until - now())
            if reply.code // 100 == 3:
                raise ProtocolViolation(f"{reply.code} after the end of data")
            replies.append(verdict.of_final(reply, route))
    except ReplyTimeout:
        error = ReplyTimeout(f"no reply for {seconds:g} s after the end of data")
    except WireError as failure:
        error = failure
    if error is not None or DOWNSTREAM_BUSY in replies:
        connection.abort()
    if error is not None:
        return _unknown(error, route, recipients, replies)
    if owed == 1:
        return _same(replies[0], recipients)
    return Delivery(_one_for_all(replies), tuple(zip(recipients, replies, strict=True)))


def _unknown(error: WireError, route: Route, recipients: tuple[ForwardPath, ...], replies: list[Reply]) -> Delivery:
    """No whole reply: 451, so that the client tries again, and a warning that there may then be two."""
    metrics.unknown_outcomes.inc()
    verdict.of_error(error, route, "end of data")
    reply = LOCAL_ERROR if isinstance(error, ProtocolViolation) else DOWNSTREAM_LOST
    maillog.event(
        "unknown-outcome", route=route.name, note="may be delivered more than once", detail=str(error), reply=str(reply)
    )
    each = [*replies, *[reply] * (len(recipients) - len(replies))]
    return Delivery(reply, tuple(zip(recipients, each, strict=True)), unknown=True)


def _same(reply: Reply, recipients: tuple[ForwardPath, ...]) -> Delivery:
    return Delivery(reply, tuple((path, reply) for path in recipients))


def _one_for_all(replies: list[Reply]) -> Reply:
    """The one reply that DATA allows, from LMTP's many.

    Once anybody has the message it must not be 4yz, or the client sends it to all of them again; who did not get it is in
    `Delivery.replies`, and is then ours to look after. When nobody has it, a temporary refusal comes before a permanent one.
    """
    for wanted in (2, 4):
        for reply in replies:
            if reply.code // 100 == wanted:
                return reply
    return replies[0]


def unfit(route: Route, parameters: Parameters, connection: Connection, content: Content) -> Reply | None:
    """Why this server cannot take this content, or None (F-4; RFC 6152 §3, RFC 6531 §3.2, RFC 1870 §6)."""
    asked = dict(parameters)
    offered = connection.extensions
    limit = offered.get("SIZE", "")
    if limit.isdecimal() and 0 < int(limit) < octets.size(content):
        return verdict.TOO_BIG
    if "SMTPUTF8" in asked and "SMTPUTF8" not in offered and octets.header_has_8bit(content):
        return verdict.NO_SMTPUTF8
    declared = (asked.get("BODY") or "").upper() == "8BITMIME"
    if declared and "8BITMIME" not in offered and octets.has_8bit(octets.pieces(content)):
        return verdict.misconfigured(route, "data", "the server does not offer 8BITMIME").reply
    return None
