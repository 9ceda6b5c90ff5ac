"""Before the program is replaced: how it was started, and whether it would start again, with what is on disk now."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.supervisor.handover import Handover

PATIENCE: Final = 120.0  # seconds that a program may take to read settings, policies and store
_TOLD: Final = 64 * 1024  # octets of what it says
_SENTENCES: Final = 20


def command(original: Sequence[str] = sys.orig_argv, interpreter: str = sys.executable) -> list[str]:
    """How this program was started, so that it can be started again: each word is a path or an option as it was given.

    A script is run as such, since the first line of a newer one may name another interpreter; `python -m gateway` and
    `python gateway.pyz` are run by the interpreter that runs now.
    """
    words = list(original)
    for position, word in enumerate(words[1:], 1):
        if not word.startswith("-"):
            options = _options(Path(word))
            if options is not None and words[1:position] == options:
                return [word if "/" in word else f"./{word}", *words[position + 1 :]]
            break
    return [interpreter, *words[1:]]


def _options(script: Path) -> list[str] | None:
    """What the first line of an executable script gives to its interpreter besides the script; None for what is none."""
    if not script.is_file() or not os.access(script, os.X_OK):
        return None
    with contextlib.suppress(OSError), script.open("rb") as file:
        line = file.readline(4096)
        if line.startswith(b"#!"):
            words = line[2:].decode("utf-8", "replace").split()
            return [] if words and Path(words[0]).name in ("env", "sh") else words[1:]
    return None


class Trial:
    """A process of the program that is to take over: it reads all that it needs, opens what it lacks, and ends."""

    def __init__(self, handover: Handover, environ: Mapping[str, str]) -> None:
        """Raises OSError when the program cannot be started."""
        self._output = os.memfd_create("trial", os.MFD_CLOEXEC)
        self._until = time.monotonic() + PATIENCE
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- as this program was started itself
                command(),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env={**environ, **handover.told(os.getpid())},
                pass_fds=handover.descriptors(),
            )
        except OSError:
            os.close(self._output)
            raise

    def outcome(self) -> list[str] | None:
        """None while it runs; an empty list when it would start; else why not, in sentences."""
        status = self._process.poll()
        if status is None:
            if time.monotonic() < self._until:
                return None
            self.cancel()
            return [f"the new program did not say within {PATIENCE:.0f} s whether it would start"]
        said = os.pread(self._output, _TOLD, 0).decode("utf-8", "replace")
        self._close()
        if status == 0:
            return []
        sentences = [line.removeprefix("gateway: ") for line in said.splitlines() if line and not line.startswith("{")]
        return sentences[-_SENTENCES:] or [f"the new program ended with status {status} and said nothing"]

    def cancel(self) -> None:
        """Whatever it would have said."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        descriptor, self._output = self._output, -1
        if descriptor >= 0:
            os.close(descriptor)
