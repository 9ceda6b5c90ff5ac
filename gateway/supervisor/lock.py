"""One gateway per state directory (safety F-43)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Occupied(Exception):
    """Another gateway uses the directory, or it cannot be used; the text is a sentence for the postmaster."""


def occupy(directory: Path) -> int:
    """Make the directory if need be and lock it; gives the descriptor that holds the lock.

    The lock passes to the processes forked from this one, so it lasts until the last of them has ended.
    """
    path = directory / "gateway.lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Occupied(f"{directory}: the state directory cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise Occupied(
            f"{directory}: another gateway is using this state directory (process {holder or 'unknown'}); "
            "stop it first, or give this one a state directory of its own"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
