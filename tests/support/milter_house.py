"""A real Postfix with our milter, from the files in deploy/postfix: only paths, ports and DNS are other than shipped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from gateway.cli.common import with_store
from gateway.demo.dns import DnsServer, ZoneData
from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore
from tests.support.dns_thread import dns_thread
from tests.support.gateway_process import PATIENCE, GatewayProcess
from tests.support.milter_tap import Tap
from tests.support.node import ROOT, policy_folder
from tests.support.ports import free_port
from tests.support.postfix import Postfix, unavailable

_T = TypeVar("_T")
DEPLOY = ROOT / "deploy"
DNS_LINES = 'nameservers = ["{address}"]\ntimeout = {timeout}\nmax_ttl = 0\nnegative_ttl = 0\nerror_ttl = 0\n'


def shipped(name: str, changes: Mapping[str, str]) -> str:
    """A file of deploy/ with these words in it replaced; each must be there, or the file and the tests have parted."""
    text = (DEPLOY / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in deploy/{name}"
        text = text.replace(old, new)
    return text


@dataclass
class MilterGateway(GatewayProcess):
    """`gateway run` with the milter door only. Its settings are those of deploy/postfix or deploy/sendmail."""

    door: Path = Path()

    def is_live(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the gateway has ended\n{self.log[-4000:]}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.door))
            return self.get("/livez")[0] == 200
        return False

    def kill(self) -> None:
        """kill -9 to every process of it, at once."""
        assert self.process is not None
        process, self.process = self.process, None
        pids = [process.pid]
        with contextlib.suppress(OSError):
            task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            pids += [int(pid) for pid in task.read_text().split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        until = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{pid}/cmdline").exists() and _lives(pid) for pid in pids[1:]):
            assert time.monotonic() < until, "a worker does not die"
            time.sleep(0.01)

    def restart(self) -> None:
        """Stop and start as an operator does. Rows of the outbox that wait for their next attempt go on waiting."""
        self.stop()
        self.start()

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("quarantine", "list")
        return found

    def held(self, entry: Mapping[str, Any]) -> bytes:
        """The octets of an entry."""

        async def work(store: SqliteStore, _: Settings) -> bytes:
            return bytes(store.open_blob(entry["digest"]))

        return self.in_store(work)

    def in_store(self, work: Callable[[SqliteStore, Settings], Awaitable[_T]]) -> _T:
        """Do something in the store, beside the running service."""
        return with_store(self.folder / "gateway.toml", work)

    def workers(self) -> list[int]:
        """Those children that listen at the milter door."""
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
        listening = {f"socket:[{row[6]}]" for row in rows if row[7:] == [str(self.door)] and row[5] == "01"}
        return self.holders(listening)


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def prepared_milter(
    folder: Path,
    mta: str,
    door: Path,
    nameserver: str,
    port: int,
    overlay: Mapping[str, Any] | None = None,
    *,
    dns_timeout: float = 2.0,
) -> MilterGateway:
    """The gateway's folder from deploy/{mta}; what it sends itself goes to `port`. Nothing runs yet."""
    gate = MilterGateway(folder, 0, free_port(), door=door)
    socket_named = {"postfix": "/var/spool/postfix/gateway/milter.sock", "sendmail": "/run/gateway/milter.sock"}[mta]
    text = shipped(
        f"{mta}/gateway.toml",
        {
            "/etc/gateway/policies": str(folder / "policies"),
            "/var/lib/gateway": str(folder / "var"),
            socket_named: str(door),
            '"127.0.0.0/8"': '"127.0.0.1/32"',  # tests of Sendmail come from other addresses of the loopback network
            "nameservers = [] ": DNS_LINES.format(address=nameserver, timeout=dns_timeout) + "# ",
            "127.0.0.1:9925": f"127.0.0.1:{gate.http}",
        },
    )
    (folder / "gateway.toml").write_text("workers = 2\ndrain = 10\n" + text)
    route = yaml.safe_load(shipped(f"{mta}/policy-route.yaml", {"10026": str(port)}))
    changed = dict(overlay or {})
    changed["routes"] = route["routes"] | changed.get("routes", {})
    policy_folder(folder / "policies", port, changed)
    return gate


@dataclass
class House:
    """DNS, Postfix and the gateway as its milter."""

    dns: DnsServer
    postfix: Postfix
    gate: MilterGateway
    reinject: int
    tap: Tap | None = None


@contextlib.contextmanager
def milter_house(
    folder: Path,
    zone: ZoneData,
    *,
    overlay: Mapping[str, Any] | None = None,
    main_lines: str = "",
    dns_timeout: float = 2.0,
    tapped: bool = False,
    **changes: Any,
) -> Iterator[House]:
    """Everything started, stopped at the end; faults of its own that the gateway logs fail the test.

    `main_lines` come behind those of main.cf.milter; with `tapped` a Tap stands between Postfix and the gateway; other
    changes are the fields of Postfix.
    """
    if reason := unavailable():
        pytest.skip(reason)
    folder.mkdir(parents=True, exist_ok=True)
    reinject = free_port()
    with tempfile.TemporaryDirectory(prefix="postfix-") as place, ExitStack() as stack:
        postfix = Postfix(
            Path(place),
            main_lines=shipped("postfix/main.cf.milter", {}) + main_lines,
            services=shipped("postfix/master.cf.reinject", {"127.0.0.1:10026": f"127.0.0.1:{reinject}"}),
            xclient=True,
            **changes,
        )
        met = postfix.socket_folder("gateway") / "milter.sock"
        door = met.with_name("behind.sock") if tapped else met
        tap = stack.enter_context(Tap(met, door).open()) if tapped else None
        dns = stack.enter_context(dns_thread(zone))
        gate = prepared_milter(folder, "postfix", door, dns.address, reinject, overlay, dns_timeout=dns_timeout)
        stack.callback(gate.stop)
        gate.start()
        stack.callback(postfix.stop)
        postfix.start()
        yield House(dns, postfix, gate, reinject, tap)
    if faults := gate.events("fault"):
        pytest.fail(f"the gateway has met faults of its own: {faults}")
