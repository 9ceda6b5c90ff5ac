"""What the services process reads for /metrics: what waits in the store, room on the disk, the servers behind us (O-6).

Cheap and often, so that a scrape only writes down what is known. A reading that fails makes its gauges absent, never old.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from gateway import maillog, metrics
from gateway.metrics import gauges, values
from gateway.policy.route import Route
from gateway.relay.client import Downstream
from gateway.store.backlog import Backlog
from gateway.store.spill import UNREADABLE
from gateway.store.sqlite import SqliteStore

EVERY: Final = 15.0  # seconds between two readings
ASK_EVERY: Final = 2  # readings between two questions to the servers behind us, which log each connection
PATIENCE: Final = 30.0  # seconds for one reading; a disk or a server may hang
ALIVE: Final = 15.0  # seconds since a worker's last sign of life

Ages = Mapping[str, float | None]  # seconds since the last sign of life, by process; None: not begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The parts that are read; `ask` makes the checks of /readyz, `heartbeats` tells of all processes."""

    store: SqliteStore
    database: Path
    state: Path
    needed: int  # octets of free room below which mail is put off
    downstream: Downstream
    routes: Callable[[], Mapping[str, Route]]
    heartbeats: Callable[[], Ages]
    ask: Callable[[], Awaitable[object]]
    clock: Callable[[], datetime]

    async def watch(self) -> None:
        """Read for ever."""
        values.begin()
        gauges.build_info.replace({(_version(), platform.python_version()): 1})
        for turn in itertools.count():
            await self.read(ask=turn % ASK_EVERY == 0)
            await asyncio.sleep(EVERY)

    async def read(self, *, ask: bool = True) -> None:
        """One reading of everything, side by side: what hangs holds up nothing else. Nothing that goes wrong comes out."""
        self.read_processes()
        readings = [_guarded(self._read_store, _forget_store), _guarded(self._read_files, _forget_files)]
        if ask:
            readings += [
                _guarded(self._ask, gauges.ready.clear, gauges.check_up.clear, gauges.check_seconds.clear),
                _guarded(self._read_downstream, gauges.downstream_up.clear, gauges.downstream_probe.clear),
            ]
        await asyncio.gather(*readings)

    def read_processes(self) -> None:
        """Signs of life."""
        ages = self.heartbeats()
        workers = {name: age for name, age in ages.items() if name.startswith("worker-")}
        gauges.workers.set(len(workers))
        gauges.workers_up.set(sum(age is not None and age <= ALIVE for age in workers.values()))
        gauges.heartbeat_age.replace({(name,): age for name, age in ages.items() if age is not None})

    async def _read_store(self) -> None:
        show_backlog(await self.store.backlog(self.clock()))

    async def _read_files(self) -> None:
        gauges.state_needed.set(self.needed)
        await asyncio.to_thread(_read_files, self.state, self.database)

    async def _ask(self) -> None:
        await self.ask()

    async def _read_downstream(self) -> None:
        """Ask every route at once; a silent one takes the time of its connection timeout."""
        routes = self.routes()
        await asyncio.gather(*(self.downstream.probe(route) for route in routes.values()))
        probes = {name: probe for name, route in routes.items() if (probe := self.downstream.last_probe(route))}
        gauges.downstream_up.replace({(name,): probe.refusal is None for name, probe in probes.items()})
        gauges.downstream_probe.replace({(name,): probe.seconds for name, probe in probes.items()})


def show_backlog(backlog: Backlog) -> None:
    """Every state and kind, also those without rows: zero is news too."""
    listed = values.LISTED["gateway_outbox"]
    held = {state: backlog.held.get(state) for state in values.LISTED["gateway_held"]["state"]}
    gauges.held.replace({(state,): heap.number if heap else 0 for state, heap in held.items()})
    gauges.held_oldest.replace({(state,): heap.oldest if heap else 0 for state, heap in held.items()})
    gauges.held_expiring.set(backlog.expiring)
    pairs = itertools.product(listed["kind"], listed["state"])
    gauges.outbox.replace({pair: heap.number if (heap := backlog.outgoing.get(pair)) else 0 for pair in pairs})
    oldest = dict.fromkeys(listed["kind"], 0.0)
    for (kind, state), heap in backlog.outgoing.items():
        if state in ("due", "leased"):  # waiting is not due yet, unknown is a person's
            oldest[kind] = max(oldest[kind], heap.oldest)
    gauges.outbox_oldest.replace({(kind,): age for kind, age in oldest.items()})


def _read_files(state: Path, database: Path) -> None:
    disk = os.statvfs(state)
    gauges.state_free.set(disk.f_bavail * disk.f_frsize)
    gauges.state_size.set(disk.f_blocks * disk.f_frsize)
    if disk.f_files:  # some file systems make them as they go
        gauges.state_inodes.set(disk.f_favail)
    gauges.database_bytes.set(sum(_size(Path(f"{database}{suffix}")) for suffix in ("", "-wal")))
    spilled = [path for path in state.glob("spill-*.jsonl") if path.name != UNREADABLE]
    gauges.spill_bytes.set(sum(map(_size, spilled)))
    gauges.spill_age.set(max((_age(path) for path in spilled), default=0))
    gauges.spill_unreadable.set(_size(state / UNREADABLE))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _age(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:  # imported at this moment
        return 0.0


async def _guarded(read: Callable[[], Awaitable[None]], *forget: Callable[[], None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await read()
    except Exception as error:
        for gauge in forget:
            gauge()
        metrics.faults.labels("instruments").inc()
        maillog.event("reading-failed", reading=read.__name__.removeprefix("_"), error=repr(error)[:500])


def _forget_store() -> None:
    for gauge in (gauges.held, gauges.held_oldest, gauges.held_expiring, gauges.outbox, gauges.outbox_oldest):
        gauge.clear()


def _forget_files() -> None:
    sizes = (gauges.state_free, gauges.state_size, gauges.state_inodes, gauges.database_bytes)
    for gauge in (*sizes, gauges.spill_bytes, gauges.spill_age, gauges.spill_unreadable):
        gauge.clear()


def _version() -> str:
    try:
        return version("mail-gateway")
    except PackageNotFoundError:  # run from a folder that was not installed
        return "unknown"
