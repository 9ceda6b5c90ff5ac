"""Making a backup beside the running gateway: snapshot first, then the files that the snapshot needs (safety O-10).

    TARGET/2026-11-22T021500Z/   manifest.json  gateway.db  blobs/  policies/  spill-*.jsonl

Every backup is whole by itself. A blob that an earlier backup in TARGET has is linked, not copied, so that the second one
costs little; deleting one backup takes nothing from the others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from gateway.store.backup import copying, manifest
from gateway.store.backup.copying import Source
from gateway.store.backup.files import PRIVATE_FOLDER, Progress, free, pieces_of, put, silent, sync_folders
from gateway.store.backup.manifest import DATABASE, Manifest
from gateway.store.backup.snapshot import copy_database, moment_of, reading, schema_of
from gateway.store.backup.words import Trouble
from gateway.store.blobs import sync_directory
from gateway.store.core import Clock, utc_now
from gateway.store.pause import Pause
from gateway.store.schema import VERSION

LOCK: Final = ".lock"
_DRAFT: Final = ".partial-"
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to copy, and where to."""

    source: Source
    target: Path
    keep: int = 0  # newest backups that stay in the target; 0: all
    full: bool = False  # copy everything anew, link nothing
    key_file: Path | None = None  # put into the backup: asked for explicitly
    hostname: str = ""
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished backup. `damaged` are digests that were copied although they are not whole in the store either."""

    folder: Path
    manifest: Manifest
    copied: int  # octets written
    linked: int  # octets shared with an earlier backup
    damaged: Sequence[str]
    paused: bool  # whether the purge waited
    pruned: Sequence[str]


@dataclass(slots=True)
class _Draft:
    order: Order
    folder: Path
    pause: Pause | None
    progress: Progress
    notes: copying.Notes = field(default_factory=copying.Notes)

    def look(self, what: str, done: int, of: int) -> None:
        if self.pause is not None:
            self.pause.renew()
        self.progress(what, done, of)


def back_up(order: Order, progress: Progress = silent) -> Made:
    """Make one backup. Blocks. Raises Trouble; then nothing is left behind."""
    source, target = order.source, order.target
    copying.check_there(source)
    if target.resolve().is_relative_to(source.state.resolve()):
        raise Trouble("target-inside", place=target, state=source.state)
    with _told(order), _only_one(target), contextlib.closing(reading(source.database)) as connection:
        if (found := schema_of(connection)) > VERSION:
            raise Trouble("schema-newer", place=source.database, found=found, known=VERSION)
        made: datetime | None = None
        pause = _paused(order)
        draft = _Draft(order, target / f"{_DRAFT}{os.getpid()}", pause, progress)
        try:
            draft.folder.mkdir(mode=PRIVATE_FOLDER)
            written = _fill(draft, connection, found)
            folder = _name(target, written.created)
            draft.folder.rename(folder)
            sync_directory(target)
            made = written.created
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)
            if pause is not None:
                pause.end(made)
        notes = draft.notes
        return Made(
            folder=folder,
            manifest=written,
            copied=notes.copied,
            linked=notes.linked,
            damaged=notes.damaged,
            paused=pause is not None,
            pruned=_prune(folder, order),
        )


def _fill(draft: _Draft, connection: sqlite3.Connection, schema: int) -> Manifest:
    order, folder, notes = draft.order, draft.folder, draft.notes
    with moment_of(connection, order.source.state) as spill:
        created = order.clock()
        copy_database(connection, folder / DATABASE, lambda done, of: draft.look("database", done, of))
    notes.wrote(copying.listed(folder, DATABASE))
    for name, content in spill.items():
        notes.wrote(put(folder, name, content))
    copying.copy_policies(order.source, folder, notes)
    earlier = None if order.full else copying.newest(order.target)
    copying.copy_blobs(order.source, folder, earlier, notes, draft.look)
    if order.key_file is not None:
        notes.wrote(put(folder, copying.KEY, pieces_of(order.key_file, follow=True)))
    written = Manifest(
        created=created,
        program=program(),
        schema=schema,
        hostname=order.hostname,
        owner=copying.owner_of(order.source.state),
        key_ids=copying.key_ids(order.source.keys),
        files=tuple(sorted(notes.files, key=lambda file: file.path)),
        missing=tuple(notes.missing),
        left_out=copying.left_out(order.source, notes),
    )
    put(folder, manifest.NAME, manifest.encoded(written))
    sync_folders(folder)
    return written


def program() -> str:
    """The version of this program."""
    try:
        return version("mail-gateway")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"


def _paused(order: Order) -> Pause | None:
    """Stop the purge; a store that takes no writes purges nothing either, and can still be backed up."""
    pause = Pause(order.source.database, order.clock)
    try:
        pause.begin()
    except sqlite3.Error:
        pause.end(None)
        return None
    return pause


def _name(target: Path, created: datetime) -> Path:
    """A name that sorts by time and is not taken."""
    plain = created.strftime("%Y-%m-%dT%H%M%SZ")
    number = 1
    while (folder := target / (plain if number == 1 else f"{plain}-{number}")).exists():
        number += 1
    return folder


def _prune(made: Path, order: Order) -> list[str]:
    """Delete all but the newest: each first loses the name by which it counts.

    The one just made is the newest, whatever its name says: the clock may have been put back. What another gateway has
    in the same target stays.
    """
    others = [folder for folder in manifest.backups(made.parent) if folder != made]
    surplus = others[: len(others) - order.keep + 1] if 0 < order.keep <= len(others) else []
    gone = [folder for folder in surplus if not _is_of_another(folder, order.hostname)]
    for folder in gone:
        doomed = folder.with_name(f"{_DRAFT}{folder.name}")
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return [folder.name for folder in gone]


def _is_of_another(folder: Path, hostname: str) -> bool:
    with contextlib.suppress(Trouble):
        return manifest.read(folder).hostname != hostname
    return False


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """The lock of the target; what a killed backup left there is removed. A target is made, the folder above it is not."""
    with contextlib.suppress(FileExistsError):
        target.mkdir(mode=PRIVATE_FOLDER)
    with ExitStack() as stack:
        lock = os.open(target / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble("target-busy", place=target) from None
        except OSError:  # a network disk without locks: whoever shares it sees to it
            yield
            return
        for path in target.glob(f"{_DRAFT}*"):
            shutil.rmtree(path, ignore_errors=True)
        yield


@contextmanager
def _told(order: Order) -> Iterator[None]:
    """Failures of disk and database as sentences."""
    target = order.target
    try:
        yield
    except OSError as error:
        place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else target
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Trouble("no-room", place=target, free=free(target) // _MIB) from error
        if isinstance(error, FileNotFoundError) and not target.parent.is_dir():
            raise Trouble("target-missing", place=target) from error
        word = "cannot-read" if place.is_relative_to(order.source.state) or place == order.key_file else "cannot-write"
        raise Trouble(word, place=place, reason=error.strerror or error) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and not free(target)):
            raise Trouble("no-room", place=target, free=free(target) // _MIB) from error
        raise Trouble("database-unreadable", place=order.source.database, reason=error) from error
