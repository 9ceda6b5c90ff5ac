"""A milter door that has seen hundreds of connections end in odd places holds nothing of them (F-22, F-32, O-1, S-34)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway import metrics
from gateway.endpoint import milter_connection
from gateway.endpoint.milter_events import Content
from gateway.endpoint.milter_server import MilterDoor, serve_milter
from gateway.envelope.reply import ACCEPTED, Reply
from gateway.settings import MilterSettings, parse_listen
from gateway.supervisor.sockets import listen
from tests.support.milter_client import MilterClient
from tests.support.reception import FakeReception

PATIENCE = 20.0  # seconds; only for a test that would hang otherwise
ROUNDS = 12
AT_ONCE = 50
HALF = b"\0\0\0\x20O\0\0"
CHUNK = b"\0\0\xff\xffB" + b"x" * 65534
State = Callable[[MilterClient], Awaitable[None]]


async def silent(client: MilterClient) -> None:
    """Nothing but a connection."""


async def half_packet(client: MilterClient) -> None:
    client.send(HALF)


async def garbage(client: MilterClient) -> None:
    client.send(b"GET / HTTP/1.1\r\n\r\n")


async def negotiated(client: MilterClient) -> None:
    await client.negotiate()


async def greeted(client: MilterClient) -> None:
    await client.negotiate()
    await client.session("192.0.2.7", "mail.thcs-tanan.edu.vn")


async def after_mail(client: MilterClient) -> None:
    await greeted(client)
    await client._step(b"M", b"<vanthu@thcs-tanan.edu.vn>\0")
    client._flush()


async def after_rcpt(client: MilterClient) -> None:
    await after_mail(client)
    await client._step(b"R", b"<vanthu@longan.edu.vn>\0")


async def in_the_header(client: MilterClient) -> None:
    await after_rcpt(client)
    await client._step(b"L", b"Subject\0 Bao cao\0")
    client._flush()


async def in_the_body(client: MilterClient) -> None:
    """65 KiB in memory, and half a chunk that is not there yet."""
    await in_the_header(client)
    await client._step(b"N")
    client._flush()
    client.send(CHUNK + CHUNK[:1000])


async def in_the_body_on_disk(client: MilterClient) -> None:
    await in_the_body(client)
    client.send(CHUNK[1000:] + CHUNK * 20)


async def judged(client: MilterClient) -> None:
    """The end of the message is said; the verdict does not come."""
    await in_the_body(client)
    client.send(CHUNK[1000:] + b"\0\0\0\x01E")


STATES: Final[tuple[State, ...]] = (
    silent,
    half_packet,
    garbage,
    negotiated,
    greeted,
    after_mail,
    after_rcpt,
    in_the_header,
    in_the_body,
    in_the_body_on_disk,
    judged,
)


@asynccontextmanager
async def opened(**settings: object) -> AsyncIterator[tuple[MilterDoor, str, asyncio.Event]]:
    """A door whose verdicts wait for the event."""
    go = asyncio.Event()

    async def slowly() -> Reply:
        await go.wait()
        return ACCEPTED

    with tempfile.TemporaryDirectory(prefix="milter-") as folder:
        place = parse_listen(f"unix:{folder}/door.sock")
        assert place.path
        door = await serve_milter(
            MilterSettings(connections=1000, **settings),  # type: ignore[arg-type]
            FakeReception(on_data=slowly, keep=False),
            spool=Path(folder) / "spool",
            sockets=[listen(place)],
        )
        try:
            yield door, place.path, go
        finally:
            await door.close()


async def come(address: str, state: State) -> MilterClient:
    client = await MilterClient.connect(address)
    await state(client)
    return client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def held() -> tuple[int, int, float]:
    """Descriptors of this process, tasks of this loop, connections in the gauge; nothing that only waits to be collected."""
    gc.collect()
    gauge = next(iter(next(iter(metrics.milter_sessions.collect())).samples))
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), gauge.value


@pytest.mark.parametrize("abort", [True, False], ids=["reset", "closed"])
async def test_nothing_is_left_of_connections_that_ended_anywhere(abort: bool) -> None:
    async with opened() as (door, address, go):
        before = held()
        for round_ in range(ROUNDS):
            states = [STATES[(round_ + n) % len(STATES)] for n in range(AT_ONCE)]
            clients = await asyncio.gather(*(come(address, state) for state in states))
            for client in clients:
                if abort:
                    client.writer.transport.abort()
                else:
                    await client.close()
            go.set()
            await until(lambda: door.connections == 0)
            go.clear()
        shared = door._shared
        assert (shared.memory.used, len(shared.connections)) == (0, 0)
        await until(lambda: held() == before)


async def test_a_mail_server_that_vanished_within_a_message_is_let_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that lost its power says no goodbye, wherever in the message it was; but a verdict of ours is waited for."""
    monkeypatch.setattr(milter_connection, "NEGOTIATION_SECONDS", 0.05)
    async with opened(idle=0.3) as (door, address, go):
        states = [state for state in STATES if state not in (silent, half_packet, garbage)]
        clients = await asyncio.gather(*(come(address, state) for state in states))
        await until(lambda: door.connections == 1)
        [connection] = door._shared.connections
        assert connection._task is not None, "the one that is judged"
        go.set()
        await until(lambda: door.connections == 0)
        assert door._shared.memory.used == 0
        for client in clients:
            await client.close()


async def test_two_hundred_open_connections_do_not_keep_us() -> None:
    """O-1: those without a message go after the moment of grace; those that are judged get their verdict."""
    async with opened() as (door, address, go):
        calm = [state for state in STATES if state in (negotiated, greeted)]
        clients = await asyncio.gather(*(come(address, calm[n % 2]) for n in range(190)))
        late = await asyncio.gather(*(come(address, judged) for _ in range(10)))
        draining = asyncio.create_task(door.drain(PATIENCE))
        await until(lambda: door.connections == len(late))
        go.set()
        for client in late:
            assert (await client.answer([])).kind == "discard"
        assert await draining
        for client in clients:
            with contextlib.suppress(ConnectionError):
                assert await client.reader.read() == b""
            await client.close()


async def test_a_refused_sender_does_not_keep_us() -> None:
    """O-1: where MAIL is answered, its refusal is the end of the message; a mail server without NR_MAIL sends no ABORT."""
    async with opened() as (door, address, _):
        client = await MilterClient.connect(address)
        await client.negotiate(steps=0x100000)
        await client.session("192.0.2.7", "mail.thcs-tanan.edu.vn")
        answer = await client._step(b"M", b"<not a path>\0")
        assert answer is not None
        assert answer.kind == "replycode"
        [connection] = door._shared.connections
        await until(lambda: connection.is_at_rest)
        await client.close()


async def test_what_comes_while_we_are_at_work_is_not_kept_without_measure() -> None:
    """S-34, F-32: given up while it was judged, a message is followed at once by another one of many megabytes."""
    async with opened() as (door, address, go):
        client = await come(address, judged)
        await until(lambda: all(connection._task for connection in door._shared.connections))
        [connection] = door._shared.connections
        client.abort()
        await client._step(b"M", b"<vanthu@thcs-tanan.edu.vn>\0")
        await client._step(b"L", b"Subject\0 Bao cao\0")
        await client._step(b"N")
        client._flush()
        client.send(CHUNK * 200)
        await until(lambda: connection._transport is not None and not connection._transport.is_reading())
        kept = sum(len(event.octets) for event in connection._events if isinstance(event, Content))
        assert kept < 4 * 1024 * 1024
        go.set()
        client._put(b"E")
        assert (await client.answer([])).kind == "continue", "nobody of ours was named"
        await client.close()
