"""The mail log: one structured line per recipient's fate, with the transaction id that is also in the SMTP reply.

Verbs are a closed set. Control characters of mail are escaped; bodies and subjects are never logged. A full disk, a
blocked pipe or a log daemon that is gone loses lines, which are counted, but neither stops nor delays mail (safety F-29).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Final, Literal

import orjson

Verb = Literal[
    "received", "relayed", "held", "queued", "refused", "deferred", "discarded", "released", "replied", "expired"
]

MAX_LINE: Final = 4096  # PIPE_BUF: lines of several processes are not torn apart (POSIX write)
_MAX_VALUE: Final = 256  # characters of a value, in a line that would be longer

# What JSON leaves as it is and a terminal obeys: DEL, C1 (CSI is U+009B), line separators, marks that turn text around.
_UNSAFE: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")

_write: Callable[[bytes], int] | None = None  # gives the octets taken
_rest = b""  # of a line that was taken in part
_lost = 0  # lines since the last one that was written
_on_drop: Callable[[], object] | None = None


def _nothing() -> None:
    """Closes a stream that is not ours to close."""


_close: Callable[[], object] = _nothing


def write_to(stream: IO[bytes] | None) -> None:
    """Choose the stream (default: standard error); None silences the log."""
    global _write, _close, _rest, _lost  # one log per process, like the standard streams themselves
    _close()
    _write, _close = (None, _nothing) if stream is None else _writer(stream)
    _rest, _lost = b"", 0


def on_drop(count: Callable[[], object] | None) -> None:
    """Choose what is called for every line that is lost."""
    global _on_drop
    _on_drop = count


def fate(verb: Verb, transaction_id: str, /, **facts: object) -> None:
    """Write what became of one recipient: recipient, rule, reply, unit, level ..."""
    _line({"event": verb, "id": transaction_id, **facts})


def event(name: str, /, **facts: object) -> None:
    """Write an event of the service itself: started, reloaded, fault ..."""
    _line({"event": name, **facts})


def _line(facts: dict[str, object]) -> None:
    global _rest, _lost
    if _write is None:
        return
    try:
        if _rest:
            _rest = _rest[_write(_rest) :]
        if _rest:
            raise BlockingIOError
        if _lost:
            _put(encoded({"event": "log-lines-lost", "lines": _lost}))
            _lost = 0
        _put(encoded(facts))
    except Exception:  # blocked, full, closed, or a value that cannot be told: a line is lost, never a message
        _lost += 1
        if _on_drop is not None:
            _on_drop()


def _put(line: bytes) -> None:
    global _rest
    if _rest:
        raise BlockingIOError
    assert _write is not None
    _rest = line[_write(line) :]


def encoded(facts: dict[str, object]) -> bytes:
    """One line of JSON with the time before the facts, at most MAX_LINE octets, in which nothing steers a terminal."""
    stamped = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **facts}
    line = _json(stamped)
    if len(line) > MAX_LINE:
        line = _json({key: _shortened(value) for key, value in stamped.items()} | {"cut": True})
    if len(line) > MAX_LINE:
        kept = {key: _shortened(value) for key, value in stamped.items() if key in ("time", "event", "id")}
        line = _json(kept | {"cut": True})
    return line


def _json(facts: dict[str, object]) -> bytes:
    try:
        line = orjson.dumps(facts, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # lone surrogates, integers over 64 bits: what a stranger's octets may become
        line = json.dumps(facts, default=str, skipkeys=True).encode("ascii") + b"\n"
    if line.isascii() and b"\x7f" not in line:  # nearly every line
        return line
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0].decode()):04x}".encode(), line)


def _shortened(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    text = str(value)
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "..."


def _writer(stream: IO[bytes]) -> tuple[Callable[[bytes], int], Callable[[], object]]:
    """How to write to the stream without waiting, and how to close what was opened for it.

    Whether writing waits belongs to the open file, which we may share with the shell or the service manager that gave
    it to us; so a pipe is opened anew, and a socket is told at each write. A descriptor of our own stays ours when the
    stream is closed and its number is given to another file.
    """
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # no file behind it
        return (lambda octets: _written(stream, octets)), _nothing
    if stat.S_ISSOCK(mode):
        connection = socket.socket(fileno=os.dup(number))
        return (lambda octets: connection.send(octets, socket.MSG_DONTWAIT)), connection.close
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        own = _opened_anew(number, waits_for_a_person=stat.S_ISCHR(mode))
    else:
        own = os.dup(number)
    return (lambda octets: os.write(own, octets)), (lambda: os.close(own))


def _opened_anew(number: int, *, waits_for_a_person: bool) -> int:
    with contextlib.suppress(OSError):
        return os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not waits_for_a_person:  # the pipe of another user; it is the log of nobody else
        os.set_blocking(number, False)
    return os.dup(number)


def _written(stream: IO[bytes], octets: bytes) -> int:
    stream.write(octets)
    stream.flush()
    return len(octets)


write_to(sys.stderr.buffer)
