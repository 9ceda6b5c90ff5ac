"""Listeners: where they are, sockets from a supervisor, and the 40 ms trap of Nagle's algorithm."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from gateway.endpoint.smtp import open_listeners, serve
from gateway.settings import SmtpSettings
from tests.support.dialogue import HOSTNAME, RawClient
from tests.support.reception import FakeReception


async def greeted(address: tuple[str, int]) -> bool:
    client = RawClient(*await asyncio.open_connection(*address))
    greeting = await client.reply()
    client.close()
    return greeting == b"220 mx.longan.edu.vn ESMTP\r\n"


async def test_listens_on_both_families(tmp_path: Path) -> None:
    settings = SmtpSettings(listen=("127.0.0.1:0", "[::1]:0"))
    door = await serve(settings, FakeReception(), hostname=HOSTNAME, spool=tmp_path)
    try:
        assert [host for host, _ in door.addresses] == ["127.0.0.1", "::1"]
        for address in door.addresses:
            assert await greeted(address)
    finally:
        await door.close()


async def test_sockets_from_a_supervisor_replies_without_delay(tmp_path: Path) -> None:
    """Also on a socket that does not name its protocol, accepted connections have TCP_NODELAY."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    door = await serve(SmtpSettings(), FakeReception(), hostname=HOSTNAME, spool=tmp_path, sockets=[listener])
    try:
        assert door.addresses == (listener.getsockname(),)
        client = RawClient(*await asyncio.open_connection(*door.addresses[0]))
        await client.reply()
        (session,) = door._shared.sessions
        accepted = session.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.close()
    finally:
        await door.close()


def test_address_in_use_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=r".") as error:
            open_listeners(["127.0.0.1:0", place])
        assert error.value.errno == errno.EADDRINUSE


async def test_clients_of_a_local_socket_are_of_this_host(tmp_path: Path) -> None:
    """A peer without an address counts as 127.0.0.1: greeted, and trusted where that address is."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "smtp.sock"))
    reception = FakeReception()
    settings = SmtpSettings.model_validate({"xclient_from": ("127.0.0.1/32",)})
    door = await serve(settings, reception, hostname=HOSTNAME, spool=tmp_path, sockets=[listener])
    try:
        client = RawClient(*await asyncio.open_unix_connection(tmp_path / "smtp.sock"))
        assert b"XCLIENT" in await client.hello()
        assert (await client.mail(b"Subject: x\r\n\r\nx\r\n.\r\n")).startswith(b"250 ")
        [intake] = reception.intakes
        assert str(intake.client.address) == "127.0.0.1"
        client.close()
    finally:
        await door.close()


async def test_a_proxy_on_a_local_socket_tells_the_client(tmp_path: Path) -> None:
    """S-33: proxy_from covers local sockets as it covers 127.0.0.1."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "smtp.sock"))
    reception = FakeReception()
    settings = SmtpSettings.model_validate({"proxy_from": ("127.0.0.1/32",)})
    door = await serve(settings, reception, hostname=HOSTNAME, spool=tmp_path, sockets=[listener])
    try:
        client = RawClient(*await asyncio.open_unix_connection(tmp_path / "smtp.sock"))
        await client.send(b"PROXY TCP4 203.0.113.9 198.51.100.1 40123 25\r\n")
        await client.hello()
        await client.mail(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert str(reception.intakes[0].client.address) == "203.0.113.9"
        client.close()
    finally:
        await door.close()
