"""Which files of the state go into a backup, and how each is copied.

Copied: database, spill files, blobs that a row of the snapshot needs, generations of the policy. Left out, for a restored
gateway makes them anew: owners/, metrics/, spool/, gateway.lock, copies of the database made before migrations. What else
lies there (a Maildir for trying out) is named in the manifest as left out.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.store.backup import manifest
from gateway.store.backup.files import (
    NotAFile,
    Progress,
    files_below,
    hash_of,
    link,
    make_folders,
    octets_of,
    opened,
    pieces_of,
    put,
)
from gateway.store.backup.manifest import DATABASE, File
from gateway.store.backup.snapshot import reading
from gateway.store.backup.words import Trouble
from gateway.store.migrate import LOCK
from gateway.store.queries import BODY_STATES
from gateway.store.seal import Unreadable, is_encrypted, key_id, proven_digest

KEY: Final = "store.key"
POLICIES: Final = "policies"
SEALED_HEADER: Final = 84  # octets of a blob that no other sealing of the same mail has: key id, nonce, wrapped key

_BODY: Final = ", ".join(repr(state) for state in BODY_STATES)
NEEDED: Final = (  # digest, and one of the rows that need it
    "SELECT digest, min(id) FROM (SELECT digest, 'entry ' || id AS id FROM entries WHERE has_body = 1 "  # noqa: S608
    "UNION ALL SELECT digest, 'outbox row ' || id FROM outbox WHERE digest <> '' AND state IN "
    f"({_BODY})) GROUP BY digest ORDER BY digest"
)
STILL_NEEDED: Final = (  # by a row, as NEEDED, asked for one digest
    "SELECT 1 FROM entries WHERE digest = :digest AND has_body = 1 "  # noqa: S608
    f"UNION ALL SELECT 1 FROM outbox WHERE digest = :digest AND state IN ({_BODY}) LIMIT 1"
)
_OURS: Final = frozenset({"blobs", POLICIES, "owners", "metrics", "spool", "gateway.lock", LOCK})


@dataclass(frozen=True, slots=True)
class Source:
    """A store on disk. The keys prove blobs; without them encrypted ones are copied unproven."""

    database: Path
    state: Path
    keys: Sequence[bytes] = ()


@dataclass(slots=True)
class Notes:
    """What was done so far."""

    files: list[File] = field(default_factory=list)
    copied: int = 0
    linked: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)  # policies with links in them

    def wrote(self, file: File) -> None:
        self.files.append(file)
        self.copied += file.size


def check_there(source: Source) -> None:
    """Raises Trouble when there is no store, or we may not see it."""
    try:
        if not source.database.is_file():
            raise Trouble("no-state", place=source.database)
    except OSError as error:
        raise Trouble("cannot-read", place=source.state, reason=error.strerror or error) from error


def blob_name(digest: str) -> str:
    """Where a blob lies, in the state as in a backup."""
    return f"blobs/{digest[:2]}/{digest}"


def listed(folder: Path, name: str) -> File:
    """A file that is there already, as the manifest shows it."""
    return File(name, *hash_of(folder / name))


def needed(database: Path) -> list[str]:
    """Digests that a row of the copy needs. Raises sqlite3.Error."""
    with contextlib.closing(reading(database, immutable=True)) as connection:
        return [str(digest) for digest, _ in connection.execute(NEEDED)]


def newest(target: Path) -> Path | None:
    """The newest backup that can be built upon."""
    for folder in reversed(manifest.backups(target)):
        with contextlib.suppress(Trouble):
            manifest.read(folder)
            return folder
    return None


def copy_blobs(source: Source, folder: Path, earlier: Path | None, notes: Notes, progress: Progress) -> None:
    """Link or copy each blob. Raises OSError, sqlite3.Error."""
    known = manifest.read(earlier).by_path() if earlier else {}
    digests = needed(folder / DATABASE)
    for number, digest in enumerate(digests):
        progress("files", number, len(digests))
        name = blob_name(digest)
        try:
            before = known.get(name)
            if earlier and before and _linked(source.state / name, earlier / name, folder, before):
                notes.files.append(before)
                notes.linked += before.size
                continue
            octets = octets_of(source.state / name)
        except FileNotFoundError:
            notes.missing.append(digest)
            continue
        notes.wrote(put(folder, name, octets))
        if not _is_whole(octets, digest, source.keys):
            notes.damaged.append(digest)
    progress("files", len(digests), len(digests))


def _linked(original: Path, before: Path, folder: Path, file: File) -> bool:
    """Give the earlier backup's copy a name in this one, when it is the same file. Raises FileNotFoundError."""
    size = original.stat().st_size
    if size != file.size or not before.is_file() or before.stat().st_size != size:
        return False
    with os.fdopen(opened(original), "rb") as one, os.fdopen(opened(before), "rb") as other:
        if one.read(SEALED_HEADER) != other.read(SEALED_HEADER):
            return False
    copy = folder / file.path
    make_folders(folder, copy.parent)
    return link(before, copy)


def _is_whole(octets: bytes, digest: str, keys: Sequence[bytes]) -> bool:
    if is_encrypted(octets) and not keys:
        return True  # nobody here can tell
    try:
        return proven_digest(octets, keys) == digest
    except Unreadable:
        return False


def copy_policies(source: Source, folder: Path, notes: Notes) -> None:
    """Copy the generations that are kept; one that is given up meanwhile is not needed. Raises OSError.

    The gateway writes no links there: who did may want to have what they lead to.
    """
    root = source.state / POLICIES
    if root.is_symlink():
        notes.strange.append(POLICIES)
        return
    for generation in sorted(root.iterdir()) if root.is_dir() else ():
        if generation.name.startswith(".") or not generation.is_dir():
            continue
        place = f"{POLICIES}/{generation.name}"
        try:
            if generation.is_symlink():
                raise NotAFile
            written = [
                put(folder, f"{place}/{name}", pieces_of(generation / name)) for name in list(files_below(generation))
            ]
        except FileNotFoundError as error:
            shutil.rmtree(folder / place, ignore_errors=True)
            if isinstance(error, NotAFile):
                notes.strange.append(place)
            continue
        for file in written:
            notes.wrote(file)


def left_out(source: Source, notes: Notes) -> tuple[str, ...]:
    """What lies in the state folder, is not ours to make anew, and was not copied."""
    return tuple(sorted([*_strangers(source), *notes.strange]))


def _strangers(source: Source) -> Iterator[str]:
    for path in source.state.iterdir():
        name = path.name
        ours = name in _OURS or name.startswith((".", "spill-", DATABASE, source.database.name))
        if not ours:
            yield name


def key_ids(keys: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(key_id(key).hex() for key in keys)


def owner_of(state: Path) -> str:
    """The user's name, or the number where it has none."""
    uid = state.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
