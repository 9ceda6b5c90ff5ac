"""What one client, and all of them together, may take: connections, memory, disk (S-23, F-22, F-32)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from gateway import metrics
from gateway.settings import Network, SmtpSettings

WINDOW = 60.0  # seconds over which new connections are counted
FREE_FOR = 1.0  # seconds that one look at the disk is good for


def within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def neighbourhood(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    """The /24 or /64 that counts as one client."""
    return address.version, int(address) >> (8 if address.version == 4 else 64)


class ClientLimits:
    """Open connections and new connections per minute of each /24 and /64. Times are seconds of one monotonic clock."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._open: Counter[tuple[int, int]] = Counter()
        self._new: Counter[tuple[int, int]] = Counter()
        self._window_ends = 0.0

    def enter(self, address: IPv4Address | IPv6Address, now: float) -> bool:
        """Whether one more connection from there is welcome; if so it must leave() in the end."""
        key = neighbourhood(address)
        if not within(address, self._settings.exempt):
            if now >= self._window_ends:
                self._new.clear()
                self._window_ends = now + WINDOW
            self._new[key] += 1
            if self._new[key] > self._settings.rate_per_client:
                return False
            if self._open[key] >= self._settings.connections_per_client:
                return False
        self._open[key] += 1
        return True

    def leave(self, address: IPv4Address | IPv6Address) -> None:
        key = neighbourhood(address)
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]


class MemoryBudget:
    """Octets of messages in flight that are in memory."""

    def __init__(self, octets: int) -> None:
        self._limit = octets
        self.used = 0

    def take(self, octets: int) -> bool:
        """Whether there is room; if so the octets must be given back."""
        if self.used + octets > self._limit:
            return False
        self.used += octets
        return True

    @property
    def has_room(self) -> bool:
        """Whether a new transaction should begin at all."""
        return self.used < self._limit

    def give_back(self, octets: int) -> None:
        self.used -= octets


def room_for(max_size: int) -> int:
    """Octets that must be free for a message of the largest size: what is spooled, and the copy of what is held (F-22)."""
    return max_size * 3 // 2


class FreeSpace:
    """Whether the spool's file system has room for one more message."""

    def __init__(self, folder: Path, octets: int) -> None:
        self._folder = folder
        self._needed = octets
        self._looked_at = -FREE_FOR
        self._enough = True

    def is_enough(self, now: float) -> bool:
        """At least `octets` and one inode free, seen within the last second."""
        if now - self._looked_at >= FREE_FOR:
            self._looked_at = now
            try:
                found = os.statvfs(self._folder)
            except OSError:
                self._enough = False
            else:
                inodes = found.f_favail > 0 or found.f_files == 0  # some file systems do not count inodes
                self._enough = inodes and found.f_bavail * found.f_frsize >= self._needed
        return self._enough


def has_room(memory: MemoryBudget, disk: FreeSpace, now: float) -> bool:
    """Whether one more message may begin (F-22, F-32); each that is put off for it is counted, by what is short."""
    if not memory.has_room:
        short = "memory"
    elif disk.is_enough(now):
        return True
    else:
        short = "disk"
    metrics.child(metrics.no_room, short).inc()
    return False
