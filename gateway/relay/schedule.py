"""When an outbox message is tried again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.ports import OutgoingKind

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = {
    OutgoingKind.NOTICE: timedelta(hours=1),
    OutgoingKind.RELEASE: timedelta(hours=1),
    OutgoingKind.RELAY: timedelta(hours=4),
}
GIVE_UP_AFTER = {
    OutgoingKind.NOTICE: timedelta(hours=24),  # an answer that comes later than that confuses (safety F-41)
    OutgoingKind.RELAY: timedelta(days=5),  # RFC 5321 §4.5.4.1
}  # a release is given up by a person only


def next_attempt(kind: OutgoingKind, attempts: int, first_due: datetime, now: datetime) -> datetime | None:
    """The time of the next attempt after `attempts` (≥ 1) failed ones; None when it is given up.

    Waits double from one minute up to the longest wait of the kind. The last attempt is made at the give-up age itself.
    """
    wait = min(FIRST_WAIT * (1 << min(max(attempts, 1) - 1, 20)), LONGEST_WAIT[kind])
    if kind not in GIVE_UP_AFTER:
        return now + wait
    end = first_due + GIVE_UP_AFTER[kind]
    return min(now + wait, end) if now < end else None
