"""A process whose program is newer than the store: it migrates, and may kill itself before any one statement of it.

python -m tests.unit.store.migrating_store FOLDER VERSION KILL [BREAKING]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from gateway.ports import StoreError
from gateway.store import migrate
from gateway.store.sqlite import SqliteStore
from tests.unit.store.crashing_store import say


def credit(connection: Connection) -> None:
    """1 to 2: what a real step does: a column, a table, an index, and values worked out from what is there."""
    connection.exec_driver_sql("ALTER TABLE entries ADD COLUMN credited VARCHAR NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE TABLE vouchers (id VARCHAR PRIMARY KEY, entry_id VARCHAR REFERENCES entries)")
    connection.exec_driver_sql("CREATE INDEX entries_by_credit ON entries (credited)")
    connection.exec_driver_sql("UPDATE entries SET credited = unit_id WHERE state = 'held'")


def obligations(connection: Connection) -> None:
    """2 to 3."""
    connection.exec_driver_sql("CREATE TABLE obligations (id VARCHAR PRIMARY KEY, due BIGINT)")
    connection.exec_driver_sql("INSERT INTO obligations SELECT id, retain_until FROM entries")


def kill_before(number: int) -> None:
    """SIGKILL before the statement of this number, of all that the process gives to SQLite, transactions included."""
    left = number

    def count(statement: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            say("killed", statement.split("\n")[0][:60].replace(" ", "_"))
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "connect")
    def _trace(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(count)


async def main(folder: Path) -> None:
    try:
        store = SqliteStore(folder / "gateway.db", folder)
    except (migrate.CannotStart, StoreError) as refusal:
        say("refused", str(refusal))
        return
    say("open")
    await store.close()


def kill_at_each(store: Path, folders: Path) -> None:
    """Each in a process of its own, forked before any thread is begun: the same as a new one, without its seconds."""
    for number in itertools.count():
        folder = shutil.copytree(store, folders / str(number))
        child = os.fork()
        if not child:
            kill_before(number)
            asyncio.run(main(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return


if __name__ == "__main__":
    place, version, *more = sys.argv[1:]
    migrate.VERSION = int(version)
    migrate.STEPS = {1: credit, 2: obligations}
    if more[:1] == ["--kill-at-each"]:
        kill_at_each(Path(place), Path(more[1]))
    else:
        migrate.BREAKING = frozenset(map(int, more))
        asyncio.run(main(Path(place)))
