"""One gateway per state directory (safety F-43)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Final

LOCK: Final = "gateway.lock"
ROOM: Final = 1024 * 1024  # octets
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Occupied(Exception):
    """Another gateway uses the directory, or it cannot be used; the text is a sentence for the postmaster.

    `may_pass`: trying again later may help, without anything being changed here.
    """

    def __init__(self, sentence: str, *, may_pass: bool) -> None:
        super().__init__(sentence)
        self.may_pass = may_pass


def look_at(directory: Path) -> None:
    """See, without changing anything, whether the directory can be used or made. Raises Occupied."""
    nearest = next(each for each in (directory, *directory.parents) if os.path.lexists(each))
    if not nearest.is_dir():
        raise _unusable(directory, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(nearest, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
        raise _unusable(directory, OSError(number, os.strerror(number)))
    if is_full(nearest):
        raise _unusable(directory, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def is_full(directory: Path) -> bool:
    """Whether there is less room than a start needs."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM or bool(disk.f_files and not disk.f_favail)


def occupy(directory: Path) -> int:
    """Make the directory if need be and lock it; gives the descriptor that holds the lock.

    The lock passes to the processes forked from this one, so it lasts until the last of them has ended.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(directory, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise Occupied(
            f"{directory}: another gateway is using this state directory (process {holder or 'unknown'}); "
            "stop it first, or give this one a state directory of its own",
            may_pass=True,
        ) from None
    with contextlib.suppress(OSError):  # who we are is told on a full disk too late, and nothing else depends on it
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _unusable(directory: Path, error: OSError) -> Occupied:
    said = f"{directory}: the state directory cannot be used: {error.strerror}"
    if isinstance(error, FileExistsError | NotADirectoryError):
        place = next(each for each in (directory, *directory.parents) if os.path.lexists(each))
        return Occupied(f"{said}; {place} is no directory: remove it, or name another as state", may_pass=False)
    if error.errno in FULL:
        return Occupied(f"{said}; make room on that disk", may_pass=True)
    if error.errno == errno.EROFS:
        return Occupied(f"{said}; name a directory on a disk that can be written", may_pass=False)
    # the number: on a host that runs us in a container the user has no name
    make = "" if directory.is_dir() else "make it, and "
    return Occupied(f"{said}; {make}give it to the gateway's user: chown {os.geteuid()} {directory}", may_pass=False)
