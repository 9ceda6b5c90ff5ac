"""A Maildir as a route, for trying the gateway out: one file per recipient, octets as received (CRLF line ends stay).

Durable before it is answered: temporary file, fsync, rename into new, fsync of the directory (safety R-3).
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from gateway import maillog, metrics
from gateway.envelope.address import Mailbox
from gateway.envelope.header import make_field
from gateway.envelope.reply import ACCEPTED, LOCAL_ERROR, STORAGE_ERROR, Reply
from gateway.envelope.transaction import ForwardPath, Parameters
from gateway.ports import Content, Delivery, Features
from gateway.relay.verdict import NO_RECIPIENTS

MAILDIR_FEATURES = Features(size=None, eightbitmime=True, smtputf8=True, dsn=False)
_SENDER_OK = Reply(250, "2.1.0", "Sender ok")
_RECIPIENT_OK = Reply(250, "2.1.5", "Recipient ok")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class MaildirSession:
    """One transaction into a Maildir (`ports.Session`); it takes every recipient."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reverse_path: Mailbox | None = None

    async def mail(self, reverse_path: Mailbox | None, parameters: Parameters) -> Reply:
        self._reverse_path = reverse_path
        return _SENDER_OK

    async def rcpt(self, path: ForwardPath) -> Reply:
        return _RECIPIENT_OK

    async def deliver(self, recipients: Sequence[ForwardPath], content: Content) -> Delivery:
        """All copies, or none: nothing is in `new` before every copy is on the disk."""
        wanted = tuple(dict.fromkeys(recipients))
        if not wanted:
            return Delivery(NO_RECIPIENTS)
        try:
            with metrics.child(metrics.downstream_seconds, "maildir").time():
                await asyncio.to_thread(_write, self._folder, self._reverse_path, wanted, content)
            reply = ACCEPTED
        except OSError as error:
            maillog.event("maildir-failed", folder=str(self._folder), detail=str(error))
            reply = STORAGE_ERROR if error.errno in _FULL else LOCAL_ERROR
        return Delivery(reply, tuple((path, reply) for path in wanted))

    async def abandon(self) -> None:
        self._reverse_path = None


def check_maildir(folder: Path) -> Reply | None:
    """None when messages can be written, else what a client would hear."""
    try:
        _make(folder)
        probe = folder / "tmp" / _unique()
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        maillog.event("maildir-failed", folder=str(folder), detail=str(error))
        return STORAGE_ERROR if error.errno in _FULL else LOCAL_ERROR
    return None


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(exist_ok=True, mode=0o700)


def _unique() -> str:
    """A file name that no other process or host makes, by the custom of Maildir."""
    host = socket.gethostname().replace("/", r"\057").replace(":", r"\072")
    return f"{time.time_ns() // 1000}.P{os.getpid()}R{secrets.token_hex(8)}.{host}"


def _write(folder: Path, reverse_path: Mailbox | None, recipients: Sequence[ForwardPath], content: Content) -> None:
    """Write every copy durably. Raises OSError, and then there is none."""
    _make(folder)
    written: list[Path] = []
    try:
        for path in recipients:
            name = folder / "tmp" / _unique()
            written.append(name)
            _write_one(name, _trace("Return-Path", reverse_path) + _trace("Delivered-To", path.mailbox), content)
        for place, name in enumerate(written):
            written[place] = name.rename(folder / "new" / name.name)
        _sync(folder / "new")
    except BaseException:
        for name in written:
            name.unlink(missing_ok=True)
        raise


def _write_one(name: Path, head: bytes, content: Content) -> None:
    with name.open("xb") as file:
        file.write(head)
        for segment in content:
            file.write(segment)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _trace(name: str, mailbox: Mailbox | None) -> bytes:
    """Return-Path or Delivered-To; an internationalised address goes as UTF-8 (RFC 6532 §3.2)."""
    text = "" if mailbox is None else str(mailbox)
    value = f"<{text}>" if name == "Return-Path" else text
    if value.isascii():
        return make_field(name, value)
    if not value.isprintable():
        raise ValueError(f"control character in {name}")
    return f"{name}: {value}\r\n".encode()
