"""What the service's user may do with a file, and what a folder lies on."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.doctor.service import Service

READ: Final = 4
WRITE: Final = 2
ENTER: Final = 1

# Where SQLite's write-ahead log does not work or locks are not kept (sqlite.org/wal.html, sqlite.org/faq.html).
NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "9p",
     "afs", "ncpfs", "lustre", "beegfs", "davfs", "fuse.davfs", "fuse.rclone"}
)  # fmt: skip
PASSING: Final = frozenset({"tmpfs", "ramfs", "overlay"})  # gone with the machine's or the container's life
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def permits(status: os.stat_result, who: Service, want: int) -> bool:
    """Whether the mode bits let this user do it; root may everything, ACLs are not looked at."""
    if who.uid == 0:
        return True
    if status.st_uid == who.uid:
        return (status.st_mode >> 6) & want == want
    if status.st_gid in who.gids:
        return (status.st_mode >> 3) & want == want
    return status.st_mode & want == want


def may(path: Path, who: Service, want: int) -> bool:
    """The same for a path that must be reached through its folders. Raises OSError when it is not there."""
    if who.uid == os.geteuid():
        return os.access(path, want)
    folders = list(path.resolve().parents)
    return all(permits(folder.stat(), who, ENTER) for folder in folders) and permits(path.stat(), who, want)


@dataclass(frozen=True, slots=True)
class Mount:
    point: str
    kind: str  # ext4, nfs4 ...


def mount_of(path: Path, table: str) -> Mount:
    """The mount that a path lies on, by the text of /proc/self/mountinfo (proc(5))."""
    best = Mount("", "")
    resolved = str(path.resolve())
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or not kind:
            continue
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best.point):  # of two at one point the later one covers the earlier
            best = Mount(point, kind[0])
    return best


def mode_text(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"
