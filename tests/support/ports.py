"""Ports for the servers that tests start: chosen before the server runs, and still free when it binds them."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

FIRST, LAST = 10_000, 65_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")

_claims: list[socket.socket] = []  # held until this process ends


def free_port() -> int:
    """A port of 127.0.0.1 free for UDP and for TCP, that the kernel hands to nobody as the source port of a connection and
    that no other test process on this machine takes meanwhile (each claim is an abstract Unix socket)."""
    candidates = sorted(set(range(FIRST, LAST)) - set(_ephemeral()))
    for port in random.SystemRandom().sample(candidates, len(candidates)):
        if _free(port) and _claimed(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def _ephemeral() -> range:
    first, last = map(int, EPHEMERAL.read_text().split())
    # Where the range leaves too little (some machines hand out everything), being free at this moment must do.
    return range(first, last + 1) if last - first < 45_000 else range(0)


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def _claimed(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    with suppress(OSError):
        claim.bind(f"\0mail-gateway-test-port-{port}")
        _claims.append(claim)
        return True
    claim.close()
    return False
