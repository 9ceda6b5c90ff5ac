"""A kept generation put back into the policy directory, by whoever runs the command: every gateway that watches follows."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.policy.parse import digest_of
from gateway.reloader.directory import read_directory, sync_directory, write_durably
from gateway.reloader.generations import Generations

ASIDE: Final = "before-rollback"  # beside the generations; of the last rollback only
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644


@dataclass(frozen=True, slots=True)
class Kept:
    """A generation that is kept."""

    generation: int
    since: datetime  # when it was written, UTC
    digest: str
    is_newest: bool  # which is the one in force, wherever a gateway runs
    is_in_folder: bool  # the policy directory says the same now


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback has done to the policy directory; names are relative to it."""

    generation: int
    written: tuple[str, ...]
    removed: tuple[str, ...]
    aside: Path | None  # a copy of what was there; None when nothing had to be changed


def kept(directory: Path, generations: Generations) -> list[Kept]:
    """The generations, newest first; those given up or unreadable meanwhile are left out. Blocking."""
    present = digest_of(read_directory(directory)[0])
    numbers, found = generations.numbers(), list[Kept]()
    for number in reversed(numbers):
        with contextlib.suppress(OSError):
            digest = digest_of(generations.read(number))
            since = datetime.fromtimestamp(generations.path(number).stat().st_mtime, UTC)
            found.append(Kept(number, since, digest, number == numbers[-1], digest == present))
    return found


def roll_back(directory: Path, generations: Generations, number: int) -> RolledBack:
    """Make the policy directory say what generation `number` says; what was there is set aside first. Blocking.

    All files are written beside their places before the first one counts, so that a full disk changes nothing.
    Raises FileNotFoundError when the generation is not kept, OSError when something cannot be read or written.
    """
    wanted = generations.read(number)
    present, _ = read_directory(directory)
    written = tuple(sorted(name for name, text in wanted.items() if present.get(name) != text))
    removed = tuple(sorted(present.keys() - wanted.keys()))
    if not written and not removed:
        return RolledBack(number, (), (), None)
    aside = _set_aside(directory, generations.directory)
    _write({directory / name: wanted[name] for name in written})
    for name in removed:
        (directory / name).unlink()
    for folder in {(directory / name).parent for name in (*written, *removed)}:
        sync_directory(folder)
    return RolledBack(number, written, removed, aside)


def _set_aside(directory: Path, beside: Path) -> Path:
    """Copy every file, also one that cannot be read as a policy: the person may want it back."""
    aside = beside / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(directory, aside, ignore=shutil.ignore_patterns(".*"))
    owner = beside.stat()
    for path in (aside, *aside.rglob("*")):
        _belongs_to(path, owner)
    return aside


def _write(texts: Mapping[Path, str]) -> None:
    drafts = {path: path.with_name(f".{path.name}.draft") for path in texts}
    try:
        for path, text in texts.items():
            if not path.parent.is_dir():
                path.parent.mkdir()
                path.parent.chmod(_FOLDER_MODE)
                _belongs_to(path.parent, path.parent.parent.stat())
            write_durably(drafts[path], text)
            _as_before(drafts[path], path)
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _as_before(draft: Path, path: Path) -> None:
    """Mode and owner of the file that is replaced: root's rollback must not lock the service out of its policies."""
    if path.exists():
        status = path.stat()
        draft.chmod(status.st_mode & 0o7777)
    else:
        status = path.parent.stat()
        draft.chmod(_FILE_MODE)
    _belongs_to(draft, status)


def _belongs_to(path: Path, like: os.stat_result) -> None:
    """Only root may give files away; everybody else makes them their own."""
    if os.geteuid() == 0:
        os.chown(path, like.st_uid, like.st_gid, follow_symlinks=False)
