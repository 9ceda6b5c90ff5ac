"""Runs tests.support.service as a process and reads its log event by event."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


class Service:
    """The test service, running; its log is read in a thread, event by event."""

    def __init__(
        self,
        state: Path,
        *options: str,
        environ: dict[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-m", "tests.support.service"),
    ) -> None:
        self.process = subprocess.Popen(
            [*program, str(state), *options],
            cwd=REPOSITORY,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environ or {})},
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        self.other: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                if line.startswith(b"{"):
                    self.events.append(json.loads(line))
                else:
                    self.other.append(line.decode())
                self._news.notify_all()

    def wait_for(self, event: str, count: int = 1, **facts: object) -> list[dict[str, Any]]:
        """The events of this name, when there are so many."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.events if each["event"] == event and facts.items() <= each.items()]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, 30), (event, self.events, self.other)
            return found()

    def port(self, door: str = "smtp") -> int:
        return int(self.wait_for("starting")[0]["doors"][door][0].rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port()), 20)

    def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port('http')}{path}"
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def end(self) -> int:
        """The exit status of the service that was told to stop."""
        status = self.process.wait(30)
        self._reader.join(10)
        return status


@contextlib.contextmanager
def service(state: Path, *options: str, **more: Any) -> Iterator[Service]:
    running = Service(state, *options, **more)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        running._reader.join(10)
        running.process.stderr.close()
