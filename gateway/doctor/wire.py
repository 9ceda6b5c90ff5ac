"""Raw DNS questions to one name server, where the answer's form matters and not only what it says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver

from gateway.settings import DnsSettings, parse_listen

SECONDS: Final = 3.0  # for one answer
PAYLOAD: Final = 1232  # octets; what fits everywhere without fragments (DNS flag day 2020)
Way = Literal["udp", "edns", "tcp"]


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    port: int = 53

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one question brought."""

    rcode: str = ""  # NOERROR, NXDOMAIN ...; "" when nothing came
    truncated: bool = False
    edns: bool = False
    milliseconds: int = 0
    failure: str = ""


def servers_of(settings: DnsSettings) -> tuple[Server, ...]:
    """Those of the settings, else of /etc/resolv.conf."""
    if settings.nameservers:
        return tuple(_server(text) for text in settings.nameservers)
    try:
        return tuple(Server(str(found)) for found in dns.resolver.Resolver().nameservers)
    except (dns.resolver.NoResolverConfiguration, OSError):
        return ()


async def ask(server: Server, name: str, kind: str, way: Way) -> Heard:
    """Ask over UDP (512 octets), UDP with EDNS, or TCP. Raises nothing."""
    query = dns.message.make_query(name, kind, use_edns=0 if way == "edns" else -1, payload=PAYLOAD)
    begun = time.monotonic()
    try:
        if way == "tcp":
            answer = await dns.asyncquery.tcp(query, server.address, SECONDS, server.port)
        else:
            answer = await dns.asyncquery.udp(query, server.address, SECONDS, server.port)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        return Heard(failure=_words(error))
    spent = round((time.monotonic() - begun) * 1000)
    truncated = bool(answer.flags & dns.flags.TC)
    return Heard(dns.rcode.to_text(answer.rcode()), truncated, answer.edns >= 0, spent)


def _words(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return f"no answer within {SECONDS:.0f} s"
    if isinstance(error, EOFError):
        return "connection closed"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _server(text: str) -> Server:
    try:
        return Server(str(ip_address(text)))
    except ValueError:
        address = parse_listen(text)
        return Server(address.host, address.port)
