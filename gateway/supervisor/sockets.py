"""Listening sockets: opened before fork, or taken over from systemd or from the program before us.

They live longer than the processes that accept on them, so no restart loses a connection (safety O-2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from grp import getgrgid
from pathlib import Path
from typing import Final

from gateway.settings import Address, Settings, parse_listen
from gateway.supervisor.holder import answers, holder, is_deserted

BACKLOG: Final = 1024  # the kernel takes the lesser of this and net.core.somaxconn
DOORS: Final = ("smtp", "milter", "http")  # tables of the settings
_FIRST_PASSED: Final = 3  # SD_LISTEN_FDS_START
_MAY_PASS: Final = frozenset(
    {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
)

Sockets = dict[str, list[socket.socket]]


class CannotListen(Exception):
    """An address cannot be listened at; the text is a sentence for the postmaster.

    `may_pass`: trying again later may help, without anything being changed here.
    """

    def __init__(self, sentence: str, *, may_pass: bool = False) -> None:
        super().__init__(sentence)
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, the door that it belongs to, and its address as the settings write it."""

    door: str
    address: str  # empty: the service manager passed it, and it stands for whatever the settings say
    socket: socket.socket


def addresses(settings: Settings) -> dict[str, list[Address]]:
    """Where each door is to listen, by the table of the settings that says so."""
    return {
        "smtp": [parse_listen(text) for text in settings.smtp.listen if text],
        "milter": [parse_listen(text) for text in settings.milter.listen if text],
        "http": [parse_listen(settings.http.listen)] if settings.http.listen else [],
    }


def open_listeners(
    settings: Settings, environ: MutableMapping[str, str], inherited: Sequence[Listener] = ()
) -> list[Listener]:
    """The sockets of all doors, listening. Those that systemd passed under a door's name stand for the settings' own.

    What is inherited and still wanted is kept, the rest of it closed. Raises CannotListen, with nothing left open.
    """
    opened: list[Listener] = []
    spare = {(each.door, each.address): each for each in inherited if each.address}
    try:
        opened += (each for each in inherited if not each.address)
        opened += _passed(environ)
        passed = {each.door for each in opened}
        for door, where in addresses(settings).items():
            for address in where if door not in passed else ():
                kept = spare.pop((door, str(address)), None)
                if kept and not _has_vanished(address):
                    opened.append(kept)
                else:
                    opened.append(Listener(door, str(address), listen(address)))
    except CannotListen:
        for each in (*opened, *inherited):
            each.socket.close()
        raise
    wanted = {id(each) for each in opened}
    for each in inherited:
        if id(each) not in wanted:
            each.socket.close()
    return opened


def by_door(listeners: Sequence[Listener]) -> Sockets:
    """The sockets of each door."""
    sockets: Sockets = {door: [] for door in DOORS}
    for each in listeners:
        sockets[each.door].append(each.socket)
    return sockets


def listen(address: Address) -> socket.socket:
    """One listening socket; raises CannotListen."""
    try:
        return _unix(address.path) if address.path else _tcp(address)
    except socket.gaierror as error:
        sentence = f"{address}: no such host ({error.strerror}); write an IP address of this server"
        raise CannotListen(sentence, may_pass=True) from None
    except OSError as error:
        may_pass = error.errno in _MAY_PASS
        raise CannotListen(f"{address}: {error.strerror}; {_mending(address, error)}", may_pass=may_pass) from None


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
    who = holder(address.port)
    return (
        f"{who} is listening there; stop it, or choose another port" if who else "is another program listening there?"
    )


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
        if answers(path):
            who = holder(str(path)) or "another program"
            raise CannotListen(f"unix:{path}: {who} is listening there; stop it, or choose another path", may_pass=True)
        path.unlink()


def _has_vanished(address: Address) -> bool:
    """A Unix socket whose name is gone, or another's by now, can be reached by nobody, though it is open."""
    return bool(address.path) and is_deserted(Path(address.path))


def remove_names(opened: Sequence[Listener]) -> None:
    """Of Unix sockets that only were to show that they can be opened."""
    for each in opened:
        if each.socket.family == socket.AF_UNIX:
            Path(each.socket.getsockname()).unlink(missing_ok=True)


def _passed(environ: MutableMapping[str, str]) -> list[Listener]:
    """Sockets of systemd socket activation, by FileDescriptorName= (sd_listen_fds(3)); the variables are taken out."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if not count.isdigit() or pid != str(os.getpid()):
        return []
    listeners = []
    for number, name in zip(range(_FIRST_PASSED, _FIRST_PASSED + int(count)), names, strict=False):
        if name not in DOORS:
            raise CannotListen(
                f"systemd passed a socket called {name!r}; write FileDescriptorName=smtp (or milter, http)"
            )
        listeners.append(adopted(name, "", number))
    return listeners


def adopted(door: str, address: str, number: int) -> Listener:
    """A socket that came open with our program, under this descriptor; the programs that we start do not get it."""
    os.set_inheritable(number, False)
    opened = socket.socket(fileno=number)
    opened.setblocking(False)
    return Listener(door, address, opened)


def close_unused(sockets: Mapping[str, list[socket.socket]], used: frozenset[str]) -> Sockets:
    """In a new process: keep the doors that are its own."""
    for door in sockets.keys() - used:
        for each in sockets[door]:
            each.close()
    return {door: list(sockets[door]) for door in sockets.keys() & used}
