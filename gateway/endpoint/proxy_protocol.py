"""The PROXY protocol, versions 1 and 2, as a load balancer in front of us speaks it: strict, and never guessed (S-33)."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

V1_MAX: Final = 107  # octets of the line, CRLF included
V2_MAX: Final = 536  # octets of the header
SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED: Final = 16  # octets of a version 2 header before its addresses
_V1: Final = re.compile(rb"PROXY (TCP4|TCP6) (\S+) (\S+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n\Z")
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [\x20-\x7e]*)?\r\n\Z")


class ProxyError(Exception):
    """What came is no PROXY header; nothing that follows it can be trusted."""


class Origin(NamedTuple):
    """Where a connection comes from."""

    address: IPv4Address | IPv6Address
    port: int


def normalized(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4-mapped IPv6 address as the IPv4 address it is; scope ids are left out."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (IPv6Address(int(address)) if address.scope_id else address)
    return address


def parse_v1(line: bytes) -> Origin | None:
    """Read a version 1 line, CRLF included. None: the proxy does not say (UNKNOWN). Raises ProxyError."""
    if len(line) > V1_MAX:
        raise ProxyError("line too long")
    if _V1_UNKNOWN.match(line):
        return None
    match = _V1.match(line)
    if not match:
        raise ProxyError("line syntax")
    family = IPv4Address if match[1] == b"TCP4" else IPv6Address
    try:
        source = family(match[2].decode("ascii"))
        family(match[3].decode("ascii"))
    except ValueError as error:
        raise ProxyError("address syntax") from error
    port = int(match[4])
    if port > 65535 or int(match[5]) > 65535:
        raise ProxyError("port out of range")
    return Origin(normalized(source), port)


def v2_rest(fixed: bytes) -> int:
    """How many octets follow the 16 that start a version 2 header. Raises ProxyError."""
    if len(fixed) != _FIXED or not fixed.startswith(SIGNATURE):
        raise ProxyError("signature")
    length: int = struct.unpack("!H", fixed[14:16])[0]
    if _FIXED + length > V2_MAX:
        raise ProxyError("header too long")
    return length


def parse_v2(header: bytes) -> Origin | None:
    """Read a whole version 2 header. None: LOCAL, or a connection without addresses. Raises ProxyError."""
    if v2_rest(header[:_FIXED]) != len(header) - _FIXED:
        raise ProxyError("header length")
    command, family = header[12], header[13]
    if command == 0x20:  # LOCAL: the proxy's own connection, a health check
        return None
    if command != 0x21:
        raise ProxyError("version or command")
    if family == 0x00:  # UNSPEC: to be treated as the peer's own address
        return None
    sizes = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}
    if family not in sizes:
        raise ProxyError("not a TCP connection")
    kind, size = sizes[family]
    if len(header) < _FIXED + 2 * size + 4:
        raise ProxyError("addresses cut short")
    text = socket.inet_ntop(kind, header[_FIXED : _FIXED + size])
    port: int = struct.unpack_from("!H", header, _FIXED + 2 * size)[0]
    return Origin(normalized(ip_address(text)), port)


async def read_proxy_header(reader: asyncio.StreamReader) -> Origin | None:
    """Read the header that starts a proxied connection, and nothing after it. Raises ProxyError; the caller keeps time."""
    start = await reader.readexactly(len(SIGNATURE))
    if start == SIGNATURE:
        fixed = start + await reader.readexactly(_FIXED - len(start))
        return parse_v2(fixed + await reader.readexactly(v2_rest(fixed)))
    if not start.startswith(b"PROXY "):
        raise ProxyError("no PROXY header")
    try:
        line = start + await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise ProxyError("line too long") from error
    return parse_v1(line)
