"""Clients that leave, and services that stop: nothing under way is cut short (R-9, F-15, F-16, F-39)."""

from __future__ import annotations

import asyncio

import pytest

from gateway.endpoint import smtp
from gateway.envelope.reply import ACCEPTED, Reply
from tests.support.dialogue import PATIENCE, OpenDoor, RawClient, open_door
from tests.support.reception import FakeReception


def slow_reception(reply: Reply | Exception = ACCEPTED) -> tuple[FakeReception, asyncio.Event]:
    """A reception that judges only when the event is set."""
    gate = asyncio.Event()

    async def judge() -> Reply:
        await gate.wait()
        if isinstance(reply, Exception):
            raise reply
        return reply

    return FakeReception(on_data=judge), gate


async def until_judging(opened: OpenDoor) -> RawClient:
    client = await opened.connect()
    await client.hello()
    await client.envelope()
    await client.send(b"x: y\r\n.\r\n")
    await asyncio.wait_for(opened.reception.data_begun.wait(), PATIENCE)
    return client


async def until_empty(opened: OpenDoor) -> None:
    async with asyncio.timeout(PATIENCE):
        while opened.door.sessions:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("leave", ["fin", "rst"])
async def test_judging_goes_on_when_the_client_leaves(leave: str) -> None:
    """R-9, F-15: the hook is not cancelled, and the pipeline hears that its 250 was not heard."""
    reception, gate = slow_reception()
    async with open_door(reception) as opened:
        client = await until_judging(opened)
        client.close() if leave == "fin" else client.reset()
        await asyncio.sleep(0.05)  # the server has seen it; a cancellation would have struck by now
        assert opened.door.sessions == 1
        gate.set()
        await asyncio.wait_for(reception.unheard.wait(), PATIENCE)
        assert reception.intakes[0].calls == ["mail", "rcpt", "data", "unheard"]


@pytest.mark.parametrize("reply", [Reply(451, "4.4.1", "later"), RuntimeError("broken")])
async def test_refusals_need_not_be_heard(reply: Reply | Exception) -> None:
    """R-2: the client will ask again after a 4yz, heard or not."""
    reception, gate = slow_reception(reply)
    async with open_door(reception) as opened:
        (await until_judging(opened)).reset()
        await asyncio.sleep(0.02)
        gate.set()
        await until_empty(opened)
        assert reception.intakes[0].calls == ["mail", "rcpt", "data"]


async def test_half_closed_client_still_hears() -> None:
    """A client that shuts its sending side after "." reads the reply; that is no unheard message."""
    reception, gate = slow_reception()
    async with open_door(reception) as opened:
        client = await until_judging(opened)
        client.writer.write_eof()
        await asyncio.sleep(0.05)
        gate.set()
        assert (await client.reply()).startswith(b"250 2.0.0")
        assert await client.rest() == []
        await until_empty(opened)
        assert reception.intakes[0].calls == ["mail", "rcpt", "data"]


async def test_pipelined_commands_before_a_half_close_are_answered() -> None:
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.send(b"NOOP\r\nNOOP\r\nRSET\r\n")
        client.writer.write_eof()
        assert len(await client.rest()) == 3


@pytest.mark.parametrize("octets", [b"", b"x: y\r\n", b"x: y\r\n.", b"x" * 200_000])
@pytest.mark.parametrize("leave", ["fin", "rst", "eof"])
async def test_client_gone_in_the_middle_is_nothing(octets: bytes, leave: str) -> None:
    """F-16: no message, and the transaction is abandoned."""
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        await client.send(octets)
        {"fin": client.close, "rst": client.reset, "eof": client.writer.write_eof}[leave]()
        await until_empty(opened)
        assert opened.reception.intakes[0].calls == ["mail", "rcpt", "abandon"]
        assert list(opened.spool.iterdir()) == []


@pytest.mark.parametrize("how", ["QUIT", "RSET", "EHLO a", "HELO a"])
async def test_transaction_left_open_is_abandoned_once(how: str) -> None:
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.ask("MAIL FROM:<>")
        await client.ask(how)
        client.close()
        await until_empty(opened)
        assert opened.reception.intakes[0].calls == ["mail", "abandon"]


async def test_drain_waits_for_what_is_under_way() -> None:
    """F-39, O-1: no new clients, idle ones get 421, the one in judgement hears its 250 first."""
    reception, gate = slow_reception()
    async with open_door(reception) as opened:
        idle = await opened.connect()
        await idle.hello()
        busy = await until_judging(opened)
        draining = asyncio.create_task(opened.door.drain(PATIENCE))
        assert [line[:9] for line in await idle.rest()] == [b"421 4.3.2"]
        assert not draining.done()
        with pytest.raises(OSError, match=r"."):
            await opened.connect()
        gate.set()
        assert (await busy.reply()).startswith(b"250 2.0.0")
        assert (await busy.reply()).startswith(b"421 4.3.2")
        assert await draining
        assert reception.intakes[0].calls == ["mail", "rcpt", "data"]


async def test_drain_lets_an_open_transaction_come_to_its_end() -> None:
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        await client.envelope()
        draining = asyncio.create_task(opened.door.drain(PATIENCE))
        await asyncio.sleep(0)
        await client.send(b"x: y\r\n.\r\n")
        assert (await client.reply()).startswith(b"250 2.0.0")
        assert (await client.reply()).startswith(b"421 4.3.2")
        assert await draining


async def test_drain_lets_a_new_client_bring_one_message_o2() -> None:
    """A mail server that heard 421 in the greeting would come again in minutes."""
    async with open_door() as opened:
        client = await opened.connect()
        draining = asyncio.create_task(opened.door.drain(PATIENCE))
        await asyncio.sleep(0)
        await client.hello()
        assert (await client.mail(b"x: y\r\n.\r\n")).startswith(b"250 2.0.0")
        assert (await client.reply()).startswith(b"421 4.3.2")
        assert await draining


async def test_drain_sends_away_at_once_who_has_been_idle_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """O-1."""
    monkeypatch.setattr(smtp, "FRESH_SECONDS", 0.0)
    async with open_door() as opened:
        client = await opened.connect()
        await client.hello()
        assert await opened.door.drain(PATIENCE)
        assert (await client.reply()).startswith(b"421 4.3.2")


async def test_drain_covers_a_client_that_left() -> None:
    """R-9: the message of a client that is gone holds the drain as well."""
    reception, gate = slow_reception()
    async with open_door(reception) as opened:
        (await until_judging(opened)).reset()
        assert not await opened.door.drain(0.05)
        gate.set()
        assert await opened.door.drain(PATIENCE)
        assert reception.intakes[0].calls[-1] == "unheard"
