"""Putting a backup back: proven before and after, into a folder of its own, renamed when all of it is durable (O-10)."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import secrets
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from gateway.store.backup import copying, manifest
from gateway.store.backup.aftermath import Aftermath, put_right
from gateway.store.backup.copying import Source
from gateway.store.backup.files import PRIVATE_FOLDER, Progress, free, hash_of, pieces_of, put, silent, sync_folders
from gateway.store.backup.manifest import DATABASE, Manifest
from gateway.store.backup.verify import Finding, verify_backup, verify_state
from gateway.store.backup.words import Trouble
from gateway.store.blobs import sync_directory
from gateway.store.core import Clock, utc_now
from gateway.store.migrate import CannotStart

DRAFT: Final = ".restoring-"
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to put where. `by` is written into the audit log."""

    backup: Path
    state: Path
    by: str
    keys: Sequence[bytes] = ()
    accept_damage: bool = False
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What is there now, and what the backup did not have whole."""

    manifest: Manifest
    damage: Sequence[Finding]
    aftermath: Aftermath
    owner: str  # of the files: the user's name, or the number where it has none


class Damaged(Trouble):
    """The backup is not whole; `findings` say where."""

    def __init__(self, backup: Path, findings: Sequence[Finding]) -> None:
        super().__init__("backup-damaged", place=backup, count=len(findings))
        self.findings = findings


def restore(wish: Wish, progress: Progress = silent) -> Restored:
    """Make the state anew. Blocks. Raises Trouble; then nothing is in place and nothing is left behind."""
    told = manifest.read(wish.backup)
    state = wish.state.resolve()  # a link to a folder on another disk is kept, and the folder made anew
    with _told(state):
        _check_empty(state)
        damage = _proven(wish, told, progress)
        _clear(state)
        draft = _draft_for(state)
        try:
            _copy(wish.backup, told, draft, {one.place for one in damage}, progress)
            aftermath = _put_right(wish, draft, told)
            _check_written(draft, wish.keys, damage)
            _give(draft, state, told.owner)
            owner = copying.owner_of(draft)
            sync_folders(draft)
            _put_in_place(draft, state)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Restored(manifest=told, damage=damage, aftermath=aftermath, owner=owner)


def _check_empty(state: Path) -> None:
    try:
        if any(not path.name.startswith(DRAFT) and path.name != "lost+found" for path in state.iterdir()):
            raise Trouble("state-not-empty", place=state)
    except FileNotFoundError:
        if not state.parent.is_dir():
            raise Trouble("target-missing", place=state) from None
    except NotADirectoryError:
        raise Trouble("state-not-empty", place=state) from None


def _proven(wish: Wish, told: Manifest, progress: Progress) -> list[Finding]:
    """The damage that is accepted."""
    errors = [one for one in verify_backup(wish.backup, wish.keys, progress) if one.level == "error"]
    database = str(wish.backup / DATABASE)
    hopeless = {"file-missing", "file-changed", "database-damaged", "schema-newer", "no-state", "file-unreadable"}
    for one in errors:
        if one.word == "schema-newer":
            raise Trouble(one.word, place=one.place, **one.values)
        if one.place == database and one.word in hopeless:
            raise Trouble("database-hopeless", place=wish.backup)
    known = {str(wish.backup / copying.blob_name(digest)) for digest in told.missing}
    new = [one for one in errors if one.place not in known and one.word != "spill-unreadable"]
    if new and not wish.accept_damage:
        raise Damaged(wish.backup, new)
    return errors


def _clear(state: Path) -> None:
    """Remove what a restore left that was killed."""
    for leftover in (*state.glob(f"{DRAFT}*"), *state.parent.glob(f"{DRAFT}*-{state.name}")):
        shutil.rmtree(leftover)


def _draft_for(state: Path) -> Path:
    """A folder on the same file system: inside the state where that cannot be replaced, as a mount point."""
    name = f"{DRAFT}{secrets.token_hex(4)}"
    fixed = state.is_dir() and (state.is_mount() or any(state.iterdir()) or not os.access(state.parent, os.W_OK))
    draft = state / name if fixed else state.with_name(f"{name}-{state.name}")
    draft.mkdir(mode=PRIVATE_FOLDER)
    return draft


def _copy(backup: Path, told: Manifest, draft: Path, damaged: Collection[str], progress: Progress) -> None:
    for number, file in enumerate(told.files):
        progress("files", number, len(told.files))
        if file.path == copying.KEY:  # a key is put where store.key_file says, by a person
            continue
        with contextlib.suppress(FileNotFoundError):  # damage that was accepted
            written = put(draft, file.path, pieces_of(backup / file.path))
            changed = written != file and str(backup / file.path) not in damaged  # since it was proven
            if changed or hash_of(draft / file.path) != (written.size, written.sha256):
                raise Trouble("restored-damaged", place=draft / file.path)


def _put_right(wish: Wish, draft: Path, told: Manifest) -> Aftermath:
    try:
        return put_right(draft, told, wish.by, wish.clock())
    except CannotStart as error:
        raise Trouble("database-unreadable", place=wish.backup / DATABASE, reason=error) from error


def _check_written(draft: Path, keys: Sequence[bytes], damage: Sequence[Finding]) -> None:
    """Nothing may be wrong with the copy that was not wrong with the backup."""
    found = [one for one in verify_state(Source(draft / DATABASE, draft, keys)) if one.level == "error"]
    known = {(one.word, Path(one.place).name) for one in damage}
    found = [one for one in found if one.word != "spill-unreadable"]  # set aside, as the gateway itself would have
    if any((one.word, Path(one.place).name) not in known for one in found):
        raise Trouble("restored-damaged", place=draft)


def _give(draft: Path, state: Path, owner: str) -> None:
    """Who restores as root gives the files to whom the folder belongs, else to the user who had them.

    A folder of root's is one that was made a moment ago, by hand: a gateway that ran as another user could not start.
    """
    if os.geteuid() != 0:
        return
    user = group = 0
    if state.is_dir():
        status = state.stat()
        user, group = status.st_uid, status.st_gid
        draft.chmod(status.st_mode & 0o777)
    if user == 0:
        with contextlib.suppress(KeyError):
            known = pwd.getpwnam(owner)
            user, group = known.pw_uid, known.pw_gid
    for _, folders, files, inside in os.fwalk(
        draft
    ):  # by descriptor: the folder around may be another's, who could swap
        os.fchown(inside, user, group)
        for name in (*folders, *files):
            os.chown(name, user, group, dir_fd=inside, follow_symlinks=False)
    if draft.parent == state:
        os.chown(state, user, group)


def _put_in_place(draft: Path, state: Path) -> None:
    """One rename; into a folder that cannot be replaced the pieces go one by one, the database last."""
    if draft.parent != state:
        draft.rename(state)
        sync_directory(state.parent)
        return
    for piece in sorted(draft.iterdir(), key=lambda path: path.name == DATABASE):
        piece.rename(state / piece.name)
    sync_directory(state)


@contextmanager
def _told(state: Path) -> Iterator[None]:
    """Failures of disk and database as sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Trouble("no-room", place=state, free=free(state.parent) // _MIB) from error
        raise Trouble("cannot-write", place=error.filename or state, reason=error.strerror or error) from error
    except (sqlite3.Error, DBAPIError) as error:
        if not free(state.parent) or "full" in str(error):
            raise Trouble("no-room", place=state, free=free(state.parent) // _MIB) from error
        raise Trouble("cannot-write", place=state, reason=error) from error
