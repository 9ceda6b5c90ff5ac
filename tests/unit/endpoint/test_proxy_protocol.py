"""PROXY protocol v1 and v2 (S-33): the strict grammar, and the door that requires or refuses it."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoint.proxy_protocol import SIGNATURE, ProxyError, parse_v1, parse_v2
from tests.support.dialogue import open_door


def v2(command: int = 0x21, family: int = 0x11, rest: bytes = b"", length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


def addresses(source: str, destination: str, port: int = 40123) -> bytes:
    return ip_address(source).packed + ip_address(destination).packed + struct.pack("!HH", port, 25)


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 25\r\n", (IPv4Address("192.0.2.7"), 40123)),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n", (IPv6Address("2001:db8::7"), 0)),
        (b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 25\r\n", (IPv4Address("192.0.2.7"), 1)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    ],
)
def test_v1(line: bytes, origin: object) -> None:
    assert parse_v1(line) == origin


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 25\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123\r\n",
        b"PROXY TCP4  192.0.2.7 198.51.100.1 40123 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 040 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 1 25\r\n",
        b"PROXY TCP4 2001:db8::7 198.51.100.1 1 25\r\n",
        b"PROXY TCP6 192.0.2.7 2001:db8::1 1 25\r\n",
        b"PROXY TCP5 192.0.2.7 198.51.100.1 1 25\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 1 25\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 1 25\r\n",
        b"PROXY UNKNOWN" + b" x" * 60 + b"\r\n",
        b"PROXY TCP4 \xc2\xb2.0.2.7 198.51.100.1 1 25\r\n",
    ],
)
def test_v1_is_strict(line: bytes) -> None:
    with pytest.raises(ProxyError):
        parse_v1(line)


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        (v2(rest=addresses("192.0.2.7", "198.51.100.1")), (IPv4Address("192.0.2.7"), 40123)),
        (v2(family=0x21, rest=addresses("2001:db8::7", "2001:db8::1")), (IPv6Address("2001:db8::7"), 40123)),
        (v2(family=0x21, rest=addresses("::ffff:192.0.2.7", "2001:db8::1")), (IPv4Address("192.0.2.7"), 40123)),
        (v2(rest=addresses("192.0.2.7", "198.51.100.1") + b"\x04\x00\x01\x00"), (IPv4Address("192.0.2.7"), 40123)),
        (v2(command=0x20, family=0x00), None),
        (v2(command=0x20, rest=addresses("192.0.2.7", "198.51.100.1")), None),
        (v2(family=0x00, rest=b"anything"), None),
    ],
)
def test_v2(header: bytes, origin: object) -> None:
    assert parse_v2(header) == origin


@pytest.mark.parametrize(
    "header",
    [
        v2(command=0x11, rest=addresses("192.0.2.7", "198.51.100.1")),
        v2(command=0x22, rest=addresses("192.0.2.7", "198.51.100.1")),
        v2(family=0x12, rest=addresses("192.0.2.7", "198.51.100.1")),
        v2(family=0x31, rest=b"\0" * 216),
        v2(rest=b"\0" * 11),
        v2(family=0x21, rest=b"\0" * 12),
        v2(rest=b"\0" * 521),
        v2(rest=b"\0" * 12, length=13),
        v2(rest=b"\0" * 12)[:15],
        b"\r\n\r\n\0\r\nQUIT\r" + v2()[12:],
    ],
)
def test_v2_is_strict(header: bytes) -> None:
    with pytest.raises(ProxyError):
        parse_v2(header)


@given(st.binary(max_size=600))
def test_anything_else_is_one_kind_of_error(octets: bytes) -> None:
    for parse, header in ((parse_v1, octets), (parse_v1, b"PROXY " + octets), (parse_v2, SIGNATURE + octets)):
        try:
            parse(header)
        except ProxyError as error:
            assert str(error)  # noqa: PT017 - that nothing else is raised is the point


@pytest.mark.parametrize("cuts", [(), (3,), (12, 16), (13, 17, 20)])
async def test_v2_over_the_wire_in_pieces(cuts: tuple[int, ...]) -> None:
    header = v2(rest=addresses("203.0.113.9", "198.51.100.1") + b"\x04\x00\x01\x00")
    async with open_door(proxy_from=("127.0.0.0/8",)) as opened:
        client = await opened.connect()
        for start, end in zip((0, *cuts), (*cuts, len(header)), strict=True):
            await client.send(header[start:end])
        await client.hello()
        await client.ask("MAIL FROM:<>")
        assert opened.reception.intakes[0].client.address == IPv4Address("203.0.113.9")


@pytest.mark.parametrize(
    "octets",
    [
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
        b"PROXY UNKNOWN" + b" " * 200 + b"\r\n",
        b"PROXY " + b"x" * 200_000,
        SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 1000,
        b"EHLO mail.example\r\n",
        SIGNATURE[:8],
    ],
)
async def test_bad_headers_get_no_greeting(octets: bytes) -> None:
    async with open_door(proxy_from=("127.0.0.0/8",)) as opened:
        client = await opened.connect()
        await client.send(octets)
        client.writer.write_eof()
        assert await client.rest() == []


async def test_a_header_that_does_not_come_is_not_waited_for() -> None:
    """S-22: the command timeout bounds the five seconds that the header has."""
    async with open_door(proxy_from=("127.0.0.0/8",), command_timeout=0.05) as opened:
        client = await opened.connect()
        assert (await client.reply()).startswith(b"421 4.4.2")
        assert await client.rest() == []
