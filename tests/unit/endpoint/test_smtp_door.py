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
