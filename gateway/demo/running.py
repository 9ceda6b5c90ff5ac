"""The gateway and its surroundings in one process and one event loop, on free loopback ports."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from gateway import maillog
from gateway.app import Node, background, keep_house, meet_routes, open_door, open_node
from gateway.demo.department import Department
from gateway.demo.dns import DnsServer
from gateway.demo.keys import Key, make_keys
from gateway.demo.place import SIGNING_DOMAIN, Place, Ports, furnish, new_place
from gateway.demo.stories import MAILBOXES
from gateway.demo.words import DemoFailed
from gateway.demo.zones import Names, zones
from gateway.endpoint.smtp import open_listeners
from gateway.reloader import PolicyError, Reloader
from gateway.settings import Settings
from gateway.supervisor import Health

DRAIN_SECONDS: Final = 5.0
LOOPBACK: Final = ("127.0.0.1:0",)  # any free port


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs, and where."""

    place: Place
    ports: Ports
    settings: Settings
    keys: Mapping[str, Key]
    names: Names
    dns: DnsServer
    department: Department
    node: Node


@asynccontextmanager
async def stage(*, stay: bool) -> AsyncIterator[Stage]:
    """Open everything, and close it in the other order. With `stay`, health is served and policies are followed too.

    Raises DemoFailed and OSError.
    """
    async with AsyncExitStack() as stack:
        (smtp,), (http,) = open_listeners(LOOPBACK), open_listeners(LOOPBACK)
        stack.callback(smtp.close)
        stack.callback(http.close)
        keys = await asyncio.to_thread(make_keys)
        names = zones(keys.values())
        dns = await stack.enter_async_context(DnsServer(names))
        place = new_place()
        department = Department(place.maildirs, MAILBOXES)
        behind = await stack.enter_async_context(department.open())
        ports = Ports(smtp=_port(smtp), http=_port(http), dns=dns.port, department=behind)
        settings = await asyncio.to_thread(furnish, place, ports, names, keys[SIGNING_DOMAIN])
        stack.enter_context(_log_of(place))
        node = await stack.enter_async_context(_gateway(settings, smtp, http if stay else None))
        yield Stage(
            place=place,
            ports=ports,
            settings=settings,
            keys=keys,
            names=names,
            dns=dns,
            department=department,
            node=node,
        )


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


@contextmanager
def _log_of(place: Place) -> Iterator[None]:
    """The mail log goes to a file meanwhile."""
    with place.log.open("ab") as stream:
        maillog.write_to(stream)
    try:
        yield
    finally:
        maillog.write_to(sys.stderr.buffer)


@asynccontextmanager
async def _gateway(settings: Settings, smtp: socket.socket, http: socket.socket | None) -> AsyncIterator[Node]:
    """The parts that `gateway run` spreads over processes."""
    reloader = Reloader(settings.policies, settings.state)
    try:
        await asyncio.to_thread(reloader.start)
    except PolicyError as error:
        raise DemoFailed("\n".join(str(problem) for problem in error.problems)) from error
    async with open_node(settings, reloader) as node:
        work: list[Coroutine[Any, Any, None]] = [node.outbox.run(), keep_house(node)]
        if http is not None:
            work += [Health(None, lambda: "", node.checks()).serve([http]), reloader.watch()]
        async with background(*work):
            await meet_routes(node)
            door = await open_door(node, [smtp])
            try:
                yield node
            finally:
                await door.drain(DRAIN_SECONDS)
                await door.close()
                await node.outbox.stop(DRAIN_SECONDS)
