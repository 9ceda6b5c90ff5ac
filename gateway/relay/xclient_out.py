"""Telling the server behind us who the real client is: XCLIENT and XFORWARD, as Postfix defined them.

XCLIENT makes the server believe that it talks to that client, so its own access rules work as if we were not there; it then
starts again with a greeting. XFORWARD only tells it what to write into its log. Mail of our own is introduced by neither.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from gateway.envelope.transaction import Client

OURSELVES = Client(IPv4Address("0.0.0.0"))  # noqa: S104 -- the client of a transaction that we begin ourselves
LINE_MAX = 510  # octets of a command without CRLF
_UNSAFE = re.compile(rb"[^!-*,-<>-~]")  # not xchar, RFC 3461 §4
_UNKNOWN = "[UNAVAILABLE]"


def is_ours(client: Client) -> bool:
    """Whether the transaction is our own (the unspecified address can be nobody's)."""
    return client.address.is_unspecified


def xtext(value: str) -> str:
    """Encode by RFC 3461 §4; non-ASCII text goes as its UTF-8 octets."""
    return _UNSAFE.sub(lambda found: b"+%02X" % found[0][0], value.encode("utf-8", "replace")).decode()


def attributes(client: Client, *, hide_address: bool = False) -> dict[str, str]:
    """Name and xtext value of everything that we can tell about a client."""
    address: IPv4Address | IPv6Address = client.address
    known = f"IPV6:{address}" if address.version == 6 else str(address)
    return {
        "NAME": xtext(client.name) if client.name else _UNKNOWN,
        "ADDR": _UNKNOWN if hide_address else known,
        "PORT": str(client.port) if client.port else _UNKNOWN,
        "PROTO": "SMTP" if client.protocol == "SMTP" else "ESMTP",  # the only two that Postfix takes
        "HELO": xtext(client.helo[:255]) if client.helo else _UNKNOWN,
    }


def commands(verb: str, client: Client, offered: str, *, hide_address: bool = False) -> list[bytes]:
    """XCLIENT or XFORWARD lines with the attributes that the server offers, each line within 512 octets."""
    accepted = set(offered.upper().split())
    lines: list[str] = []
    for name, value in attributes(client, hide_address=hide_address).items():
        if name not in accepted:
            continue
        word = f" {name}={value}"
        if lines and len(lines[-1]) + len(word) <= LINE_MAX:
            lines[-1] += word
        else:
            lines.append(verb + word)
    return [line.encode() for line in lines]
