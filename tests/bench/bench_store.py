"""How fast the store settles: `python -m tests.bench.bench_store` prints records a second and CPU a record."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import uvloop

from gateway.store.sqlite import SqliteStore
from tests.support.store_samples import entry, held_record, message, record, settlement


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def settle_many(store: SqliteStore, producers: int, each: int) -> None:
    settlements = [[replace(settlement(record()), prepared=False) for _ in range(each)] for _ in range(producers)]

    async def produce(own: list) -> None:
        for one in own:
            await store.settle(one)

    started, used = time.perf_counter(), cpu()
    await asyncio.gather(*map(produce, settlements))
    took, used = time.perf_counter() - started, cpu() - used
    number = producers * each
    print(
        f"settle, {producers:4} producers: {number / took:8.0f}/s, {used / number * 1e6:5.0f} us CPU, "
        f"{took / each * 1e3:6.2f} ms latency"
    )


async def hold_many(store: SqliteStore, producers: int, each: int) -> None:
    async def produce(number: int) -> None:
        for turn in range(each):
            mail = message(f"{number}/{turn} " + "Kính gửi Sở GD&ĐT Long An. " * 300)
            held = entry(mail)
            await store.prepare(mail, held, ())
            await store.settle(settlement(held_record(held)))

    started, used = time.perf_counter(), cpu()
    await asyncio.gather(*map(produce, range(producers)))
    took, used = time.perf_counter() - started, cpu() - used
    number = producers * each
    print(f"hold,   {producers:4} producers: {number / took:8.0f}/s, {used / number * 1e6:5.0f} us CPU")


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = SqliteStore(Path(folder) / "gateway.db", Path(folder))
        for producers, each in ((1, 300), (10, 200), (100, 100), (400, 40)):
            await settle_many(store, producers, each)
        await hold_many(store, 20, 20)
        started = time.perf_counter()
        for _ in range(2000):
            store.unheard(b"k" * 32)
        print(f"unheard: {(time.perf_counter() - started) / 2000 * 1e6:.0f} us")
        await store.close()


if __name__ == "__main__":
    uvloop.run(main())
