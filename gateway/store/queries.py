"""Statements used in more than one place, or so often that they are built once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from gateway.quarantine.entry import State
from gateway.store.schema import OutState, entries, outbox, records, unheard

BODY_STATES = ("waiting", "due", "leased", "unknown")  # of outbox rows whose blob may still be sent


def insert_new(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, which each database spells in a class of its own."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


INSERT_RECORD: Mapping[str, Executable] = {
    dialect: insert_new(dialect, records).on_conflict_do_nothing(index_elements=["id"])
    for dialect in ("sqlite", "postgresql")
}


def _remember(dialect: str) -> Executable:
    statement = insert_new(dialect, unheard)
    new = statement.excluded
    return statement.on_conflict_do_update(index_elements=["key"], set_={"text": new.text, "until": new.until})


REMEMBER: Mapping[str, Executable] = {dialect: _remember(dialect) for dialect in ("sqlite", "postgresql")}
REMEMBER_NEW: Executable = insert(unheard)  # breaks a rule where the key is known

ENTRY_HELD: Executable = (
    update(entries)
    .where(
        entries.c.id == bindparam("settled"),
        or_(entries.c.state == State.PENDING.value, entries.c.state == State.UNCERTAIN.value),
    )
    .values(state=State.HELD.value, note="")
)

OUTGOING_DUE: Executable = (
    update(outbox)
    .where(outbox.c.cause == bindparam("settled"), outbox.c.state == OutState.WAITING.value)
    .values(state=OutState.DUE.value)
)


def text_of(statement: Executable) -> str:
    """The text for SQLite's own driver; its parameters go by position, an INSERT's in the order of the columns."""
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))  # type: ignore[attr-defined]


def named_text(statement: Executable) -> tuple[str, Mapping[str, object]]:
    """The text with named parameters, and the values that are part of the statement itself."""
    compiled: Any = statement.compile(dialect=sqlite.dialect(paramstyle="named"))  # type: ignore[attr-defined]
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}


def blob_needed(connection: Connection, digest: str) -> bool:
    """Whether any row still needs the blob."""
    held = select(func.count()).select_from(entries).where(entries.c.digest == digest, entries.c.has_body == 1)
    sent = select(func.count()).select_from(outbox).where(outbox.c.digest == digest, outbox.c.state.in_(BODY_STATES))
    return bool(connection.scalar(held)) or bool(connection.scalar(sent))


def blobs_needed(connection: Connection, digests: Collection[str]) -> set[str]:
    """Those of the digests that some row needs; ask for some hundreds at a time."""
    held = select(entries.c.digest).where(entries.c.digest.in_(digests), entries.c.has_body == 1)
    sent = select(outbox.c.digest).where(outbox.c.digest.in_(digests), outbox.c.state.in_(BODY_STATES))
    return {*connection.scalars(held), *connection.scalars(sent)}
