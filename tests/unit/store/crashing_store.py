"""A process that writes to a store and kills itself at a marked point; what it was promised goes to standard output."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.ports import OutgoingKind
from gateway.store.sqlite import SqliteStore
from tests.support.store_samples import entry, held_record, message, notice, outgoing, record, settlement


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


async def main(folder: Path, point: str, after: int) -> None:
    left = after

    def mark(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store = SqliteStore(folder / "gateway.db", folder, mark=mark)

    async def one(number: int) -> None:
        mail = message(f"thư số {number} của tiến trình {os.getpid()}")
        held = entry(mail, f"T-{os.getpid()}-{number}")
        say("begun", held.id, held.digest)
        await store.prepare(mail, held, [outgoing(OutgoingKind.RELAY, held.id, id=f"R-{held.id}")])
        say("prepared", held.id)
        await store.settle(settlement(held_record(held), notice(held.id, unit_id=str(number))))
        say("settled", held.id)
        relayed = record(f"P-{os.getpid()}-{number}")
        await store.settle(settlement(relayed))
        say("recorded", relayed.id)

    for start in range(0, 40, 4):
        await asyncio.gather(*(one(start + n) for n in range(4)))
    say("finished")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
