"""What a mail server says in milter packets, in our words: the client, ESMTP parameters, and what its settings left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from gateway.endpoint.milter_events import Connected
from gateway.endpoint.milter_protocol import MacroStage
from gateway.endpoint.proxy_protocol import normalized
from gateway.endpoint.smtp_admission import transmission_type
from gateway.envelope.transaction import Client, Parameters

WANTED: Final[Mapping[MacroStage, str]] = {
    MacroStage.CONNECT: "j {daemon_name} {client_addr} {client_port}",
    MacroStage.HELO: "{tls_version} {cipher}",
    MacroStage.ENVFROM: "i {auth_type} {auth_authen}",
    MacroStage.ENVRCPT: "i",
    MacroStage.EOM: "i",
}
"""The macros that we ask for; a mail server that does not let itself be asked needs them in its settings."""

SETTINGS: Final[Mapping[str, str]] = {
    "client_addr": "milter_connect_macros (Postfix) or confMILTER_MACROS_CONNECT (Sendmail)",
    "auth_authen": "milter_mail_macros (Postfix) or confMILTER_MACROS_ENVFROM (Sendmail)",
    "cipher": "milter_helo_macros (Postfix) or confMILTER_MACROS_HELO (Sendmail)",
    "i": "milter_end_of_data_macros (Postfix) or confMILTER_MACROS_EOM (Sendmail)",
}
"""Where each macro is asked for when it does not come."""

Address: TypeAlias = IPv4Address | IPv6Address

ADDRESS_MAX: Final = 64  # characters of an address that is remembered; only a scope id makes it longer

LOCAL: Final = IPv4Address("127.0.0.1")  # of a client without an address: a program on the mail server's own host


def address_of(connected: Connected, macros: Mapping[str, str]) -> Address | None:
    """The client's address, from the connection or from {client_addr}; None: the mail server does not tell."""
    if connected.family == "L":
        return LOCAL
    return _parsed(connected.address) or _parsed(macros.get("client_addr", ""))


def _parsed(text: str) -> Address | None:
    return _parse(text) if len(text) > ADDRESS_MAX else _parse_short(text)


def _parse(text: str) -> Address | None:
    try:
        return normalized(ip_address(text.removeprefix("IPv6:")))
    except ValueError:
        return None


_parse_short: Final = lru_cache(maxsize=1024)(_parse)  # the same clients come again and again


def client_of(address: Address, connected: Connected, helo: str, macros: Mapping[str, str], *, utf8: bool) -> Client:
    """The client as the pipeline sees it. Whether it said EHLO or HELO is not told: EHLO is assumed."""
    version, cipher = macros.get("tls_version", ""), macros.get("cipher", "")
    port = connected.port or _number(macros.get("client_port", ""))
    name = connected.name
    return Client(
        address=address,
        port=port,
        helo=helo,
        protocol=transmission_type(extended=True, tls=bool(version), utf8=utf8),
        tls=f"{version} {cipher}".strip(),
        name="" if name == "unknown" or name.startswith("[") else name,
    )


def missing(macros: Mapping[str, str]) -> list[str]:
    """The macros that should have come by the end of the message and did not."""
    found = []
    if macros.get("auth_type") and not macros.get("auth_authen"):
        found.append("auth_authen")
    if macros.get("tls_version") and not macros.get("cipher"):
        found.append("cipher")
    return found if macros.get("i") else [*found, "i"]


def text_of(path: bytes) -> str:
    """A path as text in angle brackets; some mail servers leave the brackets out."""
    text = path.decode("utf-8", "surrogateescape").strip(" ")
    return text if text.startswith("<") else f"<{text}>"


def known_parameters(arguments: Sequence[bytes], keywords: Collection[str]) -> Parameters:
    """The ESMTP parameters among these keywords. Others were the mail server's to accept, and are its to obey."""
    if not arguments:
        return ()
    found: dict[str, str | None] = {}
    for argument in arguments:
        keyword, equals, value = argument.decode("utf-8", "replace").partition("=")
        if keyword.upper() in keywords:
            found.setdefault(keyword.upper(), value if equals else None)
    return tuple(found.items())


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
