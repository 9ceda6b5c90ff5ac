"""Whether a notice may go out: once per sender, unit and directive, and never many to one place (AR-12, AR-16).

The row that says so is inserted in the same transaction as the record that caused it. Counters slide over what was let
through, rows of the future included, so that a clock that jumps back opens no second window.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, insert, select

from gateway.ports import Notice
from gateway.store.codec import clean, micros
from gateway.store.queries import insert_new
from gateway.store.schema import notices, suppressions

FAILED_FOR: Final = timedelta(days=30)  # a target whose notice failed is left alone that long
KEPT_FOR: Final = timedelta(days=1)  # rows are needed for the longest counter after their window has closed
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


def admit(connection: Connection, notice: Notice, now: datetime) -> str:
    """Let the notice through and remember it: ""; or the reason why not, as it is written into the register."""
    if refusal := _refusal(connection, notice, now):
        return refusal
    sender = clean(notice.sender)
    connection.execute(
        insert(notices),
        {
            "id": notice.outgoing.id,
            "sender": sender,
            "domain": _domain(sender),
            "unit_id": clean(notice.unit_id),
            "directive": clean(notice.directive),
            "at": micros(now),
            "not_again_before": micros(notice.not_again_before),
        },
    )
    return ""


def suppress(connection: Connection, target: str, reply: str, now: datetime) -> None:
    """Leave a target alone whose notice could not be delivered: no errors about errors (RFC 5321 §4.5.4)."""
    until = micros(now + FAILED_FOR)
    row = {"target": target, "until": until, "reply": clean(reply)}
    statement = insert_new(connection.dialect.name, suppressions).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["target"], set_={"until": until, "reply": clean(reply)})
    )


def _refusal(connection: Connection, notice: Notice, now: datetime) -> str:
    sender = clean(notice.sender)
    stopped = select(suppressions.c.until).where(suppressions.c.target == sender)
    if (connection.scalar(stopped) or 0) > micros(now):
        return "failed-before"
    in_window = _count(
        connection,
        notices.c.sender == sender,
        notices.c.unit_id == clean(notice.unit_id),
        notices.c.directive == clean(notice.directive),
        notices.c.not_again_before > micros(now),
    )
    if in_window:
        return "window"
    day, hour = notices.c.at > micros(now - _DAY), notices.c.at > micros(now - _HOUR)
    if _count(connection, notices.c.sender == sender, day) >= notice.per_sender_day:
        return "sender-day"
    if _count(connection, notices.c.domain == _domain(sender), hour) >= notice.per_domain_hour:
        return "domain-hour"
    return "hour" if _count(connection, hour) >= notice.per_hour else ""


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(notices).where(*conditions)) or 0


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]
