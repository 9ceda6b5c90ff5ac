"""What settle() writes: the record, the end of waiting, and the notices that the window lets through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, exists, insert, select

from gateway.ports import Settlement
from gateway.store import window
from gateway.store.queries import (
    ENTRY_HELD,
    INSERT_RECORD,
    OUTGOING_DUE,
    REMEMBER,
    REMEMBER_NEW,
    named_text,
    text_of,
)
from gateway.store.rows import ledger_row, ledger_values, outgoing_row, record_row, record_values
from gateway.store.schema import OutState, aliases, outbox, records
from gateway.store.writer import Row, Rows

DUPLICATE: Final = "duplicate"  # the message is held already and was answered then (AR-1)


_INSERT_RECORD: Final = text_of(INSERT_RECORD["sqlite"])
_REMEMBER: Final = text_of(REMEMBER_NEW)
_CONFIRM: Final = (named_text(ENTRY_HELD), named_text(OUTGOING_DUE))


def rows(settlement: Settlement) -> Rows:
    """The statements of a settlement without notices, alike for all messages, so that many go as one.

    They are refused where the ledger knows the key, expired or not: nothing is written then.
    """
    written: list[Row] = [(_INSERT_RECORD, record_values(settlement.record))]
    if settlement.prepared:
        settled = settlement.record.id
        written += [(text, {**constants, "settled": settled}) for text, constants in _CONFIRM]
    if settlement.key:
        written.append((_REMEMBER, ledger_values(settlement)))
    return written


def job(settlement: Settlement, now: datetime) -> Callable[[Connection], None]:
    """A settlement with notices. One whose record is there already has had them: nothing goes out twice (R-7)."""

    def settle(connection: Connection) -> None:
        record_id = settlement.record.id
        if settlement.prepared:
            connection.execute(ENTRY_HELD, {"settled": record_id})
            connection.execute(OUTGOING_DUE, {"settled": record_id})
        if settlement.key:
            connection.execute(REMEMBER[connection.dialect.name], ledger_row(settlement))
        if connection.scalar(select(exists().where(records.c.id == record_id))):
            return
        row = record_row(settlement.record)
        if settlement.notices:
            row["notice"] = _notify(connection, settlement, now)
        connection.execute(insert(records), row)

    return settle


def _notify(connection: Connection, settlement: Settlement, now: datetime) -> str:
    """Put the notices into the outbox that may go; returns the fate of each, for the register."""
    duplicate = connection.scalar(select(exists().where(aliases.c.alias == settlement.record.id)))
    fates = []
    for notice in settlement.notices:
        refusal = DUPLICATE if duplicate else window.admit(connection, notice, now)
        if not refusal:
            connection.execute(insert(outbox), outgoing_row(notice.outgoing, OutState.DUE, now))
        fates.append(f"suppressed: {refusal}" if refusal else f"due {notice.directive}")
    return ", ".join(fates)
