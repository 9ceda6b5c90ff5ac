"""Proving a store or a backup: every row has its octets, whole, and every file has its row (safety O-10, P-3, R-3).

Nothing is written, migrated or locked, so it runs beside the gateway: a live store is looked at in one snapshot.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.store import codec
from gateway.store.backup import database_check, manifest
from gateway.store.backup.copying import NEEDED, STILL_NEEDED, Source, blob_name, check_there
from gateway.store.backup.files import Progress, files_below, hash_of, octets_of, silent
from gateway.store.backup.manifest import DATABASE, Manifest
from gateway.store.backup.snapshot import SpillFiles, moment_of, reading
from gateway.store.backup.words import Language, Trouble, sentence
from gateway.store.blobs import ORPHAN_AGE
from gateway.store.seal import Unreadable, key_id, proven_digest, sealed_by
from gateway.store.spill import UNREADABLE


@dataclass(frozen=True, slots=True)
class Finding:
    """`word` is stable, for programs. Errors want mending; notes are told and no more."""

    level: Literal["error", "note"]
    word: str
    place: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        return sentence(self.word, language, {**self.values, "place": self.place})


def error(word: str, place: object, **values: object) -> Finding:
    return Finding("error", word, str(place), values)


def note(word: str, place: object, **values: object) -> Finding:
    return Finding("note", word, str(place), values)


def verify_state(source: Source, progress: Progress = silent) -> list[Finding]:
    """Everything that is wrong with a store, live or not. Raises Trouble when there is none or it cannot be opened."""
    check_there(source)
    try:
        with closing(reading(source.database)) as connection, moment_of(connection, source.state) as spill:
            rows = _rows(source, connection, spill, progress)
        return rows.found + list(_blobs(source, rows.wanted, progress, live=True))
    except sqlite3.DatabaseError as failure:
        return [_unusable(source.database, failure)]
    except OSError as failure:
        place = failure.filename or source.state
        raise Trouble("cannot-read", place=place, reason=failure.strerror or failure) from failure


def verify_backup(folder: Path, keys: Sequence[bytes] = (), progress: Progress = silent) -> list[Finding]:
    """Everything that is wrong with a backup. Raises Trouble when the folder is none."""
    try:
        told = manifest.read(folder)
    except Trouble as trouble:
        if trouble.word == "manifest-damaged":
            return [error(trouble.word, trouble.values["place"])]
        raise
    found = list(_files(folder, told, progress))
    if not (folder / DATABASE).is_file():
        return found
    source = Source(folder / DATABASE, folder, keys)
    spill = {path.name: octets_of(path) for path in sorted(folder.glob("spill-*.jsonl"))}
    try:
        with closing(reading(source.database, immutable=True)) as connection:
            rows = _rows(source, connection, spill, progress)
    except sqlite3.DatabaseError as failure:
        return [*found, _unusable(source.database, failure)]
    return found + rows.found + list(_blobs(source, rows.wanted, progress, live=False))


def _unusable(database: Path, failure: sqlite3.Error) -> Finding:
    """The damage, as a finding; raises Trouble when nobody knows whether there is any."""
    if database_check.is_refused(failure):
        raise Trouble("database-unreadable", place=database, reason=failure) from failure
    return error("database-damaged", database, reason=str(failure))


def _files(folder: Path, told: Manifest, progress: Progress) -> Iterator[Finding]:
    """Manifest against files."""
    for number, file in enumerate(told.files):
        progress("manifest", number, len(told.files))
        path = folder / file.path
        try:
            if hash_of(path) != (file.size, file.sha256):
                yield error("file-changed", path)
        except FileNotFoundError:
            yield error("file-missing", path)
        except OSError as failure:
            yield error("file-unreadable", path, reason=failure.strerror)
    known = {manifest.NAME, *told.by_path()}
    for name in files_below(folder):
        if name not in known:
            yield note("file-extra", folder / name)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the database says, taken in one transaction; `wanted`: by digest one of the rows that need the blob."""

    found: list[Finding]
    wanted: Mapping[str, str] | None  # None: it cannot be asked


def _rows(source: Source, connection: sqlite3.Connection, spill: SpillFiles, progress: Progress) -> _Rows:
    """The transaction ends with this, before the blobs are read: while it lasts the write-ahead log only grows."""
    flaws = list(database_check.check(connection, source.database, progress))
    found = [Finding(one.level, one.word, str(source.database), one.values) for one in flaws]
    found += _spill(source.state, spill)
    if any(one.word in database_check.HOPELESS for one in flaws):
        return _Rows(found, None)
    return _Rows(found, {str(digest): str(owner) for digest, owner in connection.execute(NEEDED)})


def _blobs(source: Source, wanted: Mapping[str, str] | None, progress: Progress, *, live: bool) -> Iterator[Finding]:
    """Of a live store what is gone meanwhile, with its row, is no damage."""
    if wanted is None:
        return
    for number, (digest, owner) in enumerate(wanted.items()):
        progress("files", number, len(wanted))
        finding = _blob(source, digest, owner)
        if finding and not (live and finding.word == "blob-missing" and _is_over(source.database, digest)):
            yield finding
    yield from _without_rows(source.state / "blobs", wanted)


def _blob(source: Source, digest: str, owner: str) -> Finding | None:
    path = source.state / blob_name(digest)
    try:
        octets = octets_of(path)
        if (sealed := sealed_by(octets)) and sealed not in map(key_id, source.keys):
            return error("blob-locked", path, owner=owner)
        if proven_digest(octets, source.keys) != digest:
            return error("blob-damaged", path, owner=owner, reason="hash")
    except FileNotFoundError:
        return error("blob-missing", path, owner=owner)
    except Unreadable as failure:
        return error("blob-damaged", path, owner=owner, reason=str(failure))  # itself it would hold the octets
    except OSError as failure:
        return error("blob-unreadable", path, owner=owner, reason=failure.strerror)
    return None


def _is_over(database: Path, digest: str) -> bool:
    """Whether no row needs the blob any more: its time ended after our snapshot was taken."""
    with closing(reading(database)) as connection:
        return connection.execute(STILL_NEEDED, {"digest": digest}).fetchone() is None


def _without_rows(blobs: Path, wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Files that no row names: of mail in hand, or left behind."""
    before = time.time() - ORPHAN_AGE
    young = old = unfinished = 0
    for name in files_below(blobs):
        path = blobs / name
        if path.parent.name == "tmp":
            unfinished += 1
        elif name != f"{path.name[:2]}/{path.name}" or len(path.name) != 64:
            yield note("stray", path)
        elif path.name not in wanted:
            with contextlib.suppress(FileNotFoundError):
                is_old = path.stat().st_mtime < before
                young, old = young + (not is_old), old + is_old
    for word, count in (("in-flight", young), ("left-behind", old), ("cut-short", unfinished)):
        if count:
            yield note(word, blobs, count=count)


def _spill(state: Path, spill: SpillFiles) -> Iterator[Finding]:
    for name, content in spill.items():
        lines = [line for line in content.splitlines() if line.strip()]
        if name == UNREADABLE:
            yield error("spill-unreadable", state / name, row=f"1-{len(lines)}")
            continue
        for number, line in enumerate(lines, start=1):
            try:
                codec.settlement(line.decode())
            except (ValueError, TypeError, KeyError, AttributeError):
                yield error("spill-unreadable", state / name, row=number)
        yield note("spill-waiting", state / name, count=len(lines))
