"""Who the gateway runs as, and whether it runs: from the lock file of the state folder and /proc."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Service:
    """`pid` is 0 while no gateway runs; the user is then the owner of the state folder, else whoever asks."""

    pid: int
    uid: int
    gids: frozenset[int]
    gid: int = 0  # its own group; the others are shared with other programs

    @property
    def is_running(self) -> bool:
        return self.pid != 0

    @property
    def user(self) -> str:
        return user_name(self.uid)


def find_service(state: Path) -> Service:
    """Look, without touching the lock: a gateway that starts at this moment must not find it taken."""
    if pid := _running(state / "gateway.lock"):
        with contextlib.suppress(OSError, ValueError):
            status = Path(f"/proc/{pid}/status").read_text()
            rows = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            gid = int(rows["Gid"].split()[1])
            gids = {gid, *map(int, rows["Groups"].split())}
            return Service(pid, int(rows["Uid"].split()[1]), frozenset(gids), gid)
    try:
        uid = state.stat().st_uid
    except OSError:
        uid = os.geteuid()
    return Service(0, uid, groups_of(uid), group_of(uid))


def groups_of(uid: int) -> frozenset[int]:
    """The groups that a user has by the system's tables."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(account.pw_name, account.pw_gid))


def group_of(uid: int) -> int:
    """The own group of a user; the number of the user where the system's tables do not know him."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _running(lock: Path) -> int:
    """The process that the lock file names, when it lives and is a gateway."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(lock.read_text("ascii"))
        if b"gateway" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return 0
