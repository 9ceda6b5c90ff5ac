"""The mail log: one structured line per recipient's fate, with the transaction id that is also in the SMTP reply.

Verbs are a closed set. Control characters of mail are escaped by JSON itself; bodies and subjects are never logged.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import IO, Literal

import orjson

Verb = Literal[
    "received", "relayed", "held", "queued", "refused", "deferred", "discarded", "released", "replied", "expired"
]

_stream: IO[bytes] | None = None


def write_to(stream: IO[bytes] | None) -> None:
    """Choose the stream (default: standard error); None silences the log."""
    global _stream  # one log per process, like the standard streams themselves
    _stream = stream


write_to(sys.stderr.buffer)


def fate(verb: Verb, transaction_id: str, **facts: object) -> None:
    """Write what became of one recipient: recipient, rule, reply, unit, level ..."""
    _line({"event": verb, "id": transaction_id, **facts})


def event(name: str, **facts: object) -> None:
    """Write an event of the service itself: started, reloaded, fault ..."""
    _line({"event": name, **facts})


def _line(facts: dict[str, object]) -> None:
    if _stream is None:
        return
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        _stream.write(orjson.dumps({"time": now, **facts}, default=str, option=orjson.OPT_APPEND_NEWLINE))
        _stream.flush()
    except (OSError, ValueError):  # a full log disk must not stop mail (safety F-29)
        return
