"""XCLIENT and XFORWARD: what a proxy that we trust tells about the client behind it (Postfix XCLIENT_README).

XCLIENT replaces what we know of the client; XFORWARD is for the log only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from gateway.endpoint.parameters import decode_xtext
from gateway.endpoint.proxy_protocol import normalized
from gateway.endpoint.refusal import Refusal
from gateway.envelope.reply import Reply

XCLIENT_OFFER = "XCLIENT NAME ADDR PORT PROTO HELO"
XFORWARD_OFFER = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"

_XCLIENT = frozenset(XCLIENT_OFFER.split()[1:])
_XFORWARD = frozenset(XFORWARD_OFFER.split()[1:])
_UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}\Z")
HELO = re.compile(r'[^\x00-\x20\x7f-\U0010FFFF<>()\\",;@]{1,255}\Z')  # one word that is safe in a Received field


@dataclass(frozen=True, slots=True)
class Told:
    """What XCLIENT says. None: not said, and what was known stays; "" for what the proxy does not know."""

    address: IPv4Address | IPv6Address | None = None
    port: int | None = None
    name: str | None = None
    helo: str | None = None
    protocol: str | None = None  # SMTP or ESMTP

    def and_then(self, later: Told) -> Told:
        """What is known after one more command."""
        said = {name: value for name in self.__slots__ if (value := getattr(later, name)) is not None}
        return replace(self, **said)


def parse_xclient(text: str) -> Told:
    """Read the attributes of XCLIENT. Raises Refusal."""
    values = _attributes(text, _XCLIENT)
    address = values.get("ADDR")
    port, name, helo, protocol = (values.get(key) for key in ("PORT", "NAME", "HELO", "PROTO"))
    if (port and not re.match(r"(?:0|[1-9][0-9]{0,4})\Z", port)) or int(port or 0) > 65535:
        raise _bad("PORT")
    if name and not _NAME.match(name):
        raise _bad("NAME")
    if helo and not HELO.match(helo):
        raise _bad("HELO")
    if protocol and protocol.upper() not in ("SMTP", "ESMTP"):
        raise _bad("PROTO")
    return Told(
        _address(address) if address else None,
        None if port is None else int(port or 0),
        name,
        helo,
        protocol.upper() if protocol else None,
    )


def parse_xforward(text: str) -> Mapping[str, str]:
    """Read the attributes of XFORWARD: name in lower case to value. Raises Refusal."""
    return {key.lower(): value[:255] for key, value in _attributes(text, _XFORWARD).items()}


def _attributes(text: str, known: frozenset[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in text.split():
        keyword, equals, raw = word.partition("=")
        keyword = keyword.upper()
        if keyword not in known or not equals or keyword in values:
            raise Refusal(Reply(501, "5.5.4", "Attribute name or syntax"))
        if raw.upper() in _UNKNOWN:
            values[keyword] = ""
            continue
        try:
            values[keyword] = decode_xtext(raw)
        except ValueError as error:
            raise _bad(keyword) from error
    if not values:
        raise Refusal(Reply(501, "5.5.4", "No attributes"))
    return values


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address as these commands write it: IPv6 with the prefix IPV6:, though not all clients write the prefix."""
    try:
        if text[:5].upper() == "IPV6:":
            return normalized(IPv6Address(text[5:]))
        return normalized(IPv6Address(text)) if ":" in text else IPv4Address(text)
    except ValueError as error:
        raise _bad("ADDR") from error


def _bad(keyword: str) -> Refusal:
    return Refusal(Reply(501, "5.5.4", f"Value of attribute {keyword}"))
