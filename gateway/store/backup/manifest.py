"""What is in a backup: manifest.json, the last file that is written into it."""

from __future__ import annotations

import hashlib
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
        raise Trouble("no-backup", place=folder, reason=error.strerror or error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble("manifest-damaged", place=folder / NAME) from error


def is_backup(folder: Path) -> bool:
    return (folder / NAME).is_file()


def backups(target: Path) -> list[Path]:
    """The finished backups of a folder, oldest first. Raises OSError."""
    return sorted(path for path in target.iterdir() if not path.name.startswith(".") and is_backup(path))


def choose(place: Path) -> Path:
    """The backup that is meant: the folder itself, or the newest one in it. Raises Trouble."""
    if is_backup(place):
        return place
    try:
        found = backups(place)
    except OSError as error:
        raise Trouble("no-backup", place=place, reason=error.strerror or error) from error
    if not found:
        raise Trouble("no-backup", place=place, reason=NAME)
    return found[-1]


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()
