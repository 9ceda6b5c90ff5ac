"""What runs beside the doors for as long as a process lives: policies that change, and the housekeeping of the store."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gateway import maillog
from gateway.app.node import Node, utc_now
from gateway.endpoint.smtp import Door
from gateway.ports import StoreError
from gateway.reloader import Reloader
from gateway.supervisor import Context


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside the block; when one of them breaks the block is cancelled and the error comes out."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


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
