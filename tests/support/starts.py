"""Many starts of `gateway`, each in a process of its own, forked from one that has the program in memory and no thread.

The same as a new process, without the seconds that reading the program takes. `python -m tests.support.starts` is that one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.node import ROOT


class Starts:
    """Ends with its block. All of it runs under `wrapper`, such as setpriv(1)."""

    def __init__(self, *wrapper: str) -> None:
        self._wrapper = wrapper

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._wrapper, sys.executable, "-m", "tests.support.starts"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> tuple[int, str]:
        """Exit status and standard error of `gateway` with these arguments, when it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(arguments), str(cwd), dict(environ)]) + "\n")
        self._process.stdin.flush()
        status, said = json.loads(self._process.stdout.readline())
        return int(status), str(said)


def _become(arguments: list[str], cwd: str, environ: dict[str, str], error: int) -> None:
    """In the new process."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    nothing = os.open(os.devnull, os.O_RDWR)
    for ours, theirs in ((nothing, 0), (nothing, 1), (error, 2)):
        os.dup2(ours, theirs)
    sys.argv = ["gateway", *arguments]


def _serve() -> None:
    import gateway.app  # noqa: F401 -- the command reads it when it needs it
    from gateway.cli import main

    for line in sys.stdin:
        with tempfile.TemporaryFile() as error:
            child = os.fork()
            if not child:
                arguments, cwd, environ = json.loads(line)
                _become(arguments, cwd, environ, error.fileno())
                main()
                sys.exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            error.seek(0)
            sys.stdout.write(json.dumps([status, error.read().decode()]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve()
