"""A policy directory on disk: read whole and bounded, written so that no reader sees half a file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from gateway.policy.problem import Problem

FILE_MAX: Final = {".csv": 256 * 1024 * 1024, ".txt": 16 * 1024 * 1024}  # octets; others by OTHER_MAX
OTHER_MAX: Final = 1024 * 1024
FOLDERS: Final = ("", "directives", "templates", "cases", "obligations")
Stamps = list[tuple[str, int, int]]  # path, time of change, size
SUFFIXES: Final = (".yaml", ".yml", ".csv", ".txt", ".j2")


def read_directory(directory: Path) -> tuple[dict[str, str], list[Problem]]:
    """Read the files of a policy directory as relative name to text; what cannot be read is a problem.

    Editors' temporary files (hidden ones, `~`) and unknown suffixes are left alone.
    """
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for folder in FOLDERS:
        try:
            entries = sorted((directory / folder).iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(unreadable(folder or ".", str(error.strerror)))
            continue
        for path in entries:
            if path.suffix in SUFFIXES and not path.name.startswith((".", "#")):
                name = f"{folder}/{path.name}" if folder else path.name
                _read_file(path, name, files, problems)
    return files, problems


def _read_file(path: Path, name: str, files: dict[str, str], problems: list[Problem]) -> None:
    limit = FILE_MAX.get(path.suffix, OTHER_MAX)
    try:
        with path.open("rb") as stream:
            octets = stream.read(limit + 1)
        if len(octets) > limit:
            problems.append(unreadable(name, f"larger than {limit // 1024} KiB", f"lớn hơn {limit // 1024} KiB"))
            return
        files[name] = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        en = "not UTF-8: save the file with the encoding UTF-8"
        vi = "không phải UTF-8: hãy lưu tệp với bảng mã UTF-8"
        problems.append(Problem(name, line, 0, "error", "", en, vi))
    except IsADirectoryError:
        return
    except OSError as error:
        problems.append(unreadable(name, str(error.strerror)))


def unreadable(name: str, reason: str, vi: str = "") -> Problem:
    return Problem(name, 0, 0, "error", "", f"cannot be read: {reason}", f"không đọc được: {vi or reason}")


def stamps(directory: Path) -> Stamps:
    """Time and size of everything in the directory: equal stamps mean that nothing was written between."""
    found = []
    for path in sorted(directory.rglob("*")):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return found


def write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
