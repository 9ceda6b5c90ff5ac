"""Names that c-ares refuses to ask for: SPF macros and targets may hold any octets (RFC 7208 §4.8), hosts may not.

They are rare, so dnspython asks for them, a socket for each question, from the same name servers.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdata import Rdata

from gateway.evidence.zone import NODATA, NXDOMAIN, Answer, Outcome, Question, Record
from gateway.resolver.records import MAX_CHAIN, bounded
from gateway.settings import DnsSettings

PORT: Final = 53


class UnusualNames:
    """Asks one name server after the other, each with its share of the time."""

    def __init__(self, settings: DnsSettings) -> None:
        self._timeout = settings.timeout * 0.4
        self._given = settings.nameservers

    async def ask(self, question: Question) -> tuple[Answer, int]:
        """The answer and its TTL in seconds (0 for absence and failure)."""
        try:
            labels = [label.encode("ascii") for label in question.name.split(".")]
            name = dns.name.Name([*labels, b""])
        except (UnicodeEncodeError, dns.exception.DNSException):
            return NXDOMAIN, 0  # no such name can exist
        query = dns.message.make_query(name, question.type)
        reason = "no name server"
        for address, port in self._servers():
            try:
                response, _ = await dns.asyncquery.udp_with_fallback(query, address, self._timeout, port)
                return _read(response)
            except (dns.exception.DNSException, OSError, EOFError) as error:
                reason = type(error).__name__
        return Answer(Outcome.ERROR, reason=reason), 0

    def _servers(self) -> list[tuple[str, int]]:
        if self._given:
            return [_address(text) for text in self._given]
        try:
            system = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return []
        return [(str(server), PORT) for server in system.nameservers]


def _address(text: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`; the settings have checked it."""
    try:
        return str(ip_address(text.strip("[]"))), PORT
    except ValueError:
        host, _, port = text.rpartition(":")
        return host.strip("[]"), int(port)


def _read(response: dns.message.Message) -> tuple[Answer, int]:
    code = response.rcode()
    if code == dns.rcode.NXDOMAIN:
        return NXDOMAIN, 0
    if code != dns.rcode.NOERROR or not isinstance(response, dns.message.QueryMessage):
        return Answer(Outcome.ERROR, reason=dns.rcode.to_text(code)), 0
    chain = response.resolve_chaining()
    if len(chain.cnames) > MAX_CHAIN:
        return Answer(Outcome.ERROR, reason=f"more than {MAX_CHAIN} CNAMEs"), 0
    if chain.answer is None:
        return NODATA, 0
    return bounded([_value(record) for record in chain.answer]), chain.minimum_ttl


def _value(record: Rdata) -> Record:
    match dns.rdatatype.to_text(record.rdtype):
        case "TXT":
            return b"".join(record.strings)  # type: ignore[attr-defined]  # dnspython makes its classes at run time
        case "MX":
            return record.preference, _text(record.exchange)  # type: ignore[attr-defined]
        case "PTR":
            return _text(record.target)  # type: ignore[attr-defined]
    return str(record.address)  # type: ignore[attr-defined]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
