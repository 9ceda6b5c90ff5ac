"""A Debian root with its own systemd as process 1 in it, by systemd-nspawn, and a loopback of its own: port 25 is free there.

    with booted(root) as machine:                       # of tests.support.debian_root
        machine.run("systemctl", "start", "gateway")    # inside
        with machine.network():                         # sockets that this thread makes, and threads begun now, are inside
            ...

Needs root and the package systemd-container. The container has a control group of its own, so units in it touch nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.debian_root import DebianRoot

PATIENCE = 60.0  # seconds; only for a test that would hang otherwise
PACKAGES = ("dbus", "iproute2", "python3", "systemd", "systemd-sysv", "tzdata")  # of the root
_GROUPS = Path("/sys/fs/cgroup")
_NEWNET = 0x40000000  # setns(2)
_libc = ctypes.CDLL(None, use_errno=True)


class NotBooted(Exception):
    """No systemd runs; the text says why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A running container; `leader` is the process id of its systemd, as seen from outside."""

    root: DebianRoot
    leader: int

    def command(self, *command: str) -> list[str]:
        environment = [f"{name}={value}" for name, value in DebianRoot.environment().items()]
        inside = ["nsenter", "--target", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        return [*inside, "env", "-i", *environment, *command]

    def run(self, *command: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end. Output is text, captured; both streams as one."""
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | more
        done: subprocess.CompletedProcess[str] = subprocess.run(self.command(*command), timeout=600, **options)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{self.journal()[-8000:]}"
            )
        return done

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def journal(self, unit: str = "gateway") -> str:
        return self.run("journalctl", "--unit", unit, "--no-pager", "--output=cat", check=False).stdout

    def await_true(self, condition: Any, complaint: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"{complaint}\n{self.journal()[-8000:]}"
            time.sleep(0.1)

    def signal(self, pid: str, name: str) -> None:
        """To a process inside, by its number there; a minimal Debian has no kill(1)."""
        self.run("sh", "-c", f"kill -{name} {pid}")

    def children(self, pid: str) -> set[str]:
        """Process ids, as seen from inside."""
        return set(self.run("cat", f"/proc/{pid}/task/{pid}/children", check=False).stdout.split())

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        with Path("/proc/thread-self/ns/net").open() as outside, Path(f"/proc/{self.leader}/ns/net").open() as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(outside.fileno())


def missing_tools() -> str:
    """Why no container can be booted here; empty when it can."""
    if os.geteuid() != 0:
        return "not root; run it as root or with sudo"
    return "" if shutil.which("systemd-nspawn") else "missing: systemd-nspawn; apt-get install systemd-container"


@contextlib.contextmanager
def booted(root: DebianRoot) -> Iterator[Machine]:
    """Boot the root, and kill it at the end: its files are for the test to look at, not for another boot."""
    if why := missing_tools():
        raise NotBooted(f"no systemd can be booted: {why}")
    groups = [top / f"gateway-test-{os.getpid()}" for top in _hierarchies()]
    for group in groups:
        group.mkdir(exist_ok=True)
    console = root.path.parent / f"{root.path.name}.console"
    nspawn = _spawned(root, groups, console)
    try:
        yield _waited_for(root, nspawn, console)
    finally:
        with contextlib.suppress(ProcessLookupError, StopIteration):
            os.kill(next(children(nspawn.pid)), signal.SIGKILL)
        nspawn.kill()
        nspawn.wait()
        for group in groups:
            _remove(group)


def _hierarchies() -> list[Path]:
    """Where the control groups of processes are: one place, or the two of older set-ups."""
    if (_GROUPS / "cgroup.controllers").exists():
        return [_GROUPS]
    return [top for top in (_GROUPS / "systemd", _GROUPS / "unified") if top.is_dir()]


def _spawned(root: DebianRoot, groups: list[Path], console: Path) -> subprocess.Popen[bytes]:
    join = "; ".join(f"echo $$ > '{group}/cgroup.procs'" for group in groups)
    options = "--quiet --boot --register=no --keep-unit --private-network --console=read-only"
    name = f"gateway-test-{os.getpid()}"
    with console.open("wb") as log:
        return subprocess.Popen(
            ["sh", "-c", f'{join}; exec systemd-nspawn {options} --machine={name} --directory="$0"', str(root.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _waited_for(root: DebianRoot, nspawn: subprocess.Popen[bytes], console: Path) -> Machine:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and nspawn.poll() is None:
        for leader in children(nspawn.pid):
            machine = Machine(root, leader)
            state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                return machine
        time.sleep(0.2)
    raise NotBooted(f"systemd-nspawn did not boot {root.path}:\n{console.read_text(errors='replace')[-3000:]}")


def children(pid: int) -> Iterator[int]:
    """Process ids of a process's children, as seen from outside."""
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _remove(group: Path) -> None:
    """An empty control group with all below it; processes that are still ending are waited for."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
            return
        time.sleep(0.05)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
