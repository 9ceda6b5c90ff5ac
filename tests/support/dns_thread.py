"""The scriptable DNS server in a thread of its own, for tests that are no coroutines and drive real servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.demo.dns import DnsServer, ZoneData


@contextmanager
def dns_thread(zone: ZoneData, *, port: int = 0) -> Iterator[DnsServer]:
    """A running server; its `zone` may be replaced at any time, also by another test."""
    server, loop = DnsServer(zone, port=port), asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with server:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "the DNS server does not start"
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
