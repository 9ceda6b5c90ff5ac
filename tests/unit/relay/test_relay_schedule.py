"""Retry times of the outbox."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from gateway.ports import OutgoingKind
from gateway.relay.schedule import next_attempt

T0 = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def times(kind: OutgoingKind, most: int = 1000) -> list[timedelta]:
    """When attempts are made, from the first on, if all of them fail at once."""
    now = T0
    found: list[timedelta] = []
    for made in range(1, most + 1):
        found.append(now - T0)
        due = next_attempt(kind, made, T0, now)
        if due is None:
            return found
        assert due > now
        now = due
    return found


def test_f41_notices_are_given_up_after_a_day() -> None:
    made = times(OutgoingKind.NOTICE)
    assert made[:4] == [timedelta(0), timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=7)]
    assert made[-1] == timedelta(hours=24)
    assert max(b - a for a, b in itertools.pairwise(made)) == timedelta(hours=1)


def test_relayed_mail_is_tried_for_five_days() -> None:
    made = times(OutgoingKind.RELAY)
    assert made[-1] == timedelta(days=5)
    assert max(b - a for a, b in itertools.pairwise(made)) == timedelta(hours=4)


def test_r21_a_release_is_given_up_by_a_person_only() -> None:
    assert len(times(OutgoingKind.RELEASE, 500)) == 500


def test_nothing_is_due_in_the_past_after_a_long_sleep() -> None:
    late = T0 + timedelta(days=30)
    assert next_attempt(OutgoingKind.RELAY, 1, T0, late) is None
    assert next_attempt(OutgoingKind.RELEASE, 10_000, T0, late) == late + timedelta(hours=1)
