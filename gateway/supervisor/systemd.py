"""Telling the service manager how we are (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

LONG_START: Final = 600  # seconds that a program may take to begin in the place of another, who can give no sign then


class Notifier:
    """Silent where nobody listens: NOTIFY_SOCKET is not set, or systemd is gone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        for_us = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usec = environ.get("WATCHDOG_USEC", "")
        self._usec = usec if usec.isdigit() and for_us else ""
        self.watchdog = int(self._usec) / 2_000_000 if self._usec else None  # seconds between two signs
        self._status = ""

    def ready(self, status: str) -> None:
        """The service is there, or there again after a reload or a hand-over; the process is the one that it was."""
        self._status = status
        self.tell("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """From now on until ready()."""
        self._status = status
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", f"STATUS={status}")

    def leaving(self) -> None:
        """Another program takes our place, and reads policies before it can give signs of life: the watchdog waits."""
        if self._usec:
            self.tell("WATCHDOG=1", f"WATCHDOG_USEC={max(LONG_START * 1_000_000, int(self._usec))}")

    def staying(self) -> None:
        """Signs of life come as often as the unit asks, whatever the program before us has said."""
        if self._usec:
            self.tell("WATCHDOG=1", f"WATCHDOG_USEC={self._usec}")

    def status(self, status: str) -> None:
        """What `systemctl status` shows; said once for each change."""
        if status != self._status:
            self._status = status
            self.tell(f"STATUS={status}")

    def tell(self, *assignments: str) -> None:
        """Send `STOPPING=1`, `WATCHDOG=1` and the like."""
        if not self._path:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            try:
                speaker.sendto("\n".join(assignments).encode(), self._path)
            except OSError:  # the service runs as well untold
                return
