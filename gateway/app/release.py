"""Acts of the command line that need parts of a running gateway: release a held message and send it at once."""

from __future__ import annotations

import asyncio

from gateway.app.node import utc_now
from gateway.quarantine.entry import State
from gateway.relay.client import Downstream
from gateway.relay.outbox import OutboxSender
from gateway.reloader import inspect
from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore

RELEASE_LOOKS = 600  # tenths of a second


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
