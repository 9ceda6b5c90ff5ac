"""Messages that a mail server brings a second time: our answer was given, but it could not finish (safety R-23).

A milter is not told what became of a message after its verdict. The server may have failed, its client comes again, and
what we did at the first time (entry, outbox rows, record, notice) must not be done twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache

from gateway.envelope.transaction import ForwardPath
from gateway.policy.decision import Decision, Disposition, Hold
from gateway.ports import Notice, Settlement
from gateway.register.record import Record

REMEMBERED_FOR = timedelta(hours=48)  # as long as for clients that missed our reply (safety R-12)

_shown: Callable[[Disposition], str] = lru_cache(maxsize=256)(repr)  # rules have a few of them


def key_of(transaction_key: bytes, decisions: Sequence[tuple[ForwardPath, Decision]]) -> bytes:
    """What makes it the same message with the same fate. After a change of policy the fate is another, and is new."""
    fates = sorted([f"{path.mailbox.key} {_shown(decision.disposition)}" for path, decision in decisions])
    return hashlib.sha256(transaction_key + "\0".join(fates).encode("utf-8", "surrogatepass")).digest()


def keeps_more(decisions: Sequence[tuple[ForwardPath, Decision]]) -> bool:
    """Whether more is kept of the message than its line in the register, which must not be made a second time.

    For such a message the ledger is asked beforehand. For others, nearly all, it is enough that settle() tells.
    """
    return any(decision.notices or isinstance(decision.disposition, Hold) for _, decision in decisions)


def settlement(record: Record, notice: Notice | None, key: bytes, *, prepared: bool = True) -> Settlement:
    """What is written of an accepted message; with a key it is known when it comes again."""
    until = record.received_at + REMEMBERED_FOR if key else None
    notices = (notice,) if notice else ()
    return Settlement(record=record, notices=notices, key=key, key_until=until, prepared=prepared)
