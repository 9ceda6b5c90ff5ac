"""What failures of disk and database mean: for the client (safety F-22 ... F-28), and for the store itself (R-4)."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway import metrics
from gateway.envelope.reply import LOCAL_ERROR, STORAGE_ERROR, Reply
from gateway.ports import StoreError

Mark = Callable[[str], None]  # called at named points of every write, so that tests can fail or kill there


def no_mark(_: str) -> None:
    """In production nothing happens at the marked points."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.EINTR)  # passing trouble: nothing written is in doubt
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY = 0xFF  # the low byte of an extended SQLite result code is the primary code


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure: what the client hears, and whether nothing more may be written until the store is reopened."""

    reason: str
    reply: Reply = LOCAL_ERROR
    latches: bool = False

    def error(self) -> StoreError:
        return StoreError(self.reason, self.reply)


def fault_of(error: BaseException) -> Fault:
    """Read an exception of the disk, the driver or our own code."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, OSError):
        return _of_os(cause)
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause)
    return Fault(f"{type(error).__name__}: {error}")


def _of_os(error: OSError) -> Fault:
    reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, '?')})"
    if error.errno in _NO_ROOM:
        return Fault(reason, STORAGE_ERROR)
    return Fault(reason, latches=error.errno not in _NOT_OURS)


def _of_sqlite(error: sqlite3.Error) -> Fault:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    reason = f"{error} ({getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')})"
    if code == sqlite3.SQLITE_FULL:
        return Fault(reason, STORAGE_ERROR)
    # An I/O error may be a failed fsync: what is on disk is not known any more, and asking again would lie.
    broken = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
              sqlite3.SQLITE_CANTOPEN)  # fmt: skip
    return Fault(reason, latches=code in broken)


def may_pass(error: BaseException) -> bool:
    """Whether a store that could not be opened may be opened later, without anybody mending it: full disk, locked file."""
    cause = error.__cause__ or error
    cause = cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else cause
    if isinstance(cause, OSError):
        return cause.errno in _NO_ROOM
    code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY
    return code in (*_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def fails_group(error: BaseException) -> bool:
    """Whether an error in one job makes the whole transaction worthless: all of the database's but a broken rule."""
    return isinstance(error, DBAPIError | sqlite3.Error) and not isinstance(
        error, IntegrityError | sqlite3.IntegrityError
    )


class Health:
    """Whether the store may still be written to. Once latched it stays so until the store is opened anew."""

    def __init__(self) -> None:
        self.reason = ""

    def note(self, error: BaseException) -> StoreError:
        """Count the failure, latch where it must be final, and give what the caller raises."""
        fault = fault_of(error)
        metrics.store_errors.inc()
        if fault.latches and not self.reason:
            self.reason = fault.reason
        return fault.error()

    def check(self) -> None:
        """Raise StoreError when latched."""
        if self.reason:
            raise StoreError(f"the store is closed to writing: {self.reason}", LOCAL_ERROR)
