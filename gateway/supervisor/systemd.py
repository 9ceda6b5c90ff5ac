"""Telling the service manager how we are (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Silent where nobody listens: NOTIFY_SOCKET is not set, or systemd is gone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        for_us = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog = int(usec) / 2_000_000 if usec.isdigit() and for_us else None  # seconds between two signs

    def tell(self, *assignments: str) -> None:
        """Send `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=...`."""
        if not self._path:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            try:
                speaker.sendto("\n".join(assignments).encode(), self._path)
            except OSError:  # the service runs as well untold
                return
