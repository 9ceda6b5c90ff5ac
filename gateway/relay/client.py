"""The servers behind us (`ports.Downstream`): one pool of connections for each route, and what each server offers."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.envelope.reply import Reply
from gateway.envelope.transaction import Client
from gateway.policy.route import Route
from gateway.ports import Features, Session
from gateway.relay.connection import Connection
from gateway.relay.handshake import connect
from gateway.relay.maildir import MAILDIR_FEATURES, MaildirSession, check_maildir
from gateway.relay.pool import Pool
from gateway.relay.session import SmtpSession
from gateway.relay.verdict import Refused
from gateway.settings import RelaySettings

PROBE_SECONDS = 10.0  # how long the outcome of a probe holds (safety O-5)


@dataclass(frozen=True, slots=True)
class Probe:
    """How a route answered when it was last asked."""

    made: float  # monotonic seconds
    seconds: float  # that it took
    refusal: Reply | None  # what a client would have heard; None: the route takes connections


class Downstream:
    """Opens transactions with the servers of routes. Use it from one event loop."""

    def __init__(self, settings: RelaySettings, *, hostname: str, state: Path) -> None:
        self._settings = settings
        self._hostname = hostname
        self._state = state
        self._pools: dict[Route, Pool] = {}
        self._features: dict[Route, Features] = {}
        self._probes: dict[Route, Probe] = {}
        self._probing: dict[Route, asyncio.Lock] = {}

    def features(self, routes: Collection[Route]) -> Features:
        """What all these routes offered when we last met them (safety R-17)."""
        known = [self._features.get(route, Features()) for route in routes]
        return functools.reduce(Features.within, known) if known else Features()

    def begin(self, route: Route, client: Client) -> Session:
        """A new transaction; no connection is made before mail()."""
        if route.protocol == "maildir":
            self._features[route] = MAILDIR_FEATURES
            return MaildirSession(self._state / route.path)
        return SmtpSession(route, client, self._pool(route), self._hostname, self._settings)

    async def probe(self, route: Route) -> Reply | None:
        """None when the route takes connections (or the Maildir can be written), else what a client would hear now.

        It learns the server's features. The outcome holds for PROBE_SECONDS; simultaneous calls share one probe.
        """
        async with self._probing.setdefault(route, asyncio.Lock()):
            probe = self._probes.get(route)
            if probe is None or time.monotonic() - probe.made >= PROBE_SECONDS:
                begin = time.monotonic()
                refusal = await self._probe(route)
                now = time.monotonic()
                probe = self._probes[route] = Probe(now, now - begin, refusal)
            return probe.refusal

    def last_probe(self, route: Route) -> Probe | None:
        """The outcome that probe() came to last, for those who watch; None before the first."""
        return self._probes.get(route)

    async def close(self) -> None:
        """Close the connections that nobody uses; the others are closed when their transactions end."""
        for pool in self._pools.values():
            await pool.close()

    async def _probe(self, route: Route) -> Reply | None:
        if route.protocol == "maildir":
            self._features[route] = MAILDIR_FEATURES
            return await asyncio.to_thread(check_maildir, self._state / route.path)
        try:
            connection = await self._connect(route)
        except Refused as error:
            return error.reply
        connection.quit()
        return None

    async def _connect(self, route: Route) -> Connection:
        connection = await connect(route, self._hostname, self._settings.connect_timeout)
        self._features[route] = _features(connection.extensions)
        return connection

    def _pool(self, route: Route) -> Pool:
        if route not in self._pools:
            self._pools[route] = Pool(
                functools.partial(self._connect, route),
                limit=self._settings.pool,
                idle=self._settings.idle,
                patience=self._settings.connect_timeout,
            )
        return self._pools[route]


def _features(extensions: Mapping[str, str]) -> Features:
    size = extensions.get("SIZE", "")
    return Features(
        size=int(size) or None if size.isdecimal() else None,
        eightbitmime="8BITMIME" in extensions,
        smtputf8="SMTPUTF8" in extensions,
        dsn="DSN" in extensions,
    )
