"""Who has an address in use, as far as /proc tells: the first question of whoever reads that it is taken."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # TCP_LISTEN in /proc/net/tcp
_TABLES: Final = ("tcp", "tcp6")


def holder(name: str | int, proc: Path = Path("/proc")) -> str:
    """Who listens at a TCP port, or at a Unix socket's path: "postfix (process 812)"; empty when /proc does not tell.

    Other users' processes can be seen by root only.
    """
    inodes = set(_ports(proc, name) if isinstance(name, int) else _paths(proc, name))
    return next(_holders(proc, {f"socket:[{inode}]" for inode in inodes}), "") if inodes else ""


def _ports(proc: Path, port: int) -> Iterator[str]:
    for table in _TABLES:
        for row in _rows(proc / "net" / table):
            if len(row) > 9 and row[3] == _LISTEN and row[1].endswith(f":{port:04X}"):
                yield row[9]


def _paths(proc: Path, path: str) -> Iterator[str]:
    for row in _rows(proc / "net" / "unix"):
        if row[7:] == [path]:
            yield row[6]


def _rows(table: Path) -> Iterator[list[str]]:
    with contextlib.suppress(OSError):
        yield from (line.split() for line in table.read_text().splitlines()[1:])


def _holders(proc: Path, sockets: set[str]) -> Iterator[str]:
    """The oldest first: a parent, not one of its children."""
    numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdigit() and path.name != str(os.getpid()))
    for pid in numbers:
        with contextlib.suppress(OSError):
            if any(os.readlink(link) in sockets for link in (proc / str(pid) / "fd").iterdir()):
                name = (proc / str(pid) / "comm").read_text(errors="replace").strip()
                yield f"{name} (process {pid})"


def answers(path: Path) -> bool:
    """Whether a program listens at this Unix socket."""
    return _knock(path) == 0


def is_deserted(path: Path) -> bool:
    """Whether nobody listens at this Unix socket, for certain: one whose queue is full is not deserted."""
    return _knock(path) in (errno.ENOENT, errno.ECONNREFUSED)


def _knock(path: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path))
