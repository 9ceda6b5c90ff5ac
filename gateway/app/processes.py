"""What the two kinds of process do, from fork to end: workers have the doors, one process has what exists once."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Sequence

from gateway.app.background import background, follow_policies, keep_house
from gateway.app.node import Node, meet_routes, open_node, utc_now
from gateway.canary import Canaries
from gateway.endpoint.limits import room_for
from gateway.endpoint.milter_server import MilterDoor, serve_milter
from gateway.endpoint.smtp import Door, serve
from gateway.instruments import Instruments
from gateway.reloader import Reloader
from gateway.store.sqlite import database_of
from gateway.supervisor import Context, Health


async def worker(context: Context) -> None:
    """One worker process: the doors, until told to stop; then what is in hand is finished."""
    settings = context.settings
    reloader = Reloader(settings.policies, settings.state)
    await asyncio.to_thread(reloader.start)
    doors: list[Door] = []
    milters: list[MilterDoor] = []
    async with (
        open_node(settings, reloader, context.bell.ring) as node,
        background(follow_policies(reloader, context, doors)),
    ):
        await meet_routes(node)
        spare_collector()
        if sockets := context.sockets.get("smtp"):
            doors.append(await open_door(node, sockets))
        if sockets := context.sockets.get("milter"):
            milters.append(await open_milter(node, sockets))
        context.opened()
        await context.stopping.wait()
        await drain(context, [*doors, *milters])


async def drain(context: Context, doors: Sequence[Door | MilterDoor]) -> None:
    """Finish what is under way, within the time that there is; and say how much was finished (safety O-1)."""
    begun = sum(door.under_way for door in doors)
    try:
        await asyncio.gather(*(door.drain(context.settings.drain) for door in doors))
    finally:  # it is cancelled when the time is over
        cut = sum(door.under_way for door in doors)
        context.drained(max(0, begun - cut), cut)
    await asyncio.gather(*(door.close() for door in doors))


def spare_collector() -> None:
    """What is there now stays, so the cycle collector need not look at it again; and it looks less often: a tenth of the CPU.

    Messages make few cycles, and large octets are in none of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def services(context: Context) -> None:
    """The process for what exists once: health and metrics, outbox, housekeeping."""
    settings = context.settings
    reloader = Reloader(settings.policies, settings.state)
    await asyncio.to_thread(reloader.start)
    async with open_node(settings, reloader) as node:
        health = Health(
            context.metrics_directory, context.not_alive, node.checks(), is_draining=lambda: context.is_draining
        )
        async with background(
            follow_policies(reloader, context),
            keep_house(node),
            instruments(node, context, health).watch(),
            Canaries(node.resolver, lambda: reloader.current, utc_now).watch(),
            node.outbox.run(),
        ):
            with context.bell.answered(node.outbox.wake):
                async with background(health.serve(context.sockets.get("http", ()))):
                    context.opened()
                    await context.stopping.wait()
            await node.outbox.stop()


async def open_door(node: Node, sockets: Sequence[socket.socket] | None = None) -> Door:
    """The SMTP door of this process, on sockets of the supervisor or on those that the settings name."""
    settings = node.settings
    return await serve(
        settings.smtp, node.reception, hostname=settings.hostname, spool=settings.state / "spool", sockets=sockets
    )


async def open_milter(node: Node, sockets: Sequence[socket.socket]) -> MilterDoor:
    """The milter door of this process, on listening sockets."""
    settings = node.settings
    return await serve_milter(settings.milter, node.reception, spool=settings.state / "spool", sockets=sockets)


def instruments(node: Node, context: Context, health: Health) -> Instruments:
    """What the services process reads for /metrics."""
    return Instruments(
        store=node.store,
        database=database_of(node.settings),
        state=node.settings.state,
        needed=room_for(max(node.settings.smtp.max_size, node.settings.milter.max_size)),
        downstream=node.downstream,
        routes=lambda: node.reloader.current.routes,
        heartbeats=context.heartbeats,
        ask=health.reasons,
        clock=utc_now,
    )
