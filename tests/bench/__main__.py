"""`python -m tests.bench [--quick] [--naive]`: messages per second, CPU per message and p99 through the whole gateway.

The gateway runs as `gateway run` with SPF, DKIM and DMARC all passing from warm DNS, in front of a sink on the same
machine; the load generator and the sink take their share of it, so compare rows of one run with each other and not
with other machines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.dns import DnsServer
from tests.bench.generator import Job, Load, run
from tests.bench.workload import SIZES, jobs, zone
from tests.support.signing import rsa_key

ROOT = Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    size: str
    connections: int
    per_connection: int


CASES = (
    Case("3 KB", 1, 1), Case("3 KB", 20, 1), Case("3 KB", 20, 10), Case("50 KB", 20, 1), Case("1 MB", 20, 1),
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes and of their living children."""
    total = 0
    for one in [*pids, *(child for pid in pids for child in children(pid))]:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def process(*command: str, cwd: Path, port: int) -> Iterator[int]:
    """Run a command until its port answers; the pid."""
    with (cwd / f"{port}.log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=cwd, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command} does not answer:\n{(cwd / f'{port}.log').read_text()}")
        yield running.pid
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)


def configure(folder: Path, door: int, sink: int, dns: str, workers: int) -> None:
    shutil.copytree(ROOT / "policies", folder / "policies")
    policy = folder / "policies" / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    route = "  main: { protocol: smtp, host: 127.0.0.1, port: 10025 }"
    assert route in text
    policy.write_text(text.replace(route, route.replace("10025", str(sink))), encoding="utf-8")
    (folder / "gateway.toml").write_text(
        f'workers = {workers}\n[smtp]\nlisten = ["127.0.0.1:{door}"]\n'
        f'proxy_from = ["127.0.0.0/8"]\nexempt = ["127.0.0.0/8", "203.0.113.0/24"]\n'
        f'[dns]\nnameservers = ["{dns}"]\n[http]\nlisten = "127.0.0.1:{free_port()}"\n'
    )


async def measure(
    port: int, pids: Sequence[int], work: Sequence[Job], case: Case, seconds: float
) -> tuple[Load, float]:
    await run(port, work, connections=case.connections, per_connection=case.per_connection, seconds=seconds / 4)
    before = cpu_seconds(pids)
    load = await run(port, work, connections=case.connections, per_connection=case.per_connection, seconds=seconds)
    return load, cpu_seconds(pids) - before


def row(name: str, case: Case, load: Load, cpu: float) -> str:
    if load.failures:
        return f"{name:<10} {case.size:>6} c{case.connections} k{case.per_connection}: FAILED {load.failures[0]}"
    per_message = cpu / len(load.latencies) * 1000
    return (
        f"{name:<10} {case.size:>6} c{case.connections:<3} k{case.per_connection:<3} {load.rate:9.1f} msg/s"
        f" {per_message:8.2f} ms CPU/msg   p50 {load.quantile(0.5) * 1000:8.1f} ms   p99 {load.quantile(0.99) * 1000:8.1f} ms"
    )


async def bench(folder: Path, seconds: float, workers: int, with_naive: bool, cases: Sequence[Case]) -> None:
    key = rsa_key()
    workload = {size: jobs(octets, key) for size, octets in SIZES.items()}
    sink, ours, theirs = free_port(), free_port(), free_port()
    async with DnsServer(zone(key)) as dns:
        configure(folder, ours, sink, dns.address, workers)
        naive = [sys.executable, "-m", "tests.bench.naive", str(theirs), str(sink), dns.address.rpartition(":")[2]]
        gateway = [str(Path(sys.executable).with_name("gateway")), "run"]
        with process(sys.executable, "-m", "tests.bench.sink", str(sink), cwd=folder, port=sink):
            for case in cases:
                rates = []
                with process(*gateway, cwd=folder, port=ours) as pid:
                    await asyncio.sleep(1)
                    load, cpu = await measure(ours, [pid], workload[case.size], case, seconds)
                    rates.append(load.rate)
                    print(row("gateway", case, load, cpu), flush=True)
                if with_naive:
                    with process(*naive, cwd=folder, port=theirs) as pid:
                        load, cpu = await measure(theirs, [pid], workload[case.size], case, seconds)
                        rates.append(load.rate)
                        print(
                            row("naive", case, load, cpu),
                            f" ratio {rates[0] / rates[1]:.1f}" if rates[1] else "",
                            flush=True,
                        )
    print((folder / f"{sink}.log").read_text().strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each case")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--naive", action="store_true", help="measure the libraries' README gateway beside ours")
    parser.add_argument("--only", default="", help="one size: '3 KB', '50 KB', '1 MB'")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in ("", case.size)]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        asyncio.run(bench(Path(folder), arguments.seconds, arguments.workers, arguments.naive, cases))


if __name__ == "__main__":
    main()
