"""Numbered copies of the policy directories that were in force; several processes share the numbers."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.policy.parse import digest_of
from gateway.reloader.directory import read_directory, sync_directory, write_durably

KEEP: Final = 20
_PREFIX: Final = "generation-"


class Generations:
    """Numbered copies of policy directories that were in force: state/policies/generation-N/."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def numbers(self) -> list[int]:
        """Those that are kept, oldest first."""
        try:
            names = [path.name for path in self.directory.iterdir()]
        except FileNotFoundError:
            return []
        numbers = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
        return sorted(int(number) for number in numbers if number.isdigit())

    def path(self, number: int) -> Path:
        return self.directory / f"{_PREFIX}{number}"

    def read(self, number: int) -> dict[str, str]:
        """The files of a generation. Raises FileNotFoundError when it is not kept, OSError when it cannot be read whole."""
        if not self.path(number).is_dir():
            raise FileNotFoundError(f"generation {number} is not kept")
        files, problems = read_directory(self.path(number))
        if problems:
            raise OSError(str(problems[0]))
        return files

    def has(self, files: Mapping[str, str]) -> bool:
        """Whether some generation that is kept says the same."""
        digest = digest_of(files)
        for number in reversed(self.numbers()):
            with contextlib.suppress(OSError):
                if digest_of(self.read(number)) == digest:
                    return True
        return False

    def keep(self, files: Mapping[str, str]) -> int:
        """The number of these files: the newest one's when they are equal, else a new copy's. Raises OSError."""
        while True:
            newest = max(self.numbers(), default=0)
            if newest and digest_of(self.read(newest)) == digest_of(files):
                return newest
            if self._write(newest + 1, files):
                for number in self.numbers()[:-KEEP]:
                    shutil.rmtree(self.path(number), ignore_errors=True)
                return newest + 1

    def _write(self, number: int, files: Mapping[str, str]) -> bool:
        """False when another process took the number first."""
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.directory))
        try:
            for name, text in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                write_durably(draft / name, text)
            draft.chmod(0o755)
            draft.rename(self.path(number))
        except FileExistsError:
            return False
        except OSError:
            if self.path(number).exists():  # ENOTEMPTY: renaming onto the other process's copy
                return False
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync_directory(self.directory)
        return True
