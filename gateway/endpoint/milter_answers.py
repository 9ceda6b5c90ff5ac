"""What a milter answers, as packets: decisions, replies and edits. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from struct import Struct
from typing import Final

from gateway.endpoint.milter_protocol import Action, MacroStage, Step
from gateway.envelope.reply import Reply

_NUMBER: Final = Struct("!I")
_OPTIONS: Final = Struct("!III")  # version, actions, steps
_NAME: Final = re.compile(rb"[^:\r\n\0]+\Z")
_NO_FOLD: Final = re.compile(rb"[\r\0]|\n(?![ \t])")


def _packet(octet: bytes, payload: bytes = b"") -> bytes:
    return b"%b%b%b" % (_NUMBER.pack(len(payload) + 1), octet, payload)


_CONTINUE: Final = _packet(b"c")
_ACCEPT: Final = _packet(b"a")
_DISCARD: Final = _packet(b"d")
_REJECT: Final = _packet(b"r")
_TEMPFAIL: Final = _packet(b"t")
_SKIP: Final = _packet(b"s")
_PROGRESS: Final = _packet(b"p")


def continue_() -> bytes:
    """Go on."""
    return _CONTINUE


def accept() -> bytes:
    """Take this message, and ask us nothing more about it."""
    return _ACCEPT


def discard() -> bytes:
    """Say 250 to the client and pass nothing on."""
    return _DISCARD


def reject() -> bytes:
    """Refuse with the mail server's own 5yz."""
    return _REJECT


def tempfail() -> bytes:
    """Refuse with the mail server's own 4yz."""
    return _TEMPFAIL


def skip() -> bytes:
    """Send no more of the body."""
    return _SKIP


def progress() -> bytes:
    """We are still at it: the mail server's patience starts anew."""
    return _PROGRESS


def replycode(reply: Reply) -> bytes:
    """Refuse with this reply. ValueError unless it is 4yz or 5yz."""
    if not 400 <= reply.code <= 599:
        raise ValueError(f"a milter cannot reply {reply.code}")
    if not reply.enhanced:  # Postfix takes a digit that starts the text for a wrong enhanced code
        reply = replace(reply, enhanced=f"{reply.code // 100}.0.0")
    return _packet(b"y", reply.wire()[:-2].replace(b"%", b"%%") + b"\0")  # a format string to Sendmail


def insert_header(index: int, name: bytes, value: bytes) -> bytes:
    """Put a field before the field of this index, 0 for the top; `value` with its leading space, folded or not.

    Raises ValueError for a name or value that would make more or less than one field.
    """
    return _packet(b"i", _NUMBER.pack(index) + _field(name, value))


def change_header(index: int, name: bytes, value: bytes = b"") -> bytes:
    """Replace the index-th field of this name, counted from 1; without a value, delete it. Raises as insert_header."""
    return _packet(b"m", _NUMBER.pack(index) + _field(name, value))


def add_recipient(path: bytes) -> bytes:
    """Add a recipient; `path` in angle brackets. ValueError for a NUL."""
    return _packet(b"+", _string(path))


def delete_recipient(path: bytes) -> bytes:
    """Remove a recipient; `path` exactly as RCPT gave it. ValueError for a NUL."""
    return _packet(b"-", _string(path))


def negotiate(version: int, actions: Action, steps: Step, macros: Mapping[MacroStage, str]) -> bytes:
    """What we want of what was offered, and the macros wanted at each stage: names with spaces between."""
    wanted = b"".join(_NUMBER.pack(stage) + _string(names.encode()) for stage, names in macros.items())
    return _packet(b"O", _OPTIONS.pack(version, actions, steps) + wanted)


def _field(name: bytes, value: bytes) -> bytes:
    """Line ends within a field are single LFs in this protocol; a CR would reach the message."""
    value = value.replace(b"\r\n", b"\n")
    if not _NAME.match(name) or _NO_FOLD.search(value):
        raise ValueError(f"no header field: {name[:100]!r}")
    return b"%b\0%b\0" % (name, value)


def _string(octets: bytes) -> bytes:
    if b"\0" in octets:
        raise ValueError("NUL in a string")
    return octets + b"\0"
