"""At which TCP addresses a process listens, as /proc tells: with socket activation they are systemd's, not the settings'."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from gateway.settings import Address

_LISTEN: Final = "0A"  # TCP_LISTEN
_TABLES: Final = ("tcp", "tcp6")


def listening(pid: int, proc: Path = Path("/proc")) -> tuple[Address, ...]:
    """In the order of the tables; empty where another user's process may not be looked at."""
    here = proc / str(pid)
    held = set(_opened(here / "fd"))
    rows = (row for table in _TABLES for row in _rows(here / "net" / table))
    return tuple(dict.fromkeys(_address(row[1]) for row in rows if row[3] == _LISTEN and f"socket:[{row[9]}]" in held))


def _opened(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                yield os.readlink(link)


def _rows(table: Path) -> Iterator[list[str]]:
    with contextlib.suppress(OSError):
        yield from (row for line in table.read_text().splitlines()[1:] if len(row := line.split()) > 9)


def _address(text: str) -> Address:
    """`0100007F:1F90`: octets of each 32-bit word in the order of the machine, here little-endian as on all of ours."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8)]
    octets = b"".join(words)
    address = IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)
    return Address(str(address), int(port, 16))
