"""`python -m tests.bench [--milter] [--naive]`: messages per second, CPU per message and p99 through the whole gateway.

The gateway runs as `gateway run` with SPF, DKIM and DMARC all passing from warm DNS: in front of a sink, and with
--milter also as the milter of a mail server that there is not. The load generator and the sink, each in a process of
its own, share the machine with it, so compare rows of one run with each other and not with other machines.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway.demo.dns import DnsServer
from tests.bench import generator, milter_generator
from tests.bench.generator import Job, Load
from tests.bench.running import configure, cpu_seconds, process
from tests.bench.workload import SIZES, jobs, zone
from tests.support.ports import free_port
from tests.support.signing import rsa_key


@dataclass(frozen=True)
class Case:
    size: str
    connections: int
    per_connection: int


CASES = (
    Case("3 KB", 1, 1), Case("3 KB", 20, 1), Case("3 KB", 20, 10), Case("50 KB", 20, 1), Case("1 MB", 20, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Party:
    """One that is measured: its command, the port that shows it is up, and the load that reaches it."""

    name: str
    command: Sequence[str]
    port: int
    load: Callable[..., Coroutine[Any, Any, Load]]


@dataclass(frozen=True)
class Bench:
    folder: Path
    seconds: float  # of each case
    generators: ProcessPoolExecutor
    workload: Mapping[str, Sequence[Job]]

    async def measure(self, party: Party, case: Case) -> Load:
        """Run the party for this case, and print its row."""
        with process(*party.command, cwd=self.folder, port=party.port) as pid:
            await asyncio.sleep(1)
            await self._load(party, case, self.seconds / 4)
            before = cpu_seconds([pid])
            load = await self._load(party, case, self.seconds)
            print(row(party.name, case, load, cpu_seconds([pid]) - before), flush=True)
        return load

    async def _load(self, party: Party, case: Case, seconds: float) -> Load:
        load = partial(
            party.load, jobs=self.workload[case.size],
            connections=case.connections, per_connection=case.per_connection, seconds=seconds,
        )  # fmt: skip
        return await asyncio.get_running_loop().run_in_executor(self.generators, generator.drive, load)


def row(name: str, case: Case, load: Load, cpu: float) -> str:
    if load.failures:
        return f"{name:<10} {case.size:>6} c{case.connections} k{case.per_connection}: FAILED {load.failures[0]}"
    per_message = cpu / len(load.latencies) * 1000
    return (
        f"{name:<10} {case.size:>6} c{case.connections:<3} k{case.per_connection:<3} {load.rate:9.1f} msg/s"
        f" {per_message:8.2f} ms CPU/msg   p50 {load.quantile(0.5) * 1000:8.1f} ms   p99 {load.quantile(0.99) * 1000:8.1f} ms"
    )


async def bench(folder: Path, arguments: argparse.Namespace, generators: ProcessPoolExecutor) -> None:
    key = rsa_key()
    here = Bench(folder, arguments.seconds, generators, {size: jobs(octets, key) for size, octets in SIZES.items()})
    sink, ours, theirs = free_port(), free_port(), free_port()
    socket = folder / "milter.sock"
    async with DnsServer(zone(key)) as dns:
        configure(folder, ours, socket if arguments.milter else None, sink, dns.address, arguments.workers)
        gateway = [str(Path(sys.executable).with_name("gateway")), "run"]
        naive = [sys.executable, "-m", "tests.bench.naive", str(theirs), str(sink), dns.address.rpartition(":")[2]]
        parties = [Party("gateway", gateway, ours, partial(generator.run, ours))]
        if arguments.milter:
            parties.append(Party("milter", gateway, ours, partial(milter_generator.run, str(socket))))
        if arguments.naive:
            parties.append(Party("naive", naive, theirs, partial(generator.run, theirs)))
        with process(sys.executable, "-m", "tests.bench.sink", str(sink), cwd=folder, port=sink):
            for case in CASES:
                if arguments.only in ("", case.size):
                    rates = [(await here.measure(party, case)).rate for party in parties]
                    if arguments.naive and rates[-1]:
                        print(f"{'':10} gateway : naive = {rates[0] / rates[-1]:.1f} : 1", flush=True)
    print((folder / f"{sink}.log").read_text().strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each case")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--milter", action="store_true", help="measure the milter door beside the SMTP door")
    parser.add_argument("--naive", action="store_true", help="measure the libraries' README gateway beside ours")
    parser.add_argument("--only", default="", help="one size: '3 KB', '50 KB', '1 MB'")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as generators,
    ):
        asyncio.run(bench(Path(folder), arguments, generators))


if __name__ == "__main__":
    main()
