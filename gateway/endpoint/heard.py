"""Whether a client that has closed its sending side can still hear us."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Final

PATIENCE: Final = 2.0  # seconds
_ALIVE: Final = (1, 8)  # ESTABLISHED and CLOSE_WAIT of Linux's TCP states


async def acknowledged(connection: socket.socket | None) -> bool:
    """Whether the client's system took all that was written.

    A client that is gone and one that only sends no more look alike: both sent a FIN. To what we write next, the first
    answers with a reset and the second with an acknowledgement. False where the system cannot tell.
    """
    if connection is None or not hasattr(socket, "TCP_INFO"):
        return False
    waited = 0.0
    while waited < PATIENCE:
        try:
            state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]
            (unsent,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))
        except OSError:
            return False
        if state not in _ALIVE:
            return False
        if unsent == 0:
            return True
        pause = max(0.005, waited)
        await asyncio.sleep(pause)
        waited += pause
    return False
