"""What happens in a milter dialogue, as values: one class for each thing that a mail server tells."""

from __future__ import annotations

from typing import TypeAlias

from gateway.values import value


@value
class Connected:
    """An SMTP client is there."""

    name: str  # host name as the mail server looked it up; "[192.0.2.1]" where it found none
    address: str  # without the prefix "IPv6:"; the path of a local socket, or "" when the family is "U"
    port: int
    family: str  # "4", "6", "L" (local socket) or "U" (unknown)


@value
class Greeted:
    """HELO or EHLO. What is no UTF-8 in the name comes as U+FFFD."""

    name: str


@value
class MailFrom:
    path: bytes  # as the client wrote it, mostly in angle brackets; <> for the null reverse-path
    arguments: tuple[bytes, ...]  # ESMTP parameters, each keyword=value


@value
class RcptTo:
    path: bytes
    arguments: tuple[bytes, ...]


@value
class Content:
    """Octets of the message, in order: first the whole header section with its empty line, then pieces of the body."""

    octets: bytes


@value
class EndOfMessage:
    """All of it is here, and our verdict is owed."""


@value
class Aborted:
    """The message that was open is no more; no answer to it is wanted."""


@value
class Closed:
    """The mail server has said QUIT."""


Event: TypeAlias = Connected | Greeted | MailFrom | RcptTo | Content | EndOfMessage | Aborted | Closed
