"""A small DNS server over data in memory, for the demonstration and for tests: it answers as a recursive resolver would.

The data is plain: `{"longan.edu.vn": {"MX": [(10, "mx.longan.edu.vn")], "TXT": ["v=spf1 mx -all"]}}`, in the record
shapes of `gateway.evidence.zone`, plus CNAME. In the place of a list of records a `Script` tells a TTL or a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, TypeAlias, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gateway.evidence.zone import Record

MAX_CHAIN = 16  # more CNAMEs than any resolver follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How one question is answered; `rcode` as in RFC 1035 (NOERROR, NXDOMAIN, SERVFAIL, REFUSED)."""

    records: Sequence[Record] = ()
    ttl: int = 300
    rcode: str = "NOERROR"
    delay: float = 0.0  # seconds
    silent: bool = False  # no answer at all
    truncated: bool = False  # UDP answers carry TC and nothing else
    refuse_tcp: bool = False  # TCP connections are closed without an answer


ZoneData: TypeAlias = Mapping[str, Mapping[str, Sequence[Record] | Script]]
SILENT = Script(silent=True)
SERVFAIL = Script(rcode="SERVFAIL")


class Reply(NamedTuple):
    octets: bytes  # b"" for silence
    delay: float  # seconds


def answer(zone: ZoneData, wire: bytes, *, tcp: bool = False) -> Reply:
    """The reply to one query in wire form; what cannot be parsed is met with silence."""
    try:
        query = dns.message.from_wire(wire)
        question = query.question[0]
    except (dns.exception.DNSException, IndexError):
        return Reply(b"", 0)
    kind = dns.rdatatype.to_text(question.rdtype)
    response = dns.message.make_response(query, recursion_available=True)
    script = _resolve(zone, question.name, kind, response)
    if script.silent or (tcp and script.refuse_tcp):
        return Reply(b"", 0)
    if not tcp and (script.truncated or len(response.to_wire(max_size=65535)) > _udp_size(query)):
        response.answer.clear()
        response.flags |= dns.flags.TC
    return Reply(response.to_wire(max_size=65535), script.delay)


def _udp_size(query: dns.message.Message) -> int:
    return max(512, query.payload) if query.edns >= 0 else 512


def _resolve(zone: ZoneData, name: dns.name.Name, kind: str, response: dns.message.Message) -> Script:
    """Fill the response, following CNAMEs; the script of the last name found is returned."""
    script = Script()
    for _ in range(MAX_CHAIN):
        text = _plain(name)
        types = zone.get(text)
        if types is None:
            response.set_rcode(dns.rcode.NOERROR if _has_children(zone, text) else dns.rcode.NXDOMAIN)
            return script
        followed = "CNAME" if "CNAME" in types and kind not in types else kind
        entry = types.get(followed, ())
        script = entry if isinstance(entry, Script) else Script(records=entry)
        response.set_rcode(dns.rcode.from_text(script.rcode))
        if not script.records:
            return script
        response.answer.append(_rrset(name, followed, script))
        if followed == kind:
            return script
        name = dns.name.from_text(str(script.records[0]))
    return script


def _plain(name: dns.name.Name) -> str:
    """The name as the data has it: in lower case, without a final dot, its octets not escaped."""
    return b".".join(label for label in name.labels if label).decode("latin-1").lower()


def _has_children(zone: ZoneData, name: str) -> bool:
    """An empty non-terminal exists (RFC 8020): names below it do."""
    return any(other.endswith("." + name) for other in zone)


def _rrset(name: dns.name.Name, kind: str, script: Script) -> dns.rrset.RRset:
    records = [
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), presentation(kind, record))
        for record in script.records
    ]
    return dns.rrset.from_rdata_list(name, script.ttl, records)


def presentation(kind: str, record: Record) -> str:
    """A record in the form of zone files (RFC 1035 §5.1); TXT in strings of 255 octets."""
    if isinstance(record, tuple):
        return f"{record[0]} {record[1].rstrip('.')}."
    if kind != "TXT":
        text = record if isinstance(record, str) else record.decode("ascii")
        return text if kind in ("A", "AAAA") else text.rstrip(".") + "."
    octets = record.encode() if isinstance(record, str) else record
    parts = [octets[start : start + 255] for start in range(0, len(octets), 255)] or [b""]
    return " ".join('"' + "".join(_escaped(octet) for octet in part) + '"' for part in parts)


def _escaped(octet: int) -> str:
    plain = 0x20 <= octet < 0x7F and octet not in b'"\\'
    return chr(octet) if plain else f"\\{octet:03d}"


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # neither asyncio's nor uvloop's datagram transport is an instance of asyncio.DatagramTransport
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        reply = self._server.reply(data, tcp=False)
        if reply.octets:
            asyncio.get_running_loop().call_later(reply.delay, self._send, reply.octets, addr)

    def _send(self, octets: bytes, addr: tuple[str | int, ...]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(octets, addr)


@dataclass
class DnsServer:
    """The data served on a loopback port over UDP and TCP: `async with DnsServer(zone) as server: server.address`.

    `zone` may be replaced while it runs; `asked` counts the questions that came, per (name, type).
    """

    zone: ZoneData
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def reply(self, wire: bytes, *, tcp: bool) -> Reply:
        with contextlib.suppress(dns.exception.DNSException, IndexError):
            asked = dns.message.from_wire(wire).question[0]
            self.asked[_plain(asked.name), dns.rdatatype.to_text(asked.rdtype)] += 1
        return answer(self.zone, wire, tcp=tcp)

    async def __aenter__(self) -> DnsServer:
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._stream, self.host, self.port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(self.host, self.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        self._tcp.close()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Messages with a length of two octets before each (RFC 1035 §4.2.2), until the client ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                reply = self.reply(wire, tcp=True)
                if not reply.octets:
                    break
                await asyncio.sleep(reply.delay)
                writer.write(len(reply.octets).to_bytes(2) + reply.octets)
                await writer.drain()
        writer.close()
