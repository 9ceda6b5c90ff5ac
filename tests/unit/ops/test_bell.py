"""The doorbell: what a worker puts into the outbox leaves at once, though another process sends it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.app import services
from gateway.relay import outbox
from gateway.supervisor import Bell, Context
from gateway.supervisor.board import Board
from tests.support.corpus import cases
from tests.support.node import gateway

FREE = next(case for case in cases() if case.name.startswith("02"))


async def test_rings_are_heard_in_another_process_and_none_is_lost() -> None:
    bell, heard = Bell(), asyncio.Event()
    for _ in range(3):  # before anybody listens, as while the services process is being begun anew
        bell.ring()
    with bell.answered(heard.set):
        await asyncio.wait_for(heard.wait(), 20)
        heard.clear()
        child = os.fork()
        if child == 0:
            bell.ring()
            os._exit(0)
        await asyncio.wait_for(heard.wait(), 20)
        assert heard.is_set()
    assert os.waitpid(child, 0) == (child, 0)
    bell.close()


def test_a_closed_bell_rings_no_other_bell() -> None:
    """Its descriptor's number is another file's by then, and might have been the database's."""
    bell = Bell()
    bell.close()
    other = os.eventfd(0, os.EFD_NONBLOCK)
    bell.ring()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(other)
    os.close(other)


async def test_a_notice_of_a_worker_is_sent_by_the_services_process_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the bell makes the outbox look a second time."""
    monkeypatch.setattr(outbox, "IDLE_SECONDS", 86_400.0)
    bell = Bell()
    async with gateway(tmp_path, zone=FREE.zone, outbox=False, wake_outbox=bell.ring) as worker:
        context = Context(
            settings=worker.node.settings,
            slot=1,
            sockets={},
            metrics_directory=tmp_path / "metrics",
            board=Board(2),
            bell=bell,
        )
        running = asyncio.create_task(services(context))
        for number, sender in enumerate(("lan@gmail.com", "hoa@gmail.com"), start=1):
            message = FREE.text.replace(FREE.sender.encode(), sender.encode())
            reply = await worker.send(message, sender, helo=FREE.helo, address=FREE.session["client"])
            assert reply.startswith("250 ")
            taken = await worker.taken(number)  # the first one by the look at the start, perhaps
            assert taken[-1].rcpts == [f"RCPT TO:<{sender}> NOTIFY=NEVER"]
        context.stopping.set()
        await running
    bell.close()
