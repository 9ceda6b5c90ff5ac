"""Stores on disk with something of everything in them, for backup, verify and restore."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from gateway.ports import OutgoingKind
from gateway.quarantine.entry import Entry
from gateway.store.backup.copying import Source
from gateway.store.backup.create import Made, Order, back_up
from gateway.store.sqlite import SqliteStore
from tests.support.store_samples import NOW, entry, held_record, message, notice, outgoing, record, settlement

CLERK = "nguyenthihongdao"
KEY = bytes(range(32))


def source(folder: Path, **more: Any) -> Source:
    return Source(folder / "gateway.db", folder, **more)


def open_store(folder: Path, **more: Any) -> SqliteStore:
    folder.mkdir(exist_ok=True)
    return SqliteStore(folder / "gateway.db", folder, **more)


async def hold(store: SqliteStore, text: str = "Báo cáo tháng 11", **more: Any) -> Entry:
    """One message held, with its register line."""
    mail = message(text)
    held = entry(mail, **more)
    await store.prepare(mail, held, ())
    await store.settle(settlement(held_record(held)))
    return held


async def fill(store: SqliteStore) -> dict[str, str]:
    """Held, released, in hand, to be sent and recorded: ids by what they are."""
    ids = {"held": (await hold(store, "giữ")).id, "releasing": (await hold(store, "đang chuyển")).id}
    await store.release(ids["releasing"], CLERK, NOW)
    mail = message("đang nhận")
    ids["pending"] = entry(mail).id
    await store.prepare(mail, entry(mail, ids["pending"]), ())
    mail = message("hai tuyến")
    relayed = record()
    ids["relay"] = relayed.id
    digest = hashlib.sha256(mail.raw).hexdigest()
    relay = outgoing(OutgoingKind.RELAY, relayed.id, content=b"", digest=digest)
    await store.prepare(mail, None, [relay])
    await store.settle(settlement(relayed, notice(relayed.id)))
    return ids


def backed_up(folder: Path, target: Path, keys: Any = (), **more: Any) -> Made:
    return back_up(Order(source=source(folder, keys=keys), target=target, **more))
