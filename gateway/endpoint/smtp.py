"""The SMTP door: opens the listeners, keeps the sessions, drains them (O-1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway import maillog
from gateway.endpoint.shared import Shared
from gateway.endpoint.smtp_session import SmtpSession
from gateway.endpoint.tls import certificate_or
from gateway.ports import Reception
from gateway.settings import SmtpSettings

BACKLOG: Final = 1024  # connections that wait to be accepted
LAST_SECONDS: Final = 1.0  # for sessions to end after they were cut
ACCEPTED_SECONDS: Final = 0.05  # for connections that the event loop has accepted and not yet told of
FRESH_SECONDS: Final = 2.0  # for sessions that have just begun to bring their message, when we stop


class Door:
    """An open SMTP door of one worker process."""

    def __init__(self, shared: Shared, servers: Sequence[asyncio.Server]) -> None:
        self._shared = shared
        self._servers = servers

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where we listen: host and port in effect."""
        return tuple(listener.getsockname()[:2] for server in self._servers for listener in server.sockets)

    @property
    def sessions(self) -> int:
        """Sessions that are open, or still finish what a client left behind."""
        return len(self._shared.sessions)

    @property
    def under_way(self) -> int:
        """Transactions that have begun and have not ended."""
        return sum(session.is_in_transaction for session in self._shared.sessions)

    def reload_certificate(self) -> bool:
        """Read certificate and key again, for connections to come. False: they are unusable and the old ones stay."""
        self._shared.tls, is_good = certificate_or(self._shared.tls, self._shared.settings)
        if is_good and self._shared.tls is not None:
            maillog.event("certificate-loaded", certificate=str(self._shared.settings.certificate))
        return is_good

    async def drain(self, seconds: float) -> bool:
        """Accept no more, send idle clients away, let transactions finish. Whether all did within the seconds.

        Who has only just connected is let bring one message: a mail server that hears 421 comes again much later.
        """
        shared, patience = self._shared, min(seconds, FRESH_SECONDS)
        now = shared.loop.time()
        shared.draining, shared.fresh_from, shared.patient_until = True, now - FRESH_SECONDS, now + patience
        for server in self._servers:
            server.close()
        self._dismiss()
        if patience:
            await asyncio.sleep(ACCEPTED_SECONDS)
        if await self._ended(patience):
            return True
        self._dismiss()
        return await self._ended(seconds - patience)

    def _dismiss(self) -> None:
        for session in tuple(self._shared.sessions):
            session.dismiss()

    async def close(self) -> None:
        """Cut what is still open, now. Nothing that a client heard 250 for depends on it."""
        await self.drain(0)
        for session in tuple(self._shared.sessions):
            if session.task is not None:
                session.task.cancel()
        if not await self._ended(LAST_SECONDS):
            maillog.event("sessions-left", sessions=self.sessions)

    async def _ended(self, seconds: float) -> bool:
        tasks = [session.task for session in self._shared.sessions if session.task is not None]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        return not pending


async def serve(
    settings: SmtpSettings,
    reception: Reception,
    *,
    hostname: str,
    spool: Path,
    sockets: Sequence[socket.socket] | None = None,
) -> Door:
    """Open the door on `settings.listen`, or on sockets that somebody opened for us. Raises OSError.

    `spool` holds messages of more than 1 MiB while they are in flight, as files without a name.
    """
    loop = asyncio.get_running_loop()
    _make_folder(spool)
    shared = Shared(SmtpSession, settings, reception, hostname=hostname, spool=spool, loop=loop)
    listeners = list(sockets) if sockets is not None else open_listeners(settings.listen)
    servers = []
    for listener in listeners:
        listener.setblocking(False)
        if listener.family in (socket.AF_INET, socket.AF_INET6):  # accepted sockets inherit it: replies leave at once
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        servers.append(await loop.create_server(lambda: SmtpSession(shared), sock=listener, backlog=BACKLOG))
    return Door(shared, servers)


def _make_folder(spool: Path) -> None:
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_listeners(places: Sequence[str]) -> list[socket.socket]:
    """Bind `host:port` and `[v6]:port`. Raises OSError, and closes what it opened, when one cannot be bound."""
    opened: list[socket.socket] = []
    try:
        for place in places:
            host, _, port = place.rpartition(":")
            family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
            # asyncio sets TCP_NODELAY only on sockets that name their protocol
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host.strip("[]"), int(port)))
    except OSError:
        for listener in opened:
            listener.close()
        raise
    return opened
