"""The scripted receiving server in a thread of its own, for tests that are no coroutines and drive real servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.sink import Sink, running


@contextmanager
def sink_thread(sink: Sink, port: int = 0) -> Iterator[Sink]:
    """A running server, on this loopback port or a free one; its script may be changed at any time."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with running(sink, port):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "the receiving server does not start"
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
