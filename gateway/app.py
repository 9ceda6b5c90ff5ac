"""The composition root: settings in, running services out. The only place that knows every part."""

from __future__ import annotations

import asyncio
import gc
import itertools
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gateway import maillog
from gateway.canary import Canaries
from gateway.endpoint.milter_server import MilterDoor, serve_milter
from gateway.endpoint.smtp import Door, serve
from gateway.endpoint.tls import certificate_advice
from gateway.instruments import Instruments
from gateway.intake import Pipeline
from gateway.notices import Notices
from gateway.pipeline import World
from gateway.policy.policyset import PolicySet
from gateway.ports import StoreError
from gateway.quarantine.entry import State
from gateway.relay.client import Downstream
from gateway.relay.outbox import OutboxSender
from gateway.reloader import PolicyError, Reloader, inspect
from gateway.resolver import Resolver
from gateway.responder.compose import parse_sender
from gateway.responder.sign import Signer, SignerError
from gateway.responder.template import NoticeError
from gateway.settings import NoticeSettings, Settings, advice
from gateway.store.faults import may_pass
from gateway.store.migrate import CannotStart
from gateway.store.sqlite import SqliteStore, database_of, open_store
from gateway.supervisor import Context, Health, Unusable, is_full, run

MEETING_SECONDS = 5.0
RELEASE_LOOKS = 600  # tenths of a second
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: it is read aloud on the telephone


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A transaction id of 60 random bits: "7KQ2-M4XA-90TB"."""
    bits = secrets.randbits(60)
    letters = "".join(_CROCKFORD[(bits >> shift) & 31] for shift in range(0, 60, 5))
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
            notices=_notices(settings.notice),
            hostname=settings.hostname,
            clock=utc_now,
            new_id=new_id,
            wake_outbox=wake_outbox or outbox.wake,
        )
        yield Node(settings, reloader, store, resolver, downstream, outbox, Pipeline(world))


def _notices(settings: NoticeSettings) -> Notices:
    signer = None
    if settings.dkim_key and settings.dkim_domain and settings.dkim_selector:
        signer = Signer(settings.dkim_domain, settings.dkim_selector, settings.dkim_key.read_bytes())
    return Notices(settings, parse_sender(settings.sender), signer, utc_now, new_id)


# ---- processes ------------------------------------------------------------------------------------------------------


def contradictions(settings: Settings, policy: PolicySet | None) -> list[str]:
    """What the settings ask for and cannot have, as sentences: notices' sender and key, their route, the store's name.

    `gateway check` tells them, and the service does not start with one. Reads the key's file.
    """
    found = []
    for attempt in (partial(_notices, settings.notice), partial(database_of, settings)):
        try:
            attempt()
        except (CannotStart, SignerError, NoticeError, OSError) as error:
            found.append(str(error))
    if policy and settings.notice.route not in policy.routes:
        routes = ", ".join(policy.routes)
        found.append(f"notice.route: the policy has no route {settings.notice.route}; there are: {routes}")
    return found


def _sentences(error: PolicyError, settings: Settings) -> list[str]:
    if not settings.policies.is_dir():
        return [f"{settings.policies}: there is no such folder; write the policies' folder as policies in gateway.toml"]
    return [problem.text() for problem in error.problems]


def run_service(settings: Settings) -> int:
    """`gateway run`: the exit status. Policies and store are tried before anything is opened (exit 78)."""

    def prepare() -> None:
        try:
            policy = Reloader(settings.policies, settings.state).start()
            if found := contradictions(settings, policy):
                raise Unusable(found)
            for sentence in (*advice(settings), *certificate_advice(settings.smtp, utc_now())):
                maillog.event("settings-advice", detail=sentence)
            store = open_store(settings)
        except PolicyError as error:
            raise Unusable(_sentences(error, settings), may_pass=is_full(settings.state)) from error
        except (CannotStart, OSError) as error:
            raise Unusable([str(error)], may_pass=may_pass(error) or is_full(settings.state)) from error
        asyncio.run(store.close())

    return run(settings, worker, services, prepare=prepare)


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


async def meet_routes(node: Node) -> None:
    """Learn what the downstream servers offer, so that the first EHLO can offer it; a silent one is not waited for."""
    routes = node.reloader.current.routes.values()
    with suppress(TimeoutError):
        async with asyncio.timeout(MEETING_SECONDS):
            await asyncio.gather(*(node.downstream.probe(route) for route in routes))


async def follow_policies(reloader: Reloader, context: Context, doors: Sequence[Door] = ()) -> None:
    """Reload when files change or SIGHUP comes, which has the doors read their certificate again too; for ever."""
    watching = asyncio.create_task(reloader.watch())
    try:
        while True:
            await context.hangup.wait()
            context.hangup.clear()
            for door in doors:
                door.reload_certificate()
            await asyncio.to_thread(reloader.reload)
            context.reloaded()
    finally:
        watching.cancel()


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside the block; when one of them breaks the block is cancelled and the error comes out."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def keep_house(node: Node) -> None:
    """Recover what a crash left, expire what is due, delete what nobody needs; for ever."""
    for minute in itertools.count():
        now = utc_now()
        try:
            await node.store.recover(now)
            if minute % 60 == 0:
                for entry in await node.store.expire(now):
                    maillog.fate("expired", entry.id, recipients=[str(path.mailbox) for path in entry.recipients])
                await node.store.sweep(now)
        except StoreError as error:
            maillog.event("housekeeping-failed", reason=str(error))
        await asyncio.sleep(60)


def instruments(node: Node, context: Context, health: Health) -> Instruments:
    """What the services process reads for /metrics."""
    return Instruments(
        store=node.store,
        database=database_of(node.settings),
        state=node.settings.state,
        downstream=node.downstream,
        routes=lambda: node.reloader.current.routes,
        heartbeats=context.heartbeats,
        ask=health.reasons,
        clock=utc_now,
    )


# ---- one-shot acts of the command line ------------------------------------------------------------------------------


async def release_now(store: SqliteStore, settings: Settings, entry_id: str, by: str) -> str:
    """Release an entry and send it at once; a running gateway's outbox may be quicker, which is as good.

    Returns one sentence. The lease in the store sees to it that only one of the two sends.
    """
    policy, problems = await asyncio.to_thread(inspect, settings.policies, utc_now())
    if policy is None:
        return "\n".join(map(str, problems))
    downstream = Downstream(settings.relay, hostname=settings.hostname, state=settings.state)
    outbox = OutboxSender(store, downstream, lambda: policy.routes)
    entry = await store.release(entry_id, by, utc_now())
    sending = asyncio.create_task(outbox.run())
    try:
        for _ in range(RELEASE_LOOKS):
            await asyncio.sleep(0.1)
            entry = await store.entry(entry_id)
            if entry.state is not State.RELEASING:
                break
    finally:
        await outbox.stop()
        await sending
        await downstream.close()
    return f"{entry.id}: {entry.state} {entry.note}".strip()
