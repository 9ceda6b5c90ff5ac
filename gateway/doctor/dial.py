"""Connections to the gateway's own doors and pages, and to the servers behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.settings import Address

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a door that listens everywhere is reached

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def reached(address: Address) -> Address:
    """By what address we get to a door that listens there."""
    return Address(_EVERYWHERE.get(address.host, address.host), address.port, address.path)


@asynccontextmanager
async def dialled(address: Address) -> AsyncIterator[Streams]:
    """A connection to TCP port or Unix socket, closed at the end. Raises OSError."""
    door = reached(address)
    if door.path:
        reader, writer = await asyncio.open_unix_connection(door.path)
    else:
        reader, writer = await asyncio.open_connection(door.host, door.port)
    try:
        yield reader, writer
    finally:
        writer.close()
