"""One process's parts, wired: store, DNS, downstream servers, outbox, and the pipeline that uses them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.intake import Pipeline
from gateway.notices import Notices
from gateway.pipeline import World
from gateway.relay.client import Downstream
from gateway.relay.outbox import OutboxSender
from gateway.reloader import Reloader
from gateway.resolver import Resolver
from gateway.responder.compose import parse_sender
from gateway.responder.sign import Signer
from gateway.settings import NoticeSettings, Settings
from gateway.store.sqlite import SqliteStore, open_store

MEETING_SECONDS = 5.0
_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: it is read aloud on the telephone
_LETTERS = _CROCKFORD * (256 // len(_CROCKFORD))  # five bits of each octet say which


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A transaction id of 60 random bits: "7KQ2-M4XA-90TB"."""
    letters = os.urandom(12).translate(_LETTERS).decode()
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one running process, wired."""

    settings: Settings
    reloader: Reloader
    store: SqliteStore
    resolver: Resolver
    downstream: Downstream
    outbox: OutboxSender
    reception: Pipeline

    def checks(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """What /readyz asks; each returns "" or the reason why not."""
        return {"store": self.store.probe, "dns": self._dns, "downstream": self._main_route, "policy": self._policy}

    async def _dns(self) -> str:
        return "" if await self.resolver.is_alive() else "no DNS server answers"

    async def _main_route(self) -> str:
        reply = await self.downstream.probe(self.reloader.current.routes["main"])
        return f"route main: {reply}" if reply else ""

    async def _policy(self) -> str:
        return self.reloader.degraded


@asynccontextmanager
async def open_node(
    settings: Settings, reloader: Reloader, wake_outbox: Callable[[], None] | None = None
) -> AsyncIterator[Node]:
    """Open the store, DNS and the downstream pool, and close them in the other order.

    `wake_outbox` is called when there is something to send; None: the node's own outbox sends it.
    Raises store.migrate.CannotStart, responder.sign.SignerError and OSError, each with a sentence for the operator.
    """
    async with AsyncExitStack() as stack:
        store = await asyncio.to_thread(open_store, settings)
        stack.push_async_callback(store.close)
        resolver = Resolver(settings.dns)
        stack.push_async_callback(resolver.close)
        downstream = Downstream(settings.relay, hostname=settings.hostname, state=settings.state)
        stack.push_async_callback(downstream.close)
        outbox = OutboxSender(store, downstream, lambda: reloader.current.routes)
        world = World(
            policy=lambda: reloader.current,
            resolver=resolver,
            downstream=downstream,
            store=store,
            notices=notices_of(settings.notice),
            hostname=settings.hostname,
            clock=utc_now,
            new_id=new_id,
            wake_outbox=wake_outbox or outbox.wake,
        )
        yield Node(settings, reloader, store, resolver, downstream, outbox, Pipeline(world))


def notices_of(settings: NoticeSettings) -> Notices:
    """Raises responder.sign.SignerError, responder.template.NoticeError and OSError."""
    signer = None
    if settings.dkim_key and settings.dkim_domain and settings.dkim_selector:
        signer = Signer(settings.dkim_domain, settings.dkim_selector, settings.dkim_key.read_bytes())
    return Notices(settings, parse_sender(settings.sender), signer, utc_now, new_id)


async def meet_routes(node: Node) -> None:
    """Learn what the downstream servers offer, so that the first EHLO can offer it; a silent one is not waited for."""
    routes = node.reloader.current.routes.values()
    with suppress(TimeoutError):
        async with asyncio.timeout(MEETING_SECONDS):
            await asyncio.gather(*(node.downstream.probe(route) for route in routes))
