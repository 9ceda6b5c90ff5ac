"""What is in a backup: manifest.json, the last file that is written into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.store.backup.words import Trouble

NAME: Final = "manifest.json"
FORMAT: Final = 1
DATABASE: Final = "gateway.db"  # the name in every backup, whatever store.url says
_FOLDER: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d+))?\Z")  # what create.py calls a backup


@dataclass(frozen=True, slots=True)
class File:
    """One file of the backup, by its path inside."""

    path: str
    size: int  # octets
    sha256: str  # hex, of the file as it lies there


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`missing` are digests of blobs that rows name and the store did not have; `left_out` is what was not copied."""

    created: datetime  # of the snapshot, aware, UTC
    program: str
    schema: int
    hostname: str
    owner: str  # the user whom the state belonged to
    key_ids: Sequence[str]  # hex names of the site keys that were in use; the keys are not here
    files: Sequence[File]
    missing: Sequence[str] = ()
    left_out: Sequence[str] = ()
    format: int = FORMAT

    @property
    def octets(self) -> int:
        return sum(file.size for file in self.files)

    def by_path(self) -> Mapping[str, File]:
        return {file.path: file for file in self.files}


def encoded(manifest: Manifest) -> bytes:
    """The text of manifest.json, with a hash of its own."""
    plain = {**asdict(manifest), "created": manifest.created.isoformat()}
    return orjson.dumps({**plain, "sha256": _hash(plain)}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises Trouble."""
    try:
        plain: dict[str, Any] = orjson.loads((folder / NAME).read_bytes())
        told = plain.pop("sha256")
        if plain["format"] > FORMAT:
            raise Trouble("backup-newer", place=folder, program=plain["program"])
        if told != _hash(plain):
            raise ValueError("changed")
        files = tuple(File(**file) for file in plain["files"])
        if any(Path(file.path).is_absolute() or ".." in Path(file.path).parts for file in files):
            raise ValueError("a path leads out of the backup")
        return Manifest(**{**plain, "files": files, "created": datetime.fromisoformat(plain["created"])})
    except OSError as error:
        raise _not_there(folder, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble("manifest-damaged", place=folder / NAME) from error


def is_backup(folder: Path) -> bool:
    return (folder / NAME).is_file()


def backups(target: Path) -> list[Path]:
    """The finished backups of a folder, oldest first. Raises OSError.

    By their names: other programs write a manifest.json too, and what is no backup of ours is never counted nor deleted.
    """
    named = {path: _FOLDER.match(path.name) for path in target.iterdir()}
    found = {path: match for path, match in named.items() if match and not path.is_symlink() and is_backup(path)}
    return sorted(found, key=lambda path: (found[path][1], int(found[path][2] or 1)))


def choose(place: Path) -> Path:
    """The backup that is meant: the folder itself, or the newest one in it. Raises Trouble."""
    try:
        if is_backup(place):
            return place
        found = backups(place)
    except OSError as error:
        raise _not_there(place, error) from error
    if not found:
        raise Trouble("no-backup", place=place, reason=NAME)
    return found[-1]


def _not_there(place: Path, error: OSError) -> Trouble:
    word = "cannot-read" if isinstance(error, PermissionError) else "no-backup"
    return Trouble(word, place=error.filename or place, reason=error.strerror or error)


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()
