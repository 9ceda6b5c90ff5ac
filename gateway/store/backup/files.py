"""Copying so that it lasts: hashed on the way, synced, never half there under its own name."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gateway.store.backup.manifest import File
from gateway.store.blobs import sync_directory

CHUNK: Final = 1024 * 1024
PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700

Progress = Callable[[str, int, int], None]  # what is done ("database", "files", "rows"), how much of it, of how much


def silent(what: str, done: int, of: int) -> None:
    """For those who do not look on."""


class NotAFile(FileNotFoundError):
    """A link, a pipe or a device where a file of ours should be: as good as not there."""


def opened(path: Path, *, follow: bool = False) -> int:
    """A descriptor for reading a plain file. Raises OSError, NotAFile.

    Root reads folders of the service's user here: a link that he made must not bring root's files into a backup that is
    given to him later, and a pipe must not stop us for ever.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise NotAFile(errno.ENOENT, "not a file", str(path)) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotAFile(errno.ENOENT, "not a file", str(path))


def octets_of(path: Path) -> bytes:
    """All of a plain file. Raises OSError, NotAFile."""
    with os.fdopen(opened(path), "rb") as file:
        return file.read()


def pieces_of(path: Path, *, follow: bool = False) -> Iterator[bytes]:
    """The octets of a plain file, a chunk at a time. Raises OSError, NotAFile."""
    with os.fdopen(opened(path, follow=follow), "rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def hash_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 in hex. Raises OSError."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces_of(path):
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


def put(root: Path, name: str, octets: bytes | Iterator[bytes]) -> File:
    """Write root/name and sync it; folders in between are made. Raises OSError."""
    path = root / name
    make_folders(root, path.parent)
    size, digest = 0, hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        for piece in (octets,) if isinstance(octets, bytes) else octets:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return File(name, size, digest.hexdigest())


def make_folders(root: Path, folder: Path) -> None:
    """Folders below root that only their owner may read."""
    if folder != root and not folder.is_dir():
        make_folders(root, folder.parent)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def link(source: Path, copy: Path) -> bool:
    """One more name for the same file; False where the file system will not have it."""
    try:
        os.link(source, copy)
    except OSError:
        return False
    return True


def sync_folders(root: Path) -> None:
    """Make every name below root durable, root's own included. Raises OSError."""
    for folder, _, _ in os.walk(root):
        sync_directory(Path(folder))
    sync_directory(root.parent)


def files_below(root: Path) -> Iterator[str]:
    """Relative paths of all files, in order. What is removed meanwhile may be missing."""
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            yield str((Path(folder) / name).relative_to(root))


def free(folder: Path) -> int:
    """Octets that may still be written there; 0 when nobody can say."""
    with contextlib.suppress(OSError):
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize
    return 0
