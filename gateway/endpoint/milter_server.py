"""The milter door: opens the listeners, keeps the connections, drains them (O-1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway import maillog
from gateway.endpoint.milter_connection import MilterConnection
from gateway.endpoint.milter_shared import Shared
from gateway.ports import Reception
from gateway.settings import MilterSettings

BACKLOG: Final = 1024  # connections that wait to be accepted
GRACE_SECONDS: Final = 2.0  # for SMTP sessions that have just begun to bring their message, when we stop
LOOK_SECONDS: Final = 0.1  # between two looks at what is still open


class MilterDoor:
    """An open milter door of one worker process."""

    def __init__(self, shared: Shared, servers: Sequence[asyncio.Server]) -> None:
        self._shared = shared
        self._servers = servers

    @property
    def addresses(self) -> tuple[str | tuple[str, int], ...]:
        """Where we listen: host and port in effect, or the path of a Unix socket."""
        names = [listener.getsockname() for server in self._servers for listener in server.sockets]
        return tuple(name if isinstance(name, str) else name[:2] for name in names)

    @property
    def connections(self) -> int:
        """Connections that are open, or still finish what a mail server left behind."""
        return len(self._shared.connections)

    @property
    def under_way(self) -> int:
        """Messages that have begun and have not ended."""
        return sum(not connection.is_at_rest for connection in self._shared.connections)

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let messages under way finish, then leave. Whether all did within the seconds.

        A milter cannot tell a mail server that it stops: what the server brings next over a connection that we closed
        is deferred. Sessions that are about to bring a message get a moment to do so.
        """
        shared = self._shared
        shared.draining = True
        for server in self._servers:
            server.close()
        now = shared.loop.time()
        end, grace = now + seconds, now + min(seconds, GRACE_SECONDS)
        while shared.connections and shared.loop.time() < end:
            if shared.loop.time() >= grace:
                for connection in tuple(shared.connections):
                    connection.dismiss()
            await asyncio.sleep(LOOK_SECONDS)
        return not shared.connections

    async def close(self) -> None:
        """Cut what is still open, now."""
        await self.drain(0)
        for connection in tuple(self._shared.connections):
            connection.cut()
        for _ in range(10):
            if self._shared.connections:
                await asyncio.sleep(LOOK_SECONDS)
        if self._shared.connections:
            maillog.event("milter-connections-left", connections=self.connections)


async def serve_milter(
    settings: MilterSettings, reception: Reception, *, spool: Path, sockets: Sequence[socket.socket]
) -> MilterDoor:
    """Open the door on listening sockets, TCP or Unix. Raises OSError.

    `spool` holds messages of more than 1 MiB while they are in flight, as files without a name.
    """
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(spool.mkdir, mode=0o700, parents=True, exist_ok=True)
    shared = Shared(settings, reception, spool=spool, loop=loop)
    servers = []
    for listener in sockets:
        listener.setblocking(False)
        if listener.family == socket.AF_UNIX:
            server = await loop.create_unix_server(lambda: MilterConnection(shared), sock=listener, backlog=BACKLOG)
        else:  # accepted sockets inherit it: answers leave at once, or each costs 40 ms
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = await loop.create_server(lambda: MilterConnection(shared), sock=listener, backlog=BACKLOG)
        servers.append(server)
    return MilterDoor(shared, servers)
