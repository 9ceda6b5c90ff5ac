"""What the client hears when the server behind us answers, or does not (safety §3, F-1 ... F-17).

A fault between us and that server is never the sender's fault: it is always 451, never a bounce. What the server says about
this envelope or this message is the sender's to hear, and goes through word for word.
"""

from __future__ import annotations

import re
from typing import Final

from gateway import maillog, metrics
from gateway.envelope.reply import DOWNSTREAM_BUSY, DOWNSTREAM_LOST, LOCAL_ERROR, MISCONFIGURED, NO_DOWNSTREAM, Reply
from gateway.policy.route import Route
from gateway.relay.connection import ProtocolViolation, ReplyTimeout, WireError

CHANGED: Final = Reply(451, "4.3.0", "The receiving server changed its answer, please try again later")
NO_SMTPUTF8: Final = Reply(550, "5.6.7", "The receiving server does not take internationalised mail")
NO_SMTPUTF8_PATH: Final = Reply(553, "5.6.7", "The receiving server does not take internationalised addresses")
SMUGGLING: Final = Reply(554, "5.6.0", "A dot beside a bare CR, bare LF or NUL could end the message early")
TOO_BIG: Final = Reply(552, "5.3.4", "Message too big for the receiving server")
NO_RECIPIENTS: Final = Reply(554, "5.5.1", "No valid recipients")

# Servers word it in their own ways and often without 5.7.1: Postfix "Relay access denied", Sendmail "Relaying denied", Exim
# "relay not permitted", Exchange "Unable to relay", qmail "not in my list of allowed rcpthosts".
_RELAY_DENIED = re.compile(
    r"\brelay(?:ing)?\b.{0,30}\b(?:denied|not permitted|not allowed|prohibited|refused)\b"
    r"|\b(?:unable|not (?:permitted|allowed)) to relay\b|\ballowed rcpthosts\b",
    re.IGNORECASE | re.DOTALL,
)


class Refused(Exception):
    """No connection can be had; `reply` is what the client hears."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(reason)
        self.reply = reply


def is_misconfiguration(reply: Reply) -> bool:
    """Whether a MAIL, RCPT or DATA reply blames us, not this envelope: authentication, TLS or relay rights missing (F-6)."""
    if reply.code in (530, 535, 538):
        return True
    return not reply.is_positive and _RELAY_DENIED.search(reply.text) is not None


def of_command(reply: Reply, route: Route, step: str) -> Reply:
    """What a reply to MAIL or RCPT means for the client (F-5 ... F-8, F-13)."""
    if reply.code == 421:
        return _count(DOWNSTREAM_BUSY, "closing", route, step, reply)
    if reply.code == 503 or reply.code // 100 == 3:  # it lost the thread, or we did
        return _count(LOCAL_ERROR, "unexpected reply", route, step, reply)
    if is_misconfiguration(reply):
        return _count(MISCONFIGURED, "misconfiguration", route, step, reply)
    return reply


def of_data(reply: Reply, route: Route) -> Reply:
    """What a reply to DATA other than 354 means for the client."""
    if reply.code // 100 in (2, 3):
        return _count(LOCAL_ERROR, "unexpected reply", route, "data", reply)
    return of_command(reply, route, "data")


def of_final(reply: Reply, route: Route) -> Reply:
    """What a whole reply to the content means: the server's own word, except that it is closing (F-8, F-12)."""
    return _count(DOWNSTREAM_BUSY, "closing", route, "end of data", reply) if reply.code == 421 else reply


def of_handshake(reply: Reply, route: Route, step: str) -> Reply:
    """What a refusing greeting, EHLO or HELO means: never the sender's fault (F-3)."""
    answer = LOCAL_ERROR if reply.code // 100 == 3 else DOWNSTREAM_BUSY
    return _count(answer, "refuses service", route, step, reply)


def of_error(error: WireError, route: Route, step: str) -> Reply:
    """What a dead connection means while no end of data was sent (F-8, F-9, F-17)."""
    if isinstance(error, ProtocolViolation):
        return _count(LOCAL_ERROR, "protocol violation", route, step, error)
    if isinstance(error, ReplyTimeout):
        return _count(NO_DOWNSTREAM, "timeout", route, step, error)
    return _count(DOWNSTREAM_LOST, "connection lost", route, step, error)


def unreachable(error: BaseException, route: Route) -> Refused:
    """No connection, no greeting or no EHLO reply in time (F-1, F-2)."""
    reason = str(error) or type(error).__name__
    return Refused(_count(NO_DOWNSTREAM, "unreachable", route, "connect", reason), reason)


def misconfigured(route: Route, step: str, detail: str) -> Refused:
    """The route asks for what the server cannot do."""
    return Refused(_count(MISCONFIGURED, "misconfiguration", route, step, detail), detail)


def _count(answer: Reply, fault: str, route: Route, step: str, detail: object) -> Reply:
    metrics.child(metrics.downstream_faults, fault).inc()
    maillog.event(
        "downstream-fault", fault=fault, route=route.name, server=f"{route.host}:{route.port}", step=step,
        detail=str(detail)[:500], reply=str(answer),
    )  # fmt: skip
    return answer
