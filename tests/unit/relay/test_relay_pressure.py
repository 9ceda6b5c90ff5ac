"""Clients that begin a transaction and fall silent do not keep others from the receiving server (safety S-22, R-19, R-15)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.relay import pool
from tests.support.relaying import (
    CLIENT,
    CONTENT,
    EXAMS,
    NO_PARAMETERS,
    OFFICE,
    OTHER_CLIENT,
    SCHOOL,
    downstream,
    route,
)
from tests.support.sink import Sink, running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PRESSED_SECONDS", 0.05)
    monkeypatch.setattr(pool, "LOOK_SECONDS", 0.02)


async def test_a_silent_clients_connection_goes_to_one_who_waits_and_its_transaction_goes_on(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=1)
        silent, busy = (behind.begin(route(sink.port), client) for client in (CLIENT, OTHER_CLIENT))
        assert (await silent.mail(SCHOOL, NO_PARAMETERS)).is_positive
        assert (await silent.rcpt(OFFICE)).is_positive
        await asyncio.sleep(0.1)
        assert (await busy.mail(SCHOOL, NO_PARAMETERS)).is_positive
        assert (await busy.rcpt(EXAMS)).is_positive
        assert (await busy.deliver([EXAMS], [CONTENT])).reply.is_positive

        assert (await silent.rcpt(EXAMS)).is_positive
        delivery = await silent.deliver([OFFICE, EXAMS], [CONTENT])
        assert delivery.reply.is_positive
        await behind.close()
    first, second = sink.taken
    assert [len(first.rcpts), len(second.rcpts)] == [1, 2]
    assert second.content == CONTENT


async def test_who_goes_on_speaking_keeps_his_connection(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=1, connect_timeout=0.4)
        speaking, waiting = (behind.begin(route(sink.port), client) for client in (CLIENT, OTHER_CLIENT))
        assert (await speaking.mail(SCHOOL, NO_PARAMETERS)).is_positive
        refused = asyncio.create_task(waiting.mail(SCHOOL, NO_PARAMETERS))
        for _ in range(30):
            assert (await speaking.rcpt(OFFICE)).is_positive
            await asyncio.sleep(0.02)
        assert str(await refused).startswith("451 4.3.2")
        assert (await speaking.deliver([OFFICE], [CONTENT])).reply.is_positive
        await behind.close()
    assert len(sink.taken) == 1


async def test_many_silent_clients_do_not_starve_others(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=4)
        silent = [behind.begin(route(sink.port), CLIENT) for _ in range(40)]
        for session in silent:
            assert (await session.mail(SCHOOL, NO_PARAMETERS)).is_positive
        last = behind.begin(route(sink.port), OTHER_CLIENT)
        assert (await last.mail(SCHOOL, NO_PARAMETERS)).is_positive
        assert (await last.rcpt(OFFICE)).is_positive
        assert (await last.deliver([OFFICE], [CONTENT])).reply.is_positive
        for session in silent:
            await session.abandon()
        fresh = [behind.begin(route(sink.port), CLIENT) for _ in range(4)]  # every place is free again
        assert all([(await session.mail(SCHOOL, NO_PARAMETERS)).is_positive for session in fresh])
        for session in fresh:
            await session.abandon()
        await behind.close()


async def test_giving_up_the_wait_leaves_the_places_as_they_were(tmp_path: Path) -> None:
    async with running(Sink()) as sink:
        behind = downstream(tmp_path, pool=1)
        holder = behind.begin(route(sink.port), CLIENT)
        assert (await holder.mail(SCHOOL, NO_PARAMETERS)).is_positive
        for _ in range(5):
            waiter = asyncio.create_task(behind.begin(route(sink.port), OTHER_CLIENT).mail(SCHOOL, NO_PARAMETERS))
            await asyncio.sleep(0.005)
            waiter.cancel()
            await asyncio.wait([waiter])
        assert (await holder.rcpt(OFFICE)).is_positive
        assert (await holder.deliver([OFFICE], [CONTENT])).reply.is_positive
        after = behind.begin(route(sink.port), OTHER_CLIENT)
        assert (await after.mail(SCHOOL, NO_PARAMETERS)).is_positive
        await after.abandon()
        await behind.close()
