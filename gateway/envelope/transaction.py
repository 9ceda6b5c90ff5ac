"""A mail transaction: who connected, the envelope, and the message (RFC 5321 §3.3)."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from gateway.envelope.address import Mailbox
from gateway.envelope.message import Message
from gateway.values import value

Parameters = tuple[tuple[str, str | None], ...]  # ESMTP parameters: keyword in upper case, value with its case kept


@value
class Client:
    """The SMTP client as the door sees it, after PROXY or XCLIENT."""

    address: IPv4Address | IPv6Address  # IPv4-mapped IPv6 addresses come as IPv4
    port: int = 0
    helo: str = ""  # HELO identity (RFC 7208 §2.3), as given
    protocol: str = "SMTP"  # RFC 3848: SMTP, ESMTP, ESMTPS, UTF8SMTP ...
    tls: str = ""  # version and cipher, "" in clear
    name: str = ""  # host name when the proxy in front told it (XCLIENT NAME), else ""


@value
class ForwardPath:
    """One accepted RCPT TO with its parameters (NOTIFY, ORCPT), to be passed on unchanged."""

    mailbox: Mailbox
    parameters: Parameters = ()


@value
class Transaction:
    """One transaction, complete at the end of DATA."""

    id: str  # 12 letters of Crockford's base 32 in three groups; also in the log and in the reply
    client: Client
    reverse_path: Mailbox | None  # None: the null reverse-path
    forward_paths: tuple[ForwardPath, ...]
    received_at: datetime  # aware, UTC
    message: Message
    parameters: Parameters = ()  # of MAIL FROM: SIZE, BODY, SMTPUTF8, RET, ENVID
    queue_id: str = ""  # of the mail server whose milter we are, to find its log lines by
