"""Listening sockets: opened before fork, or taken over from systemd; a restart of a worker loses no connection."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from grp import getgrgid
from pathlib import Path
from typing import Final

from gateway.settings import Address, Settings, parse_listen

BACKLOG: Final = 1024  # the kernel takes the lesser of this and net.core.somaxconn
DOORS: Final = ("smtp", "milter", "http")  # tables of the settings
_FIRST_PASSED: Final = 3  # SD_LISTEN_FDS_START

Sockets = dict[str, list[socket.socket]]


class CannotListen(Exception):
    """An address cannot be listened at; the text is a sentence for the postmaster."""


def addresses(settings: Settings) -> dict[str, list[Address]]:
    """Where each door is to listen, by the table of the settings that says so."""
    return {
        "smtp": [parse_listen(text) for text in settings.smtp.listen if text],
        "milter": [parse_listen(text) for text in settings.milter.listen if text],
        "http": [parse_listen(settings.http.listen)] if settings.http.listen else [],
    }


def open_sockets(settings: Settings, environ: MutableMapping[str, str]) -> Sockets:
    """The sockets of all doors, listening. Those that systemd passed under a door's name stand for the settings' own.

    Raises CannotListen, with nothing left open.
    """
    sockets = _passed(environ)
    try:
        for door, where in addresses(settings).items():
            if door not in sockets:
                sockets[door] = []
                for address in where:
                    sockets[door].append(listen(address))
    except CannotListen:
        for opened in sockets.values():
            for each in opened:
                each.close()
        raise
    return sockets


def listen(address: Address) -> socket.socket:
    """One listening socket; raises CannotListen."""
    try:
        return _unix(address.path) if address.path else _tcp(address)
    except socket.gaierror as error:
        raise CannotListen(f"{address}: no such host ({error.strerror}); write an IP address of this server") from None
    except OSError as error:
        raise CannotListen(f"{address}: {error.strerror}; {_mending(address, error)}") from None


def described(opened: socket.socket) -> str:
    """Where it listens, as settings write it; of a Unix socket also which group may open it (S-34)."""
    name = opened.getsockname()
    if opened.family != socket.AF_UNIX:
        return str(Address(name[0], name[1]))
    try:
        status = Path(name).stat()
    except OSError:  # systemd's, which may have gone or have no name
        return f"unix:{name}"
    try:
        group = getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"unix:{name} (mode {stat.S_IMODE(status.st_mode):04o}, group {group})"


def _mending(address: Address, error: OSError) -> str:
    folder = Path(address.path).parent
    if address.path and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"make the folder {folder}, so that the gateway's user may write to it and the mail server may enter it"
    if address.path and isinstance(error, PermissionError):
        return f"let the gateway's user write to the folder {folder}"
    if isinstance(error, PermissionError):
        return "ports below 1024 need CAP_NET_BIND_SERVICE or systemd socket activation"
    if error.errno == errno.EADDRNOTAVAIL:
        return "write an IP address of this server"
    return "is another program listening there?"


def _tcp(address: Address) -> socket.socket:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, _, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)  # "localhost" has both kinds
    # with the protocol named, asyncio and uvloop set TCP_NODELAY on what is accepted
    opened = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(where)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _unix(path: str) -> socket.socket:
    """A socket of mode 0660 (safety S-34); one that a killed gateway left is replaced, one that answers is not."""
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(Path(path))
        before = os.umask(0o117)
        try:
            opened.bind(path)
        finally:
            os.umask(before)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _remove_stale(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise CannotListen(f"unix:{path}: there is a file that is not a socket; remove it or choose another path")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            if probe.connect_ex(str(path)) == 0:
                raise CannotListen(f"unix:{path}: another program is listening there")
        path.unlink()


def _passed(environ: MutableMapping[str, str]) -> Sockets:
    """Sockets of systemd socket activation, by FileDescriptorName= (sd_listen_fds(3)); the variables are taken out."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    sockets: Sockets = {}
    if not count.isdigit() or pid != str(os.getpid()):
        return sockets
    for number, name in zip(range(_FIRST_PASSED, _FIRST_PASSED + int(count)), names, strict=False):
        if name not in DOORS:
            raise CannotListen(
                f"systemd passed a socket called {name!r}; write FileDescriptorName=smtp (or milter, http)"
            )
        opened = socket.socket(fileno=number)
        opened.setblocking(False)
        os.set_inheritable(number, False)
        sockets.setdefault(name, []).append(opened)
    return sockets


def close_unused(sockets: Mapping[str, list[socket.socket]], used: frozenset[str]) -> Sockets:
    """In a new process: keep the doors that are its own."""
    for door in sockets.keys() - used:
        for each in sockets[door]:
            each.close()
    return {door: list(sockets[door]) for door in sockets.keys() & used}
